//! How the files of GLUE's tasks are laid out: names of directories, files, columns and classes.

use super::Task;

/// How the files of a task are laid out.
pub(super) struct Layout {
    /// Name of the directory in the GLUE download.
    pub(super) directory: &'static str,
    /// The TSV file of the dev split.
    pub(super) dev: &'static str,
    /// The columns of a TSV file that has no header.
    pub(super) headless: Option<&'static [&'static str]>,
    /// Columns of the TSV files.
    pub(super) tsv: Columns,
    /// The dev split among the parquet files.
    pub(super) validation: &'static str,
    /// Columns of the parquet files.
    pub(super) parquet: Columns,
    /// What is in the label column of the TSV files; in parquet files it is the index. None if it is a score.
    pub(super) classes: Option<&'static [&'static str]>,
    /// Whether lines with a wrong number of columns are skipped and counted: the download of QQP has some.
    pub(super) lenient: bool,
}

/// Names of columns.
pub(super) struct Columns {
    pub(super) first: &'static str,
    pub(super) second: Option<&'static str>,
    pub(super) label: &'static str,
    pub(super) id: Option<&'static str>,
}

const fn columns(
    first: &'static str,
    second: Option<&'static str>,
    label: &'static str,
    id: Option<&'static str>,
) -> Columns {
    Columns { first, second, label, id }
}

const fn hub(first: &'static str, second: Option<&'static str>) -> Columns {
    columns(first, second, "label", Some("idx"))
}

const BINARY: Option<&[&str]> = Some(&["0", "1"]);
const ENTAILMENT: Option<&[&str]> = Some(&["entailment", "not_entailment"]);

/// The layout of a task of GLUE. Classes are numbered as on the hub.
pub(super) fn layout(task: Task) -> Option<Layout> {
    let base = Layout {
        directory: "",
        dev: "dev.tsv",
        headless: None,
        tsv: columns("sentence1", Some("sentence2"), "label", Some("index")),
        validation: "validation",
        parquet: hub("sentence1", Some("sentence2")),
        classes: BINARY,
        lenient: false,
    };
    Some(match task {
        Task::MovieSentiment => return None,
        Task::Cola => Layout {
            directory: "CoLA",
            headless: Some(&["source", "label", "star", "sentence"]),
            tsv: columns("sentence", None, "label", None),
            parquet: hub("sentence", None),
            ..base
        },
        Task::Sst2 => Layout {
            directory: "SST-2",
            tsv: columns("sentence", None, "label", None),
            parquet: hub("sentence", None),
            ..base
        },
        Task::Mrpc => {
            Layout { directory: "MRPC", tsv: columns("#1 String", Some("#2 String"), "Quality", None), ..base }
        }
        Task::Stsb => Layout {
            directory: "STS-B",
            tsv: columns("sentence1", Some("sentence2"), "score", Some("index")),
            classes: None,
            ..base
        },
        Task::Qqp => Layout {
            directory: "QQP",
            tsv: columns("question1", Some("question2"), "is_duplicate", Some("id")),
            parquet: hub("question1", Some("question2")),
            lenient: true,
            ..base
        },
        Task::Mnli => Layout {
            directory: "MNLI",
            dev: "dev_matched.tsv",
            tsv: columns("sentence1", Some("sentence2"), "gold_label", Some("index")),
            validation: "validation_matched",
            parquet: hub("premise", Some("hypothesis")),
            classes: Some(&["entailment", "neutral", "contradiction"]),
            ..base
        },
        Task::Qnli => Layout {
            directory: "QNLI",
            tsv: columns("question", Some("sentence"), "label", Some("index")),
            parquet: hub("question", Some("sentence")),
            classes: ENTAILMENT,
            ..base
        },
        Task::Rte => Layout { directory: "RTE", classes: ENTAILMENT, ..base },
    })
}
