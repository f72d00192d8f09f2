//! What an experiment is: settings → trials → tables → drawings and claims.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Check, Claim, Inputs, LabError, Memory, Results, Table, TrialContext};

/// One experiment: settings → trials → tables (CSV) → drawings (PNG, SVG) and claims.
pub trait Experiment: 'static {
    /// What `experiments/NAME.toml` holds. Always has the top-level keys `seed: u64` and `trials: usize`; derive
    /// `Deserialize` with `#[serde(deny_unknown_fields)]`, here and on every nested struct.
    type Settings: Serialize + DeserializeOwned + Check;
    /// Everything that determines the outcome of one trial: the settings it uses and its seed. Hashed to find a stored
    /// outcome, so nothing more than that either, or changing it would rerun trials it does not touch. Its
    /// serialization must always be the same for the same value: no `HashMap` inside.
    type Trial: Serialize + Send + Sync;
    /// What a trial yields and the store keeps. Stored with postcard: no `#[serde(untagged)]`, `flatten` or
    /// `skip_serializing_if`.
    type Outcome: Serialize + DeserializeOwned + Send;

    /// Name of the binary, the TOML and the files: `completion`.
    const NAME: &'static str;
    /// One line for `--help` and listings; names the figure of the paper.
    const ABOUT: &'static str;
    /// A paragraph for `--help`.
    const LONG_ABOUT: &'static str;
    /// Raise it when the code that makes an outcome, or the type `Outcome`, changes: stored outcomes of other versions
    /// are not used.
    const VERSION: u32 = 1;

    /// Gets what the trials need and the settings only name: downloads it, reads it, keeps it for [`plan`](Self::plan)
    /// and [`run`](Self::run). Called once, before the plan is made; not for `--plot-only`. What is gathered and matters
    /// to an outcome belongs into the trial by its hash, or the store would not know it. Most experiments need nothing.
    ///
    /// # Errors
    /// If something is missing or unusable; the experiment is not run then. [`crate::BadInput`] is what the user can
    /// correct, [`crate::Invalid`] a setting that does not fit what was gathered.
    fn gather(_settings: &Self::Settings, _inputs: &Inputs) -> Result<(), anyhow::Error> {
        Ok(())
    }

    /// The trials, in the order of the tables' rows. Labels must be unique.
    fn plan(settings: &Self::Settings) -> Vec<Planned<Self::Trial>>;

    /// A second stage: trials that can only be planned when those of [`plan`](Self::plan) are finished, a step size
    /// chosen by their outcomes, say. Called once; `finished` lacks the trials that failed. Most experiments have none.
    fn plan_next(
        _settings: &Self::Settings,
        _finished: &[Finished<Self::Trial, Self::Outcome>],
    ) -> Vec<Planned<Self::Trial>> {
        Vec::new()
    }

    /// What a trial holds in memory at most: a trial that needs more than there is is refused before any runs. Nothing is known
    /// unless this says so.
    fn memory(_trial: &Self::Trial) -> Memory {
        Memory::default()
    }

    /// Runs one trial. Must depend on nothing but `trial`, whatever the number of threads.
    fn run(trial: &Self::Trial, context: &TrialContext) -> Result<Self::Outcome, TrialError>;

    /// The tables: `NAME.csv` and companions. `finished` is in plan order (the first stage, then the second) and lacks
    /// the trials that failed. Wall-clock
    /// columns belong in [`Table::companion`]`(NAME, "timing", ..)` and nowhere else.
    fn tables(
        settings: &Self::Settings,
        finished: &[Finished<Self::Trial, Self::Outcome>],
    ) -> Result<Vec<Table>, LabError>;

    /// The drawings, from the CSVs alone.
    fn draw(settings: &Self::Settings, results: &Results) -> Result<Vec<Drawing>, anyhow::Error>;

    /// The paper's statements and their verdicts, from the CSVs alone.
    fn claims(settings: &Self::Settings, results: &Results) -> Result<Vec<Claim>, anyhow::Error>;
}

/// A trial to be run.
#[derive(Debug, Clone)]
pub struct Planned<T> {
    /// Unique within the experiment, for people: `depth 3, width 40, trial 2`.
    pub label: String,
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

/// A trial with its outcome.
#[derive(Debug, Clone)]
pub struct Finished<T, O> {
    /// Label of the plan.
    pub label: String,
    /// Trial of the plan.
    pub trial: T,
    /// What it yielded.
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
