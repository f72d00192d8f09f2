//! Compressed against narrow (Fig. 6): iterations and time that networks of the same small width need, by rank guess.

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
use crate::reference::{read_reference, reference_points, reference_table};
use crate::statements::Statement;
use crate::summary::{Averaged, averaged, quotients};

/// `experiments/compressed-vs-narrow.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    rank_guesses: Vec<usize>,
    depth: usize,
    init_scale: f64,
    step_size: f64,
    discrepant_step: f64,
    #[serde(default)]
    initialization: InitializationSettings,
    problem: ProblemSettings,
    schedule: ScheduleSettings,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[3, self.rank_guesses.len()])?;
        self.problem.check("problem")?;
        check_list("rank_guesses", &self.rank_guesses, |rank| rank >= 1, "an integer from 1")?;
        for (i, &rank) in self.rank_guesses.iter().enumerate() {
            check_rank_guess(&format!("rank_guesses.{i}"), rank, self.problem.size)?;
        }
        check_depth("depth", self.depth)?;
        check_init_scale("init_scale", self.init_scale, self.depth)?;
        check_positive("step_size", self.step_size)?;
        check_not_negative("discrepant_step", self.discrepant_step)?;
        self.initialization.check("initialization", self.problem.observed_fraction)?;
        self.schedule.check("schedule", &self.problem)
    }
}

/// One run: a row of `compressed-vs-narrow.csv`.
#[derive(Serialize, Deserialize)]
struct Row {
    network: String,
    rank_guess: usize,
    trial: usize,
    iterations: u64,
    converged: bool,
    training_loss: f64,
    recovery_error: f64,
}

/// The clock of one run: a row of `compressed-vs-narrow.timing.csv`, in the order of the main table.
#[derive(Serialize, Deserialize)]
struct Timing {
    network: String,
    rank_guess: usize,
    trial: usize,
    seconds: f64,
    setup_seconds: f64,
}

/// The experiment.
pub struct CompressedVsNarrow;

impl Experiment for CompressedVsNarrow {
    type Settings = Settings;
    type Trial = MatrixTrial;
    type Outcome = MatrixOutcome;

    const NAME: &'static str = "compressed-vs-narrow";
    const ABOUT: &'static str = "Iterations and time to tolerance by rank guess: compressed, random narrow (Fig. 6)";
    const LONG_ABOUT: &'static str = "Completes a low-rank matrix from a part of its entries with three networks as \
        small as a guess r̂ of the target's rank allows (Fig. 6 of the paper): a narrow one of width 2r̂ from a random \
        start, the compressed twin of a wide one, and, not in the paper, one that starts from the top r̂ singular \
        vectors of the observed entries. Shows iterations and time to a given training loss against r̂.";

