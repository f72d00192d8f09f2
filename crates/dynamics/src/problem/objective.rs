//! The objective: how far a product is from the target where it is observed, and, to judge it, where it is not.

use faer::{Accum, Mat, MatMut, MatRef, Par};

use super::measurements::check_finite;
use super::{Measurements, Observed, Target, residual};
use crate::DynamicsError;
use crate::dense::matmul;
use crate::kernel::{self, Buffers, Workspace};
use crate::sparse::{self, Evaluation, ObservedEntries, Simd, SparseRef};

/// Columns of the end-to-end product that are formed at a time when all entries are visited.
const PANEL: usize = 64;

/// Entries of a target up to which it is also kept dense, 32 MB; larger ones stay factors unless every entry is needed in
/// every iteration.
const KEPT_DENSE: usize = 4_000_000;

/// What the squared residuals are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossForm {
    /// `f = 1/(2 d_out d_in) Σ_Ω (E − Φ)²`: divided by the number of ALL entries. The paper's step sizes belong to it.
    /// Over m measurements `f = 1/(2m) Σ_i (⟨A_i, E⟩ − y_i)²`: divided by their number.
    Mean,
    /// `f = 1/2 Σ_Ω (E − Φ)²`, or `1/2 Σ_i (⟨A_i, E⟩ − y_i)²`.
    Sum,
}

/// The training objective over the observed entries of a target, or over measurements of it.
#[derive(Clone, Debug)]
pub struct Objective {
    /// Rows and columns.
    shape: (usize, usize),
    /// None if nothing is known but what is observed.
    target: Option<Target>,
    observed: Observed,
    form: LossForm,
    /// Φ on the observed entries (row-wise order), or the measurements y; empty under full observation.
    values: Vec<f64>,
    /// Φ in full, where every entry is needed in every iteration; of small targets always. (Of an unknown target, zero where
    /// nothing is observed.)
    dense: Option<Mat<f64>>,
}

impl Objective {
    /// The objective of fitting `target` on its `observed` entries, or on measurements of it.
    ///
    /// # Errors
    /// If the observed entries or the measurements are those of a matrix of another shape.
    pub fn new(target: Target, observed: Observed, form: LossForm) -> Result<Self, DynamicsError> {
        let shape = (target.d_out(), target.d_in());
        let check = |what: &str, (d_out, d_in): (usize, usize)| {
            if (d_out, d_in) == shape {
                return Ok(());
            }
            let of = format!("{what} of a {d_out} × {d_in} matrix");
            Err(DynamicsError::Shape(format!("{of}, but the target is {} × {}", shape.0, shape.1)))
        };
        let values = match &observed {
            Observed::Full => Vec::new(),
            Observed::Entries(entries) => {
                check("observed entries", (entries.d_out(), entries.d_in()))?;
                target.sample(entries)
            }
            Observed::Measurements(measurements) => {
                check("measurements", (measurements.d_out(), measurements.d_in()))?;
                measurements.of(target.dense().as_ref())
            }
        };
        let small = shape.0 * shape.1 <= KEPT_DENSE;
        let dense = (small || kernel::needs_every_entry(&observed)).then(|| target.dense());
        Ok(Self { shape, target: Some(target), observed, form, values, dense })
    }

