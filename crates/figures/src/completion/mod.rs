//! Figure 5: matrix completion, the original network against its compressed network.

mod claims;
mod settings;

use charts::Series;
use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

pub use self::settings::Settings;
use crate::drawing::drawing;
use crate::matrix::*;
use crate::palette;
use crate::reference::{ReferenceRow, read_reference};

pub struct Completion;

impl Experiment for Completion {
    type Settings = Settings;
    type Inputs = ();
    type Point = ComparedPoint;
    type Trial = MatrixTrial;

    const NAME: &'static str = "completion";
    const ABOUT: &'static str = "Matrix completion, original against compressed network (Fig. 5)";
    const LONG_ABOUT: &'static str = "Completes a low-rank matrix from a fraction of its entries with a deep \
        factorization of full width (the original), with its compressed network for several discrepant steps γ, and with \
        the spectral initialization of Kwon et al. Shows their end-to-end trajectories in three principal components, \
        the recovery error against iterations, and against seconds. Figure 5 of the paper.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(_: &Settings, _: &Gathering) -> anyhow::Result<()> {
        Ok(())
    }

    fn plan(settings: &Settings, (): &()) -> anyhow::Result<Plan<Self>> {
        let Settings { seed, trials, step_size, ref problem, ref schedule, .. } = *settings;
        let (experiment, trials, step_size, recovery) = (Self::NAME, *trials, *step_size, Recovery::EveryRecord);
        let comparison = Comparison { experiment, seed, trials, step_size, problem, schedule, recovery };
        Ok(comparison.plan(&settings.networks()))
    }

    fn tables(settings: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        comparison_tables(Self::NAME, *settings.trajectory_records, finished)
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let (networks, records) = (settings.networks(), *settings.trajectory_records);
        let value = |row: &CurveRow| row.recovery_error;
        let mut panels = ComparisonPanels::new(results, Self::NAME, &networks, records, "Recovery error", value)?;
        if settings.at_papers_size() {
            let reference = read_reference(results, Self::NAME)?;
            let milestones = paper_milestones(&reference, *settings.schedule.max_iterations);
            panels.by_iteration = panels.by_iteration.many(milestones);
        }
        let figure = panels.figure("Completion: the original network and its compressed network", settings.subtitle());
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        claims::findings(settings, &results.read(Self::NAME)?, &results.read("completion.timing")?)
    }
}

/// The paper's milestones as series of the middle panel, in the hues of the networks they are about.
fn paper_milestones(reference: &[ReferenceRow], iterations: u64) -> Vec<Series> {
    let find = |x: &str| reference.iter().find(|row| row.x == x).map(|row| row.y);
    let reached = find("iterations_to_1e-12");
    // What stalls does so from where the others go on.
    let ends = |error| vec![(reached.unwrap_or(0.7 * iterations as f64), error), (iterations as f64, error)];
    let plateau = find("plateau").map(|error| ("γ = 0 stalls, paper", palette::FIXED, ends(error)));
    let reached = reached.map(|t| ("original at 10⁻¹², paper", palette::ORIGINAL, vec![(t, 1e-12)]));
    let milestones = [reached, plateau].into_iter().flatten();
    milestones.map(|(label, hue, points)| Series::new(label, points).hue(hue).paper()).collect()
}
