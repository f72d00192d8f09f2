//! Figure 5: matrix completion, the original network against its compressed twin.

use charts::Series;
use lab::{
    Check, Claim, Drawing, Experiment, Finished, Invalid, LabError, Memory, Planned, Results, Table, TrialContext,
    TrialError,
};
use serde::{Deserialize, Serialize};

use crate::drawing::drawing;
use crate::matrix::*;
use crate::reference::{ReferenceRow, read_reference, reference_table};

/// `experiments/completion.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    depth: usize,
    init_scale: f64,
    step_size: f64,
    rank_guess: usize,
    #[serde(default)]
    initialization: InitializationSettings,
    discrepant_steps: Vec<f64>,
    spectral_discrepant_step: f64,
    original_tolerance: f64,
    trajectory_records: usize,
    problem: ProblemSettings,
    schedule: ScheduleSettings,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        self.problem.check("problem")?;
        self.schedule.check("schedule", &self.problem)?;
        check_runs(self.trials, &[self.discrepant_steps.len() + 2])?;
        check_depth("depth", self.depth)?;
        check_init_scale("init_scale", self.init_scale, self.depth)?;
        check_positive("step_size", self.step_size)?;
        check_rank_guess("rank_guess", self.rank_guess, self.problem.size)?;
        self.initialization.check("initialization", self.problem.observed_fraction)?;
        check_list("discrepant_steps", &self.discrepant_steps, |g| g >= 0.0 && g.is_finite(), "a number from 0")?;
        check_not_negative("spectral_discrepant_step", self.spectral_discrepant_step)?;
        check_tolerance("original_tolerance", self.original_tolerance, &self.problem)?;
        Invalid::unless(self.trajectory_records >= 1, "trajectory_records", self.trajectory_records, "1 or more")
    }
}

impl Settings {
    /// The networks, the original first.
    fn networks(&self) -> Vec<Compared> {
        let Settings { depth, init_scale, rank_guess, .. } = *self;
        let (width, tolerance) = (self.problem.size, self.schedule.tolerance);
        let mut networks = vec![Compared {
            name: ORIGINAL.to_owned(),
            hue: 0,
            network: Network::Deep { depth, width, init_scale },
            tolerance: self.original_tolerance,
        }];
        for (k, &discrepant_step) in self.discrepant_steps.iter().enumerate() {
            networks.push(Compared {
                name: compressed(discrepant_step),
                // Hues 3 and 4 belong to the narrow and the spectral network.
                hue: if k < 2 { 1 + k } else { 5 + (k - 2) % 3 },
                network: self.initialization.network(depth, init_scale, rank_guess, discrepant_step),
                tolerance,
            });
        }
        let discrepant_step = self.spectral_discrepant_step;
        networks.push(Compared {
            name: format!("spectral, γ = {discrepant_step}"),
            hue: 4,
            network: Network::Spectral { depth, init_scale, rank_guess, discrepant_step },
            tolerance,
        });
        networks
    }

    /// Whether the instance is as large as the paper's.
    fn at_papers_size(&self) -> bool {
        self.problem.size >= 1000
    }

    fn subtitle(&self) -> String {
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        format!(
            "d = {size}, r = {rank}, r̂ = {}, L = {}, p = {observed_fraction}, ε = {}, η = {}{}",
            self.rank_guess,
            self.depth,
            self.init_scale,
            self.step_size,
            over_trials(self.trials)
        )
    }
}

const ORIGINAL: &str = "original";

fn compressed(discrepant_step: f64) -> String {
    format!("compressed, γ = {discrepant_step}")
}

/// The experiment.
pub struct Completion;

impl Experiment for Completion {
    type Settings = Settings;
    type Trial = MatrixTrial;
    type Outcome = MatrixOutcome;

    const NAME: &'static str = "completion";
    const ABOUT: &'static str = "Matrix completion, original against compressed network (Fig. 5)";
    const LONG_ABOUT: &'static str = "Completes a low-rank matrix from a fraction of its entries with a deep \
        factorization of full width (the original), with its compressed twin for several discrepant steps γ, and with \
        the spectral initialization of Kwon et al. Shows their end-to-end trajectories in three principal components, \
        the recovery error against iterations, and against seconds. Figure 5 of the paper.";

    fn plan(settings: &Settings) -> Vec<Planned<MatrixTrial>> {
        let Settings { seed, step_size, ref problem, ref schedule, .. } = *settings;
        let trial = |trial: usize, network: &Compared| MatrixTrial {
            start: Start { experiment: Self::NAME, seed, instance: trial, initialization: trial },
            problem: problem.clone(),
            network: network.network,
            step_size,
            schedule: schedule.with_tolerance(network.tolerance),
            recovery: Recovery::EveryRecord,
            snapshots: KEEP_ALL,
        };
        comparison_plan(&settings.networks(), settings.trials, trial)
    }

    fn memory(trial: &MatrixTrial) -> Memory {
        trial.memory()
    }

    fn run(trial: &MatrixTrial, context: &TrialContext) -> Result<MatrixOutcome, TrialError> {
        run(trial, context)
    }

