//! What is kept of a run: a directory `DATE-MACHINE` with `peers.csv` (a row per contender and case) and `machine.csv` (one
//! row). Everything that is shown is made from these.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use dynamics::sparse::Simd;
use lab::{BadInput, Machine, Results, Table, files};
use serde::{Deserialize, Serialize};

use crate::limits::Limits;
use crate::samples::{Measured, OURS};

/// Where runs are kept.
pub const RUNS: &str = "results/bench/runs";
/// What makes a run.
pub const COMMAND: &str = "just bench-peers";

/// The one row of `machine.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineRow {
    /// Model of the processor, and the vector instructions the kernels use there.
    pub cpu: String,
    /// Threads used.
    pub threads: usize,
    /// See [`Limits`].
    pub gemm_f64_flop_per_second: f64,
    /// See [`Limits`].
    pub gemm_f32_flop_per_second: f64,
    /// See [`Limits`].
    pub cache_read_bytes_per_second: f64,
    /// See [`Limits`]; runs of before this was measured have none.
    #[serde(default)]
    pub memory_bytes_per_second: Option<f64>,
    /// Version of the compiler.
    pub rustc: String,
    /// Git revision, with `+` if tracked files other than results, figures and documents differ from it.
    pub revision: String,
    /// When the run started, UTC; runs of before this was recorded have a date only.
    pub started: String,
    /// What to type for such a run.
    pub command: String,
}

impl MachineRow {
    /// The row of a run.
    pub fn new(machine: &Machine, limits: &Limits, started: String, command: String) -> Self {
        let mut revision: String = machine.git_revision.chars().take(12).collect();
        if machine.git_dirty == Some(true) {
            revision.push('+');
        }
        Self {
            cpu: format!("{} with {}", machine.cpu, Simd::best()),
            threads: machine.threads,
            gemm_f64_flop_per_second: limits.gemm_f64_flop_per_second,
            gemm_f32_flop_per_second: limits.gemm_f32_flop_per_second,
            cache_read_bytes_per_second: limits.cache_read_bytes_per_second,
            memory_bytes_per_second: Some(limits.memory_bytes_per_second),
            rustc: machine.rustc.to_owned(),
            revision,
            started,
            command,
        }
    }
}

/// A row of `peers.csv`: one contender on one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerRow {
    /// The case.
    pub id: String,
    /// The contender.
    pub peer: String,
    /// Its version.
    pub version: String,
    /// Seconds of an iteration: the median over samples.
    pub median_seconds: f64,
    /// The lower quartile.
    pub q1_seconds: f64,
    /// The upper quartile.
    pub q3_seconds: f64,
    /// Its median over this project's.
    pub ratio: f64,
    /// The least seconds the iteration can take there, see [`crate::floor`].
    pub floor_seconds: f64,
    /// The largest relative difference of its loss or a gradient from ours.
    pub gradient_difference: Option<f64>,
    /// See [`MachineRow`].
    pub cpu: String,
    /// See [`MachineRow`].
    pub threads: usize,
    /// See [`MachineRow`].
    pub rustc: String,
    /// See [`MachineRow`].
    pub revision: String,
}

/// The rows of a case, given its floor and what was measured, this project first.
pub fn rows(id: &str, measured: &[Measured], floor_seconds: f64, machine: &MachineRow) -> Vec<PeerRow> {
    let ours = measured.first().map_or(f64::NAN, |ours| ours.seconds.median);
    let row = |Measured { peer, version, seconds, gradient_difference }: &Measured| PeerRow {
        id: id.to_owned(),
        peer: peer.clone(),
        version: version.clone(),
        median_seconds: seconds.median,
        q1_seconds: seconds.q1,
        q3_seconds: seconds.q3,
        ratio: seconds.median / ours,
        floor_seconds,
        gradient_difference: *gradient_difference,
        cpu: machine.cpu.clone(),
        threads: machine.threads,
        rustc: machine.rustc.clone(),
        revision: machine.revision.clone(),
    };
    measured.iter().map(row).collect()
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its directory's name, `DATE-MACHINE`.
    pub name: String,
    /// What it was made on, and with.
    pub machine: MachineRow,
    /// What was measured.
    pub rows: Vec<PeerRow>,
}

impl Run {
    /// Keeps what was measured in a new directory of `runs`: today's second run on a machine is `DATE-MACHINE-2`.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn keep(runs: &Path, slug: &str, machine: MachineRow, rows: Vec<PeerRow>) -> Result<Self> {
        let date = machine.started.get(..10).unwrap_or(&machine.started);
        let first = format!("{date}-{slug}");
        let names = std::iter::once(first.clone()).chain((2..).map(|number| format!("{first}-{number}")));
        let name = names.into_iter().find(|name| !runs.join(name).exists()).expect("numbers do not end");
        let directory = runs.join(&name);
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        for table in [Table::new("peers", rows.clone())?, Table::new("machine", [machine.clone()])?] {
            files::write(&directory.join(format!("{}.csv", table.stem())), table.bytes())?;
        }
        Ok(Self { name, machine, rows })
    }

    fn read(directory: &Path, name: String) -> Result<Self> {
        let results = Results::new(directory, COMMAND);
        let (mut machines, rows) = (results.read::<MachineRow>("machine")?, results.read::<PeerRow>("peers")?);
        let damaged = |what| BadInput(anyhow!("{}: {what}; remove the run, or make it again", directory.display()));
        let machine = machines.pop().ok_or_else(|| damaged("machine.csv has no row"))?;
        let alone = rows.iter().any(|row| !rows.iter().any(|ours| ours.id == row.id && ours.peer == OURS));
        if rows.is_empty() || alone {
            bail!(damaged("peers.csv lacks this project's row of a case"));
        }
        Ok(Self { name, machine, rows })
    }
}

