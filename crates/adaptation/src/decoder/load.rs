//! A pretrained decoder with its tokenizer: a GGUF file, or a directory as Hugging Face transformers writes it.

use std::path::{Path, PathBuf};

use super::{Decoder, DecoderConfig, TextTokenizer, Weight, keys};
use crate::Real;
use crate::gguf::Gguf;
use crate::model_error::ModelError;
use crate::model_files as files;
use crate::pretrained::hash;
use crate::weight_files::{WeightFiles, check_numbers};

/// A pretrained decoder with its tokenizer.
pub struct PretrainedDecoder<T: Real> {
    /// The decoder.
    pub decoder: Decoder<T>,
    /// Its tokenizer.
    pub tokenizer: TextTokenizer,
    /// Ids of the tokens that end a text.
    pub ends: Vec<u32>,
    /// Hash of the GGUF file, or of `config.json`, `tokenizer.json` and all files of weights (BLAKE3, in hexadecimal digits).
    pub hash: String,
    /// How its weights were changed while they were loaded, if they were: `Q4_1, Q8_0 converted to F32`.
    pub converted: Option<String>,
    /// What the user should know about the files, a sentence each.
    pub warnings: Vec<String>,
}

impl<T: Real> PretrainedDecoder<T> {
    /// Reads a decoder of Llama's architecture: a file `….gguf`, a directory with one such file, or a directory with
    /// `config.json`, `tokenizer.json` and `model.safetensors` (or `model.safetensors.index.json` and the files it names).
    /// Weights in blocks of few bits are converted to `f32` once.
    ///
    /// # Errors
    /// If a file is missing, cannot be read or is damaged, or if it is not one of a decoder that is known.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        match gguf_in(path)? {
            Some(file) => Self::load_gguf(&file),
            None => Self::load_directory(path),
        }
    }

    fn load_gguf(path: &Path) -> Result<Self, ModelError> {
        let mut gguf = Gguf::read(path)?;
        let (tokenizer, ends) = TextTokenizer::of_gguf(&gguf)?;
        let decoder = Decoder::of_gguf(&mut gguf)?;
        let (hash, converted) = (hash([gguf.bytes()].into_iter()), gguf.converted());
        Ok(Self { decoder, tokenizer, ends, hash, converted, warnings: Vec::new() })
    }

    fn load_directory(directory: &Path) -> Result<Self, ModelError> {
        let path = directory.join("config.json");
        let keys::Read { config, ends, unknown } = keys::read(&path)?;
        let names = unknown.join(", ");
        let warning = format!("{}: nothing is known about these keys, they are ignored: {names}", path.display());
        let warnings = if unknown.is_empty() { Vec::new() } else { vec![warning] };
        let tokens = directory.join("tokenizer.json");
        let tokenizer = TextTokenizer::load(&tokens, config.vocabulary)?;
        let single = directory.join("model.safetensors");
        let weights = if single.is_file() { single } else { directory.join("model.safetensors.index.json") };
        let weights = WeightFiles::read(&weights)?;
        let hash =
            hash([files::bytes(&path)?.as_slice(), &files::bytes(&tokens)?].into_iter().chain(weights.contents()));
        let (decoder, converted) = Decoder::of_files(config, &weights)?;
        Ok(Self { decoder, tokenizer, ends, hash, converted, warnings })
    }
}

impl<T: Real> Decoder<T> {
    /// The decoder in a GGUF file.
    fn of_gguf(gguf: &mut Gguf) -> Result<Self, ModelError> {
        let config = DecoderConfig::of_gguf(gguf)?;
        let (layers, head) = (config.layers, config.head_size);
        let decoder = Self::build(config.clone(), |weight| {
            let (name, shape) = (weight.gguf_name(), shape(weight, &config));
            let numbers = gguf.numbers(&name, &shape)?;
            check_numbers(gguf.path(), &name, &numbers, &shape)?;
            Ok(if weight.is_rotated() { unpaired(&numbers, head, config.hidden_size) } else { numbers })
        })?;
        gguf.check_all_read(layers)?;
        Ok(decoder)
    }

