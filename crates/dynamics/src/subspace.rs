//! The invariant subspace of the learning dynamics: its basis, the block structure of the factors in it, and angles
//! between subspaces.

use faer::{Mat, MatRef};

use crate::DynamicsError;
use crate::decomposition::{full_svd, thin_svd};
use crate::factorization::{DeepFactorization, product_of_scales};
use crate::problem::Target;

/// The bases in which every factor keeps the block form `[W̃_l 0; 0 ρ_l I]` along the whole trajectory
/// (paper, Theorem 2.1): full observation, square factors, scaled orthogonal initialization.
#[derive(Clone, Debug)]
pub struct InvariantSubspace {
    /// `V_1, V_2 = U_1, …, V_{L+1} = U_L`, each `d × d` orthogonal; the first `2r` columns are the learning block.
    bases: Vec<Mat<f64>>,
    /// `ε_l`, with `W_l(0) = ε_l ×` orthogonal.
    scales: Vec<f64>,
    learning: usize,
}

/// How far a factor is from the block form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockStructure {
    /// `‖U_lᵀ W_l V_l − [W̃_l 0; 0 ρ_l I]‖_F / ‖W_l‖_F`.
    pub residual: f64,
    /// ρ_l: the mean of the diagonal of the trailing block.
    pub rho: f64,
}

impl InvariantSubspace {
    /// The bases belonging to `model` at initialization: `V_{1,2}` spans `ker A ∩ ker (Aᵀ W_1)` with
    /// `A = W_{L:2}ᵀ Φ`, and `U_l = W_l V_l / ε_l = V_{l+1}`.
    ///
    /// # Errors
    /// If target or a factor is not square, a factor no multiple of an orthogonal matrix (to 1e-10), the product of their scales
    /// underflows, or `2r ≥ d`.
    pub fn new(model: &DeepFactorization, target: &Target) -> Result<Self, DynamicsError> {
        let (d, r, depth) = (target.d_in(), target.rank(), model.depth());
        if target.d_out() != d {
            return Err(DynamicsError::Shape(format!("the target is {} × {d}, not square", target.d_out())));
        }
        if 2 * r >= d {
            return Err(DynamicsError::Compression(format!(
                "rank {r} leaves no invariant directions in dimension {d}: 2r < d is needed"
            )));
        }
        let factors: Vec<_> = (1..=depth).map(|l| model.factor(l)).collect();
        let scales = factors
            .iter()
            .enumerate()
            .map(|(l, w)| orthogonal_scale(w.as_ref(), d, l + 1))
            .collect::<Result<Vec<_>, _>>()?;
        product_of_scales(&scales)?;
        let mut a = target.dense();
        for w in factors[1..].iter().rev() {
            a = w.transpose() * a;
        }
        let b = a.transpose() * &factors[0];
        let mut bases = vec![kernel_last(&a, &b)?];
        for (w, scale) in factors.iter().zip(&scales) {
            let v = bases.last().expect("starts with V_1");
            bases.push((w * v) * faer::Scale(1.0 / scale));
        }
        Ok(Self { bases, scales, learning: 2 * r })
    }

    /// Number of directions in which nothing is learned, `m = d − 2r`.
    pub fn frozen(&self) -> usize {
        self.bases[0].ncols() - self.learning
    }

    /// `ε_l` of every factor.
    pub fn scales(&self) -> &[f64] {
        &self.scales
    }

    /// `V_{1,1}`, `d × 2r`.
    pub fn right(&self) -> Mat<f64> {
        self.bases[0].subcols(0, self.learning).to_owned()
    }

    /// `U_{L,1}`, `d × 2r`.
    pub fn left(&self) -> Mat<f64> {
        self.bases.last().expect("at least V_1").subcols(0, self.learning).to_owned()
    }

    /// The block structure of the factor `W_l`, `l` from 1 to L.
    pub fn block_structure(&self, l: usize, factor: MatRef<'_, f64>) -> BlockStructure {
        let mut block = self.bases[l].transpose() * factor * &self.bases[l - 1];
        let (d, learning) = (block.nrows(), self.learning);
        let rho = (learning..d).map(|i| block[(i, i)]).sum::<f64>() / (d - learning) as f64;
        block.as_mut().submatrix_mut(0, 0, learning, learning).fill(0.0);
        for i in learning..d {
            block[(i, i)] -= rho;
        }
        BlockStructure { residual: block.norm_l2() / factor.norm_l2(), rho }
    }
}

