//! What an experiment is: settings → inputs → trials → tables → drawings and findings.

use std::fmt::Display;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Check, Finding, Gathering, Memory, Results, Table, TrialContext};

/// One experiment: settings → inputs → trials → tables (CSV) → drawings (PNG, SVG) and findings.
pub trait Experiment: Sized + 'static {
    /// What `experiments/NAME.toml` holds. Always has the top-level keys `seed: u64` and `trials: usize`; derive
    /// `Deserialize` with `#[serde(deny_unknown_fields)]`, here and on every nested struct.
    type Settings: Serialize + DeserializeOwned + Check;
    /// What [`gather`](Self::gather) finds: encoders, data; `()` for none.
    type Inputs: Sync;
    /// What is varied: all that a table's row and a figure's label are made from, beside the outcome (method, task, n,
    /// width, trial …). It comes back with the outcome. Its text names the trial, so it must be unique in the plan:
    /// `depth 3, width 40, trial 2`.
    type Point: Display + Send + Sync;
    /// What is run.
    type Trial: Trial<Inputs = Self::Inputs>;

    /// Name of the binary, the TOML and the files: `completion`.
    const NAME: &'static str;
    /// One line for `--help` and listings; names the figure of the paper.
    const ABOUT: &'static str;
    /// A paragraph for `--help`.
    const LONG_ABOUT: &'static str;
    /// The statements it tests, as the text of a `claims.toml`; those of other experiments in it are ignored.
    const CLAIMS: &'static str;
    /// Raise it when the code that makes an outcome, or the type `Outcome`, changes: stored outcomes of other versions
    /// are not used.
    const VERSION: u32 = 1;
    /// Whether there is a second stage, [`plan_next`](Self::plan_next). Most experiments have none.
    const TWO_STAGES: bool = false;

    /// Gets what the trials need and the settings only name: downloads it, reads it. Called once, before the plan is
    /// made; not for `--plot-only`. What is gathered and matters to an outcome belongs into the trial by its hash, or the
    /// store would not know it.
    ///
    /// # Errors
    /// If something is missing or unusable; the experiment is not run then. [`crate::BadInput`] is what the user can
    /// correct, [`crate::Invalid`] a setting that does not fit what was gathered.
    fn gather(settings: &Self::Settings, gathering: &Gathering) -> anyhow::Result<Self::Inputs>;

    /// The trials, in the order of the tables' rows.
    ///
    /// # Errors
    /// If the settings do not fit the inputs.
    fn plan(settings: &Self::Settings, inputs: &Self::Inputs) -> anyhow::Result<Plan<Self>>;

    /// A second stage: trials that can only be planned when those of [`plan`](Self::plan) are finished, a step size
    /// chosen by their outcomes, say. Called only if [`TWO_STAGES`](Self::TWO_STAGES); `finished` lacks the trials that
    /// failed.
    ///
    /// # Errors
    /// As for [`plan`](Self::plan).
    fn plan_next(
        _settings: &Self::Settings,
        _inputs: &Self::Inputs,
        _finished: &[FinishedOf<Self>],
    ) -> anyhow::Result<Plan<Self>> {
        Ok(Vec::new())
    }

    /// The tables: `NAME.csv` and companions. `finished` is in plan order (the first stage, then the second) and lacks
    /// the trials that failed. Wall-clock columns belong in [`Table::companion`]`(NAME, "timing", ..)` and nowhere else.
    ///
    /// # Errors
    /// If a table cannot be made.
    fn tables(
        settings: &Self::Settings,
        inputs: &Self::Inputs,
        finished: &[FinishedOf<Self>],
    ) -> anyhow::Result<Vec<Table>>;

    /// The drawings, from the CSVs alone.
    ///
    /// # Errors
    /// If a table cannot be read or a figure not drawn.
    fn draw(settings: &Self::Settings, results: &Results) -> anyhow::Result<Vec<Drawing>>;

    /// What the tables say about the statements of [`CLAIMS`](Self::CLAIMS), from the CSVs alone.
    ///
    /// # Errors
    /// If a table cannot be read.
    fn claims(settings: &Self::Settings, results: &Results) -> anyhow::Result<Vec<Finding>>;
}

/// A trial: everything that determines its outcome (the settings it uses, its seed, the hashes of its inputs), and how it
/// is run. Hashed to find a stored outcome, so it has nothing more than that, or changing it would rerun trials it does
/// not touch. Its serialization must always be the same for the same value: no `HashMap` inside.
pub trait Trial: Serialize + Send + Sync {
    /// What the experiment gathered.
    type Inputs: Sync;
    /// What it yields and the store keeps. Stored with postcard: no `#[serde(untagged)]`, `flatten` or
    /// `skip_serializing_if`.
    type Outcome: Serialize + DeserializeOwned + Send;

    /// What it holds in memory at most: a trial that needs more than there is is refused before any runs. Nothing is known
    /// unless this says so.
    fn memory(&self, _inputs: &Self::Inputs) -> Memory {
        Memory::default()
    }

    /// Runs it. Must depend on nothing but the trial and the inputs it names, whatever the number of threads.
    ///
    /// # Errors
    /// If it diverges or fails; the other trials go on.
    fn run(&self, inputs: &Self::Inputs, context: &TrialContext) -> Result<Self::Outcome, TrialError>;
}

/// The trials of an experiment, each at its point.
pub type Plan<E> = Vec<Planned<<E as Experiment>::Point, <E as Experiment>::Trial>>;

/// A finished trial of an experiment.
pub type FinishedOf<E> = Finished<<E as Experiment>::Point, <<E as Experiment>::Trial as Trial>::Outcome>;

/// A trial to be run.
#[derive(Debug, Clone)]
pub struct Planned<P, T> {
    /// What is varied.
    pub at: P,
    /// What determines the outcome.
    pub trial: T,
    /// How its numerics use threads.
    pub kernels: Kernels,
    /// Expected duration relative to the other trials (any unit): the longest start first.
    pub cost: f64,
}

/// How a trial's numerics use threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernels {
    /// One thread: such trials run side by side.
    Sequential,
    /// All threads: such trials run one at a time.
    Parallel,
}

/// A point with its outcome.
#[derive(Debug, Clone)]
pub struct Finished<P, O> {
    /// Point of the plan.
    pub at: P,
    /// What the trial there yielded.
    pub outcome: O,
    /// Wall-clock seconds it took when it was run; a reused trial keeps those of its run.
    pub seconds: f64,
    /// Whether the outcome came from the store.
    pub reused: bool,
}

/// Why a trial has no outcome. The other trials go on; the program exits with code 1 at the end.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The loss became NaN, infinite or far larger than at the start.
    #[error("diverged at iteration {iteration} (loss {loss:.1e})")]
    Diverged {
        /// Iteration at which it was noticed.
        iteration: u64,
        /// The loss there.
        loss: f64,
    },
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// A picture in both formats, written as `figures/PROFILE/NAME.png` and `.svg`.
#[derive(Debug, Clone)]
pub struct Drawing {
    /// File name without extension: the experiment's name, or that and a suffix (`svd-evolution-layers`).
    pub name: String,
    /// The PNG file's bytes.
    pub png: Vec<u8>,
    /// The SVG file's text.
    pub svg: String,
}
