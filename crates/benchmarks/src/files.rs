//! Files that are whole or absent, and tables of serde structs.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};

use crate::BenchError;

/// Writes `bytes` to `path` (whose directory is made if need be), replacing what is there, or leaves everything as it was.
///
/// # Errors
/// If the file system refuses.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), BenchError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let replace = || {
        fs::create_dir_all(directory)?;
        let partial = tempfile::Builder::new()
            .prefix(".")
            .suffix(".partial")
            .make_in(directory, |path| fs::File::create(path))?;
        let (mut file, partial) = partial.into_parts();
        file.write_all(bytes)?;
        file.sync_all()?;
        partial.persist(path).map_err(|error| error.error)
    };
    replace().map_err(|source| BenchError::Write { path: path.to_owned(), source })
}

/// The whole text of a file.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<String, BenchError> {
    fs::read_to_string(path).map_err(|source| BenchError::Read { path: path.to_owned(), source })
}

/// Writes a table, one row per struct, columns named by its fields.
///
/// # Errors
/// If the rows do not make a table, or the file system refuses.
pub fn write_table<R: Serialize>(path: &Path, rows: &[R]) -> Result<(), BenchError> {
    let failed = |source| BenchError::Table { path: path.to_owned(), source };
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    write(path, &bytes)
}

/// Reads a table of such rows.
///
/// # Errors
/// If it cannot be read, or a column is missing or of another kind.
pub fn read_table<R: DeserializeOwned>(path: &Path) -> Result<Vec<R>, BenchError> {
    let text = read(path)?;
    let rows: Result<Vec<R>, csv::Error> = csv::Reader::from_reader(text.as_bytes()).deserialize().collect();
    rows.map_err(|source| BenchError::Table { path: path.to_owned(), source })
}
