//! Which weights of the encoder are adapted.

use serde::{Deserialize, Serialize};

use crate::{Config, Site};

/// A choice of adapted weights (the paper, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// Query and value of every layer.
    QueryValue,
    /// Query, key, value, attention output, intermediate and output of every layer.
    AttentionMlp,
    /// Every 2-D weight with both sides at least the hidden size: the above, the pooler, the word embeddings, and the position
    /// embeddings of an encoder with that many positions (the default one's are 512 × 384; BERT-base's 512 × 768 are not
    /// among them). The pooler is named whether it is used or not.
    AllDense,
}

impl Selection {
    /// The adapted weights, in the order of the forward pass.
    pub fn sites(&self, config: &Config) -> Vec<Site> {
        let of_layer = |l| match self {
            Self::QueryValue => vec![Site::Query(l), Site::Value(l)],
            Self::AttentionMlp | Self::AllDense => vec![
                Site::Query(l),
                Site::Key(l),
                Site::Value(l),
                Site::AttentionOutput(l),
                Site::Intermediate(l),
                Site::Output(l),
            ],
        };
        let layers = (0..config.layers).flat_map(of_layer);
        if *self != Self::AllDense {
            return layers.collect();
        }
        let large_enough = |site: &Site| {
            let (m, n) = config.shape(*site);
            m.min(n) >= config.hidden_size
        };
        [Site::WordEmbeddings, Site::PositionEmbeddings]
            .into_iter()
            .chain(layers)
            .chain([Site::Pooler])
            .filter(large_enough)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_sites() {
        let count = |selection: Selection, positions| selection.sites(&Config { positions, ..Config::mini_lm() }).len();
        assert_eq!(count(Selection::QueryValue, 512), 12);
        assert_eq!(count(Selection::AttentionMlp, 512), 36);
        assert_eq!(count(Selection::AllDense, 512), 39);
        assert_eq!(count(Selection::AllDense, 128), 38, "position embeddings with fewer rows than the hidden size");
    }
}
