//! What the fine-tuning experiments share: their settings, encoders and tasks, one kind of trial, its outcome, and how
//! outcomes are summarized.

mod band;
mod curves;
mod difference_panel;
mod differences;
mod draw;
mod encoder_claims;
mod estimate;
mod inputs;
mod log;
mod made_up;
mod notes;
mod outcome;
mod pair;
mod plan;
mod rows;
mod run;
mod settings;
mod spectra;
mod task;
mod trial;

pub use band::Band;
pub use curves::{PAIR, PAPER, authors_name, authors_series, curve, loss_series, score_series};
pub use difference_panel::{Difference, difference_axis, difference_panel};
pub use differences::{Compared, DifferenceRow, differences};
pub use draw::{Part, Pool, Reserved};
pub use encoder_claims::{NEEDS_PAPERS_ENCODER, PAPERS_ENCODER, by_encoder};
pub use inputs::FineTuningInputs;
pub use notes::Notes;
pub use outcome::{FineTuningOutcome, TrainingRecord};
pub use pair::PairExperiment;
pub use plan::{Common, Run, RunPoint};
#[cfg(test)]
pub use rows::tests::row as any_row;
pub use rows::{
    FinishedRun, RunRow, TimingRow, UNKNOWN, at, distinct, failures, is_trained, metric_label, scored, timing_table,
    what_failed,
};
pub use settings::{
    DEEP_LORA, EncoderSettings, LORA, MethodName, MethodSettings, PAPERS_TASK, PairSettings, Protocol, Sources,
    TrainingSettings, adapted_in_words, check_deep, check_formed, check_protocols, check_tasks, grid,
};
pub use spectra::{Alignment, SiteSpectrum};
pub use task::GatheredTask;
pub use trial::{Divergence, Evaluated, FineTuningTrial, Keep};
