//! The sizes of a decoder, as a GGUF file or a `config.json` gives them.

use super::Weight;
use super::weights::LAYER_SITES;
use crate::gguf::Gguf;
use crate::model_error::ModelError;
use crate::{SequenceError, Site};

/// Sizes and constants of a decoder of Llama's architecture.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderConfig {
    /// Length of a hidden state.
    pub hidden_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads of a layer, of queries.
    pub heads: usize,
    /// Heads of keys and values, a divisor of [`heads`](Self::heads): as many heads of queries share each.
    pub key_value_heads: usize,
    /// Length of a query, key or value within one head; an even number.
    pub head_size: usize,
    /// Length of the hidden state within the feed-forward part.
    pub intermediate_size: usize,
    /// Number of tokens that are known.
    pub vocabulary: usize,
    /// Most tokens of a sequence.
    pub positions: usize,
    /// θ of the rotary positions: pair `i` of a head turns by `θ^(−2i / head_size)` a position.
    pub rotary_base: f64,
    /// Added to the mean square in RMSNorm.
    pub norm_epsilon: f64,
    /// Whether the head is the embedding, transposed.
    pub tied: bool,
}

/// What is allowed for a size.
pub(super) const SIZE: &str = "an integer from 1";
/// What is allowed for θ.
pub(super) const BASE: &str = "a number above 1";
/// What is allowed for what RMSNorm adds.
pub(super) const EPSILON: &str = "a number from 1e-20 to 0.1";

/// Keys of kind `llama.…` that are read, or checked.
const KNOWN: &[&str] = &[
    "llama.attention.head_count",
    "llama.attention.head_count_kv",
    "llama.attention.key_length",
    "llama.attention.layer_norm_rms_epsilon",
    "llama.attention.value_length",
    "llama.block_count",
    "llama.context_length",
    "llama.embedding_length",
    "llama.feed_forward_length",
    "llama.rope.dimension_count",
    "llama.rope.freq_base",
    "llama.vocab_size",
];

impl DecoderConfig {
    /// A very small decoder, for tests: hidden size 16, two layers of two heads that share their keys and values, 160 positions, tied.
    pub fn tiny(vocabulary: usize) -> Self {
        Self {
            hidden_size: 16,
            layers: 2,
            heads: 2,
            key_value_heads: 1,
            head_size: 8,
            intermediate_size: 24,
            vocabulary,
            positions: 160,
            rotary_base: 1e4,
            norm_epsilon: 1e-5,
            tied: true,
        }
    }

    /// Length of the queries of all heads.
    pub fn queries(&self) -> usize {
        self.heads * self.head_size
    }

    /// Length of the keys (as of the values) of all heads.
    pub fn keys(&self) -> usize {
        self.key_value_heads * self.head_size
    }

    /// Heads of queries that share a head of keys and values.
    pub fn group(&self) -> usize {
        self.heads / self.key_value_heads
    }

    /// The site of the embedding.
    pub fn embedding(&self) -> Site {
        if self.tied { Site::TiedEmbedding } else { Site::WordEmbeddings }
    }

    /// The site of the head.
    pub fn head(&self) -> Site {
        if self.tied { Site::TiedEmbedding } else { Site::Head }
    }

    /// All sites, in the order of the forward pass: the 2-D weights. A tied embedding is one.
    pub fn sites(&self) -> impl Iterator<Item = Site> + use<> {
        let in_layers = (0..self.layers).flat_map(|l| LAYER_SITES.map(|site| site(l)));
        let head = Some(Site::Head).filter(|_| !self.tied);
        [self.embedding()].into_iter().chain(in_layers).chain(head)
    }

    /// Those with both sides of at least this length. The authors of the paper adapt those from 512 on.
    pub fn sites_from(&self, least: usize) -> Vec<Site> {
        let sides = |site: Site| <[usize; 2]>::from(self.shape(site));
        self.sites().filter(|&site| sides(site).into_iter().all(|side| side >= least)).collect()
    }

