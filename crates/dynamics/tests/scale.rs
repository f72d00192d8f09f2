//! What is made without any d × d matrix: targets, observed sets, singular vectors, recovery errors, compressed networks.

use std::collections::HashMap;

use dynamics::compression::{compress, sampled};
use dynamics::decomposition::thin_svd;
use dynamics::random::{Generator, gaussian, stream};
use dynamics::sparse::ObservedEntries;
use dynamics::truncated::{Accuracy, LeadingTriplets, leading_triplets};
use dynamics::{
    CompressedFactorization, DeepFactorization, DynamicsError, Factorization, HeldOut, Initialization, LossForm,
    Objective, Observed, Optimizer, Schedule, Target, train,
};
use faer::{Mat, MatRef, Par};

fn objective(d_out: usize, d_in: usize, rank: usize, count: usize, rng: &mut Generator) -> Objective {
    let target = Target::gaussian_factors(d_out, d_in, rank, rng).unwrap();
    let observed = Observed::uniform_sparse(d_out, d_in, count, rng).unwrap();
    Objective::new(target, observed, LossForm::Mean).unwrap()
}

fn entries(objective: &Objective) -> &ObservedEntries {
    match objective.observed() {
        Observed::Entries(entries) => entries,
        _ => unreachable!("observed in part"),
    }
}

/// `P_Ω(Φ)`.
fn observed_target(objective: &Objective) -> Mat<f64> {
    let mut dense = Mat::zeros(objective.target().d_out(), objective.target().d_in());
    for ((i, j), value) in entries(objective).iter().zip(objective.values()) {
        dense[(i, j)] = *value;
    }
    dense
}

fn orthonormality(basis: MatRef<'_, f64>) -> f64 {
    (basis.transpose() * basis - Mat::<f64>::identity(basis.ncols(), basis.ncols())).norm_l2()
}

/// How much of `vectors` lies outside the span of the orthonormal `basis`.
fn outside(basis: &Mat<f64>, vectors: MatRef<'_, f64>) -> f64 {
    (vectors - basis * (basis.transpose() * vectors)).norm_l2()
}

/// Every one of the 20 subsets of 3 of 6 entries is as likely as the others: χ² with 19 degrees of freedom is above 49.8 once in
/// ten thousand times.
#[test]
fn sparse_sets_are_uniform() {
    let (draws, mut found) = (20_000, HashMap::<Vec<(usize, usize)>, f64>::new());
    let mut rng = stream(2, &["subsets"]);
    for _ in 0..draws {
        let Ok(Observed::Entries(entries)) = Observed::uniform_sparse(2, 3, 3, &mut rng) else { panic!("refused") };
        *found.entry(entries.iter().collect()).or_default() += 1.0;
    }
    assert_eq!(found.len(), 20);
    let expected = f64::from(draws) / 20.0;
    let chi_square: f64 = found.values().map(|count| (count - expected).powi(2) / expected).sum();
    assert!(chi_square < 49.8, "{chi_square}");
}

/// The number of entries in a row of d has the hypergeometric mean and variance; so has a column's.
#[test]
fn rows_and_columns_of_sparse_sets_fill_as_they_should() {
    let (d_out, d_in, count, draws) = (120, 80, 2880, 60);
    let mut rng = stream(3, &["rows"]);
    let mut squares = [0.0; 2];
    for _ in 0..draws {
        let Ok(Observed::Entries(entries)) = Observed::uniform_sparse(d_out, d_in, count, &mut rng) else {
            panic!("refused")
        };
        assert_eq!(entries.len(), count);
        for (sum, starts) in squares.iter_mut().zip([entries.row_start(), entries.column_start()]) {
            let lines = (starts.len() - 1) as f64;
            let mean = count as f64 / lines;
            *sum += starts.windows(2).map(|pair| ((pair[1] - pair[0]) as f64 - mean).powi(2)).sum::<f64>()
                / (lines * f64::from(draws));
        }
    }
    let all = (d_out * d_in) as f64;
    for (found, line) in squares.into_iter().zip([d_in, d_out]) {
        let (fraction, line) = (count as f64 / all, line as f64);
        let expected = line * fraction * (1.0 - fraction) * (all - line) / (all - 1.0);
        assert!((found / expected - 1.0).abs() < 0.08, "{found} against {expected}");
    }
}

