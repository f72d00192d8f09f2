//! Evolution of singular values and vectors (Fig. 3): gradient descent moves few of them, in every factor.

mod claims;
mod settings;

use std::fmt;

use charts::{Axis, Figure, Surface};
use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Kernels, Plan, Planned, Results, Table};

pub use self::settings::Settings;
use self::settings::Variant;
use crate::drawing::drawing;
use crate::matrix::{EvolutionRow, EvolutionTrial, by_index, evolution_rows};

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

/// The experiment.
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
        Ok(variants.flat_map(|variant| (0..settings.trials).map(move |trial| planned(variant, trial))).collect())
    }

    fn tables(_: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let rows = finished.iter().flat_map(|run| evolution_rows(&run.at.variant, run.at.trial, &run.outcome));
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
        let as_figure_3 = format!("Figure 3; {trained}");
        Ok(vec![
            drawing(Self::NAME, &figure("W₁", &as_figure_3).panels(panels(&rows, first, 1, "")))?,
            drawing("svd-evolution-layers", &figure("every layer", &trained).panels(layers))?,
            drawing("svd-evolution-variants", &figure("W₁", "each row trained in another way").panels(variants))?,
        ])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read(Self::NAME)?))
    }
}

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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lab::Check;

    use super::*;

    fn settings(profile: &str) -> Settings {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/svd-evolution.toml");
        lab::settings::load::<Settings>(&path, profile, &[]).unwrap().settings
    }

    #[test]
    fn every_profile_is_valid() {
        for profile in ["paper", "quick", "smoke"] {
            assert_eq!(SvdEvolution::plan(&settings(profile), &()).unwrap().len(), 3, "{profile}");
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
