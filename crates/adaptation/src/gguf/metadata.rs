//! The keys of a GGUF file and their values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::reader::{Damage, Reader};
use crate::model_error::ModelError;
use sources::excerpt;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Integer(i128),
    Number(f64),
    Flag(bool),
    Text(String),
    List(Vec<Value>),
}

/// The number of the type of lists.
const LIST: u32 = 9;

impl Value {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Damage> {
        let kind = reader.u32()?;
        if kind != LIST {
            return Self::single(kind, reader);
        }
        let (kind, length) = (reader.u32()?, reader.u64()?);
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(Self::single(kind, reader)?);
        }
        Ok(Self::List(list))
    }

    fn single(kind: u32, reader: &mut Reader<'_>) -> Result<Self, Damage> {
        Ok(match kind {
            0 => Self::Integer(reader.array().map(u8::from_le_bytes)?.into()),
            1 => Self::Integer(reader.array().map(i8::from_le_bytes)?.into()),
            2 => Self::Integer(reader.array().map(u16::from_le_bytes)?.into()),
            3 => Self::Integer(reader.array().map(i16::from_le_bytes)?.into()),
            4 => Self::Integer(reader.u32()?.into()),
            5 => Self::Integer(reader.array().map(i32::from_le_bytes)?.into()),
            6 => Self::Number(reader.array().map(f32::from_le_bytes)?.into()),
            7 => Self::Flag(reader.array::<1>()? != [0]),
            8 => Self::Text(reader.text()?),
            10 => Self::Integer(reader.u64()?.into()),
            11 => Self::Integer(reader.array().map(i64::from_le_bytes)?.into()),
            12 => Self::Number(reader.array().map(f64::from_le_bytes)?),
            _ => return Err(format!("a value of the unknown type {kind} before byte {}", reader.place())),
        })
    }

    /// As JSON would have it, cut.
    fn excerpt(&self) -> String {
        match self {
            Self::Integer(x) => x.to_string(),
            Self::Number(x) => x.to_string(),
            Self::Flag(x) => x.to_string(),
            Self::Text(x) => excerpt(&format!("{x:?}")),
            Self::List(list) => format!("a list of {}", list.len()),
        }
    }
}

/// The keys of a file. A value of a wrong kind is an error that names file, key and what is allowed.
#[derive(Debug)]
pub(crate) struct Metadata {
    path: PathBuf,
    values: BTreeMap<String, Value>,
}

impl Metadata {
    pub(super) fn new(path: &Path, values: BTreeMap<String, Value>) -> Self {
        Self { path: path.to_owned(), values }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// That the value of a key is not allowed, or not there.
    pub(crate) fn refused(&self, key: &str, allowed: &str) -> ModelError {
        let found = self.get(key).map_or("not there".to_owned(), Value::excerpt);
        ModelError::Setting { path: self.path.clone(), key: excerpt(key), found, allowed: allowed.to_owned() }
    }

    /// An integer that is at least 0.
    pub(crate) fn integer_from_0(&self, key: &str, allowed: &str) -> Result<usize, ModelError> {
        let found = match self.get(key) {
            Some(Value::Integer(found)) => usize::try_from(*found).ok(),
            _ => None,
        };
        found.ok_or_else(|| self.refused(key, allowed))
    }

    /// An integer that is at least 1.
    pub(crate) fn integer(&self, key: &str, allowed: &str) -> Result<usize, ModelError> {
        match self.integer_from_0(key, allowed)? {
            0 => Err(self.refused(key, allowed)),
            found => Ok(found),
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Result<bool, ModelError> {
        match self.get(key) {
            Some(&Value::Flag(found)) => Ok(found),
            _ => Err(self.refused(key, "true or false")),
        }
    }

    pub(crate) fn number(&self, key: &str, allowed: &str) -> Result<f64, ModelError> {
        match self.get(key) {
            Some(&Value::Number(found)) => Ok(found),
            _ => Err(self.refused(key, allowed)),
        }
    }

    pub(crate) fn text(&self, key: &str, allowed: &str) -> Result<&str, ModelError> {
        match self.get(key) {
            Some(Value::Text(found)) => Ok(found),
            _ => Err(self.refused(key, allowed)),
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Vec<&str>, ModelError> {
        let texts = self.list(key)?.iter().map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Option<_>>().ok_or_else(|| self.refused(key, "a list of texts"))
    }

    pub(crate) fn integers(&self, key: &str) -> Result<Vec<i64>, ModelError> {
        let integers = self.list(key)?.iter().map(|value| match value {
            Value::Integer(integer) => i64::try_from(*integer).ok(),
            _ => None,
        });
        integers.collect::<Option<_>>().ok_or_else(|| self.refused(key, "a list of integers"))
    }

    fn list(&self, key: &str) -> Result<&[Value], ModelError> {
        match self.get(key) {
            Some(Value::List(list)) => Ok(list),
            _ => Err(self.refused(key, "a list")),
        }
    }
}