#[test]
fn sparse_sets_know_their_limits() {
    let mut rng = stream(4, &["limits"]);
    assert!(Observed::uniform_sparse(10, 5, 25, &mut rng).is_ok(), "half is allowed");
    for count in [0, 26, usize::MAX] {
        let error = Observed::uniform_sparse(10, 5, count, &mut rng).unwrap_err();
        assert_eq!(error, DynamicsError::ObservedCount { count, d_out: 10, d_in: 5 });
    }
}

#[test]
fn entries_by_rows_are_checked() {
    let rows: [&[u32]; 3] = [&[1, 4], &[], &[0]];
    let entries = ObservedEntries::by_rows(3, 5, 3, |i, all| all.extend_from_slice(rows[i])).unwrap();
    assert_eq!(entries.iter().collect::<Vec<_>>(), [(0, 1), (0, 4), (2, 0)]);
    assert!(entries.contains(0, 4) && !entries.contains(1, 0) && !entries.contains(0, usize::MAX));
    assert_eq!(entries.in_column_order(&[10.0, 20.0, 30.0]), [30.0, 10.0, 20.0]);
    for bad in [&[1, 1][..], &[3, 2], &[5]] {
        assert!(ObservedEntries::by_rows(1, 5, 2, |_, all| all.extend_from_slice(bad)).is_err(), "{bad:?}");
    }
}

#[test]
fn targets_from_factors() {
    let target = Target::gaussian_factors(90, 40, 3, &mut stream(5, &["factors"])).unwrap();
    assert_eq!(target.values(), [90f64.sqrt() + 40f64.sqrt(); 3]);
    assert!(orthonormality(target.left()) < 1e-14 * 10.0 && orthonormality(target.right()) < 1e-14 * 10.0);
    let dense = target.dense();
    for (i, j) in [(0, 0), (89, 39), (17, 5)] {
        assert!((target.entry(i, j) - dense[(i, j)]).abs() < 1e-14);
    }
    let narrow = Target::gaussian_factors(90, 40, 41, &mut stream(5, &["factors"]));
    assert!(matches!(narrow, Err(DynamicsError::Rank { rank: 41, .. })));
}

/// A target too large to be kept dense has the same errors as one that is.
#[test]
fn errors_of_a_target_kept_as_factors() {
    let (d_out, d_in, k) = (2100, 2000, 5);
    let mut rng = stream(6, &["panels"]);
    let objective = objective(d_out, d_in, 3, 40_000, &mut rng);
    let (p, q) = (gaussian(k, d_out, &mut rng), gaussian(k, d_in, &mut rng));
    let difference = p.transpose() * &q - objective.target().dense();
    let all = difference.squared_norm_l2();
    let seen: f64 = entries(&objective).iter().map(|(i, j)| difference[(i, j)].powi(2)).sum();
    let expected = 0.5 * objective.weight() * (all - seen);
    let found = objective.recovery_error(p.as_ref(), q.as_ref(), Par::Seq);
    assert!((found / expected - 1.0).abs() < 1e-12, "{found} against {expected}");
    let relative = objective.relative_error(p.as_ref(), q.as_ref(), Par::Seq);
    assert!((relative / (all.sqrt() / objective.target().norm()) - 1.0).abs() < 1e-12);
}

