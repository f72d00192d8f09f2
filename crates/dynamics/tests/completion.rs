//! Completing a matrix of which nothing is known but some entries.

use dynamics::completion::{Biases, Centering, Check, Entry, NetworkKind, Shrinkage, Stopping};
use dynamics::random::{gaussian, stream};
use dynamics::{Completion, DynamicsError, HeldOut, LossForm, Objective};
use faer::Par;
use rand::RngExt;

const SHAPE: (usize, usize) = (60, 40);

/// A share of the entries of a 60 × 40 matrix of rank 2, and the others.
fn sample(share: f64) -> (Vec<Entry>, Vec<Entry>) {
    let mut rng = stream(1, &["completion"]);
    let product = gaussian(60, 2, &mut rng) * gaussian(2, 40, &mut rng);
    let places = (0..60).flat_map(|i| (0..40).map(move |j| (i, j)));
    places.map(|(i, j)| (i, j, product[(i, j)])).partition(|_| rng.random_bool(share))
}

/// A completion without validation entries.
fn fit(completion: Completion, shape: (usize, usize), known: &[Entry]) -> Result<dynamics::Completed, DynamicsError> {
    completion.fit(shape, known, &[], &mut stream(3, &["fit"]), &mut |_| (), Par::Seq)
}

#[test]
fn entries_in_any_order_make_an_objective() {
    let (entries, _) = sample(0.4);
    let refusal = |entries| Objective::of_entries((60, 40), entries, LossForm::Mean).unwrap_err();
    let with = |entry| entries.iter().copied().chain([entry]).collect::<Vec<_>>();
    let (row, column, value) = entries[7];
    assert_eq!(refusal(with((row, column, value + 1.0))), DynamicsError::Repeated { row, column });
    assert!(matches!(refusal(with((1, 2, f64::NAN))), DynamicsError::NotFinite { row: 1, column: 2, .. }));
    assert!(refusal(with((60, 2, 1.0))).to_string().contains("(60, 2) lies outside a 60 x 40 matrix"));
    assert!(matches!(refusal(Vec::new()), DynamicsError::ObservedCount { count: 0, .. }));

    let sorted = Objective::of_entries((60, 40), entries.clone(), LossForm::Mean).unwrap();
    let reversed = Objective::of_entries((60, 40), entries.into_iter().rev().collect(), LossForm::Mean).unwrap();
    assert_eq!(sorted.values(), reversed.values());
    let error = HeldOut::draw(&sorted, 10, &mut stream(1, &["held out"])).unwrap_err();
    assert_eq!(error, DynamicsError::UnknownTarget);
}

#[test]
fn every_network_finds_the_missing_entries() {
    let (known, missing) = sample(0.5);
    for network in [NetworkKind::Compressed, NetworkKind::Spectral, NetworkKind::Narrow, NetworkKind::Original] {
        for depth in [2, 3, 4] {
            let usual = Completion::of_rank(3);
            let hyperparameters = dynamics::units::Hyperparameters::of_depth(depth);
            let completed = fit(Completion { depth, network, hyperparameters, ..usual }, SHAPE, &known).unwrap();
            let error = completed.error(&missing).unwrap();
            assert!(error < 0.1, "{network:?} of depth {depth}: {error}");
        }
    }
}

/// More than half of the entries: the dense kernel, of a target that is not known in full.
#[test]
fn most_entries_of_a_matrix() {
    let (known, missing) = sample(0.7);
    let completed = fit(Completion { centering: Centering::None, ..Completion::of_rank(2) }, SHAPE, &known).unwrap();
    let error = completed.error(&missing).unwrap();
    assert!(error < 1e-3, "{error}");
}

/// Noise that can be fitted: the validation error falls and rises, and what is handed out is of its smallest value.
#[test]
fn training_stops_when_the_validation_error_rises() {
    let mut rng = stream(4, &["noise"]);
    let noisy = |(i, j, value): Entry| (i, j, value + 0.5 * rng.sample::<f64, _>(rand_distr::StandardNormal));
    let known: Vec<Entry> = sample(0.4).0.into_iter().map(noisy).collect();
    let (validation, training) = known.split_at(150);
    let mut seen = Vec::new();
    let stopping = Stopping { patience: 300, ..Stopping::default() };
    let completed = Completion { stopping, ..Completion::of_rank(8) }
        .fit(SHAPE, training, validation, &mut stream(5, &["fit"]), &mut |check: &Check| seen.push(*check), Par::Seq)
        .unwrap();
    let last = *seen.last().unwrap();
    assert_eq!(completed.checks, seen);
    let kept = completed.error(validation).unwrap() - completed.best.validation_error.unwrap();
    assert!(kept.abs() < 1e-12, "the factors are not those of the best look: {kept}");
    assert!(completed.best.iteration + 300 == last.iteration && last.iteration < 5000, "{:?} {last:?}", completed.best);
    assert!(
        last.validation_error > completed.best.validation_error && last.training_error < completed.best.training_error
    );
    assert!(seen.iter().all(|check| check.validation_error >= completed.best.validation_error));
}

