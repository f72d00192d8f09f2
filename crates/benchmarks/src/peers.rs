//! The matrix cases of `bench-peers`: all contenders on the same problem; the same gradients first, then turns. And what all
//! of its cases share: rows, goals, the check.

use std::path::{Path, PathBuf};

use faer::Mat;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::case::{CASES, Case};
use crate::encoder::STEPS;
use crate::machine::Machine;
use crate::problem::{Link, Problem, STEP_SIZE};
use crate::tensors::Matrices;
use crate::turns::{self, Contender, Plan, Spread};
use crate::worker::Worker;
use crate::{BenchError, files};

/// What this project is called among the peers.
pub const OURS: &str = "this project";

/// The relative difference of losses and gradients that counts as the same.
const AGREEMENT: f64 = 1e-10;

/// A script of `python/` that iterates on [`CASES`].
#[derive(Debug, Clone, Copy)]
pub struct Script {
    name: &'static str,
    /// Whether it can do without unobserved entries.
    full: bool,
}

/// The peers of a matrix experiment, in the order of the tables.
pub const SCRIPTS: [Script; 4] = [
    Script { name: "numpy_peer.py", full: true },
    Script { name: "scipy_peer.py", full: false },
    Script { name: "jax_peer.py", full: true },
    Script { name: "torch_peer.py", full: true },
];

impl Script {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        scripts().join(self.name)
    }

    /// Whether it takes part in a case: a sparse residual is no help where every entry is observed.
    pub fn takes_part(&self, case: &Case) -> bool {
        self.full || !case.is_full()
    }
}

/// The directory of the workers' scripts and their requirements.
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
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
    /// Seconds of an iteration: the median over turns.
    pub median_seconds: f64,
    /// The lower quartile.
    pub q1_seconds: f64,
    /// The upper quartile.
    pub q3_seconds: f64,
    /// Its median over ours.
    pub ratio: f64,
    /// The least seconds the iteration can take here, from [`Limits`](crate::machine::Limits); not a number until
    /// the run is over, as they are the best of it: a shared machine is not always as fast.
    pub floor_seconds: f64,
    /// The largest relative difference of its loss or a gradient from ours.
    pub gradient_difference: Option<f64>,
    /// See [`Machine`].
    pub cpu: String,
    /// See [`Machine`].
    pub threads: usize,
    /// See [`Machine`].
    pub rustc: String,
    /// See [`Machine`].
    pub revision: String,
}

impl PeerRow {
    /// The row of a contender, given its and our times.
    pub fn new(
        id: &str,
        (peer, version): (&str, &str),
        (theirs, ours): (Spread, Spread),
        gradient_difference: Option<f64>,
        machine: &Machine,
    ) -> Self {
        let Machine { cpu, threads, rustc, revision } = machine.clone();
        Self {
            id: id.to_owned(),
            peer: peer.to_owned(),
            version: version.to_owned(),
            median_seconds: theirs.median,
            q1_seconds: theirs.q1,
            q3_seconds: theirs.q3,
            ratio: theirs.median / ours.median,
            floor_seconds: f64::NAN,
            gradient_difference,
            cpu,
            threads,
            rustc,
            revision,
        }
    }
}

/// What all measurements of a run have in common.
#[derive(Debug)]
pub struct Run<'a> {
    /// Where it is made.
    pub machine: &'a Machine,
    /// How much is measured.
    pub plan: Plan,
    /// A directory for what is handed to the peers.
    pub scratch: &'a Path,
}

/// Measures a case: ourselves first, then the peers that take part.
///
/// # Errors
/// If a peer fails, or computes something else.
pub fn measure(case: Case, peers: &mut [(Script, Worker)], run: &Run<'_>) -> Result<Vec<PeerRow>, BenchError> {
    let mut problem = Problem::new(case)?;
    let path = run.scratch.join("problem.safetensors");
    problem.write(&path)?;
    let mut workers: Vec<&mut Worker> = Vec::new();
    let mut differences = Vec::new();
    for (_, worker) in peers.iter_mut().filter(|(script, _)| script.takes_part(&case)) {
        differences.push(agree(worker, &problem, &path, run.scratch)?);
        workers.push(worker);
    }
    let mut contenders: Vec<&mut dyn Contender> = vec![&mut problem];
    contenders.extend(workers.iter_mut().map(|worker| &mut **worker as &mut dyn Contender));
    let spreads = turns::take(&mut contenders, run.plan)?;
    let ours = spreads[0];
    let row = |who, spread, difference| PeerRow::new(case.id, who, (spread, ours), difference, run.machine);
    let mut rows = vec![row((OURS, env!("CARGO_PKG_VERSION")), ours, None)];
    for ((worker, theirs), difference) in workers.iter().zip(&spreads[1..]).zip(differences) {
        rows.push(row((worker.name(), worker.version()), *theirs, Some(difference)));
    }
    Ok(rows)
}

/// An answer without content.
#[derive(Deserialize)]
pub(crate) struct Done {}

/// An answer to `evaluate`.
#[derive(Deserialize)]
pub(crate) struct Evaluated {
    pub(crate) loss: f64,
}

