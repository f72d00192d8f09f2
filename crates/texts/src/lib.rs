//! What is needed around generated texts: the E2E NLG data, and the scores of texts beside references.
//!
//! | module | what | equal to |
//! |---|---|---|
//! | [`e2e`] | the CSVs of the E2E NLG data: meaning representations and texts | |
//! | [`bleu`] | corpus BLEU | sacrebleu 2.6.0 with its defaults |
//! | [`rouge`] | ROUGE-1, ROUGE-2, ROUGE-L, ROUGE-Lsum | rouge-score 0.1.2 |
//! | [`meteor`] | METEOR, with or without WordNet | nltk 3.10.4, `meteor_score` |
//! | [`words`] | tokens for METEOR | nltk's `word_tokenize`, on sentences like those of E2E |
//! | [`slots`] | values that a text lacks or has wrong | a rule of our own |
//!
//! The versions are those that the fixtures were made with; `tests/fixtures/make_fixtures.py` makes them again.
//!
//! # Other crates
//!
//! | crate | looked at for | used? |
//! |---|---|---|
//! | `nltk-porter` 0.1.0 | Porter's stemmer | yes: NLTK's own variant, without dependencies; a test compares it with nltk |
//! | `rust-stemmers` 1.2.0, `porter-stemmer` 0.1.2 | Porter's stemmer | no: Snowball's and the plain one; nltk's has rules and irregular forms of its own |
//! | `bleuscore` 0.2.0 | BLEU | no: the BLEU of `evaluate` (adds one to smooth, shortest reference), not sacrebleu's |
//! | `rougers` 0.2.1 | ROUGE | no: right by its own tests, but pins ICU to exactly 2.3.0, which this workspace has newer |
//! | `wordnet` 0.1.2, `wordnet_stemmer` 0.1.1 | WordNet | no: of 2017 and 2016, panic on a malformed file, and search otherwise than nltk |
//! | `punkt` 1.0.5 | sentences | no: of 2019, needs `rustc-serialize` and `phf` 0.7, which are abandoned |
//!
//! No crate with METEOR was found.
//!
//! ```
//! use texts::{Corpus, bleu, rouge};
//!
//! let generated = ["Aromi is a coffee shop in the city centre."];
//! let written = [vec!["Aromi is a coffee shop in the centre of the city.", "In the city centre there is Aromi."]];
//! let corpus = Corpus::new(&generated, &written)?;
//! assert!(bleu::bleu(&corpus).score > 70.0);
//! assert!(rouge::mean(&corpus, rouge::Stemming::None).rouge_1.f > 0.8);
//! # Ok::<(), texts::CorpusError>(())
//! ```

pub mod bleu;
mod corpus;
pub mod e2e;
pub mod meteor;
pub mod rouge;
pub mod slots;
mod vocabulary;
pub mod words;

pub use corpus::{Corpus, CorpusError};
