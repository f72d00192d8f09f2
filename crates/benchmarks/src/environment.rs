//! The peers' own Python environment: made once, from pinned versions, and known by them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use lab::{BadInput, files};

/// In the environment's directory: what it was made from, written when it is complete.
const MARKER: &str = "complete";
/// Lines of a failed command's output that are shown.
const LINES_SHOWN: usize = 30;

/// A virtual environment with the packages of a requirements file.
#[derive(Debug, Clone)]
pub struct Environment {
    python: PathBuf,
}

impl Environment {
    /// The environment in `directory` with the packages in `requirements`; made if it is not there, or was made by another
    /// Python or from other requirements. `python` is the command that makes it; `say` is told before what takes long.
    ///
    /// # Errors
    /// If there is no such Python, or the packages cannot be installed.
    pub fn prepare(directory: &Path, requirements: &Path, python: &str, say: &mut dyn FnMut(&str)) -> Result<Self> {
        let needed = "the peers need Python 3.11 or later with its module venv: --python COMMAND";
        let missing = |error| BadInput(anyhow!("cannot run {python}: {error}; {needed}"));
        let version = Command::new(python).arg("--version").output().map_err(missing)?;
        let unreadable = || format!("cannot read {}", requirements.display());
        let wanted = fingerprint(&version.stdout, &fs::read_to_string(requirements).with_context(unreadable)?);
        let environment = Self { python: interpreter(directory) };
        let marker = directory.join(MARKER);
        if fs::read_to_string(&marker).is_ok_and(|found| found == wanted) && environment.python.is_file() {
            return Ok(environment);
        }
        say(&format!("installing the peers in {} (a download of some gigabytes, once)", directory.display()));
        let cleared = match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        cleared.with_context(|| format!("cannot clear {}", directory.display()))?;
        run(Command::new(python).args(["-m", "venv"]).arg(directory))?;
        let pip = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--requirement"];
        run(Command::new(&environment.python).args(pip).arg(requirements))?;
        files::write(&marker, wanted.as_bytes())?;
        Ok(environment)
    }

    /// A command that runs Python in the environment.
    pub fn python(&self) -> Command {
        Command::new(&self.python)
    }
}

fn fingerprint(version: &[u8], requirements: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(version).update(b"\0").update(requirements.as_bytes());
    hasher.finalize().to_hex().to_string()
}

fn interpreter(directory: &Path) -> PathBuf {
    if cfg!(windows) { directory.join("Scripts").join("python.exe") } else { directory.join("bin").join("python") }
}

fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}").replace('"', "");
    let output = command.output().with_context(|| format!("cannot run {shown}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = last_lines(&String::from_utf8_lossy(&said));
    bail!("{shown} failed (installing the peers needs the network once):\n{said}")
}

/// The end of what a command said.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_python_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let requirements = directory.path().join("requirements.txt");
        fs::write(&requirements, "").unwrap();
        let make = |python| Environment::prepare(&directory.path().join("e"), &requirements, python, &mut |_| ());
        let error = make("no-such-python").unwrap_err().to_string();
        assert!(error.contains("no-such-python") && error.contains("3.11"), "{error}");
    }

    #[test]
    fn the_fingerprint_follows_python_and_requirements() {
        let all = [fingerprint(b"3.11", "a"), fingerprint(b"3.12", "a"), fingerprint(b"3.11", "b")];
        assert!(all[0] != all[1] && all[0] != all[2] && all[1] != all[2]);
    }
}