/// One step of `ρ_l ← ρ_l (1 − ηλ − η ∏_{k≠l} ρ_k²)` for all layers at once (sum form of the loss).
pub fn step_rho(rho: &mut [f64], step_size: f64, weight_decay: f64) {
    let squares: Vec<f64> = rho.iter().map(|x| x * x).collect();
    for l in 0..rho.len() {
        let others: f64 = squares.iter().enumerate().filter(|(k, _)| *k != l).map(|(_, s)| s).product();
        rho[l] *= 1.0 - step_size * weight_decay - step_size * others;
    }
}

/// `ε` of a factor that is `ε ×` orthogonal.
fn orthogonal_scale(w: MatRef<'_, f64>, d: usize, l: usize) -> Result<f64, DynamicsError> {
    let scale = w.norm_l2() / (d as f64).sqrt();
    let square = w.shape() == (d, d);
    let orthogonal = square && {
        // Divided first: the square of a small scale underflows.
        let unit = w * faer::Scale(1.0 / scale);
        (unit.transpose() * &unit - Mat::<f64>::identity(d, d)).norm_l2() < 1e-10
    };
    if orthogonal {
        return Ok(scale);
    }
    Err(DynamicsError::Compression(format!("W_{l} is not a multiple of a {d} × {d} orthogonal matrix")))
}

/// An orthogonal `d × d` matrix whose last columns span `ker a ∩ ker b` and whose first span the complement.
fn kernel_last(a: &Mat<f64>, b: &Mat<f64>) -> Result<Mat<f64>, DynamicsError> {
    let (na, nb) = (a.norm_l2(), b.norm_l2());
    let rows = a.nrows() + b.nrows();
    let stacked =
        Mat::from_fn(rows, a.ncols(), |i, j| if i < a.nrows() { a[(i, j)] / na } else { b[(i - a.nrows(), j)] / nb });
    Ok(full_svd(stacked.as_ref())?.right)
}

