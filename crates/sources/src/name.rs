//! Which names a declaration may hold: such that paths stay inside the cache and arguments stay arguments.

use super::cache::SUMS;
use super::{SourceError, excerpt};

/// A single word: letters, digits and `. _ - + !`, not starting with a dot or a dash.
pub(super) fn word(what: &'static str, name: &str) -> Result<(), SourceError> {
    refuse_unless(is_word(name), what, name, "letters, digits and . _ - + !, starting with a letter, digit or _")
}

/// Words separated by single slashes.
pub(super) fn words(what: &'static str, name: &str) -> Result<(), SourceError> {
    refuse_unless(
        name.split('/').all(is_word),
        what,
        name,
        "words of letters, digits and . _ - + !, each starting with a letter, digit or _, separated by /",
    )
}

/// Names of the files of an entry: at least one, none of them that of its sums.
pub(super) fn files<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> Result<(), SourceError> {
    refuse_unless(names.len() > 0, "files", "{}", "at least one file")?;
    let each = |name: &String| {
        words("files", name)?;
        refuse_unless(name != SUMS, "files", name, "another name: an entry's sums have this one")
    };
    names.into_iter().try_for_each(each)
}

fn is_word(name: &str) -> bool {
    let starts_well = name.bytes().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == b'_');
    starts_well && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-+!".contains(&c))
}

fn refuse_unless(good: bool, what: &'static str, name: &str, allowed: &'static str) -> Result<(), SourceError> {
    if good { Ok(()) } else { Err(SourceError::BadName { what, name: excerpt(name), allowed }) }
}
