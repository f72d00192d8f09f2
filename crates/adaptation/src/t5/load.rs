//! A pretrained T5 with its tokenizer, from a directory as Hugging Face transformers writes it.

use std::path::Path;
use std::sync::Arc;

use faer::{Mat, MatRef};

use super::config::{ATTENTION, CROSS};
use super::weights::{Attention, FeedForward, Layer, Stack};
use super::{T5, T5Config, keys};
use crate::kernels::product::Packed;
use crate::model_error::ModelError;
use crate::model_files as files;
use crate::parts::vocabulary::Vocabulary;
use crate::pretrained::hash;
use crate::weight_files::{Tensors, WeightFiles};
use crate::{Real, Site, TextTokenizer};

/// Where the embedding may be once more in files, for encoder, decoder and a tied head.
const COPIES: [&str; 3] = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"];

/// What some files have and nothing reads, in transformers neither.
const UNUSED: &str = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";

/// A pretrained T5 with its tokenizer.
pub struct PretrainedT5<T: Real> {
    /// T5.
    pub t5: T5<T>,
    /// Its tokenizer. It leaves out the `</s>` that T5's put behind a text: [`prompt`](crate::TextModel::prompt) adds it.
    pub tokenizer: TextTokenizer,
    /// Ids of the tokens that end a text; first the one that the tokenizer puts there.
    pub ends: Vec<u32>,
    /// Hash of `config.json`, `tokenizer.json` and all files of weights (BLAKE3, in hexadecimal digits).
    pub hash: String,
    /// How its weights were changed while they were loaded, if they were: `BF16 converted to F32`.
    pub converted: Option<String>,
    /// What the user should know about the files, a sentence each.
    pub warnings: Vec<String>,
}

impl<T: Real> PretrainedT5<T> {
    /// Whether a directory's `config.json` says that it holds a T5. One that cannot be read holds none: whoever reads it then says what is
    /// wrong.
    pub fn is_in(directory: &Path) -> bool {
        let keys = files::object(&directory.join("config.json"));
        keys.is_ok_and(|keys| keys.get("model_type").is_some_and(|kind| kind == "t5"))
    }

    /// Reads a directory with `config.json`, `tokenizer.json` and `model.safetensors` (or `model.safetensors.index.json` and the
    /// files it names) of T5: of its first kind (ReLU, the head is the embedding) or of kind 1.1 (gated GELU, a head of its own).
    ///
    /// # Errors
    /// If a file is missing, cannot be read or is damaged, or if it is not one of T5.
    pub fn load(directory: &Path) -> Result<Self, ModelError> {
        let path = directory.join("config.json");
        let keys::Read { config, mut ends, unknown } = keys::read(&path)?;
        let names = unknown.join(", ");
        let warning = format!("{}: nothing is known about these keys, they are ignored: {names}", path.display());
        let warnings = if unknown.is_empty() { Vec::new() } else { vec![warning] };
        let tokens = directory.join("tokenizer.json");
        let (tokenizer, end) = TextTokenizer::load_ending(&tokens, config.vocabulary, &ends)?;
        ends.sort_by_key(|&other| other != end);
        let single = directory.join("model.safetensors");
        let weights = if single.is_file() { single } else { directory.join("model.safetensors.index.json") };
        let weights = WeightFiles::read(&weights)?;
        let hash =
            hash([files::bytes(&path)?.as_slice(), &files::bytes(&tokens)?].into_iter().chain(weights.contents()));
        let mut origin = Origin { config: &config, tensors: weights.tensors("transformer")? };
        let t5 = origin.t5()?;
        origin.check_all_read()?;
        let converted = origin.tensors.converted();
        Ok(Self { t5, tokenizer, ends, hash, converted, warnings })
    }
}

/// The tensors that T5 is made of.
struct Origin<'a> {
    config: &'a T5Config,
    tensors: Tensors<'a>,
}