    /// (outputs, inputs) of a dense layer, (vocabulary, hidden) of an embedding.
    ///
    /// # Panics
    /// If no decoder has such a site.
    pub fn shape(&self, site: Site) -> (usize, usize) {
        let weight = Weight::of_site(site);
        weight.unwrap_or_else(|| panic!("a decoder has no {}", site.name())).shape(self)
    }

    /// Whether a decoder of this configuration can take a sequence.
    ///
    /// # Errors
    /// What is wrong with the sequence, and where.
    pub fn check(&self, ids: &[u32]) -> Result<(), SequenceError> {
        let (found, limit) = (ids.len(), self.positions);
        match ids.iter().position(|&id| id as usize >= self.vocabulary) {
            _ if ids.is_empty() => Err(SequenceError::Empty),
            _ if found > limit => Err(SequenceError::TooLong { found, limit }),
            Some(place) => Err(SequenceError::UnknownToken { id: ids[place], place, limit: self.vocabulary }),
            None => Ok(()),
        }
    }

    /// The configuration in a GGUF file. A key `llama.…` that is not known is refused: it may ask for another network.
    pub(super) fn of_gguf(gguf: &Gguf) -> Result<Self, ModelError> {
        let keys = &gguf.metadata;
        let llama = "\"llama\" (other architectures compute something else)";
        if keys.text("general.architecture", llama)? != "llama" {
            return Err(keys.refused("general.architecture", llama));
        }
        if let Some(key) = keys.keys().find(|key| key.starts_with("llama.") && !KNOWN.contains(key)) {
            return Err(keys.refused(key, "no such key: it may ask for another network"));
        }
        let size = |key| keys.integer(key, SIZE);
        let or = |key, otherwise| if keys.get(key).is_some() { size(key) } else { Ok(otherwise) };
        let (hidden_size, heads) = (size("llama.embedding_length")?, size("llama.attention.head_count")?);
        let head_size = or("llama.attention.key_length", hidden_size / heads)?;
        for key in ["llama.attention.value_length", "llama.rope.dimension_count"] {
            if or(key, head_size)? != head_size {
                return Err(keys.refused(key, "the size of a head"));
            }
        }
        let base = "llama.rope.freq_base";
        let config = Self {
            hidden_size,
            layers: size("llama.block_count")?,
            heads,
            key_value_heads: or("llama.attention.head_count_kv", heads)?,
            head_size,
            intermediate_size: size("llama.feed_forward_length")?,
            vocabulary: keys.texts("tokenizer.ggml.tokens")?.len(),
            positions: size("llama.context_length")?,
            rotary_base: if keys.get(base).is_some() { keys.number(base, BASE)? } else { 1e4 },
            norm_epsilon: keys.number("llama.attention.layer_norm_rms_epsilon", EPSILON)?,
            tied: !gguf.has("output.weight"),
        };
        if or("llama.vocab_size", config.vocabulary)? != config.vocabulary {
            return Err(keys.refused("llama.vocab_size", "the length of tokenizer.ggml.tokens"));
        }
        let names = ["llama.attention.head_count", "llama.attention.head_count_kv", "llama.attention.key_length"];
        let names = names.into_iter().chain([base, "llama.attention.layer_norm_rms_epsilon"]);
        match config.wrong().into_iter().zip(names).find_map(|(wrong, name)| wrong.map(|allowed| (name, allowed))) {
            Some((key, allowed)) => Err(keys.refused(key, allowed)),
            None => Ok(config),
        }
    }

    /// What is allowed, where it is not so: of heads, heads of keys, head size, θ and ε.
    pub(super) fn wrong(&self) -> [Option<&'static str>; 5] {
        [
            (self.head_size == 0).then_some("a divisor of the hidden size"),
            (!self.heads.is_multiple_of(self.key_value_heads)).then_some("a divisor of the number of heads"),
            (!self.head_size.is_multiple_of(2)).then_some("an even size of a head"),
            (!(self.rotary_base > 1.0 && self.rotary_base.is_finite())).then_some(BASE),
            (!(1e-20..=0.1).contains(&self.norm_epsilon)).then_some(EPSILON),
        ]
    }
}
