//! One file of a package on PyPI (or wherever pip is configured to look), downloaded by pip and verified here.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use super::error::io_error;
use super::{Progress, Sha256, SourceError, archive, cache, excerpt, name};

/// What an sdist's own code, which pip runs to learn its metadata, is run with: an old one imports `pkg_resources`, which is
/// not in setuptools from version 81 on.
const BUILD: &str = "setuptools<81\n";

/// A wheel or an sdist.
pub(super) struct Distribution<'a> {
    pub(super) package: &'a str,
    pub(super) version: &'a str,
    /// The wheel (`.whl`) or sdist (`.tar.gz`).
    pub(super) file: &'a str,
    /// The digest of that file.
    pub(super) sha256: Sha256,
}

impl Distribution<'_> {
    /// Refuses names that would mean something else to pip.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        name::word("package", self.package)?;
        name::word("version", self.version)?;
        name::word("file", self.file)?;
        if archive::is_zip(self.file) || self.file.ends_with(".tar.gz") {
            return Ok(());
        }
        let allowed = "a wheel (.whl) or an sdist (.tar.gz)";
        Err(SourceError::BadName { what: "file", name: excerpt(self.file), allowed })
    }

    /// Downloads it into a directory below `work`, and verifies it.
    pub(super) fn get(&self, python: &Path, work: &Path, progress: &dyn Progress) -> Result<PathBuf, SourceError> {
        let downloads = work.join("downloads");
        // What a killed process left: pip cannot resume it.
        cache::remove(&downloads)?;
        fs::create_dir_all(&downloads).map_err(io_error("create", &downloads))?;
        self.download(python, work, &downloads, progress)?;
        let archive = downloads.join(self.file);
        if !archive.is_file() {
            return Err(SourceError::OtherFile { file: self.file.to_owned(), found: names(&downloads)? });
        }
        let got = Sha256::of_file(&archive).map_err(io_error("read", &archive))?;
        if got == self.sha256 { Ok(archive) } else { Err(self.wrong_hash(got)) }
    }

    fn wrong_hash(&self, got: Sha256) -> SourceError {
        SourceError::WrongHash { file: self.file.to_owned(), expected: self.sha256, got }
    }

    /// Lets pip download the file into `downloads`. pip gets the digest too: to learn an sdist's metadata it runs the
    /// sdist's own code, which must not happen before it is verified.
    fn download(
        &self,
        python: &Path,
        work: &Path,
        downloads: &Path,
        progress: &dyn Progress,
    ) -> Result<(), SourceError> {
        let requirements = work.join("requirements.txt");
        let pinned = format!("{}=={} --hash=sha256:{}\n", self.package, self.version, self.sha256);
        fs::write(&requirements, pinned).map_err(io_error("write", &requirements))?;
        let build = work.join("build.txt");
        fs::write(&build, BUILD).map_err(io_error("write", &build))?;
        let mut command = Command::new(python);
        command
            .args(["-m", "pip", "download", "--no-deps", "--no-input", "--disable-pip-version-check"])
            .arg(if archive::is_zip(self.file) { "--only-binary" } else { "--no-binary" })
            .arg(self.package)
            .arg("--dest")
            .arg(downloads)
            .arg("--requirement")
            .arg(&requirements)
            // Here its progress can be seen, and an interruption leaves nothing elsewhere.
            .env("TMPDIR", downloads)
            // For the build of an sdist's metadata; before pip 25.3 the second one had that use too.
            .env("PIP_BUILD_CONSTRAINT", &build)
            .env("PIP_CONSTRAINT", &build)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // Kept in memory: a file could lie on the very disk that is full.
            .stderr(Stdio::piped());
        let (status, stderr) = self.run(command, python, downloads, progress)?;
        if status.success() {
            return Ok(());
        }
        Err(self.pip_error(status, &String::from_utf8_lossy(&stderr), work))
    }

    /// Runs pip to its end, reporting how much it has put into `downloads`: how it ended, and what it wrote.
    fn run(
        &self,
        mut command: Command,
        python: &Path,
        downloads: &Path,
        progress: &dyn Progress,
    ) -> Result<(ExitStatus, Vec<u8>), SourceError> {
        let no_python =
            |source| SourceError::NoPython { python: python.to_owned(), package: self.package.to_owned(), source };
        let mut child = command.spawn().map_err(no_python)?;
        let stderr = child.stderr.take();
        let reader = thread::spawn(move || {
            let mut text = Vec::new();
            // What could not be read is missing from a message, no more.
            let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut text));
            text
        });
        loop {
            if let Some(status) = child.try_wait().map_err(io_error("wait for", python))? {
                return Ok((status, reader.join().unwrap_or_default()));
            }
            progress.report(self.file, size(downloads), None);
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What pip's failure means. Of a wrong hash it writes a line `Got` with the digest.
    fn pip_error(&self, status: ExitStatus, stderr: &str, work: &Path) -> SourceError {
        let got = stderr.lines().find_map(|line| line.trim().strip_prefix("Got ")?.trim().parse().ok());
        if let Some(got) = got {
            return self.wrong_hash(got);
        }
        if let Some(full) = full_disk(stderr, work) {
            return io_error("write below", work)(full);
        }
        let lines: Vec<String> = stderr.lines().map(excerpt).filter(|line| !line.trim().is_empty()).collect();
        let said = (!lines.is_empty()).then(|| lines[lines.len().saturating_sub(20)..].join("\n"));
        SourceError::Pip { package: self.package.to_owned(), version: self.version.to_owned(), status, said }
    }
}

/// Whether pip failed for want of space: by what it said or, since it may have died before it could, by trying to write.
fn full_disk(stderr: &str, work: &Path) -> Option<io::Error> {
    use io::ErrorKind::*;
    let said = [("Errno 28]", StorageFull), ("Errno 122]", QuotaExceeded), ("Errno 27]", FileTooLarge)];
    let kind = said.into_iter().find(|(text, _)| stderr.contains(text)).map(|(_, kind)| kind.into());
    kind.or_else(|| stderr.trim().is_empty().then(|| fs::write(work.join("probe"), [0; 1 << 16]).err()).flatten())
}

/// The names in a directory, for a message.
fn names(directory: &Path) -> Result<String, SourceError> {
    let entries = fs::read_dir(directory).map_err(io_error("read", directory))?;
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    Ok(if names.is_empty() { "nothing".to_owned() } else { names.join(", ") })
}

/// Bytes of all files below `directory`. Files may vanish meanwhile: they then count as empty.
fn size(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    let size_of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size_of).sum()
}
