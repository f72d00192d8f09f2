//! Ablations: what the discrepant step, the observed fraction, the init scale and the depth do to the original network
//! and to its compressed twin. Not in the paper.

use std::collections::BTreeMap;

use charts::{Axis, Figure, Lines, Series};
use lab::{
    Check, Claim, Drawing, Experiment, Finished, Invalid, Kernels, LabError, Memory, Planned, Results, Table,
    TrialContext, TrialError,
};
use serde::{Deserialize, Serialize};

use crate::drawing::drawing;
use crate::matrix::{
    self, InitializationSettings, MatrixOutcome, MatrixTrial, Network, ProblemSettings, Recovery, ScheduleSettings,
    Start, check_depth, check_init_scale, check_list, check_not_negative, check_positive, check_rank_guess, check_runs,
};
use crate::statements::Statement;
use crate::summary::{Averaged, averaged_in_logs, mean, quotients};

/// `experiments/ablations.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    problem: ProblemSettings,
    base: Base,
    vary: Vary,
    schedule: ScheduleSettings,
}

/// `[base]`: the networks that all factors are varied away from.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Base {
    depth: usize,
    init_scale: f64,
    step_size: f64,
    rank_guess: usize,
    discrepant_step: f64,
    #[serde(default)]
    initialization: InitializationSettings,
}

/// `[vary]`: the values of each factor.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vary {
    discrepant_steps: Vec<f64>,
    observed_fractions: Vec<f64>,
    init_scales: Vec<f64>,
    depths: Vec<DepthSettings>,
}

/// `[[vary.depths]]`: a depth with an init scale and a step size that suit it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DepthSettings {
    depth: usize,
    init_scale: f64,
    step_size: f64,
}

impl Vary {
    /// Number of values of all factors.
    fn values(&self) -> usize {
        let Self { discrepant_steps, observed_fractions, init_scales, depths } = self;
        discrepant_steps.len() + observed_fractions.len() + init_scales.len() + depths.len()
    }
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[2, self.vary.values()])?;
        self.problem.check("problem")?;
        check_depth("base.depth", self.base.depth)?;
        check_init_scale("base.init_scale", self.base.init_scale, self.base.depth)?;
        check_positive("base.step_size", self.base.step_size)?;
        check_rank_guess("base.rank_guess", self.base.rank_guess, self.problem.size)?;
        check_not_negative("base.discrepant_step", self.base.discrepant_step)?;
        check_list(
            "vary.discrepant_steps",
            &self.vary.discrepant_steps,
            |step| step >= 0.0 && step.is_finite(),
            "a number from 0",
        )?;
        let fractions = &self.vary.observed_fractions;
        check_list("vary.observed_fractions", fractions, |p| p > 0.0 && p <= 1.0, "a number in (0, 1]")?;
        let most = fractions.iter().copied().fold(self.problem.observed_fraction, f64::max);
        self.base.initialization.check("base.initialization", most)?;
        check_list(
            "vary.init_scales",
            &self.vary.init_scales,
            |scale| scale > 0.0 && scale.is_finite(),
            "a number above 0",
        )?;
        for (i, scale) in self.vary.init_scales.iter().enumerate() {
            check_init_scale(&format!("vary.init_scales.{i}"), *scale, self.base.depth)?;
        }
        for (i, DepthSettings { depth, init_scale, step_size }) in self.vary.depths.iter().enumerate() {
            check_depth(&format!("vary.depths.{i}.depth"), *depth)?;
            check_init_scale(&format!("vary.depths.{i}.init_scale"), *init_scale, *depth)?;
            check_positive(&format!("vary.depths.{i}.step_size"), *step_size)?;
        }
        self.schedule.check("schedule", &self.problem)
    }
}

/// One run at one value of one factor: a row of `ablations.csv`. A run at the base occurs once for each factor.
#[derive(Serialize, Deserialize)]
struct Row {
    factor: String,
    value: f64,
    network: String,
    trial: usize,
    iterations: u64,
    converged: bool,
    training_loss: f64,
    recovery_error: f64,
}

/// The experiment.
pub struct Ablations;

impl Experiment for Ablations {
    type Settings = Settings;
    type Trial = MatrixTrial;
    type Outcome = MatrixOutcome;

