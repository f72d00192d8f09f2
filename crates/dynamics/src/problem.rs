//! What is to be learned: the low-rank target, the observed entries, and the objective over them.

use faer::{Accum, Mat, MatMut, MatRef, Par};
use pulp::{Arch, Simd, WithSimd};
use rand::Rng;
use rand::seq::index;
use rayon::prelude::*;

use crate::DynamicsError;
use crate::decomposition::thin_svd;
use crate::dense::{Padded, Transposing, matmul};
use crate::observed::uniform_entries;
use crate::random::{gaussian, haar};
use crate::sparse::{self, ObservedEntries};

/// Columns of the end-to-end product that are formed at a time when all entries are visited.
const PANEL: usize = 64;
/// Entries from which the dense residual is worth sharing between threads.
const PARALLEL_RESIDUAL: usize = 1 << 17;

/// Entries of a target up to which it is also kept dense, 32 MB; larger ones stay factors unless every entry is needed in
/// every iteration.
const KEPT_DENSE: usize = 4_000_000;

/// A low-rank target `Φ = U diag(σ) Vᵀ`, kept as its factors.
#[derive(Clone, Debug)]
pub struct Target {
    left: Mat<f64>,
    values: Vec<f64>,
    right: Mat<f64>,
}

impl Target {
    /// A standard Gaussian `d_out × d_in` matrix cut to its `rank` largest singular triplets (so σ₁ ≈ √d_out + √d_in).
    ///
    /// # Errors
    /// If `rank` is zero or larger than either side.
    pub fn gaussian(d_out: usize, d_in: usize, rank: usize, rng: &mut impl Rng) -> Result<Self, DynamicsError> {
        check_rank(rank, d_out, d_in)?;
        Self::truncated(gaussian(d_out, d_in, rng).as_ref(), rank)
    }

    /// A target of any size, made from its factors alone: U and V are Haar distributed, as the singular vectors of a Gaussian
    /// matrix are, and all `rank` singular values are `√d_out + √d_in`, which those of [`Target::gaussian`] approach (from
    /// below, by a share of about `d^(−2/3)`) as the sides grow and the rank stays.
    ///
    /// # Errors
    /// If `rank` is zero or larger than either side.
    pub fn gaussian_factors(d_out: usize, d_in: usize, rank: usize, rng: &mut impl Rng) -> Result<Self, DynamicsError> {
        check_rank(rank, d_out, d_in)?;
        let edge = (d_out as f64).sqrt() + (d_in as f64).sqrt();
        Ok(Self { left: haar(d_out, rank, rng), values: vec![edge; rank], right: haar(d_in, rank, rng) })
    }

    /// The best rank-`rank` approximation of a given matrix.
    ///
    /// # Errors
    /// If `rank` is zero or larger than either side, or the decomposition fails.
    pub fn truncated(matrix: MatRef<'_, f64>, rank: usize) -> Result<Self, DynamicsError> {
        check_rank(rank, matrix.nrows(), matrix.ncols())?;
        let svd = thin_svd(matrix)?;
        Ok(Self {
            left: svd.left.subcols(0, rank).to_owned(),
            values: svd.values[..rank].to_vec(),
            right: svd.right.subcols(0, rank).to_owned(),
        })
    }

    /// The target with the given orthonormal factors (`d_out × r`, `d_in × r`) and singular values.
    ///
    /// # Errors
    /// If the shapes do not fit, or a factor's columns are not orthonormal to 1e-10.
    pub fn from_factors(left: Mat<f64>, values: Vec<f64>, right: Mat<f64>) -> Result<Self, DynamicsError> {
        let rank = values.len();
        check_rank(rank, left.nrows(), right.nrows())?;
        if left.ncols() != rank || right.ncols() != rank {
            return Err(DynamicsError::Shape(format!(
                "a rank-{rank} target needs factors with {rank} columns, got {} and {}",
                left.ncols(),
                right.ncols()
            )));
        }
        for factor in [&left, &right] {
            let gram = factor.transpose() * factor;
            let distance = (gram - Mat::<f64>::identity(rank, rank)).norm_l2();
            if distance.is_nan() || distance > 1e-10 {
                return Err(DynamicsError::Shape(format!(
                    "the target's singular vectors are not orthonormal (off by {distance:.1e})"
                )));
            }
        }
        Ok(Self { left, values, right })
    }

