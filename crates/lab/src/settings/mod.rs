//! Settings: a TOML file, a profile's table and the command line, merged into a typed struct.
//!
//! Later ones win: the file's own values (the paper's) < `[profiles.PROFILE]` < `--seed`, `--trials` < `--set`. Tables
//! are merged key by key, lists are replaced. Every value remembers where it was written, so that each error is one
//! sentence with file, line, key, value and what is allowed.

mod decode;
mod listing;
mod tree;

pub use listing::{Listed, Listing};

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::echo::Echo;
use crate::{Check, Invalid};
use decode::{Kind, Problem};
use tree::{Content, Node};
pub use tree::{Location, Origin};

/// The profile that is the file's own values: the paper's settings.
pub const PAPER: &str = "paper";
/// The profile of a run that names none.
pub const DEFAULT_PROFILE: &str = "quick";

/// Most parts of a dotted key: far more than any settings have.
const DEEPEST: usize = 32;

/// Why settings are not usable.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No such file.
    #[error(
        "{path}: no such file; run from the repository root, or pass --config PATH (reproduce-all: --experiments DIR)"
    )]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file is there but cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path}:{line}: not valid TOML: {}: {}", Echo(message), Echo(text))]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What the parser said.
        message: String,
        /// The line.
        text: String,
    },
    /// The file has no such profile.
    #[error("{path}: there is no profile {}; known: {}", Echo(profile), Echo(known))]
    UnknownProfile {
        /// The file.
        path: PathBuf,
        /// The profile asked for.
        profile: String,
        /// Those there are.
        known: String,
    },
    /// An override is not of the form `key=value`.
    #[error("--set {}: expected key=value with a TOML value or a bare word, as in --set problem.rank=5", Echo(text))]
    Override {
        /// The text after `--set`.
        text: String,
    },
    /// A key the experiment does not have.
    #[error("{origin}: unknown key {}{}; allowed here: {allowed}", Echo(key), nearest.as_ref().map(|n| format!(" (did you mean {n}?)")).unwrap_or_default())]
    UnknownKey {
        /// Where it was written.
        origin: Origin,
        /// Dotted key.
        key: Box<str>,
        /// The allowed keys.
        allowed: Box<str>,
        /// The allowed key most like it.
        nearest: Option<Box<str>>,
    },
    /// A key the experiment needs.
    #[error("{origin}: the key {} is missing; allowed: {allowed}", Echo(key))]
    MissingKey {
        /// The file, or the line of the table that lacks it.
        origin: Origin,
        /// Dotted key.
        key: Box<str>,
        /// What its value may be, in words.
        allowed: Box<str>,
    },
    /// An override of an element that its list does not have.
    #[error("{origin}: there is no {}: the list {} has {length} element{}, counted from 0", Echo(key), Echo(list), if *length == 1 { "" } else { "s" })]
    NoElement {
        /// The command line option.
        origin: Origin,
        /// Dotted key of the element.
        key: Box<str>,
        /// Dotted key of the list.
        list: Box<str>,
        /// Number of elements it has.
        length: usize,
    },
    /// A value of the wrong type or outside what is allowed.
    #[error("{origin}: {invalid}")]
    Invalid {
        /// Where it was written.
        origin: Origin,
        /// Key, value, and what is allowed.
        invalid: Box<Invalid>,
    },
}

impl SettingsError {
    /// If this is about a key that does not exist and that the command line named: the allowed key most like it.
    pub(crate) fn unknown_override(&self) -> Option<Option<Box<str>>> {
        match self {
            Self::UnknownKey { origin: Origin { place: Location::Option(_), .. }, nearest, .. } => {
                Some(nearest.clone())
            }
            _ => None,
        }
    }
}

/// One value given on the command line.
#[derive(Debug, Clone)]
pub struct Override {
    /// As it was typed, with the option: `--set rank=3`.
    pub option: String,
    /// Dotted key.
    pub key: String,
    content: Content,
}

impl Override {
    /// `--set key=value`. The value is a TOML value; what is not one and starts like none is text.
    ///
    /// # Errors
    /// [`SettingsError::Override`] without `=`, with an empty part of the key, or with a broken TOML value.
    pub fn set(text: &str) -> Result<Self, SettingsError> {
        let broken = || SettingsError::Override { text: text.to_owned() };
        let (key, value) = text.split_once('=').ok_or_else(broken)?;
        let (key, value) = (key.trim(), value.trim());
        let parts = key.split('.').count();
        if parts > DEEPEST || key.split('.').any(str::is_empty) || value.is_empty() {
            return Err(broken());
        }
        let content = match tree::parse_value(value) {
            Some(content) => content,
            None if value.starts_with(['[', '{', '"', '\'']) => return Err(broken()),
            None => Content::Text(value.to_owned()),
        };
        Ok(Self { option: format!("--set {text}"), key: key.to_owned(), content })
    }

