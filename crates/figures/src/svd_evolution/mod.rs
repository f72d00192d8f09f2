//! Evolution of singular values and vectors (Fig. 3): gradient descent moves few of them, in every factor.

mod claims;
mod draw;
mod settings;

use std::fmt;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Kernels, Plan, Planned, Results, Table};

pub use self::settings::Settings;
use self::settings::Variant;
use crate::drawing::drawing;
use crate::matrix::{EvolutionRow, EvolutionTrial, evolution_rows};

/// What is varied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    variant: String,
    trial: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, trial {}", self.variant, self.trial)
    }
}

pub struct SvdEvolution;

impl Experiment for SvdEvolution {
    type Settings = Settings;
    type Inputs = ();
    type Point = Point;
    type Trial = EvolutionTrial;

    const NAME: &'static str = "svd-evolution";
    const ABOUT: &'static str = "Singular values and vectors of every factor along gradient descent (Fig. 3)";
    const LONG_ABOUT: &'static str = "Follows the singular values and vectors of every factor of a deep factorization \
        that learns a low-rank target under full observation from orthogonal factors (Fig. 3 of the paper). As many of \
        the largest and of the smallest as the target's rank move; all between keep one common value and their \
        subspaces. Supplements show every layer, heavy ball and weight decay.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(_: &Settings, _: &Gathering) -> anyhow::Result<()> {
        Ok(())
    }

    fn plan(settings: &Settings, (): &()) -> anyhow::Result<Plan<Self>> {
        let planned = |variant: &Variant, trial: usize| Planned {
            at: Point { variant: variant.name.clone(), trial },
            trial: settings.trial(variant, trial),
            kernels: Kernels::Sequential,
            cost: 1.0,
        };
        let variants = settings.variants.iter();
        Ok(variants.flat_map(|variant| (0..*settings.trials).map(move |trial| planned(variant, trial))).collect())
    }

    fn tables(_: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let rows = finished.iter().flat_map(|run| evolution_rows(&run.at.variant, run.at.trial, &run.outcome));
        Ok(vec![Table::new(Self::NAME, rows)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<EvolutionRow> = results.read(Self::NAME)?;
        let figures = draw::figures(settings, &rows);
        figures.iter().map(|(suffix, figure)| Ok(drawing(&format!("{}{suffix}", Self::NAME), figure)?)).collect()
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read(Self::NAME)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::given::{refused, settings};

    #[test]
    fn every_profile_is_valid() {
        for profile in ["paper", "quick", "smoke"] {
            assert_eq!(SvdEvolution::plan(&settings("svd-evolution", profile), &()).unwrap().len(), 3, "{profile}");
        }
        assert!(settings::<Settings>("svd-evolution", "paper").as_in_the_paper());
    }

    #[test]
    fn bad_values_are_named() {
        for (set, key) in [
            ("problem.rank=15", "problem.rank"),
            ("trials=2", "trials"),
            ("depth=4", "depth"),
            ("variants.2.optimizer.step_size=0.0", "variants.2.optimizer.step_size"),
            ("variants.1.optimizer.method.heavy-ball.momentum=1", "variants.1.optimizer.method.heavy-ball.momentum"),
            ("variants.1.name=gradient descent", "variants.1.name"),
            ("variants=[]", "variants"),
        ] {
            assert_eq!(refused::<Settings>("svd-evolution", &[set]).0, key, "{set}");
        }
    }
}