    const NAME: &'static str = "ablations";
    const ABOUT: &'static str = "Discrepant step, observed fraction, init scale and depth, one at a time";
    const LONG_ABOUT: &'static str = "Completes a low-rank matrix with a deep factorization of full width and with its \
        compressed twin, and varies one factor at a time: the discrepant step γ, the observed fraction p, the init \
        scale ε, the depth L. Shows the recovery error and the iterations to a given training loss. Not in the paper.";

    fn plan(settings: &Settings) -> Vec<Planned<MatrixTrial>> {
        let mut planned: Vec<Planned<MatrixTrial>> = Vec::new();
        // Equal trials have the same instance.
        let mut of_instance = BTreeMap::<usize, Vec<usize>>::new();
        for case in settings.cases() {
            let known = of_instance.entry(case.trial.start.instance).or_default();
            if known.iter().all(|&place| planned[place].trial != case.trial) {
                known.push(planned.len());
                planned.push(Planned {
                    label: case.label(),
                    kernels: Kernels::Sequential,
                    cost: if case.network == ORIGINAL { 100.0 } else { 1.0 },
                    trial: case.trial,
                });
            }
        }
        planned
    }

    fn memory(trial: &MatrixTrial) -> Memory {
        trial.memory()
    }

    fn run(trial: &MatrixTrial, context: &TrialContext) -> Result<MatrixOutcome, TrialError> {
        matrix::run(trial, context)
    }

