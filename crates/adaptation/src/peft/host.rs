//! What importing adapters asks of a frozen model.

use super::Names;
use crate::{Decoder, Encoder, Real, Site, T5};

/// A frozen model that adapters can be imported for.
pub trait Host<T: Real> {
    /// What transformers calls its weights.
    fn names(&self) -> Names;

    /// Its adaptable weights, in order.
    fn sites(&self) -> Vec<Site>;

    /// (rows, columns) of the weight of one of its sites.
    fn shape(&self, site: Site) -> (usize, usize);

    /// Whether the frozen weight of one of its sites is these numbers, row after row.
    fn is_weight(&self, site: Site, numbers: &[f32]) -> bool;
}

/// Whether a matrix given by its entries is these numbers, row after row.
fn is_same<T: Real>(columns: usize, numbers: &[f32], entry: impl Fn(usize, usize) -> T) -> bool {
    let same = |(place, x): (usize, &f32)| T::of(f64::from(*x)) == entry(place / columns, place % columns);
    numbers.iter().enumerate().all(same)
}

impl<T: Real> Host<T> for Encoder<T> {
    fn names(&self) -> Names {
        self.config().architecture.into()
    }

    fn sites(&self) -> Vec<Site> {
        let in_layer = [Site::Query, Site::Key, Site::Value, Site::AttentionOutput, Site::Intermediate, Site::Output];
        let in_layers = (0..self.config().layers).flat_map(|l| in_layer.map(|site| site(l)));
        let all = [Site::WordEmbeddings, Site::PositionEmbeddings].into_iter().chain(in_layers).chain([Site::Pooler]);
        all.filter(|&site| self.weight(site).is_some()).collect()
    }

    fn shape(&self, site: Site) -> (usize, usize) {
        self.config().shape(site)
    }

    fn is_weight(&self, site: Site, numbers: &[f32]) -> bool {
        let weight = self.weight(site).expect("one of its sites");
        is_same(weight.ncols(), numbers, |i, j| weight[(i, j)])
    }
}

impl<T: Real> Host<T> for Decoder<T> {
    fn names(&self) -> Names {
        self.config().into()
    }

    fn sites(&self) -> Vec<Site> {
        self.config().sites().collect()
    }

    fn shape(&self, site: Site) -> (usize, usize) {
        self.config().shape(site)
    }

    fn is_weight(&self, site: Site, numbers: &[f32]) -> bool {
        let weight = self.weight(site);
        is_same(weight.ncols(), numbers, |i, j| weight[(i, j)])
    }
}

impl<T: Real> Host<T> for T5<T> {
    fn names(&self) -> Names {
        self.config().into()
    }

    fn sites(&self) -> Vec<Site> {
        self.config().sites().collect()
    }

    fn shape(&self, site: Site) -> (usize, usize) {
        self.config().shape(site)
    }

    fn is_weight(&self, site: Site, numbers: &[f32]) -> bool {
        let weight = self.weight(site);
        is_same(weight.ncols(), numbers, |i, j| weight[(i, j)])
    }
}