/// All runs of a directory, the newest first; at least one.
///
/// # Errors
/// If there is none, or one cannot be read.
pub fn kept(runs: &Path) -> Result<Vec<Run>> {
    let mut found = Vec::new();
    if runs.is_dir() {
        for entry in fs::read_dir(runs).with_context(|| format!("cannot read {}", runs.display()))? {
            let entry = entry?;
            if !entry.path().is_dir() {
                continue;
            }
            found.push(Run::read(&entry.path(), entry.file_name().to_string_lossy().into_owned())?);
        }
    }
    if found.is_empty() {
        bail!(BadInput(anyhow!("there is no run in {}; make one with: {COMMAND}", runs.display())));
    }
    found.sort_by(|a, b| (&b.machine.started, &b.name).cmp(&(&a.machine.started, &a.name)));
    Ok(found)
}

/// The part of a run's name that stands for the machine, as given or from the processor's name: small letters, digits and
/// hyphens.
///
/// # Errors
/// [`BadInput`] if what was given is something else.
pub fn slug(given: Option<&str>, cpu: &str) -> Result<String, BadInput> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    match given {
        Some(given)
            if !given.is_empty() && given.split('-').all(|part| !part.is_empty() && part.chars().all(plain)) =>
        {
            Ok(given.to_owned())
        }
        Some(given) => Err(BadInput(anyhow!(
            "--machine {given:?}: a machine's name is made of small letters, digits and hyphens, such as zen-5"
        ))),
        None => {
            let cpu = cpu.to_lowercase().replace("(r)", " ").replace("(tm)", " ");
            let words = cpu.split(|c| !plain(c)).filter(|word| !word.is_empty());
            Ok(words.collect::<Vec<_>>().join("-"))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::samples::Quartiles;

    /// A run of two cases and two contenders.
    pub(crate) fn run(started: &str) -> Run {
        let machine = MachineRow {
            cpu: "processor with AVX2".into(),
            threads: 2,
            gemm_f64_flop_per_second: 1e11,
            gemm_f32_flop_per_second: 2e11,
            cache_read_bytes_per_second: 3e11,
            memory_bytes_per_second: Some(2e10),
            rustc: "rustc 1".into(),
            revision: "abc".into(),
            started: started.into(),
            command: COMMAND.into(),
        };
        let spread = |median: f64| Quartiles { q1: 0.9 * median, median, q3: 1.1 * median };
        let peer = |peer: &str, seconds| Measured { peer: peer.into(), ..Measured::ours(spread(seconds)) };
        let mut all =
            rows("original/d1000", &[peer(OURS, 0.08), peer("NumPy", 0.2), peer("JAX", 0.16)], 0.072, &machine);
        all.extend(rows("lora-step/128", &[peer(OURS, 0.3), peer("PyTorch", 0.75)], 0.25, &machine));
        Run { name: "name".into(), machine, rows: all }
    }

    #[test]
    fn runs_come_back_as_they_were_the_newest_first() {
        let directory = tempfile::tempdir().unwrap();
        let keep = |started| {
            let Run { machine, rows, .. } = run(started);
            Run::keep(directory.path(), "zen-5", machine, rows).unwrap()
        };
        let runs = [keep("2026-11-26T10:00:00Z"), keep("2026-11-24"), keep("2026-11-26T12:00:00Z")];
        assert_eq!(runs[2].name, "2026-11-26-zen-5-2");
        let [a, b, c] = runs;
        assert_eq!(kept(directory.path()).unwrap(), [c, a, b]);
    }

    #[test]
    fn no_run_and_damaged_runs_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let error = kept(&directory.path().join("nowhere")).unwrap_err();
        assert!(error.is::<BadInput>() && error.to_string().ends_with("make one with: just bench-peers"), "{error}");
        let Run { machine, mut rows, .. } = run("2026-11-24");
        rows.retain(|row| row.peer != OURS);
        Run::keep(directory.path(), "zen-5", machine, rows).unwrap();
        let error = kept(directory.path()).unwrap_err().to_string();
        assert!(error.contains("2026-11-24-zen-5: peers.csv lacks"), "{error}");
    }

    #[test]
    fn machines_have_short_names() {
        assert_eq!(slug(None, "Intel(R) Xeon(R) Processor").unwrap(), "intel-xeon-processor");
        assert_eq!(slug(Some("zen-5"), "").unwrap(), "zen-5");
        for bad in ["", "Zen 5", "../zen", "-zen"] {
            assert!(slug(Some(bad), "").unwrap_err().to_string().contains("such as zen-5"), "{bad}");
        }
    }
}
