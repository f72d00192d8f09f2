//! What Figure 3 says, and whether the tables bear it out.

use std::ops::RangeInclusive;

use lab::{Evidence, Finding};

use super::settings::{Settings, Variant};
use crate::matrix::Side::{Left, Right};
use crate::matrix::{EvolutionRow, MethodSettings, Movement};

const VALUES: &str = "svd-evolution/values-confined";
const STAY: &str = "svd-evolution/middle-values-stay";
const AS_RHO: &str = "svd-evolution/middle-values-follow-rho";
const RIGHT: &str = "svd-evolution/right-vectors-confined";
const LEFT: &str = "svd-evolution/left-vectors-confined";
const LAYERS: &str = "svd-evolution/every-layer";
const HEAVY_BALL: &str = "svd-evolution/heavy-ball";

pub(super) fn findings(settings: &Settings, rows: &[EvolutionRow]) -> Vec<Finding> {
    let all = [VALUES, STAY, AS_RHO, RIGHT, LEFT, LAYERS, HEAVY_BALL];
    if !settings.as_in_the_paper() {
        return all.map(|id| Finding::untested(id, "another problem than the paper's")).into();
    }
    let mut findings = match moved(settings, rows, &settings.variants[0], 1..=1) {
        Some(moved) => in_w1(settings, &moved),
        None => all[..5].iter().map(|id| Finding::untested(id, "no run to judge by")).collect(),
    };
    findings.extend(settings.variants.iter().filter_map(|variant| in_every_layer(settings, rows, variant)));
    findings
}

/// What moved, at worst over some runs.
struct Moved {
    worst: Movement,
    runs: usize,
}

/// What moved in some layers of one variant.
fn moved(
    settings: &Settings,
    rows: &[EvolutionRow],
    variant: &Variant,
    layers: RangeInclusive<usize>,
) -> Option<Moved> {
    let in_run = |trial: usize| {
        let in_layer = |layer: usize| {
            let of = |row: &&EvolutionRow| (row.layer, row.trial) == (layer, trial) && row.variant == variant.name;
            Movement::new(&rows.iter().filter(of).collect::<Vec<_>>(), *settings.problem.rank)
        };
        layers.clone().filter_map(in_layer).reduce(Movement::worst)
    };
    let movements: Vec<Movement> = (0..*settings.trials).filter_map(in_run).collect();
    let runs = movements.len();
    movements.into_iter().reduce(Movement::worst).map(|worst| Moved { worst, runs })
}

/// The statements about the first layer, under plain gradient descent.
fn in_w1(settings: &Settings, &Moved { worst, runs: n }: &Moved) -> Vec<Finding> {
    let exact = |id, measured: String, holds: bool| Finding::new(id, measured, Evidence::Exact { holds, n });
    let expected = 1.0 - settings.trial(&settings.variants[0], 0).rho() / *settings.init_scale;
    let error = (worst.middle_change - expected).abs();
    vec![
        exact(VALUES, worst.of_values(), worst.values_are_confined()),
        exact(STAY, worst.since_the_start(), worst.values_stay()),
        exact(AS_RHO, format!("to {error:.0e}"), error < Movement::ROUNDING),
        exact(RIGHT, worst.of_vectors(Right), worst.vectors_are_confined(Right)),
        exact(LEFT, worst.of_vectors(Left), worst.vectors_are_confined(Left)),
    ]
}

/// Only the first r and the last r part and turn, in every layer of a variant. Theorem 2.1 is about gradient descent, and
/// says nothing of Adam and RMSprop.
fn in_every_layer(settings: &Settings, rows: &[EvolutionRow], variant: &Variant) -> Option<Finding> {
    let id = match variant.optimizer.method {
        MethodSettings::GradientDescent => LAYERS,
        MethodSettings::HeavyBall { .. } => HEAVY_BALL,
        MethodSettings::Adam { .. } | MethodSettings::RmsProp { .. } => return None,
    };
    let finding = match moved(settings, rows, variant, 1..=*settings.depth) {
        None => Finding::untested(id, "no run to judge by"),
        Some(Moved { worst, runs: n }) => {
            let vectors = worst.vectors_are_confined(Right) && worst.vectors_are_confined(Left);
            let measured = format!("{}; right vectors: {}", worst.of_values(), worst.of_vectors(Right));
            Finding::new(id, measured, Evidence::Exact { holds: worst.values_are_confined() && vectors, n })
        }
    };
    Some(finding.case(&variant.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One run of every variant: at iteration 1 the first and the last r values have moved by `edge`, the others by `middle`;
    /// the vectors of the former have turned, those of the others have not.
    fn rows(settings: &Settings, edge: f64, middle: f64) -> Vec<EvolutionRow> {
        let size = *settings.problem.size;
        let row = |variant: &Variant, layer, iteration, index: usize| {
            let outer = index <= 3 || index > size - 3;
            let (by, angle) = if outer { (edge, 0.5) } else { (middle, 0.0) };
            let sign = if index <= 3 { 1.0 } else { -1.0 };
            EvolutionRow {
                variant: variant.name.clone(),
                trial: 0,
                layer,
                iteration,
                index,
                singular_value: 1.0 + if iteration == 1 { sign * by } else { 0.0 },
                right_angle_rad: angle,
                left_angle_rad: angle,
            }
        };
        let (mut rows, row) = (Vec::new(), &row);
        for variant in &settings.variants {
            let cells = (1..=3).flat_map(|layer| (0..2).flat_map(move |t| (1..=size).map(move |i| (layer, t, i))));
            rows.extend(cells.map(|(layer, t, i)| row(variant, layer, t, i)));
        }
        rows
    }

    #[test]
    fn edges_that_move_and_a_middle_that_stays() {
        let settings: Settings = crate::matrix::given::settings("svd-evolution", "paper");
        let verdicts = |rows: &[EvolutionRow]| -> Vec<(&'static str, bool)> {
            let holds = |finding: &Finding| matches!(finding.evidence, Evidence::Exact { holds: true, n: 1 });
            findings(&settings, rows).iter().map(|finding| (finding.id, holds(finding))).collect()
        };
        let found = verdicts(&rows(&settings, 0.3, 0.0));
        assert_eq!(found.len(), 8);
        assert!(found.iter().all(|(id, holds)| *holds == (*id != AS_RHO)), "{found:?}");
        let found = verdicts(&rows(&settings, 0.3, 0.05));
        assert!(found.iter().all(|(id, holds)| *holds == (*id != AS_RHO && *id != STAY)), "{found:?}");
        let found = verdicts(&rows(&settings, 0.0, 0.0));
        assert!(found.iter().all(|(id, holds)| *holds == [STAY, RIGHT, LEFT].contains(id)), "{found:?}");
        assert!(verdicts(&[]).iter().all(|(_, holds)| !holds));
    }
}
