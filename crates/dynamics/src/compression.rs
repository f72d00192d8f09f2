//! How a compressed factorization is made from a deep one at initialization, or from the data alone.

use faer::{Accum, Mat, MatRef, Par};
use rand::Rng;

use crate::DynamicsError;
use crate::decomposition::{oriented_basis, orthonormal_basis, thin_svd};
use crate::dense::matmul;
use crate::factorization::{CompressedFactorization, DeepFactorization, Factorization, product_of_scales};
use crate::problem::{Objective, Observed, Target};
use crate::random::{gaussian, haar};
use crate::subspace::InvariantSubspace;
use crate::truncated::{Accuracy, leading_triplets};

/// How far the Gram matrix of the initial product, divided by its scale, may be from the identity.
const ISOMETRY_TOLERANCE: f64 = 1e-8;

/// Accuracy of the singular vectors that [`sampled`] starts from. Where they stand apart from the noise, the tolerance is met in
/// some twenty iterations; a rank guess above what the entries support adds vectors of the noise, of which, as they say
/// nothing about the target, any will do: the iteration limit ends their refinement.
const VECTORS: Accuracy = Accuracy { tolerance: 1e-8, max_iterations: 40 };

/// The exact compression under full observation (paper, section 2): the learning block of the invariant subspace, with
/// fixed bases (γ = 0). Its trajectory is the original's, up to `√m ∏ρ_l` in Frobenius norm.
///
/// # Errors
/// As [`InvariantSubspace::new`].
pub fn compress_exact(model: &DeepFactorization, target: &Target) -> Result<CompressedFactorization, DynamicsError> {
    let subspace = InvariantSubspace::new(model, target)?;
    CompressedFactorization::new(&subspace.left(), &subspace.right(), subspace.scales(), 0.0)
}

/// The compression for completion and sensing (paper, section 4) with rank guess `rank` (r̂) and discrepant step γ: from the gradient
/// `G = ∇_{W_1} f` at the initial factors, `V` = an orthonormal basis of the top-r̂ right singular vectors of G and of
/// `Gᵀ W_1`, and `U = W_{L:1} V / ∏ε_l`; small factors `ε_l I`, `2r̂ × 2r̂`.
///
/// A rectangular target is the square one with the missing rows or columns unobserved, so the orthonormal basis belongs to
/// the LONGER side: for more rows than columns the same is done with the transposed network (`U` from `∇_{W_L} f`,
/// `V = W_{L:1}ᵀ U / ∏ε_l`). The basis of the shorter side is an orthonormal one cut off: columns no longer than 1.
///
/// # Errors
/// If `2r̂` exceeds the shorter side, γ is negative, an inner width is not the longer side, or the factors are not
/// multiples of semi-orthogonal matrices.
pub fn compress(
    model: &mut DeepFactorization,
    objective: &Objective,
    rank: usize,
    discrepancy: f64,
    par: Par,
) -> Result<CompressedFactorization, DynamicsError> {
    let (d_out, d_in) = (objective.d_out(), objective.d_in());
    check_rank_guess(rank, d_out, d_in)?;
    let (depth, longer) = (model.depth(), d_out.max(d_in));
    if let Some(width) = (1..depth).map(|l| model.factor(l).nrows()).find(|&width| width != longer) {
        return Err(DynamicsError::Compression(format!(
            "an inner width of {width}: the original of a {d_out} × {d_in} target is {longer} wide throughout"
        )));
    }
    let mut workspace = objective.workspace(model.inner_width());
    model.loss_and_gradients(objective, &mut workspace, par);
    let scales: Vec<f64> = (1..=depth).map(|l| orthogonal_scale(&model.factor(l))).collect();
    let product = model.end_to_end() * faer::Scale(1.0 / product_of_scales(&scales)?);
    check_isometry(&product)?;
    let (left, right) = if d_out > d_in {
        let last = model.factor(depth).transpose().to_owned();
        let left = gradient_basis(&last, model.gradient(depth).transpose(), rank)?;
        let right = product.transpose() * &left;
        (left, right)
    } else {
        let right = gradient_basis(&model.factor(1), model.gradient(1).as_ref(), rank)?;
        (&product * &right, right)
    };
    CompressedFactorization::new(&left, &right, &scales, discrepancy)
}

