//! Files of a repository on the Hugging Face hub.
//!
//! The crate hf-hub speaks the protocol and resumes interrupted downloads; digests are checked here.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::{panic, thread};

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use serde::{Deserialize, Serialize};

use super::error::io_error;
use super::{Cache, Files, Progress, Remote, Sha256, SourceError, cache, excerpt, name};

/// Times a dropped connection is taken up again before giving up until the next run.
const RETRIES: usize = 3;

/// Files of a repository on the hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hub {
    /// `owner/name`.
    pub repository: String,
    /// A branch, a tag or (better) a commit.
    pub revision: String,
    /// What kind of repository it is.
    #[serde(default)]
    pub repo_type: RepoType,
    /// The files wanted, with their digests.
    pub files: BTreeMap<String, Sha256>,
}

/// The kinds of repository on the hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RepoType {
    /// A model.
    #[default]
    Model,
    /// A data set.
    Dataset,
}

impl From<RepoType> for hf_hub::RepoType {
    fn from(kind: RepoType) -> Self {
        match kind {
            RepoType::Model => Self::Model,
            RepoType::Dataset => Self::Dataset,
        }
    }
}

impl Hub {
    pub(super) fn fetch(&self, cache: &Cache, progress: &dyn Progress) -> Result<Files, SourceError> {
        name::words("repository", &self.repository)?;
        name::words("revision", &self.revision)?;
        name::files(self.files.keys())?;
        let key = cache::key(&self.repository.replace('/', "--"), self);
        cache.entry(&key, |work, files| {
            if cache.remote.offline {
                let cache = cache.directory()?;
                return Err(SourceError::Offline { repository: self.repository.clone(), cache });
            }
            check_endpoint(&cache.remote.endpoint)?;
            self.files.iter().try_for_each(|(file, expected)| {
                let to = files.join(file);
                // One that was completed before an interruption stays.
                if Sha256::of_file(&to).is_ok_and(|found| found == *expected) {
                    return Ok(());
                }
                let hub = work.join("hub");
                let content = self.download(&cache.remote, &hub, file, *expected, progress)?;
                let parent = to.parent().unwrap_or(files);
                fs::create_dir_all(parent).map_err(io_error("create", parent))?;
                fs::rename(content, &to).map_err(io_error("create", &to))?;
                // The next file must not find the links and locks of this one.
                cache::remove(&hub)
            })
        })
    }

    /// Downloads one file to somewhere below `hub` and verifies it. A part left by an interrupted download is taken up;
    /// if that leads to a wrong file (or the hub has none of the rest), it is downloaded again from its start.
    fn download(
        &self,
        remote: &Remote,
        hub: &Path,
        file: &str,
        expected: Sha256,
        progress: &dyn Progress,
    ) -> Result<PathBuf, SourceError> {
        let resuming = hub.exists();
        let result = self.attempt(remote, hub, file, expected, progress);
        let useless = match &result {
            Err(SourceError::WrongHash { .. }) => true,
            Err(SourceError::Hub { source, .. }) => is_beyond_the_end(source),
            _ => false,
        };
        if useless {
            cache::remove(hub)?;
        }
        if useless && resuming { self.download(remote, hub, file, expected, progress) } else { result }
    }

    fn attempt(
        &self,
        remote: &Remote,
        hub: &Path,
        file: &str,
        expected: Sha256,
        progress: &dyn Progress,
    ) -> Result<PathBuf, SourceError> {
        let failed = |error| self.failure(remote, hub, file, error);
        let api = self.api(remote, hub).map_err(failed)?;
        let link = self.watch(api, remote, file, progress)?.map_err(failed)?;
        // hf-hub hands out a link to the content.
        let content = fs::canonicalize(&link).map_err(io_error("find", &link))?;
        let got = Sha256::of_file(&content).map_err(io_error("read", &content))?;
        if got == expected { Ok(content) } else { Err(SourceError::WrongHash { file: file.to_owned(), expected, got }) }
    }