    fn tables(settings: &Settings, finished: &[Finished<MatrixTrial, MatrixOutcome>]) -> Result<Vec<Table>, LabError> {
        let mut of_instance = BTreeMap::<usize, Vec<&Finished<MatrixTrial, MatrixOutcome>>>::new();
        for run in finished {
            of_instance.entry(run.trial.start.instance).or_default().push(run);
        }
        let rows = settings.cases().into_iter().filter_map(|case| {
            let runs = of_instance.get(&case.trial.start.instance)?;
            let outcome = &runs.iter().find(|run| run.trial == case.trial)?.outcome;
            Some(Row {
                factor: case.factor.to_owned(),
                value: case.value,
                network: case.network.to_owned(),
                trial: case.trial.start.instance,
                iterations: outcome.final_iteration(),
                converged: outcome.converged,
                training_loss: outcome.final_loss(),
                recovery_error: outcome.final_recovery_error,
            })
        });
        Ok(vec![Table::new(Self::NAME, rows)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let factors = settings.factors();
        let limit = settings.schedule.max_iterations as f64;
        let errors = factors.iter().map(|factor| {
            // Zero has no place on the logarithmic axis of γ.
            let points = factor.curve(&rows, COMPRESSED, recovery_error).mean;
            let fixed = points.into_iter().find(|point| point.0 == 0.0);
            let line = fixed.map(|(_, error)| (error, "compressed, γ = 0"));
            factor.panel(&rows, factor.title, "recovery error", recovery_error, line)
        });
        let until_stopped = factors.iter().map(|factor| {
            factor.panel(&rows, "", "iterations to tolerance", iterations, Some((limit, "limit: tolerance not met")))
        });
        let figure = Figure::new("Original and compressed network, one factor at a time")
            .subtitle(settings.subtitle())
            .columns(factors.len())
            .panel_size(330, 290)
            .panels(errors)
            .panels(until_stopped)
            .shared_legend();
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let tested = settings.problem.size >= 100;
        let statement = |claim, paper| Statement { claim, paper, tested };
        let [steps, .., depths] = settings.factors();

        let stalls = statement("fixed bases (γ = 0) are not enough: the recovery error stalls", "5e-4 against 1e-12");
        let [fixed, moving] = [0.0, settings.base.discrepant_step].map(|step| steps.errors(&rows, COMPRESSED, step));
        let stalled = Stalled::new(&fixed, &moving);

        let overfits = statement("original: depth 2 overfits, greater depths recover the target", "1.1e-3 against 0");
        let recovered = Recovered::new(&rows, &depths);

        let runs = rows.iter().filter(|row| row.factor == depths.name).count();
        let met: Vec<Row> = rows.into_iter().filter(|row| row.converged).collect();
        let share = format!(
            "; {} of {runs} runs met the tolerance",
            met.iter().filter(|row| row.factor == depths.name).count()
        );
        let [slow, fast] = [ORIGINAL, COMPRESSED].map(|network| depths.curve(&met, network, iterations).mean);
        let as_fast =
            statement("compressed needs as many iterations as the original, at every depth", "equal at depth 3");
        let as_fast = as_fast.between(0.8, 1.25, &quotients(&fast, &slow));
        Ok(vec![
            stalls.judged(stalled.in_words(), stalled.all()),
            overfits.judged(recovered.in_words(), recovered.all()),
            Claim { measured: as_fast.measured.clone() + &share, ..as_fast },
        ])
    }
}

/// In how many trials the compressed network with fixed bases ends at an error a thousand times that of the moving one.
struct Stalled {
    trials: usize,
    stalled: usize,
    /// Geometric means of both.
    means: Option<(f64, f64)>,
}

impl Stalled {
    fn new(fixed: &BTreeMap<usize, f64>, moving: &BTreeMap<usize, f64>) -> Self {
        let pairs: Vec<_> = fixed.iter().filter_map(|(trial, fixed)| Some((*fixed, *moving.get(trial)?))).collect();
        let geometric = |values: Vec<f64>| mean(&values.iter().map(|x| x.ln()).collect::<Vec<_>>()).map(f64::exp);
        let (fixed, moving) = pairs.iter().copied().unzip();
        Self {
            trials: pairs.len(),
            stalled: pairs.iter().filter(|(fixed, moving)| *fixed > 1e3 * moving).count(),
            means: geometric(fixed).zip(geometric(moving)),
        }
    }

    fn all(&self) -> bool {
        self.trials > 0 && self.stalled == self.trials
    }

    fn in_words(&self) -> Option<String> {
        let (fixed, moving) = self.means?;
        Some(format!("{} of {} trials stall, {fixed:.1e} against {moving:.1e}", self.stalled, self.trials))
    }
}

/// How many trials of the original recover the target at each depth from 3: those that end at less than a tenth of the least
/// error of depth 2, which overfits. Counted, since a mean of errors that span ten orders of magnitude hides one that fails.
struct Recovered {
    /// The least error of depth 2.
    overfitted: Option<f64>,
    /// Depth, trials, and how many of them recovered.
    depths: Vec<(f64, usize, usize)>,
}

impl Recovered {
    fn new(rows: &[Row], factor: &Factor) -> Self {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.factor == factor.name && row.network == ORIGINAL).collect();
        let shallow = rows.iter().filter(|row| row.value < 3.0).map(|row| row.recovery_error);
        let overfitted = shallow.reduce(f64::min);
        let mut depths: Vec<(f64, usize, usize)> = Vec::new();
        for row in rows.iter().filter(|row| row.value >= 3.0) {
            let recovered = usize::from(overfitted.is_some_and(|error| 10.0 * row.recovery_error < error));
            match depths.iter_mut().find(|depth| depth.0 == row.value) {
                Some(depth) => (depth.1, depth.2) = (depth.1 + 1, depth.2 + recovered),
                None => depths.push((row.value, 1, recovered)),
            }
        }
        Self { overfitted, depths }
    }

    fn all(&self) -> bool {
        self.depths.iter().all(|(_, trials, recovered)| recovered == trials)
    }

    fn in_words(&self) -> Option<String> {
        let text = |(depth, trials, recovered): &(f64, usize, usize)| {
            format!("{recovered} of {trials} recovered at depth {depth}")
        };
        let error = self.overfitted.filter(|_| !self.depths.is_empty())?;
        Some(format!(
            "{}; depth 2 ends at {error:.1e} or more",
            self.depths.iter().map(text).collect::<Vec<_>>().join(", ")
        ))
    }
}

const ORIGINAL: &str = "original";
const COMPRESSED: &str = "compressed";

/// The recovery error of a run.
fn recovery_error(row: &Row) -> f64 {
    row.recovery_error
}

/// The iterations of a run: all that there are if it did not meet the tolerance.
fn iterations(row: &Row) -> f64 {
    row.iterations as f64
}

/// A factor as its panels show it.
struct Factor {
    name: &'static str,
    title: &'static str,
    axis: Axis,
}

impl Factor {
    /// A quantity of one network against this factor.
    fn curve(&self, rows: &[Row], network: &str, quantity: fn(&Row) -> f64) -> Averaged {
        let rows = rows.iter().filter(|row| row.factor == self.name && row.network == network);
        averaged_in_logs(rows.map(|row| (row.value, quantity(row))))
    }

