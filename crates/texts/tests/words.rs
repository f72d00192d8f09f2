//! Tokens beside nltk's `word_tokenize`.

use texts::words::{sentences, tokens};

use crate::fixture;

#[test]
fn tokens_are_those_of_nltk() {
    let fixture = fixture::load();
    let references = fixture.references.iter().flatten().zip(fixture.tokens_of_references.iter().flatten());
    for (text, theirs) in fixture.texts.iter().zip(&fixture.tokens).chain(references) {
        assert_eq!(&tokens(text), theirs, "{text:?}");
    }
}

#[test]
fn a_full_stop_ends_a_sentence_unless_the_word_before_it_says_no() {
    assert_eq!(sentences("It is cheap. near it. "), ["It is cheap.", "near it."]);
    assert_eq!(sentences("Rated 5 of 5. it is near"), ["Rated 5 of 5. it is near"]);
    assert_eq!(sentences("Rated 5 of 5. It is near"), ["Rated 5 of 5.", "It is near"]);
    assert_eq!(sentences("Near St. John's. J. Doe"), ["Near St. John's.", "J. Doe"]);
    assert_eq!(
        sentences("At 5 p.m. The bar.. It is. Dots... It"),
        ["At 5 p.m.", "The bar..", "It is.", "Dots...", "It"]
    );
    assert_eq!(
        sentences("(Cheap!) \"Near.\" Yes?! No.! 5.) A"),
        ["(Cheap!)", "\"Near.\"", "Yes?!", "No.!", "5.)", "A"]
    );
    assert_eq!(sentences("food.\"Great.\" It"), ["food.\"Great.\"", "It"]);
    assert_eq!(sentences("  \n"), [""; 0]);
}
