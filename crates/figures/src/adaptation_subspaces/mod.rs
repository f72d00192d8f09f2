//! Figure 2: the spectrum of every full-width `ΔW`, and how early its leading left singular subspace is found.

mod claims;
mod draw;
mod rows;
mod settings;
mod trained_runs;

use adaptation::adapter::{DeepLora, Width};
use adaptation::{Method, StepSchedule};
use lab::{Drawing, Experiment, Finding, Finished, FinishedOf, Gathering, Kernels, Plan, Planned, Results, Table};

use self::rows::{LossRow, Row, SpectrumRow};
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
        let Settings { encoder, sources, tasks, .. } = settings;
        let inputs = FineTuningInputs::gather(encoder, sources, tasks, gathering)?;
        inputs.check_rank("subspace", *settings.subspace)?;
        inputs.check_pool(settings.examples.as_slice(), 0)?;
        inputs.check_dev(settings.seed, settings.training.dev_examples)?;
        Ok(inputs)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        let Settings { seed, adapted, ref encoder, ref training, .. } = *settings;
        let (depth, init_scale) = (*settings.depth, *settings.init_scale);
        let common = Common { seed, inputs, pooling: encoder.pooling, adapted, training };
        let mut plan: Plan<Self> = Vec::new();
        for task in &inputs.tasks {
            let method = (Method::DeepLora(DeepLora { rank: Width::Full, depth, init_scale }), 0);
            let examples = settings.examples.map_or(task.train.len(), |n| n.get());
            let run = common.run("paper", task, method, *settings.step_size, examples).with(|trial| {
                trial.keep = Keep::Subspaces { steps: settings.kept_steps.clone(), dimension: *settings.subspace };
                trial.schedule = StepSchedule::Linear { to: *settings.final_step_size };
            });
            // Its products are large enough for all threads.
            plan.extend(run.seeds(*settings.trials).map(|run| Planned { kernels: Kernels::Parallel, ..run }));
        }
        Ok(plan)
    }

    fn tables(settings: &Settings, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let subspaces = finished.iter().flat_map(|Finished { at, outcome, .. }| {
            outcome.alignments.iter().map(|alignment| Row {
                task: at.task.clone(),
                trial: at.part.number(),
                matrix: alignment.site.name(),
                step: alignment.step,
                mean_cosine: alignment.mean_cosine,
                smallest_cosine: alignment.smallest_cosine,
            })
        });
        let spectra = finished.iter().flat_map(|Finished { at, outcome, .. }| {
            outcome.spectra.iter().flat_map(|spectrum| {
                let values = spectrum.singular_values.iter().take(*settings.singular_values).enumerate();
                values.map(|(index, &singular_value)| SpectrumRow {
                    task: at.task.clone(),
                    trial: at.part.number(),
                    matrix: spectrum.site.name(),
                    index: index + 1,
                    singular_value,
                })
            })
        });
        let losses = finished.iter().flat_map(|Finished { at, outcome, .. }| {
            outcome.records.iter().map(|record| LossRow {
                task: at.task.clone(),
                trial: at.part.number(),
                step: record.step,
                training_loss: record.training_loss,
                constant_loss: Some(outcome.constant_loss),
                score: record.metric,
            })
        });
        Ok(vec![
            Table::new(Self::NAME, subspaces)?,
            Table::companion(Self::NAME, "spectra", spectra)?,
            Table::companion(Self::NAME, "loss", losses)?,
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
