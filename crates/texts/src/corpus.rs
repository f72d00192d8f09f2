//! Generated texts, each beside its references.

/// Texts to be scored, each with the references it is compared with. There is at least one text, and each has at least one
/// reference.
#[derive(Clone, Debug)]
pub struct Corpus<'a> {
    items: Vec<(&'a str, Vec<&'a str>)>,
}

/// Why texts and references are no [`Corpus`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorpusError {
    /// There is nothing to score.
    #[error("there are no texts to score")]
    Empty,
    /// Not every text has its references.
    #[error("{texts} texts to score, but references for {references}")]
    Lengths {
        /// Number of texts.
        texts: usize,
        /// Number of lists of references.
        references: usize,
    },
    /// A text has nothing to be compared with.
    #[error("text {text} (from 1) has no reference")]
    NoReference {
        /// Which, from 1.
        text: usize,
    },
}

impl<'a> Corpus<'a> {
    /// Puts `texts[i]` beside `references[i]`; these may be of different number for each text.
    pub fn new<T: AsRef<str>, R: AsRef<str>>(texts: &'a [T], references: &'a [Vec<R>]) -> Result<Self, CorpusError> {
        if texts.len() != references.len() {
            return Err(CorpusError::Lengths { texts: texts.len(), references: references.len() });
        }
        if texts.is_empty() {
            return Err(CorpusError::Empty);
        }
        if let Some(bare) = references.iter().position(Vec::is_empty) {
            return Err(CorpusError::NoReference { text: bare + 1 });
        }
        let beside =
            |(text, references): (&'a T, &'a Vec<R>)| (text.as_ref(), references.iter().map(AsRef::as_ref).collect());
        Ok(Self { items: texts.iter().zip(references).map(beside).collect() })
    }

    /// Each text with its references.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &[&'a str])> {
        self.items.iter().map(|(text, references)| (*text, references.as_slice()))
    }
}