    /// hf-hub waits for a silent server without end: so it works in a thread of its own, which is left behind then.
    fn watch(
        &self,
        api: ApiRepo,
        remote: &Remote,
        file: &str,
        progress: &dyn Progress,
    ) -> Result<Result<PathBuf, ApiError>, SourceError> {
        let (sender, events) = mpsc::channel();
        let (report, name) = (Report { events: sender.clone(), done: 0, total: 0 }, file.to_owned());
        let download = thread::spawn(move || {
            let link = api.download_with_progress(&name, report);
            // Fails if it was given up, and then nobody wants the file.
            let _ = sender.send(Event::Ended(link));
        });
        loop {
            match events.recv_timeout(remote.patience) {
                Ok(Event::Received { done, total }) => progress.report(file, done, Some(total)),
                Ok(Event::Ended(link)) => return Ok(link),
                Err(RecvTimeoutError::Timeout) => return Err(self.silent(remote, file)),
                Err(RecvTimeoutError::Disconnected) => {
                    let panic = download.join().expect_err("it ends with an event unless it panics");
                    panic::resume_unwind(panic)
                }
            }
        }
    }

    fn silent(&self, remote: &Remote, file: &str) -> SourceError {
        SourceError::Silent {
            endpoint: remote.endpoint.clone(),
            file: file.to_owned(),
            repository: self.repository.clone(),
            waited: remote.patience,
        }
    }

    fn api(&self, remote: &Remote, hub: &Path) -> Result<ApiRepo, ApiError> {
        fs::create_dir_all(hub)?;
        let api = ApiBuilder::from_cache(hf_hub::Cache::new(hub.canonicalize()?))
            .with_endpoint(remote.endpoint.trim_end_matches('/').to_owned())
            .with_token(remote.token.clone())
            .with_retries(RETRIES)
            .with_progress(false)
            .build()?;
        let (kind, revision) = (self.repo_type.into(), self.revision.clone());
        Ok(api.repo(hf_hub::Repo::with_revision(self.repository.clone(), kind, revision)))
    }

    fn failure(&self, remote: &Remote, hub: &Path, file: &str, error: ApiError) -> SourceError {
        let (endpoint, file, repository) = (remote.endpoint.clone(), file.to_owned(), self.repository.clone());
        let error = root(error);
        let code = if let ApiError::RequestError(error) = &error { status(error) } else { None };
        match (error, code) {
            (_, Some(404)) => SourceError::NotOnHub { endpoint, file, repository, revision: self.revision.clone() },
            (_, Some(status @ (401 | 403))) => {
                SourceError::Refused { endpoint, file, repository, status, has_token: remote.token.is_some() }
            }
            (ApiError::IoError(source), _) if is_local(&source) => io_error("write below", hub)(source),
            (error, _) => SourceError::Hub { endpoint, file, repository, source: Box::new(error) },
        }
    }
}

/// Refuses an address that is none, which hf-hub would call a file that cannot be downloaded.
fn check_endpoint(endpoint: &str) -> Result<(), SourceError> {
    let host = ["https://", "http://"].into_iter().find_map(|scheme| endpoint.strip_prefix(scheme));
    if host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace)) {
        return Ok(());
    }
    Err(SourceError::BadEndpoint { endpoint: excerpt(endpoint) })
}

/// The error that the last retry met.
fn root(error: ApiError) -> ApiError {
    match error {
        ApiError::TooManyRetries(inner) => root(*inner),
        error => error,
    }
}

fn status(error: &ureq::Error) -> Option<u16> {
    match error {
        ureq::Error::StatusCode(code) => Some(*code),
        _ => None,
    }
}

/// Whether the hub says that there is nothing beyond the part that is here.
fn is_beyond_the_end(error: &ApiError) -> bool {
    matches!(error, ApiError::InvalidResume)
        || matches!(error, ApiError::RequestError(error) if status(error) == Some(416))
}

/// Whether the local disk, not the network, is what failed.
fn is_local(error: &io::Error) -> bool {
    use ErrorKind::*;
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge | PermissionDenied | ReadOnlyFilesystem)
}

/// What the thread that downloads has to say.
enum Event {
    Received { done: u64, total: u64 },
    Ended(Result<PathBuf, ApiError>),
}

/// Passes hf-hub's progress on.
struct Report {
    events: Sender<Event>,
    done: u64,
    total: u64,
}

impl hf_hub::api::Progress for Report {
    fn init(&mut self, size: usize, _filename: &str) {
        (self.done, self.total) = (0, size as u64);
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        // Fails if the download was given up.
        let _ = self.events.send(Event::Received { done: self.done, total: self.total });
    }

    fn finish(&mut self) {}
}
