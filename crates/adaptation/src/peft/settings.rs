//! `adapter_config.json`: ranks, scalings and targets.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;
use sources::excerpt;

use super::keys::Keys;
use super::targets::{Layers, Matching, Pattern, Place, Targets};
use super::{ImportError, Names};
use crate::model_error::ModelError;
use crate::model_files as files;

/// What a configuration says of ranks, scalings and targets.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) path: PathBuf,
    /// `target_modules`, for messages.
    pub(super) shown: String,
    pub(super) targets: Targets,
    /// `ensure_weight_tying`.
    pub(super) ensures_tying: bool,
    /// What bears on training only, a sentence each.
    pub(super) warnings: Vec<String>,
    rank: usize,
    alpha: f64,
    by_root: bool,
    ranks: Vec<(Pattern, usize)>,
    alphas: Vec<(Pattern, f64)>,
}

impl Settings {
    /// Reads a configuration; `names` has the default targets.
    pub(super) fn read(path: &Path, names: Names) -> Result<Self, ImportError> {
        let keys = Keys { path, keys: files::object(path)? };
        keys.check()?;
        let targets = keys.targets(names)?;
        let patterns: Patterns = keys.ordered()?;
        let ranks = keys.patterns("rank_pattern", patterns.rank_pattern, |value| rank(value).ok_or(RANK))?;
        let alphas = keys.patterns("alpha_pattern", patterns.alpha_pattern, |value| alpha(value).ok_or(ALPHA))?;
        Ok(Self {
            path: path.to_owned(),
            shown: keys.keys.get("target_modules").map_or("null".to_owned(), |value| excerpt(&value.to_string())),
            targets,
            ensures_tying: keys.switch("ensure_weight_tying")?,
            warnings: keys.warnings()?,
            rank: keys.number("r", RANK, 8, rank)?,
            alpha: keys.number("lora_alpha", ALPHA, 8.0, alpha)?,
            by_root: keys.switch("use_rslora")?,
            ranks,
            alphas,
        })
    }

    /// The rank of a module, and its scaling `α / r`, or `α / √r` where it is rank-stabilized.
    pub(super) fn rank_and_scale(&self, module: &str) -> Result<(usize, f64), ImportError> {
        let rank = first(&self.ranks, module)?.unwrap_or(self.rank);
        let alpha = first(&self.alphas, module)?.unwrap_or(self.alpha);
        let divisor = if self.by_root { (rank as f64).sqrt() } else { rank as f64 };
        Ok((rank, alpha / divisor))
    }
}

/// The value of the first pattern that matches.
fn first<V: Copy>(patterns: &[(Pattern, V)], module: &str) -> Result<Option<V>, ImportError> {
    for (pattern, value) in patterns {
        if pattern.matches(module)? {
            return Ok(Some(*value));
        }
    }
    Ok(None)
}

const RANK: &str = "an integer from 1";
const ALPHA: &str = "a finite number of single precision";

fn rank(value: &Value) -> Option<usize> {
    value.as_u64().filter(|&rank| rank >= 1).and_then(|rank| rank.try_into().ok())
}

fn alpha(value: &Value) -> Option<f64> {
    value.as_f64().filter(|&alpha| (alpha as f32).is_finite())
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|entry| entry.as_str().map(str::to_owned)).collect()
}

impl Keys<'_> {
    /// `target_modules`, `exclude_modules`, `layers_to_transform` and `layers_pattern`.
    fn targets(&self, names: Names) -> Result<Targets, ImportError> {
        let defaults = names.default_targets().map(|list| Matching::List(list.map(str::to_owned).to_vec()));
        let modules = match self.matching("target_modules")? {
            Some(Matching::Pattern(_)) if self.is_all_linear() => Matching::AllLinear,
            Some(modules) => modules,
            None => defaults.ok_or_else(|| self.refused("target_modules", "a list or a regular expression"))?,
        };
        let allowed = "null, an integer from 0 or a list of them";
        let indices = self.value("layers_to_transform", allowed, Some(Vec::new()), |value| match value {
            Value::Array(list) => list.iter().map(Value::as_u64).collect(),
            other => other.as_u64().map(|index| vec![index]),
        })?;
        let one = |value: &Value| value.as_str().map(|text| vec![text.to_owned()]);
        let patterns = self.value("layers_pattern", "null, a text or a list of texts", Some(Vec::new()), |value| {
            texts(value).or_else(|| one(value)).map(|list| list.into_iter().filter(|text| !text.is_empty()).collect())
        })?;
        let is_list = matches!(modules, Matching::List(_));
        if !indices.is_empty() && !is_list {
            return Err(self.refused("layers_to_transform", "null where target_modules is no list, as in PEFT"));
        }
        if !patterns.is_empty() && indices.is_empty() {
            return Err(self.refused("layers_pattern", "null without layers_to_transform, as in PEFT"));
        }
        let layers = (!indices.is_empty()).then(|| Layers::new(self.path, indices, &patterns)).transpose()?;
        Ok(Targets { modules, excluded: self.matching("exclude_modules")?, layers })
    }

    fn is_all_linear(&self) -> bool {
        self.keys["target_modules"].as_str().is_some_and(|text| text.eq_ignore_ascii_case("all-linear"))
    }

    /// A list of names, or a regular expression; `None` if it is null.
    fn matching(&self, key: &'static str) -> Result<Option<Matching>, ImportError> {
        match self.keys.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(Matching::Pattern(Pattern::full(self.place(key), text)?))),
            Some(value) => {
                let list = texts(value).ok_or_else(|| self.refused(key, "a list of texts, or a regular expression"))?;
                Ok(Some(Matching::List(list)))
            }
        }
    }

    fn place(&self, key: &'static str) -> Place<'_> {
        Place { path: self.path, key }
    }

    fn ordered(&self) -> Result<Patterns, ImportError> {
        let failed = |reason| ModelError::Json { path: self.path.to_owned(), reason };
        Ok(serde_json::from_str(&files::text(self.path)?).map_err(failed)?)
    }

    fn patterns<V>(
        &self,
        key: &'static str,
        pairs: Option<Pairs>,
        read: impl Fn(&Value) -> Result<V, &'static str>,
    ) -> Result<Vec<(Pattern, V)>, ImportError> {
        let of = |(pattern, value): (String, Value)| {
            let value = read(&value).map_err(|allowed| {
                let (path, key) = (self.path.to_owned(), format!("{key}.{}", excerpt(&pattern)));
                ModelError::Setting { path, key, found: excerpt(&value.to_string()), allowed: allowed.to_owned() }
            })?;
            Ok((Pattern::end(self.place(key), &pattern)?, value))
        };
        pairs.map_or(Vec::new(), |pairs| pairs.0).into_iter().map(of).collect()
    }
}

/// The patterns once more, in the order of the file: the first that matches counts.
#[derive(Deserialize)]
struct Patterns {
    rank_pattern: Option<Pairs>,
    alpha_pattern: Option<Pairs>,
}

/// An object in the order of its keys.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object of patterns and numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs: Vec<(String, Value)> = Vec::new();
                while let Some((key, value)) = map.next_entry()? {
                    // A key that is there twice has its first place and its last value, as in Python.
                    match pairs.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, known)) => *known = value,
                        None => pairs.push((key, value)),
                    }
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}
