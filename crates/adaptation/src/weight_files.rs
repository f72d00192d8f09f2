//! The weights of an encoder in safetensors files: one, or several with an index. Every number is checked as it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use faer::{Mat, MatRef};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

use crate::model_error::ModelError;
use crate::model_files as files;
use crate::weights::{LayerNorm, Origin, build};
use crate::{Config, Encoder};
use sources::excerpt;

/// The largest magnitude of a weight. Pretrained encoders stay below 100; from about here on, the sum of squares in a
/// LayerNorm can leave `f32`.
const LARGEST: f64 = 1e4;

/// Buffers that old files have beside the weights.
const BUFFERS: &[&str] = &["embeddings.position_ids", "embeddings.token_type_ids"];

/// What belongs to the encoder, as against the heads of tasks.
const PARTS: &[&str] = &["embeddings.", "encoder.", "pooler."];

/// The files with the weights, as bytes.
pub(crate) struct WeightFiles {
    /// The index, or the only file: what complaints about the whole name.
    path: PathBuf,
    /// The files in the order of their names.
    files: Vec<(PathBuf, Vec<u8>)>,
    /// The bytes of the index, if there is one.
    index: Option<Vec<u8>>,
    /// By tensor, the number of its file; empty without an index.
    places: BTreeMap<String, usize>,
}

impl WeightFiles {
    /// Reads `model.safetensors`, or an index (`….index.json`) and all files that it names, which lie beside it.
    pub(crate) fn read(path: &Path) -> Result<Self, ModelError> {
        if path.extension().is_some_and(|extension| extension == "json") {
            return Self::read_sharded(path);
        }
        let files = vec![(path.to_owned(), files::bytes(path)?)];
        Ok(Self { path: path.to_owned(), files, index: None, places: BTreeMap::new() })
    }

    fn read_sharded(path: &Path) -> Result<Self, ModelError> {
        let keys = files::object(path)?;
        let (key, allowed) = ("weight_map", "a table of tensors and the files they are in");
        let map = keys.get(key).ok_or_else(|| ModelError::MissingKey { path: path.to_owned(), key, allowed })?;
        let refused = |key: String, found: &Value, allowed: &str| {
            let (found, allowed) = (excerpt(&found.to_string()), allowed.to_owned());
            ModelError::Setting { path: path.to_owned(), key: excerpt(&key), found, allowed }
        };
        let map = map.as_object().ok_or_else(|| refused(key.to_owned(), map, allowed))?;
        let mut of_tensors = BTreeMap::new();
        for (tensor, file) in map {
            // A name, not a path: an index must not lead out of its directory.
            let name = file.as_str().filter(|name| name.ends_with(".safetensors") && !name.contains(['/', '\\']));
            let allowed = "the name of a .safetensors file beside it";
            of_tensors
                .insert(tensor.clone(), name.ok_or_else(|| refused(format!("weight_map.{tensor}"), file, allowed))?);
        }
        let names: BTreeSet<&str> = of_tensors.values().copied().collect();
        let read = |name: &&str| {
            let path = path.with_file_name(name);
            files::bytes(&path).map(|bytes| (path, bytes))
        };
        let files = names.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let number = |name: &str| names.iter().take_while(|other| **other < name).count();
        let places = of_tensors.iter().map(|(tensor, name)| (tensor.clone(), number(name))).collect();
        Ok(Self { path: path.to_owned(), files, index: Some(files::bytes(path)?), places })
    }

    /// The bytes of all files in a fixed order, the index first.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.index.as_deref().into_iter().chain(self.files.iter().map(|(_, bytes)| bytes.as_slice()))
    }

    /// The tensors in them, whose names may have this prefix.
    pub(crate) fn tensors(&self, prefix: &'static str) -> Result<Tensors<'_>, ModelError> {
        let mut tensors = BTreeMap::new();
        for (file, (path, bytes)) in self.files.iter().enumerate() {
            let parsed = SafeTensors::deserialize(bytes);
            let parsed = parsed
                .map_err(|error| ModelError::Weights { path: path.clone(), reason: excerpt(&error.to_string()) })?;
            let here = |name: &str| self.index.is_none() || self.places.get(name) == Some(&file);
            tensors
                .extend(parsed.tensors().into_iter().filter(|(name, _)| here(name)).map(|(name, t)| (name, (file, t))));
        }
        // What the index promises must be there.
        match self.places.iter().find(|(name, _)| !tensors.contains_key(*name)) {
            Some((name, file)) => {
                let (path, name) = (self.files[*file].0.clone(), excerpt(name));
                Err(ModelError::Missing { path, name, prefix })
            }
            None => Ok(Tensors { files: self, prefix, tensors, read: BTreeSet::new(), converted: BTreeSet::new() }),
        }
    }
}

