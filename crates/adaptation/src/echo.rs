//! What a user's file holds, as a sentence repeats it: never longer than a line.

/// Most characters of a value that are repeated.
const MOST: usize = 80;

/// The beginning of `text`, with … where it was cut.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn only_long_text_is_cut() {
        assert_eq!(cut("gelu"), "gelu");
        assert_eq!(cut(&"ä".repeat(80)), "ä".repeat(80));
        assert_eq!(cut(&"ä".repeat(5_000_000)), format!("{}…", "ä".repeat(80)));
    }
}
