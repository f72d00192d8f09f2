//! Where sentences end: what Punkt decides with nltk's English model, by a rule without that model.

/// Abbreviations that nltk's English model knows and a text on places and prices may have.
const ABBREVIATIONS: [&str; 24] = [
    "a.m", "ave", "bros", "co", "corp", "dr", "fri", "inc", "jr", "ltd", "messrs", "mr", "mrs", "ms", "p.m", "prof",
    "sr", "st", "tues", "u.k", "u.s", "vs", "wed", "yr",
];

/// Words that begin a sentence, for nltk's English model, when they are capitalized after an abbreviation or dots: those that
/// often begin one, and some that are rarely capitalized elsewhere.
const STARTERS: [&str; 34] = [
    "although", "both", "but", "customer", "despite", "even", "families", "he", "here", "however", "i", "if", "in",
    "it", "kid", "kids", "located", "many", "most", "overall", "rated", "rating", "since", "so", "some", "the",
    "there", "these", "they", "this", "try", "very", "while", "yet",
];

/// What may stand directly behind a full stop that ends a sentence.
const BEHIND: &str = ")\";}]*:@'({[‘’“”«»?!";

/// What belongs to the sentence that it follows.
const CLOSING: [char; 5] = ['"', '\'', ')', ']', '}'];

/// The sentences of a text, without the white space between them.
///
/// A sentence ends at `.`, `?` or `!`, if white space and more text follow, or quotes, brackets and the like. Closing ones
/// belong to it if there is white space behind them. The word before a full stop may prevent it:
///
/// | that word | the sentence ends |
/// |---|---|
/// | a number (`5`, `20-25`, `3.50`) | unless the next word begins in lower case or with punctuation |
/// | a common abbreviation (`St`, `Mr`, `p.m`), dots (`..`) | if a word follows that often begins one, capitalized (`The`) |
/// | a single letter | never |
/// | any other | always |
///
/// Not covered is what Punkt knows of other abbreviations, of pairs of words, and of how other words are capitalized.
pub fn sentences(text: &str) -> Vec<&str> {
    let is_mark = |(place, letter): &(usize, char)| matches!(letter, '.' | '?' | '!') && may_end(&text[place + 1..]);
    let mut marks = text.char_indices().filter(is_mark).peekable();
    let (mut found, mut start, mut ends_here) = (Vec::new(), 0, false);
    while let Some((place, mark)) = marks.next() {
        let after = &text[place + 1..];
        let word = text[..place].rsplit(char::is_whitespace).next().unwrap_or_default();
        ends_here |= mark != '.' || ends(word, after.trim_start());
        // Of several marks in a word, the last one is the end.
        let is_last = marks.peek().is_none_or(|(other, _)| text[place..*other].contains(char::is_whitespace));
        if is_last && std::mem::take(&mut ends_here) {
            let closed = after.trim_start_matches(CLOSING);
            let rest = if closed.is_empty() || closed.starts_with(char::is_whitespace) { closed } else { after };
            found.push(&text[start..text.len() - rest.len()]);
            start = text.len() - rest.trim_start().len();
        }
    }
    found.push(text[start..].trim_end());
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// Whether a mark may end a sentence, if `after` follows.
fn may_end(after: &str) -> bool {
    let first = after.chars().next();
    first.is_some_and(|first| BEHIND.contains(first) || first.is_whitespace() && !after.trim_start().is_empty())
}

/// Whether the full stop after `word` ends a sentence, if `next` follows.
fn ends(word: &str, next: &str) -> bool {
    let word = word.trim_start_matches(['"', '\'', '(', '[', '{', '‘', '“']).to_lowercase();
    let is_number = word.chars().any(char::is_numeric)
        && word.chars().all(|letter| letter.is_numeric() || matches!(letter, '.' | ',' | '-'));
    let mut letters = word.chars();
    if is_number {
        !next.starts_with(|first: char| first.is_lowercase() || ";:,.!?".contains(first))
    } else if word.ends_with('.') || ABBREVIATIONS.contains(&word.rsplit('-').next().unwrap_or_default()) {
        let follows = next.split(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default();
        next.starts_with(char::is_uppercase) && STARTERS.contains(&follows.to_lowercase().as_str())
    } else {
        !(letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none())
    }
}
