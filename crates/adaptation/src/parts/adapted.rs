//! Dense layers with their adapters: `y = (W_0 + ΔW) x + b` for a block of tokens, and the way back.

use faer::{Accum, Mat, MatMut, MatRef, Par};

use crate::adapter::matmul;
use crate::kernels::columns::Buffer;
use crate::kernels::product::{Left, Packed, Start, Term, inner_products, sum_of_products};
use crate::{Adapters, Applied, AppliedGradient, Real, Site};

/// An adapter's applied form, in the layout that the kernels read; brought up to date at the start of every forward pass.
#[derive(Debug)]
pub(crate) enum Prepared<T: Real> {
    /// The site is not adapted; or it is one of no layer (an embedding, a head), and its merged `ΔW` is read where it is.
    Frozen,
    /// `ΔW = 0`, of which the gradient is asked for: `W_0` needs no copy.
    Probed,
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

    fn fill(&mut self, factor: MatRef<'_, T>, par: Par) {
        match self {
            Self::Narrow(own) => own.copy_from(factor),
            Self::Wide { plain, transposed, .. } => {
                plain.fill(factor, par);
                transposed.fill(factor.transpose(), par);
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
    /// By the site's [`place`].
    sites: Vec<Prepared<T>>,
}

/// Sites of no layer come first, then all sites of a layer, layer by layer.
fn place(site: Site) -> usize {
    let (layer, place) = match site {
        Site::WordEmbeddings => return 0,
        Site::PositionEmbeddings => return 1,
        Site::Pooler => return 2,
        Site::TiedEmbedding => return 3,
        Site::Head => return 4,
        Site::Query(l) => (l, 0),
        Site::Key(l) => (l, 1),
        Site::Value(l) => (l, 2),
        Site::AttentionOutput(l) => (l, 3),
        Site::Intermediate(l) => (l, 4),
        Site::Output(l) => (l, 5),
        Site::Gate(l) => (l, 6),
        Site::Up(l) => (l, 7),
        Site::Down(l) => (l, 8),
        Site::CrossQuery(l) => (l, 9),
        Site::CrossKey(l) => (l, 10),
        Site::CrossValue(l) => (l, 11),
        Site::CrossOutput(l) => (l, 12),
    };
    5 + 13 * layer + place
}

impl<T: Real> PreparedAdapters<T> {
    /// The adapter of a site.
    pub(crate) fn at(&self, site: Site) -> &Prepared<T> {
        &self.sites[place(site)]
    }

    /// Brings these sites up to date, each given with W and Wᵀ where there is a layer of it; nothing is allocated while the same
    /// sites have adapters of the same forms.
    pub(crate) fn refresh<'a>(
        &mut self,
        sites: impl Iterator<Item = (Site, Option<(&'a Packed<T>, &'a Packed<T>)>)>,
        adapters: &Adapters<T>,
        par: Par,
    ) {
        for (site, packed) in sites {
            if self.sites.len() <= place(site) {
                self.sites.resize_with(place(site) + 1, || Prepared::Frozen);
            }
            let prepared = &mut self.sites[place(site)];
            match (adapters.applied(site), packed) {
                (Some(Applied::Factored { left, right }), _) => prepared.factored(site, left, right, par),
                (Some(Applied::Merged(delta)), Some(_)) if is_probe(delta) => *prepared = Prepared::Probed,
                (Some(Applied::Merged(delta)), Some(packed)) => prepared.merged(packed, delta, par),
                (Some(Applied::Merged(_)), None) | (None, _) => *prepared = Prepared::Frozen,
            }
        }
    }
}

/// Whether it is the one zero, repeated, of [`Adapters::probe`].
pub(crate) fn is_probe<T: Real>(delta: MatRef<'_, T>) -> bool {
    (delta.row_stride(), delta.col_stride()) == (0, 0) && delta[(0, 0)] == T::of(0.0)
}

impl<T: Real> Prepared<T> {
    fn factored(&mut self, site: Site, new_left: MatRef<'_, T>, new_right: MatRef<'_, T>, par: Par) {
        let rows = if site.is_only_looked_up() { 0 } else { new_left.nrows() };
        let new_left = new_left.subrows(0, rows);
        let fits = matches!(self, Self::Factored { left, right }
            if left.shape() == new_left.shape() && right.shape() == new_right.transpose().shape());
        if !fits {
            let (rank, columns) = new_right.shape();
            *self = Self::Factored { left: Factor::zeros(rows, rank), right: Factor::zeros(columns, rank) };
        }
        if let Self::Factored { left, right } = self {
            left.fill(new_left, par);
            right.fill(new_right.transpose(), par);
        }
    }

    fn merged(&mut self, (frozen, transposed): (&Packed<T>, &Packed<T>), delta: MatRef<'_, T>, par: Par) {
        if !matches!(self, Self::Merged { .. }) {
            *self = Self::Merged { forward: frozen.clone(), backward: transposed.clone() };
        }
        if let Self::Merged { forward, backward } = self {
            forward.fill_sum(frozen, delta, par);
            backward.fill_sum(transposed, delta.transpose(), par);
        }
    }

    /// `y = start + (W_0 + ΔW) x`, given `W_0`. Of a factored adapter, `R x` is left in `low`.
    pub(crate) fn forward(
        &self,
        frozen: &Packed<T>,
        start: Start<'_, T>,
        x: MatRef<'_, T>,
        low: &mut Buffer<T>,
        y: MatMut<'_, T>,
    ) {
        match self {
            Self::Factored { left, right } => {
                let mut low = low.write(right.columns(), x.ncols());
                right.transposed_times(low.as_mut(), x);
                sum_of_products(y, start, [Term::packed(frozen, x), left.times(low.as_ref())]);
            }
            Self::Merged { forward, .. } => sum_of_products(y, start, [Term::packed(forward, x)]),
            Self::Frozen | Self::Probed => sum_of_products(y, start, [Term::packed(frozen, x)]),
        }
    }

    /// The terms of some rows of `(W_0 + ΔW) x` of a site of no layer, of so many from a panel of `W_0` on; `low` holds `R x` of a
    /// factored adapter.
    pub(crate) fn rows<'a>(
        &'a self,
        frozen: &'a Packed<T>,
        (panel, rows): (usize, usize),
        x: MatRef<'a, T>,
        low: &'a Buffer<T>,
    ) -> impl Iterator<Item = Term<'a, T>> {
        let adapter = match self {
            Self::Factored { left, right } => {
                let low = low.read(right.columns(), x.ncols());
                let left = match left {
                    Factor::Narrow(left) => Left::Columns(left.subrows(panel * frozen.height(), rows)),
                    Factor::Wide { plain, .. } => Left::Panels(plain, panel, rows),
                };
                Some(Term { left, right: low })
            }
            Self::Merged { .. } | Self::Frozen | Self::Probed => None,
        };
        [Term { left: Left::Panels(frozen, panel, rows), right: x }].into_iter().chain(adapter)
    }