    /// Rows of Φ.
    pub fn d_out(&self) -> usize {
        self.left.nrows()
    }

    /// Columns of Φ.
    pub fn d_in(&self) -> usize {
        self.right.nrows()
    }

    /// Rank of Φ.
    pub fn rank(&self) -> usize {
        self.values.len()
    }

    /// Left singular vectors, `d_out × r`.
    pub fn left(&self) -> MatRef<'_, f64> {
        self.left.as_ref()
    }

    /// Singular values, descending.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Right singular vectors, `d_in × r`.
    pub fn right(&self) -> MatRef<'_, f64> {
        self.right.as_ref()
    }

    /// The entry `Φ_ij`.
    pub fn entry(&self, i: usize, j: usize) -> f64 {
        (0..self.rank()).map(|k| self.left[(i, k)] * self.values[k] * self.right[(j, k)]).sum()
    }

    /// Φ as a dense `d_out × d_in` matrix.
    pub fn dense(&self) -> Mat<f64> {
        self.scaled_left() * self.right.transpose()
    }

    /// `‖Φ‖_F`.
    pub fn norm(&self) -> f64 {
        self.values.iter().map(|s| s * s).sum::<f64>().sqrt()
    }

    /// The entries of Φ at the observed places, in the entries' (row-wise) order.
    pub fn sample(&self, entries: &ObservedEntries) -> Vec<f64> {
        let rows = self.scaled_left().transpose().to_owned();
        let columns = self.right.transpose().to_owned();
        let mut values = Vec::with_capacity(entries.len());
        for (i, j) in entries.iter() {
            values.push(rows.col(i).iter().zip(columns.col(j).iter()).map(|(a, b)| a * b).sum());
        }
        values
    }

    /// `U diag(σ)`, so that `Φ = (U diag(σ)) Vᵀ`.
    fn scaled_left(&self) -> Mat<f64> {
        Mat::from_fn(self.d_out(), self.rank(), |i, k| self.left[(i, k)] * self.values[k])
    }
}

fn check_rank(rank: usize, d_out: usize, d_in: usize) -> Result<(), DynamicsError> {
    if rank == 0 || rank > d_out.min(d_in) {
        return Err(DynamicsError::Rank { rank, d_out, d_in });
    }
    Ok(())
}

/// Which entries of the target the objective sees.
#[derive(Clone, Debug)]
pub enum Observed {
    /// All of them.
    Full,
    /// A list of them.
    Entries(ObservedEntries),
}

impl Observed {
    /// Exactly `⌊fraction · d_out · d_in⌋` entries, uniform without replacement; all of them if `fraction` is 1.
    ///
    /// # Errors
    /// If `fraction` is outside (0, 1], or so small that nothing is observed.
    pub fn uniform(d_out: usize, d_in: usize, fraction: f64, rng: &mut impl Rng) -> Result<Self, DynamicsError> {
        if !(fraction > 0.0 && fraction <= 1.0) {
            return Err(DynamicsError::Fraction(fraction));
        }
        if fraction == 1.0 {
            return Ok(Self::Full);
        }
        let total = d_out * d_in;
        // In floating point 0.29 · 100 is below 29: what rounding takes away is given back before cutting.
        let count = (fraction * total as f64 * (1.0 + 2.0 * f64::EPSILON)).floor() as usize;
        if count == 0 {
            return Err(DynamicsError::NothingObserved { fraction, d_out, d_in });
        }
        let mut places = index::sample(rng, total, count).into_vec();
        places.sort_unstable();
        let places = places.into_iter().map(|place| (place / d_in, place % d_in));
        Ok(Self::Entries(ObservedEntries::new(d_out, d_in, places)?))
    }

