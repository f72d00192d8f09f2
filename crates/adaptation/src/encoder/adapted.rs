//! Dense layers with their adapters: `y = (W_0 + ΔW) x + b` for a block of tokens, and the way back.

use faer::{Mat, MatMut, MatRef};

use crate::kernels::columns::Buffer;
use crate::kernels::product::{Packed, Start, Term, inner_products, sum_of_products};
use crate::weights::{Encoder, Linear};
use crate::{Adapters, Applied, Real, Site};

/// An adapter's applied form, in the layout that the kernels read; brought up to date at the start of every forward pass.
#[derive(Debug)]
pub(crate) enum Prepared<T: Real> {
    /// The site is not adapted.
    Frozen,
    /// `ΔW = L R`.
    Factored {
        /// L, m × k; of an embedding nothing, its rows are looked up where they are.
        left: Factor<T>,
        /// Rᵀ, n × k.
        right: Factor<T>,
    },
    /// `W_0 + ΔW`, both packed as the frozen weight is.
    Merged {
        /// For the forward pass.
        forward: Packed<T>,
        /// Transposed, for the backward pass.
        backward: Packed<T>,
    },
    /// An embedding with a merged `ΔW`, whose rows are looked up where they are.
    Table,
}

/// A factor F, tall or square, that tokens are multiplied with from both sides.
#[derive(Debug)]
pub(crate) enum Factor<T: Real> {
    /// Of few columns, as it is.
    Narrow(Mat<T>),
    /// Of many columns, packed.
    Wide {
        /// F.
        plain: Packed<T>,
        /// Fᵀ.
        transposed: Packed<T>,
        /// Of F.
        shape: (usize, usize),
    },
}

/// Columns from which a factor is packed: about where the products with it take longer than packing it twice in every step.
const WIDE: usize = 64;

impl<T: Real> Factor<T> {
    /// Of this shape, still zero.
    fn zeros(rows: usize, columns: usize) -> Self {
        if columns >= WIDE { Self::wide(rows, columns) } else { Self::Narrow(Mat::zeros(rows, columns)) }
    }

    fn wide(rows: usize, columns: usize) -> Self {
        let zeros = Mat::zeros(rows, columns);
        let (plain, transposed) = (Packed::new(zeros.as_ref()), Packed::new(zeros.transpose()));
        Self::Wide { plain, transposed, shape: (rows, columns) }
    }

    fn shape(&self) -> (usize, usize) {
        match self {
            Self::Narrow(factor) => factor.shape(),
            Self::Wide { shape, .. } => *shape,
        }
    }

    /// Inner width k.
    pub(crate) fn columns(&self) -> usize {
        self.shape().1
    }

    fn fill(&mut self, factor: MatRef<'_, T>) {
        match self {
            Self::Narrow(own) => own.copy_from(factor),
            Self::Wide { plain, transposed, .. } => {
                plain.fill(factor, None);
                transposed.fill(factor.transpose(), None);
            }
        }
    }

    /// The term `F x`.
    pub(crate) fn times<'a>(&'a self, x: MatRef<'a, T>) -> Term<'a, T> {
        match self {
            Self::Narrow(factor) => Term::columns(factor.as_ref(), x),
            Self::Wide { plain, .. } => Term::packed(plain, x),
        }
    }

    /// `dst = Fᵀ x`.
    pub(crate) fn transposed_times(&self, dst: MatMut<'_, T>, x: MatRef<'_, T>) {
        match self {
            Self::Narrow(factor) => inner_products(dst, factor.as_ref(), x),
            Self::Wide { transposed, .. } => sum_of_products(dst, Start::Zero, [Term::packed(transposed, x)]),
        }
    }
}

/// Every site's adapter.
#[derive(Debug, Default)]
pub(crate) struct PreparedAdapters<T: Real> {
    /// Word embeddings, position embeddings, pooler, then layer by layer in the order of [`LAYER_SITES`].
    sites: Vec<Prepared<T>>,
}

/// The sites of a layer.
pub(crate) const LAYER_SITES: [fn(usize) -> Site; 6] =
    [Site::Query, Site::Key, Site::Value, Site::AttentionOutput, Site::Intermediate, Site::Output];