/// Gives a peer the problem and compares its loss and gradients with ours: the largest relative difference.
fn agree(worker: &mut Worker, problem: &Problem, path: &Path, scratch: &Path) -> Result<f64, BenchError> {
    let multipliers: Vec<f64> = problem.chain().iter().map(|link| link.multiplier).collect();
    let load = json!({ "do": "load", "problem": path, "multipliers": multipliers, "step_size": STEP_SIZE });
    let Done {} = worker.ask(&load)?;
    let answer = scratch.join("gradients.safetensors");
    let evaluated: Evaluated = worker.ask(&json!({ "do": "evaluate", "gradients": answer }))?;
    let gradients = Matrices::read(&answer)?;
    let (id, peer) = (problem.case().id, worker.name());
    let check = |what: &str, difference| check(id, peer, what, difference, AGREEMENT);
    let mut largest = check("the loss", (evaluated.loss / problem.loss() - 1.0).abs())?;
    for Link { name, gradient, .. } in problem.chain() {
        if let Some(ours) = gradient {
            let difference = relative_difference(gradients.get(name, ours.shape())?, ours);
            largest = largest.max(check(name, difference)?);
        }
    }
    Ok(largest)
}

/// The difference, if it is within the limit.
pub(crate) fn check(id: &'static str, peer: &str, what: &str, difference: f64, limit: f64) -> Result<f64, BenchError> {
    // Not a number is no agreement either.
    if difference <= limit {
        return Ok(difference);
    }
    Err(BenchError::Disagreement { id, peer: peer.to_owned(), what: what.to_owned(), difference, limit })
}

/// The distance of two matrices, relative to ours.
pub(crate) fn relative_difference(theirs: &Mat<f64>, ours: &Mat<f64>) -> f64 {
    (theirs - ours).norm_l2() / ours.norm_l2()
}

/// How many times as fast as every peer this project is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// A case.
    pub id: String,
    /// The ratio aimed at.
    pub aim: f64,
    /// The least ratio over the peers.
    pub least: f64,
    /// Whose it is.
    pub peer: String,
}

impl Goal {
    /// Whether it is reached.
    pub fn is_met(&self) -> bool {
        self.least >= self.aim
    }
}

/// Ratios aimed at, by group of cases.
const AIMS: [(&str, f64); 5] = [
    ("original", 2.0),
    ("compressed", 6.0),
    ("compressed-fixed", 100.0),
    ("lora-step/128", 2.0),
    ("lora-step/stsb", 3.0),
];

/// The goals that rows speak to.
pub fn goals(rows: &[PeerRow]) -> Vec<Goal> {
    let mut goals: Vec<Goal> = Vec::new();
    for row in rows.iter().filter(|row| row.peer != OURS) {
        let group = row.id.split('/').next().unwrap_or(&row.id);
        let Some(&(_, aim)) = AIMS.iter().find(|(name, _)| *name == row.id || *name == group) else {
            continue;
        };
        match goals.iter_mut().find(|goal| goal.id == row.id) {
            Some(goal) if goal.least <= row.ratio => {}
            Some(goal) => (goal.least, goal.peer) = (row.ratio, row.peer.clone()),
            None => goals.push(Goal { id: row.id.clone(), aim, least: row.ratio, peer: row.peer.clone() }),
        }
    }
    goals
}

/// What makes `peers.csv` and `machine.csv`.
pub const COMMAND: &str = "just bench-peers";

/// The rows of `peers.csv`, complete: ourselves and every peer that takes part, for every case.
///
/// # Errors
/// If the file cannot be read, or a case is missing.
pub fn read(path: &Path) -> Result<Vec<PeerRow>, BenchError> {
    let rows: Vec<PeerRow> = files::read_table(path)?;
    let contenders = |case: &Case| 1 + SCRIPTS.iter().filter(|script| script.takes_part(case)).count();
    let cases = CASES.iter().map(|case| (case.id, contenders(case)));
    for (id, expected) in cases.chain(STEPS.iter().map(|step| (step.id, 2))) {
        if rows.iter().filter(|row| row.id == id).count() != expected {
            return Err(BenchError::MissingRow { path: path.to_owned(), row: id.to_owned(), command: COMMAND });
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, peer: &str, seconds: f64) -> PeerRow {
        let machine = Machine { cpu: "c".into(), threads: 2, rustc: "r".into(), revision: "g".into() };
        let spread = |median: f64| Spread { q1: median, median, q3: median };
        PeerRow::new(id, (peer, "1"), (spread(seconds), spread(1.0)), None, &machine)
    }

    #[test]
    fn a_goal_is_met_only_if_every_peer_is_slower_by_the_ratio() {
        let rows = [
            row("original/d1000", OURS, 1.0),
            row("original/d1000", "NumPy", 1.9),
            row("original/d1000", "JAX", 2.5),
            row("compressed/d1000-r5", "JAX", 6.5),
            row("original-full/d1000", "JAX", 1.5),
        ];
        let goals = goals(&rows);
        assert_eq!(goals.len(), 2);
        assert!(!goals[0].is_met() && goals[0].peer == "NumPy" && goals[0].least == 1.9);
        assert!(goals[1].is_met());
    }

    #[test]
    fn a_table_without_a_case_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peers.csv");
        files::write_table(&path, &[row("original/d1000", OURS, 1.0)]).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("no row original/d1000") && error.contains(COMMAND), "{error}");
    }
}
