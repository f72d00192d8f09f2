//! ROUGE beside rouge-score.

use texts::rouge::{self, Stemming};

use crate::fixture::{self, assert_close};

#[track_caller]
fn assert_same(ours: &rouge::Rouge, theirs: &fixture::Rouge, what: &str) {
    let pairs = [
        ("ROUGE-1", ours.rouge_1, &theirs.rouge_1),
        ("ROUGE-2", ours.rouge_2, &theirs.rouge_2),
        ("ROUGE-L", ours.rouge_l, &theirs.rouge_l),
        ("ROUGE-Lsum", ours.rouge_lsum, &theirs.rouge_lsum),
    ];
    for (score, ours, theirs) in pairs {
        assert_close(ours.f, theirs.f, format!("F of {score}, {what}"));
        assert_close(ours.precision, theirs.precision, format!("precision of {score}, {what}"));
        assert_close(ours.recall, theirs.recall, format!("recall of {score}, {what}"));
    }
}

#[test]
fn each_text_and_the_mean_score_as_in_rouge_score() {
    let fixture = fixture::load();
    for (references, scores) in fixture.both() {
        let corpus = fixture.corpus(&references);
        let both = [
            (Stemming::None, &scores.each.rouge_plain, &scores.corpus.rouge_plain),
            (Stemming::Porter, &scores.each.rouge_stem, &scores.corpus.rouge_stem),
        ];
        for (stemming, each, mean) in both {
            assert_same(&rouge::mean(&corpus, stemming), mean, "the mean");
            let ours = rouge::each(&corpus, stemming);
            assert_eq!(ours.len(), each.len());
            for ((ours, theirs), text) in ours.iter().zip(each).zip(&fixture.texts) {
                assert_same(ours, theirs, text);
            }
        }
    }
}

#[test]
fn lines_matter_to_rouge_lsum_alone() {
    let fixture = fixture::load();
    let scores = &fixture.one.each.rouge_plain;
    let differs = |text: &String, reference: &Vec<String>| text.contains('\n') || reference[0].contains('\n');
    let mut apart = 0;
    for ((text, reference), score) in fixture.texts.iter().zip(&fixture.references).zip(scores) {
        if differs(text, reference) {
            apart += usize::from((score.rouge_l.f - score.rouge_lsum.f).abs() > 1e-3);
        } else {
            assert_close(score.rouge_l.f, score.rouge_lsum.f, text);
        }
    }
    assert!(apart > 5, "the fixture has too few texts of several lines: {apart}");
}
