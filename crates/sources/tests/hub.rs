//! Sources on the Hugging Face hub, against a small server on loopback that speaks the hub's file protocol and serves a
//! tiny random model: what hf-hub and the verification make of good, missing, wrong and interrupted downloads.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sources::{Cache, Hub, Remote, RepoType, Sha256, Source, SourceError, silent};

use crate::server::{COMMIT, Faults, Server};

const MODEL: &str = "owner/tiny-bert";
const WEIGHTS: &str = "model.safetensors";

impl Server {
    /// A server with the tiny model in it.
    fn with_model() -> Self {
        let server = Self::start();
        for (name, content) in model() {
            server.state().files.insert(format!("{MODEL}/{name}"), content);
        }
        server
    }

    fn cache(&self, directory: &Path) -> Cache {
        Cache::new(directory, self.remote())
    }

    fn remote(&self) -> Remote {
        remote(self.endpoint.clone())
    }

    /// Starts of the downloads of the weights, `bytes=N-`.
    fn starts(&self) -> Vec<usize> {
        let requests = self.requests();
        let ranges = requests.iter().filter(|line| line.contains("/large/")).filter_map(|line| line.split(' ').nth(2));
        ranges.filter_map(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()).collect()
    }
}

fn remote(endpoint: String) -> Remote {
    let patience = Duration::from_secs(30);
    Remote { endpoint, token: None, offline: false, patience, python: PathBuf::from("none") }
}

/// The tiny random model's files.
fn model() -> BTreeMap<String, Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../adaptation/tests/fixtures/tiny-bert");
    let read = |name: &str| (name.to_owned(), fs::read(directory.join(name)).unwrap());
    ["config.json", "tokenizer.json", WEIGHTS].map(read).into()
}

fn source() -> Source {
    let files = model().into_iter().map(|(name, content)| (name, Sha256::of(&content))).collect();
    hub(MODEL, RepoType::Model, files)
}

fn weights() -> Source {
    hub(MODEL, RepoType::Model, BTreeMap::from([(WEIGHTS.to_owned(), Sha256::of(&model()[WEIGHTS]))]))
}

fn hub(repository: &str, repo_type: RepoType, files: BTreeMap<String, Sha256>) -> Source {
    Source::Hub(Hub { repository: repository.to_owned(), revision: COMMIT.to_owned(), repo_type, files })
}

/// All files in the cache, except for locks.
fn all_files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { all_files(&path) } else { vec![path] };
    paths.flat_map(below).filter(|path| path.extension().is_none_or(|kind| kind != "lock")).collect()
}

#[test]
fn a_model_and_then_without_network() {
    let (server, directory) = (Server::with_model(), tempfile::tempdir().unwrap());
    let remote = Remote { token: Some("secret".to_owned()), ..server.remote() };
    let seen = RefCell::new(Vec::new());
    let progress = |file: &str, done: u64, total: Option<u64>| seen.borrow_mut().push((file.to_owned(), done, total));
    let files = source().fetch(&Cache::new(directory.path(), remote), &progress).unwrap();
    for (name, content) in model() {
        assert_eq!(fs::read(files.path(&name).unwrap()).unwrap(), content, "{name}");
        let total = content.len() as u64;
        assert!(seen.borrow().contains(&(name.clone(), total, Some(total))), "{name}: the end was reported");
    }
    let requests = server.requests();
    assert!(requests[0].starts_with(&format!("GET /{MODEL}/resolve/{COMMIT}/config.json")), "{requests:?}");
    assert!(requests[0].ends_with("Bearer secret"), "{requests:?}");
    let offline = Remote { offline: true, ..server.remote() };
    assert_eq!(source().fetch(&Cache::new(directory.path(), offline), &silent).unwrap(), files);
    assert_eq!(server.requests().len(), requests.len(), "the cache is enough");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "the entry and its lock");
}

#[test]
fn a_data_set() {
    let (server, directory) = (Server::start(), tempfile::tempdir().unwrap());
    let (file, content) = ("rte/train-00000-of-00001.parquet", b"not really".to_vec());
    server.state().files.insert(format!("datasets/nyu-mll/glue/{file}"), content.clone());
    let source = hub("nyu-mll/glue", RepoType::Dataset, BTreeMap::from([(file.to_owned(), Sha256::of(&content))]));
    let files = source.fetch(&server.cache(directory.path()), &silent).unwrap();
    assert_eq!(fs::read(files.directory().join(file)).unwrap(), content);
}

#[test]
fn what_the_hub_does_not_have() {
    let (server, directory) = (Server::with_model(), tempfile::tempdir().unwrap());
    server.state().files.remove(&format!("{MODEL}/tokenizer.json"));
    let error = source().fetch(&server.cache(directory.path()), &silent).unwrap_err();
    let expected = format!("{} has no tokenizer.json in {MODEL} at revision {COMMIT}", server.endpoint);
    assert_eq!(error.to_string(), expected);
    assert!(error.is_unreachable());
    // What was complete by then is not downloaded again.
    server.state().files.insert(format!("{MODEL}/tokenizer.json"), model()["tokenizer.json"].clone());
    let before = server.requests().len();
    source().fetch(&server.cache(directory.path()), &silent).unwrap();
    assert!(server.requests()[before..].iter().all(|line| line.contains("tokenizer.json")));
}

