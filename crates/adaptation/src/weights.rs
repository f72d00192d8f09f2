//! The frozen weights of an encoder.

use std::sync::Arc;

use faer::{Mat, MatRef};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::config::Config;
use crate::kernels::product::Packed;
use crate::parts::relative_position::{RelativeBias, RelativePositions};
use crate::{Real, Site};

/// A frozen encoder. A clone shares the weights.
#[derive(Clone, Debug)]
pub struct Encoder<T: Real> {
    config: Config,
    pub(crate) embeddings: Arc<Embeddings<T>>,
    /// Of an architecture that has one.
    pub(crate) relative_bias: Option<Arc<RelativeBias<T>>>,
    pub(crate) layers: Arc<[Layer<T>]>,
    pub(crate) pooler: Option<Arc<Linear<T>>>,
}

/// The embeddings; a table's columns are its entries: hidden × entries.
#[derive(Debug)]
pub(crate) struct Embeddings<T: Real> {
    pub(crate) word: Mat<T>,
    pub(crate) position: Mat<T>,
    /// Of an architecture that has them.
    pub(crate) token_type: Option<Mat<T>>,
    pub(crate) norm: LayerNorm<T>,
}

/// One layer.
#[derive(Debug)]
pub(crate) struct Layer<T: Real> {
    pub(crate) query: Linear<T>,
    pub(crate) key: Linear<T>,
    pub(crate) value: Linear<T>,
    pub(crate) attention_output: Linear<T>,
    pub(crate) attention_norm: LayerNorm<T>,
    pub(crate) intermediate: Linear<T>,
    pub(crate) output: Linear<T>,
    pub(crate) output_norm: LayerNorm<T>,
}

/// A dense layer, `y = W x + b`.
#[derive(Debug)]
pub(crate) struct Linear<T: Real> {
    /// `Wᵀ`, inputs × outputs, as it lies in the file.
    transposed: Mat<T>,
    /// W, for the forward pass.
    pub(crate) forward: Packed<T>,
    /// Wᵀ, for the backward pass.
    pub(crate) backward: Packed<T>,
    pub(crate) bias: Vec<T>,
}

/// Weight and bias of a LayerNorm.
#[derive(Debug)]
pub(crate) struct LayerNorm<T> {
    pub(crate) weight: Vec<T>,
    pub(crate) bias: Vec<T>,
}

impl<T: Real> Linear<T> {
    fn new(transposed: Mat<T>, bias: Vec<T>) -> Self {
        let forward = Packed::new(transposed.transpose());
        let backward = Packed::new(transposed.as_ref());
        Self { transposed, forward, backward, bias }
    }

    /// W, outputs × inputs.
    pub(crate) fn weight(&self) -> MatRef<'_, T> {
        self.transposed.transpose()
    }
}

impl<T: Real> Encoder<T> {
    /// A random encoder: weights and biases normal with this standard deviation, LayerNorm weights around 1. Nothing is zero,
    /// as it would be in an encoder that is to be trained, so that tests see everything.
    pub fn random(config: Config, deviation: f64, rng: &mut impl Rng) -> Self {
        match build(config, &mut Draws { deviation, rng }) {
            Ok(encoder) => encoder,
            Err(never) => match never {},
        }
    }

    /// Its sizes.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Most tokens of a sequence.
    pub fn tokens_limit(&self) -> usize {
        self.config.most_tokens()
    }

    /// The same encoder with a random pooler in place of its own, if it has one: weights normal with this standard
    /// deviation, biases 0. The paper's has 0.02 at a hidden size of 768; `0.02 √(768 / hidden)` keeps the size of what
    /// goes into tanh.
    pub fn with_random_pooler(&self, deviation: f64, rng: &mut impl Rng) -> Self {
        let hidden = self.config.hidden_size;
        let weight = Mat::from_fn(hidden, hidden, |_, _| T::of(deviation * rng.sample::<f64, _>(StandardNormal)));
        let pooler = Linear::new(weight, vec![T::of(0.0); hidden]);
        Self { pooler: Some(Arc::new(pooler)), ..self.clone() }
    }

