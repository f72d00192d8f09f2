//! The frozen weights of a pretrained encoder, from `config.json` and `model.safetensors`.

use std::path::Path;

use faer::{Mat, MatRef};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::config::{Config, ModelError};
use crate::encoder::Packed;
use crate::{Real, Site};

/// A frozen BERT encoder.
#[derive(Debug)]
pub struct Encoder<T: Real> {
    config: Config,
    pub(crate) embeddings: Embeddings<T>,
    pub(crate) layers: Vec<Layer<T>>,
    pub(crate) pooler: Option<Linear<T>>,
}

/// The embeddings; a table's columns are its entries: hidden × entries.
#[derive(Debug)]
pub(crate) struct Embeddings<T: Real> {
    pub(crate) word: Mat<T>,
    pub(crate) position: Mat<T>,
    pub(crate) token_type: Mat<T>,
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

impl Encoder<f32> {
    /// Reads a pretrained encoder. Names of tensors may carry the prefix `bert.`; LayerNorms may have `gamma` and `beta` in
    /// place of `weight` and `bias`; a pooler may be missing; tensors that do not belong to the encoder are ignored.
    ///
    /// # Errors
    /// If a file cannot be read or is damaged, the configuration is not one of a BERT encoder, or a tensor is missing or has
    /// another shape or number type.
    pub fn load(config: &Path, weights: &Path) -> Result<Self, ModelError> {
        let config = Config::read(config)?;
        let bytes = std::fs::read(weights).map_err(|source| ModelError::Read { path: weights.to_owned(), source })?;
        let tensors = SafeTensors::deserialize(&bytes)
            .map_err(|source| ModelError::Weights { path: weights.to_owned(), source })?;
        build(config, &mut File { path: weights, tensors })
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
        self.config.positions
    }

    /// Whether it has a pooler.
    pub fn has_pooler(&self) -> bool {
        self.pooler.is_some()
    }

    /// A frozen weight, in the shape of [`Config::shape`].
    ///
    /// # Panics
    /// If there is no such layer, or no pooler.
    pub fn weight(&self, site: Site) -> MatRef<'_, T> {
        match site {
            Site::WordEmbeddings => self.embeddings.word.transpose(),
            Site::PositionEmbeddings => self.embeddings.position.transpose(),
            _ => self.linear(site).weight(),
        }
    }

    /// The dense layer of a site that is no embedding.
    pub(crate) fn linear(&self, site: Site) -> &Linear<T> {
        match site {
            Site::WordEmbeddings | Site::PositionEmbeddings => panic!("{} is no dense layer", site.name()),
            Site::Query(l) => &self.layers[l].query,
            Site::Key(l) => &self.layers[l].key,
            Site::Value(l) => &self.layers[l].value,
            Site::AttentionOutput(l) => &self.layers[l].attention_output,
            Site::Intermediate(l) => &self.layers[l].intermediate,
            Site::Output(l) => &self.layers[l].output,
            Site::Pooler => self.pooler.as_ref().expect("an encoder with a pooler"),
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
        let embeddings = Embeddings {
            word: matrix(&self.embeddings.word),
            position: matrix(&self.embeddings.position),
            token_type: matrix(&self.embeddings.token_type),
            norm: norm(&self.embeddings.norm),
        };
        let layers = self.layers.iter().map(layer).collect();
        Encoder { config: self.config.clone(), embeddings, layers, pooler: self.pooler.as_ref().map(linear) }
    }
}

/// Where weights come from, by their names without a prefix.
trait Origin<T: Real> {
    type Error;

    /// A matrix, rows × columns in the file's order; given back transposed, as it lies there.
    fn matrix(&mut self, name: &str, shape: (usize, usize)) -> Result<Mat<T>, Self::Error>;
    fn bias(&mut self, name: &str, length: usize) -> Result<Vec<T>, Self::Error>;
    fn norm(&mut self, name: &str, length: usize) -> Result<LayerNorm<T>, Self::Error>;
    fn has(&self, name: &str) -> bool;

