//! Whether two ways to make a compressed network are the same thing: many draws of each, compared by their distributions.

use charts::Series;
use lab::{Claim, Invalid};
use serde::{Deserialize, Serialize};

use super::{
    InitializationSettings, MatrixOutcome, MatrixTrial, Network, ProblemSettings, Recovery, ScheduleSettings, Start,
    check_depth, check_init_scale, check_not_negative, check_positive, check_rank_guess, check_trials, mann_whitney,
};
use crate::statements::Statement;
use crate::summary::{deviation, mean};

/// `[equivalence]`: the network that is made in both ways, and how often.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EquivalenceSettings {
    /// Draws of each: of target, observed entries and initial factors.
    pub draws: usize,
    /// Number of factors L.
    pub depth: usize,
    /// Rank guess r̂.
    pub rank_guess: usize,
    /// Init scale ε.
    pub init_scale: f64,
    /// Step size η.
    pub step_size: f64,
    /// Discrepant step γ.
    pub discrepant_step: f64,
    /// The target and what is observed of it.
    pub problem: ProblemSettings,
    /// When training stops; every iteration is to be recorded, if their number is to be compared.
    pub schedule: ScheduleSettings,
}

/// One draw: a row of `NAME.equivalence.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EquivalenceRow {
    /// "explicit" or "sampled".
    pub initialization: String,
    /// Number of the draw, from 0.
    pub draw: usize,
    /// Iterations to tolerance.
    pub iterations: u64,
    /// Whether it was met.
    pub converged: bool,
    /// Training loss at the end.
    pub training_loss: f64,
    /// Recovery error at the end.
    pub recovery_error: f64,
}

/// Both ways, by name.
const BOTH: [(&str, InitializationSettings); 2] =
    [("explicit", InitializationSettings::Explicit), ("sampled", InitializationSettings::Sampled)];

/// Below it a p-value says that two distributions differ.
const SIGNIFICANT: f64 = 0.01;

/// How far apart means may be, relatively.
const CLOSE: f64 = 0.02;

impl EquivalenceSettings {
    /// Checks the section named `key`.
    pub fn check(&self, key: &str) -> Result<(), Invalid> {
        let name = |field: &str| format!("{key}.{field}");
        Invalid::unless(self.draws >= 2, name("draws"), self.draws, "an integer from 2")?;
        check_trials(&name("draws"), self.draws)?;
        check_depth(&name("depth"), self.depth)?;
        check_rank_guess(&name("rank_guess"), self.rank_guess, self.problem.size)?;
        check_init_scale(&name("init_scale"), self.init_scale, self.depth)?;
        check_positive(&name("step_size"), self.step_size)?;
        check_not_negative(&name("discrepant_step"), self.discrepant_step)?;
        self.problem.check(&name("problem"))?;
        let fraction = self.problem.observed_fraction;
        Invalid::unless(fraction < 1.0, name("problem.observed_fraction"), fraction, "a number below 1")?;
        self.schedule.check(&name("schedule"), &self.problem)
    }

    /// All trials with their labels. Both ways have the same targets and observed entries, and initial factors of their own.
    pub fn trials(&self, experiment: &'static str, seed: u64) -> Vec<(String, MatrixTrial)> {
        let Self { depth, rank_guess, init_scale, step_size, discrepant_step, .. } = *self;
        let one = |draw: usize, (name, initialization): (&str, InitializationSettings)| {
            let trial = MatrixTrial {
                start: Start { experiment, seed, instance: draw, initialization: draw },
                problem: self.problem.clone(),
                network: initialization.network(depth, init_scale, rank_guess, discrepant_step),
                step_size,
                schedule: self.schedule.clone(),
                recovery: Recovery::AtEnd,
                snapshots: 0,
            };
            (format!("{name} construction, draw {draw}"), trial)
        };
        BOTH.into_iter().flat_map(|way| (0..self.draws).map(move |draw| one(draw, way))).collect()
    }
}

/// The row of one draw.
pub fn equivalence_row(trial: &MatrixTrial, outcome: &MatrixOutcome) -> EquivalenceRow {
    let [explicit, sampled] = BOTH.map(|(name, _)| name);
    EquivalenceRow {
        initialization: if matches!(trial.network, Network::Sampled { .. }) { sampled } else { explicit }.to_owned(),
        draw: trial.start.instance,
        iterations: outcome.final_iteration(),
        converged: outcome.converged,
        training_loss: outcome.final_loss(),
        recovery_error: outcome.final_recovery_error,
    }
}

/// A quantity over the draws of both ways, explicit first.
fn samples(rows: &[EquivalenceRow], value: impl Fn(&EquivalenceRow) -> f64) -> [Vec<f64>; 2] {
    BOTH.map(|(name, _)| rows.iter().filter(|row| row.initialization == name).map(&value).collect())
}

/// Iterations to tolerance of each way, sorted, against the share of draws.
pub fn equivalence_series(rows: &[EquivalenceRow]) -> Vec<Series> {
    let series = |((mut iterations, (name, _)), hue): ((Vec<f64>, _), usize)| {
        iterations.sort_by(f64::total_cmp);
        let draws = iterations.len() as f64;
        let points: Vec<_> = iterations.into_iter().enumerate().map(|(i, x)| ((i as f64 + 0.5) / draws, x)).collect();
        Series::new(name, points).hue(hue).markers()
    };
    samples(rows, |row| row.iterations as f64).into_iter().zip(BOTH).zip([1, 0]).map(series).collect()
}

/// Both ways need the same number of iterations, and end at the same recovery error.
pub fn equivalence_claims(settings: &EquivalenceSettings, rows: &[EquivalenceRow]) -> Vec<Claim> {
    let tested = settings.problem.size >= 100 && settings.draws >= 8 && rows.iter().all(|row| row.converged);
    let compare = |claim: &str, [a, b]: [Vec<f64>; 2], digits: fn(f64) -> String| {
        let statement = Statement { claim, paper: "not in the paper", tested };
        let (Some(mean_a), Some(mean_b)) = (mean(&a), mean(&b)) else { return statement.judged(None, false) };
        let p = mann_whitney(&a, &b);
        let spread = |values: &[f64]| deviation(values).map_or("(one draw)".to_owned(), |x| format!("± {}", digits(x)));
        let measured = format!(
            "explicit {} {}, sampled {} {}, Mann–Whitney p = {p:.2}",
            digits(mean_a),
            spread(&a),
            digits(mean_b),
            spread(&b)
        );
        statement.judged(Some(measured), (mean_b / mean_a - 1.0).abs() <= CLOSE && p >= SIGNIFICANT)
    };
    vec![
        compare(
            "sampled and explicit construction need the same number of iterations (means within 2 %, same distribution)",
            samples(rows, |row| row.iterations as f64),
            |x| format!("{x:.0}"),
        ),
        compare(
            "sampled and explicit construction end at the same recovery error (means within 2 %, same distribution)",
            samples(rows, |row| row.recovery_error),
            |x| format!("{x:.2e}"),
        ),
    ]
}
