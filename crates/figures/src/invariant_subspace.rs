//! Invariant subspaces (Theorem 2.1): block structure, recursion of ρ and exact compression, along whole runs.

use std::collections::{BTreeSet, HashSet};

use charts::{Axis, Figure, Lines, Series};
use lab::{
    Check, Claim, Drawing, Experiment, Finished, Invalid, Kernels, LabError, Memory, Planned, Results, Table,
    TrialContext, TrialError, Verdict,
};
use serde::{Deserialize, Serialize};

use crate::drawing::drawing;
use crate::matrix::{
    BlockRow, DistanceRow, MethodSettings, Points, TheoremCase, TheoremOutcome, TheoremTrial, block_rows, check_runs,
    distance_rows, have_learned, largest, largest_by_iteration, run_theorem,
};

/// `experiments/invariant-subspace.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    max_iterations: u64,
    records: u64,
    cases: Vec<TheoremCase>,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[self.cases.len()])?;
        Invalid::unless(self.max_iterations >= 1, "max_iterations", self.max_iterations, "an integer from 1")?;
        Invalid::unless(self.records >= 1, "records", self.records, "an integer from 1")?;
        Invalid::unless(!self.cases.is_empty(), "cases", "[]", "at least one table")?;
        let mut names = HashSet::new();
        self.cases.iter().enumerate().try_for_each(|(i, case)| {
            case.check(&format!("cases.{i}"))?;
            let unique = names.insert(&case.name);
            Invalid::unless(unique, format!("cases.{i}.name"), &case.name, "a name that no other case has")
        })
    }
}

/// The experiment.
pub struct InvariantSubspaces;

impl Experiment for InvariantSubspaces {
    type Settings = Settings;
    type Trial = TheoremTrial;
    type Outcome = TheoremOutcome;

    const NAME: &'static str = "invariant-subspace";
    const ABOUT: &'static str = "Block structure of every factor along gradient descent (Theorem 2.1)";
    const LONG_ABOUT: &'static str = "Checks Theorem 2.1 of the paper by numbers. Under full observation, in bases fixed \
        at initialization, every factor of a deep factorization keeps the form [W̃ 0; 0 ρ I] along gradient descent: \
        only a block of twice the target's rank learns, ρ follows a scalar recursion, and the block trained alone \
        gives the end-to-end product of the whole up to √m ∏ρ. Heavy ball keeps the form, Adam does not.";

    fn plan(settings: &Settings) -> Vec<Planned<TheoremTrial>> {
        let mut planned = Vec::new();
        for case in &settings.cases {
            let iterations = case.iterations.min(settings.max_iterations);
            let case = TheoremCase { iterations, ..case.clone() };
            for trial in 0..settings.trials {
                planned.push(Planned {
                    label: format!("{}, trial {trial}", case.name),
                    kernels: Kernels::Sequential,
                    cost: (case.depth as u64 * iterations) as f64 * (case.size as f64).powi(3),
                    trial: TheoremTrial {
                        experiment: Self::NAME,
                        seed: settings.seed,
                        trial,
                        record_every: iterations.div_ceil(settings.records),
                        case: case.clone(),
                    },
                });
            }
        }
        planned
    }

    fn memory(trial: &TheoremTrial) -> Memory {
        trial.memory()
    }

    fn run(trial: &TheoremTrial, context: &TrialContext) -> Result<TheoremOutcome, TrialError> {
        run_theorem(trial, context)
    }

