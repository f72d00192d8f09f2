//! Evolution of singular values and vectors (Fig. 3): gradient descent moves few of them, in every factor.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use charts::{Axis, Figure, Surface};
use lab::{
    Check, Claim, Drawing, Experiment, Finished, Invalid, Kernels, LabError, Memory, Planned, Results, Table,
    TrialContext, TrialError,
};
use serde::{Deserialize, Serialize};

use crate::drawing::drawing;
use crate::matrix::Side::{Left, Right};
use crate::matrix::{
    EvolutionOutcome, EvolutionRow, EvolutionTrial, LossSettings, MethodSettings, Movement, OptimizerSettings,
    ProblemSettings, by_index, check_depth, check_init_scale, check_runs, evolution_rows, run_evolution,
};
use crate::statements::Statement;

/// `experiments/svd-evolution.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    depth: usize,
    init_scale: f64,
    iterations: u64,
    problem: ProblemSettings,
    variants: Vec<Variant>,
}

/// `[[variants]]`: the same factors, trained otherwise.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    name: String,
    optimizer: OptimizerSettings,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[self.variants.len()])?;
        check_depth("depth", self.depth)?;
        check_init_scale("init_scale", self.init_scale, self.depth)?;
        Invalid::unless(self.iterations >= 1, "iterations", self.iterations, "an integer from 1")?;
        self.problem.check("problem")?;
        let ProblemSettings { size, rank, .. } = self.problem;
        let allowed = format!("an integer from 1, below half the size ({size})");
        Invalid::unless(2 * rank < size, "problem.rank", rank, allowed)?;
        Invalid::unless(!self.variants.is_empty(), "variants", "[]", "at least one table")?;
        let mut names = HashSet::new();
        self.variants.iter().enumerate().try_for_each(|(i, Variant { name, optimizer })| {
            let unique = !name.is_empty() && names.insert(name);
            Invalid::unless(unique, format!("variants.{i}.name"), name, "a name that no other variant has")?;
            optimizer.check(&format!("variants.{i}.optimizer"))
        })
    }
}

/// The experiment.
pub struct SvdEvolution;

impl Experiment for SvdEvolution {
    type Settings = Settings;
    type Trial = EvolutionTrial;
    type Outcome = EvolutionOutcome;

    const NAME: &'static str = "svd-evolution";
    const ABOUT: &'static str = "Singular values and vectors of every factor along gradient descent (Fig. 3)";
    const LONG_ABOUT: &'static str = "Follows the singular values and vectors of every factor of a deep factorization \
        that learns a low-rank target under full observation from orthogonal factors (Fig. 3 of the paper). As many of \
        the largest and of the smallest as the target's rank move; all between keep one common value and their \
        subspaces. Supplements show every layer, heavy ball and weight decay.";

    fn plan(settings: &Settings) -> Vec<Planned<EvolutionTrial>> {
        let variants = settings.variants.iter();
        let planned = variants.flat_map(|variant| (0..settings.trials).map(|trial| settings.planned(variant, trial)));
        planned.collect()
    }

    fn memory(trial: &EvolutionTrial) -> Memory {
        trial.memory()
    }

    fn run(trial: &EvolutionTrial, context: &TrialContext) -> Result<EvolutionOutcome, TrialError> {
        run_evolution(trial, context)
    }

