//! Sections of the TOML files that several matrix experiments have, and their checks.

use dynamics::random::Generator;
use dynamics::{DynamicsError, LossForm, Objective, Observed, Schedule, Target};
use lab::Invalid;
use lab::checked::{Count, Fraction, NotNegative, Size, Steps};
use serde::{Deserialize, Serialize};

use super::Network;
use super::recipe::Recipe;
use crate::statements::Run;

/// `[problem]`: a square low-rank target and what is observed of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProblemSettings {
    /// Rows and columns of the target, d.
    pub size: Size,
    /// Rank of the target, r.
    pub rank: Count,
    /// Observed fraction p; 1 is full observation.
    pub observed_fraction: Fraction,
    /// "mean" (divided by the number of all entries) or "sum".
    pub loss: LossSettings,
    /// Where the random numbers come from. What is drawn from the seed hashes as it did before there was a choice.
    #[serde(default, skip_serializing_if = "DrawSettings::is_seeded")]
    pub draw: DrawSettings,
}

/// Where target, observed entries and initial factors come from: `draw = "seeded"` or `"authors"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DrawSettings {
    /// The experiment's seed.
    #[default]
    Seeded,
    /// The key that the paper's authors began with: the very numbers behind their figure.
    Authors,
}

impl DrawSettings {
    pub(super) fn is_seeded(&self) -> bool {
        *self == Self::Seeded
    }

    /// Checks one value of a list that the authors' draw does not cover in full, such as the widths.
    pub fn check_value(self, key: String, value: usize, drawn: &[usize]) -> Result<(), Invalid> {
        let drawn_by_them = self.is_seeded() || drawn.contains(&value);
        let listed = drawn.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        let which = if drawn.len() > 1 { "one of " } else { "" };
        Invalid::unless(drawn_by_them, key, value, format!("{which}{listed} with problem.draw = \"authors\""))
    }
}

/// The form of the loss: `loss = "mean"` or `"sum"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossSettings {
    /// Divided by the number of all entries.
    Mean,
    /// Not divided.
    Sum,
}

impl From<LossSettings> for LossForm {
    fn from(form: LossSettings) -> Self {
        match form {
            LossSettings::Mean => Self::Mean,
            LossSettings::Sum => Self::Sum,
        }
    }
}

impl ProblemSettings {
    /// The target, the observed entries and the loss of an experiment, drawn from the streams of these two purposes or as the
    /// authors did.
    ///
    /// # Errors
    /// If the numerical core refuses the settings.
    pub(super) fn objective(
        &self,
        experiment: &str,
        stream: impl Fn(&str) -> Generator,
    ) -> Result<Objective, DynamicsError> {
        let Self { size, rank, observed_fraction, loss, draw } = *self;
        let (target, observed) = match draw {
            DrawSettings::Authors => Recipe::of(experiment).instance()?,
            DrawSettings::Seeded => (
                Target::gaussian(*size, *size, *rank, &mut stream("target"))?,
                Observed::uniform(*size, *size, *observed_fraction, &mut stream("observed entries"))?,
            ),
        };
        Objective::new(target, observed, loss.into())
    }

    /// Checks the section `problem`, and seed and trials, of an experiment whose instances the authors' draw has.
    pub fn check_drawn(&self, experiment: &str, seed: u64, trials: usize) -> Result<(), Invalid> {
        self.check_shape("problem")?;
        match self.draw {
            DrawSettings::Seeded => Ok(()),
            DrawSettings::Authors => Recipe::of(experiment).check(self, seed, trials),
        }
    }

    /// Checks the section named `key`, in which everything random comes from the seed.
    pub fn check(&self, key: &str) -> Result<(), Invalid> {
        let allowed = "\"seeded\": the authors drew no such instances";
        Invalid::unless(self.draw.is_seeded(), format!("{key}.draw"), "\"authors\"", allowed)?;
        self.check_shape(key)
    }

