//! How much memory a trial needs at most, and how much this process may use: compared before anything is allocated, since an
//! allocation that fails ends the process, and with it every experiment that was still to come.

use std::path::Path;

use indicatif::HumanBytes;

use crate::{Kernels, LabError};

/// Gives freed memory back to the system: before a phase whose allocations are of other sizes, so that they do not add up with
/// those of the phase before. glibc keeps what lies between blocks in use; elsewhere this does nothing.
pub fn give_back_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// An estimate of the most that a trial holds at once, in bytes, by the setting that each part of it grows with. What
/// does not fit into 64 bits counts as the largest number that does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    parts: Vec<(String, u64)>,
}

impl Memory {
    /// With so many numbers of `bytes` bytes each more, as many as the product of `counts`, because of the setting `key`:
    /// `and("problem.size", 8, &[3, size, size])` for three square matrices.
    pub fn and(mut self, key: impl Into<String>, bytes: usize, counts: &[usize]) -> Self {
        let product = counts.iter().fold(bytes as u64, |product, &count| product.saturating_mul(count as u64));
        self.parts.push((key.into(), product));
        self
    }

    /// The same, of a table of settings within another: its name goes before each key.
    pub fn within(mut self, table: &str) -> Self {
        self.parts.iter_mut().for_each(|(key, _)| *key = format!("{table}.{key}"));
        self
    }

    /// All of it, in bytes; 0 if it is not known.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }

    /// The settings to blame: the one with the largest part, and those with at least a quarter of it.
    fn keys(&self) -> String {
        let largest = self.parts.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
        let mut keys: Vec<&str> = Vec::new();
        for (key, bytes) in &self.parts {
            if *bytes >= largest / 4 && !keys.contains(&key.as_str()) {
                keys.push(key);
            }
        }
        keys.join(", ")
    }
}

/// What a trial that is to be run needs.
pub(crate) struct Need<'a> {
    pub(crate) label: &'a str,
    pub(crate) kernels: Kernels,
    pub(crate) memory: Memory,
}

/// Refuses trials that need more memory than the process may use: each alone, and those that run side by side together.
///
/// # Errors
/// [`LabError::Memory`].
pub(crate) fn check(experiment: &'static str, needs: &[Need<'_>], threads: usize) -> Result<(), LabError> {
    match Limit::of_this_process() {
        Some(limit) => check_against(&limit, experiment, needs, threads),
        None => Ok(()),
    }
}

fn check_against(limit: &Limit, experiment: &'static str, needs: &[Need<'_>], threads: usize) -> Result<(), LabError> {
    let Some(largest) = needs.iter().max_by_key(|need| need.memory.bytes()) else { return Ok(()) };
    let refused = |who: String, bytes: u64, remedy: &'static str| LabError::Memory {
        experiment,
        who: who.into(),
        needed: HumanBytes(bytes).to_string().into(),
        keys: largest.memory.keys().into(),
        limit: limit.to_string().into(),
        remedy,
    };
    let alone = largest.memory.bytes();
    if alone > limit.bytes {
        return Err(refused(format!("the trial \"{}\" needs", largest.label), alone, "make it smaller"));
    }
    let mut beside: Vec<u64> =
        needs.iter().filter(|need| need.kernels == Kernels::Sequential).map(|need| need.memory.bytes()).collect();
    beside.sort_unstable_by(|a, b| b.cmp(a));
    beside.truncate(threads);
    let together = beside.iter().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
    if together > limit.bytes {
        let who = format!("{} trials side by side need", beside.len());
        return Err(refused(who, together, "pass a smaller --threads"));
    }
    Ok(())
}

/// The memory that this process may still use.
struct Limit {
    bytes: u64,
    /// What sets it.
    origin: &'static str,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", HumanBytes(self.bytes), self.origin)
    }
}

impl Limit {
    /// The tightest of what the machine has free, what the process's group has left (as in a container), and the limit of the
    /// process's address space; `None` where the system does not tell.
    fn of_this_process() -> Option<Self> {
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        let machine = read(Path::new("/proc/meminfo")).as_deref().and_then(free_on_machine).or_else(mac_memory);
        let space = read(Path::new("/proc/self/limits")).zip(read(Path::new("/proc/self/status")));
        let space = space.and_then(|(limits, status)| free_address_space(&limits, &status));
        let group = read(Path::new("/proc/self/cgroup"));
        let group = group.and_then(|text| free_in_group(&text, Path::new("/sys/fs/cgroup")));
        [
            (machine, "what the machine has free"),
            (group, "what its control group may still use"),
            (space, "the limit of its address space, ulimit -v"),
        ]
        .into_iter()
        .filter_map(|(bytes, origin)| bytes.map(|bytes| Self { bytes, origin }))
        .min_by_key(|limit| limit.bytes)
    }
}

/// The number after `name` in a file of `/proc` with a line for each quantity.
fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
}

/// `MemAvailable` of `/proc/meminfo`: what can be had without swapping.
fn free_on_machine(meminfo: &str) -> Option<u64> {
    Some(number(meminfo, "MemAvailable")?.saturating_mul(1024))
}

/// The soft limit of the address space less what is mapped; `None` if there is no limit.
fn free_address_space(limits: &str, status: &str) -> Option<u64> {
    let limit = number(limits, "Max address space")?;
    Some(limit.saturating_sub(number(status, "VmSize")?.saturating_mul(1024)))
}

