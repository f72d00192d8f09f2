//! Checkpoints: what a fine-tuning run needs to go on to the same bytes as if it had never stopped.
//!
//! A checkpoint is a directory of two files. `checkpoint.toml` holds the hash of the run's settings, AdamW's step, the
//! position in the training data and the name and BLAKE3 hash of the other file; its first line is the BLAKE3 hash of all
//! lines after it. `tensors-HASH.safetensors` holds every parameter (`SITE.NAME`, row-major) and its moments
//! (`SITE.NAME.first_moment`, `.second_moment`: flat, column-major as the parameter is kept); with a
//! [budget](crate::adapter::Budget), what it knows of every site (`SITE.NAME.sensitivity`, `.uncertainty`, `SITE.kept`) too. The
//! TOML is written last and renamed into place: whenever a run is killed, the directory holds one whole checkpoint, the new
//! one or the one before.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use faer::Par;
use safetensors::SafeTensors;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::files::write_whole;
use crate::tensors::{Tensor, fits, read_list, read_matrix};
use crate::{AdamW, Adapters, Parameter, Real, Site};

const FILE: &str = "checkpoint.toml";
const FORMAT: u32 = 3;

/// Where a run is in its training data; any serializable type may be kept in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Passes over the training examples that are finished.
    pub epoch: u64,
    /// Batches of the present pass that are finished.
    pub batch: u64,
    /// Steps taken in all.
    pub step: u64,
}

/// What is wrong with a checkpoint, or kept it from being written.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// A file or directory could not be written; the checkpoint before is still whole.
    #[error("cannot write {path}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The position cannot be written as TOML.
    #[error("cannot write the position as TOML")]
    Position(#[from] toml::ser::Error),
    /// The tensors cannot be written.
    #[error("cannot write the tensors")]
    Tensors(#[from] safetensors::SafeTensorError),
    /// Not what was written.
    #[error("{path}: damaged checkpoint ({reason})")]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// How it shows.
        reason: String,
    },
    /// A whole checkpoint of another run.
    #[error("{path}: checkpoint of another run ({reason})")]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// How it shows.
        reason: String,
    },
}

/// What the TOML holds below its checksum.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<P> {
    format: u32,
    settings: String,
    tensors: String,
    tensors_hash: String,
    steps: u64,
    position: P,
}

/// Writes a checkpoint of a run between two steps, replacing the one that is there. `settings` is a hash of whatever the
/// run is determined by; [`restore`] refuses a checkpoint with another one. All rows of embeddings are
/// [caught up](AdamW::catch_up_all) first.
///
/// # Errors
/// If something cannot be written; the checkpoint before is then still there.
pub fn save<T: Real, P: Serialize>(
    directory: &Path,
    settings: &str,
    position: &P,
    adapters: &mut Adapters<T>,
    optimizer: &mut AdamW<T>,
) -> Result<(), CheckpointError> {
    optimizer.catch_up_all(adapters);
    let write = |path: PathBuf, bytes: &[u8]| {
        write_whole(&path, bytes).map_err(|source| CheckpointError::Write { path, source })
    };
    fs::create_dir_all(directory).map_err(|source| CheckpointError::Write { path: directory.to_owned(), source })?;
    let bytes = safetensors::serialize(tensors_of(adapters, optimizer), None)?;
    let tensors_hash = blake3::hash(&bytes).to_hex().to_string();
    let tensors = format!("tensors-{}.safetensors", &tensors_hash[..16]);
    write(directory.join(&tensors), &bytes)?;
    let (settings, steps) = (settings.to_owned(), optimizer.steps());
    let body = Body { format: FORMAT, settings, tensors: tensors.clone(), tensors_hash, steps, position };
    let body = toml::to_string(&body)?;
    write(directory.join(FILE), format!("{}{body}", checksum_line(&body)).as_bytes())?;
    remove_others(directory, &tensors);
    Ok(())
}

/// Sets adapters and optimizer to what the checkpoint in `directory` holds and gives the position it was made at; `None` if
/// there is no checkpoint. The applied forms are up to date afterwards. Nothing is changed on an error.
///
/// # Errors
/// If a file cannot be read or is damaged, or the checkpoint belongs to other settings or other adapters.
pub fn restore<T: Real, P: DeserializeOwned>(
    directory: &Path,
    settings: &str,
    adapters: &mut Adapters<T>,
    optimizer: &mut AdamW<T>,
) -> Result<Option<P>, CheckpointError> {
    let path = directory.join(FILE);
    let text = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CheckpointError::Read { path, source }),
    };
    let body: Body<P> =
        checked_body(&text).map_err(|reason| CheckpointError::Damaged { path: path.clone(), reason })?;
    if body.settings != settings {
        let reason = format!("its settings have the hash {}, this run's {settings}", body.settings);
        return Err(CheckpointError::OtherRun { path, reason });
    }
    let path = directory.join(&body.tensors);
    let bytes = fs::read(&path).map_err(|source| CheckpointError::Read { path: path.clone(), source })?;
    let damaged = |reason: String| CheckpointError::Damaged { path: path.clone(), reason };
    if blake3::hash(&bytes).to_hex().as_str() != body.tensors_hash {
        return Err(damaged("its bytes do not have the hash that checkpoint.toml gives".to_owned()));
    }
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    check_tensors(&tensors, adapters).map_err(|reason| CheckpointError::OtherRun { path: path.clone(), reason })?;
    read_tensors(&tensors, adapters, optimizer, body.steps).map_err(|error| damaged(error.to_string()))?;
    adapters.refresh(Par::Seq);
    Ok(Some(body.position))
}

