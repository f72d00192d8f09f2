//! Width without end: what an iteration, the set-up and the memory of the compressed network cost up to a million wide.

use charts::{Axis, Figure, Lines, Series};
use lab::{
    Check, Claim, Drawing, Experiment, Finished, Invalid, Kernels, LabError, Memory, Planned, Results, Table,
    TrialContext, TrialError,
};
use serde::{Deserialize, Serialize};

use crate::drawing::drawing;
use crate::matrix::{
    self, EquivalenceRow, EquivalenceSettings, MatrixOutcome, MatrixTrial, RelativeNetwork, ScaleMethod, ScaleOutcome,
    ScaleTrial, Start, WideProblem, check_runs, check_size, equivalence_claims, equivalence_row, equivalence_series,
    run_scale,
};
use crate::statements::Statement;
use crate::summary::{averaged_in_logs, slope};

/// `experiments/scaling.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    tolerance: f64,
    record_every: u64,
    held_out_entries: usize,
    problem: WideProblem,
    network: RelativeNetwork,
    sizes: Vec<SizeSettings>,
    equivalence: EquivalenceSettings,
}

/// `[[sizes]]`: iterations of each method at one size; none: it is not run.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SizeSettings {
    size: usize,
    sampled: Option<u64>,
    explicit: Option<u64>,
    original: Option<u64>,
}

/// Most unobserved entries that the recovery error is estimated on.
const MOST_HELD_OUT: usize = 100_000_000;

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[3, self.sizes.len()])?;
        let allowed = "a number from 0 to below 1, the training loss at the start";
        Invalid::unless((0.0..1.0).contains(&self.tolerance), "tolerance", format!("{:e}", self.tolerance), allowed)?;
        Invalid::unless(self.record_every >= 1, "record_every", self.record_every, "an integer from 1")?;
        let held_out = self.held_out_entries;
        let allowed =
            format!("an integer from 2 to {MOST_HELD_OUT}: more would not change the estimate's first four digits");
        Invalid::unless((2..=MOST_HELD_OUT).contains(&held_out), "held_out_entries", held_out, allowed)?;
        Invalid::unless(!self.sizes.is_empty(), "sizes", "[]", "a list with at least one size")?;
        for (i, size) in self.sizes.iter().enumerate() {
            let known = self.sizes[..i].iter().any(|other| other.size == size.size);
            Invalid::unless(!known, format!("sizes.{i}.size"), size.size, "each size once")?;
            check_size(&format!("sizes.{i}.size"), size.size)?;
            self.problem.check("problem", size.size)?;
            self.network.check("network", size.size)?;
        }
        self.equivalence.check("equivalence")
    }
}

/// A trial of either half of the experiment.
#[derive(Clone, Debug, Serialize)]
pub enum Trial {
    /// One network at one size.
    Scale(ScaleTrial),
    /// One draw of one construction.
    Equivalence(MatrixTrial),
}

/// What it yields.
#[derive(Serialize, Deserialize)]
pub enum Outcome {
    /// Of a [`Trial::Scale`].
    Scale(ScaleOutcome),
    /// Of a [`Trial::Equivalence`].
    Equivalence(MatrixOutcome),
}

/// One record of one run: a row of `scaling.csv`.
#[derive(Serialize, Deserialize)]
struct Row {
    method: String,
    size: usize,
    observed_entries: usize,
    trial: usize,
    iteration: u64,
    training_loss: f64,
    held_out_error: f64,
    held_out_standard_error: f64,
}

/// What one run cost: a row of `scaling.timing.csv`.
#[derive(Serialize, Deserialize)]
struct Cost {
    method: String,
    size: usize,
    trial: usize,
    iterations: u64,
    problem_seconds: f64,
    setup_seconds: f64,
    training_seconds: f64,
    seconds_per_iteration: f64,
    peak_memory_mib: f64,
}

/// The experiment.
pub struct Scaling;

impl Experiment for Scaling {
    type Settings = Settings;
    type Trial = Trial;
    type Outcome = Outcome;

    const NAME: &'static str = "scaling";
    const ABOUT: &'static str = "Time and memory against width, up to a million; sampled against explicit construction";
    const LONG_ABOUT: &'static str = "Completes low-rank matrices of growing size, with as many observed entries in each \
        row, by the compressed twin of a network that is never built (sampled construction), by the one made from the \
        original's factors, and by the original, each up to where it still fits. Shows seconds per iteration, set-up \
        seconds and peak memory against the size, held-out errors against iterations and seconds, and that both \
        constructions need the same number of iterations. Not in the paper.";

