//! The embedding of a vocabulary and the head over it: where they are tied, one weight that is held once.

use std::sync::Arc;

use faer::{Mat, MatRef};

use crate::Real;
use crate::kernels::columns::column;
use crate::kernels::product::Packed;

/// Embedding and head. A clone shares the weights.
#[derive(Clone, Debug)]
pub(crate) struct Vocabulary<T: Real> {
    /// hidden × vocabulary: a token is a column. `None` where it is the head.
    embedding: Option<Arc<Mat<T>>>,
    /// vocabulary × hidden.
    head: Arc<Packed<T>>,
}

impl<T: Real> Vocabulary<T> {
    /// Of an embedding, hidden × vocabulary, and the head; without one they are tied.
    pub(crate) fn new(embedding: Mat<T>, head: Option<Packed<T>>) -> Self {
        match head {
            Some(head) => Self { embedding: Some(Arc::new(embedding)), head: Arc::new(head) },
            None => Self { embedding: None, head: Arc::new(Packed::new(embedding.transpose())) },
        }
    }

    /// The head, vocabulary × hidden.
    pub(crate) fn head(&self) -> &Packed<T> {
        &self.head
    }

    /// The head as it lies in products on the way back, hidden × vocabulary.
    pub(crate) fn transposed_head(&self) -> Mat<T> {
        let (vocabulary, hidden) = self.head.shape();
        let mut transposed = Mat::zeros(hidden, vocabulary);
        self.head.copy_to(transposed.transpose_mut());
        transposed
    }

    /// The embedding, vocabulary × hidden.
    pub(crate) fn embedding(&self) -> Mat<T> {
        self.embedding.as_ref().map_or_else(|| self.head.to_matrix(), |embedding| embedding.transpose().to_owned())
    }

    /// Copies what a token's hidden state starts from.
    pub(crate) fn copy_token(&self, token: usize, state: &mut [T]) {
        match &self.embedding {
            Some(embedding) => state.copy_from_slice(column(embedding.as_ref().as_ref(), token)),
            None => self.head.copy_row(token, state),
        }
    }

    /// The same with two weights, equal ones, in place of a tied one.
    pub(crate) fn untied(&self) -> Self {
        let embedding = self.embedding.clone().unwrap_or_else(|| Arc::new(self.transposed_head()));
        Self { embedding: Some(embedding), head: self.head.clone() }
    }

    /// Adds a `ΔW` to the embedding, vocabulary × hidden; to both of tied ones.
    pub(crate) fn add_to_embedding(&mut self, delta: MatRef<'_, T>) {
        match &mut self.embedding {
            Some(embedding) => *Arc::make_mut(embedding) += delta.transpose(),
            None => self.add_to_head(delta),
        }
    }

    /// Adds a `ΔW` to the head, vocabulary × hidden; to both of tied ones.
    pub(crate) fn add_to_head(&mut self, delta: MatRef<'_, T>) {
        Arc::make_mut(&mut self.head).add(delta);
    }
}

#[cfg(test)]
mod tests {
    use dynamics::random::{gaussian, stream};

    use super::*;

    /// Looked up, as the embedding and as the head, tied or not; also after a `ΔW` on one of them.
    #[test]
    fn both_are_what_they_were_made_of() {
        let draw = |label| gaussian(101, 7, &mut stream(1, &["vocabulary", label]));
        let (embedding, head, delta) = (draw("embedding"), draw("head"), draw("delta"));
        let own = Vocabulary::new(embedding.transpose().to_owned(), Some(Packed::new(head.as_ref())));
        let tied = Vocabulary::new(embedding.transpose().to_owned(), None);
        for (vocabulary, head) in [(&own, &head), (&tied, &embedding), (&tied.untied(), &embedding)] {
            check(vocabulary, &embedding, head);
            let (mut with_embedding, mut with_head) = (vocabulary.clone(), vocabulary.clone());
            with_embedding.add_to_embedding(delta.as_ref());
            with_head.add_to_head(delta.as_ref());
            let is_tied = vocabulary.embedding.is_none();
            check(&with_embedding, &(&embedding + &delta), &if is_tied { &embedding + &delta } else { head.clone() });
            check(&with_head, &if is_tied { &embedding + &delta } else { embedding.clone() }, &(head + &delta));
        }
    }

    fn check(vocabulary: &Vocabulary<f64>, embedding: &Mat<f64>, head: &Mat<f64>) {
        assert_eq!((&vocabulary.embedding(), &vocabulary.head().to_matrix()), (embedding, head));
        assert_eq!(vocabulary.transposed_head().transpose().to_owned(), *head);
        let mut state = vec![0.0; 7];
        vocabulary.copy_token(100, &mut state);
        assert_eq!(state, embedding.row(100).iter().copied().collect::<Vec<_>>());
    }
}
