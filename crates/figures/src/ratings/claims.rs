//! What is claimed of completion on real ratings, and whether the runs bear it out.

use lab::statistics::{Estimate, paired};
use lab::{Evidence, Finding, Side};

use super::inputs::MADE_UP;
use super::method::{ALS, BIASES, NetworkName, SOFT_IMPUTE, network_label};
use super::rows::{Row, TimingRow, data, test_errors};

/// Two errors within this are as good as equal: half of what ratings of half stars are rounded by would be fifty times it.
const MARGIN: f64 = 0.005;
/// The public five-fold figure of biased matrix factorization on MovieLens-100K.
const PUBLIC: f64 = 0.934;
/// The rank guess and the time at which an iteration is judged.
const PACE: (usize, f64) = (10, 1.5e-3);

pub(super) fn findings(rows: &[Row], timing: &[TimingRow]) -> Vec<Finding> {
    let compressed = network_label(NetworkName::Compressed, 3);
    let mut findings = Vec::new();
    const BELOW: [(&str, &str); 3] =
        [("ratings/below-biases", BIASES), ("ratings/below-als", ALS), ("ratings/below-soft-impute", SOFT_IMPUTE)];
    const ALIKE: [(&str, NetworkName); 3] = [
        ("ratings/as-narrow", NetworkName::Narrow),
        ("ratings/as-spectral", NetworkName::Spectral),
        ("ratings/as-original", NetworkName::Original),
    ];
    let real: Vec<String> = data(rows).into_iter().filter(|data| data != MADE_UP).collect();
    if real.is_empty() {
        let ids = BELOW.map(|below| below.0).into_iter().chain(ALIKE.map(|alike| alike.0));
        findings.extend(ids.map(|id| Finding::untested(id, "made-up ratings only")));
    }
    for data in real {
        let compared = |other: &str| paired(&test_errors(rows, &data, &compressed), &test_errors(rows, &data, other));
        findings.extend(BELOW.map(|(id, other)| direction(id, &compared(other)).case(data.clone())));
        findings
            .extend(ALIKE.map(|(id, other)| equivalence(id, &compared(&network_label(other, 3))).case(data.clone())));
    }
    findings.push(public(&test_errors(rows, "movielens-100k", &compressed)));
    findings.push(pace(timing, &compressed));
    findings
}

/// The mean of the compressed network's error minus the other's is below 0.
fn direction(id: &'static str, differences: &[f64]) -> Finding {
    match Estimate::of(differences) {
        None => Finding::untested(id, "no split has both"),
        Some(estimate) => {
            let evidence = Evidence::Direction { estimate, side: Side::Below, value: 0.0 };
            Finding::new(id, format!("RMSE {:+.4}, paired by split", estimate.mean), evidence)
        }
    }
}

/// It is within the margin.
fn equivalence(id: &'static str, differences: &[f64]) -> Finding {
    match Estimate::of(differences) {
        None => Finding::untested(id, "no split has both"),
        Some(estimate) => {
            let evidence = Evidence::Equivalence { estimate, low: -MARGIN, high: MARGIN };
            Finding::new(id, format!("RMSE {:+.4}, paired by split", estimate.mean), evidence)
        }
    }
}

fn public(errors: &[(usize, f64)]) -> Finding {
    const ID: &str = "ratings/public-figure";
    let errors: Vec<f64> = errors.iter().map(|(_, error)| *error).collect();
    match Estimate::of(&errors) {
        None => Finding::untested(ID, "MovieLens-100K was not run"),
        Some(estimate) => {
            let evidence = Evidence::Direction { estimate, side: Side::Below, value: PUBLIC };
            Finding::new(ID, format!("RMSE {:.4}", estimate.mean), evidence).note("other splits than the public ones")
        }
    }
}

fn pace(timing: &[TimingRow], method: &str) -> Finding {
    const ID: &str = "ratings/iteration-time";
    let of = |row: &&TimingRow| row.data == "movielens-100k" && row.method == method && row.rank == Some(PACE.0);
    let seconds: Vec<f64> = timing.iter().filter(of).map(|row| row.seconds_per_iteration).collect();
    match Estimate::of(&seconds) {
        None => Finding::untested(ID, "MovieLens-100K was not run at a rank guess of 10"),
        Some(estimate) => {
            let evidence = Evidence::Direction { estimate, side: Side::Below, value: PACE.1 };
            Finding::new(ID, format!("{:.2} ms", 1e3 * estimate.mean), evidence)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(method: String, trial: usize, test_rmse: f64) -> Row {
        Row {
            data: "movielens-100k".to_owned(),
            method,
            rank: Some(10),
            regularization: None,
            trial,
            chosen: true,
            iterations: 1,
            training_rmse: 0.8,
            validation_rmse: 0.9,
            test_rmse,
            test_mae: 0.7,
        }
    }

    #[test]
    fn made_up_ratings_test_no_claim() {
        let compressed = network_label(NetworkName::Compressed, 3);
        let made_up =
            |method: &str, trial, error| Row { data: MADE_UP.to_owned(), ..row(method.to_owned(), trial, error) };
        let rows: Vec<Row> = (0..4).flat_map(|k| [made_up(&compressed, k, 0.1), made_up(ALS, k, 0.9)]).collect();
        let untested = |finding: &Finding| matches!(finding.evidence, Evidence::None { .. });
        let findings = findings(&rows, &[]);
        assert_eq!((findings.len(), findings.iter().all(untested)), (8, true));
    }

    #[test]
    fn differences_are_paired_by_split() {
        let compressed = network_label(NetworkName::Compressed, 3);
        let mut rows = Vec::new();
        for trial in 0..4 {
            let level = 0.9 + 0.01 * trial as f64;
            rows.push(row(compressed.clone(), trial, level));
            rows.push(row(ALS.to_owned(), trial, level + 0.002 + 1e-5 * trial as f64));
        }
        // A run that was not chosen does not count.
        rows.push(Row { chosen: false, ..row(compressed, 0, 5.0) });
        let findings = findings(&rows, &[]);
        let find = |id: &str| findings.iter().find(|finding| finding.id == id).unwrap();
        let Evidence::Direction { estimate, .. } = find("ratings/below-als").evidence else { panic!("a direction") };
        assert!((estimate.mean + 0.002015).abs() < 1e-12 && estimate.interval().unwrap().1 < 0.0, "{estimate:?}");
        assert!(matches!(find("ratings/below-biases").evidence, Evidence::None { .. }));
        let Evidence::Direction { estimate, .. } = find("ratings/public-figure").evidence else {
            panic!("a direction")
        };
        assert!((estimate.mean - 0.915).abs() < 1e-12);
    }
}
