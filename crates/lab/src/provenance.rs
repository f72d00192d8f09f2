//! Provenance: what a result was made with, written beside it as `NAME.meta.toml`.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::seal::Seals;

/// Name and version of the workspace's crates and of what they depend on, from `Cargo.lock`.
const CRATES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/crates.rs"));

/// What is the same for every experiment of one process: machine and code. Taken before anything is written.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Of the code that was compiled.
    pub git_revision: &'static str,
    /// Whether that code differed from the revision; left out if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_dirty: Option<bool>,
    /// Model of the processor.
    pub cpu: String,
    /// Cores the system shows.
    pub logical_cores: usize,
    /// Threads in use.
    pub threads: usize,
    /// What the program was compiled for.
    pub target: &'static str,
    /// Version of the compiler.
    pub rustc: &'static str,
}

impl Machine {
    /// Looks around. What cannot be found out is "unknown", or left out.
    pub fn survey(threads: usize) -> Self {
        Self {
            git_revision: option_env!("LAB_GIT_REVISION").unwrap_or("unknown"),
            git_dirty: option_env!("LAB_GIT_DIRTY").map(|dirty| dirty == "true"),
            cpu: cpu().unwrap_or_else(|| "unknown".into()),
            logical_cores: std::thread::available_parallelism().map_or(1, usize::from),
            threads,
            target: env!("LAB_TARGET"),
            rustc: env!("LAB_RUSTC"),
        }
    }
}

/// Why nobody knows which revision was compiled, if nobody does.
pub(crate) const REVISION_UNKNOWN: Option<&str> = option_env!("LAB_GIT_UNKNOWN");

fn cpu() -> Option<String> {
    match std::fs::read_to_string("/proc/cpuinfo") {
        Ok(text) => {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        }
        Err(_) => {
            let output = Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"]).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
    }
}

/// The content of `NAME.meta.toml`.
#[derive(Debug, Serialize)]
pub(crate) struct Meta<'a, S> {
    pub(crate) experiment: &'static str,
    pub(crate) profile: &'a str,
    pub(crate) config: String,
    /// Command line overrides, as typed.
    pub(crate) overrides: &'a [String],
    /// UTC.
    pub(crate) started: String,
    pub(crate) run: Run,
    pub(crate) tables: Seals,
    pub(crate) machine: &'a Machine,
    /// Hashes of what was gathered: models, data.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) inputs: BTreeMap<String, String>,
    /// As resolved: the seed is among them.
    pub(crate) settings: &'a S,
    pub(crate) crates: BTreeMap<&'static str, &'static str>,
}

/// What the run did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    pub(crate) wall_seconds: f64,
    pub(crate) trials_run: usize,
    pub(crate) trials_reused: usize,
    pub(crate) trials_failed: usize,
    /// Of all finished trials, reused ones with the seconds of their own run.
    pub(crate) trial_seconds: f64,
    /// Label and reason.
    pub(crate) failures: Vec<String>,
}

/// The crates of [`Meta`].
pub(crate) fn crates() -> BTreeMap<&'static str, &'static str> {
    CRATES.iter().copied().collect()
}

/// Now, as RFC 3339 in UTC.
pub fn now() -> String {
    timestamp(SystemTime::now())
}

/// `time` as RFC 3339 in UTC, or that it is outside the years that this form has: a machine's clock may be far off.
fn timestamp(time: SystemTime) -> String {
    /// 9999-12-31T23:59:59Z.
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) if since.as_secs() <= LAST.as_secs() => humantime::format_rfc3339_seconds(time).to_string(),
        Ok(_) => "after the year 9999".into(),
        Err(_) => "before the year 1970".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_was_read() {
        let crates = crates();
        assert_eq!(crates.get("lab"), Some(&env!("CARGO_PKG_VERSION")));
        assert!(crates.contains_key("rayon") && crates.contains_key("serde"), "{crates:?}");
        assert!(!env!("LAB_RUSTC").is_empty());
    }

    #[test]
    fn now_is_rfc_3339() {
        let now = now();
        assert!(now.ends_with('Z') && now.as_bytes()[10] == b'T' && now.len() == 20, "{now}");
    }

    #[test]
    fn every_clock_has_a_timestamp() {
        let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
        let second = Duration::from_secs(1);
        for (time, text) in [
            (UNIX_EPOCH, "1970-01-01T00:00:00Z"),
            (last + Duration::from_millis(999), "9999-12-31T23:59:59Z"),
            (last + second, "after the year 9999"),
            (UNIX_EPOCH + Duration::from_secs(i64::MAX as u64), "after the year 9999"),
            (UNIX_EPOCH - Duration::from_nanos(1), "before the year 1970"),
            (UNIX_EPOCH - Duration::from_secs(i64::MAX as u64), "before the year 1970"),
        ] {
            assert_eq!(timestamp(time), text);
        }
    }
}