    /// The objective of completing a `d_out × d_in` matrix of which nothing is known but some entries, given as
    /// `(row, column, value)` in any order.
    ///
    /// # Errors
    /// If there is no entry, one is outside the matrix or given twice, or a value is NaN or ∞.
    pub fn of_entries(
        (d_out, d_in): (usize, usize),
        mut entries: Vec<(usize, usize, f64)>,
        form: LossForm,
    ) -> Result<Self, DynamicsError> {
        if let Some(&(row, column, value)) = entries.iter().find(|(_, _, value)| !value.is_finite()) {
            return Err(DynamicsError::NotFinite { row, column, value });
        }
        if entries.is_empty() {
            return Err(DynamicsError::ObservedCount { count: 0, d_out, d_in });
        }
        entries.sort_unstable_by_key(|&(row, column, _)| (row, column));
        if let Some(pair) = entries.windows(2).find(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)) {
            return Err(DynamicsError::Repeated { row: pair[0].0, column: pair[0].1 });
        }
        let places = ObservedEntries::new(d_out, d_in, entries.iter().map(|&(row, column, _)| (row, column)))?;
        let observed = Observed::Entries(places);
        let dense = kernel::needs_every_entry(&observed).then(|| {
            let mut dense = Mat::zeros(d_out, d_in);
            entries.iter().for_each(|&(row, column, value)| dense[(row, column)] = value);
            dense
        });
        let values = entries.into_iter().map(|(_, _, value)| value).collect();
        Ok(Self { shape: (d_out, d_in), target: None, observed, form, values, dense })
    }

    /// The objective of recovering a matrix of which nothing is known but its `measurements`, which have these `values` (y).
    ///
    /// # Errors
    /// If there are not as many values as measurements, or one is NaN or ∞.
    pub fn of_measurements(
        measurements: Measurements,
        values: Vec<f64>,
        form: LossForm,
    ) -> Result<Self, DynamicsError> {
        if values.len() != measurements.len() {
            let text = format!("{} values of {} measurements", values.len(), measurements.len());
            return Err(DynamicsError::Shape(text));
        }
        values.iter().enumerate().try_for_each(|(index, value)| check_finite(index, &[*value]))?;
        let shape = (measurements.d_out(), measurements.d_in());
        let observed = Observed::Measurements(measurements);
        Ok(Self { shape, target: None, observed, form, values, dense: None })
    }

    /// The target.
    ///
    /// # Panics
    /// If the objective was made by [`Self::of_entries`] or [`Self::of_measurements`]: see [`Self::known_target`].
    pub fn target(&self) -> &Target {
        self.target.as_ref().expect("the target is known, not only what is observed of it")
    }

    /// The target, unless the objective was made from what is observed alone.
    pub fn known_target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// Rows of the target.
    pub fn d_out(&self) -> usize {
        self.shape.0
    }

    /// Columns of the target.
    pub fn d_in(&self) -> usize {
        self.shape.1
    }

    /// What is observed.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Φ on the observed entries, in their (row-wise) order, or the measurements y; empty under full observation.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The loss form.
    pub fn form(&self) -> LossForm {
        self.form
    }

    /// The factor in front of the residual in the gradient: `1/(d_out d_in)` (of m measurements `1/m`) or 1.
    pub fn weight(&self) -> f64 {
        match (self.form, &self.observed) {
            (LossForm::Mean, Observed::Measurements(measurements)) => 1.0 / measurements.len() as f64,
            (LossForm::Mean | LossForm::Sum, _) => self.weight_of_entries(),
        }
    }

    /// That factor in a loss over entries.
    fn weight_of_entries(&self) -> f64 {
        match self.form {
            LossForm::Mean => 1.0 / (self.d_out() as f64 * self.d_in() as f64),
            LossForm::Sum => 1.0,
        }
    }

    /// Buffers for products of inner width `k`, for the [`kernel`](crate::kernel) that suits them.
    pub fn workspace(&self, k: usize) -> Workspace {
        Workspace::new(self, k)
    }

    /// The loss at `E = Pᵀ Q`, and its gradients with respect to P (`k × d_out`) and Q (`k × d_in`).
    ///
    /// A gradient that is not wanted is passed as `None` and costs nothing.
    ///
    /// # Panics
    /// If shapes do not match, or the workspace is one of another objective.
    pub fn loss_and_gradients(
        &self,
        p: MatRef<'_, f64>,
        q: MatRef<'_, f64>,
        dp: Option<MatMut<'_, f64>>,
        dq: Option<MatMut<'_, f64>>,
        workspace: &mut Workspace,
        par: Par,
    ) -> f64 {
        let alpha = self.weight();
        let squares = match (&self.observed, &mut workspace.0) {
            (Observed::Measurements(measurements), Buffers::Measured(measured)) => {
                let evaluation = Evaluation { p, q, dp, dq, alpha };
                measured.loss_and_gradients(evaluation, measurements, &self.values, par)
            }
            (observed @ (Observed::Full | Observed::Entries(_)), Buffers::Dense { residual, transposing }) => {
                let target = self.dense.as_ref().expect("kept dense where every entry is needed");
                let squares = match observed {
                    Observed::Entries(entries) => residual::masked(residual, p, q, target, entries, par),
                    _ => residual::full(residual, p, q, target.as_ref(), par),
                };
                if let Some(dp) = dp {
                    transposing.matmul(dp, q, residual.as_ref(), alpha, par);
                }
                if let Some(dq) = dq {
                    matmul(dq, Accum::Replace, p, residual.as_ref(), alpha, par);
                }
                squares
            }
            (Observed::Entries(entries), Buffers::Tiled(tiled)) => {
                assert_eq!(tiled.len(), entries.len(), "a workspace of another objective");
                tiled.loss_and_gradients(Evaluation { p, q, dp, dq, alpha }, par)
            }
            (Observed::Entries(entries), Buffers::InPlace { residual }) => {
                let (evaluation, targets) = (Evaluation { p, q, dp, dq, alpha }, SparseRef::new(entries, &self.values));
                sparse::stored_loss_and_gradients(residual, evaluation, targets, Simd::best(), par)
            }
            (Observed::Entries(entries), Buffers::Recomputed { by_column }) => {
                let (evaluation, targets) = (Evaluation { p, q, dp, dq, alpha }, (&*self.values, &**by_column));
                sparse::recomputed_loss_and_gradients(evaluation, entries, targets, Simd::best(), par)
            }
            _ => panic!("a workspace of another objective or model"),
        };
        0.5 * alpha * squares
    }

    /// The recovery error at `E = Pᵀ Q`: the loss formula over the UNobserved entries, divided by all entries too in
    /// the mean form. Zero under full observation. Measurements observe no single entry: it is over all of them, divided
    /// by their number in the mean form. Visits all entries; [`HeldOut`](crate::HeldOut) samples them.
    ///
    /// # Panics
    /// If the target is not known, or shapes do not match.
    pub fn recovery_error(&self, p: MatRef<'_, f64>, q: MatRef<'_, f64>, par: Par) -> f64 {
        let observed = match &self.observed {
            Observed::Full => return 0.0,
            Observed::Entries(entries) => Some(entries),
            Observed::Measurements(_) => None,
        };
        let squares = self.sum_over_panels(p, q, par, |j, residual| {
            for &i in observed.map_or(&[][..], |entries| entries.rows_of(j)) {
                residual[i as usize] = 0.0;
            }
            residual.iter().map(|x| x * x).sum::<f64>()
        });
        0.5 * self.weight_of_entries() * squares
    }

    /// The relative error `‖PᵀQ − Φ‖_F / ‖Φ‖_F` over all entries.
    ///
    /// # Panics
    /// If the target is not known, or shapes do not match.
    pub fn relative_error(&self, p: MatRef<'_, f64>, q: MatRef<'_, f64>, par: Par) -> f64 {
        let squares = self.sum_over_panels(p, q, par, |_, residual| residual.iter().map(|x| x * x).sum::<f64>());
        squares.sqrt() / self.target().norm()
    }

    /// Sums `term(j, column j of PᵀQ − Φ)` over all columns, in order, one panel of columns at a time.
    fn sum_over_panels(
        &self,
        p: MatRef<'_, f64>,
        q: MatRef<'_, f64>,
        par: Par,
        mut term: impl FnMut(usize, &mut [f64]) -> f64,
    ) -> f64 {
        let (target, (d_out, d_in)) = (self.target(), self.shape);
        let left = self.dense.is_none().then(|| target.scaled_left());
        let mut panel = Mat::zeros(d_out, PANEL.min(d_in));
        let mut sum = 0.0;
        for start in (0..d_in).step_by(PANEL) {
            let width = PANEL.min(d_in - start);
            let mut panel = panel.as_mut().subcols_mut(0, width);
            let right = q.subcols(start, width);
            matmul(panel.as_mut(), Accum::Replace, p.transpose(), right, 1.0, par);
            if let Some(dense) = &self.dense {
                panel -= dense.subcols(start, width);
            } else if let Some(left) = &left {
                let right = target.right().subrows(start, width);
                matmul(panel.as_mut(), Accum::Add, left.as_ref(), right.transpose(), -1.0, par);
            }
            for (offset, column) in panel.col_iter_mut().enumerate() {
                let column = column.try_as_col_major_mut().expect("panels are column-major");
                sum += term(start + offset, column.as_slice_mut());
            }
        }
        sum
    }
}
