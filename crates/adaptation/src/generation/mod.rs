//! Texts that a model writes token by token: greedy search, or beams, whatever the model.
//!
//! | module | what |
//! |---|---|
//! | `beams` | the search for the text of one prompt |
//! | `cache` | keys and values of the tokens that were read |

mod beams;
mod cache;

use faer::{Mat, MatRef};

use self::beams::Beams;
pub use self::cache::Cache;
use crate::kernels::columns::{column, column_mut};
use crate::{Batch, Real};

/// How texts are searched for.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// Sequences that are kept for a prompt; 1 is greedy search. From 1.
    pub beams: usize,
    /// Most tokens that are written behind a prompt. From 1.
    pub most_tokens: usize,
    /// Tokens that end a text.
    pub ends: Vec<u32>,
    /// A text's score is its log-probability over its length to this power; it bears on beams alone.
    pub length_penalty: f64,
}

impl Generation {
    /// # Panics
    /// If there are no beams or no tokens to write.
    pub(crate) fn check(&self) {
        assert!(self.beams >= 1 && self.most_tokens >= 1, "a beam, and a token to write");
    }
}

/// What a search asks of a model that reads some sequences.
pub(crate) trait Reader<T: Real> {
    /// The logits behind each sequence's last token, vocabulary × sequences, after the batch's tokens were read behind those before.
    fn read(&mut self, batch: &Batch) -> Mat<T>;

    /// Other sequences in place of those that are there: the numbers say which, in which order; one may come several times.
    fn select(&mut self, sequences: &[usize]);
}

/// What is written behind each of some sequences, of which the reader has read nothing yet. All are worked on together, those whose
/// text is finished no more.
pub(crate) fn search<T: Real>(first: &[&[u32]], how: &Generation, reader: &mut impl Reader<T>) -> Vec<Vec<u32>> {
    let mut searches: Vec<Beams> = first.iter().map(|_| Beams::new()).collect();
    // Which are still worked on; their running beams follow each other in the reader.
    let mut open: Vec<usize> = (0..first.len()).collect();
    let mut batch = Batch::new();
    first.iter().for_each(|ids| batch.push_ids(ids));
    while !open.is_empty() {
        let logits = reader.read(&batch);
        let (mut first, mut kept) = (0, Vec::new());
        batch.clear();
        for &prompt in &open {
            let search = &mut searches[prompt];
            let running = search.running();
            let parents = search.step(logits.subcols(first, running), how);
            kept.extend(parents.iter().map(|parent| first + parent));
            search.newest().for_each(|token| batch.push_ids(&[token]));
            first += running;
        }
        open.retain(|&prompt| searches[prompt].running() > 0);
        reader.select(&kept);
    }
    searches.into_iter().map(Beams::best).collect()
}

/// The hidden states of the sequences' last tokens, hidden × sequences.
pub(crate) fn last_tokens<T: Real>(batch: &Batch, states: MatRef<'_, T>) -> Mat<T> {
    let mut last = Mat::zeros(states.nrows(), batch.sequences());
    for sequence in 0..batch.sequences() {
        column_mut(last.as_mut(), sequence).copy_from_slice(column(states, batch.range(sequence).end - 1));
    }
    last
}
