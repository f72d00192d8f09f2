//! ROUGE as the Python package rouge-score gives it (C.-Y. Lin, "ROUGE", WAS 2004; rouge-score 0.1.2).
//!
//! | score | what is counted |
//! |---|---|
//! | ROUGE-1, ROUGE-2 | words, and pairs of neighbours, that text and reference share |
//! | ROUGE-L | the longest common subsequence of words |
//! | ROUGE-Lsum | the same, sentence by sentence: a sentence of the reference is matched by all of the text's together |
//!
//! Sentences of ROUGE-Lsum are lines, as by default in rouge-score. So it equals ROUGE-L for texts of one line.
//! Against several references each score is that of the reference with the best F, as in `score_multi`.
//!
//! The library `evaluate` gives means over bootstrap resamples, which differ from call to call. [`mean`] is the plain mean
//! that they scatter around.

mod subsequence;

use std::collections::HashMap;

use nltk_porter::{Mode, PorterStemmer};

use crate::Corpus;
use crate::vocabulary::Vocabulary;

/// Whether words are compared by their stems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stemming {
    /// By their letters, as `evaluate` does by default.
    #[default]
    None,
    /// By nltk's Porter stems, of words longer than three letters.
    Porter,
}

/// How far a text and a reference overlap; each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Overlap {
    /// The share of the text that is in the reference.
    pub precision: f64,
    /// The share of the reference that is in the text.
    pub recall: f64,
    /// Their harmonic mean, 0 if both are 0.
    pub f: f64,
}

impl Overlap {
    fn of(common: u64, text: usize, reference: usize) -> Self {
        let precision = common as f64 / text.max(1) as f64;
        let recall = common as f64 / reference.max(1) as f64;
        let sum = precision + recall;
        Self { precision, recall, f: if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 } }
    }
}

/// The four scores.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rouge {
    /// Of words.
    pub rouge_1: Overlap,
    /// Of pairs of neighbouring words.
    pub rouge_2: Overlap,
    /// Of the longest common subsequence.
    pub rouge_l: Overlap,
    /// Of the longest common subsequences, line by line.
    pub rouge_lsum: Overlap,
}

/// The scores of each text, in order.
pub fn each(corpus: &Corpus, stemming: Stemming) -> Vec<Rouge> {
    let mut reader = Reader::new(stemming);
    corpus
        .iter()
        .map(|(text, references)| {
            let text = reader.read(text);
            let scores = references.iter().map(|reference| score(&text, &reader.read(reference)));
            scores.reduce(best).unwrap_or_default()
        })
        .collect()
}

/// The means of [`each`].
pub fn mean(corpus: &Corpus, stemming: Stemming) -> Rouge {
    let scores = each(corpus, stemming);
    let mean_of = |get: fn(&Rouge) -> f64| scores.iter().map(get).sum::<f64>() / scores.len() as f64;
    macro_rules! overlap {
        ($score:ident) => {
            Overlap {
                precision: mean_of(|rouge| rouge.$score.precision),
                recall: mean_of(|rouge| rouge.$score.recall),
                f: mean_of(|rouge| rouge.$score.f),
            }
        };
    }
    Rouge {
        rouge_1: overlap!(rouge_1),
        rouge_2: overlap!(rouge_2),
        rouge_l: overlap!(rouge_l),
        rouge_lsum: overlap!(rouge_lsum),
    }
}

/// Of each score the one with the better F; the earlier one if they are equal.
fn best(first: Rouge, second: Rouge) -> Rouge {
    let better = |first: Overlap, second: Overlap| if second.f > first.f { second } else { first };
    Rouge {
        rouge_1: better(first.rouge_1, second.rouge_1),
        rouge_2: better(first.rouge_2, second.rouge_2),
        rouge_l: better(first.rouge_l, second.rouge_l),
        rouge_lsum: better(first.rouge_lsum, second.rouge_lsum),
    }
}

/// The words of a text as numbers, and where its lines end.
struct Words {
    all: Vec<u32>,
    lines: Vec<Vec<u32>>,
}

fn score(text: &Words, reference: &Words) -> Rouge {
    let overlap = |common| Overlap::of(common, text.all.len(), reference.all.len());
    let pairs = |words: &Words| -> Vec<(u32, u32)> { words.all.windows(2).map(|pair| (pair[0], pair[1])).collect() };
    let (text_pairs, reference_pairs) = (pairs(text), pairs(reference));
    Rouge {
        rouge_1: overlap(shared(&text.all, &reference.all)),
        rouge_2: Overlap::of(shared(&text_pairs, &reference_pairs), text_pairs.len(), reference_pairs.len()),
        rouge_l: overlap(subsequence::length(&text.all, &reference.all)),
        rouge_lsum: overlap(subsequence::of_lines(&text.lines, &reference.lines)),
    }
}

/// How many items are in both, each as often as in the one that has fewer of it.
fn shared<T: Copy + Eq + std::hash::Hash>(text: &[T], reference: &[T]) -> u64 {
    let mut left: HashMap<T, u32> = HashMap::with_capacity(reference.len());
    for item in reference {
        *left.entry(*item).or_default() += 1;
    }
    let mut taken = 0;
    for item in text {
        if let Some(count) = left.get_mut(item).filter(|count| **count > 0) {
            *count -= 1;
            taken += 1;
        }
    }
    taken
}

/// Makes words of texts, as rouge-score's default tokenizer: runs of `a`–`z` and `0`–`9` in lower case.
struct Reader {
    vocabulary: Vocabulary,
    stemmer: Option<PorterStemmer>,
    /// Stems that were asked for.
    stems: HashMap<String, u32>,
}

impl Reader {
    fn new(stemming: Stemming) -> Self {
        let stemmer = (stemming == Stemming::Porter).then(|| PorterStemmer::new(Mode::Nltk));
        Self { vocabulary: Vocabulary::default(), stemmer, stems: HashMap::new() }
    }

    fn read(&mut self, text: &str) -> Words {
        let lines: Vec<Vec<u32>> = text.split('\n').map(|line| self.words(line)).collect();
        Words { all: lines.concat(), lines }
    }

    fn words(&mut self, line: &str) -> Vec<u32> {
        let lower = line.to_lowercase();
        let separates = |letter: char| !letter.is_ascii_lowercase() && !letter.is_ascii_digit();
        lower.split(separates).filter(|word| !word.is_empty()).map(|word| self.number(word)).collect()
    }

    fn number(&mut self, word: &str) -> u32 {
        let Some(stemmer) = self.stemmer.as_ref().filter(|_| word.len() > 3) else {
            return self.vocabulary.number(word);
        };
        if let Some(number) = self.stems.get(word) {
            return *number;
        }
        let number = self.vocabulary.number(&stemmer.stem(word));
        self.stems.insert(word.to_owned(), number);
        number
    }
}
