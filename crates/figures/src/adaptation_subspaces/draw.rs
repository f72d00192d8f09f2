//! The figure: spectra at the end, subspaces and loss on the way.

use charts::{Axis, Figure, Lines, Series, Surface};
use lab::{Drawing, Experiment, Results};

use super::AdaptationSubspaces;
use super::rows::{LossRow, Row, SpectrumRow};
use super::settings::Settings;
use crate::adaptation::distinct;
use crate::drawing::drawing;
use crate::palette;
use crate::summary::averaged;

pub(super) fn drawings(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
    let rows: Vec<Row> = results.read(AdaptationSubspaces::NAME)?;
    let spectra: Vec<SpectrumRow> = results.read("adaptation-subspaces.spectra")?;
    let losses: Vec<LossRow> = results.read("adaptation-subspaces.loss")?;
    let mut drawings = Vec::new();
    for (place, task) in distinct(&rows, |row| row.task.clone()).into_iter().enumerate() {
        let spectra: Vec<&SpectrumRow> = spectra.iter().filter(|row| row.task == task && row.trial == 0).collect();
        let rows: Vec<&Row> = rows.iter().filter(|row| row.task == task).collect();
        let losses: Vec<&LossRow> = losses.iter().filter(|row| row.task == task).collect();
        let curve = averaged(losses.iter().map(|row| (row.step as f64, row.training_loss)));
        let mut loss = Lines::new("Training loss")
            .x(Axis::linear("step"))
            .y(Axis::linear("training loss"))
            .series(Series::new("", curve.mean).hue(palette::DEEP_LORA));
        if let Some(constant) = losses.iter().filter_map(|row| row.constant_loss).reduce(f64::max) {
            loss = loss.reference(constant, "best constant");
        }
        let figure = Figure::new("Full-width Deep LoRA: spectra and leading subspaces of the updates")
            .subtitle(settings.subtitle(&task))
            .columns(3)
            .panel_size(400, 320)
            .panel(spectrum_panel(&spectra))
            .panel(cosine_panel(&rows, settings.subspace))
            .panel(loss);
        let name = if place == 0 {
            AdaptationSubspaces::NAME.to_owned()
        } else {
            format!("{}-{task}", AdaptationSubspaces::NAME)
        };
        drawings.push(drawing(&name, &figure)?);
    }
    Ok(drawings)
}

/// The largest singular values of every matrix, as ridges.
fn spectrum_panel(spectra: &[&SpectrumRow]) -> Surface {
    let matrices = distinct(spectra, |row| row.matrix.clone());
    let values: Vec<Vec<f64>> = matrices
        .iter()
        .map(|matrix| spectra.iter().filter(|row| row.matrix == *matrix).map(|row| row.singular_value).collect())
        .collect();
    let longest = values.iter().map(Vec::len).max().unwrap_or(0);
    Surface::new("Final singular values of every ΔW", values)
        .index("adapted matrix")
        .iteration("index i")
        .iterations((1..=longest).map(|index| index as f64).collect::<Vec<_>>())
        .value(Axis::log("σᵢ"))
}

/// The mean cosine of every kind of matrix against the steps.
fn cosine_panel(rows: &[&Row], dimension: usize) -> Lines {
    let title = format!("Cosine of top-{dimension} left subspaces, at step and end");
    let mut panel = Lines::new(title).x(Axis::linear("step")).y(Axis::linear("mean cosine").range(0.0, 1.02));
    for (hue, kind) in distinct(rows, |row| kind(&row.matrix)).into_iter().enumerate() {
        let points = rows.iter().filter(|row| self::kind(&row.matrix) == kind);
        let curve = averaged(points.map(|row| (row.step as f64, row.mean_cosine)));
        panel = panel.series(Series::new(kind, curve.mean).hue(hue).markers());
    }
    panel
}

/// What a matrix is, whatever its layer.
fn kind(matrix: &str) -> &'static str {
    [
        ("query", "query"),
        ("key", "key"),
        ("value", "value"),
        ("attention.output", "attention output"),
        ("intermediate", "intermediate"),
        ("output", "output"),
    ]
    .iter()
    .find(|(part, _)| matrix.contains(part))
    .map_or("other", |(_, name)| name)
}