#[test]
fn the_result_does_not_depend_on_threads_or_on_the_order_of_entries() {
    let (known, missing) = sample(0.4);
    let run = |known: &[Entry], par| {
        let centering = Centering::Biases(Shrinkage::default());
        let completion = Completion { centering, ..Completion::of_rank(4) };
        completion.fit(SHAPE, known, &missing[..50], &mut stream(6, &["fit"]), &mut |_| (), par).unwrap()
    };
    let one = run(&known, Par::Seq);
    let three = run(&known, Par::rayon(3));
    assert_eq!(one.predictor.left, three.predictor.left);
    assert_eq!(one.best.iteration, three.best.iteration);
    let reversed: Vec<Entry> = known.iter().rev().copied().collect();
    let difference = run(&reversed, Par::Seq).entry(3, 4) - one.entry(3, 4);
    assert!(difference.abs() < 1e-9, "{difference}");
}

/// At the minimum of the regularized squares, their derivatives vanish.
#[test]
fn biases_are_where_the_derivatives_vanish() {
    let (known, _) = sample(0.4);
    let shrinkage = Shrinkage { rows: 3.0, columns: 2.0, sweeps: 500 };
    let biases = Biases::fit(SHAPE, &known, Centering::Biases(shrinkage));
    let left = biases.without(&known);
    for i in 0..60 {
        let slope: f64 = left.iter().filter(|entry| entry.0 == i).map(|entry| entry.2).sum();
        assert!((slope - 3.0 * biases.rows[i]).abs() < 1e-9);
    }
    for j in 0..40 {
        let slope: f64 = left.iter().filter(|entry| entry.1 == j).map(|entry| entry.2).sum();
        assert!((slope - 2.0 * biases.columns[j]).abs() < 1e-9);
    }
    let none = Biases::fit((2, 2), &[(0, 0, 5.0)], Centering::Biases(Shrinkage { rows: 0.0, columns: 0.0, sweeps: 3 }));
    assert_eq!(none.at(1, 1), 5.0, "a row without entries has no bias");
}

#[test]
fn what_cannot_be_completed_is_said() {
    let refusal = |known: &[Entry], rank| fit(Completion::of_rank(rank), (30, 30), known).unwrap_err();
    let same: Vec<Entry> = (0..30).map(|i| (i, (7 * i) % 30, 2.5)).collect();
    assert_eq!(refusal(&same, 2), DynamicsError::AllTheSame { count: 30, value: 2.5 });
    assert_eq!(refusal(&[], 2), DynamicsError::ObservedCount { count: 0, d_out: 30, d_in: 30 });
    let mut one = same.clone();
    one[3].2 = f64::NAN;
    assert!(matches!(refusal(&one, 2), DynamicsError::NotFinite { row: 3, column: 21, .. }));
    one[3].2 = 1.0;
    one[4].1 = 30;
    assert!(refusal(&one, 2).to_string().contains("entry (4, 30) lies outside a 30 × 30 matrix"));
    let (known, _) = sample(0.4);
    let text = fit(Completion::of_rank(21), SHAPE, &known).unwrap_err().to_string();
    assert!(text.contains("rank guess 21 is not between 1 and half the shorter side of a 60 × 40 target"), "{text}");
    let validation = [(60, 0, 1.0)];
    let outside = Completion::of_rank(2).fit(SHAPE, &known, &validation, &mut stream(7, &[]), &mut |_| (), Par::Seq);
    assert_eq!(outside.unwrap_err(), DynamicsError::Outside { row: 60, column: 0, d_out: 60, d_in: 40 });
    // Biases explain the sum of a row's and a column's number to the last bit.
    let sums: Vec<Entry> = (0..4).map(|n| (n / 2, n % 2, (n / 2 * 2 + n % 2) as f64)).collect();
    let centering = Centering::Biases(Shrinkage { rows: 0.0, columns: 0.0, sweeps: 5 });
    let nothing = fit(Completion { centering, ..Completion::of_rank(1) }, (2, 2), &sums).unwrap_err();
    assert_eq!(nothing, DynamicsError::NothingLeft);
}
