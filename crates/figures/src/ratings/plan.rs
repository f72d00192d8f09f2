//! The trials: every method with every of its settings, on every split of every data set.

use std::fmt;

use lab::{Kernels, Plan, Planned};

use super::inputs::{DataSet, Ratings as Inputs};
use super::method::{Method, NetworkName};
use super::run::RatingTrial;
use super::settings::DepthSettings;
use super::{Ratings, Settings};

/// What is varied.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub(super) data: String,
    pub(super) method: Method,
    /// Number of the split, from 0.
    pub(super) trial: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data, method, trial } = self;
        write!(f, "{data}, {}", method.label())?;
        if let Some(rank) = method.rank() {
            write!(f, ", r = {rank}")?;
        }
        if let Some(regularization) = method.regularization() {
            write!(f, ", λ = {regularization}")?;
        }
        write!(f, ", trial {trial}")
    }
}

pub(super) fn plan(settings: &Settings, inputs: &Inputs) -> Plan<Ratings> {
    let mut plan = Vec::new();
    for set in &inputs.sets {
        for trial in 0..*settings.trials {
            let mut methods = methods(settings);
            if trial < *settings.original.trials && settings.original.data.contains(&set.name) {
                methods.extend(originals(settings));
            }
            plan.extend(methods.into_iter().map(|method| planned(settings, set, method, trial)));
        }
    }
    plan
}

fn planned(settings: &Settings, set: &DataSet, method: Method, split: usize) -> Planned<Point, RatingTrial> {
    let is_original = matches!(method, Method::Network { name: NetworkName::Original, .. });
    Planned {
        at: Point { data: set.name.clone(), method, trial: split },
        trial: RatingTrial {
            seed: settings.seed,
            data: set.name.clone(),
            hash: set.hash.clone(),
            split,
            validation_fraction: *settings.validation_fraction,
            test_fraction: *settings.test_fraction,
            clip: settings.clip,
            method,
        },
        kernels: Kernels::Parallel,
        cost: if is_original { 1000.0 } else { 1.0 },
    }
}

fn methods(settings: &Settings) -> Vec<Method> {
    let mut methods = vec![Method::Mean, Method::Biases];
    let als = &settings.als;
    for rank in als.ranks.iter() {
        methods.extend(als.regularizations.iter().map(|regularization| Method::Als {
            rank: **rank,
            regularization: **regularization,
            weighted: als.weighted,
            sweeps: *als.sweeps,
        }));
    }
    let soft = &settings.soft_impute;
    methods.extend(soft.regularizations.iter().map(|regularization| Method::SoftImpute {
        rank: *soft.rank,
        regularization: **regularization,
        max_iterations: *soft.max_iterations,
        tolerance: *soft.tolerance,
    }));
    for name in settings.networks.names.iter() {
        for depth in settings.networks.depths.iter() {
            let ranks = settings.networks.rank_guesses.iter();
            methods.extend(ranks.map(|rank| network(settings, *name, depth, Some(**rank))));
        }
    }
    methods
}

fn originals(settings: &Settings) -> impl Iterator<Item = Method> {
    settings.networks.depths.iter().map(|depth| network(settings, NetworkName::Original, depth, None))
}

fn network(settings: &Settings, name: NetworkName, depth: &DepthSettings, rank_guess: Option<usize>) -> Method {
    let (networks, original) = (&settings.networks, &settings.original);
    let is_original = name == NetworkName::Original;
    let max_iterations = *if is_original { original.max_iterations } else { networks.max_iterations };
    let patience = *if is_original { original.patience } else { networks.patience };
    Method::Network {
        name,
        depth: *depth.depth,
        rank_guess,
        init_scale: *depth.init_scale,
        step_size: *networks.step_size,
        discrepant_step: if name == NetworkName::CompressedFixed { 0.0 } else { *networks.discrepant_step },
        max_iterations,
        check_every: *networks.check_every,
        patience,
    }
}
