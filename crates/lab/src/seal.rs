//! The seal: `NAME.meta.toml` holds a hash and the number of rows of each table of its run.
//!
//! It is removed before the first table of a new run is replaced and written last, so tables without it are of a run that
//! did not finish, and tables that differ from it are of another run, cut, or edited. Claims are no part of it: they are
//! made from the tables, here and by every `--plot-only`, and removed with it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::table::count_rows;
use crate::{LabError, Results, Table, files};

/// What is known of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seal {
    rows: usize,
    /// Of the file's bytes, as hexadecimal digits.
    blake3: String,
}

/// The tables of one run, by file name.
pub(crate) type Seals = BTreeMap<String, Seal>;

/// The seals of the tables of one run.
pub(crate) fn of(tables: &[Table]) -> Seals {
    tables.iter().map(|table| (table.file(), Seal::new(table.rows(), table.bytes()))).collect()
}

/// Whether the tables are those that the run of `meta` wrote. Tables of before there were hashes are only warned of, and so
/// are, with `accept_edited`, those that differ.
///
/// # Errors
/// [`LabError::TableDiffers`] if they differ and that is not accepted.
pub(crate) fn check(meta: &Path, results: &Results, accept_edited: bool) -> Result<bool, LabError> {
    let Some(seals) = read(meta, results.command())? else {
        let meta = meta.display();
        tracing::warn!("{meta} has no hashes of its tables (an earlier version wrote it): they are drawn unchecked");
        return Ok(false);
    };
    let differences = differences(&seals, |file| results.file(file))?;
    let said = |(path, how): (PathBuf, String)| format!("{} is not as its run wrote it ({how})", path.display());
    let differences: Vec<String> = differences.into_iter().map(said).collect();
    match differences.is_empty() {
        true => Ok(true),
        false if accept_edited => {
            differences.iter().for_each(|difference| tracing::warn!("{difference}; drawn all the same"));
            Ok(false)
        }
        false => Err(LabError::TableDiffers { differences, command: results.command().to_owned() }),
    }
}

/// What speaks against the tables of an experiment in a directory: no seal beside them, one that cannot be read, tables that are
/// not those of the run. A file is named with its directory.
///
/// # Errors
/// If a table that is there cannot be read.
pub(crate) fn doubts(directory: &Path, experiment: &str) -> Result<Vec<String>, LabError> {
    let meta = directory.join(format!("{experiment}.meta.toml"));
    if !meta.is_file() {
        let has_tables = meta.with_file_name(format!("{experiment}.csv")).is_file();
        let said = format!("{} is not there: the run did not finish, or the file was deleted", short(&meta));
        return Ok(if has_tables { vec![said] } else { Vec::new() });
    }
    let Ok(seals) = read(&meta, experiment) else { return Ok(vec![format!("{} cannot be read", short(&meta))]) };
    let differences = differences(&seals.unwrap_or_default(), |file| meta.with_file_name(file))?;
    let said = |(path, how): (PathBuf, String)| format!("{} is not as its run wrote it ({how})", short(&path));
    Ok(differences.into_iter().map(said).collect())
}

/// A file with its directory.
fn short(path: &Path) -> String {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    format!("{}/{}", path.parent().map(name).unwrap_or_default(), name(path))
}

/// The tables that are not as they were sealed, and how.
fn differences(seals: &Seals, place: impl Fn(&str) -> PathBuf) -> Result<Vec<(PathBuf, String)>, LabError> {
    let mut differences = Vec::new();
    for (file, seal) in seals {
        let path = place(file);
        let how = match files::read(&path) {
            Ok(bytes) => seal.difference(&bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => Some("it is missing".to_owned()),
            Err(source) => return Err(LabError::Read { path, source }),
        };
        differences.extend(how.map(|how| (path, how)));
    }
    Ok(differences)
}

/// The seals in `meta`, if it has any.
fn read(meta: &Path, command: &str) -> Result<Option<Seals>, LabError> {
    #[derive(Deserialize)]
    struct Sealed {
        tables: Option<Seals>,
    }
    let text = files::read_to_string(meta).map_err(|source| LabError::Read { path: meta.to_owned(), source })?;
    let sealed: Result<Sealed, _> = toml::from_str(&text);
    let damaged = |_| LabError::ReadSeal { path: meta.to_owned(), command: command.to_owned() };
    sealed.map(|sealed| sealed.tables).map_err(damaged)
}

impl Seal {
    fn new(rows: usize, bytes: &[u8]) -> Self {
        Self { rows, blake3: blake3::hash(bytes).to_hex().to_string() }
    }

    /// How a file differs from the one that was sealed.
    fn difference(&self, bytes: &[u8]) -> Option<String> {
        let found = Self::new(count_rows(bytes), bytes);
        let rows = |count| format!("{count} row{}", if count == 1 { "" } else { "s" });
        match found.rows == self.rows {
            _ if found.blake3 == self.blake3 => None,
            true => Some(format!("{}, as then, but other content", rows(found.rows))),
            false => Some(format!("{} instead of {}", rows(found.rows), self.rows)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubts_about_tables() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        let table = "x\n1\n";
        let hash = Seal::new(1, table.as_bytes()).blake3;
        let seals: String =
            ["a", "b", "c"].map(|name| format!("\"{name}.csv\" = {{ rows = 1, blake3 = \"{hash}\" }}\n")).concat();
        std::fs::write(place("a.meta.toml"), format!("[tables]\n{seals}")).unwrap();
        std::fs::write(place("a.csv"), table).unwrap();
        std::fs::write(place("b.csv"), "x\n2\n").unwrap();
        let found = doubts(directory.path(), "a").unwrap();
        assert!(found.len() == 2 && found[0].contains("/b.csv is not as") && found[1].contains("c.csv"), "{found:?}");
        assert_eq!(doubts(directory.path(), "none").unwrap(), [""; 0]);
        assert!(doubts(directory.path(), "b").unwrap()[0].contains("/b.meta.toml is not there"));
        std::fs::write(place("b.meta.toml"), "[tables").unwrap();
        assert!(doubts(directory.path(), "b").unwrap()[0].ends_with("/b.meta.toml cannot be read"));
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_a_difference() {
        let table = b"label,x\na,1.25\nb,2.5\n";
        let seal = Seal::new(2, table);
        assert_eq!(seal.difference(table), None);
        for position in 0..table.len() {
            assert!(seal.difference(&table[..position]).is_some(), "cut at {position}");
            let mut changed = table.to_vec();
            changed[position] ^= 1;
            assert!(seal.difference(&changed).is_some(), "changed byte {position}");
        }
        assert_eq!(seal.difference(&table[..14]).unwrap(), "1 row instead of 2");
        assert_eq!(seal.difference(&table[..18]).unwrap(), "2 rows, as then, but other content");
    }
}