/// What the control group of the process may still use, and every group around it: the tightest. Pages of files that the kernel
/// can drop count as free.
fn free_in_group(own: &str, root: &Path) -> Option<u64> {
    let read = |path: &Path, file: &str| std::fs::read_to_string(path.join(file)).ok();
    let whole = |path: &Path, file: &str| read(path, file)?.trim().parse::<u64>().ok();
    let free = |group: &Path, [limit, usage]: [&str; 2], droppable: &str| {
        let droppable = read(group, "memory.stat").and_then(|stat| number(&stat, droppable)).unwrap_or(0);
        Some(whole(group, limit)?.saturating_sub(whole(group, usage)?.saturating_sub(droppable)))
    };
    let mut tightest = None;
    for line in own.lines() {
        // `hierarchy:controllers:path`; no controllers are named in version 2.
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (root, files, droppable) = match controllers {
            "" => (root.to_owned(), ["memory.max", "memory.current"], "inactive_file"),
            text if text.split(',').any(|name| name == "memory") => {
                let files = ["memory.limit_in_bytes", "memory.usage_in_bytes"];
                (root.join("memory"), files, "total_inactive_file")
            }
            _ => continue,
        };
        let below = Path::new(path.trim_start_matches('/'));
        // The last ancestor is the empty path: the root itself.
        for ancestor in below.ancestors() {
            let left = free(&root.join(ancestor), files, droppable);
            tightest = [tightest, left].into_iter().flatten().min();
        }
    }
    tightest
}

/// All memory of a Mac, which has no `/proc`.
fn mac_memory() -> Option<u64> {
    if !cfg!(target_os = "macos") {
        return None;
    }
    let output = std::process::Command::new("sysctl").args(["-n", "hw.memsize"]).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(label: &str, kernels: Kernels, memory: Memory) -> Need<'_> {
        Need { label, kernels, memory }
    }

    fn refusal(needs: &[Need<'_>], threads: usize) -> Option<String> {
        let limit = Limit { bytes: 1 << 30, origin: "a test" };
        check_against(&limit, "toy", needs, threads).err().map(|error| error.to_string())
    }

    #[test]
    fn no_product_or_sum_overflows() {
        let memory = Memory::default().and("size", 8, &[usize::MAX, usize::MAX]).and("depth", 8, &[usize::MAX]);
        assert_eq!(memory.bytes(), u64::MAX);
        assert_eq!(memory.keys(), "size, depth");
        assert_eq!(Memory::default().bytes(), 0);
    }

    #[test]
    fn a_trial_is_refused_with_both_numbers_and_the_keys_to_blame() {
        let memory = Memory::default().and("size", 8, &[1 << 14, 1 << 14]).and("records", 8, &[100]).within("problem");
        let text = refusal(&[need("one", Kernels::Parallel, memory)], 2).unwrap();
        assert_eq!(
            text,
            "toy: the trial \"one\" needs about 2.00 GiB of memory (mostly because of problem.size), and this process may use \
             1.00 GiB (a test); make it smaller, or pass --force to try"
        );
    }

    #[test]
    fn trials_side_by_side_count_together() {
        let half = || Memory::default().and("size", 1, &[600 << 20]);
        let needs = [need("a", Kernels::Sequential, half()), need("b", Kernels::Sequential, half())];
        assert_eq!(refusal(&needs, 1), None);
        let text = refusal(&needs, 2).unwrap();
        assert!(
            text.contains("2 trials side by side need about 1.17 GiB") && text.contains("a smaller --threads"),
            "{text}"
        );
        let needs = [need("a", Kernels::Parallel, half()), need("b", Kernels::Parallel, half())];
        assert_eq!(refusal(&needs, 2), None, "one after the other");
    }

    #[test]
    fn limits_are_read_from_what_the_system_says() {
        assert_eq!(free_on_machine("MemTotal:  100 kB\nMemAvailable:     42 kB\n"), Some(42 * 1024));
        let line = |limit: &str| {
            format!("Limit  Soft Limit\nMax address space         {limit}            unlimited   bytes\n")
        };
        assert_eq!(free_address_space(&line("10000"), "VmSize:\t       4 kB\n"), Some(10_000 - 4096));
        assert_eq!(free_address_space(&line("unlimited"), "VmSize:\t       4 kB\n"), None);
    }

    #[test]
    fn the_tightest_of_the_control_groups_counts() {
        let root = tempfile::tempdir().unwrap();
        let group = |path: &str, files: &[(&str, &str)]| {
            let directory = root.path().join(path);
            std::fs::create_dir_all(&directory).unwrap();
            files.iter().for_each(|(name, text)| std::fs::write(directory.join(name), text).unwrap());
        };
        group(
            "a",
            &[("memory.max", "1000\n"), ("memory.current", "700\n"), ("memory.stat", "anon 1\ninactive_file 200\n")],
        );
        group("a/b", &[("memory.max", "max\n"), ("memory.current", "600\n")]);
        assert_eq!(free_in_group("0::/a/b\n", root.path()), Some(500));
        assert_eq!(free_in_group("0::/\n", root.path()), None);
        group("memory/c", &[("memory.limit_in_bytes", "100\n"), ("memory.usage_in_bytes", "30\n")]);
        assert_eq!(free_in_group("5:cpu,memory:/c\n4:pids:/c\n", root.path()), Some(70));
    }
}
