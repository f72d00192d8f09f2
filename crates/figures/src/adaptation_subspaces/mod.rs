//! Figure 2: the spectrum of every full-width `ΔW`, and how early its leading left singular subspace is found.

mod claims;
mod draw;
mod rows;
mod settings;
mod trained_runs;

use adaptation::StepSchedule;
use lab::{Drawing, Experiment, Finding, Finished, FinishedOf, Gathering, Kernels, Plan, Planned, Results, Table};

use self::rows::{Row, SpectrumRow};
pub use self::settings::Settings;
use crate::adaptation::*;

/// The experiment.
pub struct AdaptationSubspaces;

impl Experiment for AdaptationSubspaces {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "adaptation-subspaces";
    const ABOUT: &'static str = "Fine-tuning with full-width Deep LoRA: spectra and subspaces of the updates (Fig. 2)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with Deep LoRA of full width, and shows the largest singular \
        values of every update ΔW at the end, the cosine between its leading left singular subspace on the way and at the \
        end, and the training loss meanwhile. Figure 2 of the paper.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        let inputs = settings.gather(gathering)?;
        inputs.check_rank("experiment.subspace", *settings.experiment.subspace)?;
        Ok(inputs)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        let own = &settings.experiment;
        let plan = settings.plan(inputs, |trial| {
            trial.keep = Keep::Subspaces { steps: own.kept_steps.clone(), dimension: *own.subspace };
            trial.schedule = StepSchedule::Linear { to: *own.final_step_size };
        });
        // Its products are large enough for all threads.
        Ok(plan.into_iter().map(|run| Planned { kernels: Kernels::Parallel, ..run }).collect())
    }

    fn tables(settings: &Settings, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let subspaces = finished.iter().flat_map(|Finished { at, outcome, .. }| {
            outcome.alignments.iter().map(|alignment| Row {
                task: at.task.clone(),
                trial: at.trial,
                matrix: alignment.site.name(),
                step: alignment.step,
                largest_cosine: alignment.largest_cosine,
                mean_cosine: alignment.mean_cosine,
                smallest_cosine: alignment.smallest_cosine,
            })
        });
        let spectra = finished.iter().flat_map(|Finished { at, outcome, .. }| {
            outcome.spectra.iter().flat_map(|spectrum| {
                let values = spectrum.singular_values.iter().take(*settings.experiment.singular_values).enumerate();
                values.map(|(index, &singular_value)| SpectrumRow {
                    task: at.task.clone(),
                    trial: at.trial,
                    matrix: spectrum.site.name(),
                    index: index + 1,
                    singular_value,
                })
            })
        });
        Ok(vec![
            Table::new(Self::NAME, subspaces)?,
            Table::companion(Self::NAME, "spectra", spectra)?,
            Table::companion(Self::NAME, "loss", finished.iter().flat_map(RecordRow::of))?,
            Table::companion(Self::NAME, "runs", finished.iter().map(RunRow::of))?,
            timing_table(Self::NAME, finished)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        draw::drawings(settings, results)
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        claims::findings(settings, results)
    }
}