    /// The decoder in files of safetensors.
    fn of_files(config: DecoderConfig, files: &WeightFiles) -> Result<(Self, Option<String>), ModelError> {
        let mut tensors = files.tensors("model")?;
        let (layers, tied) = (config.layers, config.tied);
        let decoder = Self::build(config.clone(), |weight| {
            tensors.numbers(&[weight.name()], &shape(weight, &config)).map(|(_, numbers)| numbers)
        })?;
        let head =
            tensors.unread().find(|(name, _)| tied && *name == Weight::Head.name()).map(|(_, path)| path.to_owned());
        if let Some(path) = head {
            let (_, head) = tensors.numbers(&[Weight::Head.name()], &shape(Weight::Head, &decoder.config().clone()))?;
            decoder.check_head(&head).map_err(|allowed| ModelError::Setting {
                path,
                key: Weight::Head.name(),
                found: "another matrix than the embedding".to_owned(),
                allowed: allowed.to_owned(),
            })?;
        }
        // Old files have the speeds of the rotary positions, and tied ones may have the head once more.
        let may_be = |name: &str| name.ends_with("rotary_emb.inv_freq") || tied && name == Weight::Head.name();
        match tensors.unread().find(|(name, _)| !may_be(name)) {
            Some((name, path)) => {
                Err(ModelError::NoPlace { path, name: sources::excerpt(name), architecture: "Llama", layers })
            }
            None => Ok((decoder, tensors.converted())),
        }
    }
}

impl<T: Real> Decoder<T> {
    /// Whether the head in a tied decoder's file is its embedding: transformers would not tie two that differ.
    fn check_head(&self, head: &[f32]) -> Result<(), &'static str> {
        let (embedding, hidden) = (self.vocabulary.embedding(), self.config().hidden_size);
        let is_same = |(at, x): (usize, &f32)| embedding[(at / hidden, at % hidden)] == T::of(f64::from(*x));
        let allowed = "the embedding, or none: tie_word_embeddings is true in config.json";
        if head.iter().enumerate().all(is_same) { Ok(()) } else { Err(allowed) }
    }
}

fn shape(weight: Weight, config: &DecoderConfig) -> Vec<usize> {
    match weight.shape(config) {
        (length, 1) if weight.is_norm() => vec![length],
        (rows, columns) => vec![rows, columns],
    }
}

/// Rows of queries or keys in the order of transformers. llama.cpp turns entries 2i and 2i + 1 of a head together, transformers i
/// and i + half, so that files of llama.cpp have the rows of a head in another order.
fn unpaired(rows: &[f32], head: usize, columns: usize) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(rows.len());
    for head in rows.chunks_exact(head * columns) {
        let rows = || head.chunks_exact(columns);
        numbers.extend(rows().step_by(2).chain(rows().skip(1).step_by(2)).flatten());
    }
    numbers
}

/// The GGUF file that a path means, if it means one.
///
/// # Errors
/// If it means several.
fn gguf_in(path: &Path) -> Result<Option<PathBuf>, ModelError> {
    let is_gguf = |path: &PathBuf| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
    if !path.is_dir() {
        return Ok(Some(path.to_owned()).filter(is_gguf));
    }
    // A directory that cannot be read has no `config.json` either, and the error is about that.
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_gguf).collect();
    let is_other = path.join("config.json").is_file();
    match files.len() {
        0 | 1 => Ok(files.pop()),
        _ if is_other => Ok(None),
        found => Err(ModelError::SeveralGguf { path: path.to_owned(), found }),
    }
}

#[cfg(test)]
mod tests {
    use super::unpaired;

    #[test]
    fn rows_of_pairs_are_put_apart() {
        let rows: Vec<f32> = (0..16).map(|x| x as f32).collect();
        // Two heads of four rows, of two columns.
        let expected = [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15].map(|x| x as f32);
        assert_eq!(unpaired(&rows, 4, 2), expected);
    }
}
