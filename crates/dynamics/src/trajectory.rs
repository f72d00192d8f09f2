//! Trajectories of the end-to-end product, kept as thin factors and seen in a few principal components.

use faer::{Mat, Par};
use rand::Rng;

use crate::DynamicsError;
use crate::decomposition::{orthonormal_basis, thin_svd};
use crate::factorization::Factorization;
use crate::random::gaussian;

/// An end-to-end product kept as `left · rightᵀ` with few columns.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// `d_out × q`.
    pub left: Mat<f64>,
    /// `d_in × q`.
    pub right: Mat<f64>,
}

impl Snapshot {
    /// The product of an evaluated factorization, with at most `width` columns.
    ///
    /// Exact when the inner width is at most that. Otherwise the product is projected onto a random `width`-dimensional
    /// sketch of its range, which loses no more than a small multiple of its singular values beyond the first `width`
    /// (Halko, Martinsson & Tropp 2011): with small initialization these are of the order `∏ε_l`.
    pub fn new<F: Factorization + ?Sized>(model: &F, width: usize, rng: &mut impl Rng) -> Self {
        let (p, q) = model.halves();
        if p.nrows() <= width {
            return Self { left: p.transpose().to_owned(), right: q.transpose().to_owned() };
        }
        let width = width.min(p.ncols()).min(q.ncols());
        let sketch = q * gaussian(q.ncols(), width, rng);
        let left = orthonormal_basis(&(p.transpose() * sketch));
        let right = q.transpose() * (p * &left);
        Self { left, right }
    }

    /// The product itself, `d_out × d_in`.
    pub fn dense(&self) -> Mat<f64> {
        &self.left * self.right.transpose()
    }

    /// The Frobenius distance to another snapshot of the same shape, from the triangular factors of the stacked sides:
    /// accurate also where both are nearly equal.
    pub fn distance(&self, other: &Self) -> f64 {
        let left = concatenated(&self.left, &other.left, 1.0);
        let right = concatenated(&self.right, &other.right, -1.0);
        if left.ncols() > left.nrows().min(right.nrows()) {
            return (left * right.transpose()).norm_l2();
        }
        let basis = orthonormal_basis(&left);
        let core = basis.transpose() * &left * right.transpose();
        core.norm_l2()
    }

    /// The Frobenius inner product with another snapshot of the same shape.
    pub fn dot(&self, other: &Self) -> f64 {
        let left = self.left.transpose() * &other.left;
        let right = self.right.transpose() * &other.right;
        left.col_iter()
            .zip(right.col_iter())
            .map(|(a, b)| a.iter().zip(b.iter()).map(|(x, y)| x * y).sum::<f64>())
            .sum()
    }
}

/// `[a, s b]`.
fn concatenated(a: &Mat<f64>, b: &Mat<f64>, s: f64) -> Mat<f64> {
    let first = a.ncols();
    Mat::from_fn(a.nrows(), first + b.ncols(), |i, k| if k < first { a[(i, k)] } else { s * b[(i, k - first)] })
}

/// The principal components of a set of reference products.
#[derive(Clone, Debug)]
pub struct PrincipalComponents<'a> {
    reference: &'a [Snapshot],
    /// `weights[(j, k)]`: the k-th component is `Σ_j weights[(j, k)] (E_j − mean)`, of unit norm.
    weights: Mat<f64>,
    /// `⟨E_j, mean⟩` and `‖mean‖²`.
    on_mean: Vec<f64>,
    mean_square: f64,
}

impl<'a> PrincipalComponents<'a> {
    /// The first `count` principal components of `reference`, centred at its mean. Components without variance are zero.
    ///
    /// # Errors
    /// If the reference is empty or the decomposition fails.
    pub fn new(reference: &'a [Snapshot], count: usize) -> Result<Self, DynamicsError> {
        let n = reference.len();
        if n == 0 {
            return Err(DynamicsError::Shape("no reference products for principal components".into()));
        }
        let gram = Mat::from_fn(n, n, |i, j| reference[i].dot(&reference[j]));
        let on_mean: Vec<f64> = (0..n).map(|i| gram.row(i).iter().sum::<f64>() / n as f64).collect();
        let mean_square = on_mean.iter().sum::<f64>() / n as f64;
        let centred = Mat::from_fn(n, n, |i, j| gram[(i, j)] - on_mean[i] - on_mean[j] + mean_square);
        let svd = thin_svd(centred.as_ref())?;
        let floor = 1e-14 * gram.norm_max();
        let weights = Mat::from_fn(n, count, |j, k| match svd.values.get(k) {
            Some(&variance) if variance > floor => svd.left[(j, k)] / variance.sqrt(),
            _ => 0.0,
        });
        Ok(Self { reference, weights, on_mean, mean_square })
    }

