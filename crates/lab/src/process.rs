//! This process among others, on this machine or on another that shares its files.

use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// Which process, on which machine, of which code: enough to tell whether it lives still, if it is on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Name of the machine, for people.
    pub(crate) host: String,
    /// A machine since its last start, or a container on it: processes of two such have numbers of their own.
    pub(crate) machine: String,
    pub(crate) number: u32,
    /// When it started, in the system's own count; empty where that is not known. Numbers are given again.
    pub(crate) started: String,
    /// Of its code.
    pub(crate) revision: String,
}

static THIS: LazyLock<Process> = LazyLock::new(|| {
    let number = std::process::id();
    let host = host();
    let [boot, space] = [read("/proc/sys/kernel/random/boot_id"), process_numbers()];
    let machine = blake3::hash(format!("{host}\n{boot}\n{space}").as_bytes()).to_hex()[..12].to_owned();
    let dirty = if option_env!("LAB_GIT_DIRTY") == Some("true") { ", changed" } else { "" };
    let revision = format!("{}{dirty}", option_env!("LAB_GIT_REVISION").unwrap_or("unknown"));
    Process { host, machine, number, started: started(number).unwrap_or_default(), revision }
});

/// This process.
pub(crate) fn this() -> &'static Process {
    &THIS
}

/// For the names of files that nobody else makes: other at each call.
pub(crate) fn unique() -> String {
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    format!("{}-{}-{}", THIS.machine, THIS.number, SERIAL.fetch_add(1, Ordering::Relaxed))
}

/// Whether a process was on this machine and is no more. `false` if that cannot be known from here.
pub(crate) fn is_dead(process: &Process) -> bool {
    process.machine == THIS.machine && !is_alive(process.number, &process.started)
}

/// The same for what [`unique`] gave.
pub(crate) fn is_dead_by_name(unique: &str) -> bool {
    let mut parts = unique.split('-');
    let here = parts.next() == Some(&THIS.machine);
    let number = parts.next().and_then(|number| number.parse().ok());
    here && number.is_some_and(|number| !is_alive(number, ""))
}

/// Whether there is a process of this number, and if it is known when it started, the same one.
fn is_alive(number: u32, since: &str) -> bool {
    if number == std::process::id() {
        return since.is_empty() || since == THIS.started;
    }
    if THIS.started.is_empty() {
        // The system does not show processes: not even this one.
        return true;
    }
    match started(number) {
        Some(now) => since.is_empty() || since == now,
        None => false,
    }
}

/// When the process started; `None` if there is none, or only what its parent has not yet asked for.
#[cfg(target_os = "linux")]
fn started(number: u32) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // The program's name is in parentheses, and may have any character.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18).map(str::to_owned)).flatten()
}

#[cfg(not(target_os = "linux"))]
fn started(number: u32) -> Option<String> {
    let mut command = Command::new("ps");
    // The same text from every shell.
    command.args(["-o", "lstart=", "-p", &number.to_string()]).env("LC_ALL", "C").env("TZ", "UTC");
    let output = command.output();
    match output {
        Ok(output) if output.status.success() => Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(_) => None,
        // Nothing to be known: as if alive.
        Err(_) => Some(String::new()),
    }
}

fn host() -> String {
    let asked = || {
        let output = Command::new("hostname").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let known = Some(read("/proc/sys/kernel/hostname")).filter(|name| !name.is_empty());
    known.or_else(asked).filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

/// What tells apart containers that count processes from 1.
fn process_numbers() -> String {
    std::fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}", self.number, self.host)
    }
}

/// Warns of a process that works with other code, once for each.
pub(crate) fn warn_of_other_code(other: &Process) {
    use std::collections::HashSet;
    use std::sync::{Mutex, PoisonError};

    static WARNED: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    if other.revision == THIS.revision {
        return;
    }
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.get_or_insert_default().insert(other.revision.clone()) {
        tracing::warn!(
            "{other} works on this store with revision {} of the program, this process with {}: they share trials as \
             long as the experiment's version is the same; stop one of them if the code that makes numbers differs",
            other.revision,
            THIS.revision
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_an_ended_one_does_not() {
        assert!(!is_dead(this()) && !is_dead_by_name(&unique()));
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let number = child.id();
        let other = Process { number, started: started(number).unwrap(), ..this().clone() };
        assert!(!is_dead(&other));
        let earlier = Process { started: "before".into(), ..other.clone() };
        assert!(is_dead(&earlier), "another process of the same number");
        child.kill().unwrap();
        // Ended, and not yet asked for by its parent.
        while !is_dead(&other) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(is_dead(&other) && is_dead_by_name(&format!("{}-{number}", this().machine)));
        let elsewhere = Process { machine: "another".into(), ..other };
        assert!(!is_dead(&elsewhere) && !is_dead_by_name(&format!("another-{number}")));
    }
}
