//! What the fine-tuning experiments share: their settings, encoders and tasks, one kind of trial, its outcome, and how
//! outcomes are summarized.

mod band;
mod curves;
mod difference_panel;
mod differences;
mod encoder_claims;
mod escapes;
mod estimate;
mod failures;
mod frozen;
mod inputs;
mod log;
mod made_up;
mod methods;
mod notes;
mod outcome;
mod plan;
mod rows;
mod run;
mod settings;
mod spectra;
mod sweep;
mod tables;
mod task;
mod trial;

pub use band::Band;
pub use curves::{PAPER, authors_name, authors_series, curve, loss_series, score_series};
pub use difference_panel::{Differences, difference_axis, difference_panel};
pub use differences::{CONTRASTS, Compared, DifferenceRow, differences};
pub use encoder_claims::{NEEDS_PAPERS_ENCODER, PAPERS_ENCODER, by_encoder};
pub use estimate::memory_of_adapter;
#[cfg(test)]
pub use failures::tests::row as any_row;
pub use failures::what_failed;
pub use inputs::{FineTuningInputs, check_source_names};
pub use methods::{COMPRESSED, DEEP_LORA, DEEP_LORA_NARROW, LORA, LORA_PEFT, MethodName, MethodSettings};
pub use notes::Notes;
pub use outcome::Escape;
pub use plan::RunPoint;
pub use rows::{FinishedRun, RecordRow, RunRow, distinct, ends, metric_label, timing_table};
pub use run::failed;
pub use settings::{Deviation, PoolingChoice, Sampling, Sources};
pub(crate) use sweep::no_keys;
pub use sweep::{FineTuningSettings, NoKeys, Own, Varied};
pub use tables::run_tables;
pub use trial::{FineTuningTrial, Keep};

/// The task on which the paper reports values.
pub const PAPERS_TASK: &str = "stsb";