    fn tables(_: &Settings, finished: &[Finished<EvolutionTrial, EvolutionOutcome>]) -> Result<Vec<Table>, LabError> {
        let rows = finished.iter().flat_map(|f| evolution_rows(&f.trial, &f.outcome));
        Ok(vec![Table::new(Self::NAME, rows)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<EvolutionRow> = results.read(Self::NAME)?;
        let Variant { name: first, optimizer } = &settings.variants[0];
        let trained = format!("{first}, η = {}", optimizer.step_size);
        let layers = (1..=settings.depth).flat_map(|layer| panels(&rows, first, layer, &format!(", layer {layer}")));
        let variants = settings.variants.iter().map(|variant| variant.name.as_str());
        let variants = variants.flat_map(|variant| panels(&rows, variant, 1, &format!(", {variant}")));
        let figure = |title: &str, trained: &str| {
            Figure::new(format!("Evolution of the singular values and vectors of {title}"))
                .subtitle(settings.subtitle(trained))
                .columns(3)
        };
        Ok(vec![
            drawing(Self::NAME, &figure("W₁", &trained).panels(panels(&rows, first, 1, "")))?,
            drawing("svd-evolution-layers", &figure("every layer", &trained).panels(layers))?,
            drawing("svd-evolution-variants", &figure("W₁", "each row trained in another way").panels(variants))?,
        ])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let rows: Vec<EvolutionRow> = results.read(Self::NAME)?;
        let judged = |claim: &str, paper: &str, of: &Option<Movement>, measured: Describe, holds: Criterion| {
            let statement = Statement { claim, paper, tested: settings.as_in_the_paper() };
            statement.judged(of.as_ref().map(measured), of.as_ref().is_some_and(holds))
        };
        let first = &settings.variants[0];
        let in_w1 = settings.movement(&rows, first, 1..=1);
        let values = "W₁: only the first r and the last r singular values part from the common one";
        let middle = "W₁: the middle d − 2r singular values stay as they are";
        let right = "W₁: only the first r and the last r right singular vectors turn";
        let left = "W₁: only the first r and the last r left singular vectors turn";
        let mut claims = vec![
            judged(values, "only these move", &in_w1, Movement::of_values, Movement::values_are_confined),
            judged(middle, "they stay", &in_w1, Movement::since_the_start, Movement::values_stay),
            settings.falls_as_rho(first, &in_w1),
            judged(right, "only these turn", &in_w1, |m| m.of_vectors(Right), |m| m.vectors_are_confined(Right)),
            judged(left, "only these turn", &in_w1, |m| m.of_vectors(Left), |m| m.vectors_are_confined(Left)),
        ];
        for variant in &settings.variants {
            let everywhere = settings.movement(&rows, variant, 1..=settings.depth);
            let claim = format!("{}, every layer: only the first r and the last r part and turn", variant.name);
            let describe = |m: &Movement| format!("{}; right: {}", m.of_values(), m.of_vectors(Right));
            let confined =
                |m: &Movement| m.values_are_confined() && m.vectors_are_confined(Right) && m.vectors_are_confined(Left);
            claims.push(judged(&claim, "", &everywhere, describe, confined));
        }
        Ok(claims)
    }
}

/// How a movement is put in words, and whether it is as it should be.
type Describe = fn(&Movement) -> String;
type Criterion = fn(&Movement) -> bool;

/// The three panels of one layer of the first trial.
fn panels(rows: &[EvolutionRow], variant: &str, layer: usize, suffix: &str) -> [Surface; 3] {
    let of = |row: &&EvolutionRow| row.variant == variant && row.layer == layer && row.trial == 0;
    let panel = |quantity: &str, value: fn(&EvolutionRow) -> f64, axis: Axis| {
        Surface::new(format!("{quantity}{suffix}"), by_index(rows.iter().filter(of), value))
            .index("index i")
            .iteration("iteration t")
            .value(axis)
    };
    let angle = |label: &str| Axis::linear(label).include(0.0);
    [
        panel("Singular values", |row| row.singular_value, Axis::linear("σᵢ(t)")),
        panel("Right singular vectors", |row| row.right_angle_rad.to_degrees(), angle("∠(vᵢ(t), vᵢ(1)) in °")),
        panel("Left singular vectors", |row| row.left_angle_rad.to_degrees(), angle("∠(uᵢ(t), uᵢ(1)) in °")),
    ]
}

impl Settings {
    fn planned(&self, variant: &Variant, trial: usize) -> Planned<EvolutionTrial> {
        Planned {
            label: format!("{}, trial {trial}", variant.name),
            trial: EvolutionTrial {
                experiment: SvdEvolution::NAME,
                seed: self.seed,
                trial,
                variant: variant.name.clone(),
                problem: self.problem.clone(),
                depth: self.depth,
                init_scale: self.init_scale,
                iterations: self.iterations,
                optimizer: variant.optimizer,
            },
            kernels: Kernels::Sequential,
            cost: 1.0,
        }
    }

    /// Whether problem and first variant are the paper's; others do not bear on its statements.
    fn as_in_the_paper(&self) -> bool {
        let problem = ProblemSettings { size: 30, rank: 3, observed_fraction: 1.0, loss: LossSettings::Mean };
        let method = MethodSettings::GradientDescent;
        let optimizer = OptimizerSettings { method, step_size: 1.0, weight_decay: 0.0 };
        let sizes = (self.depth, self.init_scale, self.iterations) == (3, 1.0, 50);
        sizes && self.problem == problem && self.variants[0].optimizer == optimizer
    }

    /// What moved in some layers of one variant, at worst over its trials.
    fn movement(&self, rows: &[EvolutionRow], variant: &Variant, layers: RangeInclusive<usize>) -> Option<Movement> {
        let runs = layers.flat_map(|layer| (0..self.trials).map(move |trial| (layer, trial)));
        let movements = runs.filter_map(|(layer, trial)| {
            let of = |row: &&EvolutionRow| (row.layer, row.trial) == (layer, trial) && row.variant == variant.name;
            Movement::new(&rows.iter().filter(of).collect::<Vec<_>>(), self.problem.rank)
        });
        movements.reduce(Movement::worst)
    }

    /// Theorem 2.1 says how far the middle singular values fall.
    fn falls_as_rho(&self, variant: &Variant, movement: &Option<Movement>) -> Claim {
        let expected = 1.0 - self.planned(variant, 0).trial.rho() / self.init_scale;
        let error = movement.map(|m| (m.middle_change - expected).abs());
        let statement = Statement {
            claim: "W₁: the middle singular values fall as ρ₁ does by its recursion",
            paper: "exact (Theorem 2.1)",
            tested: self.as_in_the_paper(),
        };
        statement
            .judged(error.map(|error| format!("to {error:.0e}")), error.is_some_and(|error| error < Movement::ROUNDING))
    }

    fn subtitle(&self, trained: &str) -> String {
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        let (depth, scale) = (self.depth, self.init_scale);
        format!("d = {size}, r = {rank}, L = {depth}, p = {observed_fraction}, ε = {scale}; {trained}")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(profile: &str) -> Settings {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/svd-evolution.toml");
        lab::settings::load::<Settings>(&path, profile, &[]).unwrap().settings
    }

    #[test]
    fn every_profile_is_valid() {
        for profile in ["paper", "quick", "smoke"] {
            assert_eq!(SvdEvolution::plan(&settings(profile)).len(), 3, "{profile}");
        }
        assert!(settings("paper").as_in_the_paper());
    }

    #[test]
    fn bad_settings_are_named() {
        let mut settings = settings("paper");
        settings.problem.rank = 15;
        assert_eq!(settings.check().unwrap_err().key, "problem.rank");
        settings.problem.rank = 3;
        settings.variants[2].optimizer.step_size = 0.0;
        assert_eq!(settings.check().unwrap_err().key, "variants.2.optimizer.step_size");
        settings.variants[1].name = settings.variants[0].name.clone();
        assert_eq!(settings.check().unwrap_err().key, "variants.1.name");
    }
}