    fn tables(settings: &Settings, finished: &[Finished<MatrixTrial, MatrixOutcome>]) -> Result<Vec<Table>, LabError> {
        let mut tables = comparison_tables(Self::NAME, &settings.networks(), settings.trajectory_records, finished)?;
        tables.push(reference_table(Self::NAME)?);
        Ok(tables)
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let (networks, records) = (settings.networks(), settings.trajectory_records);
        let value = |row: &CurveRow| row.recovery_error;
        let mut panels = ComparisonPanels::new(results, Self::NAME, &networks, records, "Recovery error", value)?;
        if settings.at_papers_size() {
            let reference = read_reference(results, Self::NAME)?;
            let milestones = paper_milestones(&reference, settings.schedule.max_iterations);
            panels.by_iteration = panels.by_iteration.many(milestones);
        }
        let figure = panels.figure("Completion: the original network and its compressed twin", settings.subtitle());
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let curves: Vec<CurveRow> = results.read(Self::NAME)?;
        let clock: Vec<TimingRow> = results.read("completion.timing")?;
        let moving = settings.discrepant_steps.iter().copied().find(|step| *step > 0.0);
        let mut claims = Vec::new();
        if let Some(step) = moving {
            let names = [ORIGINAL, &compressed(step)];
            claims.push(same_iterations(&curves, names, settings.original_tolerance));
            claims.push(speed_claim(&clock, names, 7.0, "43.5 s and 6.2 s on a GPU", settings.at_papers_size()));
            if settings.discrepant_steps.contains(&0.0) {
                claims.push(fixed_bases_stall(&curves, &compressed(0.0), names, settings.original_tolerance));
            }
        }
        Ok(claims)
    }
}

/// The paper's milestones as series of the middle panel, in the hues of the networks they are about.
fn paper_milestones(reference: &[ReferenceRow], iterations: u64) -> Vec<Series> {
    let find = |x: &str| reference.iter().find(|row| row.x == x).map(|row| row.y);
    let reached = find("iterations_to_1e-12").map(|t| ("paper: 10⁻¹² reached", 0, vec![(t, 1e-12)]));
    let ends = |error| vec![(0.7 * iterations as f64, error), (iterations as f64, error)];
    let plateau = find("plateau").map(|error| ("paper: plateau of γ = 0", 2, ends(error)));
    let milestones = [reached, plateau].into_iter().flatten();
    milestones.map(|(label, hue, points)| Series::new(label, points).hue(hue).paper()).collect()
}

/// Both reach a recovery error below the original's tolerance, in numbers of iterations within 5 % of each other. If the
/// original does not, there is nothing to follow.
fn same_iterations(curves: &[CurveRow], [original, compressed]: [&str; 2], threshold: f64) -> Claim {
    let below = |name| mean_iterations_below(curves, name, threshold, |row| row.recovery_error);
    let (a, b) = (below(original), below(compressed));
    let text = |t: Option<f64>| t.map_or("never".to_owned(), |t| format!("{t:.0}"));
    Claim {
        claim: format!("{compressed} recovers the target like the original, in as many iterations"),
        paper: "both reach 1e-12 at about 19500".to_owned(),
        measured: format!(
            "recovery error below {threshold:e} after {} ({original}) and {} iterations",
            text(a),
            text(b)
        ),
        verdict: verdict(a.is_some(), a.zip(b).is_some_and(|(a, b)| (b / a - 1.0).abs() <= 0.05)),
    }
}

/// The fixed network ends at a recovery error more than a thousand times that of the moving one. If the original does not recover
/// the target either, that says nothing.
fn fixed_bases_stall(curves: &[CurveRow], fixed: &str, [original, moving]: [&str; 2], threshold: f64) -> Claim {
    let recovers = mean_iterations_below(curves, original, threshold, |row| row.recovery_error).is_some();
    let last = |name: &str| curves.iter().rfind(|row| row.network == name).and_then(|row| row.recovery_error);
    let (stalled, moved) = (last(fixed), last(moving));
    let text = |error: Option<f64>| error.map_or("missing".to_owned(), |error| format!("{error:.2e}"));
    Claim {
        claim: "fixed bases (γ = 0) are not enough under partial observation: the recovery error stalls".to_owned(),
        paper: "plateau near 5e-4".to_owned(),
        measured: format!("{} with γ = 0, {} with γ > 0, at the end", text(stalled), text(moved)),
        verdict: verdict(recovers && stalled.is_some() && moved.is_some(), stalled > moved.map(|error| 1e3 * error)),
    }
}

#[cfg(test)]
mod tests {
    use lab::Verdict;

    use super::*;

    #[test]
    fn a_stall_says_nothing_where_the_original_does_not_recover_either() {
        let row = |network: &str, error| CurveRow {
            network: network.into(),
            trial: 0,
            iteration: 10,
            training_loss: error,
            recovery_error: Some(error),
        };
        let verdict = |original, moving, fixed| {
            let curves = [row(ORIGINAL, original), row("moving", moving), row("fixed", fixed)];
            fixed_bases_stall(&curves, "fixed", [ORIGINAL, "moving"], 1e-9).verdict
        };
        assert_eq!(verdict(1e-12, 1e-12, 1e-4), Verdict::Holds);
        assert_eq!(verdict(1e-12, 1e-12, 1e-12), Verdict::Differs);
        assert_eq!(verdict(1e-12, 1e-3, 1e-4), Verdict::Differs);
        assert_eq!(verdict(1e-3, 1e-3, 1e-4), Verdict::NotTested);
    }
}