    fn tables(_: &Settings, finished: &[Finished<TheoremTrial, TheoremOutcome>]) -> Result<Vec<Table>, LabError> {
        let blocks = finished.iter().flat_map(|f| block_rows(&f.trial, &f.outcome));
        let distances = finished.iter().flat_map(|f| distance_rows(&f.trial, &f.outcome));
        Ok(vec![Table::new(Self::NAME, blocks)?, Table::companion(Self::NAME, "distance", distances)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let blocks: Vec<BlockRow> = results.read(Self::NAME)?;
        let distances: Vec<DistanceRow> = results.read(DISTANCES)?;
        let names: Vec<&str> = settings.cases.iter().map(|case| case.name.as_str()).collect();
        let block = |value: fn(&BlockRow) -> Option<f64>| largest_by_iteration(&names, &blocks, value).into_iter();
        let distance =
            |value: fn(&DistanceRow) -> Option<f64>| largest_by_iteration(&names, &distances, value).into_iter();
        let line = |(case, points): (usize, Points)| Series::new(names[case], points).hue(case);
        let shade = |(case, points): (usize, Points)| Series::new("", points).hue(case).width(6.0).opacity(0.35);
        let panel = |title: &str, value: &str| Lines::new(title).x(Axis::log("iteration")).y(Axis::log(value));
        let figure = Figure::new("The invariant subspace of the learning dynamics")
            .subtitle(settings.subtitle())
            .panel(
                panel("Distance from the block form", "block residual / ‖Wₗ‖")
                    .many(block(|row| Some(row.block_residual)).map(line)),
            )
            .panel(panel("ρ against its recursion", "relative difference").many(block(BlockRow::rho_error).map(line)))
            .panel(
                panel("Original against compressed", "wide: distance; thin: √m ∏ρ")
                    .many(distance(|row| Some(row.distance)).map(shade))
                    .many(distance(|row| Some(row.predicted())).map(line)),
            )
            .panel(
                panel("That distance against √m ∏ρ", "relative difference")
                    .many(distance(|row| Some(row.error())).map(line)),
            )
            .shared_legend();
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let blocks: Vec<BlockRow> = results.read(Self::NAME)?;
        let distances: Vec<DistanceRow> = results.read(DISTANCES)?;
        let judge = |claim: &str, paper: &str, of: Cases, worst: Option<(f64, &str)>, holds: Criterion| Claim {
            claim: claim.to_owned(),
            paper: paper.to_owned(),
            measured: worst.map_or("no such case".to_owned(), |(value, case)| format!("up to {value:.1e} ({case})")),
            verdict: match worst {
                Some((value, _)) if !holds(value) => Verdict::Differs,
                Some(_) if have_learned(&settings.cases_of(of), &distances) => Verdict::Holds,
                _ => Verdict::NotTested,
            },
        };
        let block = |of: Cases, value: fn(&BlockRow) -> Option<f64>| largest(&settings.cases_of(of), &blocks, value);
        let residual = |of: Cases| block(of, |row| Some(row.block_residual));
        let error = |of: Cases| largest(&settings.cases_of(of), &distances, |row| Some(row.error()));
        let exact = "exact (Theorem 2.1)";
        let claims = [
            judge("gradient descent keeps every factor in the block form", exact, DESCENT, residual(DESCENT), KEPT),
            judge("every ρ follows its recursion", exact, DESCENT, block(DESCENT, BlockRow::rho_error), KEPT),
            judge("the compressed follows the original up to √m ∏ρ", exact, DESCENT, error(DESCENT), TINY),
            judge("heavy ball keeps every factor in the block form", "", HEAVY_BALL, residual(HEAVY_BALL), KEPT),
            judge("Adam does not keep the block form", "", ADAM, residual(ADAM), BROKEN),
        ];
        Ok(claims.into())
    }
}

const DISTANCES: &str = "invariant-subspace.distance";

/// What decides a claim. Exact statements may be off by rounding, which grows with the number of steps: 1e-11 allows for
/// 20 000. Relative to √m ∏ρ it is that of the products, about 1e-16 ‖Φ‖: up to 1e-9 for d = 100 and ε = 0.01, where
/// √m ∏ρ is 1e-5.
type Criterion = fn(f64) -> bool;

const KEPT: Criterion = |x| x < 1e-11;
const TINY: Criterion = |x| x < 1e-9;
const BROKEN: Criterion = |x| x > 1e-3;

/// Which cases a claim is about, by their method.
type Cases = fn(&MethodSettings) -> bool;

const DESCENT: Cases = |method| *method == MethodSettings::GradientDescent;
const HEAVY_BALL: Cases = |method| matches!(method, MethodSettings::HeavyBall { .. });
const ADAM: Cases = |method| matches!(method, MethodSettings::Adam { .. });

impl Settings {
    fn cases_of(&self, of: Cases) -> Vec<&str> {
        self.cases.iter().filter(|case| of(&case.optimizer.method)).map(|case| case.name.as_str()).collect()
    }

    fn subtitle(&self) -> String {
        let sizes: BTreeSet<_> = self.cases.iter().map(|case| (case.size, case.rank)).collect();
        let sizes: Vec<_> = sizes.iter().map(|(size, rank)| format!("d = {size}, r = {rank}")).collect();
        format!("full observation; {}; the largest over all layers", sizes.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_profile_is_valid() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/invariant-subspace.toml");
        for profile in ["paper", "quick", "smoke"] {
            let settings = lab::settings::load::<Settings>(&path, profile, &[]).unwrap().settings;
            assert_eq!(InvariantSubspaces::plan(&settings).len(), 8, "{profile}");
        }
    }

    #[test]
    fn bad_cases_are_named() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/invariant-subspace.toml");
        let mut settings = lab::settings::load::<Settings>(&path, "paper", &[]).unwrap().settings;
        settings.cases[2].rank = 15;
        assert_eq!(settings.check().unwrap_err().key, "cases.2.rank");
        settings.cases[2].rank = 3;
        settings.cases[2].name = settings.cases[0].name.clone();
        assert_eq!(settings.check().unwrap_err().key, "cases.2.name");
    }
}
