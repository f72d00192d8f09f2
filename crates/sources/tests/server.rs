//! A small server on loopback that speaks the hub's file protocol, with faults if they are asked for.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sources::Sha256;

/// The only revision that it has.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the server does wrong.
#[derive(Default)]
pub struct Faults {
    /// Number of times a download breaks off, each time after so many bytes.
    pub breaks: usize,
    pub after: usize,
    /// Whether the connection is not broken there but left open, silently.
    pub stalls: bool,
    /// Whether the rest of a file is asked for in vain: all of it is sent.
    pub ignores_ranges: bool,
    /// The status all requests are refused with, if any.
    pub refuses: Option<u16>,
}

#[derive(Default)]
pub struct State {
    /// Repository path and file (`owner/name/file` or `datasets/owner/name/file`) → content.
    pub files: BTreeMap<String, Vec<u8>>,
    pub faults: Faults,
    /// `METHOD path range authorization` of each request.
    pub requests: Vec<String>,
}

/// The server; it runs until the test process ends.
#[derive(Clone)]
pub struct Server {
    pub endpoint: String,
    pub state: Arc<Mutex<State>>,
}

impl Server {
    /// It runs until the test process ends.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { endpoint, state: Arc::default() };
        let serving = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = serving.clone();
                // A client that goes away is its own affair.
                thread::spawn(move || server.answer(stream).ok());
            }
        });
        server
    }

    /// What it has and does.
    pub fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What it was asked.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// One request per connection.
    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().unwrap_or(Ok(String::new()))?;
        let headers: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let header = |name: &str| {
            let found =
                headers.iter().filter_map(|line| line.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let (method, path) = request.split_once(' ').unwrap_or_default();
        let path = path.split(' ').next().unwrap_or_default();
        let (range, authorization) = (header("range"), header("authorization"));
        self.state().requests.push(format!("{method} {path} {range} {authorization}"));
        self.reply(stream, method, path, range.strip_prefix("bytes="))
    }

    fn reply(&self, mut stream: TcpStream, method: &str, path: &str, range: Option<&str>) -> std::io::Result<()> {
        if let Some(status) = self.state().faults.refuses {
            return write!(stream, "HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        // Large files lie elsewhere: the hub redirects to where.
        let (stored, redirected) = match path.strip_prefix("/large/") {
            Some(stored) => (Some(stored.to_owned()), true),
            None => (
                path[1..].split_once(&format!("/resolve/{COMMIT}/")).map(|(repo, file)| format!("{repo}/{file}")),
                false,
            ),
        };
        let content = stored.as_ref().and_then(|stored| self.state().files.get(stored).cloned());
        let (Some(stored), Some(content)) = (stored, content) else {
            return write!(
                stream,
                "HTTP/1.1 404 Not Found\r\nX-Error-Code: EntryNotFound\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        };
        let etag = Sha256::of(&content);
        let common = format!("X-Repo-Commit: {COMMIT}\r\nAccept-Ranges: bytes\r\nConnection: close\r\n");
        if stored.ends_with("safetensors") && !redirected {
            return write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: {}/large/{stored}\r\nX-Linked-Etag: \"{etag}\"\r\nX-Linked-Size: {}\r\n{common}Content-Length: 0\r\n\r\n",
                self.endpoint,
                content.len()
            );
        }
        let (first, last) = match range.and_then(|range| range.split_once('-')) {
            Some((first, last)) => (first.parse().unwrap_or(0), last.parse().unwrap_or(content.len() - 1)),
            None => (0, content.len() - 1),
        };
        let whole = range.is_none() || (first > 0 && self.state().faults.ignores_ranges);
        let head = format!("ETag: \"{etag}\"\r\n{common}");
        if first >= content.len() && !whole {
            return write!(stream, "HTTP/1.1 416 Range Not Satisfiable\r\n{head}Content-Length: 0\r\n\r\n");
        }
        let body = if whole { &content[..] } else { &content[first..=last] };
        let status = if whole {
            "200 OK".to_owned()
        } else {
            format!("206 Partial Content\r\nContent-Range: bytes {first}-{last}/{}", content.len())
        };
        write!(stream, "HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\n\r\n", body.len())?;
        if method == "HEAD" {
            return Ok(());
        }
        let sent = self.cut(body);
        stream.write_all(sent)?;
        if sent.len() < body.len() && self.state().faults.stalls {
            thread::sleep(Duration::from_secs(60));
        }
        Ok(())
    }

    /// The part of a body that is sent before the connection breaks.
    fn cut<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        let faults = &mut self.state().faults;
        if faults.breaks == 0 || body.len() <= faults.after {
            return body;
        }
        faults.breaks -= 1;
        &body[..faults.after]
    }
}
