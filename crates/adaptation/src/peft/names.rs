//! What transformers calls the weights: one mapping for each architecture.

use crate::{Architecture, DecoderConfig, Site, Weight};

/// The names that the weights of an architecture have in transformers.
///
/// They come in two forms: those of the bare model (`BertModel`, `LlamaModel`), and those of a model with a head, in which the bare
/// model is an attribute ([`prefix`](Self::prefix)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Of an encoder.
    Encoder(Architecture),
    /// Of a decoder of Llama's architecture.
    Llama {
        /// Whether its head is its embedding.
        tied: bool,
    },
}

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

impl Names {
    /// The attribute that models with a head have the bare model in.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Encoder(architecture) => architecture.model_type(),
            Self::Llama { .. } => "model",
        }
    }

    /// Whether adapters are written for the model with a head: a decoder is of use with it alone.
    pub(super) fn written_with_head(self) -> bool {
        matches!(self, Self::Llama { .. })
    }

    /// The modules that use a site's weight, in the model with a head or in the bare one. A tied weight has two in the model with
    /// a head; the bare one does not have the head.
    pub(super) fn modules(self, site: Site, with_head: bool) -> Vec<Module> {
        let own = match self {
            Self::Encoder(architecture) => Some(architecture.module(site)),
            Self::Llama { .. } if site == Site::Head => None,
            Self::Llama { .. } => {
                Weight::of_site(site).map(|weight| weight.name().trim_end_matches(".weight").to_owned())
            }
        };
        let prefixed = |name| if with_head { format!("{}.{name}", self.prefix()) } else { name };
        let own = own.map(|name| Module { name: prefixed(name), site, is_table: site.is_embedding() });
        let has_head = with_head && matches!(site, Site::TiedEmbedding | Site::Head);
        let head = has_head.then(|| Module { name: Site::Head.name(), site, is_table: false });
        own.into_iter().chain(head).collect()
    }

    /// The `target_modules` of a configuration without any: PEFT's defaults by `model_type`, where it has some.
    pub(super) fn default_targets(self) -> Option<[&'static str; 2]> {
        match self {
            Self::Encoder(Architecture::Bert) => Some(["query", "value"]),
            Self::Encoder(Architecture::Mpnet) => None,
            Self::Llama { .. } => Some(["q_proj", "v_proj"]),
        }
    }

    /// Whether some models with a head lack a module that the bare model has.
    pub(super) fn may_lack(self, site: Site, with_head: bool) -> bool {
        with_head && site == Site::Pooler
    }
}