    fn check_shape(&self, key: &str) -> Result<(), Invalid> {
        let ProblemSettings { size, rank, observed_fraction, .. } = *self;
        let ranks = format!("a whole number from 1 to the size ({size})");
        Invalid::unless(*rank <= *size, format!("{key}.rank"), rank, ranks)?;
        let some = *observed_fraction * (*size as f64).powi(2) >= 1.0;
        let value = format!("{observed_fraction:e}");
        Invalid::unless(some, format!("{key}.observed_fraction"), value, "at least one entry of size × size")
    }
}

/// How a compressed network is made: `initialization = "explicit"` or `"sampled"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InitializationSettings {
    /// From the factors of the original and their first gradient, as the paper does.
    #[default]
    Explicit,
    /// From the observed entries and a sampled piece of the original's product: the same law, no d × d matrix.
    Sampled,
}

impl InitializationSettings {
    /// The compressed network so made.
    pub fn network(self, depth: usize, init_scale: f64, rank_guess: usize, discrepant_step: f64) -> Network {
        match self {
            Self::Explicit => Network::Compressed { depth, init_scale, rank_guess, discrepant_step },
            Self::Sampled => Network::Sampled { depth, init_scale, rank_guess, discrepant_step },
        }
    }

    /// Checks the value of `key` for a problem.
    pub fn check(self, key: &str, problem: &ProblemSettings) -> Result<(), Invalid> {
        let drawn = self == Self::Explicit || problem.draw.is_seeded();
        Invalid::unless(drawn, key, "\"sampled\"", "\"explicit\" with problem.draw = \"authors\"")
    }
}

/// `[schedule]`: when training records and when it stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSettings {
    pub max_iterations: Steps,
    /// Stop when the recorded training loss is below it; 0 never.
    pub tolerance: NotNegative,
    pub record_every: Steps,
}

impl ScheduleSettings {
    /// Checks the section named `key` for a problem.
    pub fn check(&self, key: &str, problem: &ProblemSettings) -> Result<(), Invalid> {
        check_tolerance(&format!("{key}.tolerance"), self.tolerance, problem)
    }

    /// With another tolerance.
    pub fn with_tolerance(&self, tolerance: NotNegative) -> Self {
        Self { tolerance, ..self.clone() }
    }
}

impl From<&ScheduleSettings> for Schedule {
    fn from(settings: &ScheduleSettings) -> Self {
        Self {
            max_iterations: *settings.max_iterations,
            tolerance: *settings.tolerance,
            record_every: *settings.record_every,
        }
    }
}

/// Iterations against x as the authors count them: the number of records, that at the start included, times `record_every`.
pub fn as_the_authors_count(iterations: &[Run], record_every: Steps) -> Vec<Run> {
    iterations.iter().map(|&(trial, x, iterations)| (trial, x, iterations + *record_every as f64)).collect()
}

/// Checks a recorded training loss at which training stops. With a tolerance above the loss that it starts at, it would stop
/// before its first step: half the mean square of the target's entries, which is below 1, or half their sum of squares.
pub fn check_tolerance(key: &str, tolerance: NotNegative, problem: &ProblemSettings) -> Result<(), Invalid> {
    let start = match problem.loss {
        LossSettings::Mean => 1.0,
        LossSettings::Sum => (*problem.size as f64).powi(2),
    };
    let allowed = format!("a number from 0 to below {start}: the loss that training starts at is below that");
    Invalid::unless(*tolerance < start, key, format!("{tolerance:e}"), allowed)
}

/// Checks an observed fraction where recovery is measured: with all entries observed there are none to recover.
pub fn check_partly_observed(key: &str, fraction: Fraction) -> Result<(), Invalid> {
    Invalid::unless(
        *fraction < 1.0,
        key,
        fraction,
        "above 0 and below 1: with all entries observed none is left to recover",
    )
}

/// Checks a rank guess r̂: `1 ≤ r̂ ≤ size / 2`.
pub fn check_rank_guess(key: &str, rank: Count, size: Size) -> Result<(), Invalid> {
    let allowed = format!("a whole number from 1 to half the size ({})", *size / 2);
    Invalid::unless(*rank <= *size / 2, key, rank, allowed)
}
