//! Targets, observed entries and the objective, against their definitions written out in plain loops.

use std::collections::HashSet;

use dynamics::decomposition::thin_svd;
use dynamics::random::{gaussian, haar, stream};
use dynamics::sparse::ObservedEntries;
use dynamics::{DynamicsError, LossForm, Objective, Observed, Target};
use faer::{Mat, Par};
use proptest::prelude::*;

fn orthonormality(basis: &Mat<f64>) -> f64 {
    (basis.transpose() * basis - Mat::<f64>::identity(basis.ncols(), basis.ncols())).norm_l2()
}

/// σ₁ of a Gaussian matrix is `√d_out + √d_in` up to fluctuations of order `d^{−1/6}`: 2 % at these sizes.
#[test]
fn gaussian_targets_have_orthonormal_factors_and_the_expected_norm() {
    for (d_out, d_in, rank) in [(300, 300, 7), (400, 100, 3), (100, 400, 1)] {
        let target = Target::gaussian(d_out, d_in, rank, &mut stream(41, &["target"])).unwrap();
        assert_eq!((target.d_out(), target.d_in(), target.rank()), (d_out, d_in, rank));
        let expected = (d_out as f64).sqrt() + (d_in as f64).sqrt();
        assert!((target.values()[0] / expected - 1.0).abs() < 0.04, "{} against {expected}", target.values()[0]);
        assert!(target.values().is_sorted_by(|a, b| a > b) && *target.values().last().unwrap() > 0.5 * expected);
        assert!(orthonormality(&target.left().to_owned()) < 1e-12);
        assert!(orthonormality(&target.right().to_owned()) < 1e-12);
        let values = thin_svd(target.dense().as_ref()).unwrap().values;
        for (k, value) in values.into_iter().enumerate() {
            let expected = target.values().get(k).copied().unwrap_or(0.0);
            assert!((value - expected).abs() < 1e-11 * expected.max(1.0), "σ_{}: {value}", k + 1);
        }
        assert!((target.norm() / target.dense().norm_l2() - 1.0).abs() < 1e-13);
    }
}

/// Eckart and Young: what the best approximation leaves is orthogonal to it and no larger than its last singular value.
#[test]
fn truncation_is_the_best_approximation() {
    let matrix = gaussian(23, 17, &mut stream(42, &["matrix"]));
    for rank in [1, 4, 17] {
        let target = Target::truncated(matrix.as_ref(), rank).unwrap();
        let rest = &matrix - target.dense();
        assert!((target.left().transpose() * &rest).norm_l2() < 1e-12);
        assert!((&rest * target.right()).norm_l2() < 1e-12);
        let largest = thin_svd(rest.as_ref()).unwrap().values[0];
        assert!(largest <= target.values()[rank - 1] * (1.0 + 1e-12));
    }
}

#[test]
fn targets_refuse_bad_ranks_and_factors() {
    let rng = &mut stream(43, &["factors"]);
    for rank in [0, 5, usize::MAX] {
        let expected = DynamicsError::Rank { rank, d_out: 7, d_in: 4 };
        assert_eq!(Target::gaussian(7, 4, rank, rng).unwrap_err(), expected);
        assert_eq!(Target::truncated(gaussian(7, 4, rng).as_ref(), rank).unwrap_err(), expected);
    }
    assert!(Target::gaussian(7, 4, 4, rng).is_ok());
    let broken = Mat::from_fn(7, 4, |i, j| if (i, j) == (2, 3) { f64::NAN } else { 1.0 });
    assert_eq!(Target::truncated(broken.as_ref(), 1).unwrap_err(), DynamicsError::SvdFailed { rows: 7, columns: 4 });

    let (left, right) = (haar(7, 2, rng), haar(4, 2, rng));
    assert!(Target::from_factors(left.clone(), vec![2.0, 1.0], right.clone()).is_ok());
    let stretched = &left * faer::Scale(1.0 + 1e-8);
    let undefined = Mat::from_fn(7, 2, |i, j| if (i, j) == (0, 0) { f64::NAN } else { left[(i, j)] });
    for bad in [haar(7, 3, rng), stretched, undefined] {
        let error = Target::from_factors(bad, vec![2.0, 1.0], right.clone()).unwrap_err();
        assert!(matches!(error, DynamicsError::Shape(_)), "{error}");
    }
    for values in [vec![1.0, 2.0], vec![2.0, -1.0], vec![f64::NAN, 1.0], vec![f64::INFINITY, 1.0]] {
        let error = Target::from_factors(left.clone(), values, right.clone()).unwrap_err();
        assert!(error.to_string().contains("allowed: finite ones from 0, descending"), "{error}");
    }
    let error = Target::from_factors(left, vec![], right).unwrap_err();
    assert_eq!(error, DynamicsError::Rank { rank: 0, d_out: 7, d_in: 4 });
}

