//! The rules on made-up singular values, cosines and losses.

use super::*;

fn value(trial: usize, matrix: &str, index: usize, singular_value: f64) -> SpectrumRow {
    SpectrumRow { task: "t".into(), trial, matrix: matrix.into(), index, singular_value }
}

fn loss(trial: usize, step: u64, training_loss: f64) -> RecordRow {
    RecordRow {
        encoder: "e".into(),
        task: "t".into(),
        metric: "pearson".into(),
        method: "m".into(),
        examples: 16,
        head_draw: 0,
        trial,
        step,
        training_loss,
        constant_loss: 1.0,
        score: None,
        training_score: None,
    }
}

fn cosine(matrix: &str, step: u64, mean_cosine: f64) -> Row {
    let (task, matrix) = ("t".into(), matrix.into());
    Row { task, trial: 0, matrix, step, largest_cosine: mean_cosine, mean_cosine, smallest_cosine: 0.0 }
}

#[test]
fn matrices_that_learned_nothing_count_as_low_rank() {
    let judge = |values: &[SpectrumRow]| low_rank("id", &TrainedRuns::new(&[], values, &[], "t", 0), 2);
    let learned = [value(0, "a", 1, 1.0), value(0, "a", 2, 0.01)];
    let rounding = [value(0, "b", 1, 1e-7), value(0, "b", 2, 0.9e-7), value(1, "a", 1, 0.0), value(1, "a", 2, 0.0)];
    let found = judge(&[&learned[..], &rounding].concat());
    assert_eq!(found.evidence, Evidence::EveryTrial { holding: 2, n: 2 });
    assert_eq!(found.measured, "1.0e-2 to 1.0e-2 of σ_1");
    assert_eq!(found.note, "matrices of rank 0 (σ_1 at most 1e-3), counted as low rank: 2 of 3");
    let one_failed = low_rank("id", &TrainedRuns::new(&[], &learned, &[], "t", 1), 2);
    assert_eq!(one_failed.evidence, Evidence::EveryTrial { holding: 1, n: 2 });
    assert_eq!(one_failed.note, "runs failed: 1");
    let flat = judge(&[value(0, "a", 1, 2e-3), value(0, "a", 2, 1e-3)]);
    assert_eq!(flat.evidence, Evidence::EveryTrial { holding: 0, n: 1 });
}

#[test]
fn a_matrix_without_the_last_singular_value_is_said() {
    let found = low_rank("id", &TrainedRuns::new(&[], &[value(0, "a", 1, 1.0)], &[], "t", 0), 2);
    assert!(matches!(found.evidence, Evidence::None { .. }));
    assert_eq!(found.note, "matrices without σ_2 in the table, left out: 1");
}

#[test]
fn a_run_whose_loss_is_not_a_number_is_left_out() {
    let losses = [loss(0, 0, 2.0), loss(0, 10, f64::NAN)];
    let spectra = [value(0, "a", 1, 1.0), value(0, "a", 2, 0.01)];
    let found = low_rank("id", &TrainedRuns::new(&[], &spectra, &losses, "t", 0), 2);
    assert!(matches!(found.evidence, Evidence::None { .. }));
    assert_eq!(found.note, "runs not trained, left out: 1");
}

#[test]
fn only_matrices_that_learned_something_have_a_subspace_to_find() {
    let losses = [loss(0, 0, 2.0), loss(0, 30, 1.5), loss(0, 100, 0.5)];
    let spectra = [value(0, "a", 1, 1.0), value(0, "b", 1, 1e-7)];
    let rows = [cosine("a", 30, 0.95), cosine("b", 30, 0.1), cosine("a", 100, 1.0), cosine("b", 100, 1.0)];
    let found = found_early("id", &TrainedRuns::new(&rows, &spectra, &losses, "t", 0), 100);
    assert_eq!(found.evidence, Evidence::EveryTrial { holding: 1, n: 1 });
    assert_eq!(found.note, "matrices of rank 0 (σ_1 at most 1e-3), left out: 1 of 2");
    let rows = [cosine("a", 30, 0.6), cosine("a", 100, 1.0)];
    let late = found_early("id", &TrainedRuns::new(&rows, &spectra, &losses, "t", 0), 100);
    assert_eq!(late.evidence, Evidence::EveryTrial { holding: 0, n: 1 });
    assert!(late.measured.contains("only at the last step, 100, where it is 1 by definition"), "{}", late.measured);
    let never = found_early("id", &TrainedRuns::new(&[cosine("a", 30, 0.1)], &spectra, &losses, "t", 0), 100);
    assert!(matches!(never.evidence, Evidence::None { .. }), "the authors draw no such matrix");
}
