//! BLEU beside sacrebleu.

use texts::{Corpus, CorpusError, bleu};

use crate::fixture::{self, assert_close};

#[track_caller]
fn assert_same(ours: &bleu::Bleu, theirs: &fixture::Bleu, what: &str) {
    assert_close(ours.score, theirs.score, what);
    assert_eq!((ours.matches, ours.totals), (theirs.matches, theirs.totals), "{what}");
    assert_eq!((ours.text_length, ours.reference_length), (theirs.text_length, theirs.reference_length), "{what}");
    assert_close(ours.brevity_penalty, theirs.brevity_penalty, what);
    for (ours, theirs) in ours.precisions.iter().zip(theirs.precisions) {
        assert_close(*ours, theirs, what);
    }
}

#[test]
fn a_corpus_and_each_text_score_as_in_sacrebleu() {
    let fixture = fixture::load();
    for (references, scores) in fixture.both() {
        assert_same(&bleu::bleu(&fixture.corpus(&references)), &scores.corpus.bleu, "the corpus");
        for (place, theirs) in scores.each.bleu.iter().enumerate() {
            let one = place..place + 1;
            let corpus = Corpus::new(&fixture.texts[one.clone()], &references[one]).unwrap();
            assert_same(&bleu::bleu(&corpus), theirs, &fixture.texts[place]);
        }
    }
}

#[test]
fn tokens_are_those_of_13a() {
    let fixture = fixture::load();
    for (text, theirs) in fixture.texts.iter().zip(&fixture.tokens_13a) {
        assert_eq!(&bleu::tokens(text), theirs, "{text:?}");
    }
    assert_eq!(
        bleu::tokens("3-4 for £3,000.50, -\nno &lt;b&gt;"),
        ["3", "-", "4", "for", "£3,000.50", ",", "no", "<", "b", ">"]
    );
}

#[test]
fn the_ends_of_the_scale() {
    let of = |text: &str, reference: &str| {
        let (texts, references) = ([text], [vec![reference]]);
        bleu::bleu(&Corpus::new(&texts, &references).unwrap()).score
    };
    assert_close(of("a b c d e", "a b c d e"), 100.0, "equal");
    assert_eq!(of("x y z w", "a b c d"), 0.0);
    assert_eq!(of("", "a b"), 0.0);
    assert_eq!(of("a b", "a b"), 0.0, "there are no four words in a row");
}

#[test]
fn what_is_no_corpus_is_refused() {
    let none: [&str; 0] = [];
    assert_eq!(Corpus::new::<&str, &str>(&none, &[]).unwrap_err(), CorpusError::Empty);
    let error = Corpus::new(&["a", "b"], &[vec!["a"]]).unwrap_err();
    assert_eq!(error.to_string(), "2 texts to score, but references for 1");
    let error = Corpus::new(&["a", "b"], &[vec!["a"], vec![]]).unwrap_err();
    assert_eq!(error.to_string(), "text 2 (from 1) has no reference");
}
