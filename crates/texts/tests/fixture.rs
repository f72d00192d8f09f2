//! What sacrebleu, rouge-score and nltk say of 200 made-up texts; see `fixtures/make_fixtures.py`.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use texts::Corpus;

#[derive(Deserialize)]
pub struct Fixture {
    pub texts: Vec<String>,
    pub references: Vec<Vec<String>>,
    pub tokens: Vec<Vec<String>>,
    pub tokens_of_references: Vec<Vec<Vec<String>>>,
    pub tokens_13a: Vec<Vec<String>>,
    pub one: Scores,
    pub several: Scores,
}

/// Scores against the first reference, or against all.
#[derive(Deserialize)]
pub struct Scores {
    pub each: Each,
    pub corpus: Whole,
}

#[derive(Deserialize)]
pub struct Each {
    pub bleu: Vec<Bleu>,
    pub rouge_plain: Vec<Rouge>,
    pub rouge_stem: Vec<Rouge>,
    pub meteor: Meteor<Vec<f64>>,
}

#[derive(Deserialize)]
pub struct Whole {
    pub bleu: Bleu,
    pub rouge_plain: Rouge,
    pub rouge_stem: Rouge,
    pub meteor: Meteor<f64>,
}

#[derive(Deserialize)]
pub struct Meteor<T> {
    pub exact_and_stem: T,
    pub tiny: T,
    pub wordnet: T,
}

#[derive(Deserialize)]
pub struct Bleu {
    pub score: f64,
    pub matches: [u64; 4],
    pub totals: [u64; 4],
    pub precisions: [f64; 4],
    pub brevity_penalty: f64,
    pub text_length: u64,
    pub reference_length: u64,
}

#[derive(Deserialize)]
pub struct Rouge {
    pub rouge_1: Overlap,
    pub rouge_2: Overlap,
    pub rouge_l: Overlap,
    pub rouge_lsum: Overlap,
}

#[derive(Deserialize)]
pub struct Overlap {
    pub precision: f64,
    pub recall: f64,
    pub f: f64,
}

pub fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", name].iter().collect()
}

pub fn json<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&fs::read_to_string(path(name)).unwrap()).unwrap()
}

pub fn load() -> Fixture {
    json("scores.json")
}

impl Fixture {
    /// Texts with all references, or with the first, and what the libraries say.
    pub fn both(&self) -> [(Vec<Vec<String>>, &Scores); 2] {
        let first = self.references.iter().map(|references| references[..1].to_vec()).collect();
        [(first, &self.one), (self.references.clone(), &self.several)]
    }

    pub fn corpus<'a>(&'a self, references: &'a [Vec<String>]) -> Corpus<'a> {
        Corpus::new(&self.texts, references).unwrap()
    }
}

/// Fails unless two numbers are equal within 1e-9.
#[track_caller]
pub fn assert_close(ours: f64, theirs: f64, what: impl std::fmt::Display) {
    assert!((ours - theirs).abs() < 1e-9, "{what}: {ours} here, {theirs} there");
}
