//! The sequences of a step, packed one after the other without padding.

use std::ops::Range;

use crate::Config;

/// Token sequences. Positions count from 0 in each.
#[derive(Clone, Debug)]
pub struct Batch {
    ids: Vec<u32>,
    token_types: Vec<u8>,
    /// Where each sequence starts, and the end of the last.
    starts: Vec<usize>,
}

/// Why an encoder or decoder cannot take a sequence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// There is nothing in it.
    #[error("a sequence without tokens")]
    Empty,
    /// There are more tokens than positions.
    #[error("a sequence of {found} tokens, the model has positions for {limit} (by max_position_embeddings)")]
    TooLong {
        /// Its tokens.
        found: usize,
        /// Most tokens of a sequence.
        limit: usize,
    },
    /// There is a token that the encoder does not know.
    #[error("token id {id} at place {place}, the vocabulary has {limit} (vocab_size)")]
    UnknownToken {
        /// The token's id.
        id: u32,
        /// Its place in the sequence, from 0.
        place: usize,
        /// Size of the vocabulary.
        limit: usize,
    },
    /// There is a token for padding, which would get no position.
    #[error("token id {id} at place {place} is the encoder's token for padding, which has no position in a sentence")]
    Padding {
        /// The token's id.
        id: u32,
        /// Its place in the sequence, from 0.
        place: usize,
    },
    /// There is a token type where the encoder knows none.
    #[error("token type {token_type} at place {place}, but the encoder has no token types: all must be 0")]
    NoTypes {
        /// The type.
        token_type: u8,
        /// Its place in the sequence, from 0.
        place: usize,
    },
    /// There is a token type that the encoder does not know.
    #[error(
        "token type {token_type} at place {place}, the encoder has {limit} (type_vocab_size): an encoder of pairs of sentences \
         needs 2 types; take another one, or a task of single sentences"
    )]
    UnknownType {
        /// The type.
        token_type: u8,
        /// Its place in the sequence, from 0.
        place: usize,
        /// Number of token types.
        limit: usize,
    },
}

impl Config {
    /// Whether an encoder of this configuration can take a sequence; to be asked once for each example, as it is read.
    ///
    /// # Errors
    /// What is wrong with the sequence, and where.
    pub fn check(&self, ids: &[u32], token_types: &[u8]) -> Result<(), SequenceError> {
        if ids.is_empty() {
            return Err(SequenceError::Empty);
        }
        let limit = self.most_tokens();
        if ids.len() > limit {
            return Err(SequenceError::TooLong { found: ids.len(), limit });
        }
        if let Some(place) = ids.iter().position(|&id| id as usize >= self.vocabulary) {
            return Err(SequenceError::UnknownToken { id: ids[place], place, limit: self.vocabulary });
        }
        let padding = self.architecture.padding();
        if let Some(place) = ids.iter().position(|&id| Some(id) == padding) {
            return Err(SequenceError::Padding { id: ids[place], place });
        }
        if !self.architecture.has_token_types() {
            let place = token_types.iter().position(|&kind| kind != 0);
            return place.map_or(Ok(()), |place| Err(SequenceError::NoTypes { token_type: token_types[place], place }));
        }
        if let Some(place) = token_types.iter().position(|&kind| usize::from(kind) >= self.token_types) {
            return Err(SequenceError::UnknownType { token_type: token_types[place], place, limit: self.token_types });
        }
        Ok(())
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self { ids: Vec::new(), token_types: Vec::new(), starts: vec![0] }
    }

    /// Empties it, to be filled again without allocating.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.token_types.clear();
        self.starts.truncate(1);
    }

    /// Appends a sequence, which the encoder must be able to take, see [`Config::check`].
    ///
    /// # Panics
    /// If the sequence is empty, or there are not as many types as ids.
    pub fn push(&mut self, ids: &[u32], token_types: &[u8]) {
        assert!(!ids.is_empty(), "a sequence has a token");
        assert_eq!(ids.len(), token_types.len(), "one type per token");
        self.ids.extend_from_slice(ids);
        self.token_types.extend_from_slice(token_types);
        self.starts.push(self.ids.len());
    }

    /// Appends a sequence of a model without token types.
    ///
    /// # Panics
    /// If the sequence is empty.
    pub fn push_ids(&mut self, ids: &[u32]) {
        self.push_parts(ids, &[]);
    }

    /// As [`push_ids`](Self::push_ids), of a sequence in two parts.
    pub(crate) fn push_parts(&mut self, first: &[u32], second: &[u32]) {
        assert!(first.len() + second.len() > 0, "a sequence has a token");
        self.ids.extend_from_slice(first);
        self.ids.extend_from_slice(second);
        self.token_types.resize(self.ids.len(), 0);
        self.starts.push(self.ids.len());
    }

    /// Number of sequences.
    pub fn sequences(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// The tokens of a sequence, by their place in the batch.
    pub fn range(&self, sequence: usize) -> Range<usize> {
        self.starts[sequence]..self.starts[sequence + 1]
    }

    /// The id of a token.
    pub(crate) fn id(&self, token: usize) -> usize {
        self.ids[token] as usize
    }

    /// The type of a token.
    pub(crate) fn token_type(&self, token: usize) -> usize {
        self.token_types[token].into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_packed() {
        let mut batch = Batch::new();
        batch.push(&[5, 6, 7], &[0, 0, 1]);
        batch.push(&[8], &[0]);
        assert_eq!((batch.sequences(), batch.tokens()), (2, 4));
        assert_eq!((batch.range(0), batch.range(1)), (0..3, 3..4));
        assert_eq!((batch.id(3), batch.token_type(2)), (8, 1));
        batch.clear();
        assert_eq!((batch.sequences(), batch.tokens()), (0, 0));
    }

    #[test]
    fn what_an_encoder_cannot_take_is_named() {
        let config = Config::tiny(10);
        assert_eq!(config.check(&[1; 40], &[0; 40]), Ok(()));
        assert_eq!(config.check(&[], &[]), Err(SequenceError::Empty));
        assert_eq!(config.check(&[1; 41], &[0; 41]), Err(SequenceError::TooLong { found: 41, limit: 40 }));
        let mpnet = Config::tiny_mpnet(10);
        assert_eq!(mpnet.check(&[2; 40], &[0; 40]), Ok(()));
        assert_eq!(mpnet.check(&[2; 41], &[0; 41]), Err(SequenceError::TooLong { found: 41, limit: 40 }));
        assert_eq!(mpnet.check(&[2, 1], &[0, 0]), Err(SequenceError::Padding { id: 1, place: 1 }));
        assert_eq!(mpnet.check(&[2, 3], &[0, 1]), Err(SequenceError::NoTypes { token_type: 1, place: 1 }));
        let unknown = config.check(&[1, 10], &[0, 0]).unwrap_err();
        assert_eq!(unknown.to_string(), "token id 10 at place 1, the vocabulary has 10 (vocab_size)");
        let unknown = config.check(&[1, 9], &[0, 2]).unwrap_err();
        assert!(unknown.to_string().starts_with("token type 2 at place 1, the encoder has 2 (type_vocab_size)"));
    }
}