    /// The recovery error of one network at one value, by trial.
    fn errors(&self, rows: &[Row], network: &str, value: f64) -> BTreeMap<usize, f64> {
        let here = |row: &&Row| row.factor == self.name && row.network == network && row.value == value;
        rows.iter().filter(here).map(|row| (row.trial, row.recovery_error)).collect()
    }

    fn panel(&self, rows: &[Row], title: &str, y: &str, quantity: fn(&Row) -> f64, line: Option<(f64, &str)>) -> Lines {
        let mut axis = Axis::log(y);
        if let Some((value, _)) = line {
            // Room for the label above the line.
            axis = axis.include(3.0 * value);
        }
        let mut lines = Lines::new(title).x(self.axis.clone()).y(axis);
        for (hue, network) in [ORIGINAL, COMPRESSED].into_iter().enumerate() {
            let curve = self.curve(rows, network, quantity);
            lines = lines.series(Series::new(network, curve.mean).band(curve.band).hue(hue).markers());
        }
        line.into_iter().fold(lines, |lines, (value, label)| lines.reference(value, label))
    }
}

/// A run at one value of one factor.
struct Case {
    factor: &'static str,
    value: f64,
    network: &'static str,
    trial: MatrixTrial,
}

impl Case {
    fn label(&self) -> String {
        let Case { factor, value, network, trial } = self;
        format!("{network}, {factor} {value}, trial {}", trial.start.instance)
    }
}

impl Settings {
    /// The factors, in the order of the panels.
    fn factors(&self) -> [Factor; 4] {
        let depths = self.vary.depths.iter().map(|depth| depth.depth as f64);
        [
            ("discrepant_step", "Discrepant step", Axis::log("discrepant step γ")),
            ("observed_fraction", "Observed fraction", Axis::linear("observed fraction p").include(0.0)),
            ("init_scale", "Init scale", Axis::log("init scale ε")),
            ("depth", "Depth", Axis::linear("depth L").ticks(depths)),
        ]
        .map(|(name, title, axis)| Factor { name, title, axis })
    }

    fn subtitle(&self) -> String {
        let Settings { problem, base, trials, .. } = self;
        let ProblemSettings { size, rank, observed_fraction, .. } = problem;
        let Base { depth, init_scale, step_size, rank_guess, discrepant_step, .. } = base;
        format!(
            "base: d = {size}, r = {rank}, r̂ = {rank_guess}, p = {observed_fraction}, L = {depth}, ε = {init_scale}, \
             η = {step_size}, γ = {discrepant_step}; geometric mean ± std of {trials} trials"
        )
    }

    /// Every value of every factor, for both networks and all trials.
    fn cases(&self) -> Vec<Case> {
        let Settings { base, vary, problem, .. } = self;
        let fraction = problem.observed_fraction;
        let mut cases = Vec::new();
        for &step in &vary.discrepant_steps {
            let networks = Base { discrepant_step: step, ..base.clone() };
            cases.extend(self.cases_at("discrepant_step", step, &networks, fraction));
        }
        for &p in &vary.observed_fractions {
            // The gradient grows with the number of observed entries.
            let networks = Base { step_size: base.step_size * fraction / p, ..base.clone() };
            cases.extend(self.cases_at("observed_fraction", p, &networks, p));
        }
        for &scale in &vary.init_scales {
            let networks = Base { init_scale: scale, ..base.clone() };
            cases.extend(self.cases_at("init_scale", scale, &networks, fraction));
        }
        for &DepthSettings { depth, init_scale, step_size } in &vary.depths {
            let networks = Base { depth, init_scale, step_size, ..base.clone() };
            cases.extend(self.cases_at("depth", depth as f64, &networks, fraction));
        }
        cases
    }

