//! Writes adapters as PEFT loads them, by `PeftModel.from_pretrained(model, directory)`: of an encoder onto `AutoModel`, of a
//! decoder onto `AutoModelForCausalLM`, of T5 onto `AutoModelForSeq2SeqLM`.
//!
//! Every method is exported as a LoRA `ΔW = B A` with `lora_alpha = r`, so that PEFT scales it by 1: a factored adapter by
//! the two factors it is applied as, a merged one, or one whose factors are larger than `ΔW`, by its singular value
//! decomposition, cut off where that changes nothing.
//!
//! The one `ΔW` of a tied weight is written for both of its uses, with `ensure_weight_tying`: PEFT then holds the two equal. That of
//! T5's embedding is written for each of its uses, without: PEFT computes the same with it, and would train them apart.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dynamics::DynamicsError;
use faer::Mat;
use serde::Serialize;
use thiserror::Error;

use super::names::{Module, Names};
use super::tensors;
use crate::adapter::{rounded, widened};
use crate::files::write_whole;
use crate::spectrum::Spectrum;
use crate::tensors::Tensor;
use crate::{Adapters, Applied, Real, Site};

/// A decomposed `ΔW` is cut off where that changes it by at most this much of its Frobenius norm …
const RELATIVE: f64 = 1e-5;
/// … or by this much: nothing beside weights whose norms are above 1.
const ABSOLUTE: f64 = 1e-6;

/// Why adapters cannot be exported.
#[derive(Debug, Error)]
pub enum ExportError {
    /// There is no adapter.
    #[error("nothing is adapted, so there is nothing to export")]
    Nothing,
    /// A `ΔW` that is no product of narrow factors.
    #[error(
        "{site}: ΔW ({rows} × {columns}) has rank {rank}; PEFT takes B A only, which from rank {limit} on is larger than ΔW \
         itself. What can be exported: lora, deep-lora, compressed, adalora, and any other ΔW that came out of low rank"
    )]
    NotLowRank {
        /// The adapted weight.
        site: String,
        /// Rank at which cutting off changes something.
        rank: usize,
        /// Rows of `ΔW`.
        rows: usize,
        /// Columns of `ΔW`.
        columns: usize,
        /// Smallest rank that is refused.
        limit: usize,
    },
    /// A `ΔW` without a decomposition (NaN or ∞).
    #[error("{site}: ΔW cannot be decomposed")]
    Decomposition {
        /// The adapted weight.
        site: String,
        /// Why.
        source: DynamicsError,
    },
    /// The tensors cannot be written.
    #[error("cannot write the tensors")]
    Tensors(#[from] safetensors::SafeTensorError),
    /// The configuration cannot be written.
    #[error("cannot write the configuration")]
    Config(#[from] serde_json::Error),
    /// A file or directory could not be written. Nothing half-written is left behind.
    #[error("cannot write {path}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// `adapter_config.json`.
#[derive(Serialize)]
struct Config<'a> {
    peft_type: &'static str,
    task_type: Option<&'static str>,
    base_model_name_or_path: &'a str,
    r: usize,
    lora_alpha: usize,
    /// Full names: PEFT compares ends of names, and `output.dense` is the end of two.
    target_modules: Vec<String>,
    lora_dropout: f64,
    bias: &'static str,
    fan_in_fan_out: bool,
    use_rslora: bool,
    use_dora: bool,
    init_lora_weights: bool,
    inference_mode: bool,
    modules_to_save: Option<Vec<String>>,
    rank_pattern: BTreeMap<String, usize>,
    alpha_pattern: BTreeMap<String, usize>,
    /// Left out where there is nothing to tie: older releases of PEFT do not know it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ensure_weight_tying: bool,
}

/// Writes the adapters into `directory` (made if need be), under the names of modules that the model has: `names` are given by an
/// encoder's [`Architecture`](crate::Architecture), a decoder's [`DecoderConfig`](crate::DecoderConfig), or a
/// [`T5Config`](crate::T5Config). `base_model` is the name of the model, which PEFT stores and does not need.
///
/// # Errors
/// If nothing is adapted, a `ΔW` is not a product of narrow factors, or something cannot be written.
pub fn export<T: Real>(
    adapters: &Adapters<T>,
    names: impl Into<Names>,
    base_model: &str,
    directory: &Path,
) -> Result<(), ExportError> {
    let names = names.into();
    let (mut tensors, mut ranks, mut is_tied) = (Vec::new(), BTreeMap::new(), false);
    for site in adapters.sites() {
        let Some(applied) = adapters.applied(site) else { continue };
        let (b, a) = factors(site, applied)?;
        let modules = names.modules(site, names.written_with_head());
        is_tied |= modules.len() > 1 && names.can_tie();
        for module in modules {
            tensors.extend(named_tensors(&module, &b, &a));
            ranks.insert(module.name, a.nrows());
        }
    }
    let config = Config { ensure_weight_tying: is_tied, ..config(base_model, names, ranks)? };
    let config = serde_json::to_string_pretty(&config)?;
    let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let weights = safetensors::serialize(tensors, Some(format))?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| ExportError::Write { path, source }
    };
    fs::create_dir_all(directory).map_err(failed(directory))?;
    for (name, bytes) in [("adapter_model.safetensors", weights), ("adapter_config.json", config.into_bytes())] {
        let path = directory.join(name);
        write_whole(&path, &bytes).map_err(failed(&path))?;
    }
    Ok(())
}