    /// Exactly `count` entries, at most half of all, uniform without replacement: the same law as [`Observed::uniform`] (by
    /// other draws) in O(count) memory, whatever the size of the matrix.
    ///
    /// # Errors
    /// If `count` is zero or more than half of all entries, or the entries cannot be numbered in 32 bits.
    pub fn uniform_sparse(d_out: usize, d_in: usize, count: usize, rng: &mut impl Rng) -> Result<Self, DynamicsError> {
        Ok(Self::Entries(uniform_entries(d_out, d_in, count, rng)?))
    }
}

/// What the squared residuals are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossForm {
    /// `f = 1/(2 d_out d_in) Σ_Ω (E − Φ)²`: divided by the number of ALL entries. The paper's step sizes belong to it.
    Mean,
    /// `f = 1/2 Σ_Ω (E − Φ)²`.
    Sum,
}

/// The training objective over the observed entries of a target.
#[derive(Clone, Debug)]
pub struct Objective {
    target: Target,
    observed: Observed,
    form: LossForm,
    /// Φ on the observed entries (row-wise order); empty under full observation.
    values: Vec<f64>,
    /// The same in the entries' column-wise order; empty unless the residual is computed along both.
    values_by_column: Vec<f64>,
    /// Φ in full, where every entry is needed in every iteration; of small targets always.
    dense: Option<Mat<f64>>,
}

/// Buffers that evaluating an objective at inner width `k` needs; made once, reused in every iteration.
#[derive(Debug)]
pub struct Workspace(Buffers);

#[derive(Debug)]
enum Buffers {
    /// The residual of all entries, zero where nothing is observed, and room for a transposed copy of it.
    Dense(Padded, Transposing),
    /// The residual of the observed entries.
    Sampled(sparse::Workspace),
    /// None: the residual is computed where it is needed.
    Recomputed,
}

impl Objective {
    /// The objective of fitting `target` on its `observed` entries.
    ///
    /// # Errors
    /// If the observed entries are those of a matrix of another shape.
    pub fn new(target: Target, observed: Observed, form: LossForm) -> Result<Self, DynamicsError> {
        let values = match &observed {
            Observed::Full => Vec::new(),
            Observed::Entries(entries) => {
                if (entries.d_out(), entries.d_in()) != (target.d_out(), target.d_in()) {
                    return Err(DynamicsError::Shape(format!(
                        "observed entries of a {} × {} matrix, but the target is {} × {}",
                        entries.d_out(),
                        entries.d_in(),
                        target.d_out(),
                        target.d_in()
                    )));
                }
                target.sample(entries)
            }
        };
        let small = target.d_out() * target.d_in() <= KEPT_DENSE;
        let (every_entry, values_by_column) = match &observed {
            Observed::Full => (true, Vec::new()),
            Observed::Entries(entries) if sparse::is_wide(entries) => (false, entries.in_column_order(&values)),
            Observed::Entries(entries) => (sparse::dense_is_faster(entries), Vec::new()),
        };
        let dense = (small || every_entry).then(|| target.dense());
        Ok(Self { target, observed, form, values, values_by_column, dense })
    }

    /// The target.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The observed entries.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Φ on the observed entries, in their (row-wise) order; empty under full observation.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The loss form.
    pub fn form(&self) -> LossForm {
        self.form
    }

    /// The factor in front of the residual in the gradient: `1/(d_out d_in)` or 1.
    pub fn weight(&self) -> f64 {
        match self.form {
            LossForm::Mean => 1.0 / (self.target.d_out() as f64 * self.target.d_in() as f64),
            LossForm::Sum => 1.0,
        }
    }

    /// Buffers for products of inner width `k`.
    pub fn workspace(&self, k: usize) -> Workspace {
        Workspace(match &self.observed {
            Observed::Entries(entries) if sparse::can_recompute(entries, k) => Buffers::Recomputed,
            Observed::Entries(entries) if self.dense.is_none() || !sparse::dense_is_faster(entries) => {
                Buffers::Sampled(sparse::Workspace::new(entries, &self.values, k))
            }
            _ => Buffers::Dense(Padded::zeros(self.target.d_out(), self.target.d_in()), Transposing::default()),
        })
    }