    /// Whether it has a pooler.
    pub fn has_pooler(&self) -> bool {
        self.pooler.is_some()
    }

    /// A frozen weight, in the shape of [`Config::shape`]; `None` if there is no such layer, or no pooler.
    pub fn weight(&self, site: Site) -> Option<MatRef<'_, T>> {
        match site {
            Site::WordEmbeddings => Some(self.embeddings.word.transpose()),
            Site::PositionEmbeddings => Some(self.embeddings.position.transpose()),
            _ => self.linear(site).map(Linear::weight),
        }
    }

    /// The LayerNorm that the hidden states leave through: the last layer's, or the embeddings' of an encoder without layers.
    pub(crate) fn last_norm(&self) -> &LayerNorm<T> {
        self.layers.last().map_or(&self.embeddings.norm, |layer| &layer.output_norm)
    }

    /// The dense layer of a site; `None` of an embedding, and of what the encoder does not have.
    pub(crate) fn linear(&self, site: Site) -> Option<&Linear<T>> {
        let layer = |l: usize| self.layers.get(l);
        match site {
            Site::WordEmbeddings | Site::PositionEmbeddings => None,
            Site::Query(l) => layer(l).map(|layer| &layer.query),
            Site::Key(l) => layer(l).map(|layer| &layer.key),
            Site::Value(l) => layer(l).map(|layer| &layer.value),
            Site::AttentionOutput(l) => layer(l).map(|layer| &layer.attention_output),
            Site::Intermediate(l) => layer(l).map(|layer| &layer.intermediate),
            Site::Output(l) => layer(l).map(|layer| &layer.output),
            Site::Pooler => self.pooler.as_deref(),
            Site::TiedEmbedding | Site::Head | Site::Gate(_) | Site::Up(_) | Site::Down(_) => None,
            Site::CrossQuery(_) | Site::CrossKey(_) | Site::CrossValue(_) | Site::CrossOutput(_) => None,
        }
    }

    /// The same encoder in `f64`.
    pub fn to_f64(&self) -> Encoder<f64> {
        let matrix = |m: &Mat<T>| Mat::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)].as_f64());
        let list = |v: &[T]| v.iter().map(|x| x.as_f64()).collect();
        let norm = |n: &LayerNorm<T>| LayerNorm { weight: list(&n.weight), bias: list(&n.bias) };
        let linear = |l: &Linear<T>| Linear::new(matrix(&l.transposed), list(&l.bias));
        let layer = |l: &Layer<T>| Layer {
            query: linear(&l.query),
            key: linear(&l.key),
            value: linear(&l.value),
            attention_output: linear(&l.attention_output),
            attention_norm: norm(&l.attention_norm),
            intermediate: linear(&l.intermediate),
            output: linear(&l.output),
            output_norm: norm(&l.output_norm),
        };
        let embeddings = Arc::new(Embeddings {
            word: matrix(&self.embeddings.word),
            position: matrix(&self.embeddings.position),
            token_type: self.embeddings.token_type.as_ref().map(matrix),
            norm: norm(&self.embeddings.norm),
        });
        let layers = self.layers.iter().map(layer).collect();
        let relative_bias = self.relative_bias.as_deref().map(|bias| Arc::new(bias.to_f64()));
        let pooler = self.pooler.as_deref().map(|pooler| Arc::new(linear(pooler)));
        Encoder { config: self.config.clone(), embeddings, relative_bias, layers, pooler }
    }
}

/// Where weights come from, by the names of their modules without a prefix.
pub(crate) trait Origin<T: Real> {
    type Error;