/// B (m × r) and A (r × n).
fn factors<T: Real>(site: Site, applied: Applied<'_, T>) -> Result<(Mat<f32>, Mat<f32>), ExportError> {
    let (rows, columns) = match applied {
        Applied::Factored { left, right } => (left.nrows(), right.ncols()),
        Applied::Merged(delta) => delta.shape(),
    };
    let limit = (rows * columns).div_ceil(rows + columns);
    let single = |matrix| rounded(widened(matrix).as_ref());
    match applied {
        Applied::Factored { left, right } if left.ncols() < limit => Ok((single(left), single(right))),
        _ => {
            let spectrum =
                Spectrum::new(applied).map_err(|source| ExportError::Decomposition { site: site.name(), source })?;
            let norm = spectrum.values().iter().map(|value| value * value).sum::<f64>().sqrt();
            let rank = spectrum.rank_within((RELATIVE * norm).max(ABSOLUTE));
            if rank >= limit {
                return Err(ExportError::NotLowRank { site: site.name(), rank, rows, columns, limit });
            }
            // PEFT has no rank 0.
            let rank = rank.max(1);
            let root = |k: usize| spectrum.values()[k].sqrt();
            let (left, right) = (spectrum.left(rank), spectrum.right(rank));
            let b = Mat::from_fn(rows, rank, |i, k| (left[(i, k)] * root(k)) as f32);
            let a = Mat::from_fn(rank, columns, |k, j| (right[(j, k)] * root(k)) as f32);
            Ok((b, a))
        }
    }
}

/// The two tensors of a module under the names PEFT gives them.
fn named_tensors(module: &Module, b: &Mat<f32>, a: &Mat<f32>) -> [(String, Tensor); 2] {
    let [(name_a, _), (name_b, _)] = tensors::factors(module, a.nrows(), (b.nrows(), a.ncols()));
    if module.is_table {
        [(name_a, Tensor::matrix(b.transpose())), (name_b, Tensor::matrix(a.transpose()))]
    } else {
        [(name_a, Tensor::matrix(a.as_ref())), (name_b, Tensor::matrix(b.as_ref()))]
    }
}

fn config(base_model: &str, names: Names, ranks: BTreeMap<String, usize>) -> Result<Config<'_>, ExportError> {
    let r = ranks.values().copied().max().ok_or(ExportError::Nothing)?;
    let target_modules = ranks.keys().cloned().collect();
    let others: BTreeMap<String, usize> = ranks.into_iter().filter(|(_, rank)| *rank != r).collect();
    Ok(Config {
        peft_type: "LORA",
        task_type: names.task_type(),
        base_model_name_or_path: base_model,
        r,
        lora_alpha: r,
        target_modules,
        lora_dropout: 0.0,
        bias: "none",
        fan_in_fan_out: false,
        use_rslora: false,
        use_dora: false,
        init_lora_weights: true,
        inference_mode: true,
        modules_to_save: None,
        rank_pattern: others.clone(),
        alpha_pattern: others,
        ensure_weight_tying: false,
    })
}
