//! The sizes of T5, and where its weights are.

use crate::parts::relative_position::RelativePositions;
use crate::{SequenceError, Site};

/// Sizes and constants of T5. Layers count through the encoder's, then the decoder's.
#[derive(Clone, Debug, PartialEq)]
pub struct T5Config {
    /// Length of a hidden state.
    pub hidden_size: usize,
    /// Number of the encoder's layers.
    pub encoder_layers: usize,
    /// Number of the decoder's layers.
    pub decoder_layers: usize,
    /// Attention heads of a layer.
    pub heads: usize,
    /// Length of a query, key or value within one head; of all heads together they need not be as long as a hidden state.
    pub head_size: usize,
    /// Length of the hidden state within the feed-forward part.
    pub intermediate_size: usize,
    /// Whether the feed-forward part is `W_down (GELU(W_gate n) ⊙ W_up n)`, else `W_down ReLU(W_up n)`.
    pub gated: bool,
    /// Number of tokens that are known.
    pub vocabulary: usize,
    /// Buckets of relative positions, a multiple of 4.
    pub buckets: usize,
    /// The distance from which on all keys are in the last bucket.
    pub farthest: usize,
    /// Probability of dropping a value in training, at all places.
    pub dropout: f64,
    /// Added to the mean square in RMSNorm.
    pub norm_epsilon: f64,
    /// Whether the head is the embedding, transposed; then hidden states are scaled by `1 / √(hidden size)` before it.
    pub tied: bool,
    /// The token that the decoder reads before a text's first.
    pub start: u32,
}

/// The sites of attention within a layer: query, key, value, output.
pub(super) const ATTENTION: [fn(usize) -> Site; 4] = [Site::Query, Site::Key, Site::Value, Site::AttentionOutput];

/// Those of attention to the source.
pub(super) const CROSS: [fn(usize) -> Site; 4] =
    [Site::CrossQuery, Site::CrossKey, Site::CrossValue, Site::CrossOutput];

/// Those of the feed-forward part: gate, up, down.
pub(super) const FEED_FORWARD: [fn(usize) -> Site; 3] = [Site::Gate, Site::Up, Site::Down];

/// All of them, in this order; the encoder's layers have none of the second kind, and T5 without gates has no gate.
pub(super) const SITES_OF_LAYER: [fn(usize) -> Site; 11] = {
    let ([a, b, c, d], [e, f, g, h], [i, j, k]) = (ATTENTION, CROSS, FEED_FORWARD);
    [a, b, c, d, e, f, g, h, i, j, k]
};

impl T5Config {
    /// A very small T5, for tests: hidden size 16, an encoder's layer and a decoder's of two heads, tied.
    pub fn tiny(vocabulary: usize) -> Self {
        Self {
            hidden_size: 16,
            encoder_layers: 1,
            decoder_layers: 1,
            heads: 2,
            head_size: 8,
            intermediate_size: 24,
            gated: false,
            vocabulary,
            buckets: 8,
            farthest: 16,
            dropout: 0.1,
            norm_epsilon: 1e-6,
            tied: true,
            start: 0,
        }
    }

    /// Length of the queries (as of keys and values) of all heads.
    pub fn queries(&self) -> usize {
        self.heads * self.head_size
    }

    /// Number of all layers.
    pub fn layers(&self) -> usize {
        self.encoder_layers + self.decoder_layers
    }

    /// Whether a layer is one of the decoder's.
    pub fn is_decoders(&self, layer: usize) -> bool {
        layer >= self.encoder_layers
    }

    /// How relative positions are put into buckets in the encoder, or the decoder.
    pub fn relative_positions(&self, decoder: bool) -> RelativePositions {
        RelativePositions { buckets: self.buckets, farthest: self.farthest, causal: decoder }
    }

    /// The site of the embedding, of sources and targets.
    pub fn embedding(&self) -> Site {
        if self.tied { Site::TiedEmbedding } else { Site::WordEmbeddings }
    }

    /// The site of the head.
    pub fn head(&self) -> Site {
        if self.tied { Site::TiedEmbedding } else { Site::Head }
    }

    /// The sites of a layer.
    pub fn layer_sites(&self, layer: usize) -> impl Iterator<Item = Site> + use<> {
        let (decoders, gated) = (self.is_decoders(layer), self.gated);
        let is_there = move |site: &Site| match site {
            Site::CrossQuery(_) | Site::CrossKey(_) | Site::CrossValue(_) | Site::CrossOutput(_) => decoders,
            Site::Gate(_) => gated,
            _ => true,
        };
        SITES_OF_LAYER.into_iter().map(move |site| site(layer)).filter(is_there)
    }

    /// All sites, in the order of the forward pass: the 2-D weights but the tables of relative positions. A tied embedding is one.
    pub fn sites(&self) -> impl Iterator<Item = Site> + '_ {
        let in_layers = (0..self.layers()).flat_map(|layer| self.layer_sites(layer));
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
    /// If T5 has no such site.
    pub fn shape(&self, site: Site) -> (usize, usize) {
        let (hidden, queries, intermediate) = (self.hidden_size, self.queries(), self.intermediate_size);
        match site {
            Site::WordEmbeddings | Site::TiedEmbedding | Site::Head => (self.vocabulary, hidden),
            Site::Query(_) | Site::Key(_) | Site::Value(_) => (queries, hidden),
            Site::CrossQuery(_) | Site::CrossKey(_) | Site::CrossValue(_) => (queries, hidden),
            Site::AttentionOutput(_) | Site::CrossOutput(_) => (hidden, queries),
            Site::Gate(_) | Site::Up(_) => (intermediate, hidden),
            Site::Down(_) => (hidden, intermediate),
            Site::PositionEmbeddings | Site::Pooler | Site::Intermediate(_) | Site::Output(_) => {
                panic!("T5 has no {}", site.name())
            }
        }
    }

    /// How many tokens a site's weight is multiplied with or looked up for, of so many of sources and of targets.
    pub(crate) fn tokens(&self, site: Site, sources: usize, targets: usize) -> usize {
        match site {
            Site::WordEmbeddings | Site::TiedEmbedding => sources + targets,
            Site::CrossKey(_) | Site::CrossValue(_) => sources,
            _ if layer_of(site).is_some_and(|layer| !self.is_decoders(layer)) => sources,
            _ => targets,
        }
    }

    /// Whether T5 of this configuration can take a sequence, as source or as target. There is no limit of its length.
    ///
    /// # Errors
    /// What is wrong with the sequence, and where.
    pub fn check(&self, ids: &[u32]) -> Result<(), SequenceError> {
        match ids.iter().position(|&id| id as usize >= self.vocabulary) {
            _ if ids.is_empty() => Err(SequenceError::Empty),
            Some(place) => Err(SequenceError::UnknownToken { id: ids[place], place, limit: self.vocabulary }),
            None => Ok(()),
        }
    }
}

/// The layer of a site within one.
pub(super) fn layer_of(site: Site) -> Option<usize> {
    match site {
        Site::Query(l) | Site::Key(l) | Site::Value(l) | Site::AttentionOutput(l) => Some(l),
        Site::CrossQuery(l) | Site::CrossKey(l) | Site::CrossValue(l) | Site::CrossOutput(l) => Some(l),
        Site::Gate(l) | Site::Up(l) | Site::Down(l) => Some(l),
        _ => None,
    }
}
