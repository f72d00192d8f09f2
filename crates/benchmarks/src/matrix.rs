//! Gradient descent beside the peers: all contenders on the same problem; the same gradients first, then times.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use crate::agreement::Agreement;
use crate::case::Descent;
use crate::problem::{Link, Problem, STEP_SIZE};
use crate::samples::{self, Contender, Measured, Plan};
use crate::worker::Worker;

/// The relative difference of losses and gradients that counts as the same.
const AGREEMENT: f64 = 1e-10;

/// A script of `python/` that descends.
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
    pub fn takes_part(&self, descent: &Descent) -> bool {
        self.full || !descent.is_full()
    }
}

/// The directory of the workers' scripts and their requirements.
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// Measures a case: ourselves first, then the peers that take part; `scratch` is a directory for what they are handed.
///
/// # Errors
/// If a peer fails, or computes something else.
pub fn measure(
    id: &str,
    descent: Descent,
    peers: &mut [(Script, Worker)],
    plan: Plan,
    scratch: &Path,
) -> Result<Vec<Measured>> {
    let mut problem = Problem::new(descent)?;
    let path = scratch.join("problem.safetensors");
    problem.write(&path)?;
    let mut workers: Vec<&mut Worker> = Vec::new();
    let mut differences = Vec::new();
    for (_, worker) in peers.iter_mut().filter(|(script, _)| script.takes_part(&descent)) {
        differences.push(agree(id, worker, &problem, &path, scratch)?);
        workers.push(worker);
    }
    let mut contenders: Vec<&mut dyn Contender> = vec![&mut problem];
    contenders.extend(workers.iter_mut().map(|worker| &mut **worker as &mut dyn Contender));
    let spreads = samples::take(&mut contenders, plan)?;
    let theirs = workers.iter().zip(&spreads[1..]).zip(differences);
    let theirs = theirs.map(|((worker, spread), difference)| worker.measured(*spread, difference));
    Ok(std::iter::once(Measured::ours(spreads[0])).chain(theirs).collect())
}

/// Gives a peer the problem and compares its loss and gradients with ours: the largest relative difference.
fn agree(id: &str, worker: &mut Worker, problem: &Problem, path: &Path, scratch: &Path) -> Result<f64> {
    let multipliers: Vec<f64> = problem.chain().iter().map(|link| link.multiplier).collect();
    worker.load(&json!({ "do": "load", "problem": path, "multipliers": multipliers, "step_size": STEP_SIZE }))?;
    let (loss, gradients) = worker.evaluate(scratch)?;
    let mut agreement = Agreement::new(id, worker.name(), AGREEMENT);
    agreement.loss(loss, problem.loss())?;
    for Link { name, gradient, .. } in problem.chain() {
        if let Some(ours) = gradient {
            agreement.gradient(name, gradients.get(name, ours.shape())?, ours)?;
        }
    }
    Ok(agreement.largest())
}
