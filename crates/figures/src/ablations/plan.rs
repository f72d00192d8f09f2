//! Every value of every factor, for both networks and all trials.

use std::fmt;

use lab::checked::Fraction;
use lab::{Experiment, Kernels, Planned};

use super::Ablations;
use super::settings::{Base, DepthSettings, Settings};
use crate::label::number;
use crate::matrix::{Law, MatrixTrial, Network, ProblemSettings, Start};

/// What the tables call the two networks.
pub(super) const ORIGINAL: &str = "original";
pub(super) const COMPRESSED: &str = "compressed";

/// What the tables call an original of independent entries.
pub(super) fn independent(law: Law) -> &'static str {
    match law {
        Law::Normal => "original, normal entries",
        Law::Uniform => "original, uniform entries",
    }
}

/// What the tables call the factors.
pub(super) const DISCREPANT_STEP: &str = "discrepant_step";
pub(super) const OBSERVED_FRACTION: &str = "observed_fraction";
pub(super) const INIT_SCALE: &str = "init_scale";
pub(super) const DEPTH: &str = "depth";

/// What is varied: one factor at a time. The base occurs once for each factor, the original once for each γ, which it does
/// not depend on; such equal trials are run once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub(super) factor: &'static str,
    pub(super) value: f64,
    pub(super) network: &'static str,
    pub(super) trial: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} {}, trial {}", self.network, self.factor, number(self.value), self.trial)
    }
}

/// All trials, factor by factor.
pub(super) fn plan(settings: &Settings) -> Vec<Planned<Point, MatrixTrial>> {
    let Settings { base, vary, problem, .. } = settings;
    let fraction = problem.observed_fraction;
    let mut plan = Vec::new();
    let mut vary_to = |factor, value, networks: Base, fraction| {
        plan.extend(at_value(settings, (factor, value), &networks, fraction));
    };
    for &step in &vary.discrepant_steps {
        vary_to(DISCREPANT_STEP, *step, Base { discrepant_step: step, ..base.clone() }, fraction);
    }
    for &p in &vary.observed_fractions {
        vary_to(OBSERVED_FRACTION, *p, base.clone(), p);
    }
    for &scale in &vary.init_scales {
        vary_to(INIT_SCALE, *scale, Base { init_scale: scale, ..base.clone() }, fraction);
    }
    for &DepthSettings { depth, init_scale, step_size } in &vary.depths {
        vary_to(DEPTH, *depth as f64, Base { depth, init_scale, step_size, ..base.clone() }, fraction);
    }
    plan.extend(
        vary.depths.iter().flat_map(|depth| vary.laws.iter().flat_map(|law| independents(settings, depth, *law))),
    );
    plan
}

/// The originals of independent entries at one depth. Only the original has them: its compression rests on orthogonal factors.
fn independents(
    settings: &Settings,
    depth: &DepthSettings,
    law: Law,
) -> impl Iterator<Item = Planned<Point, MatrixTrial>> {
    let (width, init_scale) = (*settings.problem.size, *depth.init_scale);
    let network = Network::Independent { depth: *depth.depth, width, init_scale, law };
    (0..*settings.trials).map(move |trial| Planned {
        at: Point { factor: DEPTH, value: *depth.depth as f64, network: independent(law), trial },
        trial: MatrixTrial::to_the_end(
            start(settings, trial),
            settings.problem.clone(),
            network,
            *depth.step_size,
            &settings.schedule,
        ),
        kernels: Kernels::Sequential,
        cost: 100.0,
    })
}

fn start(settings: &Settings, instance: usize) -> Start {
    Start { experiment: Ablations::NAME, seed: settings.seed, instance, initialization: 0 }
}

/// The trials of both networks at one value of one factor.
fn at_value(
    settings: &Settings,
    (factor, value): (&'static str, f64),
    networks: &Base,
    observed_fraction: Fraction,
) -> Vec<Planned<Point, MatrixTrial>> {
    let Base { depth, init_scale, step_size, rank_guess, discrepant_step, initialization } = networks;
    // The gradient grows with the number of observed entries.
    let step_size = **step_size * *settings.problem.observed_fraction / *observed_fraction;
    let planned = |name: &'static str, network: Network, cost: f64, trial: usize| {
        let problem = ProblemSettings { observed_fraction, ..settings.problem.clone() };
        Planned {
            at: Point { factor, value, network: name, trial },
            trial: MatrixTrial::to_the_end(start(settings, trial), problem, network, step_size, &settings.schedule),
            kernels: Kernels::Sequential,
            cost,
        }
    };
    let (depth, init_scale) = (**depth, **init_scale);
    let original = Network::Deep { depth, width: *settings.problem.size, init_scale };
    let compressed = initialization.network(depth, init_scale, **rank_guess, **discrepant_step);
    [(ORIGINAL, original, 100.0), (COMPRESSED, compressed, 1.0)]
        .into_iter()
        .flat_map(|(name, network, cost)| (0..*settings.trials).map(move |trial| (name, network, cost, trial)))
        .map(|(name, network, cost, trial)| planned(name, network, cost, trial))
        .collect()
}
