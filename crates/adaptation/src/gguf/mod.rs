//! GGUF files, in which llama.cpp keeps a model: metadata and tensors, many of them in blocks of few bits.
//!
//! The format is that of [its specification](https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), versions 2 and 3,
//! little-endian. The reader is this project's own: those on crates.io panic or allocate without limit on a damaged file
//! (candle-core 0.11, ggus 0.5), or bring a command line with them (gguf-rs 0.1).

mod blocks;
mod metadata;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use self::blocks::Kind;
pub(crate) use self::metadata::Metadata;
use self::reader::{Damage, Reader};
use crate::model_error::ModelError;
use crate::model_files as files;
use sources::excerpt;

/// Most dimensions of a tensor.
const MOST_DIMENSIONS: u64 = 4;

/// Where a tensor's numbers start is a multiple of this, if the file does not say otherwise.
const ALIGNMENT: usize = 32;

/// A file, read and checked but for the numbers of its tensors.
pub(crate) struct Gguf {
    bytes: Vec<u8>,
    /// Its keys and values.
    pub(crate) metadata: Metadata,
    tensors: BTreeMap<String, Entry>,
    /// Names of tensors that were read.
    read: BTreeSet<String>,
    /// Names of number types other than F32 that were read.
    converted: BTreeSet<&'static str>,
}

/// What the file says of a tensor.
struct Entry {
    /// Rows first, as everywhere but in the file.
    shape: Vec<usize>,
    /// The number of its type.
    kind: u32,
    /// Its first byte, counted from the end of the head.
    offset: u64,
}

impl Gguf {
    /// Reads a file.
    ///
    /// # Errors
    /// If the file cannot be read, or is damaged.
    pub(crate) fn read(path: &Path) -> Result<Self, ModelError> {
        let bytes = files::bytes(path)?;
        let head = parse(&bytes).map_err(|reason| ModelError::Gguf { path: path.to_owned(), reason })?;
        let (values, mut tensors, start) = head;
        let metadata = Metadata::new(path, values);
        let key = "general.alignment";
        let alignment =
            if metadata.get(key).is_some() { metadata.integer(key, "an integer from 1")? } else { ALIGNMENT };
        let start = start.checked_next_multiple_of(alignment).unwrap_or(usize::MAX) as u64;
        for entry in tensors.values_mut() {
            entry.offset = entry.offset.saturating_add(start);
        }
        Ok(Self { bytes, metadata, tensors, read: BTreeSet::new(), converted: BTreeSet::new() })
    }

    /// Which file it is.
    pub(crate) fn path(&self) -> &Path {
        self.metadata.path()
    }

    /// The content of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether there is a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The numbers of a tensor of this shape, row after row, as `f32`.
    ///
    /// # Errors
    /// If there is none of this name, shape and a number type that is known, or the file ends before it does.
    pub(crate) fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let path = || -> PathBuf { self.metadata.path().to_owned() };
        let owned = name.to_owned();
        let entry = self.tensors.get(name).ok_or_else(|| ModelError::NoTensor {
            path: path(),
            name: name.to_owned(),
            expected: shape.to_vec(),
        })?;
        if entry.shape != shape {
            let (expected, found) = (shape.to_vec(), entry.shape.clone());
            return Err(ModelError::Shape { path: path(), name: owned, expected, found });
        }
        let kind = Kind::of(entry.kind).map_err(|found| ModelError::GgufType {
            path: path(),
            name: name.to_owned(),
            found: found.to_owned(),
        })?;
        let (count, row) = (shape.iter().try_fold(1, |count: usize, &size| count.checked_mul(size)), shape.last());
        let damage = |what: &str| ModelError::Gguf { path: path(), reason: format!("tensor {name} {what}") };
        let length = count
            .and_then(|count| kind.bytes(*row.unwrap_or(&1), count))
            .ok_or_else(|| damage("has rows that are not whole blocks"))?;
        let start = usize::try_from(entry.offset).unwrap_or(usize::MAX);
        let data = self.bytes.get(start..start.saturating_add(length));
        let numbers = kind.numbers(data.ok_or_else(|| damage("ends beyond the end of the file"))?);
        if kind != Kind::F32 {
            self.converted.insert(kind.name());
        }
        self.read.insert(owned);
        Ok(numbers)
    }

    /// Refuses a tensor that was not read: it belongs to another network.
    ///
    /// # Errors
    /// [`ModelError::NoPlace`].
    pub(crate) fn check_all_read(&self, layers: usize) -> Result<(), ModelError> {
        match self.tensors.keys().find(|name| !self.read.contains(*name)) {
            Some(name) => Err(ModelError::NoPlace {
                path: self.path().to_owned(),
                name: excerpt(name),
                architecture: "Llama",
                layers,
            }),
            None => Ok(()),
        }
    }

    /// How numbers were converted, if they were.
    pub(crate) fn converted(&self) -> Option<String> {
        let types: Vec<&str> = self.converted.iter().copied().collect();
        (!types.is_empty()).then(|| format!("{} converted to F32", types.join(", ")))
    }
}

/// Keys with values, tensors, and the number of bytes before the tensors' data.
type Head = (BTreeMap<String, metadata::Value>, BTreeMap<String, Entry>, usize);

fn parse(bytes: &[u8]) -> Result<Head, Damage> {
    let mut reader = Reader::new(bytes);
    if reader.take(4)? != b"GGUF" {
        return Err("it does not begin with GGUF".to_owned());
    }
    let version = reader.u32()?;
    if !matches!(version, 2 | 3) {
        return Err(format!("version {version}, allowed: 2, 3 (little-endian)"));
    }
    let (tensors, keys) = (reader.u64()?, reader.u64()?);
    let mut values = BTreeMap::new();
    for _ in 0..keys {
        let key = reader.text()?;
        let value = metadata::Value::read(&mut reader)?;
        if values.insert(key.clone(), value).is_some() {
            return Err(format!("key {} is there twice", excerpt(&key)));
        }
    }
    let mut entries = BTreeMap::new();
    for _ in 0..tensors {
        let name = reader.text()?;
        let entry = entry(&mut reader)?;
        if entries.insert(name.clone(), entry).is_some() {
            return Err(format!("tensor {} is there twice", excerpt(&name)));
        }
    }
    Ok((values, entries, reader.place()))
}

fn entry(reader: &mut Reader<'_>) -> Result<Entry, Damage> {
    let dimensions = u64::from(reader.u32()?);
    if dimensions > MOST_DIMENSIONS {
        return Err(format!("a tensor of {dimensions} dimensions, allowed: at most {MOST_DIMENSIONS}"));
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        shape.push(usize::try_from(reader.u64()?).unwrap_or(usize::MAX));
    }
    shape.reverse();
    Ok(Entry { shape, kind: reader.u32()?, offset: reader.u64()? })
}