    /// A matrix, rows × columns in the file's order; given back transposed, as it lies there.
    fn matrix(&mut self, name: &str, shape: (usize, usize)) -> Result<Mat<T>, Self::Error>;
    fn bias(&mut self, name: &str, length: usize) -> Result<Vec<T>, Self::Error>;
    fn norm(&mut self, name: &str, length: usize) -> Result<LayerNorm<T>, Self::Error>;
    fn has(&self, name: &str) -> bool;

    fn linear(&mut self, config: &Config, site: Site) -> Result<Linear<T>, Self::Error> {
        let (shape, name) = (config.shape(site), config.architecture.module(site));
        let transposed = self.matrix(&name, shape)?;
        Ok(Linear::new(transposed, self.bias(&name, shape.0)?))
    }
}

/// An encoder of these sizes.
pub(crate) fn build<T: Real, O: Origin<T>>(config: Config, from: &mut O) -> Result<Encoder<T>, O::Error> {
    let (hidden, architecture) = (config.hidden_size, config.architecture);
    let embedding = |from: &mut O, name: &str, entries| from.matrix(&format!("embeddings.{name}"), (entries, hidden));
    let embeddings = Arc::new(Embeddings {
        word: embedding(from, "word_embeddings", config.vocabulary)?,
        position: embedding(from, "position_embeddings", config.positions)?,
        token_type: architecture
            .has_token_types()
            .then(|| embedding(from, "token_type_embeddings", config.token_types))
            .transpose()?,
        norm: from.norm("embeddings.LayerNorm", hidden)?,
    });
    let relative_bias = |positions: RelativePositions| {
        let table = from.matrix("encoder.relative_attention_bias", (positions.buckets, config.heads))?;
        Ok(Arc::new(RelativeBias::new(table.as_ref(), positions, config.most_tokens())))
    };
    let relative_bias = architecture.relative_positions().map(relative_bias).transpose()?;
    let layer = |l: usize| {
        Ok(Layer {
            query: from.linear(&config, Site::Query(l))?,
            key: from.linear(&config, Site::Key(l))?,
            value: from.linear(&config, Site::Value(l))?,
            attention_output: from.linear(&config, Site::AttentionOutput(l))?,
            attention_norm: from.norm(&architecture.attention_norm(l), hidden)?,
            intermediate: from.linear(&config, Site::Intermediate(l))?,
            output: from.linear(&config, Site::Output(l))?,
            output_norm: from.norm(&format!("encoder.layer.{l}.output.LayerNorm"), hidden)?,
        })
    };
    let layers = (0..config.layers).map(layer).collect::<Result<_, _>>()?;
    let pooler = from.has("pooler.dense.weight").then(|| from.linear(&config, Site::Pooler)).transpose()?.map(Arc::new);
    Ok(Encoder { config, embeddings, relative_bias, layers, pooler })
}

/// Random weights.
struct Draws<'a, R> {
    deviation: f64,
    rng: &'a mut R,
}

impl<R: Rng> Draws<'_, R> {
    fn draw<T: Real>(&mut self) -> T {
        T::of(self.deviation * self.rng.sample::<f64, _>(StandardNormal))
    }
}

impl<T: Real, R: Rng> Origin<T> for Draws<'_, R> {
    type Error = std::convert::Infallible;

    fn matrix(&mut self, _: &str, (rows, columns): (usize, usize)) -> Result<Mat<T>, Self::Error> {
        Ok(Mat::from_fn(columns, rows, |_, _| self.draw()))
    }

    fn bias(&mut self, _: &str, length: usize) -> Result<Vec<T>, Self::Error> {
        Ok((0..length).map(|_| self.draw()).collect())
    }

    fn norm(&mut self, _: &str, length: usize) -> Result<LayerNorm<T>, Self::Error> {
        let weight = (0..length).map(|_| T::of(1.0) + self.draw::<T>()).collect();
        let bias = (0..length).map(|_| self.draw()).collect();
        Ok(LayerNorm { weight, bias })
    }

    fn has(&self, _: &str) -> bool {
        true
    }
}
