//! Settings of the profiles.

use lab::checked::Steps;

use super::*;
use crate::matrix::given::{changed, refused, settings};
use crate::reference::ReferenceRow;

#[test]
fn every_profile_is_valid() {
    for (profile, runs) in [("paper", 180), ("quick", 40), ("smoke", 18)] {
        assert_eq!(
            DepthWidthSweep::plan(&settings("depth-width-sweep", profile), &()).unwrap().len(),
            runs,
            "{profile}"
        );
    }
}

#[test]
fn bad_values_are_named() {
    for (set, key) in [
        ("depths.1.step_size=0.0", "depths.1.step_size"),
        ("depths=[]", "depths"),
        ("widths.3=0", "widths.3"),
        ("other_targets.targets=0", "other_targets.targets"),
    ] {
        assert_eq!(refused::<Settings>("depth-width-sweep", &[set]).0, key, "{set}");
    }
    let mut paper: Settings = settings("depth-width-sweep", "paper");
    assert!(paper.as_in_the_paper());
    paper.schedule.max_iterations = Steps::new(10).unwrap();
    assert!(!paper.as_in_the_paper());
}

#[test]
fn what_the_authors_did_not_draw_is_refused() {
    for (set, key, allowed) in [
        ("seed=1", "seed", "0 with problem.draw = \"authors\", and any with \"seeded\""),
        ("trials=6", "trials", "at most 5 with problem.draw = \"authors\", and any with \"seeded\""),
        ("problem.size=120", "problem.size", "100 with problem.draw = \"authors\", and any with \"seeded\""),
        ("problem.rank=9", "problem.rank", "10 with problem.draw = \"authors\", and any with \"seeded\""),
        (
            "problem.observed_fraction=0.4",
            "problem.observed_fraction",
            "0.3 with problem.draw = \"authors\", and any with \"seeded\"",
        ),
        ("widths.2=35", "widths.2", "one of 10, 20, 30, 40, 50, 60, 70, 80, 90, 100 with problem.draw = \"authors\""),
        ("depths.0.depth=4", "depths.0.depth", "one of 3, 2 with problem.draw = \"authors\""),
    ] {
        assert_eq!(refused::<Settings>("depth-width-sweep", &[set]), (key.to_owned(), allowed.to_owned()), "{set}");
    }
    let seeded: Settings =
        changed("depth-width-sweep", "paper", &["problem.draw=seeded", "trials=6", "widths.2=35"]).unwrap();
    assert!(seeded.as_in_the_paper());
}

/// Rows of the figure's runs at the authors' draw: five trials, errors at depth 2 times `factor`.
fn rows(errors: &[(usize, f64)], iterations: &[(usize, u64)], factor: f64) -> Vec<Row> {
    let row = |depth, width, trial, iterations, recovery_error| Row {
        depth,
        width,
        trial,
        iterations,
        converged: true,
        training_loss: 9e-11,
        recovery_error,
    };
    let shallow =
        errors.iter().flat_map(|&(width, error)| (0..5).map(move |trial| row(2, width, trial, 1, factor * error)));
    let deep = iterations.iter().flat_map(|&(width, count)| (0..5).map(move |trial| row(3, width, trial, count, 1e-7)));
    shallow.chain(deep).collect()
}

#[test]
fn on_the_authors_draws_the_figure_s_values_are_met_to_its_reading_error() {
    let paper: Settings = settings("depth-width-sweep", "paper");
    let reference = [
        ("depth 2", "recovery_error", [("50", 7.8e-4), ("100", 1.13e-3)]),
        ("depth 3", "iterations", [("50", 14200.0), ("100", 11000.0)]),
    ];
    let reference: Vec<_> = reference
        .iter()
        .flat_map(|(series, y_name, points)| {
            points.map(|(x, y)| ReferenceRow {
                series: series.to_string(),
                x_name: "width".to_owned(),
                x: x.to_owned(),
                y_name: y_name.to_string(),
                y,
            })
        })
        .collect();
    let holds = |factor: f64, iterations: [u64; 2]| {
        let rows = rows(&[(50, 7.8e-4), (100, 1.129e-3)], &[(50, iterations[0]), (100, iterations[1])], factor);
        let findings = claims::findings(&paper, &rows, &[], &reference);
        let exact = |id: &str| match findings.iter().find(|finding| finding.id == id).unwrap().evidence {
            lab::Evidence::Exact { holds, .. } => holds,
            other => panic!("{other:?}"),
        };
        ["depth-2-values", "depth-3-iterations", "depth-2-numpy"].map(|id| exact(&format!("depth-width-sweep/{id}")))
    };
    assert_eq!(holds(1.0, [14_100, 10_900]), [true, true, true]);
    assert_eq!(holds(1.01, [14_100, 10_900]), [true, true, false]);
    assert_eq!(holds(1.04, [14_100, 10_900]), [false, true, false]);
    // Iterations done are 100 fewer than the authors count: 426 is the reading error of 14200.
    assert_eq!(holds(1.0, [14_500, 10_900]), [true, true, true]);
    assert_eq!(holds(1.0, [14_600, 10_900]), [true, false, true]);
}
