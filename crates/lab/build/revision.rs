//! The git revision of the code that is being compiled. Shared by the build script and a test of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What git says about the workspace.
#[derive(Debug)]
pub struct Revision {
    /// The commit, or why it is unknown.
    pub commit: Result<String, String>,
    /// Whether the code differs from the commit, new files too; `None` if unknown.
    pub dirty: Option<bool>,
    /// Files and directories that change when the commit or the code does.
    pub watched: Vec<PathBuf>,
}

impl Revision {
    /// Of the workspace at `root`. A repository around it that does not track it says nothing about it.
    pub fn of(root: &Path) -> Self {
        let code = code(root);
        let commit = tracked_commit(root);
        let dirty = commit.as_ref().ok().and_then(|_| {
            let status = ["status", "--porcelain", "--untracked-files=normal", "--"];
            let paths: Vec<&str> = code.iter().filter_map(|path| path.to_str()).collect();
            git(root, &[&status[..], &paths].concat()).ok().map(|changes| !changes.is_empty())
        });
        let watched = if commit.is_ok() { state(root) } else { Vec::new() };
        Self { commit, dirty, watched: [code, watched].concat() }
    }
}

/// What is compiled into the programs: tests, scripts and documents are not.
fn code(root: &Path) -> Vec<PathBuf> {
    let crates = fs::read_dir(root.join("crates")).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = crates
        .flat_map(|entry| ["src", "build.rs", "build", "Cargo.toml"].map(|name| entry.path().join(name)))
        .chain(["Cargo.toml", "Cargo.lock", "experiments/reference.csv"].map(|name| root.join(name)))
        .filter(|path| path.exists())
        .collect();
    paths.sort();
    paths
}

fn tracked_commit(root: &Path) -> Result<String, String> {
    git(root, &["rev-parse", "--is-inside-work-tree"])?;
    git(root, &["ls-files", "--error-unmatch", "--", "Cargo.toml"])
        .map_err(|_| "no git repository tracks its source".to_owned())?;
    git(root, &["rev-parse", "HEAD"])
}

/// Git's files that change when the commit does, in a worktree as in a clone: the branch may be loose or packed, so its
/// reflog is among them. A path that is not there would make cargo compile each time.
fn state(root: &Path) -> Vec<PathBuf> {
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]).ok();
    let names = ["HEAD", "logs/HEAD", "packed-refs", "reftable"].into_iter().chain(branch.as_deref());
    let paths = names.filter_map(|name| git(root, &["rev-parse", "--git-path", name]).ok());
    paths.map(|path| root.join(path)).filter(|path| path.exists()).collect()
}

/// What a git command says about the repository of `root`, or its reason.
fn git(root: &Path, arguments: &[&str]) -> Result<String, String> {
    // Whoever compiles a checkout of another user runs its code already, so asking git about it adds no risk.
    let trust = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "--no-optional-locks"];
    let mut command = Command::new("git");
    command.current_dir(root).args(trust).args(arguments);
    // A git hook that compiles sets these to its own repository.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"] {
        command.env_remove(variable);
    }
    let output = command.output().map_err(|error| format!("git does not start: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr).lines().next().unwrap_or("git failed").to_owned()),
    }
}
