//! METEOR as nltk computes it (A. Lavie and A. Agarwal, "METEOR", WMT 2007; `nltk.translate.meteor_score` of nltk 3.10.4).
//!
//! The words of a text are matched with those of a reference in stages. A word that is matched in one stage is not looked at
//! in the next.
//!
//! | stage | matched are |
//! |---|---|
//! | exact | equal words, in lower case |
//! | stem | equal Porter stems |
//! | synonym | a stem of the text, and a stem of the reference that is a synonym of it in [`WordNet`] |
//!
//! That the third stage looks at stems, not words, is as in nltk. [`Meteor::exact_and_stem`] has the first two stages,
//! [`Meteor::with_synonyms`] all three. Only the second is the METEOR that papers report.
//!
//! With P and R the shares of matched words of text and reference, and c the number of chunks that the m matches make
//! (neighbours in both), the score is P R / (0.9 P + 0.1 R) · (1 − 0.5 (c / m)³). Against several references it is the best.

mod align;
mod parts;
mod wordnet;

use std::collections::HashMap;

use crate::{Corpus, words};

use align::{Aligner, Word};

pub use wordnet::{WordNet, WordNetError};

const ALPHA: f64 = 0.9;
const BETA: i32 = 3;
const GAMMA: f64 = 0.5;

/// Computes METEOR.
pub struct Meteor {
    aligner: Aligner,
}

impl Meteor {
    /// METEOR without synonyms.
    pub fn exact_and_stem() -> Self {
        Self { aligner: Aligner::new(None) }
    }

    /// METEOR with the synonyms of a WordNet.
    pub fn with_synonyms(wordnet: WordNet) -> Self {
        Self { aligner: Aligner::new(Some(wordnet)) }
    }

    /// What to call it in a table.
    pub fn name(&self) -> &'static str {
        if self.aligner.has_synonyms() { "METEOR" } else { "METEOR (exact and stem)" }
    }

    /// The score of a text against the best of its references, all given as tokens. 0 if nothing matches.
    pub fn score<T: AsRef<str>>(&mut self, text: &[T], references: &[Vec<T>]) -> f64 {
        let text = self.aligner.words(text);
        let references: Vec<Vec<Word>> = references.iter().map(|reference| self.aligner.words(reference)).collect();
        self.best(&text, references.iter().map(Vec::as_slice))
    }

    /// The score of each text of a corpus, with the tokens of [`words::tokens`].
    pub fn each(&mut self, corpus: &Corpus) -> Vec<f64> {
        // Several texts may have the same references, whose words are then looked up once.
        let mut seen: HashMap<&str, Vec<Word>> = HashMap::new();
        let mut scores = Vec::new();
        for (text, references) in corpus.iter() {
            for reference in references {
                seen.entry(reference).or_insert_with(|| self.aligner.words(&words::tokens(reference)));
            }
            let text = self.aligner.words(&words::tokens(text));
            scores.push(self.best(&text, references.iter().map(|reference| seen[reference].as_slice())));
        }
        scores
    }

    fn best<'a>(&mut self, text: &[Word], references: impl Iterator<Item = &'a [Word]>) -> f64 {
        let scores = references.map(|reference| {
            let pairs = self.aligner.align(text, reference);
            from_pairs(&pairs, text.len(), reference.len())
        });
        scores.fold(0.0, f64::max)
    }

    /// The mean of [`Self::each`].
    pub fn mean(&mut self, corpus: &Corpus) -> f64 {
        let scores = self.each(corpus);
        scores.iter().sum::<f64>() / scores.len() as f64
    }
}

/// The score of matched pairs of places, in the order of the text.
fn from_pairs(pairs: &[(usize, usize)], text: usize, reference: usize) -> f64 {
    if pairs.is_empty() {
        return 0.0;
    }
    let matches = pairs.len() as f64;
    let (precision, recall) = (matches / text as f64, matches / reference as f64);
    let mean = precision * recall / (ALPHA * precision + (1.0 - ALPHA) * recall);
    let continues = |pair: &[(usize, usize)]| pair[1] == (pair[0].0 + 1, pair[0].1 + 1);
    let chunks = pairs.len() - pairs.windows(2).filter(|pair| continues(pair)).count();
    (1.0 - GAMMA * (chunks as f64 / matches).powi(BETA)) * mean
}
