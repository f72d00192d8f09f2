//! The frozen weights of a decoder, and how they are built from files.

use std::sync::Arc;

use faer::{Mat, MatRef};

use super::{DecoderConfig, Weight};
use crate::Real;
use crate::kernels::product::Packed;

/// A frozen decoder. A clone shares the weights.
#[derive(Clone, Debug)]
pub struct Decoder<T: Real> {
    config: DecoderConfig,
    /// hidden × vocabulary: a token is a column.
    pub(super) embedding: Arc<Mat<T>>,
    pub(super) layers: Arc<[Layer<T>]>,
    pub(super) norm: Arc<[T]>,
    /// vocabulary × hidden.
    pub(super) head: Arc<Packed<T>>,
}

/// One layer; matrices are outputs × inputs, as in [`Weight`].
#[derive(Debug)]
pub(super) struct Layer<T: Real> {
    pub(super) attention_norm: Vec<T>,
    pub(super) query: Packed<T>,
    pub(super) key: Packed<T>,
    pub(super) value: Packed<T>,
    pub(super) attention_output: Packed<T>,
    pub(super) feed_forward_norm: Vec<T>,
    pub(super) gate: Packed<T>,
    pub(super) up: Packed<T>,
    pub(super) down: Packed<T>,
}

impl<T: Real> Decoder<T> {
    /// Its sizes.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// A decoder whose weights `read` gives, row after row. The head is asked for only of a decoder that is not tied.
    pub(super) fn build<E>(
        config: DecoderConfig,
        mut read: impl FnMut(Weight) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let mut list = |weight: Weight| -> Result<Vec<T>, E> {
            let numbers = read(weight)?;
            Ok(numbers.into_iter().map(|x| T::of(x.into())).collect())
        };
        // As it lies in the file: inputs × outputs.
        let transposed = |numbers: &[T], weight: Weight| -> Mat<T> {
            let (rows, columns) = weight.shape(&config);
            MatRef::from_column_major_slice(numbers, columns, rows).to_owned()
        };
        let packed = |numbers: Vec<T>, weight: Weight| Packed::new(transposed(&numbers, weight).transpose());
        let mut layers = Vec::new();
        for l in 0..config.layers {
            let mut matrix = |weight: fn(usize) -> Weight| Ok(packed(list(weight(l))?, weight(l)));
            layers.push(Layer {
                query: matrix(Weight::Query)?,
                key: matrix(Weight::Key)?,
                value: matrix(Weight::Value)?,
                attention_output: matrix(Weight::AttentionOutput)?,
                gate: matrix(Weight::Gate)?,
                up: matrix(Weight::Up)?,
                down: matrix(Weight::Down)?,
                attention_norm: list(Weight::AttentionNorm(l))?,
                feed_forward_norm: list(Weight::FeedForwardNorm(l))?,
            });
        }
        let embedding = transposed(&list(Weight::Embedding)?, Weight::Embedding);
        let head =
            if config.tied { Packed::new(embedding.transpose()) } else { packed(list(Weight::Head)?, Weight::Head) };
        let norm = list(Weight::LastNorm)?.into();
        Ok(Self { config, embedding: Arc::new(embedding), layers: layers.into(), norm, head: Arc::new(head) })
    }
}
