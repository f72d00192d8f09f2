//! Completion and baselines against public libraries, and against what defines them.

use dynamics::completion::{Biases, Centering, Completion, Entry, NetworkKind, Predictor, Shrinkage, Stopping};
use dynamics::random::stream;
use entries::baselines::{Als, SoftImpute};
use faer::Par;

use crate::fixture::{self, distance};

#[test]
fn biases_are_those_of_surprise() {
    let fixture = fixture::baselines();
    let biases = Biases::fit(fixture.shape, &fixture.entries, Centering::Biases(Shrinkage::default()));
    let pairs = [(&biases.rows, &fixture.biases.rows), (&biases.columns, &fixture.biases.columns)];
    assert!((biases.mean - fixture.biases.mean).abs() < 1e-14);
    for (ours, theirs) in pairs {
        assert!(ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-13), "{ours:?} {theirs:?}");
    }
}

/// The whole of `Completion::fit` against NumPy: biases, units, spectral start, 300 iterations.
#[test]
fn a_completion_is_that_of_numpy() {
    let fixture = fixture::trained();
    let completion = Completion {
        network: NetworkKind::Spectral,
        centering: Centering::Biases(Shrinkage::default()),
        stopping: Stopping { max_iterations: fixture.iterations, check_every: 100, ..Stopping::default() },
        ..Completion::of_rank(fixture.rank)
    };
    let completed =
        completion.fit(fixture.shape, &fixture.entries, &[], &mut stream(0, &[]), &mut |_| (), Par::Seq).unwrap();
    for (check, expected) in completed.checks.iter().zip(&fixture.training_errors) {
        assert!((check.training_error - expected).abs() < 1e-10, "{check:?} against {expected}");
    }
    assert_eq!(completed.checks.len(), 4);
    let distance = distance(&fixture.matrix, |i, j| completed.entry(i, j));
    assert!(distance < 1e-10, "{distance:e}");
}

#[test]
fn soft_impute_is_that_of_fancyimpute() {
    let fixture = fixture::baselines();
    let regularization = fixture.nuclear_norm.regularization;
    let fit = |centering| {
        SoftImpute { rank: 9, regularization, centering, max_iterations: 20_000, tolerance: 0.0 }
            .fit(fixture.shape, &fixture.entries, &mut stream(1, &["soft-impute"]), Par::Seq)
            .unwrap()
    };
    let distance = |predictor: Predictor| distance(&fixture.nuclear_norm.matrix, |i, j| predictor.entry(i, j));
    let found = distance(fit(Centering::None));
    assert!(found < 1e-8, "{found:e}");
    // About the mean it is another problem.
    assert!(distance(fit(Centering::Mean)) > 0.01);
}

/// Unweighted, unbiased ALS of enough rank minimizes `½ squares + ½ λ (‖P‖² + ‖Q‖²)`, whose minimum is the nuclear norm's.
#[test]
fn als_without_biases_is_the_nuclear_norm_too() {
    let fixture = fixture::baselines();
    let regularization = fixture.nuclear_norm.regularization;
    let als = Als { rank: 9, regularization, weighted: false, biased: false, sweeps: 20_000 };
    let predictor = als.fit(fixture.shape, &fixture.entries, &mut stream(1, &["als"])).unwrap();
    let distance = distance(&fixture.nuclear_norm.matrix, |i, j| predictor.entry(i, j));
    assert!(distance < 1e-6, "{distance:e}");
}

/// At the end of many sweeps, the derivatives of what biased, weighted ALS minimizes vanish.
#[test]
fn als_ends_where_the_derivatives_vanish() {
    let fixture = fixture::baselines();
    let als = Als { rank: 2, regularization: 0.1, weighted: true, biased: true, sweeps: 5_000 };
    let predictor = als.fit(fixture.shape, &fixture.entries, &mut stream(2, &["als"])).unwrap();
    let objective = |predictor: &Predictor| objective(predictor, &fixture.entries, 0.1);
    let step = 1e-5;
    for i in 0..fixture.shape.0 {
        let moved = |by: f64, place: usize| {
            let mut predictor = predictor.clone();
            match place {
                2 => predictor.biases.rows[i] += by,
                k => predictor.left[(k, i)] += by,
            }
            objective(&predictor)
        };
        for place in 0..3 {
            let slope = (moved(step, place) - moved(-step, place)) / (2.0 * step);
            assert!(slope.abs() < 1e-6, "row {i}, unknown {place}: {slope:e}");
        }
    }
}

fn objective(predictor: &Predictor, entries: &[Entry], regularization: f64) -> f64 {
    let squares: f64 = entries.iter().map(|&(i, j, value)| (predictor.entry(i, j) - value).powi(2)).sum();
    let norms = |factors: &faer::Mat<f64>, biases: &[f64], line: usize| {
        factors.col(line).iter().map(|x| x * x).sum::<f64>() + biases[line].powi(2)
    };
    // Once for every entry: the weight is the number of a line's entries.
    let ridge: f64 = entries
        .iter()
        .map(|&(i, j, _)| {
            norms(&predictor.left, &predictor.biases.rows, i) + norms(&predictor.right, &predictor.biases.columns, j)
        })
        .sum();
    squares + regularization * ridge
}

#[test]
fn baselines_say_what_is_wrong() {
    let fixture = fixture::baselines();
    let als = Als { rank: 2, regularization: 0.0, weighted: false, biased: true, sweeps: 1 };
    let error = als.fit((3, 3), &[(0, 0, 1.0), (1, 1, 2.0)], &mut stream(0, &[])).unwrap_err();
    assert!(error.to_string().contains("λ = 0 is too small"), "{error}");
    let soft =
        SoftImpute { rank: 10, regularization: 1.0, centering: Centering::None, max_iterations: 1, tolerance: 0.0 };
    let error = soft.fit(fixture.shape, &fixture.entries, &mut stream(0, &[]), Par::Seq).unwrap_err();
    assert!(error.to_string().contains("rank 10"), "{error}");
}