/// Every parameter and its moments, and what a budget keeps, named.
fn tensors_of<T: Real>(adapters: &Adapters<T>, optimizer: &AdamW<T>) -> Vec<(String, Tensor)> {
    let mut tensors = Vec::new();
    for ((site, parameter), (first, second)) in adapters.parameters().zip(optimizer.moments()) {
        let [name, of_first, of_second] = names(site, parameter);
        tensors.push((name, Tensor::matrix(parameter.matrix())));
        tensors.push((of_first, Tensor::list(first)));
        tensors.push((of_second, Tensor::list(second)));
    }
    tensors.extend(budget_lists(adapters).map(|(name, list)| (name, Tensor::list(list))));
    tensors
}

/// What the adapters' budget keeps; nothing without one.
fn budget_lists<T: Real>(adapters: &Adapters<T>) -> impl Iterator<Item = (String, &[T])> {
    adapters.budget().into_iter().flat_map(|budget| budget.lists())
}

/// Names of a parameter's tensors: its value, its first and its second moment.
fn names<T: Real>(site: Site, parameter: &Parameter<T>) -> [String; 3] {
    let name = format!("{}.{}", site.name(), parameter.name);
    [name.clone(), format!("{name}.first_moment"), format!("{name}.second_moment")]
}

/// Whether the tensors are those of these adapters, no fewer and no more.
fn check_tensors<T: Real>(tensors: &SafeTensors<'_>, adapters: &Adapters<T>) -> Result<(), String> {
    let of_parameters = adapters.parameters().flat_map(|(site, parameter)| {
        let (m, n) = parameter.matrix().shape();
        names(site, parameter).into_iter().zip([vec![m, n], vec![m * n], vec![m * n]])
    });
    let of_budget = budget_lists(adapters).map(|(name, list)| (name, vec![list.len()]));
    let mut expected = 0;
    for (name, shape) in of_parameters.chain(of_budget) {
        let tensor = tensors.tensor(&name).map_err(|_| format!("it has no tensor {name}"))?;
        if !fits::<T>(&tensor, &shape) {
            return Err(format!("{name} is {:?} of {:?}, not {shape:?}", tensor.shape(), tensor.dtype()));
        }
        expected += 1;
    }
    if tensors.len() != expected {
        return Err(format!("it has {} tensors, not {expected}", tensors.len()));
    }
    Ok(())
}

/// Copies tensors that were checked.
fn read_tensors<T: Real>(
    tensors: &SafeTensors<'_>,
    adapters: &mut Adapters<T>,
    optimizer: &mut AdamW<T>,
    steps: u64,
) -> Result<(), safetensors::SafeTensorError> {
    for ((site, parameter), (first, second)) in adapters.parameters_mut().zip(optimizer.restore(steps)) {
        let [name, of_first, of_second] = names(site, parameter);
        let value = parameter.value.as_mut();
        let value = if parameter.touched.is_some() { value.transpose_mut() } else { value };
        read_matrix(&tensors.tensor(&name)?, value);
        read_list(&tensors.tensor(&of_first)?, first);
        read_list(&tensors.tensor(&of_second)?, second);
    }
    optimizer.restored();
    let names: Vec<String> = budget_lists(adapters).map(|(name, _)| name).collect();
    for (name, list) in names.iter().zip(adapters.budget_mut().into_iter().flat_map(|budget| budget.lists_mut())) {
        read_list(&tensors.tensor(name)?, list);
    }
    Ok(())
}

/// The first line of the file.
fn checksum_line(body: &str) -> String {
    format!("checksum = \"{}\"\n", blake3::hash(body.as_bytes()).to_hex())
}

/// The body of a file whose checksum holds.
fn checked_body<P: DeserializeOwned>(bytes: &[u8]) -> Result<Body<P>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let body = text.split_inclusive('\n').next().map_or("", |first| &text[first.len()..]);
    if text.strip_suffix(body) != Some(checksum_line(body).as_str()) {
        return Err("its checksum does not hold".to_owned());
    }
    let body: Body<P> = toml::from_str(body).map_err(|error| error.to_string())?;
    if body.format != FORMAT {
        return Err(format!("its format is {}, this program's {FORMAT}", body.format));
    }
    Ok(body)
}

/// Removes the tensors of earlier checkpoints. One that stays does no harm, so failures are passed over.
fn remove_others(directory: &Path, keep: &str) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("tensors-") && name.ends_with(".safetensors") && name != keep {
            let _ = fs::remove_file(entry.path());
        }
    }
}
