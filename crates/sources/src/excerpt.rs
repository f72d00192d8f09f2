//! Quoting what stands in a file, whatever its length.

/// Characters of a text that are quoted.
const MOST: usize = 80;

/// The text as a message quotes it: what is longer than a line is cut, and its length is given.
///
/// ```
/// assert_eq!(sources::excerpt("maybe"), "maybe");
/// assert!(sources::excerpt(&"7".repeat(1000)).ends_with("777… (1000 characters)"));
/// ```
pub fn excerpt(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
    }
}
