//! Which modules a configuration means, by PEFT's rules.

use std::path::{Path, PathBuf};

use fancy_regex::Regex;
use sources::excerpt;

use super::ImportError;
use crate::Site;

/// What a pattern belongs to, for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    pub(super) key: &'static str,
}

/// A regular expression of Python's kind.
///
/// It is fancy-regex's: PEFT's users write patterns that look ahead (`(?!.*vision).*q_proj`), which the crate regex refuses.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    key: &'static str,
    path: PathBuf,
}

impl Pattern {
    /// A regular expression, of a setting that has `shown` in it.
    fn new(place: Place<'_>, regex: &str, shown: &str) -> Result<Self, ImportError> {
        let (path, key) = (place.path.to_owned(), place.key);
        match Regex::new(regex) {
            Ok(regex) => Ok(Self { regex, key, path }),
            Err(error) => {
                let what = format!("is no regular expression: {error}");
                Err(ImportError::Pattern { path, key: key.to_owned(), pattern: excerpt(shown), what })
            }
        }
    }

    /// Python's `re.fullmatch`.
    pub(super) fn full(place: Place<'_>, pattern: &str) -> Result<Self, ImportError> {
        Self::new(place, &format!(r"\A(?:{pattern})\z"), pattern)
    }

    /// As PEFT matches a key of `rank_pattern` or `alpha_pattern`: whole names, or ends of names behind a dot.
    pub(super) fn end(place: Place<'_>, pattern: &str) -> Result<Self, ImportError> {
        Self::new(place, &format!(r"\A(.*\.)?({pattern})\z"), pattern)
    }

    pub(super) fn matches(&self, name: &str) -> Result<bool, ImportError> {
        self.regex.is_match(name).map_err(|error| self.failed(error))
    }

    /// The number that a match at the start of a name has in its group `idx`; `None` if nothing matches.
    fn index(&self, name: &str) -> Result<Option<u64>, ImportError> {
        let captures = self.regex.captures(name).map_err(|error| self.failed(error))?;
        Ok(captures.and_then(|captures| captures.name("idx")?.as_str().parse().ok()))
    }

    fn failed(&self, error: fancy_regex::Error) -> ImportError {
        let (path, key, pattern) = (self.path.clone(), self.key.to_owned(), excerpt(self.regex.as_str()));
        ImportError::Pattern { path, key, pattern, what: format!("cannot be matched: {error}") }
    }
}

/// Names of modules.
#[derive(Debug)]
pub(super) enum Matching {
    /// Those that are in a list, or end with one of it behind a dot.
    List(Vec<String>),
    /// Those that a regular expression matches as a whole.
    Pattern(Pattern),
    /// All dense layers but a head (`all-linear`).
    AllLinear,
}

impl Matching {
    fn matches(&self, name: &str, is_table: bool) -> Result<bool, ImportError> {
        match self {
            Self::List(list) => Ok(list.iter().any(|entry| is_end(name, entry))),
            Self::Pattern(pattern) => pattern.matches(name),
            Self::AllLinear => Ok(!is_table && name != Site::Head.name()),
        }
    }
}

/// Whether a name is this, or ends with it behind a dot.
fn is_end(name: &str, end: &str) -> bool {
    name == end || name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'))
}

/// The layers that a list of targets is restricted to. A name that is in the list as a whole is not restricted.
#[derive(Debug)]
pub(super) struct Layers {
    indices: Vec<u64>,
    /// The first that matches has the index of a name's layer.
    patterns: Vec<Pattern>,
}

impl Layers {
    /// `layers_to_transform` with `layers_pattern`.
    pub(super) fn new(path: &Path, indices: Vec<u64>, patterns: &[String]) -> Result<Self, ImportError> {
        let place = Place { path, key: "layers_pattern" };
        let patterns = if patterns.is_empty() {
            vec![Pattern::new(place, r"\A.*?\.[^.]*\.(?P<idx>\d+)\.", "")?]
        } else {
            let of =
                |pattern: &String| Pattern::new(place, &format!(r"\A(?:|.*?\.){pattern}\.(?P<idx>\d+)\."), pattern);
            patterns.iter().map(of).collect::<Result<_, _>>()?
        };
        Ok(Self { indices, patterns })
    }

    fn matches(&self, name: &str) -> Result<bool, ImportError> {
        for pattern in &self.patterns {
            if let Some(index) = pattern.index(name)? {
                return Ok(self.indices.contains(&index));
            }
        }
        Ok(false)
    }
}

/// `target_modules` and what restricts them.
#[derive(Debug)]
pub(super) struct Targets {
    pub(super) modules: Matching,
    pub(super) excluded: Option<Matching>,
    pub(super) layers: Option<Layers>,
}

/// The names by which PEFT recognises embedding and head.
const EMBEDDINGS: [&str; 2] = ["embed_tokens", "lm_head"];

impl Targets {
    /// Whether the configuration means a module of this name, which looks rows up or multiplies.
    pub(super) fn contain(&self, name: &str, is_table: bool) -> Result<bool, ImportError> {
        if let Some(excluded) = &self.excluded
            && excluded.matches(name, is_table)?
        {
            return Ok(false);
        }
        if !self.modules.matches(name, is_table)? {
            return Ok(false);
        }
        match (&self.layers, &self.modules) {
            (Some(_), Matching::List(list)) if list.iter().any(|entry| entry == name) => Ok(true),
            (Some(layers), _) => layers.matches(name),
            (None, _) => Ok(true),
        }
    }

    /// Whether PEFT sees embedding or head among them when it is to keep the two tied: it looks for the last part of names in a
    /// list, and matches a regular expression with the bare names.
    pub(super) fn name_an_embedding(&self) -> Result<bool, ImportError> {
        match &self.modules {
            Matching::List(list) => {
                let last = |entry: &String| entry.rsplit('.').next().is_some_and(|last| EMBEDDINGS.contains(&last));
                Ok(list.iter().any(last))
            }
            Matching::Pattern(pattern) => Ok(pattern.matches(EMBEDDINGS[0])? || pattern.matches(EMBEDDINGS[1])?),
            Matching::AllLinear => Ok(false),
        }
    }
}
