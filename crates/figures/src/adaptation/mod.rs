//! What the fine-tuning experiments share: their settings, encoders and tasks, one kind of trial, its outcome, and how
//! outcomes are summarized.

mod comparison;
mod draw;
mod estimate;
mod log;
mod made_up;
mod pair;
mod rows;
mod settings;
mod shelf;
mod spectra;
mod statistics;
mod trial;

pub use comparison::{PAIR, mean_scores, reported_series, score_series};
pub use draw::{Part, Pool, Reserved};
pub use pair::PairExperiment;
pub use rows::{DifferenceRow, Run, RunRow, TimingRow, at, differences, distinct, metric_label, scored, timing_table};
pub use settings::{
    DEEP_LORA, EncoderSettings, LORA, MethodName, MethodSettings, PAPERS_TASK, PairSettings, Protocol, Sources,
    TrainingSettings, adapted_in_words, check_deep, check_formed, check_protocols, check_tasks, grid, over_seeds,
};
pub use shelf::{Inventory, check_pool, check_rank, gather, inventories};
pub use spectra::{Alignment, SiteSpectrum};
pub use statistics::{Interval, banded};
pub use trial::{Common, Divergence, Evaluated, FineTuningOutcome, FineTuningTrial, Keep, TrainingRecord, run};
