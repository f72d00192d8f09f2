//! The files of an encoder as bytes, text and JSON, with what is wrong said in terms of the file.

use std::path::Path;

use serde_json::{Map, Value};

use crate::model_error::ModelError;
use sources::excerpt;

/// How the pointers of git-lfs begin, which lie in a clone in place of files that were not downloaded.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The content of a file.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, ModelError> {
    let bytes = std::fs::read(path).map_err(|reason| ModelError::Read { path: path.to_owned(), reason })?;
    if bytes.starts_with(LFS) {
        return Err(ModelError::LfsPointer { path: path.to_owned() });
    }
    Ok(bytes)
}

/// The text of a file, without a byte order mark.
pub(crate) fn text(path: &Path) -> Result<String, ModelError> {
    let text = String::from_utf8(bytes(path)?).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        ModelError::NotUtf8 { path: path.to_owned(), line }
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The keys and values of a JSON file.
pub(crate) fn object(path: &Path) -> Result<Map<String, Value>, ModelError> {
    let value = serde_json::from_str(&text(path)?);
    match value.map_err(|reason| ModelError::Json { path: path.to_owned(), reason })? {
        Value::Object(keys) => Ok(keys),
        other => Err(ModelError::NotAnObject { path: path.to_owned(), found: excerpt(&other.to_string()) }),
    }
}
