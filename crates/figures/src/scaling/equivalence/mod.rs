//! Two ways to make a compressed network, and many draws of each.

mod findings;

use charts::{Hue, Series};
use lab::Invalid;
use lab::checked::{Count, Depth, NotNegative, Positive, Trials};
use serde::{Deserialize, Serialize};

use crate::checks::check_init_scale;
use crate::matrix::{
    InitializationSettings, MatrixOutcome, MatrixTrial, ProblemSettings, ScheduleSettings, Start, check_rank_guess,
};
use crate::palette;

pub(super) use self::findings::equivalence_findings;

/// `[equivalence]`: the network that is made in both ways, and how often.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EquivalenceSettings {
    /// Draws of each: of target, observed entries and initial factors.
    pub(super) draws: Trials,
    pub(super) depth: Depth,
    pub(super) rank_guess: Count,
    pub(super) init_scale: Positive,
    pub(super) step_size: Positive,
    pub(super) discrepant_step: NotNegative,
    pub(super) problem: ProblemSettings,
    /// When training stops; every iteration is to be recorded, if their number is to be compared.
    pub(super) schedule: ScheduleSettings,
}

/// One draw: a row of `scaling.equivalence.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EquivalenceRow {
    /// "explicit" or "sampled".
    initialization: String,
    draw: usize,
    /// Iterations to tolerance.
    iterations: u64,
    /// Whether it was met.
    converged: bool,
    training_loss: f64,
    recovery_error: f64,
}

/// A way to make a compressed network.
struct Construction {
    name: &'static str,
    initialization: InitializationSettings,
    hue: Hue,
}

const EXPLICIT: Construction =
    Construction { name: "explicit", initialization: InitializationSettings::Explicit, hue: palette::COMPRESSED };
const SAMPLED: Construction =
    Construction { name: "sampled", initialization: InitializationSettings::Sampled, hue: palette::SAMPLED };

impl EquivalenceSettings {
    /// Checks the section named `key`.
    pub(super) fn check(&self, key: &str) -> Result<(), Invalid> {
        let name = |field: &str| format!("{key}.{field}");
        Invalid::unless(*self.draws >= 2, name("draws"), self.draws, "a whole number from 2 to 10000")?;
        check_rank_guess(&name("rank_guess"), self.rank_guess, self.problem.size)?;
        check_init_scale(&name("init_scale"), *self.init_scale, *self.depth)?;
        self.problem.check(&name("problem"))?;
        let fraction = self.problem.observed_fraction;
        Invalid::unless(*fraction < 1.0, name("problem.observed_fraction"), fraction, "a number below 1")?;
        self.schedule.check(&name("schedule"), &self.problem)
    }

    /// All draws: the construction's name, the draw's number, the trial. Both ways have the same targets and observed
    /// entries, and initial factors of their own.
    pub(super) fn draws(
        &self,
        experiment: &'static str,
        seed: u64,
    ) -> impl Iterator<Item = (&'static str, usize, MatrixTrial)> {
        let Self { depth, rank_guess, init_scale, step_size, discrepant_step, .. } = *self;
        let one = move |draw: usize, way: &Construction| {
            let start = Start { experiment, seed, instance: draw, initialization: draw };
            let network = way.initialization.network(*depth, *init_scale, *rank_guess, *discrepant_step);
            (way.name, draw, MatrixTrial::to_the_end(start, self.problem.clone(), network, *step_size, &self.schedule))
        };
        [EXPLICIT, SAMPLED].into_iter().flat_map(move |way| (0..*self.draws).map(move |draw| one(draw, &way)))
    }
}

/// The row of one draw.
pub(super) fn equivalence_row(construction: &str, draw: usize, outcome: &MatrixOutcome) -> EquivalenceRow {
    EquivalenceRow {
        initialization: construction.to_owned(),
        draw,
        iterations: outcome.final_iteration(),
        converged: outcome.converged,
        training_loss: outcome.final_loss(),
        recovery_error: outcome.final_recovery_error,
    }
}

fn iterations(row: &EquivalenceRow) -> f64 {
    row.iterations as f64
}

/// Iterations to tolerance of each way, sorted, against the share of draws.
pub(super) fn equivalence_series(rows: &[EquivalenceRow]) -> Vec<Series> {
    let series = |Construction { name, hue, .. }: Construction| {
        let mut values: Vec<f64> = rows.iter().filter(|row| row.initialization == name).map(iterations).collect();
        values.sort_by(f64::total_cmp);
        let draws = values.len() as f64;
        let points: Vec<_> = values.into_iter().enumerate().map(|(i, x)| ((i as f64 + 0.5) / draws, x)).collect();
        Series::new(name, points).hue(hue).markers()
    };
    [EXPLICIT, SAMPLED].map(series).into()
}