/// The estimate is right on average, and scatters as much as it says.
#[test]
fn held_out_entries_estimate_the_recovery_error() {
    let mut rng = stream(7, &["held out"]);
    let objective = objective(60, 50, 2, 900, &mut rng);
    let (p, q) = (gaussian(3, 60, &mut rng), gaussian(3, 50, &mut rng));
    let exact = objective.recovery_error(p.as_ref(), q.as_ref(), Par::Seq);
    let draws = 400;
    let estimates: Vec<_> = (0..draws)
        .map(|_| HeldOut::draw(&objective, 500, &mut rng).unwrap().recovery_error(p.as_ref(), q.as_ref()))
        .collect();
    let n = f64::from(draws);
    let mean = estimates.iter().map(|e| e.value).sum::<f64>() / n;
    let deviation = (estimates.iter().map(|e| (e.value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let stated = estimates.iter().map(|e| e.standard_error).sum::<f64>() / n;
    assert!((mean - exact).abs() < 4.0 * deviation / n.sqrt(), "{mean} against {exact}");
    assert!((stated / deviation - 1.0).abs() < 0.15, "{stated} against {deviation}");
    assert!(deviation > 0.01 * exact);
}

#[test]
fn there_must_be_something_to_hold_out() {
    let mut rng = stream(8, &["nothing"]);
    let some = objective(6, 5, 1, 10, &mut rng);
    assert_eq!(HeldOut::draw(&some, 1, &mut rng).unwrap_err(), DynamicsError::NothingHeldOut(1));
    let target = Target::gaussian_factors(6, 5, 1, &mut rng).unwrap();
    let every = ObservedEntries::new(6, 5, (0..6).flat_map(|i| (0..5).map(move |j| (i, j)))).unwrap();
    for observed in [Observed::Full, Observed::Entries(every)] {
        let full = Objective::new(target.clone(), observed, LossForm::Mean).unwrap();
        assert_eq!(HeldOut::draw(&full, 9, &mut rng).unwrap_err(), DynamicsError::NothingHeldOut(9));
    }
}

const EXACT: Accuracy = Accuracy { tolerance: 1e-11, max_iterations: 3000 };

fn leading(objective: &Objective, rank: usize, par: Par) -> LeadingTriplets {
    let mut rng = stream(9, &["subspace"]);
    leading_triplets(entries(objective), objective.values(), rank, EXACT, &mut rng, par).unwrap()
}

/// Signal and noise alike (rank 3, seven triplets), for every shape, with the residual that is stated.
#[test]
fn leading_triplets_are_those_of_the_dense_matrix() {
    for (d_out, d_in) in [(90, 90), (120, 70), (70, 120)] {
        let objective = objective(d_out, d_in, 3, 2500, &mut stream(10, &["triplets"]));
        let (wanted, dense) = (7, observed_target(&objective));
        let expected = thin_svd(dense.as_ref()).unwrap();
        let LeadingTriplets { svd, residual, iterations } = leading(&objective, wanted, Par::Seq);
        let what = format!("{d_out} × {d_in}, {iterations} iterations");
        let largest = expected.values[0];
        for (found, expected) in svd.values.iter().zip(&expected.values) {
            assert!((found - expected).abs() < 1e-11 * largest, "{what}: {found} against {expected}");
        }
        assert!(orthonormality(svd.left.as_ref()) < 1e-13 && orthonormality(svd.right.as_ref()) < 1e-13, "{what}");
        assert!(outside(&svd.left, expected.left.subcols(0, wanted)) < 1e-8, "{what}");
        assert!(outside(&svd.right, expected.right.subcols(0, wanted)) < 1e-8, "{what}");
        for i in 0..wanted {
            let (u, v) = (svd.left.col(i), svd.right.col(i));
            let forth = (&dense * v - u * faer::Scale(svd.values[i])).norm_l2();
            let back = (dense.transpose() * u - v * faer::Scale(svd.values[i])).norm_l2();
            assert!(forth < 1e-12 * largest && back < 1.01 * residual * largest + 1e-13, "{what}: {forth:e} {back:e}");
        }
        assert!(residual <= 1e-11 && iterations < 3000, "{what}: {residual:e}");
    }
}

/// Fewer nonzero singular values than asked for, and a limit that ends the iteration.
#[test]
fn leading_triplets_at_their_limits() {
    let target = Target::gaussian_factors(30, 20, 2, &mut stream(11, &["low rank"])).unwrap();
    let all = ObservedEntries::new(30, 20, (0..30).flat_map(|i| (0..20).map(move |j| (i, j)))).unwrap();
    let values = target.sample(&all);
    let mut rng = stream(12, &["start"]);
    let found = leading_triplets(&all, &values, 5, EXACT, &mut rng, Par::Seq).unwrap();
    assert!(found.svd.values[2] < 1e-10 && (found.svd.values[1] / target.values()[1] - 1.0).abs() < 1e-12);
    assert!(orthonormality(found.svd.left.as_ref()) < 1e-13 && orthonormality(found.svd.right.as_ref()) < 1e-13);
    let hasty = Accuracy { tolerance: 0.0, max_iterations: 3 };
    assert_eq!(leading_triplets(&all, &values, 2, hasty, &mut rng, Par::Seq).unwrap().iterations, 3);
    for rank in [0, 21] {
        let refused = leading_triplets(&all, &values, rank, EXACT, &mut rng, Par::Seq);
        assert!(matches!(refused, Err(DynamicsError::Rank { .. })));
    }
    let zeros = vec![0.0; values.len()];
    assert_eq!(leading_triplets(&all, &zeros, 2, EXACT, &mut rng, Par::Seq).unwrap().residual, 0.0);
    let broken = vec![f64::NAN; values.len()];
    assert!(leading_triplets(&all, &broken, 2, EXACT, &mut rng, Par::Seq).is_err());
}

fn network(objective: &Objective, rank: usize, rng: &mut Generator) -> CompressedFactorization {
    sampled(objective, rank, 3, 1e-2, 0.01, rng, Par::Seq).unwrap()
}

/// Both bases are orthonormal to 1e-13 for every rank guess, down to 2r̂ = d, and span the singular vectors.
#[test]
fn sampled_bases() {
    let mut rng = stream(13, &["bases"]);
    let wide = objective(300, 300, 5, 27_000, &mut rng);
    let tight = objective(16, 16, 2, 100, &mut rng);
    for (objective, ranks) in [(&wide, &[1, 2, 5, 10, 20][..]), (&tight, &[1, 4, 7, 8])] {
        for &rank in ranks {
            let model = network(objective, rank, &mut rng);
            let (u, v) = (model.left(), model.right());
            let what = format!("d = {}, r̂ = {rank}", u.nrows());
            assert_eq!((u.ncols(), v.ncols()), (2 * rank, 2 * rank));
            for basis in [&u, &v] {
                assert!(orthonormality(basis.as_ref()) < 1e-13, "{what}: {:e}", orthonormality(basis.as_ref()));
            }
            let svd = thin_svd(observed_target(objective).as_ref()).unwrap();
            let signal = rank.min(objective.target().rank());
            assert!(outside(&u, svd.left.subcols(0, signal)) < 1e-6, "{what}");
            assert!(outside(&v, svd.right.subcols(0, signal)) < 1e-6, "{what}");
            assert_eq!(model.core().len(), 3);
            for factor in model.core() {
                assert_eq!(factor, Mat::<f64>::identity(2 * rank, 2 * rank) * faer::Scale(1e-2), "{what}");
            }
        }
    }
}

/// The longer side's basis is orthonormal; the shorter one's is an orthonormal one cut off, which still spans its vectors.
#[test]
fn sampled_bases_of_a_rectangle() {
    for (d_out, d_in) in [(80, 50), (50, 80)] {
        let mut rng = stream(14, &["rectangle"]);
        let objective = objective(d_out, d_in, 2, 1600, &mut rng);
        let model = network(&objective, 2, &mut rng);
        let (u, v) = (model.left(), model.right());
        let (longer, shorter) = if d_out > d_in { (&u, &v) } else { (&v, &u) };
        assert!(orthonormality(longer.as_ref()) < 1e-13);
        let lengths = thin_svd(shorter.as_ref()).unwrap().values;
        assert!(lengths[0] < 1.0 + 1e-12 && lengths[2] < 0.999, "{lengths:?}");
        let svd = thin_svd(observed_target(&objective).as_ref()).unwrap();
        assert!(outside(&u, svd.left.subcols(0, 2)) < 1e-6 || d_out < d_in);
        assert!(outside(&v, svd.right.subcols(0, 2)) < 1e-6 || d_out > d_in);
    }
}

/// What does not depend on the choice of bases is `M = U Vᵀ`: Q, as far as it is known. Means and mean squares of all its
/// entries, in the singular vectors of the residual, are those of the network made from whole factors. (Of 162 normal variables
/// one exceeds 4.6 once in 1500 times.)
#[test]
fn sampled_networks_have_the_law_of_compressed_ones() {
    let (d, rank, draws) = (9, 2, 4000);
    let mut rng = stream(15, &["law"]);
    let objective = objective(d, d, 2, 40, &mut rng);
    let svd = thin_svd(observed_target(&objective).as_ref()).unwrap();
    let directions: Vec<_> = (0..d).flat_map(|i| (0..d).map(move |j| (i, j))).collect();
    let mut moments = |draw: &mut dyn FnMut(&mut Generator) -> CompressedFactorization| {
        let mut samples = vec![Vec::new(); 2 * directions.len()];
        for _ in 0..draws {
            let model = draw(&mut rng);
            let map = svd.left.transpose() * (model.left() * model.right().transpose()) * &svd.right;
            for (n, &(i, j)) in directions.iter().enumerate() {
                samples[2 * n].push(map[(i, j)]);
                samples[2 * n + 1].push(map[(i, j)].powi(2));
            }
        }
        samples
    };
    let explicit = moments(&mut |rng| {
        let mut original = DeepFactorization::draw((d, d), 2, d, Initialization::Orthogonal, 1e-4, rng).unwrap();
        compress(&mut original, &objective, rank, 0.01, Par::Seq).unwrap()
    });
    let sampled = moments(&mut |rng| sampled(&objective, rank, 2, 1e-4, 0.01, rng, Par::Seq).unwrap());
    let statistics = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / f64::from(draws);
        (mean, x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(draws).powi(2))
    };
    for (n, (a, b)) in explicit.iter().zip(&sampled).enumerate() {
        let ((a, variance_a), (b, variance_b)) = (statistics(a), statistics(b));
        let z = (a - b) / (variance_a + variance_b).sqrt();
        assert!(z.abs() < 4.6, "direction {:?}: {a} against {b}, {z:.1} standard errors", directions[n / 2]);
    }
}

#[test]
fn sampling_refuses_what_compressing_refuses() {
    let mut rng = stream(16, &["refusals"]);
    let some = objective(12, 20, 2, 100, &mut rng);
    let mut attempt = |rank, depth, discrepancy| sampled(&some, rank, depth, 0.1, discrepancy, &mut rng, Par::Seq);
    assert!(attempt(6, 3, 0.0).is_ok());
    for rank in [0, 7] {
        assert!(attempt(rank, 3, 0.0).unwrap_err().to_string().contains(&format!("rank guess {rank}")));
    }
    assert_eq!(attempt(2, 0, 0.0).unwrap_err(), DynamicsError::Depth(0));
    assert_eq!(attempt(2, 3, -1.0).unwrap_err(), DynamicsError::Discrepancy(-1.0));
    let target = Target::gaussian_factors(12, 12, 2, &mut rng).unwrap();
    let full = Objective::new(target, Observed::Full, LossForm::Mean).unwrap();
    let error = sampled(&full, 2, 3, 0.1, 0.0, &mut rng, Par::Seq).unwrap_err();
    assert!(error.to_string().contains("observed entries"), "{error}");
}

/// From the construction to the end of a short run that learns something, at a size where no dense matrix is made.
#[test]
fn a_wide_run_has_the_same_bits_for_any_number_of_threads() {
    let d = 20_000;
    let run = |par| {
        let mut rng = stream(17, &["wide run"]);
        let objective = objective(d, d, 2, 50 * d, &mut rng);
        let sigma = objective.target().values()[0];
        let mut model = sampled(&objective, 2, 3, 0.2 * sigma.cbrt(), 0.02, &mut rng, par).unwrap();
        let step = 0.25 / (objective.weight() * 50.0 / d as f64 * sigma.powf(4.0 / 3.0));
        let mut optimizer = Optimizer::gradient_descent(step).unwrap();
        let schedule = Schedule { max_iterations: 30, tolerance: 0.0, record_every: 30 };
        let held_out = HeldOut::draw(&objective, 1000, &mut rng).unwrap();
        let start = held_out.recovery_error(model.halves().0, model.halves().1);
        let outcome = train(&mut model, &objective, &mut optimizer, schedule, &mut (), par).unwrap();
        let end = held_out.recovery_error(model.halves().0, model.halves().1);
        assert!(end.value < 0.2 * start.value, "nothing was learned: {start:?} → {end:?}");
        let factors = [vec![model.left(), model.right()], model.core().to_vec()].concat();
        let bits =
            |m: &Mat<f64>| m.col_iter().flat_map(|c| c.iter().map(|x| x.to_bits()).collect::<Vec<_>>()).collect();
        let all: Vec<Vec<u64>> = factors.iter().map(bits).collect();
        (outcome.loss.to_bits(), end.value.to_bits(), all)
    };
    let alone = run(Par::Seq);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert!(pool.install(|| run(Par::rayon(3))) == alone, "other bits on three threads");
    assert!(run(Par::rayon(2)) == alone, "other bits on two threads");
}

/// The order of a row's columns is relied upon, so a row cannot be changed when it has been checked.
#[test]
fn rows_are_checked_for_good() {
    let entries = ObservedEntries::by_rows(2, 9, 4, |i, columns| {
        if let Some(first) = columns.first_mut() {
            *first = 8;
        }
        columns.extend_from_slice(&[[1, 3], [0, 2]][i]);
    });
    assert_eq!(entries.unwrap().iter().collect::<Vec<_>>(), [(0, 1), (0, 3), (1, 0), (1, 2)]);
}