#[test]
fn a_wrong_hash_is_an_error_and_the_file_is_gone() {
    let (server, directory) = (Server::with_model(), tempfile::tempdir().unwrap());
    let right = model()[WEIGHTS].clone();
    let mut wrong = right.clone();
    wrong[40_000] ^= 1;
    server.state().files.insert(format!("{MODEL}/{WEIGHTS}"), wrong.clone());
    let error = weights().fetch(&server.cache(directory.path()), &silent).unwrap_err();
    let (expected, got) = (Sha256::of(&right), Sha256::of(&wrong));
    assert_eq!(error.to_string(), format!("{WEIGHTS}: wrong SHA-256: expected {expected}, got {got}"));
    assert!(!error.is_unreachable());
    assert!(all_files(directory.path()).is_empty());
    server.state().files.insert(format!("{MODEL}/{WEIGHTS}"), right);
    weights().fetch(&server.cache(directory.path()), &silent).unwrap();
}

#[test]
fn a_dropped_connection_is_taken_up_again() {
    let (server, directory) = (Server::with_model(), tempfile::tempdir().unwrap());
    server.state().faults = Faults { breaks: 2, after: 20_000, ..Faults::default() };
    let files = weights().fetch(&server.cache(directory.path()), &silent).unwrap();
    assert_eq!(fs::read(files.path(WEIGHTS).unwrap()).unwrap(), model()[WEIGHTS]);
    assert_eq!(server.starts(), [0, 20_000, 40_000]);
}

/// Breaks off a download for good, 4000 bytes further at each attempt.
fn interrupted(server: &Server, directory: &Path) {
    server.state().faults = Faults { breaks: 5, after: 4000, ..Faults::default() };
    let error = weights().fetch(&server.cache(directory), &silent).unwrap_err();
    assert!(matches!(error, SourceError::Hub { .. }) && error.is_unreachable(), "{error:?}");
    assert_eq!(server.starts(), [0, 4000, 8000, 12_000, 16_000]);
    let files = all_files(directory);
    assert!(files.iter().all(|path| path.to_string_lossy().contains(".partial/")), "nothing is in place: {files:?}");
    server.state().requests.clear();
}

#[test]
fn an_interrupted_download_is_resumed_by_the_next_run() {
    let (server, directory) = (Server::with_model(), tempfile::tempdir().unwrap());
    interrupted(&server, directory.path());
    let files = weights().fetch(&server.cache(directory.path()), &silent).unwrap();
    assert_eq!(fs::read(files.path(WEIGHTS).unwrap()).unwrap(), model()[WEIGHTS]);
    assert_eq!(server.starts(), [20_000]);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "the entry and its lock");
}

#[test]
fn a_silent_server_is_given_up() {
    let (server, directory) = (Server::with_model(), tempfile::tempdir().unwrap());
    server.state().faults = Faults { breaks: 1, after: 20_000, stalls: true, ..Faults::default() };
    let hasty = Remote { patience: Duration::from_millis(500), ..server.remote() };
    let error = weights().fetch(&Cache::new(directory.path(), hasty), &silent).unwrap_err();
    let expected = format!("cannot download {WEIGHTS} of {MODEL}: {} has sent nothing for 0.5 s", server.endpoint);
    assert_eq!(error.to_string(), expected);
    assert!(error.is_unreachable());
    let part = all_files(directory.path()).into_iter().find(|path| path.extension().is_some_and(|kind| kind == "part"));
    assert_eq!(fs::metadata(part.unwrap()).unwrap().len(), 20_000, "kept for the next run");
}

#[test]
fn a_server_that_cannot_resume_sends_it_again() {
    let (server, directory) = (Server::with_model(), tempfile::tempdir().unwrap());
    interrupted(&server, directory.path());
    server.state().faults.ignores_ranges = true;
    let files = weights().fetch(&server.cache(directory.path()), &silent).unwrap();
    assert_eq!(fs::read(files.path(WEIGHTS).unwrap()).unwrap(), model()[WEIGHTS]);
    assert_eq!(server.starts(), [20_000, 0]);
}

/// As when a process dies between the last byte and the renaming; or with rubbish instead of the part.
#[test]
fn a_part_as_long_as_the_file_is_not_trusted() {
    let (server, directory) = (Server::with_model(), tempfile::tempdir().unwrap());
    interrupted(&server, directory.path());
    let parts: Vec<_> = all_files(directory.path());
    let part = parts.iter().find(|path| path.extension().is_some_and(|kind| kind == "part")).unwrap();
    fs::write(part, vec![0; model()[WEIGHTS].len()]).unwrap();
    let files = weights().fetch(&server.cache(directory.path()), &silent).unwrap();
    assert_eq!(fs::read(files.path(WEIGHTS).unwrap()).unwrap(), model()[WEIGHTS]);
}

