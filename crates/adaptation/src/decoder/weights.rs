//! The frozen weights of a decoder, and how they are built from files.

use std::convert::Infallible;
use std::sync::Arc;

use faer::{Mat, MatRef};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::{DecoderConfig, Weight};
use crate::kernels::product::Packed;
use crate::parts::vocabulary::Vocabulary;
use crate::{Adapters, Real, Site};

/// The sites of a layer.
pub(super) const LAYER_SITES: [fn(usize) -> Site; 7] =
    [Site::Query, Site::Key, Site::Value, Site::AttentionOutput, Site::Gate, Site::Up, Site::Down];

/// A frozen decoder. A clone shares the weights.
#[derive(Clone, Debug)]
pub struct Decoder<T: Real> {
    config: DecoderConfig,
    pub(super) vocabulary: Vocabulary<T>,
    pub(super) layers: Arc<[Layer<T>]>,
    pub(super) norm: Arc<[T]>,
}

/// One layer; matrices are outputs × inputs, as in [`Weight`].
#[derive(Clone, Debug)]
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

    /// The packed weight of a site, a layer's or the head's.
    ///
    /// # Panics
    /// If the decoder has none.
    pub(super) fn packed(&self, site: Site) -> &Packed<T> {
        match site {
            Site::Query(l) => &self.layers[l].query,
            Site::Key(l) => &self.layers[l].key,
            Site::Value(l) => &self.layers[l].value,
            Site::AttentionOutput(l) => &self.layers[l].attention_output,
            Site::Gate(l) => &self.layers[l].gate,
            Site::Up(l) => &self.layers[l].up,
            Site::Down(l) => &self.layers[l].down,
            Site::TiedEmbedding | Site::Head => self.vocabulary.head(),
            _ => panic!("a decoder has no packed {}", site.name()),
        }
    }

    /// A frozen weight, in the shape of [`DecoderConfig::shape`].
    ///
    /// # Panics
    /// If the decoder has none.
    pub fn weight(&self, site: Site) -> Mat<T> {
        match site {
            Site::WordEmbeddings | Site::TiedEmbedding => self.vocabulary.embedding(),
            _ => self.packed(site).to_matrix(),
        }
    }

    /// The same decoder with two weights, equal ones, in place of a tied one: embedding and head can be adapted each by itself then.
    /// Another one is left as it is. All weights but the embedding are shared.
    pub fn untied(&self) -> Self {
        let config = DecoderConfig { tied: false, ..self.config.clone() };
        Self { config, vocabulary: self.vocabulary.untied(), ..self.clone() }
    }

    /// The same decoder with every adapter's `ΔW` added to its weight: what texts are written with after fine-tuning.
    ///
    /// # Panics
    /// If an adapter is on a weight that the decoder does not have.
    pub fn with(&self, adapters: &Adapters<T>) -> Self {
        let (mut vocabulary, mut layers) = (self.vocabulary.clone(), self.layers.to_vec());
        for site in adapters.sites() {
            let delta = adapters.delta(site).expect("an adapter");
            let packed = match site {
                Site::Query(l) => &mut layers[l].query,
                Site::Key(l) => &mut layers[l].key,
                Site::Value(l) => &mut layers[l].value,
                Site::AttentionOutput(l) => &mut layers[l].attention_output,
                Site::Gate(l) => &mut layers[l].gate,
                Site::Up(l) => &mut layers[l].up,
                Site::Down(l) => &mut layers[l].down,
                _ if site == self.config.embedding() => {
                    vocabulary.add_to_embedding(delta.as_ref());
                    continue;
                }
                _ if site == self.config.head() => {
                    vocabulary.add_to_head(delta.as_ref());
                    continue;
                }
                _ => panic!("the decoder has no {} to adapt", site.name()),
            };
            packed.add(delta.as_ref());
        }
        Self { vocabulary, layers: layers.into(), ..self.clone() }
    }

    /// A random decoder, for tests: matrices normal with this standard deviation, RMSNorm weights around 1.
    pub fn random(config: DecoderConfig, deviation: f64, rng: &mut impl Rng) -> Self {
        let sizes = config.clone();
        let built: Result<_, Infallible> = Self::build(config, |weight| {
            let (rows, columns) = weight.shape(&sizes);
            let mean = f64::from(u8::from(weight.is_norm()));
            let draw = || (mean + deviation * rng.sample::<f64, _>(StandardNormal)) as f32;
            Ok(std::iter::repeat_with(draw).take(rows * columns).collect())
        });
        match built {
            Ok(decoder) => decoder,
            Err(never) => match never {},
        }
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
        let head = if config.tied { None } else { Some(packed(list(Weight::Head)?, Weight::Head)) };
        let norm = list(Weight::LastNorm)?.into();
        Ok(Self { config, vocabulary: Vocabulary::new(embedding, head), layers: layers.into(), norm })
    }
}
