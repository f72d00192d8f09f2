//! What a user typed or wrote, as messages repeat it: on one line, and cut if it is long.

use std::fmt::{self, Display, Write};

/// Most characters that are repeated.
const MOST: usize = 200;

/// Text that shows at most its first 200 characters, with control characters escaped.
pub(crate) struct Echo<'a>(pub(crate) &'a str);

impl Display for Echo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        for character in rest.by_ref().take(MOST) {
            if character.is_control() { write!(f, "{}", character.escape_default())? } else { f.write_char(character)? }
        }
        match rest.count() {
            0 => Ok(()),
            more => write!(f, "… and {more} more character{}", if more == 1 { "" } else { "s" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_and_control_characters_are_escaped() {
        assert_eq!(Echo("plain, γ = 0").to_string(), "plain, γ = 0");
        assert_eq!(Echo("a\r\nb\u{1b}").to_string(), "a\\r\\nb\\u{1b}");
        let text = Echo(&"é".repeat(250)).to_string();
        assert_eq!(text, format!("{}… and 50 more characters", "é".repeat(200)));
    }
}
