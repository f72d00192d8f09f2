//! The decompositions against their definitions, for every shape, and for matrices that do not have one.

use dynamics::decomposition::{Svd, full_svd, orthonormal_basis, thin_qr, thin_svd};
use dynamics::random::{gaussian, stream};
use dynamics::{DynamicsError, random};
use faer::Mat;
use proptest::prelude::*;

fn orthonormality(basis: &Mat<f64>) -> f64 {
    (basis.transpose() * basis - Mat::<f64>::identity(basis.ncols(), basis.ncols())).norm_l2()
}

fn check(matrix: &Mat<f64>, svd: &Svd) {
    let (m, n) = matrix.shape();
    assert_eq!(svd.values.len(), m.min(n));
    assert!(svd.values.is_sorted_by(|a, b| a >= b) && svd.values.iter().all(|&value| value >= 0.0));
    assert!(orthonormality(&svd.left) < 1e-12 && orthonormality(&svd.right) < 1e-12);
    let middle = Mat::from_fn(svd.left.ncols(), svd.right.ncols(), |i, j| if i == j { svd.values[i] } else { 0.0 });
    let distance = (&svd.left * middle * svd.right.transpose() - matrix).norm_l2();
    assert!(distance <= 1e-12 * matrix.norm_l2(), "{m} × {n}: {distance:e}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Of full rank, and with a rank far below the sides (repeated zero singular values).
    #[test]
    fn singular_value_decompositions(m in 1usize..40, n in 1usize..40, rank in 1usize..6, seed: u64) {
        let mut rng = stream(seed, &["svd"]);
        for matrix in [gaussian(m, n, &mut rng), gaussian(m, rank, &mut rng) * gaussian(rank, n, &mut rng)] {
            let (thin, full) = (thin_svd(matrix.as_ref()).unwrap(), full_svd(matrix.as_ref()).unwrap());
            let size = m.min(n);
            prop_assert_eq!((thin.left.shape(), thin.right.shape()), ((m, size), (n, size)));
            prop_assert_eq!((full.left.shape(), full.right.shape()), ((m, m), (n, n)));
            check(&matrix, &thin);
            check(&matrix, &full);
        }
    }

    /// Q is orthonormal, `QᵀA` upper triangular with the diagonal that is returned, and nothing of A is outside Q.
    #[test]
    fn thin_qr_decompositions(rows in 0usize..40, n in 1usize..70, seed: u64) {
        let matrix = gaussian(n + rows, n, &mut stream(seed, &["qr"]));
        let (q, diagonal) = thin_qr(&matrix);
        prop_assert!(orthonormality(&q) < 1e-12);
        let r = q.transpose() * &matrix;
        for j in 0..n {
            prop_assert!((r[(j, j)] - diagonal[j]).abs() < 1e-12 * matrix.norm_l2());
            prop_assert!((j + 1..n).all(|i| r[(i, j)].abs() < 1e-12 * matrix.norm_l2()));
        }
        prop_assert!((&q * r - &matrix).norm_l2() < 1e-12 * matrix.norm_l2());
    }
}

/// Uᵀ and V of an orthogonal matrix times ε: all singular values are equal, as at every initialization.
#[test]
fn equal_singular_values() {
    let matrix = random::haar(30, 30, &mut stream(1, &["equal"])) * faer::Scale(1e-3);
    let svd = thin_svd(matrix.as_ref()).unwrap();
    check(&matrix, &svd);
    assert!(svd.values.iter().all(|value| (value / 1e-3 - 1.0).abs() < 1e-13));
}

#[test]
fn a_matrix_that_is_not_finite_has_no_decomposition() {
    for bad in [f64::NAN, f64::INFINITY] {
        for (m, n) in [(2, 2), (9, 5), (40, 60)] {
            let mut matrix = gaussian(m, n, &mut stream(1, &["bad"]));
            matrix[(1, 1)] = bad;
            let expected = DynamicsError::SvdFailed { rows: m, columns: n };
            assert_eq!(thin_svd(matrix.as_ref()).unwrap_err(), expected);
            assert_eq!(full_svd(matrix.as_ref()).unwrap_err(), expected);
        }
    }
}

/// The basis keeps the span and its order: the first columns of the basis span the first columns of the matrix.
#[test]
fn orthonormal_bases_keep_the_span() {
    let matrix = gaussian(20, 6, &mut stream(2, &["basis"]));
    let basis = orthonormal_basis(&matrix);
    for k in 1..=6 {
        let (some, part) = (matrix.subcols(0, k), basis.subcols(0, k));
        assert!((some - part * (part.transpose() * some)).norm_l2() < 1e-12);
    }
}