    fn linear(&mut self, config: &Config, site: Site) -> Result<Linear<T>, Self::Error> {
        let (shape, name) = (config.shape(site), site.name());
        let transposed = self.matrix(&format!("{name}.weight"), shape)?;
        Ok(Linear::new(transposed, self.bias(&format!("{name}.bias"), shape.0)?))
    }
}

fn build<T: Real, O: Origin<T>>(config: Config, from: &mut O) -> Result<Encoder<T>, O::Error> {
    let hidden = config.hidden_size;
    let embedding =
        |from: &mut O, name: &str, entries| from.matrix(&format!("embeddings.{name}.weight"), (entries, hidden));
    let embeddings = Embeddings {
        word: embedding(from, "word_embeddings", config.vocabulary)?,
        position: embedding(from, "position_embeddings", config.positions)?,
        token_type: embedding(from, "token_type_embeddings", config.token_types)?,
        norm: from.norm("embeddings.LayerNorm", hidden)?,
    };
    let layer = |l: usize| {
        Ok(Layer {
            query: from.linear(&config, Site::Query(l))?,
            key: from.linear(&config, Site::Key(l))?,
            value: from.linear(&config, Site::Value(l))?,
            attention_output: from.linear(&config, Site::AttentionOutput(l))?,
            attention_norm: from.norm(&format!("encoder.layer.{l}.attention.output.LayerNorm"), hidden)?,
            intermediate: from.linear(&config, Site::Intermediate(l))?,
            output: from.linear(&config, Site::Output(l))?,
            output_norm: from.norm(&format!("encoder.layer.{l}.output.LayerNorm"), hidden)?,
        })
    };
    let layers = (0..config.layers).map(layer).collect::<Result<_, _>>()?;
    let pooler = from.has("pooler.dense.weight").then(|| from.linear(&config, Site::Pooler)).transpose()?;
    Ok(Encoder { config, embeddings, layers, pooler })
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

/// Weights in a safetensors file.
struct File<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
}

impl File<'_> {
    /// A tensor by the first of these names that is there, with or without prefix.
    fn find(&self, names: &[String]) -> Option<(String, TensorView<'_>)> {
        let candidates = names.iter().flat_map(|name| [name.clone(), format!("bert.{name}")]);
        candidates.into_iter().find_map(|name| self.tensors.tensor(&name).ok().map(|tensor| (name, tensor)))
    }

    /// The numbers of a tensor of this shape. They need not be aligned in the file.
    fn read(&self, names: &[String], shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let path = || self.path.to_owned();
        let (name, tensor) =
            self.find(names).ok_or_else(|| ModelError::Missing { path: path(), name: names[0].clone() })?;
        if tensor.dtype() != Dtype::F32 {
            return Err(ModelError::Type { path: path(), name, found: format!("{:?}", tensor.dtype()) });
        }
        if tensor.shape() != shape {
            let (expected, found) = (shape.to_vec(), tensor.shape().to_vec());
            return Err(ModelError::Shape { path: path(), name, expected, found });
        }
        Ok(tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }
}

impl Origin<f32> for File<'_> {
    type Error = ModelError;

    fn matrix(&mut self, name: &str, (rows, columns): (usize, usize)) -> Result<Mat<f32>, ModelError> {
        let numbers = self.read(&[name.to_owned()], &[rows, columns])?;
        Ok(MatRef::from_column_major_slice(&numbers, columns, rows).to_owned())
    }

    fn bias(&mut self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        self.read(&[name.to_owned()], &[length])
    }

    fn norm(&mut self, name: &str, length: usize) -> Result<LayerNorm<f32>, ModelError> {
        let read = |new: &str, old: &str| self.read(&[format!("{name}.{new}"), format!("{name}.{old}")], &[length]);
        Ok(LayerNorm { weight: read("weight", "gamma")?, bias: read("bias", "beta")? })
    }

    fn has(&self, name: &str) -> bool {
        self.find(&[name.to_owned()]).is_some()
    }
}
