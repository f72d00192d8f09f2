//! Values that a text lacks, or has wrong, beside its meaning representation: a simple rule of our own.
//!
//! A text is compared in lower case, with hyphens as spaces, `centre` for `center`, and `e` for `é`. Each slot of the meaning
//! representation makes at most one error, *wrong* if another value is said, *missing* if its own is not:
//!
//! | slot | what says its value |
//! |---|---|
//! | `name`, `near`, any other | the value's own words, with or without a leading `the`; never wrong |
//! | `eatType` | `restaurant`, `pub`, `coffee shop` or `cafe`; `restaurant` beside the right one is not wrong |
//! | `food` | its word; for `English` also `British` |
//! | `area` | `city centre`, `centre of the city`, `town centre`, `city`; `riverside`, `river` |
//! | `priceRange` | `less than £20`, `£20-25`, `more than £30`; *cheap*, *moderate*, *high* in words |
//! | `customer rating` | `1 out of 5`, `one star` and so on; *low*, *average*, *high* in words |
//! | `familyFriendly` | a word for family or children says `yes`, with a negation before or behind it `no` |
//!
//! | in words | of prices | of ratings |
//! |---|---|---|
//! | lowest | `cheap`, `inexpensive`, `affordable`; `low` beside a word for price | `low`, `poor` beside a word for rating |
//! | middle | `moderate`, `reasonable`; `average`, `medium` beside such a word | `average`, `decent` beside such a word |
//! | highest | `expensive`, `costly`; `high` beside such a word | `high`, `excellent`, `good` beside such a word |
//!
//! - Words also say the number of their level: `cheap` is right for `less than £20`, `low` for `1 out of 5`. A number is
//!   wrong for a word: from `cheap` nobody knows `less than £20`.
//! - The words of name and place nearby are taken out first, so that *Raja Indian Cuisine* says nothing of the food.
//! - A slot that is there several times (cleaned release) has several right values, and each of them must be said.
//! - What says a slot that is not in the meaning representation is not looked for.
//!
//! It knows no grammar: *not expensive* counts as `high`. In people's own texts of the E2E data 9 to 11 % of the slots have an error
//! by this rule (the example `slots` counts them), most of them real: people left values out. Compare a model with that, not
//! with 0. All patterns are in `forms.rs`.
//!
//! ```
//! use texts::slots;
//!
//! let meaning = "name[Aromi], food[Indian], familyFriendly[no]".parse()?;
//! assert!(slots::errors("Aromi has Indian food. Kids are not welcome.", &meaning).is_empty());
//! let errors = slots::errors("Aromi has Italian food.", &meaning);
//! let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
//! assert_eq!(said, ["wrong food[Indian]: says Italian", "missing familyFriendly[no]"]);
//! # Ok::<(), texts::e2e::MeaningError>(())
//! ```

mod forms;

use std::fmt;

use crate::e2e::{Meaning, Slot};

use forms::Form;

/// A slot whose value a text does not say as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotError {
    /// The value is not said.
    Missing(Slot),
    /// Another value is said, instead of the slot's or beside it.
    Wrong {
        /// The slot and what should be said.
        slot: Slot,
        /// What is said.
        says: &'static str,
    },
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(Slot { name, value }) => write!(f, "missing {name}[{value}]"),
            Self::Wrong { slot: Slot { name, value }, says } => write!(f, "wrong {name}[{value}]: says {says}"),
        }
    }
}

/// The slot errors of a text, in the order of the meaning representation's slots.
pub fn errors(text: &str, meaning: &Meaning) -> Vec<SlotError> {
    let text = plain(text);
    let rest = without_names(&text, meaning);
    meaning.slots().iter().filter_map(|slot| error(slot, meaning, &text, &rest)).collect()
}

/// Slots and their errors over many texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Slots of all meaning representations.
    pub slots: usize,
    /// Those that are missing in their text.
    pub missing: usize,
    /// Those that are wrong in their text.
    pub wrong: usize,
}

impl Counts {
    /// Counts over texts and their meaning representations.
    pub fn of<'a>(texts: impl IntoIterator<Item = (&'a str, &'a Meaning)>) -> Self {
        let mut counts = Self::default();
        for (text, meaning) in texts {
            counts.slots += meaning.slots().len();
            for error in errors(text, meaning) {
                match error {
                    SlotError::Missing(_) => counts.missing += 1,
                    SlotError::Wrong { .. } => counts.wrong += 1,
                }
            }
        }
        counts
    }

    /// The share of slots with an error, 0 to 1; 0 without slots.
    pub fn rate(&self) -> f64 {
        (self.missing + self.wrong) as f64 / self.slots.max(1) as f64
    }
}

fn error(slot: &Slot, meaning: &Meaning, text: &str, rest: &str) -> Option<SlotError> {
    let forms = forms::of(&slot.name);
    let mut rest = rest.to_owned();
    let said: Vec<&Form> = forms.iter().filter(|form| form.take_out_of(&mut rest)).collect();
    let is_known = forms.iter().any(|form| form.says(&slot.value));
    let is_said = if is_known { said.iter().any(|form| form.says(&slot.value)) } else { has_words(text, &slot.value) };
    // A general word beside the right one says nothing else.
    let fits = |form: &Form| meaning.values(&slot.name).any(|value| form.says(value)) || form.is_general && is_said;
    let other = said.iter().find(|form| !fits(form));
    match other {
        Some(form) => Some(SlotError::Wrong { slot: slot.clone(), says: form.values[0] }),
        None if is_said => None,
        None => Some(SlotError::Missing(slot.clone())),
    }
}

/// Whether a value's own words are in a text.
fn has_words(text: &str, value: &str) -> bool {
    text.contains(without_article(&plain(value)))
}

fn without_article(value: &str) -> &str {
    value.strip_prefix("the ").unwrap_or(value)
}

/// The text without the values of `name` and `near`.
fn without_names(text: &str, meaning: &Meaning) -> String {
    let mut rest = text.to_owned();
    for value in ["name", "near"].into_iter().flat_map(|slot| meaning.values(slot)).map(plain) {
        if !value.is_empty() {
            rest = rest.replace(without_article(&value), "·");
        }
    }
    rest
}

/// A text in the form in which it is compared.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.to_lowercase().chars() {
        let letter = match letter {
            '-' | '‐' | '‑' | '–' | '—' => ' ',
            'é' | 'è' | 'ê' => 'e',
            '‘' | '’' => '\'',
            letter if letter.is_whitespace() => ' ',
            letter => letter,
        };
        if letter != ' ' || !plain.ends_with([' ', '£']) {
            plain.push(letter);
        }
    }
    plain.trim().replace("center", "centre")
}