impl Origin<'_> {
    fn t5<T: Real>(&mut self) -> Result<T5<T>, ModelError> {
        let config = self.config;
        let embedding: Mat<T> = self.matrix(config.embedding())?;
        let head = if config.tied { None } else { Some(self.packed(Site::Head)?) };
        let layers = (0..config.layers()).map(|l| self.layer(l)).collect::<Result<_, _>>()?;
        let (encoder, decoder) = (self.stack("encoder")?, self.stack("decoder")?);
        let config = config.clone();
        Ok(T5 { config, vocabulary: Vocabulary::new(embedding, head), layers, encoder, decoder })
    }

    fn layer<T: Real>(&mut self, l: usize) -> Result<Layer<T>, ModelError> {
        let config = self.config;
        let norm = self.norm(&config.modules().feed_forward(l))?;
        let gate = if config.gated { Some(self.packed(Site::Gate(l))?) } else { None };
        Ok(Layer {
            attention: self.attention(l, 0, ATTENTION)?,
            cross: if config.is_decoders(l) { Some(self.attention(l, 1, CROSS)?) } else { None },
            feed_forward: FeedForward { norm, gate, up: self.packed(Site::Up(l))?, down: self.packed(Site::Down(l))? },
        })
    }

    fn attention<T: Real>(
        &mut self,
        l: usize,
        part: usize,
        [query, key, value, output]: [fn(usize) -> Site; 4],
    ) -> Result<Attention<T>, ModelError> {
        Ok(Attention {
            norm: self.norm(&self.config.modules().sublayer(l, part))?,
            query: self.packed(query(l))?,
            key: self.packed(key(l))?,
            value: self.packed(value(l))?,
            output: self.packed(output(l))?,
        })
    }

    fn stack<T: Real>(&mut self, name: &str) -> Result<Stack<T>, ModelError> {
        let (buckets, heads) = (self.config.buckets, self.config.heads);
        let table = format!("{name}.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
        let numbers: Vec<T> = self.list(table, &[buckets, heads])?;
        let biases = MatRef::from_column_major_slice(&numbers, heads, buckets).to_owned();
        let norm = self.list(format!("{name}.final_layer_norm.weight"), &[self.config.hidden_size])?;
        Ok(Stack { norm: norm.into(), biases: Arc::new(biases) })
    }

    fn norm<T: Real>(&mut self, part: &str) -> Result<Vec<T>, ModelError> {
        self.list(format!("{part}.layer_norm.weight"), &[self.config.hidden_size])
    }

    fn packed<T: Real>(&mut self, site: Site) -> Result<Packed<T>, ModelError> {
        Ok(Packed::new(self.matrix(site)?.transpose()))
    }

    /// A weight as it lies in the file: inputs × outputs.
    fn matrix<T: Real>(&mut self, site: Site) -> Result<Mat<T>, ModelError> {
        let (rows, columns) = self.config.shape(site);
        let numbers: Vec<T> = self.list(format!("{}.weight", self.config.module(site)), &[rows, columns])?;
        Ok(MatRef::from_column_major_slice(&numbers, columns, rows).to_owned())
    }

    fn list<T: Real>(&mut self, name: String, shape: &[usize]) -> Result<Vec<T>, ModelError> {
        let (_, numbers) = self.tensors.numbers(&[name], shape)?;
        Ok(numbers.into_iter().map(|x| T::of(x.into())).collect())
    }

    /// Refuses tensors that were not read, but copies of the embedding.
    fn check_all_read(&mut self) -> Result<(), ModelError> {
        let left: Vec<_> = self.tensors.unread().map(|(name, path)| (name.to_owned(), path)).collect();
        for (name, path) in left {
            let may_be_copy = COPIES.contains(&name.as_str()) && (self.config.tied || name != COPIES[2]);
            if !may_be_copy && name != UNUSED {
                let (name, layers) = (sources::excerpt(&name), self.config.layers());
                return Err(ModelError::NoPlace { path, name, architecture: "T5", layers });
            }
            if may_be_copy {
                let (shape, embedding) = (self.config.shape(self.config.embedding()), "shared.weight");
                let mut numbers = |name: &str| self.tensors.numbers(&[name.to_owned()], &[shape.0, shape.1]);
                if numbers(&name)?.1 != numbers(embedding)?.1 {
                    return Err(ModelError::NoCopy { path, name, of: embedding });
                }
            }
        }
        Ok(())
    }
}
