//! Spectra of `ΔW`: the factored way against the dense one, numerical ranks, subspaces at known angles.

use adaptation::Applied;
use adaptation::spectrum::{Alignment, Spectrum};
use dynamics::decomposition::thin_svd;
use dynamics::random::{gaussian, haar, stream};
use faer::Mat;

/// An m × n matrix with these singular values.
fn with_values(m: usize, n: usize, values: &[f64]) -> Mat<f64> {
    let mut rng = stream(1, &["spectrum"]);
    let (left, right) = (haar(m, values.len(), &mut rng), haar(n, values.len(), &mut rng));
    let scaled = Mat::from_fn(m, values.len(), |i, k| left[(i, k)] * values[k]);
    scaled * right.transpose()
}

#[test]
fn factored_spectra_equal_dense_ones() {
    for (m, n, k) in [(40, 12, 4), (12, 40, 4), (9, 9, 9), (5, 7, 6), (30, 6, 1)] {
        let mut rng = stream(2, &["factors"]);
        let (left, right) = (gaussian(m, k, &mut rng), gaussian(k, n, &mut rng));
        let product = &left * &right;
        let dense = thin_svd(product.as_ref()).unwrap();
        let factored = Applied::Factored { left: left.as_ref(), right: right.as_ref() };
        for applied in [factored, Applied::Merged(product.as_ref())] {
            let spectrum = Spectrum::new(applied).unwrap();
            let rank = k.min(m).min(n);
            assert_eq!(spectrum.numerical_rank(), rank);
            for (value, expected) in spectrum.values().iter().zip(&dense.values) {
                assert!((value - expected).abs() < 1e-13 * dense.values[0], "{m} × {n}: {value} against {expected}");
            }
            let aligned = Alignment::new(spectrum.left(rank), dense.left.subcols(0, rank)).unwrap();
            assert!(aligned.smallest > 1.0 - 1e-12, "{aligned:?}");
            let (left, right) = (spectrum.left(rank), spectrum.right(rank));
            let scaled = Mat::from_fn(m, rank, |i, k| left[(i, k)] * spectrum.values()[k]);
            assert!((scaled * right.transpose() - &product).norm_l2() < 1e-12 * product.norm_l2());
        }
    }
}

/// A zero factor (LoRA before its first step) has a spectrum too.
#[test]
fn zero_has_rank_zero() {
    let (left, right) = (Mat::<f32>::zeros(10, 3), Mat::<f32>::full(3, 8, 1.0));
    let spectrum = Spectrum::new(Applied::Factored { left: left.as_ref(), right: right.as_ref() }).unwrap();
    assert_eq!((spectrum.numerical_rank(), spectrum.values()), (0, &[0.0; 3][..]));
    assert_eq!(spectrum.rank_within(0.0), 0);
}

#[test]
fn numerical_ranks() {
    // max(m, n) · 2⁻²³ = 2.4e-6 for 20 rows.
    for (values, rank) in
        [(vec![1.0, 0.5, 1e-5, 1e-7], 3), (vec![1.0, 1e-3, 2e-6], 2), (vec![1.1e-3, 1e-4], 2), (vec![0.9e-3, 1e-4], 0)]
    {
        let spectrum = Spectrum::new(Applied::Merged(with_values(20, 9, &values).as_ref())).unwrap();
        assert_eq!(spectrum.numerical_rank(), rank, "{values:?}");
    }
    let spectrum = Spectrum::new(Applied::Merged(with_values(9, 20, &[3.0, 4e-3, 3e-3]).as_ref())).unwrap();
    assert_eq!([6e-3, 4.5e-3, 1e-3, 5.0].map(|distance| spectrum.rank_within(distance)), [1, 2, 3, 0]);
}

#[test]
fn subspaces_at_known_angles() {
    let q = haar(8, 4, &mut stream(3, &["angles"]));
    let turned = Mat::from_fn(8, 2, |i, j| {
        let angle: f64 = [0.0, 1.0][j];
        angle.cos() * q[(i, j)] + angle.sin() * q[(i, 2 + j)]
    });
    let aligned = Alignment::new(q.subcols(0, 2), turned.as_ref()).unwrap();
    assert!((aligned.smallest - 1f64.cos()).abs() < 1e-14);
    assert!((aligned.mean - (1.0 + 1f64.cos()) / 2.0).abs() < 1e-14);
}

#[test]
fn no_spectrum_without_numbers() {
    assert!(Spectrum::new(Applied::Merged(Mat::full(4, 4, f64::NAN).as_ref())).is_err());
}
