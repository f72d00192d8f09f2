//! The table of GLUE: LoRA and Deep LoRA on eight tasks, with few examples.

mod claims;
mod draw;
mod rows;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

use self::rows::{NOT_RUN, Row, row};
use crate::adaptation::*;
use crate::drawing::drawing;

no_keys!(
    /// Only the tasks are varied.
    ByTask,
    &[]
);

/// `experiments/glue-table.toml`.
pub type Settings = FineTuningSettings<ByTask>;

/// The experiment.
pub struct GlueTable;

impl Experiment for GlueTable {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "glue-table";
    const ABOUT: &'static str =
        "Fine-tuning on 1024 examples of each GLUE task: table of LoRA and Deep LoRA (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA and Deep LoRA on some examples of each task of GLUE, \
        and tabulates the dev scores. Tasks whose data is neither in the directory given with --data-dir nor to be downloaded \
        are listed as not run.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        settings.gather(gathering)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        Ok(settings.plan(inputs, |_| {}))
    }

    fn tables(
        settings: &Settings,
        inputs: &FineTuningInputs,
        finished: &[FinishedOf<Self>],
    ) -> anyhow::Result<Vec<Table>> {
        let runs: Vec<RunRow> = finished.iter().map(RunRow::of).collect();
        let differences = differences(&runs);
        let rows = settings.tasks.iter().map(|task| {
            let contrast = format!("{DEEP_LORA} - {LORA}");
            let found = differences.iter().find(|row| row.task == *task && row.difference == contrast);
            let row = row(&settings.encoder.source, task, &of_task(&runs, task), found);
            match inputs.task(task) {
                Ok(_) => row,
                Err(_) => Row { status: NOT_RUN.to_owned(), ..row },
            }
        });
        Ok(vec![
            Table::companion(Self::NAME, "differences", differences.clone())?,
            Table::new(Self::NAME, rows)?,
            Table::companion(Self::NAME, "runs", runs.clone())?,
            timing_table(Self::NAME, finished)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let (rows, runs) = (results.read(Self::NAME)?, results.read("glue-table.runs")?);
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &rows, &runs)?)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        claims::findings(settings, &results.read("glue-table.runs")?)
    }
}

/// The runs of a task.
fn of_task<'a>(runs: &'a [RunRow], task: &str) -> Vec<&'a RunRow> {
    runs.iter().filter(|run| run.task == task).collect()
}