    /// The coordinates of a product.
    pub fn coordinates(&self, product: &Snapshot) -> Vec<f64> {
        let dots: Vec<f64> = self.reference.iter().map(|e| e.dot(product)).collect();
        let on_mean = dots.iter().sum::<f64>() / dots.len() as f64;
        (0..self.weights.ncols())
            .map(|k| {
                let centred = |j: usize| dots[j] - on_mean - self.on_mean[j] + self.mean_square;
                (0..dots.len()).map(|j| self.weights[(j, k)] * centred(j)).sum()
            })
            .collect()
    }
}

/// The end-to-end distance `‖a − b‖_F` of two evaluated factorizations of the same shape.
pub fn product_distance(a: &impl Factorization, b: &impl Factorization, par: Par) -> f64 {
    let ((p, q), (s, t)) = (a.halves(), b.halves());
    let mut difference = Mat::zeros(p.ncols(), q.ncols());
    crate::dense::matmul(difference.as_mut(), faer::Accum::Replace, p.transpose(), q, 1.0, par);
    crate::dense::matmul(difference.as_mut(), faer::Accum::Add, s.transpose(), t, -1.0, par);
    difference.norm_l2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factorization::DeepFactorization;
    use crate::random::stream;

    fn model(width: usize, rank: usize) -> DeepFactorization {
        let mut rng = stream(4, &["trajectory"]);
        let low = gaussian(width, rank, &mut rng) * gaussian(rank, 30, &mut rng);
        DeepFactorization::new(vec![low, gaussian(25, width, &mut rng)]).unwrap()
    }

    #[test]
    fn snapshots_reproduce_low_rank_products() {
        for (width, rank) in [(6, 6), (40, 5)] {
            let model = model(width, rank);
            let snapshot = Snapshot::new(&model, 8, &mut stream(5, &["sketch"]));
            let exact = model.end_to_end();
            let distance = (snapshot.dense() - &exact).norm_l2() / exact.norm_l2();
            assert!(distance < 1e-13, "width {width}: {distance:e}");
            assert!(snapshot.distance(&snapshot) < 1e-12 * exact.norm_l2());
            let zero = Snapshot { left: Mat::zeros(25, 1), right: Mat::zeros(30, 1) };
            assert!((snapshot.distance(&zero) / exact.norm_l2() - 1.0).abs() < 1e-12);
            assert!((snapshot.dot(&snapshot) / exact.squared_norm_l2() - 1.0).abs() < 1e-12);
        }
    }

    /// Products on a line through a point: one component, coordinates equal to the signed distances along it.
    #[test]
    fn principal_components_of_a_line() {
        let mut rng = stream(6, &["line"]);
        let (base, direction) = (gaussian(7, 2, &mut rng), gaussian(7, 1, &mut rng));
        let right = gaussian(9, 3, &mut rng);
        let at = |s: f64| {
            let left = Mat::from_fn(7, 3, |i, k| if k < 2 { base[(i, k)] } else { s * direction[(i, 0)] });
            Snapshot { left, right: right.clone() }
        };
        let reference: Vec<_> = [-1.0, 0.0, 1.0].map(at).to_vec();
        let components = PrincipalComponents::new(&reference, 3).unwrap();
        let unit = (at(1.0).dense() - at(0.0).dense()).norm_l2();
        let found = components.coordinates(&at(2.5));
        assert!((found[0].abs() / unit - 2.5).abs() < 1e-10, "{found:?} in units of {unit}");
        assert!(found[1].abs() < 1e-6 * unit && found[2].abs() < 1e-6 * unit, "{found:?}");
    }
}
