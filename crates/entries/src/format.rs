//! How a file of entries is written.

use serde::{Deserialize, Serialize};

/// How a file of entries is written. The default: commas, one line of names above, the first three columns, any names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Between two columns: one ASCII character.
    pub delimiter: char,
    /// Lines above the first entry; the first of them names the columns. 0: there is none.
    pub header_lines: usize,
    /// Columns of row, column and value: names of the header, or numbers from 1. A number is never taken for a name.
    pub columns: [String; 3],
    /// What the first two are.
    pub index: Index,
    /// What an entry that is given again means.
    pub duplicates: Duplicates,
}

/// Columns of row, column and value, if nothing else is said.
const FIRST: [&str; 3] = ["1", "2", "3"];

impl Default for Format {
    fn default() -> Self {
        Self {
            delimiter: ',',
            header_lines: 1,
            columns: FIRST.map(str::to_owned),
            index: Index::Names,
            duplicates: Duplicates::Refuse,
        }
    }
}

impl Format {
    /// Whether the first three columns are read, as if nothing was said of them.
    pub(crate) fn reads_the_first(&self) -> bool {
        self.columns == FIRST
    }

    /// What a delimiter may be, in words.
    pub const DELIMITERS: &str = "one ASCII character that is neither a quote nor the end of a line, or tab";

    /// The delimiter that a text means; `None` if it is none.
    pub fn delimiter_of(text: &str) -> Option<char> {
        let mut characters = text.chars();
        match (text, characters.next(), characters.next()) {
            ("tab" | "\\t", ..) => Some('\t'),
            (_, Some(character), None) if character.is_ascii() && !"\"\r\n".contains(character) => Some(character),
            _ => None,
        }
    }
}

/// What tells rows and columns apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Index {
    /// Any text, numbers too. There are as many rows as names.
    Names,
    /// Numbers from 0: there are as many rows as the largest says, also where no entry is known.
    From0,
    /// Numbers from 1.
    From1,
}

/// What an entry that is given again means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// The file is wrong.
    Refuse,
    /// The mean of all its values counts.
    Mean,
    /// The last of its values counts.
    Last,
}