fn place(site: Site) -> usize {
    let (layer, place) = match site {
        Site::WordEmbeddings => return 0,
        Site::PositionEmbeddings => return 1,
        Site::Pooler => return 2,
        Site::Query(l) => (l, 0),
        Site::Key(l) => (l, 1),
        Site::Value(l) => (l, 2),
        Site::AttentionOutput(l) => (l, 3),
        Site::Intermediate(l) => (l, 4),
        Site::Output(l) => (l, 5),
    };
    3 + LAYER_SITES.len() * layer + place
}

impl<T: Real> PreparedAdapters<T> {
    /// The adapter of a site.
    pub(crate) fn at(&self, site: Site) -> &Prepared<T> {
        &self.sites[place(site)]
    }

    /// Brings all sites up to date; nothing is allocated while the same sites have adapters of the same forms.
    pub(crate) fn refresh(&mut self, encoder: &Encoder<T>, adapters: &Adapters<T>) {
        let layers = encoder.config().layers;
        let in_layers = (0..layers).flat_map(|l| LAYER_SITES.map(|site| site(l)));
        self.sites.resize_with(3 + LAYER_SITES.len() * layers, || Prepared::Frozen);
        for site in [Site::WordEmbeddings, Site::PositionEmbeddings, Site::Pooler].into_iter().chain(in_layers) {
            let prepared = &mut self.sites[place(site)];
            match adapters.applied(site) {
                None => *prepared = Prepared::Frozen,
                Some(Applied::Factored { left, right }) => prepared.factored(site, left, right),
                Some(Applied::Merged(_)) if site.is_embedding() => *prepared = Prepared::Table,
                Some(Applied::Merged(delta)) => match encoder.linear(site) {
                    Some(linear) => prepared.merged(linear, delta),
                    // No pass goes through what is not there.
                    None => *prepared = Prepared::Frozen,
                },
            }
        }
    }
}

impl<T: Real> Prepared<T> {
    fn factored(&mut self, site: Site, new_left: MatRef<'_, T>, new_right: MatRef<'_, T>) {
        let rows = if site.is_embedding() { 0 } else { new_left.nrows() };
        let new_left = new_left.subrows(0, rows);
        let fits = matches!(self, Self::Factored { left, right }
            if left.shape() == new_left.shape() && right.shape() == new_right.transpose().shape());
        if !fits {
            let (rank, columns) = new_right.shape();
            *self = Self::Factored { left: Factor::zeros(rows, rank), right: Factor::zeros(columns, rank) };
        }
        if let Self::Factored { left, right } = self {
            left.fill(new_left);
            right.fill(new_right.transpose());
        }
    }

    fn merged(&mut self, linear: &Linear<T>, delta: MatRef<'_, T>) {
        if !matches!(self, Self::Merged { .. }) {
            *self = Self::Merged { forward: linear.forward.clone(), backward: linear.backward.clone() };
        }
        if let Self::Merged { forward, backward } = self {
            forward.fill(linear.weight(), Some(delta));
            backward.fill(linear.weight().transpose(), Some(delta.transpose()));
        }
    }

    /// `y = (W_0 + ΔW) x + b`. Of a factored adapter, `R x` is left in `low`.
    pub(crate) fn forward(&self, linear: &Linear<T>, x: MatRef<'_, T>, low: &mut Buffer<T>, y: MatMut<'_, T>) {
        let bias = Start::Bias(&linear.bias);
        match self {
            Self::Factored { left, right } => {
                let mut low = low.write(right.columns(), x.ncols());
                right.transposed_times(low.as_mut(), x);
                let terms = [Term::packed(&linear.forward, x), left.times(low.as_ref())];
                sum_of_products(y, bias, terms);
            }
            Self::Merged { forward, .. } => sum_of_products(y, bias, [Term::packed(forward, x)]),
            Self::Frozen | Self::Table => sum_of_products(y, bias, [Term::packed(&linear.forward, x)]),
        }
    }

