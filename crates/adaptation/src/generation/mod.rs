//! Texts that a model writes token by token: greedy search, or beams, whatever the model.
//!
//! | module | what |
//! |---|---|
//! | `beams` | the search for the text of one prompt |
//! | `cache` | keys and values of the tokens that were read |

mod beams;
mod cache;

use faer::{Mat, MatRef, Par};

use self::beams::Beams;
pub use self::cache::Cache;
use crate::kernels::columns::{column, column_mut};
use crate::kernels::fork::for_each;
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
    fn read(&mut self, batch: &Batch) -> MatRef<'_, T>;

    /// Other sequences in place of those that are there: the numbers say which, in which order; one may come several times.
    fn select(&mut self, sequences: &[usize]);
}

/// The search for what is written behind one of some sequences, and what its last step said.
struct Search {
    sequence: usize,
    beams: Beams,
    /// The first of its beams in the reader.
    first: usize,
    /// From which of its beams each of the new ones comes.
    parents: Vec<usize>,
}

/// What is written behind each of some sequences, of which the reader has read nothing yet. All are worked on together, those whose
/// text is finished no more.
pub(crate) fn search<T: Real>(
    first: &[&[u32]],
    how: &Generation,
    reader: &mut (impl Reader<T> + Send),
    par: Par,
) -> Vec<Vec<u32>> {
    // From outside, threads of the pool would have to be woken for every product.
    match par {
        Par::Seq => search_here(first, how, reader, par),
        Par::Rayon(_) => rayon::scope(|_| search_here(first, how, reader, par)),
    }
}

fn search_here<T: Real>(first: &[&[u32]], how: &Generation, reader: &mut impl Reader<T>, par: Par) -> Vec<Vec<u32>> {
    let mut texts = vec![Vec::new(); first.len()];
    let search = |sequence| Search { sequence, beams: Beams::new(), first: sequence, parents: Vec::new() };
    let mut open: Vec<Search> = (0..first.len()).map(search).collect();
    let (mut batch, mut kept) = (Batch::new(), Vec::new());
    first.iter().for_each(|ids| batch.push_ids(ids));
    while !open.is_empty() {
        let logits = reader.read(&batch);
        for_each(&mut open, par, &|search| {
            let own = logits.subcols(search.first, search.beams.running());
            search.parents = search.beams.step(own, how);
        });
        batch.clear();
        kept.clear();
        for search in &mut open {
            let first = std::mem::replace(&mut search.first, kept.len());
            kept.extend(search.parents.iter().map(|parent| first + parent));
            search.beams.newest().for_each(|token| batch.push_ids(&[token]));
        }
        for ended in open.extract_if(.., |search| search.beams.running() == 0) {
            texts[ended.sequence] = ended.beams.best();
        }
        reader.select(&kept);
    }
    texts
}

/// The hidden states of the sequences' last tokens, hidden × sequences.
pub(crate) fn last_tokens<T: Real>(batch: &Batch, states: MatRef<'_, T>) -> Mat<T> {
    let mut last = Mat::zeros(states.nrows(), batch.sequences());
    for sequence in 0..batch.sequences() {
        column_mut(last.as_mut(), sequence).copy_from_slice(column(states, batch.range(sequence).end - 1));
    }
    last
}
