//! Sections of the TOML files of the fine-tuning experiments, and their checks.

mod encoder;
mod head;
mod training;

use std::collections::BTreeMap;

use adaptation::Selection;
use adaptation::data::Task;
use lab::Invalid;
use sources::Source;

pub use encoder::{EncoderSettings, PoolingChoice};
pub use head::{Deviation, Draws, HeadSettings};
pub use training::{Examples, IncompleteBatch, Sampling, TrainingSettings};

/// `[sources]`: sources of encoders by name, in addition to the built-in ones.
pub type Sources = BTreeMap<String, Source>;

/// The tasks that settings may name.
pub fn known_tasks() -> Vec<&'static str> {
    let tasks = [Task::MovieSentiment].into_iter().chain(Task::GLUE);
    tasks.map(Task::name).chain([super::made_up::TASK]).collect()
}

/// Checks names of tasks.
pub fn check_tasks(tasks: &[String]) -> Result<(), Invalid> {
    let known = known_tasks();
    let is_known = |task: &String| known.contains(&task.as_str());
    tasks
        .iter()
        .enumerate()
        .try_for_each(|(i, task)| Invalid::unless(is_known(task), format!("tasks.{i}"), task, known.join(", ")))
}

/// Which matrices are adapted, in words.
pub fn adapted_in_words(selection: Selection) -> &'static str {
    match selection {
        Selection::QueryValue => "query and value",
        Selection::AttentionMlp => "attention and MLP",
        Selection::AllDense => "all dense matrices",
    }
}