/// The principal angles between the spans of the columns of `a` and `b` (`d × p` and `d × q`, orthonormal), in radians,
/// ascending, `min(p, q)` of them. Accurate for small angles too: Björck & Golub 1973, by sines below 45°.
///
/// ```
/// use dynamics::subspace::principal_angles;
///
/// // Two planes in space that share the first axis, the second one tilted by 0.2 radians.
/// let a = faer::mat![[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]];
/// let b = faer::mat![[1.0, 0.0], [0.0, 0.2f64.cos()], [0.0, 0.2f64.sin()]];
/// let angles = principal_angles(a.as_ref(), b.as_ref())?;
/// assert!(angles[0].abs() < 1e-15 && (angles[1] - 0.2).abs() < 1e-15);
/// # Ok::<(), dynamics::DynamicsError>(())
/// ```
///
/// # Errors
/// If the singular value decomposition fails.
///
/// # Panics
/// If the spaces have different dimensions.
pub fn principal_angles(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Result<Vec<f64>, DynamicsError> {
    assert_eq!(a.nrows(), b.nrows(), "subspaces of different spaces");
    if a.ncols() < b.ncols() {
        return principal_angles(b, a);
    }
    let overlap = a.transpose() * b;
    let cosines = thin_svd(overlap.as_ref())?.values;
    let sines = thin_svd((b - a * &overlap).as_ref())?.values;
    Ok(cosines
        .iter()
        .zip(sines.iter().rev())
        .map(|(&cosine, &sine)| if cosine * cosine < 0.5 { cosine.min(1.0).acos() } else { sine.min(1.0).asin() })
        .collect())
}

/// How the singular values and vectors of one factor move along the iterations (paper, Figure 3).
#[derive(Clone, Debug, PartialEq)]
pub struct SingularEvolution {
    /// `values[t][i]`: the i-th largest singular value at iteration t.
    pub values: Vec<Vec<f64>>,
    /// `right_angles[t][i]`: angle in radians between the i-th right singular vector and its reference.
    pub right_angles: Vec<Vec<f64>>,
    /// `left_angles[t][i]`: the same for left singular vectors.
    pub left_angles: Vec<Vec<f64>>,
}

impl SingularEvolution {
    /// The evolution over `iterates` W(0), W(1), …, for a target of rank `rank`.
    ///
    /// The reference is the FIRST iterate after initialization, since at t = 0 all singular values are equal and the
    /// vectors arbitrary; the angle at t = 0 is set to 0. The top and the bottom `rank` vectors have one angle each; the
    /// middle ones share one, the largest principal angle between the subspaces they span.
    ///
    /// # Errors
    /// If a decomposition fails.
    ///
    /// # Panics
    /// With fewer than two iterates, or `2 rank > d`.
    pub fn new(iterates: &[Mat<f64>], rank: usize) -> Result<Self, DynamicsError> {
        assert!(iterates.len() >= 2, "the reference vectors come from the first iterate after t = 0");
        let decompositions = iterates.iter().map(|w| thin_svd(w.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let reference = &decompositions[1];
        let mut evolution = Self {
            values: decompositions.iter().map(|svd| svd.values.clone()).collect(),
            right_angles: vec![vec![0.0; reference.values.len()]],
            left_angles: vec![vec![0.0; reference.values.len()]],
        };
        for svd in &decompositions[1..] {
            evolution.right_angles.push(vector_angles(&reference.right, &svd.right, rank)?);
            evolution.left_angles.push(vector_angles(&reference.left, &svd.left, rank)?);
        }
        Ok(evolution)
    }
}

/// Angles between corresponding columns: one each for the first and last `rank`, a common one for those between.
fn vector_angles(a: &Mat<f64>, b: &Mat<f64>, rank: usize) -> Result<Vec<f64>, DynamicsError> {
    let d = a.ncols();
    assert!(2 * rank <= d, "top and bottom {rank} of {d} singular vectors overlap");
    let largest = |start: usize, count: usize| -> Result<f64, DynamicsError> {
        let angles = principal_angles(a.subcols(start, count), b.subcols(start, count))?;
        Ok(angles.last().copied().unwrap_or(0.0))
    };
    let middle = if d > 2 * rank { largest(rank, d - 2 * rank)? } else { 0.0 };
    (0..d).map(|i| if i < rank || i >= d - rank { largest(i, 1) } else { Ok(middle) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{haar, stream};

    /// Two planes in R⁵ at known angles, hidden by a random rotation.
    #[test]
    fn principal_angles_of_known_planes() {
        for angles in [[1e-9f64, 0.3], [0.0, 1.2], [0.7, 1.57]] {
            let rotation = haar(5, 5, &mut stream(1, &["angles"]));
            let a = rotation.subcols(0, 2).to_owned();
            let b =
                Mat::from_fn(5, 2, |i, j| rotation[(i, j)] * angles[j].cos() + rotation[(i, 2 + j)] * angles[j].sin());
            let found = principal_angles(a.as_ref(), b.as_ref()).unwrap();
            for (found, expected) in found.iter().zip(angles) {
                assert!((found - expected).abs() < 1e-14, "{found} against {expected}");
            }
        }
    }

    #[test]
    fn angles_between_subspaces_of_different_dimension() {
        let q = haar(6, 6, &mut stream(2, &["angles"]));
        let found = principal_angles(q.subcols(0, 1), q.subcols(0, 3)).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0] < 1e-15);
        let found = principal_angles(q.subcols(0, 2), q.subcols(2, 3)).unwrap();
        assert!(found.iter().all(|angle| (angle - std::f64::consts::FRAC_PI_2).abs() < 1e-14));
    }

    /// One step of the recursion by hand, three layers.
    #[test]
    fn rho_recursion() {
        let mut rho = [0.5, 1.0, 2.0];
        step_rho(&mut rho, 0.1, 0.01);
        let expected = [0.5 * (1.0 - 0.001 - 0.1 * 4.0), 1.0 - 0.001 - 0.1 * 1.0, 2.0 * (1.0 - 0.001 - 0.1 * 0.25)];
        for (rho, expected) in rho.iter().zip(expected) {
            assert!((rho - expected).abs() < 1e-15);
        }
    }
}