    /// The loss at `E = Pᵀ Q`, and its gradients with respect to P (`k × d_out`) and Q (`k × d_in`).
    ///
    /// A gradient that is not wanted is passed as `None` and costs nothing.
    pub fn loss_and_gradients(
        &self,
        p: MatRef<'_, f64>,
        q: MatRef<'_, f64>,
        dp: Option<MatMut<'_, f64>>,
        dq: Option<MatMut<'_, f64>>,
        workspace: &mut Workspace,
        par: Par,
    ) -> f64 {
        let weight = self.weight();
        let squares = match (&self.observed, &mut workspace.0) {
            (Observed::Entries(entries), Buffers::Sampled(buffers)) => {
                sparse::sampled_loss_and_gradients(entries, weight, p, q, dp, dq, buffers, par)
            }
            (Observed::Entries(entries), Buffers::Recomputed) => {
                let targets = (self.values.as_slice(), self.values_by_column.as_slice());
                sparse::recomputed_loss_and_gradients(entries, targets, weight, p, q, dp, dq, par)
            }
            (observed, Buffers::Dense(residual, transposing)) => {
                let squares = match observed {
                    Observed::Entries(entries) => self.masked_residual(entries, p, q, residual, par),
                    Observed::Full => self.full_residual(p, q, residual, par),
                };
                if let Some(dp) = dp {
                    transposing.matmul(dp, q, residual.as_ref(), weight, par);
                }
                if let Some(dq) = dq {
                    matmul(dq, Accum::Replace, p, residual.as_ref(), weight, par);
                }
                squares
            }
            (Observed::Full, _) => panic!("a workspace of another objective"),
        };
        0.5 * weight * squares
    }

    /// `residual ← PᵀQ − Φ` on the observed entries, zero elsewhere; returns the sum of its squares.
    fn masked_residual(
        &self,
        entries: &ObservedEntries,
        p: MatRef<'_, f64>,
        q: MatRef<'_, f64>,
        residual: &mut Mat<f64>,
        par: Par,
    ) -> f64 {
        let target = self.every_entry();
        matmul(residual.as_mut(), Accum::Replace, p.transpose(), q, 1.0, par);
        let mut squares = 0.0;
        for (j, column) in residual.as_mut().col_iter_mut().enumerate() {
            let column = column.try_as_col_major_mut().expect("residuals are column-major").as_slice_mut();
            let mut next = 0;
            for &i in &entries.rows()[entries.column_start()[j]..entries.column_start()[j + 1]] {
                let i = i as usize;
                column[next..i].fill(0.0);
                column[i] -= target[(i, j)];
                squares += column[i] * column[i];
                next = i + 1;
            }
            column[next..].fill(0.0);
        }
        squares
    }

    /// `residual ← PᵀQ − Φ`; returns the sum of its squares, added up panel by panel, so that it has the same bits for any
    /// number of threads.
    fn full_residual(&self, p: MatRef<'_, f64>, q: MatRef<'_, f64>, residual: &mut Mat<f64>, par: Par) -> f64 {
        matmul(residual.as_mut(), Accum::Replace, p.transpose(), q, 1.0, par);
        let target = self.every_entry().as_ref();
        assert_eq!(residual.shape(), target.shape(), "a workspace of another objective");
        let parts = |i: usize| i * PANEL..((i + 1) * PANEL).min(target.ncols());
        let panels = target.ncols().div_ceil(PANEL);
        if par.degree() < 2 || target.nrows() * target.ncols() < PARALLEL_RESIDUAL {
            let mut sum = 0.0;
            for i in 0..panels {
                let residual = residual.as_mut().subcols_mut(parts(i).start, parts(i).len());
                sum += subtract(residual, target.subcols(parts(i).start, parts(i).len()));
            }
            return sum;
        }
        let (residual, target) = (residual.par_col_chunks_mut(PANEL), target.par_col_chunks(PANEL));
        let sums: Vec<f64> = residual.zip(target).map(|(residual, target)| subtract(residual, target)).collect();
        sums.iter().fold(0.0, |sum, panel| sum + panel)
    }

