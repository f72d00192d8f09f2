//! A meaning representation: slots with their values, such as `name[Alimentum], area[city centre]`.

use std::fmt;
use std::str::FromStr;

/// A slot and its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The slot's name, such as `customer rating`.
    pub name: String,
    /// Its value, such as `5 out of 5`.
    pub value: String,
}

/// What a text has to say: slots, in their order.
///
/// A slot may be there several times. In the cleaned release it has every value that its text says:
/// `area[city centre], area[riverside]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Meaning {
    slots: Vec<Slot>,
}

/// Why a text is no meaning representation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeaningError {
    /// There are no slots.
    #[error("is empty")]
    Empty,
    /// A slot is not of the form `name[value]`.
    #[error("has {found:?} where a slot is expected, name[value], and \", \" between two of them")]
    Form {
        /// What is there.
        found: String,
    },
}

impl Meaning {
    /// The slots, in the order of the file.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The values of the slots of this name, in their order.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.slots.iter().filter(move |slot| slot.name == name).map(|slot| slot.value.as_str())
    }
}

impl FromStr for Meaning {
    type Err = MeaningError;

    fn from_str(text: &str) -> Result<Self, MeaningError> {
        let mut slots: Vec<Slot> = Vec::new();
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(MeaningError::Empty);
        }
        loop {
            let form = || MeaningError::Form { found: rest.to_owned() };
            let (slot, after) = slot(rest).ok_or_else(form)?;
            slots.push(slot);
            if after.is_empty() {
                return Ok(Self { slots });
            }
            rest = after.strip_prefix(',').map(str::trim_start).filter(|rest| !rest.is_empty()).ok_or_else(form)?;
        }
    }
}

/// The slot that a text begins with, and what follows it.
fn slot(text: &str) -> Option<(Slot, &str)> {
    let (name, rest) = text.split_once('[')?;
    let (value, rest) = rest.split_once(']')?;
    let (name, value) = (name.trim(), value.trim());
    let plain = !name.is_empty() && !value.is_empty() && !name.contains([',', ']']) && !value.contains('[');
    plain.then(|| (Slot { name: name.to_owned(), value: value.to_owned() }, rest.trim_start()))
}

impl fmt::Display for Meaning {
    /// As in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, slot) in self.slots.iter().enumerate() {
            let between = if place == 0 { "" } else { ", " };
            write!(f, "{between}{}[{}]", slot.name, slot.value)?;
        }
        Ok(())
    }
}
