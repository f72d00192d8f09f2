//! Corpus BLEU as sacrebleu computes it by default (K. Papineni et al., "BLEU", ACL 2002; M. Post, "A call for clarity in
//! reporting BLEU scores", WMT 2018; sacrebleu 2.6.0, signature `case:mixed|eff:no|tok:13a|smooth:exp`).
//!
//! Up to four words in a row count. A count is clipped by the largest one in any reference; the length is compared with that
//! of the reference nearest in length, the shorter of two equally near. An order without a match counts as 1/2 of a match,
//! the next such order as 1/4, and so on.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::Corpus;
use crate::vocabulary::Vocabulary;

/// The most words in a row that are looked at.
const ORDERS: usize = 4;

/// BLEU and what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Bleu {
    /// The score, 0 to 100.
    pub score: f64,
    /// Matches of 1, 2, 3 and 4 words in a row.
    pub matches: [u64; ORDERS],
    /// How many of each there are in the texts.
    pub totals: [u64; ORDERS],
    /// Smoothed precision of each, in percent.
    pub precisions: [f64; ORDERS],
    /// The factor for texts that are too short, 0 to 1.
    pub brevity_penalty: f64,
    /// Tokens of all texts.
    pub text_length: u64,
    /// Tokens of the references nearest in length.
    pub reference_length: u64,
}

/// BLEU of a corpus. Of a corpus of one text it is sacrebleu's `sentence_score`.
pub fn bleu(corpus: &Corpus) -> Bleu {
    let mut vocabulary = Vocabulary::default();
    // Several texts may have the same references, which are then counted once.
    let mut seen: HashMap<&[&str], References> = HashMap::new();
    let (mut matches, mut totals) = ([0; ORDERS], [0; ORDERS]);
    let (mut text_length, mut reference_length) = (0, 0);
    for (text, references) in corpus.iter() {
        let references = seen.entry(references).or_insert_with(|| References::new(references, &mut vocabulary));
        let text = numbers(text, &mut vocabulary);
        text_length += text.len() as u64;
        reference_length += references.length_nearest(text.len()) as u64;
        for (sequence, count) in counts(&text) {
            let order = sequence.iter().flatten().count() - 1;
            totals[order] += count;
            matches[order] += count.min(references.most.get(&sequence).copied().unwrap_or(0));
        }
    }
    from_counts(matches, totals, text_length, reference_length)
}

/// What the references of a text are to BLEU.
struct References {
    /// How often each sequence is in the reference that has it most often.
    most: HashMap<Sequence, u64>,
    lengths: Vec<usize>,
}

impl References {
    fn new(references: &[&str], vocabulary: &mut Vocabulary) -> Self {
        let (mut most, mut lengths) = (HashMap::new(), Vec::new());
        for reference in references {
            let words = numbers(reference, vocabulary);
            lengths.push(words.len());
            for (sequence, count) in counts(&words) {
                let greatest = most.entry(sequence).or_default();
                *greatest = count.max(*greatest);
            }
        }
        Self { most, lengths }
    }

    fn length_nearest(&self, length: usize) -> usize {
        self.lengths.iter().copied().min_by_key(|other| (other.abs_diff(length), *other)).unwrap_or(0)
    }
}

fn numbers(text: &str, vocabulary: &mut Vocabulary) -> Vec<u32> {
    tokens(text).iter().map(|token| vocabulary.number(token)).collect()
}

/// One to four words in a row.
type Sequence = [Option<u32>; ORDERS];

/// How often each sequence of one to four words is there.
fn counts(words: &[u32]) -> HashMap<Sequence, u64> {
    let mut counts = HashMap::with_capacity(ORDERS * words.len());
    for order in 1..=ORDERS {
        for window in words.windows(order) {
            let mut sequence = [None; ORDERS];
            for (place, word) in sequence.iter_mut().zip(window) {
                *place = Some(*word);
            }
            *counts.entry(sequence).or_default() += 1;
        }
    }
    counts
}

/// sacrebleu's `compute_bleu` with smoothing `exp`.
fn from_counts(matches: [u64; ORDERS], totals: [u64; ORDERS], text_length: u64, reference_length: u64) -> Bleu {
    let brevity_penalty = match text_length {
        0 if reference_length > 0 => 0.0,
        _ if text_length >= reference_length => 1.0,
        _ => (1.0 - reference_length as f64 / text_length as f64).exp(),
    };
    let mut precisions = [0.0; ORDERS];
    let mut score = 0.0;
    if matches.iter().any(|count| *count > 0) {
        let mut smoothing = 1.0;
        for order in (0..ORDERS).take_while(|order| totals[*order] > 0) {
            let total = totals[order] as f64;
            precisions[order] = if matches[order] > 0 {
                100.0 * matches[order] as f64 / total
            } else {
                smoothing *= 2.0;
                100.0 / (smoothing * total)
            };
        }
        // Texts shorter than four words have no sequences of four: precision 0, and so the score.
        let logarithms: f64 = precisions.iter().map(|precision: &f64| precision.ln()).sum();
        score = brevity_penalty * (logarithms / ORDERS as f64).exp();
    }
    Bleu { score, matches, totals, precisions, brevity_penalty, text_length, reference_length }
}

/// The tokens of the tokenizer `13a`, that of the NIST script `mteval-v13a.pl` as sacrebleu has it.
pub fn tokens(text: &str) -> Vec<String> {
    /// A pattern and what is put for it.
    type Rule = (Regex, &'static str);
    static RULES: LazyLock<[Rule; 4]> = LazyLock::new(|| {
        let rule = |pattern, put| (Regex::new(pattern).expect("a constant pattern"), put);
        [
            rule(r"([{-~\[-` -&(-+:-@/])", " $1 "),
            // Period and comma, unless between digits.
            rule(r"([^0-9])([.,])", "$1 $2 "),
            rule(r"([.,])([^0-9])", " $1 $2"),
            // A dash after a digit.
            rule(r"([0-9])(-)", "$1 $2 "),
        ]
    });
    let mut text = text.trim_end().replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if text.contains('&') {
        text = text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    }
    text = format!(" {text} ");
    for (pattern, put) in RULES.iter() {
        text = pattern.replace_all(&text, *put).into_owned();
    }
    text.split_whitespace().map(str::to_owned).collect()
}