/// What [`compress`] makes of a network that is never built: `depth` factors `scale ×` Haar orthogonal, as wide as the longer
/// side. Time O(|Ω| r̂ + d r̂²), memory O(|Ω| + d r̂).
///
/// The initial product is `E = ε^L Q` with one Haar orthogonal Q, and with the top-r̂ singular vectors U_R, V_R of the residual,
/// [`compress`] has `V = span{V_R, Qᵀ U_R}` and `U = Q V`. Only the action of Q on these 2r̂ directions matters, and its law
/// is known: `X = Q V_R` is uniform among the orthonormal d × r̂ matrices. Given X, Q maps the complement of V_R to that of X
/// and is Haar there, so an orthonormal basis Y' of what X leaves of U_R is the image of a uniform orthonormal Q_y
/// perpendicular to V_R. Hence `V = [V_R, Q_y]`, `U = [X, Y']`: orthonormal, and `U = Q V`. (With `C = U_Rᵀ X` and `SᵀS = I − C Cᵀ`,
/// `Qᵀ U_R = V_R Cᵀ + Q_y S` and `Y' = (U_R − X Cᵀ) S⁻¹`; made by QR, Y' stays orthonormal where S is nearly singular.)
///
/// The residual is `P_Ω(E − Φ)`, but E is not there: U_R and V_R are those of `P_Ω(Φ)`. What is left out is `ε^L √(d/r) / σ` of
/// the whole (in Frobenius norm, for r singular values σ), so `scale` must be small enough for that to vanish. A rectangular target
/// is the square one with the missing rows or columns unobserved, as in [`compress`].
///
/// # Errors
/// If `2r̂` exceeds the shorter side, `depth` is zero, γ is negative, it is not some entries that are observed, or a decomposition
/// fails.
pub fn sampled(
    objective: &Objective,
    rank: usize,
    depth: usize,
    scale: f64,
    discrepancy: f64,
    rng: &mut impl Rng,
    par: Par,
) -> Result<CompressedFactorization, DynamicsError> {
    let (d_out, d_in) = (objective.d_out(), objective.d_in());
    check_rank_guess(rank, d_out, d_in)?;
    let Observed::Entries(entries) = objective.observed() else {
        return Err(DynamicsError::Compression("a sampled construction needs a list of observed entries".to_owned()));
    };
    let residual = leading_triplets(entries, objective.values(), rank, VECTORS, rng, par)?.svd;
    let longer = d_out.max(d_in);
    let (u_r, v_r) = (extended(&residual.left, longer), extended(&residual.right, longer));
    let x = haar(longer, rank, rng);
    let image = orthonormal_beside(&x, u_r, par);
    let preimage = orthonormal_beside(&v_r, gaussian(longer, rank, rng), par);
    let left = beside(&x, &image, d_out);
    let right = beside(&v_r, &preimage, d_in);
    CompressedFactorization::new(&left, &right, &vec![scale; depth], discrepancy)
}

/// The spectral initialization of Kwon et al. (arXiv 2311.05061): U, V = the top-`rank` singular vectors of `P_Ω(Φ)`, or of the
/// surrogate `1/m Σ_i y_i A_i` of measurements, and `depth` small factors `scale · I`, `rank × rank`.
///
/// # Errors
/// If `rank` is out of range, γ is negative, or the decomposition fails.
pub fn spectral(
    objective: &Objective,
    rank: usize,
    depth: usize,
    scale: f64,
    discrepancy: f64,
) -> Result<CompressedFactorization, DynamicsError> {
    let (d_out, d_in) = (objective.d_out(), objective.d_in());
    if rank == 0 || rank > d_out.min(d_in) {
        return Err(DynamicsError::Rank { rank, d_out, d_in });
    }
    let svd = thin_svd(surrogate(objective).as_ref())?;
    let (left, right) = (svd.left.subcols(0, rank), svd.right.subcols(0, rank));
    CompressedFactorization::new(&left.to_owned(), &right.to_owned(), &vec![scale; depth], discrepancy)
}

