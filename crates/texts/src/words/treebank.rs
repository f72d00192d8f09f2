//! Words of a sentence by the rules of the Penn Treebank, as nltk has them (`NLTKWordTokenizer`, nltk 3.10.4).
//!
//! Each rule is a pattern and what is put for it, in nltk's order. Two patterns look ahead or behind in nltk; the crate
//! `regex` does not, so [`single_quotes`] does one of them by hand, and `wanna` takes the space behind it in.

use std::sync::LazyLock;

use regex::Regex;

/// A pattern and what is put for it.
type Rule = (Regex, &'static str);

fn rules<const N: usize>(rules: [(&str, &'static str); N]) -> [Rule; N] {
    rules.map(|(pattern, put)| (Regex::new(pattern).expect("a constant pattern"), put))
}

static STARTING_QUOTES: LazyLock<[Rule; 4]> = LazyLock::new(|| {
    rules([(r"([«“‘„]|`+)", " $1 "), ("^\"", "``"), ("(``)", " $1 "), (r#"([ (\[{<])("|'{2})"#, "$1 `` ")])
});

static PUNCTUATION: LazyLock<[Rule; 12]> = LazyLock::new(|| {
    rules([
        (r#"([^.])(\.)([\])}>"'»”’ ]*)\s*$"#, "$1 $2 $3 "),
        (r"([:,])([^\d])", " $1 $2"),
        (r"([:,])$", " $1 "),
        (r"\.{2,}", " $0 "),
        (r"[;@#$%&]", " $0 "),
        (r"[\u{2012}-\u{2015}]", " $0 "),
        (r#"([^.])(\.)([\])}>"']*)\s*$"#, "$1 $2$3 "),
        (r"[?!]", " $0 "),
        (r"([^'])' ", "$1 ' "),
        (r"[*]", " $0 "),
        (r"[\]\[(){}<>]", " $0 "),
        (r"--", " -- "),
    ])
});

static ENDING_QUOTES: LazyLock<[Rule; 16]> = LazyLock::new(|| {
    rules([
        (r"([»”’])", " $1 "),
        (r"''", " '' "),
        ("\"", " '' "),
        (r"\s+", " "),
        (r"([^' ])('[sS]|'[mM]|'[dD]|') ", "$1 $2 "),
        (r"([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", "$1 $2 "),
        (r"(?i)\b(can)(not)\b", " $1 $2 "),
        (r"(?i)\b(d)('ye)\b", " $1 $2 "),
        (r"(?i)\b(gim)(me)\b", " $1 $2 "),
        (r"(?i)\b(gon)(na)\b", " $1 $2 "),
        (r"(?i)\b(got)(ta)\b", " $1 $2 "),
        (r"(?i)\b(lem)(me)\b", " $1 $2 "),
        (r"(?i)\b(more)('n)\b", " $1 $2 "),
        (r"(?i)\b(wan)(na)\s", " $1 $2  "),
        (r"(?i) ('t)(is)\b", " $1 $2 "),
        (r"(?i) ('t)(was)\b", " $1 $2 "),
    ])
});

/// The tokens of one sentence.
pub(super) fn tokens(sentence: &str) -> Vec<String> {
    let text = apply(&*STARTING_QUOTES, sentence.to_owned());
    let text = apply(&*PUNCTUATION, single_quotes(&text));
    let text = apply(&*ENDING_QUOTES, format!(" {text} "));
    text.split_whitespace().map(str::to_owned).collect()
}

fn apply(rules: &[Rule], mut text: String) -> String {
    for (pattern, put) in rules {
        if let std::borrow::Cow::Owned(changed) = pattern.replace_all(&text, *put) {
            text = changed;
        }
    }
    text
}

/// Parts a single quote from the word that it opens, unless that is a clitic: nltk's
/// `(?i)(?<!\w)(')(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)`.
fn single_quotes(text: &str) -> String {
    static CLITIC: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(?i:re|ve|ll|m|t|s|d|n)\b").expect("a constant pattern"));
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut parted = String::with_capacity(text.len());
    let mut before = None;
    for (place, letter) in text.char_indices() {
        parted.push(letter);
        let after = &text[place + letter.len_utf8()..];
        let opens = letter == '\'' && !before.is_some_and(is_word) && after.starts_with(is_word);
        if opens && !CLITIC.is_match(after) {
            parted.push(' ');
        }
        before = Some(letter);
    }
    parted
}
