//! Which words of a text and a reference belong together.

use std::collections::HashMap;
use std::sync::Arc;

use nltk_porter::{Mode, PorterStemmer};

use super::WordNet;
use crate::vocabulary::Vocabulary;

/// Aligns words, and remembers what it looked up.
pub(super) struct Aligner {
    vocabulary: Vocabulary,
    stemmer: PorterStemmer,
    wordnet: Option<WordNet>,
    /// Every token that was met.
    known: HashMap<String, Word>,
    /// The synonyms of every stem that was asked for.
    synonyms: HashMap<u32, Arc<[u32]>>,
}

/// A token.
#[derive(Clone)]
pub(super) struct Word {
    lower: u32,
    stem: u32,
    /// The stem's letters.
    letters: Arc<str>,
}

impl Aligner {
    pub(super) fn new(wordnet: Option<WordNet>) -> Self {
        Self {
            vocabulary: Vocabulary::default(),
            stemmer: PorterStemmer::new(Mode::Nltk),
            wordnet,
            known: HashMap::new(),
            synonyms: HashMap::new(),
        }
    }

    pub(super) fn has_synonyms(&self) -> bool {
        self.wordnet.is_some()
    }

    pub(super) fn words<T: AsRef<str>>(&mut self, tokens: &[T]) -> Vec<Word> {
        tokens.iter().map(|token| self.word(token.as_ref())).collect()
    }

    fn word(&mut self, token: &str) -> Word {
        if let Some(word) = self.known.get(token) {
            return word.clone();
        }
        let lower = token.to_lowercase();
        let stem = self.stemmer.stem(&lower);
        let word =
            Word { lower: self.vocabulary.number(&lower), stem: self.vocabulary.number(&stem), letters: stem.into() };
        self.known.insert(token.to_owned(), word.clone());
        word
    }

    /// Pairs of places in text and reference, in the order of the text.
    pub(super) fn align(&mut self, text: &[Word], reference: &[Word]) -> Vec<(usize, usize)> {
        let mut alignment = Alignment::new(text.len(), reference.len());
        let keys = |words: &[Word], key: fn(&Word) -> u32| -> Vec<u32> { words.iter().map(key).collect() };
        let lower = keys(reference, |word| word.lower);
        alignment.stage(&lower, |place, matches| matches(text[place].lower));
        let stems = keys(reference, |word| word.stem);
        alignment.stage(&stems, |place, matches| matches(text[place].stem));
        if self.has_synonyms() {
            let synonyms: Vec<Arc<[u32]>> = text
                .iter()
                .zip(&alignment.of_text)
                .map(|(word, matched)| if matched.is_some() { Arc::default() } else { self.synonyms(word) })
                .collect();
            alignment.stage(&stems, |place, matches| synonyms[place].iter().for_each(|synonym| matches(*synonym)));
        }
        alignment.of_text.iter().enumerate().filter_map(|(text, reference)| Some((text, (*reference)?))).collect()
    }

    /// The numbers of a stem and its synonyms.
    fn synonyms(&mut self, word: &Word) -> Arc<[u32]> {
        let Self { vocabulary, wordnet, synonyms, .. } = self;
        let found = synonyms.entry(word.stem).or_insert_with(|| {
            let names = wordnet.iter().flat_map(|wordnet| wordnet.synonyms(&word.letters));
            names.map(|name| vocabulary.number(name)).chain([word.stem]).collect()
        });
        Arc::clone(found)
    }
}

/// What is matched with what so far.
struct Alignment {
    of_text: Vec<Option<usize>>,
    taken: Vec<bool>,
}

impl Alignment {
    fn new(text: usize, reference: usize) -> Self {
        Self { of_text: vec![None; text], taken: vec![false; reference] }
    }

    /// Matches what is left, from the text's last word to its first, each with the last word of the reference whose key is
    /// one of those that `keys` names for its place.
    fn stage(&mut self, reference: &[u32], keys: impl Fn(usize, &mut dyn FnMut(u32))) {
        for place in (0..self.of_text.len()).rev().filter(|place| self.of_text[*place].is_none()).collect::<Vec<_>>() {
            let mut best = None;
            keys(place, &mut |key| {
                let free = |other: &usize| !self.taken[*other] && reference[*other] == key;
                best = best.max((0..reference.len()).rev().find(free));
            });
            if let Some(other) = best {
                self.of_text[place] = best;
                self.taken[other] = true;
            }
        }
    }
}
