//! The metrics against scikit-learn's and SciPy's values (`fixtures/metrics.json`).

use adaptation::metrics::{accuracy, f1, matthews, pearson, spearman};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    correlations: Vec<Correlation>,
    classes: Vec<Classes>,
}

#[derive(Deserialize)]
struct Correlation {
    name: String,
    labels: Vec<f64>,
    predictions: Vec<f64>,
    pearson: Option<f64>,
    spearman: Option<f64>,
}

#[derive(Deserialize)]
struct Classes {
    name: String,
    labels: Vec<usize>,
    predictions: Vec<usize>,
    accuracy: f64,
    matthews: f64,
    f1: Option<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/metrics.json")).unwrap()
}

#[track_caller]
fn assert_close(name: &str, found: Option<f64>, expected: Option<f64>) {
    match (found, expected) {
        (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-12, "{name}: {found}, not {expected}"),
        (found, expected) => assert_eq!(found, expected, "{name}"),
    }
}

#[test]
fn correlations_are_those_of_scipy() {
    for case in fixture().correlations {
        assert_close(&case.name, pearson(&case.predictions, &case.labels), case.pearson);
        assert_close(&case.name, spearman(&case.predictions, &case.labels), case.spearman);
    }
}

#[test]
fn class_metrics_are_those_of_scikit_learn() {
    for case in fixture().classes {
        assert_close(&case.name, accuracy(&case.predictions, &case.labels), Some(case.accuracy));
        assert_close(&case.name, matthews(&case.predictions, &case.labels), Some(case.matthews));
        if case.f1.is_some() {
            assert_close(&case.name, Some(f1(&case.predictions, &case.labels)), case.f1);
        }
    }
}

#[test]
fn what_is_undefined_is_none() {
    assert_eq!(pearson(&[], &[]), None);
    assert_eq!(pearson(&[1.0], &[2.0]), None);
    assert_eq!(pearson(&[1.0, f64::NAN, 2.0], &[1.0, 2.0, 3.0]), None);
    assert_eq!(pearson(&[1.0, f64::INFINITY], &[1.0, 2.0]), None);
    assert_eq!(spearman(&[f64::NAN, 1.0], &[1.0, 2.0]), None);
    assert_eq!(matthews(&[], &[]), None);
    assert_eq!(accuracy(&[], &[]), None);
}

/// Squares of these over- or underflow.
#[test]
fn correlation_of_very_large_and_very_small_numbers() {
    let x = [1.0, 2.0, 4.0, 3.0];
    let y = [0.5, 2.5, 3.0, 2.0];
    let expected = pearson(&x, &y);
    for scale in [1e-200, 1e200] {
        assert_close("scaled", pearson(&x.map(|value| value * scale), &y), expected);
    }
}

#[test]
#[should_panic(expected = "one label per prediction")]
fn lengths_must_agree() {
    pearson(&[1.0, 2.0], &[1.0]);
}
