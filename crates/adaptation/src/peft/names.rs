//! What transformers calls the weights: one mapping for each architecture.

use crate::t5::Modules;
use crate::{Architecture, DecoderConfig, Site, T5Config, Weight};

/// The names that the weights of an architecture have in transformers.
///
/// They come in two forms: those of the bare model (`BertModel`, `LlamaModel`), and those of a model with a head, in which the bare
/// model is an attribute ([`prefix`](Self::prefix)). T5 has one form: its head lies beside the encoder and the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Of an encoder.
    Encoder(Architecture),
    /// Of a decoder of Llama's architecture.
    Llama {
        /// Whether its head is its embedding.
        tied: bool,
    },
    /// Of T5.
    T5 {
        /// Number of the encoder's layers.
        encoder_layers: usize,
        /// Whether the feed-forward part has a gate.
        gated: bool,
    },
}

/// A module that PEFT can adapt, and that is not adapted here.
pub(super) struct LeftOut {
    pub(super) name: &'static str,
    /// Why, for a message.
    pub(super) why: &'static str,
}

/// What T5 has beside its sites.
const LEFT_OUT_OF_T5: &[LeftOut] = &[
    LeftOut { name: SHARED, why: WHY_SHARED },
    LeftOut { name: "encoder.block.0.layer.0.SelfAttention.relative_attention_bias", why: WHY_BIAS },
    LeftOut { name: "decoder.block.0.layer.0.SelfAttention.relative_attention_bias", why: WHY_BIAS },
];

/// The embedding of T5, which its own parts have under the names of [`T5_TABLES`].
const SHARED: &str = "shared";

const WHY_SHARED: &str = "T5's forward pass does not go through it, so that PEFT computes nothing with its factors. Where \
                          ensure_weight_tying made it a target, PEFT drops those of embed_tokens and lm_head as it loads the file: \
                          train these without ensure_weight_tying";

const WHY_BIAS: &str = "relative positions are not adapted here. Take a target_modules that leaves it out";

/// The uses of T5's embedding.
const T5_TABLES: [&str; 2] = ["encoder.embed_tokens", "decoder.embed_tokens"];

/// A module of transformers that is a use of an adaptable weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Module {
    /// Its full name: `encoder.layer.0.attention.self.query`.
    pub(super) name: String,
    /// The weight.
    pub(super) site: Site,
    /// Whether it looks rows up, where a dense layer multiplies: PEFT has other names and sides for its factors then.
    pub(super) is_table: bool,
}

impl From<Architecture> for Names {
    fn from(architecture: Architecture) -> Self {
        Self::Encoder(architecture)
    }
}

impl From<&DecoderConfig> for Names {
    fn from(config: &DecoderConfig) -> Self {
        Self::Llama { tied: config.tied }
    }
}

impl From<&T5Config> for Names {
    fn from(config: &T5Config) -> Self {
        Self::T5 { encoder_layers: config.encoder_layers, gated: config.gated }
    }
}

impl Names {
    /// The attribute that models with a head have the bare model in; empty where there is none.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Encoder(architecture) => architecture.model_type(),
            Self::Llama { .. } => "model",
            Self::T5 { .. } => "",
        }
    }

    /// Whether adapters are written for the model with a head: a model that writes texts is of use with it alone.
    pub(super) fn written_with_head(self) -> bool {
        self.task_type().is_some()
    }

    /// The `task_type` of adapters that are written.
    pub(super) fn task_type(self) -> Option<&'static str> {
        match self {
            Self::Encoder(_) => None,
            Self::Llama { .. } => Some("CAUSAL_LM"),
            Self::T5 { .. } => Some("SEQ_2_SEQ_LM"),
        }
    }

    /// The modules that use a site's weight, in the model with a head or in the bare one. A tied weight has two in the model with
    /// a head; the bare one does not have the head. T5's embedding has one in the encoder and one in the decoder.
    pub(super) fn modules(self, site: Site, with_head: bool) -> Vec<Module> {
        let tables = match self {
            Self::Encoder(architecture) => vec![architecture.module(site)],
            Self::Llama { .. } | Self::T5 { .. } if site == Site::Head => Vec::new(),
            Self::Llama { .. } => {
                let of_weight = |weight: Weight| weight.name().trim_end_matches(".weight").to_owned();
                Weight::of_site(site).map(of_weight).into_iter().collect()
            }
            Self::T5 { .. } if site.is_embedding() => T5_TABLES.map(str::to_owned).to_vec(),
            Self::T5 { encoder_layers, gated } => vec![Modules { encoder_layers, gated }.name(site)],
        };
        let is_prefixed = with_head && !self.prefix().is_empty();
        let prefixed = |name| if is_prefixed { format!("{}.{name}", self.prefix()) } else { name };
        let own = tables.into_iter().map(|name| Module { name: prefixed(name), site, is_table: site.is_embedding() });
        let has_head = with_head && matches!(site, Site::TiedEmbedding | Site::Head);
        let head = has_head.then(|| Module { name: Site::Head.name(), site, is_table: false });
        own.chain(head).collect()
    }

    /// What PEFT can adapt and is refused here.
    pub(super) fn left_out(self) -> &'static [LeftOut] {
        if matches!(self, Self::T5 { .. }) { LEFT_OUT_OF_T5 } else { &[] }
    }

    /// A name beside [`modules`](Self::modules) that a frozen weight can have in a file.
    pub(super) fn other_name(self, site: Site) -> Option<&'static str> {
        (matches!(self, Self::T5 { .. }) && site.is_embedding()).then_some(SHARED)
    }

    /// Whether `ensure_weight_tying` holds the factors of all uses of a weight equal. Of T5's embedding it does so with `lm_head` and
    /// the unused `shared`; encoder and decoder have factors of their own.
    pub(super) fn can_tie(self) -> bool {
        !matches!(self, Self::T5 { .. })
    }

    /// The `target_modules` of a configuration without any: PEFT's defaults by `model_type`, where it has some.
    pub(super) fn default_targets(self) -> Option<[&'static str; 2]> {
        match self {
            Self::Encoder(Architecture::Bert) => Some(["query", "value"]),
            Self::Encoder(Architecture::Mpnet) => None,
            Self::Llama { .. } => Some(["q_proj", "v_proj"]),
            Self::T5 { .. } => Some(["q", "v"]),
        }
    }

    /// Whether some models with a head lack a module that the bare model has.
    pub(super) fn may_lack(self, site: Site, with_head: bool) -> bool {
        with_head && site == Site::Pooler
    }
}
