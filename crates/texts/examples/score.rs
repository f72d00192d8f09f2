//! Scores texts beside the references of the E2E data, and says how long each score took.
//!
//!     cargo run --release -p texts --example score -- devset.csv [WORDNET_DICT]
//!
//! Without a model, the texts are people's own: each row's text is that of the next row, scored against all references of its
//! row's meaning representation.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use texts::e2e::{Meaning, Split};
use texts::meteor::{Meteor, WordNet};
use texts::rouge::Stemming;
use texts::{Corpus, bleu, rouge, slots};

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let outcome = work();
    println!("{what}: {:.3} s", start.elapsed().as_secs_f64());
    outcome
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("name a CSV of the E2E data")?;
    let mut meteor = match arguments.next() {
        Some(directory) => {
            let wordnet = timed("WordNet read", || WordNet::read(Path::new(&directory)))?;
            Meteor::with_synonyms(wordnet)
        }
        None => Meteor::exact_and_stem(),
    };
    let split = timed("data read", || Split::read(Path::new(&file)))?;
    let groups: HashMap<Meaning, Vec<String>> =
        split.groups().into_iter().map(|group| (group.meaning, group.references)).collect();
    let references: Vec<Vec<String>> = split.rows.iter().map(|row| groups[&row.meaning].clone()).collect();
    let mut texts: Vec<&str> = split.rows.iter().map(|row| row.reference.as_str()).collect();
    texts.rotate_left(1);
    let pairs: usize = references.iter().map(Vec::len).sum();
    println!("{} texts, {pairs} pairs of text and reference", texts.len());

    let corpus = Corpus::new(&texts, &references)?;
    let start = Instant::now();
    let bleu = timed("BLEU", || bleu::bleu(&corpus));
    let rouge = timed("ROUGE", || rouge::mean(&corpus, Stemming::None));
    let mean = timed("METEOR", || meteor.mean(&corpus));
    let pairs = texts.iter().copied().zip(split.rows.iter().map(|row| &row.meaning));
    let errors = timed("slot errors", || slots::Counts::of(pairs));
    println!("all scores: {:.3} s", start.elapsed().as_secs_f64());
    println!("BLEU {:.3}, {} {mean:.5}", bleu.score, meteor.name());
    println!("ROUGE-1 {:.5}, ROUGE-2 {:.5}, ROUGE-L {:.5}", rouge.rouge_1.f, rouge.rouge_2.f, rouge.rouge_l.f);
    println!("slots {}, missing {}, wrong {}", errors.slots, errors.missing, errors.wrong);
    Ok(())
}
