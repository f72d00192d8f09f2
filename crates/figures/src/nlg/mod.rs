//! Generation: texts from the meaning representations of E2E, by a language model that was fine-tuned on a few of them.

mod claims;
mod draw;
mod estimate;
mod inputs;
mod log;
mod made_up;
mod network;
mod plan;
mod rows;
mod run;
mod scores;
mod settings;
mod trial;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

pub use self::inputs::Inputs;
pub use self::plan::NlgPoint;
use self::rows::{LossRow, Row};
use self::scores::ScoreRow;
pub use self::settings::Settings;
pub use self::trial::NlgTrial;
use crate::adaptation::timing_table;
use crate::drawing::drawing;

/// The experiment.
pub struct Nlg;

impl Experiment for Nlg {
    type Settings = Settings;
    type Inputs = Inputs;
    type Point = NlgPoint;
    type Trial = NlgTrial;

    const NAME: &'static str = "nlg";
    const ABOUT: &'static str = "Generation: a language model writes E2E's texts after a few examples (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen language model on a few meaning representations of the E2E data with their \
        texts, with LoRA in both orientations and Deep LoRA. It then writes a text for every meaning representation of the dev split. \
        Shows BLEU, ROUGE, METEOR and slot errors, the losses on the way, and texts side by side.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<Inputs> {
        Inputs::gather(settings, gathering)
    }

    fn plan(settings: &Settings, inputs: &Inputs) -> anyhow::Result<Plan<Self>> {
        Ok(plan::plan(settings, inputs))
    }

    fn tables(settings: &Settings, inputs: &Inputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let data = settings.data_name();
        let mut tables = rows::tables(Self::NAME, finished, inputs, data, *settings.scores.shown)?;
        let mut all = Vec::new();
        for run in finished {
            all.extend(scores::of_run(run, inputs)?);
        }
        let rows = rows::runs(finished, inputs, data);
        tables.push(Table::companion(Self::NAME, "differences", scores::differences(&rows, &all))?);
        tables.push(Table::companion(Self::NAME, "scores", all)?);
        tables.push(timing_table(Self::NAME, finished)?);
        Ok(tables)
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let losses: Vec<LossRow> = results.read("nlg.losses")?;
        let scores: Vec<ScoreRow> = results.read("nlg.scores")?;
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &rows, &losses, &scores))?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read::<Row>(Self::NAME)?, &results.read::<ScoreRow>("nlg.scores")?))
    }
}
