//! The architectures that are known, and what differs between them.

use crate::Site;
use crate::parts::relative_position::RelativePositions;

/// An architecture of Hugging Face transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// BERT (Devlin et al., arXiv 1810.04805): positions from 0, token types.
    Bert,
    /// MPNet (Song et al., arXiv 2004.09297): positions from 2, no token types, and a bias of the attention scores by relative
    /// position, which all layers share.
    Mpnet,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Bert, Self::Mpnet];

    /// Its `model_type` in `config.json`. Tensors of files with heads have it before their names, with a dot.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Mpnet => "mpnet",
        }
    }

    /// Its name, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Bert => "BERT",
            Self::Mpnet => "MPNet",
        }
    }

    /// The row of the position embeddings that a sequence's first token looks up; nothing looks up those before it.
    pub fn first_position(self) -> usize {
        match self {
            Self::Bert => 0,
            Self::Mpnet => 2,
        }
    }

    /// The id of a token that would be given no place of its own among the positions, where there is such a one.
    pub fn padding(self) -> Option<u32> {
        match self {
            Self::Bert => None,
            Self::Mpnet => Some(1),
        }
    }

    /// Whether there are embeddings of token types (first sentence, second sentence).
    pub fn has_token_types(self) -> bool {
        self == Self::Bert
    }

    /// How attention scores are biased by relative position, if they are.
    pub fn relative_positions(self) -> Option<RelativePositions> {
        match self {
            Self::Bert => None,
            // Constants of transformers' MPNet, whatever the configuration says.
            Self::Mpnet => Some(RelativePositions { buckets: 32, farthest: 128, causal: false }),
        }
    }

    /// The module's name in the pretrained files, without the prefix and without `.weight`.
    pub fn module(self, site: Site) -> String {
        match (self, site) {
            (Self::Mpnet, Site::Query(l)) => format!("encoder.layer.{l}.attention.attn.q"),
            (Self::Mpnet, Site::Key(l)) => format!("encoder.layer.{l}.attention.attn.k"),
            (Self::Mpnet, Site::Value(l)) => format!("encoder.layer.{l}.attention.attn.v"),
            (Self::Mpnet, Site::AttentionOutput(l)) => format!("encoder.layer.{l}.attention.attn.o"),
            _ => site.name(),
        }
    }

    /// The name of the LayerNorm after a layer's attention.
    pub(crate) fn attention_norm(self, layer: usize) -> String {
        match self {
            Self::Bert => format!("encoder.layer.{layer}.attention.output.LayerNorm"),
            Self::Mpnet => format!("encoder.layer.{layer}.attention.LayerNorm"),
        }
    }

    /// What a tokenizer makes of a pair of empty sentences.
    pub(crate) fn frame(self) -> &'static [&'static str] {
        match self {
            Self::Bert => &["[CLS]", "[SEP]", "[SEP]"],
            Self::Mpnet => &["<s>", "</s>", "</s>", "</s>"],
        }
    }

    /// What tokenizers do with sentences, in words.
    pub(crate) fn framing(self) -> &'static str {
        match self {
            Self::Bert => "put [CLS] before and [SEP] behind each sentence, as BERT's tokenizers do",
            Self::Mpnet => "make <s> first </s></s> second </s>, all of type 0, of a pair, as MPNet's tokenizers do",
        }
    }
}
