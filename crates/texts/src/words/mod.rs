//! Tokens of English text as nltk's `word_tokenize` gives them, for sentences like those of the E2E data.
//!
//! nltk first splits a text into sentences (Punkt, with a trained model), since only the last full stop of a sentence is a
//! token of its own. Then it splits each into words with the rules of the Penn Treebank.
//!
//! - The words of a sentence are nltk's: the same rules in the same order (`NLTKWordTokenizer` of nltk 3.10.4).
//! - The sentences are by a short rule in place of Punkt's model; [`sentences`] says which.
//!
//! On the references of the E2E data at hand (a part of `trainset`, `devset`, `testset_w_refs`) this gives nltk's tokens, with
//! nltk's own Punkt model, for all 11 665. `tests/fixtures/compare_tokens.py` counts that.

mod sentence;
mod treebank;

pub use sentence::sentences;

/// The tokens of a text.
///
/// ```
/// assert_eq!(texts::words::tokens("It isn't cheap. Try £20-25."), ["It", "is", "n't", "cheap", ".", "Try", "£20-25", "."]);
/// ```
pub fn tokens(text: &str) -> Vec<String> {
    sentences(text).into_iter().flat_map(treebank::tokens).collect()
}
