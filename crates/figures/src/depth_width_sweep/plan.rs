//! The runs: those of the figure, and those on other targets.

use std::fmt;

use lab::{Experiment, Kernels, Plan, Planned};

use super::{DepthWidthSweep, Settings};
use crate::matrix::{DrawSettings, MatrixTrial, Network, ProblemSettings, Start};

/// What is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub(super) depth: usize,
    pub(super) width: usize,
    pub(super) whose: Whose,
}

/// The target and the initial factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The figure's target, and one of the networks on it.
    Trial(usize),
    /// Another target of the same law, from 1.
    Target(usize),
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { depth, width, whose } = self;
        match whose {
            Whose::Trial(trial) => write!(f, "depth {depth}, width {width}, trial {trial}"),
            Whose::Target(target) => write!(f, "depth {depth}, width {width}, other target {target}"),
        }
    }
}

pub(super) fn plan(settings: &Settings) -> Plan<DepthWidthSweep> {
    let others = &settings.other_targets;
    let mut plan = Vec::new();
    for (depth, step_size) in settings.depths.iter().map(|case| (*case.depth, *case.step_size)) {
        let figure = settings.widths.iter().flat_map(|width| (0..*settings.trials).map(|i| (**width, Whose::Trial(i))));
        let targets = others.widths.iter().flat_map(|width| (1..=*others.targets).map(|i| (**width, Whose::Target(i))));
        for (width, whose) in figure.chain(targets) {
            let at = Point { depth, width, whose };
            let trial = trial(settings, at, step_size);
            plan.push(Planned { at, trial, kernels: Kernels::Sequential, cost: width as f64 });
        }
    }
    plan
}

fn trial(settings: &Settings, Point { depth, width, whose }: Point, step_size: f64) -> MatrixTrial {
    let Settings { seed, init_scale, problem, schedule, .. } = settings;
    let (instance, initialization, draw) = match whose {
        Whose::Trial(trial) => (0, trial, problem.draw),
        Whose::Target(target) => (target, 0, DrawSettings::Seeded),
    };
    let start = Start { experiment: DepthWidthSweep::NAME, seed: *seed, instance, initialization };
    let problem = ProblemSettings { draw, ..problem.clone() };
    let network = Network::Deep { depth, width, init_scale: **init_scale };
    MatrixTrial::to_the_end(start, problem, network, step_size, schedule)
}
