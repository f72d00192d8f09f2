//! The 2-D weights of an encoder or decoder that an adapter can be put on.

use serde::{Deserialize, Serialize};

/// One adaptable weight; layers count from 0. Shapes are those of an encoder; a decoder's are [`DecoderConfig::shape`](crate::DecoderConfig::shape).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Site {
    /// Word embeddings, vocabulary × hidden.
    WordEmbeddings,
    /// Position embeddings, positions × hidden.
    PositionEmbeddings,
    /// Query of a layer's attention, hidden × hidden.
    Query(usize),
    /// Key of a layer's attention, hidden × hidden.
    Key(usize),
    /// Value of a layer's attention, hidden × hidden.
    Value(usize),
    /// The dense layer after attention, hidden × hidden.
    AttentionOutput(usize),
    /// The dense layer before the GELU, intermediate × hidden.
    Intermediate(usize),
    /// The dense layer after the GELU, hidden × intermediate.
    Output(usize),
    /// The dense layer of the pooler, hidden × hidden.
    Pooler,
    /// Of a decoder whose head is its embedding, both: one weight with two uses, vocabulary × hidden.
    TiedEmbedding,
    /// Of a decoder, what SiLU is taken of, intermediate × hidden.
    Gate(usize),
    /// Of a decoder, what is multiplied by it, intermediate × hidden.
    Up(usize),
    /// Of a decoder, the way back to the hidden states, hidden × intermediate.
    Down(usize),
    /// Of a decoder, the head where it is not the embedding, vocabulary × hidden.
    Head,
}

impl Site {
    /// The module's name in BERT's pretrained files, without the prefix `bert.` and without `.weight`, or in Llama's of what BERT
    /// does not have; it names the site here whatever the architecture. [`Architecture::module`](crate::Architecture::module) and
    /// [`Weight::of_site`](crate::Weight::of_site) have the name in the files of each.
    pub fn name(self) -> String {
        match self {
            Self::WordEmbeddings => "embeddings.word_embeddings".to_owned(),
            Self::PositionEmbeddings => "embeddings.position_embeddings".to_owned(),
            Self::Query(l) => format!("encoder.layer.{l}.attention.self.query"),
            Self::Key(l) => format!("encoder.layer.{l}.attention.self.key"),
            Self::Value(l) => format!("encoder.layer.{l}.attention.self.value"),
            Self::AttentionOutput(l) => format!("encoder.layer.{l}.attention.output.dense"),
            Self::Intermediate(l) => format!("encoder.layer.{l}.intermediate.dense"),
            Self::Output(l) => format!("encoder.layer.{l}.output.dense"),
            Self::Pooler => "pooler.dense".to_owned(),
            Self::TiedEmbedding => "embed_tokens".to_owned(),
            Self::Gate(l) => format!("layers.{l}.mlp.gate_proj"),
            Self::Up(l) => format!("layers.{l}.mlp.up_proj"),
            Self::Down(l) => format!("layers.{l}.mlp.down_proj"),
            Self::Head => "lm_head".to_owned(),
        }
    }

    /// Whether it is a lookup table: a token picks a ROW of it, where a dense layer multiplies by it.
    pub fn is_embedding(self) -> bool {
        self.is_only_looked_up() || self == Self::TiedEmbedding
    }

    /// Whether it is an embedding that is nothing else: the gradient is 0 but for the rows of tokens in the batch.
    pub fn is_only_looked_up(self) -> bool {
        matches!(self, Self::WordEmbeddings | Self::PositionEmbeddings)
    }
}