/// The same without a dense matrix: the singular vectors come from subspace iteration ([`leading_triplets`]), to its accuracy.
///
/// # Errors
/// As [`spectral`], and if all entries are observed.
pub fn spectral_sparse(
    objective: &Objective,
    rank: usize,
    depth: usize,
    scale: f64,
    discrepancy: f64,
    rng: &mut impl Rng,
    par: Par,
) -> Result<CompressedFactorization, DynamicsError> {
    let Observed::Entries(entries) = objective.observed() else {
        return Err(DynamicsError::Compression("a sparse construction needs a list of observed entries".to_owned()));
    };
    let svd = leading_triplets(entries, objective.values(), rank, VECTORS, rng, par)?.svd;
    CompressedFactorization::new(&svd.left, &svd.right, &vec![scale; depth], discrepancy)
}

fn check_rank_guess(rank: usize, d_out: usize, d_in: usize) -> Result<(), DynamicsError> {
    if rank == 0 || rank > d_out.min(d_in) / 2 {
        return Err(DynamicsError::Compression(format!(
            "rank guess {rank} is not between 1 and half the shorter side of a {d_out} × {d_in} target"
        )));
    }
    Ok(())
}

/// With zeros below, up to `rows` rows.
fn extended(matrix: &Mat<f64>, rows: usize) -> Mat<f64> {
    Mat::from_fn(rows, matrix.ncols(), |i, k| if i < matrix.nrows() { matrix[(i, k)] } else { 0.0 })
}

/// An orthonormal basis of what the orthonormal `basis` leaves of the columns of `matrix`: uniform if the matrix is Gaussian.
/// Taken away twice, because once is not enough where little is left.
fn orthonormal_beside(basis: &Mat<f64>, mut matrix: Mat<f64>, par: Par) -> Mat<f64> {
    for _ in 0..2 {
        let mut inside = Mat::zeros(basis.ncols(), matrix.ncols());
        matmul(inside.as_mut(), Accum::Replace, basis.transpose(), matrix.as_ref(), 1.0, par);
        matmul(matrix.as_mut(), Accum::Add, basis.as_ref(), inside.as_ref(), -1.0, par);
        matrix = oriented_basis(&matrix).0;
    }
    matrix
}

/// The first `rows` rows of `[a, b]`.
fn beside(a: &Mat<f64>, b: &Mat<f64>, rows: usize) -> Mat<f64> {
    let first = a.ncols();
    Mat::from_fn(rows, first + b.ncols(), |i, k| if k < first { a[(i, k)] } else { b[(i, k - first)] })
}

/// What is observed as a dense matrix: `P_Ω(Φ)`, zero where nothing is observed, or the surrogate of the measurements.
fn surrogate(objective: &Objective) -> Mat<f64> {
    match objective.observed() {
        Observed::Full => objective.target().dense(),
        Observed::Entries(entries) => {
            let mut dense = Mat::zeros(objective.d_out(), objective.d_in());
            entries.iter().zip(objective.values()).for_each(|(place, value)| dense[place] = *value);
            dense
        }
        Observed::Measurements(measurements) => measurements.surrogate(objective.values()),
    }
}

/// Whether a matrix has orthonormal columns, or rows if it has more columns than rows.
fn check_isometry(product: &Mat<f64>) -> Result<(), DynamicsError> {
    let tall = product.nrows() >= product.ncols();
    let gram = if tall { product.transpose() * product } else { product * product.transpose() };
    let distance = (&gram - Mat::<f64>::identity(gram.nrows(), gram.ncols())).norm_l2();
    if distance <= ISOMETRY_TOLERANCE {
        return Ok(());
    }
    Err(DynamicsError::Compression(format!(
        "the initial product is not a multiple of a semi-orthogonal matrix (off by {distance:.1e}): \
         its factors must be drawn scaled orthogonal, and not be trained yet"
    )))
}

/// ε of a factor `ε ×` (semi-)orthogonal, from its Frobenius norm.
fn orthogonal_scale(factor: &Mat<f64>) -> f64 {
    factor.norm_l2() / (factor.nrows().min(factor.ncols()) as f64).sqrt()
}

/// An orthonormal basis of the top-`rank` right singular vectors of `gradient` and of `gradientᵀ factor`.
fn gradient_basis(factor: &Mat<f64>, gradient: MatRef<'_, f64>, rank: usize) -> Result<Mat<f64>, DynamicsError> {
    let first = thin_svd(gradient)?.right;
    let second = thin_svd((gradient.transpose() * factor).as_ref())?.right;
    let both =
        Mat::from_fn(factor.ncols(), 2 * rank, |i, k| if k < rank { first[(i, k)] } else { second[(i, k - rank)] });
    Ok(orthonormal_basis(&both))
}
