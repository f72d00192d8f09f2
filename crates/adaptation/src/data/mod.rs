//! Data sets: sentences, or pairs of them, with a score or a class.
//!
//! [`find`] looks for a [`Task`]'s data in a directory, then at its source; [`draw`] draws training examples from it.

mod error;
mod glue;
mod layout;
mod lookup;
mod movie_sentiment;
mod parquet;
mod skipped;
mod split;
mod stsb;
mod table;

use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sources::{Cache, Progress, Source, expand_home};

use crate::metrics::{self, Metric};

pub use error::DataError;
pub use skipped::{LeftOut, Skipped};
pub use split::{Drawn, draw, draw_with_replacement};

/// What an encoder is fine-tuned to predict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Sentiment of a sentence from a film review, −4 to 4.
    MovieSentiment,
    /// GLUE: similarity of two sentences, 0 to 5.
    Stsb,
    /// GLUE: whether a sentence is acceptable English.
    Cola,
    /// GLUE: whether a review is positive.
    Sst2,
    /// GLUE: whether two sentences mean the same.
    Mrpc,
    /// GLUE: whether two questions are duplicates.
    Qqp,
    /// GLUE: whether a premise entails, says nothing about, or contradicts a hypothesis.
    Mnli,
    /// GLUE: whether a sentence answers a question.
    Qnli,
    /// GLUE: whether a sentence entails another.
    Rte,
}

/// What a label is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A number in this range.
    Regression(RangeInclusive<f32>),
    /// One of so many classes.
    Classification(usize),
}

impl Task {
    /// The eight tasks of the paper's GLUE table, in its order.
    pub const GLUE: [Self; 8] =
        [Self::Cola, Self::Mnli, Self::Mrpc, Self::Qnli, Self::Qqp, Self::Rte, Self::Sst2, Self::Stsb];

    /// The name in settings, tables, and on the hub.
    pub fn name(self) -> &'static str {
        match self {
            Self::MovieSentiment => "movie-sentiment",
            Self::Stsb => "stsb",
            Self::Cola => "cola",
            Self::Sst2 => "sst2",
            Self::Mrpc => "mrpc",
            Self::Qqp => "qqp",
            Self::Mnli => "mnli",
            Self::Qnli => "qnli",
            Self::Rte => "rte",
        }
    }

    /// What its labels are.
    pub fn kind(self) -> Kind {
        match self {
            Self::MovieSentiment => Kind::Regression(movie_sentiment::RATINGS),
            Self::Stsb => Kind::Regression(stsb::SIMILARITIES),
            Self::Mnli => Kind::Classification(3),
            _ => Kind::Classification(2),
        }
    }

    /// What it is reported in.
    pub fn metric(self) -> Metric {
        match self {
            Self::MovieSentiment | Self::Stsb => Metric::Pearson,
            Self::Cola => Metric::Matthews,
            _ => Metric::Accuracy,
        }
    }

    /// Whether an example is a pair of sentences.
    pub fn has_pairs(self) -> bool {
        !matches!(self, Self::MovieSentiment | Self::Cola | Self::Sst2)
    }

    /// The name of its [`Source`], see [`Source::named`].
    fn source(self) -> String {
        if self == Self::MovieSentiment { self.name().to_owned() } else { format!("glue-{}", self.name()) }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The label of an example.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Label {
    /// Of a regression task.
    Score(f32),
    /// Of a classification task, counted from 0.
    Class(usize),
}

impl Label {
    /// The score, or the number of the class.
    pub fn value(self) -> f32 {
        match self {
            Self::Score(score) => score,
            Self::Class(class) => class as f32,
        }
    }
}

/// A sentence, or two, and the label.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The sentence, or the first of two.
    pub first: String,
    /// The second one.
    pub second: Option<String>,
    /// What is to be predicted.
    pub label: Label,
}

/// The examples of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The task.
    pub task: Task,
    /// The pool that training examples are drawn from. Never empty.
    pub train: Vec<Example>,
    /// What is evaluated. Never empty.
    pub dev: Vec<Example>,
    /// Empty where labels are not public (GLUE).
    pub test: Vec<Example>,
    /// Malformed lines that were left out, of each file that has some (only those of QQP may).
    pub skipped: Vec<Skipped>,
}

impl Dataset {
    /// Refuses splits without examples, or without text. The test split may be empty if its labels are not public.
    fn checked(self, path: &Path, test_is_public: bool) -> Result<Self, DataError> {
        let splits = [("train", &self.train, true), ("dev", &self.dev, true), ("test", &self.test, test_is_public)];
        for (split, examples, needed) in splits {
            if needed && examples.is_empty() {
                return Err(DataError::EmptySplit { path: path.to_owned(), split });
            }
            if let Some(which) = wordless(examples) {
                return Err(DataError::NoText { path: path.to_owned(), split, which });
            }
        }
        Ok(self)
    }

