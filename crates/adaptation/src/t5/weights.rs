//! The frozen weights of T5.

use std::sync::Arc;

use faer::Mat;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::T5Config;
use super::config::{ATTENTION, CROSS, layer_of};
use crate::kernels::product::Packed;
use crate::parts::vocabulary::Vocabulary;
use crate::{Adapters, Real, Site};

/// A frozen T5. A clone shares the weights.
#[derive(Clone, Debug)]
pub struct T5<T: Real> {
    pub(super) config: T5Config,
    pub(super) vocabulary: Vocabulary<T>,
    /// The encoder's, then the decoder's.
    pub(super) layers: Arc<[Layer<T>]>,
    pub(super) encoder: Stack<T>,
    pub(super) decoder: Stack<T>,
}

/// What encoder or decoder have beside their layers.
#[derive(Clone, Debug)]
pub(super) struct Stack<T: Real> {
    /// The last norm.
    pub(super) norm: Arc<[T]>,
    /// The biases of relative positions, heads × buckets.
    pub(super) biases: Arc<Mat<T>>,
}

/// One layer.
#[derive(Clone, Debug)]
pub(super) struct Layer<T: Real> {
    pub(super) attention: Attention<T>,
    /// Attention to the source, of the decoder's layers.
    pub(super) cross: Option<Attention<T>>,
    pub(super) feed_forward: FeedForward<T>,
}

/// The norm before an attention, and its matrices, outputs × inputs.
#[derive(Clone, Debug)]
pub(super) struct Attention<T: Real> {
    pub(super) norm: Vec<T>,
    pub(super) query: Packed<T>,
    pub(super) key: Packed<T>,
    pub(super) value: Packed<T>,
    pub(super) output: Packed<T>,
}

/// The norm before a feed-forward part, and its matrices, outputs × inputs.
#[derive(Clone, Debug)]
pub(super) struct FeedForward<T: Real> {
    pub(super) norm: Vec<T>,
    pub(super) gate: Option<Packed<T>>,
    pub(super) up: Packed<T>,
    pub(super) down: Packed<T>,
}

impl<T: Real> Layer<T> {
    /// The weight of one of its sites.
    pub(super) fn packed(&self, site: Site) -> Option<&Packed<T>> {
        let (attention, cross, feed_forward) = (&self.attention, self.cross.as_ref(), &self.feed_forward);
        match site {
            Site::Query(_) => Some(&attention.query),
            Site::Key(_) => Some(&attention.key),
            Site::Value(_) => Some(&attention.value),
            Site::AttentionOutput(_) => Some(&attention.output),
            Site::CrossQuery(_) => cross.map(|cross| &cross.query),
            Site::CrossKey(_) => cross.map(|cross| &cross.key),
            Site::CrossValue(_) => cross.map(|cross| &cross.value),
            Site::CrossOutput(_) => cross.map(|cross| &cross.output),
            Site::Gate(_) => feed_forward.gate.as_ref(),
            Site::Up(_) => Some(&feed_forward.up),
            Site::Down(_) => Some(&feed_forward.down),
            _ => None,
        }
    }

    /// The same, to be changed.
    fn packed_mut(&mut self, site: Site) -> Option<&mut Packed<T>> {
        match site {
            Site::Query(_) => Some(&mut self.attention.query),
            Site::Key(_) => Some(&mut self.attention.key),
            Site::Value(_) => Some(&mut self.attention.value),
            Site::AttentionOutput(_) => Some(&mut self.attention.output),
            Site::CrossQuery(_) => self.cross.as_mut().map(|cross| &mut cross.query),
            Site::CrossKey(_) => self.cross.as_mut().map(|cross| &mut cross.key),
            Site::CrossValue(_) => self.cross.as_mut().map(|cross| &mut cross.value),
            Site::CrossOutput(_) => self.cross.as_mut().map(|cross| &mut cross.output),
            Site::Gate(_) => self.feed_forward.gate.as_mut(),
            Site::Up(_) => Some(&mut self.feed_forward.up),
            Site::Down(_) => Some(&mut self.feed_forward.down),
            _ => None,
        }
    }
}