/// Tensors by name, and which of them were read.
pub(crate) struct Tensors<'a> {
    files: &'a WeightFiles,
    /// What names may have before them, with a dot.
    prefix: &'static str,
    /// With the number of their file.
    tensors: BTreeMap<String, (usize, TensorView<'a>)>,
    read: BTreeSet<String>,
    converted: BTreeSet<String>,
}

impl Tensors<'_> {
    /// How weights were converted, if they were.
    pub(crate) fn converted(&self) -> Option<String> {
        let types: Vec<&str> = self.converted.iter().map(String::as_str).collect();
        (!types.is_empty()).then(|| format!("{} converted to F32", types.join(", ")))
    }

    /// The tensors that were not read, by their names without prefix, with their files.
    pub(crate) fn unread(&self) -> impl Iterator<Item = (&str, PathBuf)> {
        let unread = self.tensors.keys().filter(|name| !self.read.contains(*name));
        unread.map(|name| (self.plain(name), self.path_of(name)))
    }

    /// A name without prefix.
    fn plain<'n>(&self, name: &'n str) -> &'n str {
        name.strip_prefix(self.prefix).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name)
    }

    /// Refuses tensors of the encoder that were not read: they belong to another network.
    pub(crate) fn check_all_read(&self, layers: usize) -> Result<(), ModelError> {
        let is_left = |name: &&String| {
            let plain = self.plain(name);
            let belongs = PARTS.iter().any(|part| plain.starts_with(part)) && !BUFFERS.contains(&plain);
            belongs && !self.read.contains(*name)
        };
        match self.tensors.keys().find(is_left) {
            Some(name) => Err(ModelError::Unexpected { path: self.path_of(name), name: excerpt(name), layers }),
            None => Ok(()),
        }
    }

    fn path_of(&self, tensor: &str) -> PathBuf {
        let file = self.tensors.get(tensor).map(|(file, _)| &self.files.files[*file].0);
        file.unwrap_or(&self.files.path).clone()
    }

    /// The first of these names that is there, with or without prefix.
    fn find(&self, names: &[String]) -> Option<String> {
        let mut candidates = names.iter().flat_map(|name| [name.clone(), format!("{}.{name}", self.prefix)]);
        candidates.find(|name| self.tensors.contains_key(name))
    }

    /// The numbers of a tensor of this shape, all of them fit to compute with.
    pub(crate) fn numbers(&mut self, names: &[String], shape: &[usize]) -> Result<(String, Vec<f32>), ModelError> {
        let (path, prefix) = (&self.files.path, self.prefix);
        let missing = || ModelError::Missing { path: path.clone(), name: names[0].clone(), prefix };
        let name = self.find(names).ok_or_else(missing)?;
        let (path, (_, tensor)) = (self.path_of(&name), &self.tensors[&name]);
        if tensor.shape() != shape {
            let (expected, found) = (shape.to_vec(), tensor.shape().to_vec());
            return Err(ModelError::Shape { path, name, expected, found });
        }
        let Some(numbers) = converted(tensor) else {
            return Err(ModelError::Type { path, name, found: format!("{:?}", tensor.dtype()) });
        };
        check_numbers(&path, &name, &numbers, shape)?;
        if tensor.dtype() != Dtype::F32 {
            self.converted.insert(format!("{:?}", tensor.dtype()));
        }
        self.read.insert(name.clone());
        Ok((name, numbers))
    }
}