    fn plan(settings: &Settings) -> Vec<Planned<MatrixTrial>> {
        let mut planned = Vec::new();
        for &rank_guess in &settings.rank_guesses {
            for (name, network, cost) in settings.networks(rank_guess) {
                for trial in 0..settings.trials {
                    planned.push(Planned {
                        label: format!("{name}, rank guess {rank_guess}, trial {trial}"),
                        trial: settings.trial(network, trial),
                        kernels: Kernels::Sequential,
                        cost,
                    });
                }
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

    fn tables(_: &Settings, finished: &[Finished<MatrixTrial, MatrixOutcome>]) -> Result<Vec<Table>, LabError> {
        let rows = finished.iter().map(|f| {
            let (network, rank_guess) = name_and_rank_guess(f.trial.network);
            Row {
                network: network.to_owned(),
                rank_guess,
                trial: f.trial.start.instance,
                iterations: f.outcome.final_iteration(),
                converged: f.outcome.converged,
                training_loss: f.outcome.final_loss(),
                recovery_error: f.outcome.final_recovery_error,
            }
        });
        let clocks = finished.iter().map(|f| {
            let (network, rank_guess) = name_and_rank_guess(f.trial.network);
            Timing {
                network: network.to_owned(),
                rank_guess,
                trial: f.trial.start.instance,
                seconds: f.outcome.final_seconds(),
                setup_seconds: f.outcome.setup_seconds,
            }
        });
        Ok(vec![
            Table::new(Self::NAME, rows)?,
            Table::companion(Self::NAME, "timing", clocks)?,
            reference_table(Self::NAME)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let clocks: Vec<Timing> = results.read("compressed-vs-narrow.timing")?;
        let reference = read_reference(results, Self::NAME)?;
        let ticks = || settings.rank_guesses.iter().map(|&rank| rank as f64);
        let panel = |title: &str, y: &str| {
            let x = Axis::linear("rank guess r̂").ticks(ticks());
            Lines::new(title).x(x).y(Axis::linear(y).include(0.0))
        };
        let mut iterations = panel("Iterations to tolerance", "iterations");
        let mut time = panel("Time to tolerance (paper: on a GPU)", "time with set-up (s)");
        for (name, hue, reported) in [(NARROW, 3, "random"), (COMPRESSED, 1, "compressed"), (SPECTRAL, 4, "")] {
            let series = |curve: Averaged| Series::new(name, curve.mean).band(curve.band).hue(hue).markers();
            let paper = |quantity: &str, label: &str| {
                let points = reference_points(&reference, reported, quantity);
                (settings.as_in_the_paper() && !points.is_empty())
                    .then(|| Series::new(format!("{name}, {label}"), points).hue(hue).paper())
            };
            iterations = iterations.series(series(iterations_of(&rows, name))).many(paper("iterations", "paper"));
            time = time.series(series(seconds_of(&rows, &clocks, name))).many(paper("gpu_seconds", "paper"));
        }
        let figure = Figure::new("Networks as small as the rank guess allows")
            .subtitle(settings.subtitle())
            .panel_size(460, 320)
            .panel(iterations)
            .panel(time)
            .shared_legend();
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let clocks: Vec<Timing> = results.read("compressed-vs-narrow.timing")?;
        let reference = read_reference(results, Self::NAME)?;
        let [narrow, compressed] = [NARROW, COMPRESSED].map(|name| iterations_of(&rows, name).mean);
        let [narrow_time, compressed_time] = [NARROW, COMPRESSED].map(|name| seconds_of(&rows, &clocks, name).mean);
        let in_paper = settings.as_in_the_paper();
        let shape = |claim, paper| Statement { claim, paper, tested: settings.problem.size >= 300 };
        let value = |claim, paper| Statement { claim, paper, tested: in_paper };

        let robust = shape("compressed: iterations do not depend on the rank guess", "about 19500 for every r̂");
        let slower =
            shape("random narrow needs more iterations than compressed at every rank guess", "2.3 to 3.2 times");
        let gains = shape("random narrow: iterations fall with the rank guess", "from 62000 to 45200");
        let twice =
            value("random narrow takes 2 to 3 times as long as compressed", "2 to 3 times; in the figure 1.8 to 2.5");
        let same = value("compressed: iterations as reported, within 5 %", "read off the figure");
        let same_narrow = value("random narrow: iterations as reported, within 20 %", "read off the figure");
        let reported = |series| reference_points(&reference, series, "iterations");
        Ok(vec![
            robust.level(1.1, &compressed),
            slower.between(1.0, f64::INFINITY, &quotients(&narrow, &compressed)),
            gains.falls(1.0, &narrow),
            // With the reading error of the figure, and from one end of the rank guesses to the other.
            twice.between(1.7, 3.3, &quotients(&narrow_time, &compressed_time)),
            same.as_reported(1.05, &compressed, &reported("compressed")),
            same_narrow.as_reported(1.2, &narrow, &reported("random")),
        ])
    }
}

/// Iterations of the runs of one network that met the tolerance, by rank guess.
fn iterations_of(rows: &[Row], network: &str) -> Averaged {
    let rows = rows.iter().filter(|row| row.network == network && row.converged);
    averaged(rows.map(|row| (row.rank_guess as f64, row.iterations as f64)))
}

/// Seconds of the runs of one network that met the tolerance, with the making of the initial factors, by rank guess.
fn seconds_of(rows: &[Row], clocks: &[Timing], network: &str) -> Averaged {
    let met = rows.iter().zip(clocks).filter(|(row, _)| row.network == network && row.converged);
    averaged(met.map(|(row, clock)| (row.rank_guess as f64, clock.seconds + clock.setup_seconds)))
}

const NARROW: &str = "random narrow";
const COMPRESSED: &str = "compressed";
const SPECTRAL: &str = "spectral";

/// What the tables call a network, and the rank guess it belongs to.
fn name_and_rank_guess(network: Network) -> (&'static str, usize) {
    match network {
        Network::Compressed { rank_guess, .. } | Network::Sampled { rank_guess, .. } => (COMPRESSED, rank_guess),
        Network::Spectral { rank_guess, .. } => (SPECTRAL, rank_guess),
        Network::Deep { width, .. } => (NARROW, width / 2),
        Network::CompressedExact { .. } => unreachable!("not in the plan"),
    }
}

impl Settings {
    /// Whether the problem and the start are the paper's; others do not bear on its numbers.
    fn as_in_the_paper(&self) -> bool {
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        (size, rank, observed_fraction, self.init_scale, self.step_size) == (1000, 5, 0.2, 1e-3, 5e3)
    }

    fn subtitle(&self) -> String {
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        let Settings { depth, init_scale, step_size, discrepant_step, trials, .. } = self;
        format!(
            "d = {size}, r = {rank}, p = {observed_fraction}, L = {depth}, ε = {init_scale}, η = {step_size}, \
             γ = {discrepant_step}; mean ± std of {trials} trials"
        )
    }

    /// The networks for one rank guess, with their relative duration.
    fn networks(&self, rank_guess: usize) -> [(&'static str, Network, f64); 3] {
        let Settings { depth, init_scale, discrepant_step, .. } = *self;
        let width = 2 * rank_guess;
        let compressed = self.initialization.network(depth, init_scale, rank_guess, discrepant_step);
        [
            (NARROW, Network::Deep { depth, width, init_scale }, 3.0 * width as f64),
            (COMPRESSED, compressed, width as f64),
            (SPECTRAL, Network::Spectral { depth, init_scale, rank_guess, discrepant_step }, rank_guess as f64),
        ]
    }

    /// Trials differ in everything random; networks of the same trial share target and observed entries.
    fn trial(&self, network: Network, trial: usize) -> MatrixTrial {
        MatrixTrial {
            start: Start { experiment: CompressedVsNarrow::NAME, seed: self.seed, instance: trial, initialization: 0 },
            problem: self.problem.clone(),
            network,
            step_size: self.step_size,
            schedule: self.schedule.clone(),
            recovery: Recovery::AtEnd,
            snapshots: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(profile: &str) -> Settings {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/compressed-vs-narrow.toml");
        lab::settings::load::<Settings>(&path, profile, &[]).unwrap().settings
    }

    #[test]
    fn every_profile_is_valid() {
        for (profile, runs) in [("paper", 90), ("quick", 18), ("smoke", 12)] {
            assert_eq!(CompressedVsNarrow::plan(&settings(profile)).len(), runs, "{profile}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        let mut settings = settings("quick");
        assert!(!settings.as_in_the_paper());
        settings.rank_guesses[1] = 151;
        assert_eq!(settings.check().unwrap_err().key, "rank_guesses.1");
        settings.problem.size = 0;
        assert_eq!(settings.check().unwrap_err().key, "problem.size");
    }
}
