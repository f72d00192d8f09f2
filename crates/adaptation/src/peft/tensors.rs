//! `adapter_model.safetensors`: the factors of modules, and what does not go with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use faer::{Mat, MatRef};
use safetensors::tensor::{SafeTensors, TensorView};
use sources::excerpt;

use super::names::Module;
use super::{ImportError, Mismatch, Misshapen};
use crate::model_error::ModelError;
use crate::weight_files::converted;

/// What PEFT has before the name of every module.
const PREFIX: &str = "base_model.model.";

/// The tensors of a file by name, and which of them have a place.
pub(super) struct Tensors<'a> {
    path: &'a Path,
    tensors: BTreeMap<String, TensorView<'a>>,
    placed: BTreeSet<String>,
    missing: Vec<(String, Vec<usize>)>,
    misshapen: Vec<Misshapen>,
}

/// The two factors of a module, as in `ΔW = s B A`.
#[derive(Debug, PartialEq)]
pub(super) struct Factors {
    /// m × r.
    pub(super) b: Mat<f32>,
    /// r × n.
    pub(super) a: Mat<f32>,
}

/// The names of a module's two factors A and B, with their shapes, where ΔW is m × n. The factors of a table are of `ΔWᵀ`.
pub(super) fn factors(module: &Module, rank: usize, (m, n): (usize, usize)) -> [(String, [usize; 2]); 2] {
    let Module { name, is_table, .. } = module;
    if *is_table {
        let of = |factor, shape| (format!("{PREFIX}{name}.lora_embedding_{factor}"), shape);
        [of("A", [rank, m]), of("B", [n, rank])]
    } else {
        let of = |factor, shape| (format!("{PREFIX}{name}.lora_{factor}.weight"), shape);
        [of("A", [rank, n]), of("B", [m, rank])]
    }
}

/// The names that a frozen weight of a module may have in the file.
pub(super) fn frozen_names(module: &str) -> [String; 2] {
    ["base_layer.weight", "weight"].map(|end| format!("{PREFIX}{module}.{end}"))
}

impl<'a> Tensors<'a> {
    pub(super) fn parse(path: &'a Path, bytes: &'a [u8]) -> Result<Self, ImportError> {
        let damaged = |error: safetensors::SafeTensorError| {
            let (path, reason) = (path.to_owned(), excerpt(&error.to_string()));
            ModelError::Weights { path, reason }
        };
        let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?.tensors().into_iter().collect();
        Ok(Self { path, tensors, placed: BTreeSet::new(), missing: Vec::new(), misshapen: Vec::new() })
    }

    /// How many tensors belong to one of these modules.
    pub(super) fn count<'m>(&self, modules: impl Iterator<Item = &'m Module>) -> usize {
        let own = |name: &str, tensor: &str| {
            let rest = tensor.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(name));
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        modules.map(|module| self.tensors.keys().filter(|tensor| own(&module.name, tensor)).count()).sum()
    }

    /// Whether there is a factor of a module.
    pub(super) fn has_factor(&self, module: &Module) -> bool {
        factors(module, 1, (1, 1)).iter().any(|(name, _)| self.tensors.contains_key(name))
    }

    /// Gives a tensor its place if it is there; whether it is, and of this shape.
    pub(super) fn place(&mut self, name: &str, shape: &[usize]) -> bool {
        let Some(tensor) = self.tensors.get(name) else { return false };
        self.placed.insert(name.to_owned());
        let fits = tensor.shape() == shape;
        if !fits {
            let (name, found, expected) = (name.to_owned(), tensor.shape().to_vec(), shape.to_vec());
            self.misshapen.push(Misshapen { name, found, expected });
        }
        fits
    }

    /// As [`place`](Self::place), of a tensor that must be there.
    pub(super) fn demand(&mut self, name: &str, shape: &[usize]) {
        if !self.place(name, shape) && !self.tensors.contains_key(name) {
            self.missing.push((name.to_owned(), shape.to_vec()));
        }
    }

    /// Refuses tensors that are missing, misshapen, or have no place.
    pub(super) fn check(&mut self) -> Result<(), Mismatch> {
        let left = self.tensors.iter().filter(|(name, _)| !self.placed.contains(*name));
        let unexpected = left.map(|(name, tensor)| (name.clone(), tensor.shape().to_vec())).collect();
        let (missing, misshapen) = (std::mem::take(&mut self.missing), std::mem::take(&mut self.misshapen));
        let mismatch = Mismatch { path: self.path.to_owned(), missing, unexpected, misshapen };
        if mismatch.is_empty() { Ok(()) } else { Err(mismatch) }
    }

    /// The numbers of a tensor that is there, row after row.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<f32>, ImportError> {
        let (path, tensor, name) = (self.path.to_owned(), &self.tensors[name], name.to_owned());
        let Some(numbers) = converted(tensor) else {
            return Err(ModelError::Type { path, name, found: format!("{:?}", tensor.dtype()) }.into());
        };
        match numbers.iter().find(|x| !x.is_finite()) {
            Some(&value) => Err(ImportError::NotFinite { path, name, value }),
            None => Ok(numbers),
        }
    }

    /// The factors of a module, which [`demand`](Self::demand) found.
    pub(super) fn read(&self, module: &Module, rank: usize, shape: (usize, usize)) -> Result<Factors, ImportError> {
        let [a, b] = factors(module, rank, shape);
        let read = |(name, [rows, columns]): (String, [usize; 2])| -> Result<Mat<f32>, ImportError> {
            let numbers = self.numbers(&name)?;
            Ok(MatRef::from_column_major_slice(&numbers, columns, rows).transpose().to_owned())
        };
        let (a, b) = (read(a)?, read(b)?);
        if module.is_table {
            // ΔWᵀ = B A of PEFT's, so that ΔW = Aᵀ Bᵀ.
            return Ok(Factors { b: a.transpose().to_owned(), a: b.transpose().to_owned() });
        }
        Ok(Factors { b, a })
    }
}
