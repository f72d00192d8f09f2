//! The eight tasks of GLUE (A. Wang et al., ICLR 2019; WNLI is left out, as in the paper), as the TSV files of the GLUE
//! download, one directory per task, or as the parquet files of `nyu-mll/glue` on the hub.
//!
//! The labels of GLUE's test splits are not public: the dev split is what is evaluated (of MNLI the matched one), and
//! the test split of these data sets is empty.

use std::path::Path;

use sources::excerpt;

use super::layout::{Columns, Layout, layout};
use super::skipped::Skipped;
use super::table::{Identifiers, Line, Table};
use super::{DataError, Dataset, Example, Label, Task, lookup, parquet, stsb};

/// The TSV file of the training split.
const TRAIN_FILE: &str = "train.tsv";

/// Most lines that may be skipped, as a share of all: more of them is another file.
const MOST_SKIPPED: f64 = 0.001;

/// Reads a task of GLUE below `directory`: `CoLA/train.tsv` or `cola/train-00000-of-00001.parquet` and their like.
/// None if there is neither.
pub(super) fn read(task: Task, directory: &Path) -> Option<Result<Dataset, DataError>> {
    let layout = layout(task)?;
    let folders = [layout.directory, task.name()].map(|name| lookup::entry(directory, name));
    for folder in folders.iter().flatten() {
        if let Some(train) = lookup::file(folder, TRAIN_FILE) {
            return Some(read_tsv(task, &layout, folder, &train));
        }
    }
    let [_, folder] = folders;
    read_parquet(task, &layout, &folder?).transpose()
}

/// The files whose presence shows that a task's data is below a directory.
pub(super) fn looked_for(task: Task) -> Option<[String; 2]> {
    let train = lookup::shard_name("train", 0, 1);
    layout(task).map(|layout| [format!("{}/{TRAIN_FILE}", layout.directory), format!("{}/{train}", task.name())])
}

fn read_tsv(task: Task, layout: &Layout, folder: &Path, train: &Path) -> Result<Dataset, DataError> {
    let dev = lookup::file(folder, layout.dev).unwrap_or_else(|| folder.join(layout.dev));
    let (train, of_train) = read_file(layout, train, "train")?;
    let (dev, of_dev) = read_file(layout, &dev, "dev")?;
    let skipped = [of_train, of_dev].into_iter().filter(|skipped| skipped.count > 0).collect();
    Dataset { task, train, dev, test: Vec::new(), skipped }.checked(folder, false)
}

fn read_parquet(task: Task, layout: &Layout, folder: &Path) -> Result<Option<Dataset>, DataError> {
    let Some(train) = lookup::shards(folder, "train")? else {
        return Ok(None);
    };
    let dev = lookup::shards(folder, layout.validation)?
        .unwrap_or_else(|| vec![folder.join(lookup::shard_name(layout.validation, 0, 1))]);
    let (train, dev) = (parquet::read(&train, layout)?, parquet::read(&dev, layout)?);
    Dataset { task, train, dev, test: Vec::new(), skipped: Vec::new() }.checked(folder, false).map(Some)
}

/// The examples of a TSV file and its skipped lines.
fn read_file(layout: &Layout, path: &Path, split: &'static str) -> Result<(Vec<Example>, Skipped), DataError> {
    let table = Table::read(path)?;
    let mut lines = table.lines();
    let header = match layout.headless {
        Some(names) => names.to_vec(),
        None => lines.next().map(|line| line.fields().to_vec()).unwrap_or_default(),
    };
    let at = Places::find(&layout.tsv, &header, path)?;
    let mut skipped = Skipped::new(path.to_owned(), split, header.len());
    let (mut examples, mut ids) = (Vec::new(), Identifiers::default());
    for line in lines {
        if layout.lenient && line.len() != header.len() {
            skipped.add(line.number());
            continue;
        }
        line.check_columns(header.len()..=header.len())?;
        at.id.map_or(Ok(()), |column| ids.insert_line(&line, &[column]))?;
        examples.push(at.example(&line, layout.classes)?);
    }
    if skipped.count as f64 > MOST_SKIPPED * examples.len() as f64 {
        return Err(DataError::Malformed { skipped, of: examples.len() });
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
                    let (path, found) = (path.to_owned(), excerpt(&header.join(", ")));
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
