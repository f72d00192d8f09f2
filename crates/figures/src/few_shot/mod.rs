//! Few-shot fine-tuning: the dev score against the number of training examples, LoRA against Deep LoRA, at the paper's
//! step size and at one chosen per method.

mod choice;
mod claims;
mod draw;
mod settings;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

use self::choice::{choice_rows, chosen};
pub use self::settings::Settings;
use self::settings::{CHOSEN, PAPERS};
use crate::adaptation::*;
use crate::drawing::drawing;
use crate::reference::reference_table;

/// The experiment.
pub struct FewShot;

impl Experiment for FewShot {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "few-shot";
    const ABOUT: &'static str = "Few-shot fine-tuning: dev score against training examples (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA, Deep LoRA and two further methods on a few \
        labelled sentences, and shows the score on the dev split against their number: once with the paper's step size \
        for all methods, once with a step size chosen for each method, task and number of examples from one grid on a \
        part of the training pool that is kept apart.";
    const CLAIMS: &'static str = crate::CLAIMS;
    const TWO_STAGES: bool = true;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        let Settings { encoder, sources, tasks, .. } = settings;
        let inputs = FineTuningInputs::gather(encoder, sources, tasks, gathering)?;
        inputs.check_rank("methods.rank", *settings.methods.rank)?;
        inputs.check_pool(&settings.examples, settings.reserved().total())?;
        inputs.check_dev(settings.seed, settings.training.dev_examples)?;
        inputs.check_validation(settings.seed, settings.reserved())?;
        Ok(inputs)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        let mut plan: Plan<Self> = Vec::new();
        for place in places(settings, inputs) {
            plan.extend(place.run(PAPERS, *settings.step_size).seeds(settings.trials_of(place.name)));
        }
        for place in places(settings, inputs).into_iter().filter(Place::has_choice) {
            for &step_size in &settings.choice.step_sizes {
                for number in 0..*settings.choice.trials {
                    let run = place.run("choice", *step_size).with(|trial| {
                        trial.part = Part::Choice(number);
                        trial.evaluated = Evaluated::Validation;
                        trial.divergence = Divergence::Counts;
                    });
                    plan.push(run.planned());
                }
            }
        }
        Ok(plan)
    }

    fn plan_next(
        settings: &Settings,
        inputs: &FineTuningInputs,
        finished: &[FinishedOf<Self>],
    ) -> anyhow::Result<Plan<Self>> {
        let mut plan: Plan<Self> = Vec::new();
        for place in places(settings, inputs).into_iter().filter(Place::has_choice) {
            let (task, examples, method) = (&place.task.name, place.examples, place.method.label());
            match chosen(finished, task, examples, method) {
                Some(step_size) => plan.extend(place.run(CHOSEN, step_size).seeds(settings.trials_of(place.name))),
                None => {
                    tracing::warn!("{task}, n = {examples}, {method}: every step size of choice.step_sizes diverged");
                }
            }
        }
        Ok(plan)
    }

    fn tables(_: &Settings, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let reported = finished.iter().filter(|run| matches!(run.at.part, Part::Run(_)));
        let rows: Vec<RunRow> = reported.map(RunRow::of).collect();
        Ok(vec![
            Table::companion(Self::NAME, "selection", choice_rows(finished))?,
            Table::companion(Self::NAME, "differences", differences(&rows))?,
            Table::new(Self::NAME, rows)?,
            timing_table(Self::NAME, finished)?,
            reference_table(Self::NAME)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, results)?)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        claims::findings(settings, &results.read(Self::NAME)?)
    }
}

/// A place in the figure, but for the seed and the step size: a task, n and a method.
struct Place<'a> {
    settings: &'a Settings,
    common: Common<'a>,
    task: &'a GatheredTask,
    examples: usize,
    name: MethodName,
    method: adaptation::Method,
}

impl Place<'_> {
    fn run(&self, protocol: &str, step_size: f64) -> Run {
        let method = (self.method, *self.settings.methods.rank);
        let run = self.common.run(protocol, self.task, method, step_size, self.examples);
        run.with(|trial| trial.reserved = self.settings.reserved())
    }

    /// Whether a step size is chosen for it.
    fn has_choice(&self) -> bool {
        self.settings.choice.methods.contains(&self.name)
    }
}

/// Every task that is there, n and method, in the order of the tables.
fn places<'a>(settings: &'a Settings, inputs: &'a FineTuningInputs) -> Vec<Place<'a>> {
    let Settings { seed, adapted, ref encoder, ref training, .. } = *settings;
    let common = Common { seed, inputs, pooling: encoder.pooling, adapted, training };
    let mut places = Vec::new();
    for task in &inputs.tasks {
        for examples in settings.examples.iter().map(|n| n.get()) {
            for &name in &settings.methods.names {
                let method = settings.methods.method(name, *settings.methods.rank);
                places.push(Place { settings, common, task, examples, name, method });
            }
        }
    }
    places
}
