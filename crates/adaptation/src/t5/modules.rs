//! What transformers calls the weights of T5.

use super::T5Config;
use crate::Site;

/// What the names depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Modules {
    /// Number of the encoder's layers, before those of the decoder.
    pub(crate) encoder_layers: usize,
    /// Whether the feed-forward part has a gate.
    pub(crate) gated: bool,
}

impl T5Config {
    /// The module's name in files of Hugging Face transformers: `decoder.block.0.layer.1.EncDecAttention.q`.
    ///
    /// # Panics
    /// If T5 has no such site.
    pub fn module(&self, site: Site) -> String {
        self.modules().name(site)
    }

    pub(super) fn modules(&self) -> Modules {
        Modules { encoder_layers: self.encoder_layers, gated: self.gated }
    }
}

impl Modules {
    /// The name of a site's module, see [`T5Config::module`].
    pub(crate) fn name(self, site: Site) -> String {
        let own = |layer, part| format!("{}.SelfAttention.{part}", self.sublayer(layer, 0));
        let cross = |layer, part| format!("{}.EncDecAttention.{part}", self.sublayer(layer, 1));
        let dense = |layer, part| format!("{}.DenseReluDense.{part}", self.feed_forward(layer));
        match site {
            Site::WordEmbeddings | Site::TiedEmbedding => "shared".to_owned(),
            Site::Head => "lm_head".to_owned(),
            Site::Query(layer) => own(layer, "q"),
            Site::Key(layer) => own(layer, "k"),
            Site::Value(layer) => own(layer, "v"),
            Site::AttentionOutput(layer) => own(layer, "o"),
            Site::CrossQuery(layer) => cross(layer, "q"),
            Site::CrossKey(layer) => cross(layer, "k"),
            Site::CrossValue(layer) => cross(layer, "v"),
            Site::CrossOutput(layer) => cross(layer, "o"),
            Site::Gate(layer) => dense(layer, "wi_0"),
            Site::Up(layer) => dense(layer, if self.gated { "wi_1" } else { "wi" }),
            Site::Down(layer) => dense(layer, "wo"),
            Site::PositionEmbeddings | Site::Pooler | Site::Intermediate(_) | Site::Output(_) => {
                panic!("T5 has no {}", site.name())
            }
        }
    }

    /// The name of one of the parts of a layer.
    pub(super) fn sublayer(self, layer: usize, part: usize) -> String {
        match layer.checked_sub(self.encoder_layers) {
            Some(layer) => format!("decoder.block.{layer}.layer.{part}"),
            None => format!("encoder.block.{layer}.layer.{part}"),
        }
    }

    /// The name of a layer's feed-forward part, its last.
    pub(super) fn feed_forward(self, layer: usize) -> String {
        self.sublayer(layer, if layer >= self.encoder_layers { 2 } else { 1 })
    }
}