    /// Number of malformed lines that were left out of a split.
    pub fn malformed(&self, split: &str) -> usize {
        self.skipped.iter().filter(|skipped| skipped.split == split).map(|skipped| skipped.count).sum()
    }
}

/// Which sentence is blank in every example, if there are any: `""` the only one, `"first "`, `"second "`.
fn wordless(examples: &[Example]) -> Option<&'static str> {
    let blank = |text: &str| text.trim().is_empty();
    let first = examples.first()?;
    if examples.iter().all(|example| blank(&example.first)) {
        return Some(if first.second.is_some() { "first " } else { "" });
    }
    examples.iter().all(|example| example.second.as_deref().is_some_and(blank)).then_some("second ")
}

/// Refuses what is left of a split if the task's metric cannot be measured on it, see [`metrics::can_tell`].
///
/// # Errors
/// [`DataError::TooSmall`], which says how many examples there were and why they went.
pub fn check_left(task: Task, split: &'static str, labels: &[f32], left_out: LeftOut) -> Result<(), DataError> {
    if metrics::can_tell(labels) {
        return Ok(());
    }
    Err(DataError::TooSmall { task, split, examples: labels.len(), label: labels.first().copied(), left_out })
}

/// The data of a task: from `data_dir`, if it has it in one of the forms of [`read`], or else from the task's source.
///
/// If it is in neither, the error is [`DataError::Absent`]; data that is there but wrong is another error.
pub fn find(task: Task, data_dir: Option<&Path>, cache: &Cache, progress: &dyn Progress) -> Result<Dataset, DataError> {
    let mut looked = String::new();
    if let Some(directory) = data_dir {
        let directory = expand_home(directory).map_err(|source| DataError::Source { task, source })?;
        if !directory.is_dir() {
            return Err(DataError::NoDirectory { path: directory });
        }
        if let Some(found) = read(task, &directory)? {
            return Ok(found);
        }
        let names = looked_for(task).join(", ");
        looked = format!("not in {} (looked for: {names}; in any letter case); ", directory.display());
    }
    let absent = |why: &str| DataError::Absent { task, why: format!("{looked}{why}") };
    let source = Source::named(&task.source()).ok_or_else(|| absent("it has no source"))?;
    let files = source.fetch(cache, progress).map_err(|source| {
        if source.is_unreachable() { absent(&with_causes(&source)) } else { DataError::Source { task, source } }
    })?;
    read(task, files.directory())?.ok_or_else(|| absent("its source does not hold it"))
}

/// The files whose presence shows that a task's data is in a directory.
fn looked_for(task: Task) -> Vec<String> {
    let own = match task {
        Task::MovieSentiment => Some(movie_sentiment::FILE),
        Task::Stsb => Some(stsb::TRAIN_FILE),
        _ => None,
    };
    own.map(str::to_owned).into_iter().chain(glue::looked_for(task).into_iter().flatten()).collect()
}

/// An error with all that led to it, on one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(|error| error.to_string()).collect::<Vec<_>>().join(": ")
}

/// The data of a task in `directory`, if it is there, as
/// - movie-sentiment: `movieReviewSnippets_GroundTruth.txt`;
/// - STS-B: `sts-train.csv`, `sts-dev.csv`, `sts-test.csv`;
/// - a task of GLUE: `CoLA/train.tsv` and `CoLA/dev.tsv`, as in the GLUE download, or
///   `cola/train-00000-of-00001.parquet` and `cola/validation-00000-of-00001.parquet` (or more of each), as on the hub.
///
/// The first two may also lie in a directory of the task's name. Letter case does not matter.
pub fn read(task: Task, directory: &Path) -> Result<Option<Dataset>, DataError> {
    let places = [Some(directory.to_owned()), lookup::entry(directory, task.name())];
    let holding = |file: &str| places.iter().flatten().find_map(|place| lookup::file(place, file));
    if task == Task::MovieSentiment {
        return holding(movie_sentiment::FILE).map(|file| movie_sentiment::read(&file)).transpose();
    }
    let of_sts = if task == Task::Stsb { holding(stsb::TRAIN_FILE) } else { None };
    match of_sts.as_deref().and_then(Path::parent) {
        Some(place) => stsb::read(place).map(Some),
        None => glue::read(task, directory).transpose(),
    }
}
