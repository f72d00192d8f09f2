//! `NAME.meta.toml`.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::place::*;
use crate::revision::Revision;

#[test]
fn provenance_says_what_it_was_made_with() {
    let place = Place::new();
    let arguments = ["--seed", "7", "--set", "start.scale=3", "--threads", "1", "--profile", "smoke"];
    // Another repository, which the code is not from.
    git(&place.path("."), &["init", "--quiet"]);
    commit(&place.path("."));
    let ran = place.run(&arguments);
    assert_eq!(ran.code, Some(0));
    let meta: toml::Table = place.read("results/smoke/toy-decay.meta.toml").parse().unwrap();
    let text = |section: &str, key: &str| meta[section][key].as_str().unwrap().to_owned();
    assert_eq!(meta["experiment"].as_str(), Some("toy-decay"));
    assert_eq!(meta["profile"].as_str(), Some("smoke"));
    let overrides: Vec<_> = meta["overrides"].as_array().unwrap().iter().map(|o| o.as_str().unwrap()).collect();
    assert_eq!(overrides, ["--seed 7", "--set start.scale=3"]);
    assert_eq!(meta["settings"]["seed"].as_integer(), Some(7));
    assert_eq!(meta["settings"]["start"]["scale"].as_float(), Some(3.0));
    assert_eq!(meta["settings"]["trials"].as_integer(), Some(1));
    assert_eq!(meta["run"]["trials_run"].as_integer(), Some(3));
    assert_eq!(meta["machine"]["threads"].as_integer(), Some(1));
    // The code was compiled just now, before this test, which therefore knows its revision.
    let Revision { commit, dirty, .. } = Revision::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let warnings = ran.stderr.matches(REVISION_UNKNOWN).count();
    assert_eq!(warnings, usize::from(commit.is_err()), "{}", ran.stderr);
    assert_eq!(text("machine", "git_revision"), commit.unwrap_or("unknown".into()));
    assert_eq!(meta["machine"].get("git_dirty").map(|dirty| dirty.as_bool().unwrap()), dirty);
    let bytes = place.read("results/smoke/toy-decay.csv");
    assert_eq!(meta["tables"]["toy-decay.csv"]["rows"].as_integer(), Some(3));
    assert_eq!(meta["tables"]["toy-decay.csv"]["blake3"].as_str(), Some(&*blake3::hash(bytes.as_bytes()).to_hex()));
    assert_eq!(meta["tables"].as_table().unwrap().len(), 2, "the claims are made from the tables");
    assert!(!text("machine", "cpu").is_empty());
    assert_eq!(text("crates", "lab"), env!("CARGO_PKG_VERSION"));
    assert!(meta["started"].as_str().unwrap().ends_with('Z'));
}

/// Runs git in `directory`, apart from the configuration of whoever runs the tests.
fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(directory).args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"]);
    git.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = git.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Commits everything in `directory` and returns the commit.
fn commit(directory: &Path) -> String {
    git(directory, &["add", "--all"]);
    git(directory, &["commit", "--quiet", "--allow-empty", "--message", "x"]);
    git(directory, &["rev-parse", "HEAD"])
}

/// A workspace of one crate.
fn workspace(root: &Path) {
    fs::create_dir_all(root.join("crates/a/src")).unwrap();
    fs::create_dir_all(root.join("crates/a/tests")).unwrap();
    for file in
        ["Cargo.toml", "Cargo.lock", "README.md", "crates/a/Cargo.toml", "crates/a/src/lib.rs", "crates/a/tests/all.rs"]
    {
        fs::write(root.join(file), file).unwrap();
    }
}

/// Content of what is watched, directories left out.
fn watched(root: &Path) -> Vec<Option<Vec<u8>>> {
    let paths = Revision::of(root).watched;
    assert!(paths.iter().all(|path| path.exists()), "cargo compiles each time for a path that is not there");
    paths.iter().map(|path| fs::read(path).ok()).collect()
}

#[test]
fn the_revision_is_that_of_the_code() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("original");
    workspace(&root);
    let unknown = |root: &Path| Revision::of(root).commit.unwrap_err();
    assert!(unknown(&root).contains("not a git repository"), "{}", unknown(&root));
    // A repository around it that does not have its source.
    git(directory.path(), &["init", "--quiet"]);
    git(directory.path(), &["commit", "--quiet", "--allow-empty", "--message", "x"]);
    assert_eq!(unknown(&root), "no git repository tracks its source");
    fs::remove_dir_all(directory.path().join(".git")).unwrap();
    git(&root, &["init", "--quiet"]);
    git(&root, &["add", "--all"]);
    assert!(unknown(&root).contains("HEAD"), "there is no commit: {}", unknown(&root));
    let first = commit(&root);

    let (clone, worktree, detached) =
        (directory.path().join("clone"), directory.path().join("worktree"), directory.path().join("detached"));
    git(directory.path(), &["clone", "--quiet", "original", "clone"]);
    git(&clone, &["pack-refs", "--all"]);
    git(&root, &["worktree", "add", "--quiet", "../worktree"]);
    git(&root, &["worktree", "add", "--quiet", "--detach", "../detached"]);
    for (root, file) in [
        (&root, "crates/a/src/new.rs"),
        (&clone, "crates/a/src/lib.rs"),
        (&worktree, "Cargo.lock"),
        (&detached, "crates/a/Cargo.toml"),
    ] {
        let name = root.display();
        let found = || Revision::of(root);
        assert_eq!((found().commit.unwrap(), found().dirty), (first.clone(), Some(false)), "{name}");
        // What is not compiled does not count.
        fs::write(root.join("README.md"), "changed").unwrap();
        fs::write(root.join("crates/a/tests/all.rs"), "changed").unwrap();
        assert_eq!(found().dirty, Some(false), "{name}");
        fs::write(root.join(file), "changed").unwrap();
        assert_eq!(found().dirty, Some(true), "{name}: {file}");
        let before = watched(root);
        let second = commit(root);
        assert_eq!((found().commit.unwrap(), found().dirty), (second, Some(false)), "{name}");
        assert_ne!(watched(root), before, "{name}: cargo must notice a commit");
    }
}

/// Git refuses a checkout of another user, unless it is told that it is trusted.
#[cfg(unix)]
#[test]
fn the_revision_of_another_users_checkout_is_known() {
    use std::os::unix::fs::{MetadataExt, chown};

    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("theirs");
    workspace(&root);
    git(&root, &["init", "--quiet"]);
    let first = commit(&root);
    // Only root can give something away.
    if fs::metadata(&root).unwrap().uid() == 0 {
        for path in [root.join(".git"), root.clone()] {
            chown(path, Some(65_534), Some(65_534)).unwrap();
        }
        let mut plain = Command::new("git");
        plain.current_dir(&root).args(["rev-parse", "HEAD"]).env("GIT_CONFIG_GLOBAL", "/dev/null");
        assert!(!plain.output().unwrap().status.success(), "git must refuse, or this tests nothing");
    }
    let Revision { commit, dirty, .. } = Revision::of(&root);
    assert_eq!((commit, dirty), (Ok(first), Some(false)));
}
