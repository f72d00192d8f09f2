//! Estimates beside measured peaks.

use std::path::Path;

use serde::Deserialize;

use lab::checked::{Count, Depth, NotNegative, Positive};

use super::*;
use crate::matrix::{RelativeNetwork, Start, WideProblem};

/// The peaks of the paper's profile, as measured.
#[test]
fn estimates_are_above_what_was_measured_and_not_far_above() {
    #[derive(Deserialize)]
    struct Measured {
        method: String,
        size: usize,
        peak_memory_mib: f64,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/paper/scaling.timing.csv");
    let rows: Vec<Measured> = csv::Reader::from_path(path).unwrap().deserialize().collect::<Result<_, _>>().unwrap();
    assert!(rows.len() >= 10);
    for Measured { method, size, peak_memory_mib } in rows {
        let method = ScaleMethod::ALL.into_iter().find(|known| known.name() == method).unwrap();
        let trial = ScaleTrial {
            start: Start { experiment: "scaling", seed: 0, instance: 0, initialization: 0 },
            size,
            problem: WideProblem {
                target: TargetSettings::Factors,
                rank: Count::new(4).unwrap(),
                observed_per_row: Count::new(100).unwrap(),
            },
            method,
            network: RelativeNetwork {
                depth: Depth::new(3).unwrap(),
                rank_guess: Count::new(4).unwrap(),
                init_scale: Positive::new(0.02).unwrap(),
                step_size: Positive::new(0.3).unwrap(),
                discrepant_step: NotNegative::new(1.0).unwrap(),
            },
            max_iterations: 600,
            tolerance: 1e-10,
            record_every: 10,
            held_out_entries: 100_000,
        };
        let (estimate, peak) = (trial.estimate().bytes() as f64, peak_memory_mib * f64::from(1 << 20));
        // Whatever is small does not matter.
        let room = f64::from(80 << 20);
        assert!(peak <= estimate && estimate <= 1.6 * peak + room, "{method:?} {size}: {peak:.2e} {estimate:.2e}");
    }
}
