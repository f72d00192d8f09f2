//! The architecture and the sizes of an encoder, as its `config.json` gives them.

mod architecture;
pub(crate) mod keys;

pub use self::architecture::Architecture;
use crate::Site;

/// Architecture, sizes and constants of an encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What kind of network it is.
    pub architecture: Architecture,
    /// Length of a hidden state.
    pub hidden_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads of a layer; they share the hidden size evenly.
    pub heads: usize,
    /// Length of the hidden state between a layer's two last dense layers.
    pub intermediate_size: usize,
    /// Number of word pieces.
    pub vocabulary: usize,
    /// Number of position embeddings; [`most_tokens`](Self::most_tokens) says how many tokens they are for.
    pub positions: usize,
    /// Number of token types (first sentence, second sentence); 0 for an architecture without them.
    pub token_types: usize,
    /// Added to the variance in LayerNorm.
    pub layer_norm_epsilon: f64,
    /// Dropout of hidden states: after the embeddings, before each residual sum, and before the head.
    pub hidden_dropout: f64,
    /// Dropout of attention probabilities.
    pub attention_dropout: f64,
}

impl Config {
    /// A very small BERT encoder, for tests: hidden size 24, two layers of four heads, 40 positions.
    pub fn tiny(vocabulary: usize) -> Self {
        Self {
            architecture: Architecture::Bert,
            hidden_size: 24,
            layers: 2,
            heads: 4,
            intermediate_size: 40,
            vocabulary,
            positions: 40,
            token_types: 2,
            layer_norm_epsilon: 1e-12,
            hidden_dropout: 0.1,
            attention_dropout: 0.1,
        }
    }

    /// The sizes of all-MiniLM-L6-v2, the default encoder: hidden size 384, six layers of twelve heads. For benchmarks
    /// and reckonings that need no weights; an encoder has its sizes from its file.
    pub fn mini_lm() -> Self {
        Self {
            architecture: Architecture::Bert,
            hidden_size: 384,
            layers: 6,
            heads: 12,
            intermediate_size: 1536,
            vocabulary: 30_522,
            positions: 512,
            token_types: 2,
            layer_norm_epsilon: 1e-12,
            hidden_dropout: 0.1,
            attention_dropout: 0.1,
        }
    }

    /// A very small MPNet encoder, for tests: the same sizes, positions for as many tokens.
    pub fn tiny_mpnet(vocabulary: usize) -> Self {
        Self { architecture: Architecture::Mpnet, positions: 42, token_types: 0, ..Self::tiny(vocabulary) }
    }

    /// Most tokens of a sequence: those that there are positions for.
    pub fn most_tokens(&self) -> usize {
        self.positions.saturating_sub(self.architecture.first_position())
    }

    /// Length of a hidden state within one attention head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.heads
    }

    /// (rows, columns) of a weight: (outputs, inputs) of a dense layer, (entries, hidden size) of an embedding.
    ///
    /// # Panics
    /// If no encoder has such a site.
    pub fn shape(&self, site: Site) -> (usize, usize) {
        let hidden = self.hidden_size;
        match site {
            Site::WordEmbeddings => (self.vocabulary, hidden),
            Site::PositionEmbeddings => (self.positions, hidden),
            Site::Intermediate(_) => (self.intermediate_size, hidden),
            Site::Output(_) => (hidden, self.intermediate_size),
            Site::Query(_) | Site::Key(_) | Site::Value(_) | Site::AttentionOutput(_) | Site::Pooler => {
                (hidden, hidden)
            }
            _ => panic!("an encoder has no {}", site.name()),
        }
    }
}
