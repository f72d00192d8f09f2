//! Figure 4: factorization of a fully observed matrix, the original network against its exact compressed network.

mod claims;
mod settings;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

pub use self::settings::Settings;
use crate::drawing::drawing;
use crate::matrix::*;

pub struct Factorization;

impl Experiment for Factorization {
    type Settings = Settings;
    type Inputs = ();
    type Point = ComparedPoint;
    type Trial = MatrixTrial;

    const NAME: &'static str = "factorization";
    const ABOUT: &'static str = "Full observation, original against compressed network (Fig. 4)";
    const LONG_ABOUT: &'static str = "Factorizes a fully observed low-rank matrix with a deep factorization of full \
        width (the original) and with its exact compressed network, whose bases stay fixed (γ = 0). Shows their \
        end-to-end trajectories in three principal components, and the training loss against iterations and seconds. \
        Figure 4 of the paper.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(_: &Settings, _: &Gathering) -> anyhow::Result<()> {
        Ok(())
    }

    fn plan(settings: &Settings, (): &()) -> anyhow::Result<Plan<Self>> {
        let Settings { seed, trials, step_size, ref problem, ref schedule, .. } = *settings;
        let (experiment, trials, step_size, recovery) = (Self::NAME, *trials, *step_size, Recovery::AtEnd);
        let comparison = Comparison { experiment, seed, trials, step_size, problem, schedule, recovery };
        Ok(comparison.plan(&settings.networks()))
    }

    fn tables(settings: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        comparison_tables(Self::NAME, *settings.trajectory_records, finished)
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let (networks, records) = (settings.networks(), *settings.trajectory_records);
        let value = |row: &CurveRow| Some(row.training_loss);
        let panels = ComparisonPanels::new(results, Self::NAME, &networks, records, "Training loss", value)?;
        let figure =
            panels.figure("Factorization: the original network and its compressed network", settings.subtitle());
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        claims::findings(settings, results)
    }
}