fn draw(d_out: usize, d_in: usize, fraction: f64, seed: u64) -> ObservedEntries {
    match Observed::uniform(d_out, d_in, fraction, &mut stream(seed, &["observed"])).unwrap() {
        Observed::Entries(entries) => entries,
        _ => panic!("not a list of entries at a fraction of {fraction}"),
    }
}

/// ⌊p d²⌋ of the decimal fraction asked for, although 0.29 · 100 is less than 29 in floating point.
#[test]
fn as_many_entries_are_observed_as_asked_for() {
    for (d_out, d_in) in [(10, 10), (20, 20), (50, 50), (13, 7), (100, 100)] {
        for percent in 1..100 {
            let expected = percent * d_out * d_in / 100;
            let fraction = percent as f64 / 100.0;
            if expected == 0 {
                let error = Observed::uniform(d_out, d_in, fraction, &mut stream(1, &["observed"])).unwrap_err();
                assert_eq!(error, DynamicsError::NothingObserved { fraction, d_out, d_in });
                continue;
            }
            let entries = draw(d_out, d_in, fraction, percent as u64);
            assert_eq!(entries.len(), expected, "{fraction} of {d_out} × {d_in}");
            let places: HashSet<_> = entries.iter().collect();
            assert_eq!(places.len(), expected, "an entry is observed twice");
            assert!(places.iter().all(|&(i, j)| i < d_out && j < d_in));
        }
    }
    assert!(matches!(Observed::uniform(3, 4, 1.0, &mut stream(1, &[])), Ok(Observed::Full)));
}

#[test]
fn fractions_out_of_range_are_refused() {
    for fraction in [0.0, -0.1, 1.0 + 1e-12, f64::INFINITY, f64::NAN] {
        let error = Observed::uniform(10, 10, fraction, &mut stream(1, &["observed"])).unwrap_err();
        assert!(matches!(error, DynamicsError::Fraction(_)), "{error}");
    }
}

/// Over many draws, every entry, row and column is observed as often as chance says: neither too unevenly nor too evenly.
/// χ² of n counts is n ± √(2n); five deviations are allowed.
#[test]
fn observed_entries_are_uniform() {
    let (d_out, d_in, draws) = (12, 17, 1000);
    let total = d_out * d_in;
    let count = total * 3 / 10;
    let mut entries = vec![0.0; total];
    let (mut rows, mut columns) = (0.0, 0.0);
    for seed in 0..draws {
        let (mut row, mut column) = (vec![0.0; d_out], vec![0.0; d_in]);
        for (i, j) in draw(d_out, d_in, 0.3, seed).iter() {
            entries[i * d_in + j] += 1.0;
            row[i] += 1.0;
            column[j] += 1.0;
        }
        rows += chi_square(&row, count, total, d_in, 1);
        columns += chi_square(&column, count, total, d_out, 1);
    }
    let draws = draws as usize;
    let (per_row, per_column) = (draws * d_out, draws * d_in);
    for (what, found, n) in [
        ("entries", chi_square(&entries, count, total, 1, draws), total),
        ("rows", rows, per_row),
        ("columns", columns, per_column),
    ] {
        let deviations = (found - n as f64) / (2.0 * n as f64).sqrt();
        assert!(deviations.abs() < 5.0, "{what}: χ² = {found} of {n}, {deviations:.1} deviations");
    }
}

/// Σ (found − expected)² / variance for lines of `line` places of `total`, of which `count` are observed in each of `draws`.
fn chi_square(found: &[f64], count: usize, total: usize, line: usize, draws: usize) -> f64 {
    let [count, total, line, draws] = [count, total, line, draws].map(|n| n as f64);
    let share = line / total;
    let expected = draws * count * share;
    let variance = draws * count * share * (1.0 - share) * (total - count) / (total - 1.0);
    found.iter().map(|x| (x - expected).powi(2) / variance).sum()
}