impl<T: Real> T5<T> {
    /// A random T5, for tests: matrices and biases of positions normal with this standard deviation, RMSNorm weights around 1.
    pub fn random(config: T5Config, deviation: f64, rng: &mut impl Rng) -> Self {
        let mut draw = |mean: f64| T::of(mean + deviation * rng.sample::<f64, _>(StandardNormal));
        let mut layers = Vec::new();
        for layer in 0..config.layers() {
            let mut norm = || (0..config.hidden_size).map(|_| draw(1.0)).collect::<Vec<T>>();
            let (one, two, three) = (norm(), norm(), norm());
            let mut packed = |site: Site| {
                let (rows, columns) = config.shape(site);
                Packed::new(Mat::from_fn(rows, columns, |_, _| draw(0.0)).as_ref())
            };
            let mut attention = |norm, sites: [fn(usize) -> Site; 4]| {
                let [query, key, value, output] = sites.map(|site| packed(site(layer)));
                Attention { norm, query, key, value, output }
            };
            let own = attention(one, ATTENTION);
            let cross = config.is_decoders(layer).then(|| attention(two, CROSS));
            let gate = config.gated.then(|| packed(Site::Gate(layer)));
            let (up, down) = (packed(Site::Up(layer)), packed(Site::Down(layer)));
            layers.push(Layer { attention: own, cross, feed_forward: FeedForward { norm: three, gate, up, down } });
        }
        let mut stack = || Stack {
            norm: (0..config.hidden_size).map(|_| draw(1.0)).collect(),
            biases: Arc::new(Mat::from_fn(config.heads, config.buckets, |_, _| draw(0.0))),
        };
        let (encoder, decoder) = (stack(), stack());
        let embedding = Mat::from_fn(config.hidden_size, config.vocabulary, |_, _| draw(0.0));
        let mut head = || Packed::new(Mat::from_fn(config.vocabulary, config.hidden_size, |_, _| draw(0.0)).as_ref());
        let head = if config.tied { None } else { Some(head()) };
        Self { config, vocabulary: Vocabulary::new(embedding, head), layers: layers.into(), encoder, decoder }
    }

    /// Its sizes.
    pub fn config(&self) -> &T5Config {
        &self.config
    }

    /// A frozen weight, in the shape of [`T5Config::shape`].
    ///
    /// # Panics
    /// If T5 has none.
    pub fn weight(&self, site: Site) -> Mat<T> {
        match site {
            Site::WordEmbeddings | Site::TiedEmbedding => self.vocabulary.embedding(),
            Site::Head => self.vocabulary.head().to_matrix(),
            _ => {
                let layer = layer_of(site).and_then(|layer| self.layers.get(layer));
                let packed = layer.and_then(|layer| layer.packed(site));
                packed.unwrap_or_else(|| panic!("T5 has no {}", site.name())).to_matrix()
            }
        }
    }

    /// The same T5 with every adapter's `ΔW` added to its weight: what texts are written with after fine-tuning.
    ///
    /// # Panics
    /// If an adapter is on a weight that T5 does not have.
    pub fn with(&self, adapters: &Adapters<T>) -> Self {
        let (mut vocabulary, mut layers) = (self.vocabulary.clone(), self.layers.to_vec());
        for site in adapters.sites() {
            assert!(self.config.sites().any(|own| own == site), "T5 has no {} to adapt", site.name());
            let delta = adapters.delta(site).expect("an adapter");
            if site == self.config.embedding() {
                vocabulary.add_to_embedding(delta.as_ref());
            } else if site == self.config.head() {
                vocabulary.add_to_head(delta.as_ref());
            } else if let Some(layer) = layer_of(site) {
                layers[layer].packed_mut(site).expect("a site of this layer").add(delta.as_ref());
            }
        }
        Self { vocabulary, layers: layers.into(), ..self.clone() }
    }
}
