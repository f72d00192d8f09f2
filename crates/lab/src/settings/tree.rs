//! Settings as a tree of values that each know where they were written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use toml_edit::{Document, Item, TableLike, Value};

use super::SettingsError;
use crate::echo::Echo;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The settings file.
    pub file: Arc<Path>,
    /// Where in it, or what overrides it.
    pub place: Location,
}

/// A place in or on top of a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// The file as a whole.
    File,
    /// A line, counted from 1, and the profile whose table it is in.
    Line(usize, Option<Arc<str>>),
    /// A command line option, as it would be typed: `--set rank=3`.
    Option(Arc<str>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match &self.place {
            Location::File => write!(f, "{file}"),
            Location::Line(line, None) => write!(f, "{file}:{line}"),
            Location::Line(line, Some(profile)) => write!(f, "{file}:{line} [profiles.{profile}]"),
            Location::Option(option) => write!(f, "{file} with {}", Echo(option)),
        }
    }
}

impl Location {
    /// How much what was written there counts: the file's own values least, then profiles, then the command line.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::File | Self::Line(_, None) => 0,
            Self::Line(_, Some(_)) => 1,
            Self::Option(_) => 2,
        }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) origin: Origin,
}

/// A TOML value.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Table(BTreeMap<String, Node>),
    List(Vec<Node>),
    Text(String),
    Whole(i64),
    Number(f64),
    Flag(bool),
    Date(String),
    /// No value, which TOML does not have: it stands where a key is missing.
    Nothing,
}

/// A single TOML value, as on the right of `=`; `None` if `text` is not one. Its origins mean nothing yet.
pub(crate) fn parse_value(text: &str) -> Option<Content> {
    let value: Value = text.parse().ok()?;
    let source = Source::new(&Path::new("").into(), text);
    Some(source.value(&value, source.at_line(1)).content)
}

impl Node {
    /// Parses a settings file's text.
    pub(crate) fn parse(file: &Arc<Path>, text: &str) -> Result<Self, SettingsError> {
        let source = Source::new(file, text);
        match Document::parse(text) {
            Ok(document) => Ok(source.table(document.as_table(), source.at_line(1))),
            Err(error) => {
                let line = source.line(error.span().map_or(0, |span| span.start));
                Err(SettingsError::Syntax {
                    path: file.to_path_buf(),
                    line,
                    message: source.why(&error),
                    text: text.lines().nth(line - 1).unwrap_or_default().trim().to_owned(),
                })
            }
        }
    }

    /// Lays `over` on top: tables are merged key by key, everything else is replaced.
    pub(crate) fn merge(&mut self, over: Node) {
        match (&mut self.content, over) {
            (Content::Table(base), Node { content: Content::Table(entries), origin }) => {
                self.origin = origin;
                for (key, value) in entries {
                    match base.get_mut(&key) {
                        Some(node) => node.merge(value),
                        None => {
                            base.insert(key, value);
                        }
                    }
                }
            }
            (_, over) => *self = over,
        }
    }

    /// Lays `value` on top of what is at a dotted key, as [`merge`](Self::merge) does; a number names an element of a list.
    /// Tables on the way are made.
    pub(crate) fn set(&mut self, path: &[&str], value: Node) {
        let Some((first, rest)) = path.split_first() else {
            return self.merge(value);
        };
        if let (Content::List(elements), Ok(index)) = (&mut self.content, first.parse::<usize>())
            && let Some(element) = elements.get_mut(index)
        {
            return element.set(rest, value);
        }
        if matches!(self.content, Content::Table(_)) {
            self.origin = value.origin.clone();
        } else {
            *self = Node { content: Content::Table(BTreeMap::new()), origin: value.origin.clone() };
        }
        if let Content::Table(entries) = &mut self.content {
            let empty = Node { content: Content::Table(BTreeMap::new()), origin: value.origin.clone() };
            entries.entry((*first).to_owned()).or_insert(empty).set(rest, value);
        }
    }

    /// The first list on the way to a dotted key that lacks the element named: how many parts lead to the list, and its
    /// length.
    pub(crate) fn short_list(&self, path: &[&str]) -> Option<(usize, usize)> {
        let mut node = self;
        for (depth, part) in path.iter().enumerate() {
            node = match &node.content {
                Content::Table(entries) => entries.get(*part)?,
                Content::List(elements) => match part.parse::<usize>().ok().and_then(|index| elements.get(index)) {
                    Some(element) => element,
                    None => return Some((depth, elements.len())),
                },
                _ => return None,
            };
        }
        None
    }