#[test]
fn observed_entries_of_another_shape_are_refused() {
    let target = Target::gaussian(6, 5, 2, &mut stream(1, &["target"])).unwrap();
    let error = Objective::new(target, Observed::Entries(draw(5, 6, 0.5, 1)), LossForm::Mean).unwrap_err();
    assert!(error.to_string().contains("5 × 6 matrix, but the target is 6 × 5"), "{error}");
}

/// Small sizes, and some beyond the panels in which all entries are visited.
fn side() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1usize..20, 1 => 60usize..150]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Loss, recovery error and relative error in plain dense loops; loss and recovery error are parts of one whole.
    #[test]
    fn objective_is_what_its_definition_says(
        d_out in side(),
        d_in in side(),
        k in 1usize..12,
        fraction in prop_oneof![3 => 0.01f64..1.0, 1 => Just(1.0)],
        mean: bool,
        seed: u64,
    ) {
        prop_assume!(fraction * (d_out * d_in) as f64 >= 1.0);
        let form = if mean { LossForm::Mean } else { LossForm::Sum };
        let mut rng = stream(seed, &["objective"]);
        let target = Target::gaussian(d_out, d_in, d_out.min(d_in).min(3), &mut rng).unwrap();
        let observed = Observed::uniform(d_out, d_in, fraction, &mut rng).unwrap();
        let objective = Objective::new(target.clone(), observed.clone(), form).unwrap();
        let (p, q) = (gaussian(k, d_out, &mut rng), gaussian(k, d_in, &mut rng));

        let places: Option<HashSet<_>> = match &observed {
            Observed::Entries(entries) => Some(entries.iter().collect()),
            _ => None,
        };
        let phi = target.dense();
        let (mut seen, mut hidden, mut size) = (0.0, 0.0, 0.0);
        for i in 0..d_out {
            for j in 0..d_in {
                let e: f64 = (0..k).map(|a| p[(a, i)] * q[(a, j)]).sum();
                let square = (e - phi[(i, j)]).powi(2);
                let observed = places.as_ref().is_none_or(|places| places.contains(&(i, j)));
                *(if observed { &mut seen } else { &mut hidden }) += square;
                size += phi[(i, j)].powi(2);
            }
        }
        let half = if mean { 0.5 / (d_out * d_in) as f64 } else { 0.5 };

        let mut workspace = objective.workspace(k);
        let loss = objective.loss_and_gradients(p.as_ref(), q.as_ref(), None, None, &mut workspace, Par::Seq);
        let recovery = objective.recovery_error(p.as_ref(), q.as_ref(), Par::Seq);
        let relative = objective.relative_error(p.as_ref(), q.as_ref(), Par::Seq);
        let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-12 * (expected + half * size);
        prop_assert!(close(loss, half * seen), "loss {loss} against {}", half * seen);
        prop_assert!(close(recovery, half * hidden), "recovery error {recovery} against {}", half * hidden);
        let expected = ((seen + hidden) / size).sqrt();
        prop_assert!((relative / expected - 1.0).abs() < 1e-12, "relative error {relative} against {expected}");

        let whole = Objective::new(target, Observed::Full, form).unwrap();
        let all = whole.loss_and_gradients(p.as_ref(), q.as_ref(), None, None, &mut whole.workspace(k), Par::Seq);
        prop_assert!(close(loss + recovery, all), "{loss} + {recovery} against {all}");
        prop_assert_eq!(whole.recovery_error(p.as_ref(), q.as_ref(), Par::Seq), 0.0);
    }

    /// Sampling the target gives its entries, row by row.
    #[test]
    fn sampled_targets_are_their_entries(d_out in side(), d_in in side(), seed: u64) {
        prop_assume!(d_out * d_in >= 2);
        let target = Target::gaussian(d_out, d_in, 1, &mut stream(seed, &["sample"])).unwrap();
        let entries = draw(d_out, d_in, 0.5, seed);
        let dense = target.dense();
        for ((i, j), value) in entries.iter().zip(target.sample(&entries)) {
            prop_assert!((value - dense[(i, j)]).abs() < 1e-13);
        }
    }
}