    /// The gradient of the applied form from that of the result, `d_y`: of two narrow factors into `partial`. Of wide ones and of a
    /// merged form it is as large as the weight: what it is a product of is kept, for one sum over all blocks. `Lᵀ d_y` of a factored
    /// one is left in [`d_low`](Partial::d_low).
    pub(crate) fn gradient(&self, x: MatRef<'_, T>, low: &Buffer<T>, d_y: MatRef<'_, T>, partial: &mut Partial<T>) {
        let tokens = x.ncols();
        match self {
            Self::Factored { left, right } => {
                let rank = right.columns();
                let (low, mut d_low) = (low.read(rank, tokens), partial.d_low.write(rank, tokens));
                left.transposed_times(d_low.as_mut(), d_y);
                if rank >= WIDE {
                    partial.low.write(rank, tokens).copy_from(low);
                    partial.d_y.write(d_y.nrows(), tokens).copy_from(d_y);
                    return;
                }
                let d_left = partial.left.write(left.shape().0, rank);
                sum_of_products(d_left, Start::Zero, [Term::columns(d_y, low.transpose())]);
                let d_right = partial.right.write(right.shape().0, rank);
                sum_of_products(d_right, Start::Zero, [Term::columns(x, d_low.as_ref().transpose())]);
            }
            Self::Merged { .. } | Self::Probed => partial.d_y.write(d_y.nrows(), tokens).copy_from(d_y),
            Self::Frozen => {}
        }
    }

