//! The columns of a row struct, known without a row: those that its deserialization asks for.

use std::fmt;

use serde::de::{self, DeserializeOwned, Visitor};

/// The names of the fields of `R`, in order; `None` if it is no struct.
pub(crate) fn of<R: DeserializeOwned>() -> Option<&'static [&'static str]> {
    match R::deserialize(Asked) {
        Err(Answer::Fields(fields)) => Some(fields),
        _ => None,
    }
}

/// Has nothing to deserialize: it answers with the fields it is asked for.
struct Asked;

impl<'de> de::Deserializer<'de> for Asked {
    type Error = Answer;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer::Fields(fields))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Answer> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer::NoStruct)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map enum identifier ignored_any
    }
}

/// What was asked for, on the way that errors take.
#[derive(Debug)]
enum Answer {
    Fields(&'static [&'static str]),
    NoStruct,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Answer {}

impl de::Error for Answer {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::NoStruct
    }
}
