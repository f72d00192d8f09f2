//! From a tree of values to a settings struct, with errors that know the key and where its value was written.
//!
//! Own code, because no crate gives file and line together with the profile or the `--set` that a value came from: figment
//! knows the file and the profile but no line, serde_path_to_error the key but no file, and the spans of toml end where
//! profiles are merged.

use std::collections::{BTreeMap, btree_map};
use std::fmt::{self, Display};

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, MapAccess, SeqAccess, Visitor};

use super::tree::{Content, Node, Origin};

/// Deserializes a tree.
pub(crate) fn decode<S: DeserializeOwned>(root: &Node) -> Result<S, Problem> {
    S::deserialize(root)
}

/// Why a tree is not what the struct wants.
#[derive(Debug)]
pub(crate) struct Problem {
    /// Keys and indices from the root.
    pub(crate) path: Vec<String>,
    /// Of the offending value; known once the error has passed its node.
    pub(crate) origin: Option<Origin>,
    pub(crate) kind: Kind,
}

/// The kinds of [`Problem`].
#[derive(Debug)]
pub(crate) enum Kind {
    UnknownKey { key: String, allowed: &'static [&'static str] },
    MissingKey(&'static str),
    Value { value: Option<String>, allowed: String },
}

impl Problem {
    fn new(kind: Kind) -> Self {
        Self { path: Vec::new(), origin: None, kind }
    }

    /// The dotted key it is about.
    pub(crate) fn key(&self) -> String {
        let last = match &self.kind {
            Kind::UnknownKey { key, .. } => Some(key.as_str()),
            Kind::MissingKey(key) => Some(*key),
            Kind::Value { .. } => None,
        };
        self.path.iter().map(String::as_str).chain(last).collect::<Vec<_>>().join(".")
    }

    /// Adds what is known at `node`, the innermost first.
    fn at(mut self, node: &Node) -> Self {
        self.origin.get_or_insert_with(|| node.origin.clone());
        if let Kind::Value { value: value @ None, .. } = &mut self.kind {
            *value = Some(node.content.to_string());
        }
        self
    }

    fn below(mut self, part: impl Display) -> Self {
        self.path.insert(0, part.to_string());
        self
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.key(), self.kind)
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(Kind::Value { value: None, allowed: message.to_string() })
    }

    fn invalid_type(_: de::Unexpected, expected: &dyn Expected) -> Self {
        Self::new(Kind::Value { value: None, allowed: in_words(&expected.to_string()) })
    }

    fn invalid_value(unexpected: de::Unexpected, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(Kind::Value { value: None, allowed: in_words(&expected.to_string()) })
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        let allowed: Vec<_> = expected.iter().map(|name| format!("{name:?}")).collect();
        Self::new(Kind::Value { value: None, allowed: allowed.join(", ") })
    }

    fn unknown_field(field: &str, allowed: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownKey { key: field.to_owned(), allowed })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::MissingKey(field))
    }
}

/// Rust's type names in words for people.
fn in_words(expected: &str) -> String {
    match expected {
        "usize" | "u64" => "a whole number, not negative".into(),
        "u8" => "a whole number from 0 to 255".into(),
        "u16" => "a whole number from 0 to 65535".into(),
        "u32" => "a whole number from 0 to 4294967295".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a string" => "text in quotes".into(),
        "a sequence" => "a list in [ ]".into(),
        "a map" => "a table".into(),
        other if other.starts_with("struct ") => "a table".into(),
        other if other.starts_with("a nonzero ") => "a whole number, 1 or more".into(),
        other => other.to_owned(),
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let result = match &self.content {
            Content::Text(text) if text.chars().all(is_printable) => visitor.visit_str(text),
            Content::Text(_) => Err(de::Error::custom("text without control characters (line breaks, tabs, …)")),
            Content::Nothing => visitor.visit_unit(),
            Content::Whole(value) => visitor.visit_i64(*value),
            Content::Number(value) => visitor.visit_f64(*value),
            Content::Flag(value) => visitor.visit_bool(*value),
            Content::Date(value) => visitor.visit_str(value),
            Content::Table(entries) => visitor.visit_map(Entries::new(entries)),
            Content::List(elements) => {
                let mut elements = Elements { rest: elements.iter().enumerate() };
                visitor.visit_seq(&mut elements).and_then(|value| match elements.rest.len() {
                    0 => Ok(value),
                    left => Err(de::Error::custom(format!("a list with {left} element(s) fewer"))),
                })
            }
        };
        result.map_err(|problem| problem.at(self))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let result = match &self.content {
            Content::Text(text) => visitor.visit_enum(StrDeserializer::new(text)),
            Content::Table(entries) => match on_top(entries) {
                Some(entry) => visitor.visit_enum(MapAccessDeserializer::new(entry)),
                None => Err(de::Error::custom(format!("a table with one of the keys {}", variants.join(", ")))),
            },
            _ => Err(de::Error::unknown_variant("", variants)),
        };
        result.map_err(|problem| problem.at(self))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// Whether a character may stand in text, which ends up in file names, tables and pictures: XML has no place for the others.
fn is_printable(character: char) -> bool {
    !character.is_control() && !matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// The variant that a table names: its only key, or, as tables are merged, the only one that was laid on top of the others.
fn on_top(entries: &BTreeMap<String, Node>) -> Option<Entries<'_>> {
    let weight = |node: &Node| node.origin.place.weight();
    let most = entries.values().map(weight).max()?;
    let mut top = entries.range::<String, _>(..).filter(|(_, node)| weight(node) == most);
    let (key, _) = top.next()?;
    top.next().is_none().then(|| Entries { rest: entries.range::<String, _>(key..=key), current: None })
}

/// The elements of a list; each index becomes part of the key of a problem below it.
struct Elements<'de> {
    rest: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Problem;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Problem> {
        match self.rest.next() {
            Some((index, node)) => seed.deserialize(node).map(Some).map_err(|problem| problem.at(node).below(index)),
            None => Ok(None),
        }
    }
}

/// The entries of a table; each key becomes part of the key of a problem below it.
struct Entries<'de> {
    rest: btree_map::Range<'de, String, Node>,
    current: Option<(&'de str, &'de Node)>,
}

impl<'de> Entries<'de> {
    fn new(entries: &'de BTreeMap<String, Node>) -> Self {
        Self { rest: entries.range::<String, _>(..), current: None }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        let Some((key, node)) = self.rest.next() else {
            return Ok(None);
        };
        self.current = Some((key, node));
        // An unknown key is noticed here; the place to name is its value's.
        seed.deserialize(StrDeserializer::new(key)).map(Some).map_err(|problem: Problem| problem.at(node))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Problem> {
        match self.current.take() {
            Some((key, node)) => seed.deserialize(node).map_err(|problem| problem.at(node).below(key)),
            None => Err(de::Error::custom("a value asked for before its key")),
        }
    }
}