    fn plan(settings: &Settings) -> Vec<Planned<Trial>> {
        let mut planned = settings.scale_trials();
        for (label, trial) in settings.equivalence.trials(Self::NAME, settings.seed) {
            planned.push(Planned { label, trial: Trial::Equivalence(trial), kernels: Kernels::Sequential, cost: 1.0 });
        }
        planned
    }

    fn memory(trial: &Trial) -> Memory {
        match trial {
            Trial::Scale(trial) => trial.memory(),
            Trial::Equivalence(trial) => trial.memory().within("equivalence"),
        }
    }

    fn run(trial: &Trial, context: &TrialContext) -> Result<Outcome, TrialError> {
        match trial {
            Trial::Scale(trial) => run_scale(trial, context).map(Outcome::Scale),
            Trial::Equivalence(trial) => matrix::run(trial, context).map(Outcome::Equivalence),
        }
    }

    fn tables(_: &Settings, finished: &[Finished<Trial, Outcome>]) -> Result<Vec<Table>, LabError> {
        let (mut rows, mut costs, mut equivalence) = (Vec::new(), Vec::new(), Vec::new());
        for run in finished {
            match (&run.trial, &run.outcome) {
                (Trial::Scale(trial), Outcome::Scale(outcome)) => {
                    rows.extend(records(trial, outcome));
                    costs.push(cost(trial, outcome));
                }
                (Trial::Equivalence(trial), Outcome::Equivalence(outcome)) => {
                    equivalence.push(equivalence_row(trial, outcome));
                }
                _ => unreachable!("an outcome of another trial"),
            }
        }
        Ok(vec![
            Table::new(Self::NAME, rows)?,
            Table::companion(Self::NAME, "timing", costs)?,
            Table::companion(Self::NAME, "equivalence", equivalence)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let costs: Vec<Cost> = results.read("scaling.timing")?;
        let equivalence: Vec<EquivalenceRow> = results.read("scaling.equivalence")?;
        let against_size = |title: &str, y: &str, value: fn(&Cost) -> f64| {
            ScaleMethod::ALL.into_iter().enumerate().fold(
                Lines::new(title).x(Axis::log("size d")).y(Axis::log(y)),
                |panel, (hue, method)| {
                    let curve = by_size(&costs, method, value);
                    let label = slope(&curve)
                        .map_or(method.name().to_owned(), |slope| format!("{}: d^{slope:.2}", method.name()));
                    panel.series(Series::new(label, curve).hue(hue).markers())
                },
            )
        };
        let gibibytes = |cost: &Cost| cost.peak_memory_mib / 1024.0;
        let memory = against_size("Peak memory", "GiB", gibibytes).reference(MOST_MEMORY_MIB / 1024.0, "6 GiB");
        let error = || Axis::log("held-out error / its start");
        let mut by_iteration = Lines::new("Held-out error").x(Axis::linear("iteration t")).y(error());
        let mut by_time =
            Lines::new("The same against time, sampled construction").x(Axis::log("time with set-up (s)")).y(error());
        let small = settings.sizes.iter().filter(|s| s.original.is_some()).map(|s| s.size).min();
        if let Some(size) = small {
            let (mean, _) = relative_errors(&rows, ScaleMethod::Original, size);
            by_iteration = by_iteration.series(Series::new(format!("original, d = {size}"), mean).hue(2).dashed());
        }
        let shown = settings.sizes.iter().map(|s| s.size).filter(|&size| is_power_of_ten(size));
        for (hue, size) in shown.enumerate() {
            let label = format!("sampled, d = {}", power_of_ten(size));
            let (mean, band) = relative_errors(&rows, ScaleMethod::Sampled, size);
            by_iteration = by_iteration.series(Series::new(&label, mean.clone()).band(band).hue(3 + hue));
            by_time = by_time.series(Series::new(&label, in_seconds(&mean, &costs, size)).hue(3 + hue));
        }
        let draws = Lines::new("Sampled and explicit construction")
            .x(Axis::linear("share of draws").range(0.0, 1.0))
            .y(Axis::linear("iterations to tolerance"))
            .many(equivalence_series(&equivalence));
        let figure = Figure::new("Width without end: the compressed twin of a network that is never built")
            .subtitle(settings.subtitle())
            .columns(3)
            .panel_size(400, 310)
            .panel(against_size("Time of an iteration", "seconds per iteration", |cost| cost.seconds_per_iteration))
            .panel(against_size("Making the initial factors", "set-up seconds", |cost| cost.setup_seconds))
            .panel(memory)
            .panel(by_iteration)
            .panel(by_time)
            .panel(draws);
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let costs: Vec<Cost> = results.read("scaling.timing")?;
        let mut claims = equivalence_claims(&settings.equivalence, &results.read("scaling.equivalence")?);
        for (quantity, limit, value) in [
            ("seconds per iteration", 1.35, (|cost| cost.seconds_per_iteration) as fn(&Cost) -> f64),
            ("set-up seconds", 1.5, |cost| cost.setup_seconds),
            ("peak memory", 1.1, |cost| cost.peak_memory_mib),
        ] {
            claims.push(growth(settings, &costs, quantity, limit, value));
        }
        claims.push(trained(&rows, &costs));
        claims.push(million(&costs));
        Ok(claims)
    }
}

/// The most memory a million wide may take.
const MOST_MEMORY_MIB: f64 = 6.0 * 1024.0;

fn records<'a>(trial: &'a ScaleTrial, outcome: &'a ScaleOutcome) -> impl Iterator<Item = Row> + 'a {
    (0..outcome.iterations.len()).map(|k| Row {
        method: trial.method.name().to_owned(),
        size: trial.size,
        observed_entries: outcome.observed_entries,
        trial: trial.start.instance,
        iteration: outcome.iterations[k],
        training_loss: outcome.losses[k],
        held_out_error: outcome.held_out[k].0,
        held_out_standard_error: outcome.held_out[k].1,
    })
}

fn cost(trial: &ScaleTrial, outcome: &ScaleOutcome) -> Cost {
    let iterations = outcome.iterations.last().copied().unwrap_or(0);
    Cost {
        method: trial.method.name().to_owned(),
        size: trial.size,
        trial: trial.start.instance,
        iterations,
        problem_seconds: outcome.problem_seconds,
        setup_seconds: outcome.setup_seconds,
        training_seconds: outcome.training_seconds,
        // Before the first step and after each, the loss and its gradients are computed.
        seconds_per_iteration: outcome.training_seconds / (iterations + 1) as f64,
        peak_memory_mib: outcome.peak_bytes as f64 / f64::from(1 << 20),
    }
}

/// A cost of one method against the size.
fn by_size(costs: &[Cost], method: ScaleMethod, value: impl Fn(&Cost) -> f64) -> Vec<(f64, f64)> {
    let rows = costs.iter().filter(|cost| cost.method == method.name());
    averaged_in_logs(rows.map(|cost| (cost.size as f64, value(cost)))).mean
}

/// Points (iteration, value) and intervals around them.
type Curve = (Vec<(f64, f64)>, Vec<(f64, f64, f64)>);

/// Held-out error of one network in units of its start, first trial, and ± two standard errors.
fn relative_errors(rows: &[Row], method: ScaleMethod, size: usize) -> Curve {
    let rows: Vec<&Row> = rows.iter().filter(|r| r.method == method.name() && r.size == size && r.trial == 0).collect();
    let start = rows.first().map_or(1.0, |row| row.held_out_error);
    let relative = |row: &Row| {
        let (error, deviation) = (row.held_out_error / start, 2.0 * row.held_out_standard_error / start);
        (row.iteration as f64, error, deviation)
    };
    rows.into_iter().map(relative).map(|(t, error, e)| ((t, error), (t, error - e, error + e))).unzip()
}

/// A curve against seconds, those of the set-up included, at the mean pace of the run.
fn in_seconds(curve: &[(f64, f64)], costs: &[Cost], size: usize) -> Vec<(f64, f64)> {
    let name = ScaleMethod::Sampled.name();
    let Some(cost) = costs.iter().find(|c| c.method == name && c.size == size && c.trial == 0) else {
        return Vec::new();
    };
    let seconds = |iteration: f64| cost.problem_seconds + cost.setup_seconds + iteration * cost.seconds_per_iteration;
    curve.iter().map(|&(iteration, error)| (seconds(iteration), error)).collect()
}

/// What grows about as fast as the size for the sampled network.
fn growth(settings: &Settings, costs: &[Cost], quantity: &str, limit: f64, value: impl Fn(&Cost) -> f64) -> Claim {
    let slopes = ScaleMethod::ALL.map(|method| (method, slope(&by_size(costs, method, &value))));
    let found: Vec<String> = slopes
        .iter()
        .filter_map(|(method, slope)| slope.map(|slope| format!("{} d^{slope:.2}", method.name())))
        .collect();
    let spans = settings.sizes.iter().map(|s| s.size).max().unwrap_or(0) >= 100_000;
    Statement {
        claim: &format!("{quantity} of the sampled construction: growth with the size at most d^{limit}"),
        paper: "not in the paper",
        tested: spans,
    }
    .judged((!found.is_empty()).then(|| found.join("; ")), slopes[0].1.is_some_and(|slope| slope <= limit))
}

/// A hundred thousand wide, trained to 1e-8 of the error at the start, in 20 minutes at most.
fn trained(rows: &[Row], costs: &[Cost]) -> Claim {
    let size = 100_000;
    let (curve, _) = relative_errors(rows, ScaleMethod::Sampled, size);
    let reached = in_seconds(&curve, costs, size).into_iter().find(|point| point.1 < 1e-8);
    let last = curve.last().map(|point| point.1);
    Statement {
        claim: "d = 100 000 is trained to a held-out error of 1e-8 of its start within 20 minutes",
        paper: "not in the paper",
        tested: last.is_some(),
    }
    .judged(
        last.map(|last| match reached {
            Some((seconds, _)) => format!("below 1e-8 after {seconds:.0} s; {last:.1e} at the end"),
            None => format!("{last:.1e} at the end"),
        }),
        reached.is_some_and(|(seconds, _)| seconds <= 1200.0),
    )
}

/// A million wide, at least 50 iterations, at most 6 GiB.
fn million(costs: &[Cost]) -> Claim {
    let name = ScaleMethod::Sampled.name();
    let run = costs.iter().find(|cost| cost.method == name && cost.size == 1_000_000);
    Statement {
        claim: "d = 1 000 000 with 1e8 observed entries: at least 50 iterations in at most 6 GiB",
        paper: "not in the paper",
        tested: run.is_some(),
    }
    .judged(
        run.map(|run| {
            let (gibibytes, pace) = (run.peak_memory_mib / 1024.0, run.seconds_per_iteration);
            format!("{} iterations of {pace:.2} s, {gibibytes:.2} GiB", run.iterations)
        }),
        run.is_some_and(|run| run.iterations >= 50 && run.peak_memory_mib <= MOST_MEMORY_MIB),
    )
}

fn is_power_of_ten(size: usize) -> bool {
    size.checked_ilog10().is_some_and(|exponent| 10usize.pow(exponent) == size)
}

/// `10⁵` for 100 000.
fn power_of_ten(size: usize) -> String {
    let exponent = size.ilog10().to_string();
    format!("10{}", exponent.chars().map(|digit| SUPERSCRIPTS[digit as usize - '0' as usize]).collect::<String>())
}

const SUPERSCRIPTS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

impl Settings {
    fn subtitle(&self) -> String {
        let WideProblem { rank, observed_per_row, .. } = self.problem;
        let RelativeNetwork { depth, rank_guess, .. } = self.network;
        format!(
            "{observed_per_row} observed entries per row, r = {rank}, r̂ = {rank_guess}, L = {depth}; last panel: d = {}, {} draws",
            self.equivalence.problem.size, self.equivalence.draws
        )
    }

    /// All sizes and methods, one at a time on all threads.
    fn scale_trials(&self) -> Vec<Planned<Trial>> {
        let mut planned = Vec::new();
        for sizes in &self.sizes {
            for (method, iterations) in
                ScaleMethod::ALL.into_iter().zip([sizes.sampled, sizes.explicit, sizes.original])
            {
                let Some(max_iterations) = iterations else { continue };
                for instance in 0..self.trials {
                    let trial = self.scale_trial(sizes.size, method, max_iterations, instance);
                    planned.push(Planned {
                        label: format!("{}, d = {}, trial {instance}", method.name(), sizes.size),
                        kernels: Kernels::Parallel,
                        cost: work(&trial),
                        trial: Trial::Scale(trial),
                    });
                }
            }
        }
        planned
    }

    fn scale_trial(&self, size: usize, method: ScaleMethod, max_iterations: u64, instance: usize) -> ScaleTrial {
        ScaleTrial {
            start: Start { experiment: Scaling::NAME, seed: self.seed, instance, initialization: 0 },
            size,
            problem: self.problem.clone(),
            method,
            network: self.network.clone(),
            max_iterations,
            tolerance: self.tolerance,
            record_every: self.record_every,
            held_out_entries: self.held_out_entries,
        }
    }
}

/// Multiply-adds of a trial, roughly, in millions.
fn work(trial: &ScaleTrial) -> f64 {
    let (size, iterations) = (trial.size as f64, trial.max_iterations as f64);
    let sparse = iterations * size * (trial.problem.observed_per_row * trial.network.rank_guess) as f64;
    let dense = match trial.method {
        ScaleMethod::Sampled => 0.0,
        ScaleMethod::Explicit => 50.0 * size.powi(3),
        ScaleMethod::Original => (10.0 + 3.0 * iterations) * size.powi(3),
    };
    (sparse + dense) / 1e6
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lab::Verdict;

    use super::*;

    fn settings(profile: &str) -> Settings {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/scaling.toml");
        lab::settings::load::<Settings>(&path, profile, &[]).unwrap().settings
    }

    #[test]
    fn every_profile_is_valid_and_stops_where_it_should() {
        for (profile, runs, largest) in [("paper", 52, 1_000_000), ("quick", 25, 100_000), ("smoke", 10, 1000)] {
            let settings = settings(profile);
            assert_eq!(Scaling::plan(&settings).len(), runs, "{profile}");
            assert_eq!(settings.sizes.iter().map(|s| s.size).max(), Some(largest), "{profile}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        let key = |change: fn(&mut Settings)| {
            let mut settings = settings("paper");
            change(&mut settings);
            settings.check().unwrap_err().key
        };
        assert_eq!(key(|s| s.sizes[1].size = 1000), "sizes.1.size");
        assert_eq!(key(|s| s.sizes[0].size = 100), "problem.observed_per_row");
        assert_eq!(key(|s| s.problem.target = matrix::TargetSettings::Gaussian), "problem.target");
        assert_eq!(key(|s| s.problem.rank = 0), "problem.rank");
        assert_eq!(key(|s| s.network.step_size = 0.0), "network.step_size");
        assert_eq!(key(|s| s.network.rank_guess = 501), "network.rank_guess");
        assert_eq!(key(|s| s.held_out_entries = 1), "held_out_entries");
        assert_eq!(key(|s| s.sizes.clear()), "sizes");
        assert_eq!(key(|s| s.equivalence.draws = 1), "equivalence.draws");
        assert_eq!(key(|s| s.equivalence.problem.observed_fraction = 1.0), "equivalence.problem.observed_fraction");
    }

    /// Twenty draws of each with the rank known, ten with it overestimated, where the singular vectors beyond the rank are the noise's.
    #[test]
    fn sampled_and_explicit_construction_are_the_same_thing() {
        let exact = settings("paper").equivalence;
        assert_eq!((exact.draws, exact.problem.size), (20, 300));
        let over = EquivalenceSettings { draws: 10, rank_guess: 8, ..exact.clone() };
        for settings in [exact, over] {
            let run = |(_, trial): (String, MatrixTrial)| {
                let outcome = matrix::run(&trial, &TrialContext::silent(1)).unwrap();
                equivalence_row(&trial, &outcome)
            };
            let rows: Vec<EquivalenceRow> = settings.trials(Scaling::NAME, 0).into_iter().map(run).collect();
            for Claim { claim, measured, verdict, .. } in equivalence_claims(&settings, &rows) {
                assert_eq!(verdict, Verdict::Holds, "r̂ = {}: {claim}: {measured}", settings.rank_guess);
            }
        }
    }

    #[test]
    fn sizes_are_written_as_powers() {
        assert_eq!(power_of_ten(1_000_000), "10⁶");
        assert!(is_power_of_ten(1000) && !is_power_of_ten(3000) && !is_power_of_ten(0));
    }
}
