//! The eight tasks of GLUE (A. Wang et al., ICLR 2019; WNLI is left out, as in the paper), as the TSV files of the GLUE
//! download, one directory per task, or as the parquet files of `nyu-mll/glue` on the hub.
//!
//! The labels of GLUE's test splits are not public: the dev split is what is evaluated (of MNLI the matched one), and
//! the test split of these data sets is empty.

use std::path::Path;

use super::table::{Identifiers, Line, Table};
use super::{DataError, Dataset, Example, Label, Task, parquet, stsb};

/// How the files of a task are laid out.
pub(super) struct Layout {
    /// Name of the directory in the GLUE download.
    directory: &'static str,
    /// The TSV file of the dev split.
    dev: &'static str,
    /// The columns of a TSV file that has no header.
    headless: Option<&'static [&'static str]>,
    /// Columns of the TSV files.
    tsv: Columns,
    /// The dev split among the parquet files.
    validation: &'static str,
    /// Columns of the parquet files.
    pub(super) parquet: Columns,
    /// What is in the label column of the TSV files; in parquet files it is the index. None if it is a score.
    pub(super) classes: Option<&'static [&'static str]>,
    /// Whether lines with a wrong number of columns are skipped and counted: the download of QQP has some.
    lenient: bool,
}

/// Names of columns.
pub(super) struct Columns {
    pub(super) first: &'static str,
    pub(super) second: Option<&'static str>,
    pub(super) label: &'static str,
    pub(super) id: Option<&'static str>,
}

/// Most lines that may be skipped, as a share of all: more of them is another file.
const MOST_SKIPPED: f64 = 0.001;

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
fn layout(task: Task) -> Option<Layout> {
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

/// Reads a task of GLUE below `directory`: `CoLA/train.tsv` or `cola/train-00000-of-00001.parquet` and their like.
/// None if there is neither.
pub(super) fn read(task: Task, directory: &Path) -> Option<Result<Dataset, DataError>> {
    let layout = layout(task)?;
    let tsv = directory.join(layout.directory);
    if tsv.join("train.tsv").is_file() {
        return Some(read_tsv(task, &layout, &tsv));
    }
    let parquet = directory.join(task.name());
    let file = |split: &str| parquet.join(format!("{split}-00000-of-00001.parquet"));
    file("train").is_file().then(|| {
        let read = |split| parquet::read(&file(split), &layout);
        let (train, dev) = (read("train")?, read(layout.validation)?);
        Dataset { task, train, dev, test: Vec::new(), skipped: 0 }.checked(&parquet, false)
    })
}

fn read_tsv(task: Task, layout: &Layout, directory: &Path) -> Result<Dataset, DataError> {
    let (train, of_train) = read_file(layout, &directory.join("train.tsv"))?;
    let (dev, of_dev) = read_file(layout, &directory.join(layout.dev))?;
    Dataset { task, train, dev, test: Vec::new(), skipped: of_train + of_dev }.checked(directory, false)
}

/// The examples of a TSV file and the number of skipped lines.
fn read_file(layout: &Layout, path: &Path) -> Result<(Vec<Example>, usize), DataError> {
    let table = Table::read(path)?;
    let mut lines = table.lines();
    let header = match layout.headless {
        Some(names) => names.to_vec(),
        None => lines.next().map(|line| line.fields().to_vec()).unwrap_or_default(),
    };
    let at = Places::find(&layout.tsv, &header, path)?;
    let (mut examples, mut skipped, mut ids) = (Vec::new(), 0, Identifiers::default());
    for line in lines {
        if layout.lenient && line.len() != header.len() {
            skipped += 1;
            continue;
        }
        line.check_columns(header.len(), false)?;
        at.id.map_or(Ok(()), |column| ids.insert_line(&line, &[column]))?;
        examples.push(at.example(&line, layout.classes)?);
    }
    if skipped as f64 > MOST_SKIPPED * examples.len() as f64 {
        return Err(DataError::Skipped { path: table.path().to_owned(), skipped, columns: header.len() });
    }
    Ok((examples, skipped))
}

/// Where the columns are.
struct Places {
    first: usize,
    second: Option<usize>,
    label: usize,
    id: Option<usize>,
}

impl Places {
    fn find(columns: &Columns, header: &[&str], path: &Path) -> Result<Self, DataError> {
        let find = |name: &'static str| {
            let mut places = header.iter().enumerate().filter(|(_, found)| **found == name).map(|(place, _)| place);
            match (places.next(), places.next()) {
                (Some(place), None) => Ok(place),
                (None, _) => {
                    let (path, found) = (path.to_owned(), header.join(", "));
                    Err(DataError::NoColumn { path, column: name, found })
                }
                (Some(_), Some(_)) => Err(DataError::DuplicateColumn { path: path.to_owned(), column: name }),
            }
        };
        Ok(Self {
            first: find(columns.first)?,
            second: columns.second.map(find).transpose()?,
            label: find(columns.label)?,
            id: columns.id.map(find).transpose()?,
        })
    }

    fn example(&self, line: &Line, classes: Option<&[&str]>) -> Result<Example, DataError> {
        let label = match classes {
            Some(names) => Label::Class(line.class(self.label, names)?),
            None => Label::Score(line.score(self.label, &stsb::SIMILARITIES)?),
        };
        Ok(Example { first: line.text(self.first), second: self.second.map(|column| line.text(column)), label })
    }
}
