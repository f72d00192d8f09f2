//! What Figure 1 says, and whether the tables bear it out.

use lab::statistics::Estimate;
use lab::{Evidence, Finding, Side};

use super::{Row, Settings, iterations_to_tolerance, recovery_errors};
use crate::matrix::{DrawSettings, as_the_authors_count};
use crate::reference::{ReferenceRow, reference_points};
use crate::statements::{RECOVERED, Run, as_read_off, as_reported, at_most, changes, points};
use crate::summary::{averaged, range, short};

const OVERFITS: &str = "depth-width-sweep/depth-2-overfits";
const RECOVERS: &str = "depth-width-sweep/depth-3-recovers";
const SPEEDS_UP: &str = "depth-width-sweep/width-speeds-up";
const ERRORS: &str = "depth-width-sweep/depth-2-values";
const ITERATIONS: &str = "depth-width-sweep/depth-3-iterations";
const NUMPY: &str = "depth-width-sweep/depth-2-numpy";
const TARGETS: &str = "depth-width-sweep/depth-2-other-targets";

/// Mean recovery errors at depth 2, by width, that a program in NumPy came to on the authors' draws: all digits are known to be
/// right.
const BY_NUMPY: [(f64, f64); 2] = [(50.0, 7.80e-4), (100.0, 1.129e-3)];
/// Half a unit of their last digit, relative.
const DIGITS: f64 = 7e-4;

pub(super) fn findings(settings: &Settings, rows: &[Row], targets: &[Row], reference: &[ReferenceRow]) -> Vec<Finding> {
    if !settings.as_in_the_paper() {
        let reason = "another problem than the paper's";
        let all = [OVERFITS, RECOVERS, SPEEDS_UP, ERRORS, ITERATIONS, NUMPY, TARGETS];
        return all.map(|id| Finding::untested(id, reason)).into();
    }
    let [shallow, deep] = [2, 3].map(|depth| recovery_errors(rows, depth));
    let iterations = iterations_to_tolerance(rows, 3);
    let runs = *settings.trials * settings.widths.len();
    let mut findings = vec![
        changes(OVERFITS, Side::Above, &points(&shallow)),
        at_most(RECOVERS, RECOVERED, &points(&deep), runs),
        changes(SPEEDS_UP, Side::Below, &points(&iterations)),
    ];
    let errors = reference_points(reference, "depth 2", "recovery_error");
    let theirs = reference_points(reference, "depth 3", "iterations");
    let counted = as_the_authors_count(&iterations, settings.schedule.record_every);
    findings.extend(match settings.problem.draw {
        DrawSettings::Authors => {
            [as_read_off(ERRORS, &shallow, &errors), as_read_off(ITERATIONS, &counted, &theirs), as_computed(&shallow)]
        }
        // At the largest width, targets of this kind differ among themselves that much.
        DrawSettings::Seeded => [
            as_reported(ERRORS, 2.0, &shallow, &errors),
            as_reported(ITERATIONS, 1.5, &counted, &theirs),
            Finding::untested(NUMPY, "other draws than the authors'"),
        ],
    });
    findings.push(other_targets(&recovery_errors(targets, 2), &errors));
    findings
}

/// The mean errors at depth 2 are NumPy's, to the last digit of those.
fn as_computed(errors: &[Run]) -> Finding {
    let means = averaged(points(errors)).mean;
    let ours = BY_NUMPY.map(|(width, _)| means.iter().find(|mean| mean.0 == width).map(|mean| mean.1));
    let [Some(narrower), Some(wider)] = ours else {
        return Finding::untested(NUMPY, "no runs at the widths 50 and 100");
    };
    let holds = [narrower, wider].iter().zip(BY_NUMPY).all(|(mean, (_, numpy))| (mean / numpy - 1.0).abs() <= DIGITS);
    let n = errors.iter().filter(|run| BY_NUMPY.iter().any(|numpy| numpy.0 == run.1)).count();
    let measured = format!("{narrower:.4e} at width 50, {wider:.4e} at 100");
    Finding::new(NUMPY, measured, Evidence::Exact { holds, n })
}

/// At the largest width, the errors on other targets over the figure's: their mean, on the scale of logarithms, is within a
/// factor of 2.
fn other_targets(errors: &[Run], figure: &[(f64, f64)]) -> Finding {
    let width = errors.iter().map(|run| run.1).fold(0.0, f64::max);
    let Some(reported) = figure.iter().find(|point| point.0 == width).map(|point| point.1) else {
        return Finding::untested(TARGETS, "no value of the figure at the largest width of other targets");
    };
    let ratios: Vec<(f64, f64)> =
        errors.iter().filter(|run| run.1 == width).map(|run| (width, run.2 / reported)).collect();
    let logarithms: Vec<f64> = ratios.iter().map(|ratio| ratio.1.ln()).collect();
    let (Some((least, most)), Some(estimate)) = (range(&ratios), Estimate::of(&logarithms)) else {
        return Finding::untested(TARGETS, "no run to judge by");
    };
    let interval = estimate.interval().map(|(low, high)| format!(" ({} to {})", short(low.exp()), short(high.exp())));
    let mean = format!("{}{}", short(estimate.mean.exp()), interval.unwrap_or_default());
    let measured =
        format!("{} to {} times the figure's at width {width}, on average {mean}", short(least), short(most));
    Finding::new(TARGETS, measured, Evidence::Equivalence { estimate, low: -2f64.ln(), high: 2f64.ln() })
}