    /// The terms of `(W_0 + ΔW)ᵀ d_y`, the gradient with respect to `x`, given `W_0ᵀ`; after [`gradient`](Self::gradient).
    pub(crate) fn backward<'a>(
        &'a self,
        transposed: &'a Packed<T>,
        d_y: MatRef<'a, T>,
        partial: &'a Partial<T>,
    ) -> impl Iterator<Item = Term<'a, T>> {
        let (packed, low) = match self {
            Self::Factored { right, .. } => {
                let d_low = partial.d_low.read(right.columns(), d_y.ncols());
                (transposed, Some(right.times(d_low)))
            }
            Self::Merged { backward, .. } => (backward, None),
            Self::Frozen | Self::Probed => (transposed, None),
        };
        [Term::packed(packed, d_y)].into_iter().chain(low)
    }
}

/// A block's share of a site's gradient.
#[derive(Debug, Default)]
pub(crate) struct Partial<T: Real> {
    /// Of a narrow L, m × k.
    pub(crate) left: Buffer<T>,
    /// Of a narrow Rᵀ, n × k.
    pub(crate) right: Buffer<T>,
    /// `Lᵀ d_y`, k × tokens.
    pub(crate) d_low: Buffer<T>,
    /// `R x` of wide factors, k × tokens.
    pub(crate) low: Buffer<T>,
    /// Gradient of the layer's result, m × tokens; only of wide factors and of a merged adapter.
    pub(crate) d_y: Buffer<T>,
}

impl<T: Real> Partial<T> {
    pub(crate) fn bytes(&self) -> usize {
        let buffers = [&self.left, &self.right, &self.d_low, &self.low, &self.d_y];
        buffers.into_iter().map(Buffer::bytes).sum()
    }
}

/// Sums shares of the gradient of a dense layer's adapter, each given with the layer's input, in their order. Adds them to what is
/// there if `adds`, of blocks that went before.
pub(crate) fn reduce<'a, T: Real>(
    shares: impl Iterator<Item = (&'a Partial<T>, MatRef<'a, T>)>,
    adds: bool,
    gradient: &mut AppliedGradient<T>,
    par: Par,
) {
    let mut accumulate = if adds { Accum::Add } else { Accum::Replace };
    let mut shares = shares.peekable();
    if shares.peek().is_none() && !adds {
        return clear(gradient);
    }
    match gradient {
        AppliedGradient::Factored { left, right } if left.ncols() >= WIDE => {
            let (m, rank) = left.shape();
            for (partial, input) in shares {
                let tokens = input.ncols();
                let (low, d_low) = (partial.low.read(rank, tokens), partial.d_low.read(rank, tokens));
                matmul(left.as_mut(), accumulate, partial.d_y.read(m, tokens), low.transpose(), par);
                matmul(right.as_mut(), accumulate, d_low, input.transpose(), par);
                accumulate = Accum::Add;
            }
        }
        AppliedGradient::Factored { left, right } => {
            if !adds {
                left.fill(T::of(0.0));
                right.fill(T::of(0.0));
            }
            let ((m, rank), n) = (left.shape(), right.ncols());
            for (partial, _) in shares {
                *left += partial.left.read(m, rank);
                *right += partial.right.read(n, rank).transpose();
            }
        }
        AppliedGradient::Merged(delta) => {
            let m = delta.nrows();
            for (partial, input) in shares {
                let d_y = partial.d_y.read(m, input.ncols());
                matmul(delta.as_mut(), accumulate, d_y, input.transpose(), par);
                accumulate = Accum::Add;
            }
        }
        AppliedGradient::FactoredRows { .. } | AppliedGradient::MergedRows(_) => panic!("rows are those of embeddings"),
    }
}

/// Makes the gradient of a dense weight 0.
pub(crate) fn clear<T: Real>(gradient: &mut AppliedGradient<T>) {
    match gradient {
        AppliedGradient::Factored { left, right } => {
            left.fill(T::of(0.0));
            right.fill(T::of(0.0));
        }
        AppliedGradient::Merged(delta) => delta.fill(T::of(0.0)),
        AppliedGradient::FactoredRows { .. } | AppliedGradient::MergedRows(_) => panic!("rows are those of embeddings"),
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
                tested.fill(factor.as_ref(), Par::Seq);
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