#[test]
fn a_damaged_entry_is_not_used() {
    let (server, directory) = (Server::with_model(), tempfile::tempdir().unwrap());
    let path = weights().fetch(&server.cache(directory.path()), &silent).unwrap().path(WEIGHTS).unwrap();
    fs::write(&path, "damaged").unwrap();
    let offline = Remote { offline: true, ..server.remote() };
    let error = weights().fetch(&Cache::new(directory.path(), offline), &silent).unwrap_err();
    assert!(matches!(error, SourceError::Offline { .. }) && error.is_unreachable(), "{error:?}");
    weights().fetch(&server.cache(directory.path()), &silent).unwrap();
    assert_eq!(fs::read(&path).unwrap(), model()[WEIGHTS]);
}

/// Threads lock each other out as processes do: each opens the lock file anew.
#[test]
fn several_at_once_download_once() {
    let (server, directory) = (Server::with_model(), tempfile::tempdir().unwrap());
    let fetch = || weights().fetch(&server.cache(directory.path()), &silent).unwrap();
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..4).map(|_| scope.spawn(fetch)).collect();
        handles.into_iter().for_each(|handle| drop(handle.join().unwrap()));
    });
    assert_eq!(server.starts(), [0]);
}

#[test]
fn no_hub_at_all() {
    let directory = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cache = |endpoint: String| Cache::new(directory.path(), remote(endpoint));
    let error = weights().fetch(&cache(format!("http://{address}")), &silent).unwrap_err();
    assert!(matches!(error, SourceError::Hub { .. }) && error.is_unreachable(), "{error:?}");
    for endpoint in ["huggingface.co", "https://hugging face.co", " https://huggingface.co", "https://", "ftp://x"] {
        let error = weights().fetch(&cache(endpoint.to_owned()), &silent).unwrap_err();
        let expected = format!(
            "HF_ENDPOINT = {endpoint:?} is not allowed: an address without blanks, as https://huggingface.co, is needed"
        );
        assert_eq!(error.to_string(), expected);
        assert!(!error.is_unreachable());
    }
}

#[test]
fn what_the_hub_does_not_let_everybody_have() {
    let (server, directory) = (Server::with_model(), tempfile::tempdir().unwrap());
    for (status, token, advice) in [
        (401, None, "set HF_TOKEN to a token that may read it"),
        (403, Some("secret"), "the token in HF_TOKEN may not"),
    ] {
        server.state().faults.refuses = Some(status);
        let remote = Remote { token: token.map(str::to_owned), ..server.remote() };
        let error = weights().fetch(&Cache::new(directory.path(), remote), &silent).unwrap_err();
        let start = format!("{} refuses {WEIGHTS} of {MODEL} ({status}): {advice}", server.endpoint);
        assert!(error.to_string().starts_with(&start) && error.is_unreachable(), "{error}");
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let (server, directory) = (Server::start(), tempfile::tempdir().unwrap());
    for (repository, file) in
        [("../x", "a"), ("a/b", "../a"), ("a/b", "/etc/x"), ("a/b?c", "d"), ("", "a"), ("a/b", "SHA256SUMS")]
    {
        let source = hub(repository, RepoType::Model, BTreeMap::from([(file.to_owned(), Sha256::of(b""))]));
        let result = source.fetch(&server.cache(directory.path()), &silent);
        assert!(matches!(result, Err(SourceError::BadName { .. })), "{repository} {file}: {result:?}");
    }
    let none = hub("a/b", RepoType::Model, BTreeMap::new()).fetch(&server.cache(directory.path()), &silent);
    assert!(matches!(none, Err(SourceError::BadName { .. })), "{none:?}");
    assert_eq!(server.requests(), [""; 0]);
}

/// A file may grow to 16 KiB only, as if the disk were full then: run in a process of its own.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_nothing_in_place() {
    let (server, directory) = (Server::with_model(), tempfile::tempdir().unwrap());
    let limited = "trap '' XFSZ; ulimit -f 32 && exec \"$0\" --exact hub::in_a_process_with_a_full_disk --ignored";
    let output = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .env("ENDPOINT", &server.endpoint)
        .env("CACHE", directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    let files = all_files(directory.path());
    assert!(files.iter().all(|path| path.to_string_lossy().contains(".partial/")), "nothing is in place: {files:?}");
    weights().fetch(&server.cache(directory.path()), &silent).unwrap();
}

#[test]
#[ignore = "started by a_full_disk_leaves_nothing_in_place"]
fn in_a_process_with_a_full_disk() {
    let endpoint = std::env::var("ENDPOINT").unwrap();
    let cache = Cache::new(std::env::var_os("CACHE").unwrap(), remote(endpoint));
    let error = weights().fetch(&cache, &silent).unwrap_err();
    assert!(matches!(error, SourceError::Io { .. }) && !error.is_unreachable(), "{error:?}");
}