    fn cases_at(&self, factor: &'static str, value: f64, networks: &Base, observed_fraction: f64) -> Vec<Case> {
        let Base { depth, init_scale, step_size, rank_guess, discrepant_step, initialization } = *networks;
        let trial = |network: Network, instance: usize| MatrixTrial {
            start: Start { experiment: Ablations::NAME, seed: self.seed, instance, initialization: 0 },
            problem: ProblemSettings { observed_fraction, ..self.problem.clone() },
            network,
            step_size,
            schedule: self.schedule.clone(),
            recovery: Recovery::AtEnd,
            snapshots: 0,
        };
        let networks = [
            (ORIGINAL, Network::Deep { depth, width: self.problem.size, init_scale }),
            (COMPRESSED, initialization.network(depth, init_scale, rank_guess, discrepant_step)),
        ];
        networks
            .into_iter()
            .flat_map(|(name, network)| (0..self.trials).map(move |instance| (name, network, instance)))
            .map(|(network, kind, instance)| Case { factor, value, network, trial: trial(kind, instance) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(profile: &str) -> Settings {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/ablations.toml");
        lab::settings::load::<Settings>(&path, profile, &[]).unwrap().settings
    }

    /// The base occurs among the values of every factor and is run once; the original does not depend on γ.
    #[test]
    fn equal_cases_are_run_once() {
        for (profile, cases, runs) in [("paper", 120, 87), ("quick", 68, 48), ("smoke", 40, 24)] {
            let settings = settings(profile);
            assert_eq!(settings.cases().len(), cases, "{profile}");
            assert_eq!(Ablations::plan(&settings).len(), runs, "{profile}");
        }
    }

    #[test]
    fn recovery_is_counted_by_trials() {
        let row = |depth: f64, trial, error| Row {
            factor: "depth".into(),
            value: depth,
            network: ORIGINAL.into(),
            trial,
            iterations: 1,
            converged: true,
            training_loss: 0.0,
            recovery_error: error,
        };
        let errors = [(2.0, [1e-2, 2e-2, 1e-1]), (3.0, [1e-9, 1e-10, 1e-8]), (4.0, [1e-9, 0.38, 1e-9])];
        let rows: Vec<Row> = errors
            .into_iter()
            .flat_map(|(depth, errors)| (0..3).map(move |k| (depth, k, errors[k])))
            .map(|(d, k, e)| row(d, k, e))
            .collect();
        let [.., depths] = settings("smoke").factors();
        let recovered = Recovered::new(&rows, &depths);
        assert!(!recovered.all());
        let expected = "3 of 3 recovered at depth 3, 2 of 3 recovered at depth 4; depth 2 ends at 1.0e-2 or more";
        assert_eq!(recovered.in_words().unwrap(), expected);
        assert!(Recovered::new(&rows[..6], &depths).all());
        assert_eq!(Recovered::new(&rows[..3], &depths).in_words(), None);
        assert_eq!(Recovered::new(&rows[3..], &depths).in_words(), None);
    }

    #[test]
    fn a_stall_is_counted_by_trials() {
        let errors = |errors: [f64; 3]| errors.into_iter().enumerate().collect::<BTreeMap<_, _>>();
        let stalled = Stalled::new(&errors([1e-4; 3]), &errors([1e-12, 1e-12, 1e-5]));
        assert!(!stalled.all());
        assert!(stalled.in_words().unwrap().starts_with("2 of 3 trials stall, 1.0e-4 against "));
        assert!(Stalled::new(&errors([1e-4; 3]), &errors([1e-12; 3])).all());
        let none = Stalled::new(&BTreeMap::new(), &errors([1e-12; 3]));
        assert!(!none.all() && none.in_words().is_none());
    }

    #[test]
    fn bad_values_are_named() {
        let mut settings = settings("paper");
        settings.vary.depths[1].depth = 1;
        assert_eq!(settings.check().unwrap_err().key, "vary.depths.1.depth");
        settings.vary.discrepant_steps[2] = -1.0;
        assert_eq!(settings.check().unwrap_err().key, "vary.discrepant_steps.2");
        settings.base.rank_guess = 51;
        assert_eq!(settings.check().unwrap_err().key, "base.rank_guess");
    }
}