    /// The node at a dotted key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        key.split('.').try_fold(self, |node, part| match &node.content {
            Content::Table(entries) => entries.get(part),
            Content::List(elements) => elements.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Gives this node and all below another origin.
    pub(crate) fn relocate(&mut self, origin: &Origin) {
        self.origin = origin.clone();
        match &mut self.content {
            Content::Table(entries) => entries.values_mut().for_each(|node| node.relocate(origin)),
            Content::List(elements) => elements.iter_mut().for_each(|node| node.relocate(origin)),
            _ => {}
        }
    }

    /// Notes on this node and all below that they are in a profile's table.
    pub(crate) fn assign_profile(&mut self, profile: &Arc<str>) {
        if let Location::Line(_, owner) = &mut self.origin.place {
            *owner = Some(profile.clone());
        }
        match &mut self.content {
            Content::Table(entries) => entries.values_mut().for_each(|node| node.assign_profile(profile)),
            Content::List(elements) => elements.iter_mut().for_each(|node| node.assign_profile(profile)),
            _ => {}
        }
    }
}

impl fmt::Display for Content {
    /// The value as TOML; of tables and long lists only what they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(_) => f.write_str("a table"),
            Self::List(elements) if elements.len() > 8 => {
                write!(f, "a list of {} elements", elements.len())
            }
            Self::List(elements) => {
                let elements: Vec<_> = elements.iter().map(|node| node.content.to_string()).collect();
                write!(f, "[{}]", elements.join(", "))
            }
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Whole(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value:?}"),
            Self::Flag(value) => write!(f, "{value}"),
            Self::Date(value) => f.write_str(value),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// A file's text, for turning byte positions into lines.
struct Source<'a> {
    file: Arc<Path>,
    text: &'a str,
    /// Where the lines end, ascending.
    ends: Vec<usize>,
}

impl<'a> Source<'a> {
    fn new(file: &Arc<Path>, text: &'a str) -> Self {
        Self { file: file.clone(), text, ends: text.match_indices('\n').map(|(at, _)| at).collect() }
    }

    fn line(&self, position: usize) -> usize {
        1 + self.ends.partition_point(|&end| end < position)
    }

    /// What the parser said, on one line.
    fn why(&self, error: &toml_edit::TomlError) -> String {
        if self.ends.is_empty() && self.text.contains('\r') {
            return "its lines end in carriage returns alone; save it with line feeds".to_owned();
        }
        error.message().replace('\n', "; ")
    }

    fn at_line(&self, line: usize) -> Origin {
        Origin { file: self.file.clone(), place: Location::Line(line, None) }
    }

    fn table(&self, table: &dyn TableLike, origin: Origin) -> Node {
        let mut entries = BTreeMap::new();
        for (key, item) in table.iter() {
            let position = table.key(key).and_then(|key| key.span()).or_else(|| item.span());
            let here = position.map_or_else(|| origin.clone(), |span| self.at_line(self.line(span.start)));
            entries.insert(key.to_owned(), self.item(item, here));
        }
        Node { content: Content::Table(entries), origin }
    }

    fn item(&self, item: &Item, origin: Origin) -> Node {
        match item {
            Item::None => Node { content: Content::Table(BTreeMap::new()), origin },
            Item::Value(value) => self.value(value, origin),
            Item::Table(table) => self.table(table, origin),
            Item::ArrayOfTables(tables) => {
                let element = |table: &toml_edit::Table| {
                    let here = table.span().map_or_else(|| origin.clone(), |span| self.at_line(self.line(span.start)));
                    self.table(table, here)
                };
                Node { content: Content::List(tables.iter().map(element).collect()), origin }
            }
        }
    }

    fn value(&self, value: &Value, origin: Origin) -> Node {
        let content = match value {
            Value::String(text) => Content::Text(text.value().clone()),
            Value::Integer(value) => Content::Whole(*value.value()),
            Value::Float(value) => Content::Number(*value.value()),
            Value::Boolean(value) => Content::Flag(*value.value()),
            Value::Datetime(value) => Content::Date(value.value().to_string()),
            Value::InlineTable(table) => return self.table(table, origin),
            Value::Array(array) => Content::List(array.iter().map(|value| self.element(value, &origin)).collect()),
        };
        Node { content, origin }
    }

    fn element(&self, value: &Value, list: &Origin) -> Node {
        let here = value.span().map_or_else(|| list.clone(), |span| self.at_line(self.line(span.start)));
        self.value(value, here)
    }
}