    /// `--seed value` or `--trials value`.
    pub fn number(key: &str, value: i64) -> Self {
        Self { option: format!("--{key} {value}"), key: key.to_owned(), content: Content::Whole(value) }
    }
}

/// Settings of one experiment, one profile and one command line.
#[derive(Debug, Clone)]
pub struct Resolved<S> {
    /// The checked settings.
    pub settings: S,
    /// The file they came from.
    pub path: PathBuf,
    /// The profile chosen.
    pub profile: String,
    /// The overrides, as they were typed.
    pub overrides: Vec<String>,
    /// Where each value was written.
    tree: Node,
}

impl<S> Resolved<S> {
    /// What to say of a value that turned out not to fit, with the place it was written at.
    pub(crate) fn refuse(&self, invalid: Invalid) -> SettingsError {
        locate(&self.tree, invalid)
    }
}

/// Reads, merges, deserializes and checks settings. Every profile of the file is deserialized, not only `profile`.
///
/// # Errors
/// See [`SettingsError`].
pub fn load<S: DeserializeOwned + Check>(
    path: &Path,
    profile: &str,
    overrides: &[Override],
) -> Result<Resolved<S>, SettingsError> {
    let (base, profiles) = read(path)?;
    decode_at::<S>(&base)?;
    let mut chosen = (profile == PAPER).then(|| base.clone());
    let mut known = vec![PAPER.to_owned()];
    for (name, table) in profiles {
        let mut merged = base.clone();
        merged.merge(table);
        decode_at::<S>(&merged)?;
        if name == profile {
            chosen = Some(merged);
        }
        if name != PAPER {
            known.push(name);
        }
    }
    let mut tree = chosen.ok_or_else(|| SettingsError::UnknownProfile {
        path: path.to_owned(),
        profile: profile.to_owned(),
        known: known.join(", "),
    })?;
    for given in overrides {
        let origin = Origin { file: path.into(), place: Location::Option(given.option.as_str().into()) };
        let mut node = Node { content: given.content.clone(), origin: origin.clone() };
        node.relocate(&origin);
        let parts: Vec<&str> = given.key.split('.').collect();
        if let Some((depth, length)) = tree.short_list(&parts) {
            let (key, list) = (parts[..=depth].join(".").into(), parts[..depth].join(".").into());
            return Err(SettingsError::NoElement { origin, key, list, length });
        }
        tree.set(&parts, node);
    }
    let settings = checked(&tree)?;
    let overrides = overrides.iter().map(|given| given.option.clone()).collect();
    Ok(Resolved { settings, path: path.to_owned(), profile: profile.to_owned(), overrides, tree })
}

/// The settings a table was made with, from the `settings` of its `NAME.meta.toml`.
pub(crate) fn load_stored<S: DeserializeOwned + Check>(path: &Path) -> Result<S, SettingsError> {
    let meta = parse(path)?;
    let missing =
        || SettingsError::MissingKey { origin: whole_file(&meta), key: "settings".into(), allowed: "a table".into() };
    let settings = meta.get("settings").ok_or_else(missing)?;
    match settings.content {
        Content::Table(_) => checked(settings),
        _ => Err(not_a_table("settings", settings)),
    }
}

/// What the settings file at `path` says of its keys.
///
/// # Errors
/// If there is no such file, or it is not TOML.
pub fn list(path: &Path) -> Result<Listing, SettingsError> {
    parse(path)?;
    let text = crate::files::read_to_string(path).unwrap_or_default();
    Ok(Listing::of(&text).unwrap_or(Listing { profiles: Vec::new(), keys: Vec::new() }))
}

fn checked<S: DeserializeOwned + Check>(tree: &Node) -> Result<S, SettingsError> {
    let settings: S = decode_at(tree)?;
    settings.check().map_err(|invalid| locate(tree, invalid))?;
    Ok(settings)
}

fn parse(path: &Path) -> Result<Node, SettingsError> {
    let text = crate::files::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => SettingsError::NotFound { path: path.to_owned() },
        _ => SettingsError::Unreadable { path: path.to_owned(), source },
    })?;
    Node::parse(&path.into(), &text)
}