impl Encoder<f32> {
    /// Reads a pretrained encoder; `weights` is a file of safetensors, or the index (`….index.json`) of several. Names of
    /// tensors may carry the prefix `bert.` (`mpnet.`); LayerNorms may have `gamma` and `beta` in place of `weight` and `bias`; a pooler
    /// may be missing; numbers may be F32, F16, BF16 or F64; tensors that do not belong to the encoder are ignored.
    ///
    /// # Errors
    /// If a file cannot be read or is damaged, the configuration is not one of an encoder that is known, or a tensor is missing, too
    /// many, has another shape or number type, or holds what cannot be computed with: NaN, ∞, magnitudes above 1e4, or zeros
    /// that make every sentence the same.
    pub fn load(config: &Path, weights: &Path) -> Result<Self, ModelError> {
        let config = Config::read(config)?;
        Self::from_files(config, &WeightFiles::read(weights)?).map(|(encoder, _)| encoder)
    }

    /// The encoder in these files, and how its weights were converted, if they were.
    pub(crate) fn from_files(config: Config, files: &WeightFiles) -> Result<(Self, Option<String>), ModelError> {
        let mut tensors = files.tensors(config.architecture.model_type())?;
        let encoder = build(config, &mut tensors)?;
        tensors.check_all_read(encoder.config().layers)?;
        Ok((encoder, tensors.converted()))
    }
}

/// The numbers of a tensor in `f32`, which need not be aligned in the file; `None` if it is of another type than F32, F16,
/// BF16 and F64. F16 and BF16 are exact, F64 is rounded (beyond `f32`, to ∞).
pub(crate) fn converted(tensor: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = tensor.data();
    Some(match tensor.dtype() {
        Dtype::F32 => data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        Dtype::F16 => data.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32()).collect(),
        Dtype::BF16 => data.as_chunks().0.iter().map(|&bytes| bf16::from_le_bytes(bytes).to_f32()).collect(),
        Dtype::F64 => data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect(),
        _ => return None,
    })
}

/// Refuses entries of a tensor that are no numbers to compute with.
pub(crate) fn check_numbers(path: &Path, name: &str, numbers: &[f32], shape: &[usize]) -> Result<(), ModelError> {
    let Some(place) = numbers.iter().position(|&x| x.is_nan() || f64::from(x).abs() > LARGEST) else { return Ok(()) };
    let (index, value) = (index(place, shape), numbers[place].into());
    Err(ModelError::Entry { path: path.to_owned(), name: name.to_owned(), index, value, limit: LARGEST })
}

/// The index of an entry in a row-major tensor.
fn index(place: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = place;
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let here = rest % size;
            rest /= size;
            here
        })
        .collect();
    index.reverse();
    index
}

impl Origin<f32> for Tensors<'_> {
    type Error = ModelError;

    fn matrix(&mut self, name: &str, (rows, columns): (usize, usize)) -> Result<Mat<f32>, ModelError> {
        let (found, numbers) = self.numbers(&[format!("{name}.weight")], &[rows, columns])?;
        // An encoder with one word for everything. Other tables and matrices may be 0.
        if name == "embeddings.word_embeddings" && numbers.chunks_exact(columns).all(|row| row == &numbers[..columns]) {
            return Err(ModelError::Constant {
                path: self.path_of(&found),
                name: found,
                what: "has the same row for every word",
            });
        }
        Ok(MatRef::from_column_major_slice(&numbers, columns, rows).to_owned())
    }

    fn bias(&mut self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        self.numbers(&[format!("{name}.bias")], &[length]).map(|(_, numbers)| numbers)
    }

    fn norm(&mut self, name: &str, length: usize) -> Result<LayerNorm<f32>, ModelError> {
        let names = |new: &str, old: &str| [format!("{name}.{new}"), format!("{name}.{old}")];
        let (found, weight) = self.numbers(&names("weight", "gamma"), &[length])?;
        if weight.iter().all(|&x| x == 0.0) {
            return Err(ModelError::Constant { path: self.path_of(&found), name: found, what: "is all zero" });
        }
        let (_, bias) = self.numbers(&names("bias", "beta"), &[length])?;
        Ok(LayerNorm { weight, bias })
    }

    fn has(&self, name: &str) -> bool {
        self.find(&[name.to_owned()]).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::index;

    #[test]
    fn places_of_entries() {
        assert_eq!(index(0, &[3, 4]), [0, 0]);
        assert_eq!(index(11, &[3, 4]), [2, 3]);
        assert_eq!(index(5, &[6]), [5]);
    }
}