    /// Φ in full.
    fn every_entry(&self) -> &Mat<f64> {
        self.dense.as_ref().expect("kept dense where every entry is needed")
    }

    /// The recovery error at `E = Pᵀ Q`: the loss formula over the UNobserved entries, divided by all entries too in
    /// the mean form. Zero under full observation. Visits all entries; [`HeldOut`](crate::HeldOut) samples them.
    pub fn recovery_error(&self, p: MatRef<'_, f64>, q: MatRef<'_, f64>, par: Par) -> f64 {
        let Observed::Entries(entries) = &self.observed else {
            return 0.0;
        };
        let squares = self.sum_over_panels(p, q, par, |j, residual| {
            for &i in &entries.rows()[entries.column_start()[j]..entries.column_start()[j + 1]] {
                residual[i as usize] = 0.0;
            }
            residual.iter().map(|x| x * x).sum::<f64>()
        });
        0.5 * self.weight() * squares
    }

    /// The relative error `‖PᵀQ − Φ‖_F / ‖Φ‖_F` over all entries.
    pub fn relative_error(&self, p: MatRef<'_, f64>, q: MatRef<'_, f64>, par: Par) -> f64 {
        let squares = self.sum_over_panels(p, q, par, |_, residual| residual.iter().map(|x| x * x).sum::<f64>());
        squares.sqrt() / self.target.norm()
    }

    /// Sums `term(j, column j of PᵀQ − Φ)` over all columns, in order, one panel of columns at a time.
    fn sum_over_panels(
        &self,
        p: MatRef<'_, f64>,
        q: MatRef<'_, f64>,
        par: Par,
        mut term: impl FnMut(usize, &mut [f64]) -> f64,
    ) -> f64 {
        let (d_out, d_in) = (self.target.d_out(), self.target.d_in());
        let factors = self.dense.is_none().then(|| self.target.scaled_left());
        let mut panel = Mat::zeros(d_out, PANEL.min(d_in));
        let mut sum = 0.0;
        for start in (0..d_in).step_by(PANEL) {
            let width = PANEL.min(d_in - start);
            let mut panel = panel.as_mut().subcols_mut(0, width);
            let right = q.subcols(start, width);
            matmul(panel.as_mut(), Accum::Replace, p.transpose(), right, 1.0, par);
            match (&self.dense, &factors) {
                (Some(dense), _) => panel -= dense.subcols(start, width),
                (None, Some(left)) => {
                    let right = self.target.right.subrows(start, width);
                    matmul(panel.as_mut(), Accum::Add, left.as_ref(), right.transpose(), -1.0, par);
                }
                (None, None) => unreachable!("one of them is there"),
            }
            for (offset, column) in panel.col_iter_mut().enumerate() {
                let column = column.try_as_col_major_mut().expect("panels are column-major");
                sum += term(start + offset, column.as_slice_mut());
            }
        }
        sum
    }
}

/// `residual ← residual − target`; returns the sum of its squares.
fn subtract(residual: MatMut<'_, f64>, target: MatRef<'_, f64>) -> f64 {
    Arch::new().dispatch(Subtraction { residual, target })
}

/// Compiled for this machine's vectors, and with as many sums under way as those need.
struct Subtraction<'a> {
    residual: MatMut<'a, f64>,
    target: MatRef<'a, f64>,
}

impl WithSimd for Subtraction<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        const SUMS: usize = 32;
        let mut sums = [0.0; SUMS];
        for (residual, target) in self.residual.col_iter_mut().zip(self.target.col_iter()) {
            let residual = residual.try_as_col_major_mut().expect("residuals are column-major").as_slice_mut();
            let target = target.try_as_col_major().expect("targets are column-major").as_slice();
            for (residual, target) in residual.chunks_mut(SUMS).zip(target.chunks(SUMS)) {
                for ((sum, residual), target) in sums.iter_mut().zip(residual).zip(target) {
                    *residual -= target;
                    *sum += *residual * *residual;
                }
            }
        }
        sums.iter().sum()
    }
}