    /// The gradient of the applied form from that of the result, `d_y`: of the two factors into `partial`, with `Lᵀ d_y` left in
    /// its [`low`](Partial::low); of a merged one, the factors of a sum over all tokens, `d_y` itself, is copied.
    pub(crate) fn gradient(&self, x: MatRef<'_, T>, low: &Buffer<T>, d_y: MatRef<'_, T>, partial: &mut Partial<T>) {
        let tokens = x.ncols();
        match self {
            Self::Factored { left, right } => {
                let rank = right.columns();
                let (low, mut d_low) = (low.read(rank, tokens), partial.low.write(rank, tokens));
                left.transposed_times(d_low.as_mut(), d_y);
                let d_left = partial.left.write(left.shape().0, rank);
                sum_of_products(d_left, Start::Zero, [Term::columns(d_y, low.transpose())]);
                let d_right = partial.right.write(right.shape().0, rank);
                sum_of_products(d_right, Start::Zero, [Term::columns(x, d_low.as_ref().transpose())]);
            }
            Self::Merged { .. } => partial.d_y.write(d_y.nrows(), tokens).copy_from(d_y),
            Self::Frozen | Self::Table => {}
        }
    }

    /// The terms of `(W_0 + ΔW)ᵀ d_y`, the gradient with respect to `x`; after [`gradient`](Self::gradient).
    pub(crate) fn backward<'a>(
        &'a self,
        linear: &'a Linear<T>,
        d_y: MatRef<'a, T>,
        partial: &'a Partial<T>,
    ) -> impl Iterator<Item = Term<'a, T>> {
        let (packed, low) = match self {
            Self::Factored { right, .. } => {
                let d_low = partial.low.read(right.columns(), d_y.ncols());
                (&linear.backward, Some(right.times(d_low)))
            }
            Self::Merged { backward, .. } => (backward, None),
            Self::Frozen | Self::Table => (&linear.backward, None),
        };
        [Term::packed(packed, d_y)].into_iter().chain(low)
    }
}

/// A block's share of a site's gradient.
#[derive(Debug, Default)]
pub(crate) struct Partial<T: Real> {
    /// Of L, m × k.
    pub(crate) left: Buffer<T>,
    /// Of Rᵀ, n × k.
    pub(crate) right: Buffer<T>,
    /// `Lᵀ d_y`, k × tokens.
    pub(crate) low: Buffer<T>,
    /// Gradient of the layer's result, m × tokens; only of a merged adapter.
    pub(crate) d_y: Buffer<T>,
}

impl<T: Real> Partial<T> {
    pub(crate) fn bytes(&self) -> usize {
        self.left.bytes() + self.right.bytes() + self.low.bytes() + self.d_y.bytes()
    }
}

#[cfg(test)]
mod tests {
    use dynamics::random::{gaussian, stream};

    use super::*;

    /// Packed or not, from both sides; also with no rows, as on an embedding.
    #[test]
    fn packed_factors_multiply_as_others() {
        for (rows, columns) in [(70, 70), (130, 65), (7, 5), (0, 66)] {
            let mut rng = stream(1, &["factor"]);
            let factor = gaussian(rows, columns, &mut rng);
            let (x, y) = (gaussian(columns, 19, &mut rng), gaussian(rows, 19, &mut rng));
            for mut tested in [Factor::wide(rows, columns), Factor::Narrow(Mat::zeros(rows, columns))] {
                tested.fill(factor.as_ref());
                assert_eq!(tested.shape(), (rows, columns));
                let (mut plain, mut back) = (Mat::zeros(rows, 19), Mat::zeros(columns, 19));
                sum_of_products(plain.as_mut(), Start::Zero, [tested.times(x.as_ref())]);
                tested.transposed_times(back.as_mut(), y.as_ref());
                assert!(
                    (&plain - &factor * &x).norm_max() < 1e-12 && (&back - factor.transpose() * &y).norm_max() < 1e-12
                );
            }
        }
        assert!(matches!(Factor::<f32>::zeros(200, WIDE), Factor::Wide { .. }));
        assert!(matches!(Factor::<f32>::zeros(200, WIDE - 1), Factor::Narrow(_)));
    }
}