/// The file's own values and its profiles.
fn read(path: &Path) -> Result<(Node, Vec<(String, Node)>), SettingsError> {
    let mut base = parse(path)?;
    let profiles = match &mut base.content {
        Content::Table(entries) => entries.remove("profiles"),
        _ => None,
    };
    let Some(profiles) = profiles else {
        return Ok((base, Vec::new()));
    };
    let Content::Table(profiles) = profiles.content else {
        return Err(not_a_table("profiles", &profiles));
    };
    let mut list = Vec::new();
    for (name, mut node) in profiles {
        if !matches!(node.content, Content::Table(_)) {
            return Err(not_a_table(&format!("profiles.{name}"), &node));
        }
        node.assign_profile(&name.as_str().into());
        list.push((name, node));
    }
    Ok((base, list))
}

fn not_a_table(key: &str, node: &Node) -> SettingsError {
    let invalid = Invalid::new(key, &node.content, "a table");
    SettingsError::Invalid { origin: node.origin.clone(), invalid: Box::new(invalid) }
}

fn decode_at<S: DeserializeOwned>(tree: &Node) -> Result<S, SettingsError> {
    decode::decode(tree).map_err(|problem| explain::<S>(tree, problem))
}

fn explain<S: DeserializeOwned>(tree: &Node, problem: Problem) -> SettingsError {
    let key = problem.key();
    let origin = problem.origin.clone().unwrap_or_else(|| whole_file(tree));
    match problem.kind {
        Kind::UnknownKey { key: name, allowed } => {
            // What is that long is no slip of the pen, and takes its time to compare.
            let nearest = allowed
                .iter()
                .filter(|_| name.len() < 100)
                .map(|candidate| (strsim::jaro_winkler(&name, candidate), *candidate))
                .filter(|(likeness, _)| *likeness > 0.8)
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .map(|(_, candidate)| candidate.into());
            let nearest = elsewhere(tree, &name, &key).or(nearest);
            let allowed = if allowed.is_empty() { "no key".to_owned() } else { allowed.join(", ") };
            SettingsError::UnknownKey { origin, key: key.into(), allowed: allowed.into(), nearest }
        }
        Kind::MissingKey(_) => {
            let origin = if problem.path.is_empty() { whole_file(tree) } else { origin };
            let allowed = allowed_at::<S>(tree, &key).unwrap_or_else(|| "see --help".into());
            SettingsError::MissingKey { origin, key: key.into(), allowed: allowed.into() }
        }
        Kind::Value { value, allowed } => SettingsError::Invalid {
            origin,
            invalid: Box::new(Invalid { key, value: value.unwrap_or_default(), allowed }),
        },
    }
}

/// Where in the file another table has a key of this name, if just one has: `problem.rank`, for `rank`.
fn elsewhere(tree: &Node, name: &str, unknown: &str) -> Option<Box<str>> {
    fn collect(node: &Node, above: &str, name: &str, found: &mut Vec<String>) {
        let Content::Table(table) = &node.content else { return };
        for (key, below) in table {
            let path = format!("{above}{key}");
            collect(below, &format!("{path}."), name, found);
            if key == name {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(tree, "", name, &mut found);
    found.retain(|path| path != unknown);
    if found.len() == 1 { found.pop().map(Into::into) } else { None }
}

/// What the value of a key that is missing may be, in words: what is said of nothing in its place.
fn allowed_at<S: DeserializeOwned>(tree: &Node, key: &str) -> Option<String> {
    let mut tree = tree.clone();
    let nothing = Node { content: Content::Nothing, origin: tree.origin.clone() };
    tree.set(&key.split('.').collect::<Vec<_>>(), nothing);
    match decode::decode::<S>(&tree).err()? {
        Problem { kind: Kind::Value { allowed, .. }, .. } => Some(allowed),
        _ => None,
    }
}

/// Where a value that a check refuses was written: its own place, else (a default) the file.
fn locate(tree: &Node, invalid: Invalid) -> SettingsError {
    let origin = tree.get(&invalid.key).map_or_else(|| whole_file(tree), |node| node.origin.clone());
    SettingsError::Invalid { origin, invalid: Box::new(invalid) }
}

fn whole_file(tree: &Node) -> Origin {
    Origin { file: tree.origin.file.clone(), place: Location::File }
}

#[cfg(test)]
mod tests;
