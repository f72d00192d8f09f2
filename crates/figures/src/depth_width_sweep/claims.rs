//! What Figure 1 says, and whether the tables bear it out.

use lab::{Finding, Side};

use super::{Row, Settings, iterations_to_tolerance, recovery_errors};
use crate::reference::{ReferenceRow, reference_points};
use crate::statements::{RECOVERED, as_reported, at_most, changes, points};

const OVERFITS: &str = "depth-width-sweep/depth-2-overfits";
const RECOVERS: &str = "depth-width-sweep/depth-3-recovers";
const SPEEDS_UP: &str = "depth-width-sweep/width-speeds-up";
const ERRORS: &str = "depth-width-sweep/depth-2-values";
const ITERATIONS: &str = "depth-width-sweep/depth-3-iterations";

pub(super) fn findings(settings: &Settings, rows: &[Row], reference: &[ReferenceRow]) -> Vec<Finding> {
    if !settings.as_in_the_paper() {
        let reason = "another problem than the paper's";
        return [OVERFITS, RECOVERS, SPEEDS_UP, ERRORS, ITERATIONS].map(|id| Finding::untested(id, reason)).into();
    }
    let [shallow, deep] = [2, 3].map(|depth| recovery_errors(rows, depth));
    let iterations = iterations_to_tolerance(rows, 3);
    let runs = *settings.trials * settings.widths.len();
    vec![
        changes(OVERFITS, Side::Above, &points(&shallow)),
        at_most(RECOVERS, RECOVERED, &points(&deep), runs),
        changes(SPEEDS_UP, Side::Below, &points(&iterations)),
        // The paper's target is not this one, and at the largest width targets of this kind differ among themselves that much.
        as_reported(ERRORS, 2.0, &shallow, &reference_points(reference, "depth 2", "recovery_error")),
        as_reported(ITERATIONS, 1.5, &iterations, &reference_points(reference, "depth 3", "iterations")),
    ]
}
