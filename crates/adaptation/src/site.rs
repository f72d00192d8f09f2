//! The 2-D weights of an encoder that an adapter can be put on.

use serde::{Deserialize, Serialize};

/// One adaptable weight; layers count from 0.
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
}

impl Site {
    /// The module's name in BERT's pretrained files, without the prefix `bert.` and without `.weight`; it names the site here
    /// whatever the architecture. [`Architecture::module`](crate::Architecture::module) has the name in the files of each.
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
        }
    }

    /// Whether it is a lookup table: a token picks a ROW of it, where a dense layer multiplies by it.
    pub fn is_embedding(self) -> bool {
        matches!(self, Self::WordEmbeddings | Self::PositionEmbeddings)
    }
}
