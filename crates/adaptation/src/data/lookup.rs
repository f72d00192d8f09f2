//! Where the files of a data set are. Letter case does not matter: a directory `CoLA` may be called `cola`, which some
//! systems cannot even tell apart.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::DataError;

/// The file `name` in `directory`; one in another letter case if there is none in this.
pub(super) fn file(directory: &Path, name: &str) -> Option<PathBuf> {
    entry(directory, name).filter(|path| path.is_file())
}

/// As [`file`], of anything.
pub(super) fn entry(directory: &Path, name: &str) -> Option<PathBuf> {
    let exact = directory.join(name);
    if exact.exists() {
        return Some(exact);
    }
    let other = names(directory).into_iter().find(|other| other.eq_ignore_ascii_case(name))?;
    Some(directory.join(other))
}

/// The parquet files of a split, `SPLIT-00000-of-00002.parquet` and so on, in their order. None without any.
///
/// # Errors
/// If only some of them are there, or those of two sets.
pub(super) fn shards(directory: &Path, split: &str) -> Result<Option<Vec<PathBuf>>, DataError> {
    let (mut found, mut totals) = (Vec::new(), BTreeSet::new());
    for name in names(directory) {
        if let Some((index, total)) = shard(&name.to_ascii_lowercase(), split) {
            found.push((index, name));
            totals.insert(total);
        }
    }
    found.sort();
    let wrong = |problem| DataError::Shards { directory: directory.to_owned(), split: split.to_owned(), problem };
    let total = match (totals.first(), totals.len()) {
        (None, _) => return Ok(None),
        (Some(total), 1) => *total,
        _ => return Err(wrong("belong to more than one set; leave one set there".to_owned())),
    };
    let missing = (0..total).find(|index| !found.iter().any(|(other, _)| other == index));
    match missing {
        Some(index) => Err(wrong(format!("lack {}", shard_name(split, index, total)))),
        None if found.len() > total => Err(wrong(format!("are {} where {total} are expected", found.len()))),
        None => Ok(Some(found.into_iter().map(|(_, name)| directory.join(name)).collect())),
    }
}

/// What the hub calls the file `index` of `total` of a split.
pub(super) fn shard_name(split: &str, index: usize, total: usize) -> String {
    format!("{split}-{index:05}-of-{total:05}.parquet")
}

/// Index and total in a name of this form.
fn shard(name: &str, split: &str) -> Option<(usize, usize)> {
    let numbers = name.strip_prefix(split)?.strip_prefix('-')?.strip_suffix(".parquet")?;
    let (index, total) = numbers.split_once("-of-")?;
    Some((index.parse().ok()?, total.parse().ok()?))
}

/// The names in a directory, in order; none if it cannot be read.
fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
