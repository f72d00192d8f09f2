//! The 2-D weights of a model that an adapter can be put on.

use serde::{Deserialize, Serialize};

/// One adaptable weight; layers count from 0, in T5 through encoder and decoder. Shapes are those of an encoder; a decoder's are
/// [`DecoderConfig::shape`](crate::DecoderConfig::shape), those of T5 [`T5Config::shape`](crate::T5Config::shape).
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
    /// Of a decoder, what is multiplied by it, intermediate × hidden; of T5 without gates, what ReLU is taken of.
    Up(usize),
    /// Of a decoder, the way back to the hidden states, hidden × intermediate.
    Down(usize),
    /// Of a decoder, the head where it is not the embedding, vocabulary × hidden.
    Head,
    /// Query of the attention of a decoder's layer to what an encoder made, (heads · head size) × hidden.
    CrossQuery(usize),
    /// Its key, of the encoder's hidden states.
    CrossKey(usize),
    /// Its value, of the encoder's hidden states.
    CrossValue(usize),
    /// The dense layer after it, hidden × (heads · head size).
    CrossOutput(usize),
}

impl Site {
    /// The module's name in BERT's pretrained files, without the prefix `bert.` and without `.weight`, or in Llama's of what BERT
    /// does not have, or T5's of what neither has; it names the site here whatever the architecture.
    /// [`Architecture::module`](crate::Architecture::module), [`Weight::of_site`](crate::Weight::of_site) and
    /// [`T5Config::module`](crate::T5Config::module) have the name in the files of each.
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
            Self::CrossQuery(l) => format!("layers.{l}.EncDecAttention.q"),
            Self::CrossKey(l) => format!("layers.{l}.EncDecAttention.k"),
            Self::CrossValue(l) => format!("layers.{l}.EncDecAttention.v"),
            Self::CrossOutput(l) => format!("layers.{l}.EncDecAttention.o"),
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
