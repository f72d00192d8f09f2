//! The figure: spectra at the end, subspaces and loss on the way.

use charts::{Axis, Edge, Figure, Lines, Series, significant};
use lab::{Drawing, Experiment, Results};

use super::AdaptationSubspaces;
use super::claims::drawn;
use super::rows::{Row, SpectrumRow};
use super::settings::{Settings, subtitle};
use crate::adaptation::{Band, RecordRow, curve, distinct, ends};
use crate::drawing::drawing;
use crate::palette;
use crate::summary::averaged;

pub(super) fn drawings(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
    let rows: Vec<Row> = results.read(AdaptationSubspaces::NAME)?;
    let spectra: Vec<SpectrumRow> = results.read("adaptation-subspaces.spectra")?;
    let losses: Vec<RecordRow> = results.read("adaptation-subspaces.loss")?;
    let mut drawings = Vec::new();
    for (place, task) in distinct(&rows, |row| row.task.clone()).into_iter().enumerate() {
        let spectra: Vec<&SpectrumRow> = spectra.iter().filter(|row| row.task == task).collect();
        let rows: Vec<&Row> = rows.iter().filter(|row| row.task == task).collect();
        let losses: Vec<&RecordRow> = losses.iter().filter(|row| row.task == task).collect();
        let figure = Figure::new("Full-width Deep LoRA: spectra and leading subspaces of the updates")
            .subtitle(format!("{}{}", subtitle(settings, &task), what_failed(&losses)))
            .columns(3)
            .panel_size(400, 340)
            .panel(spectrum_panel(&spectra))
            .panel(cosine_panel(&rows, *settings.experiment.subspace))
            .panel(loss_panel(&losses, settings.band))
            .shared_legend();
        let name = if place == 0 {
            AdaptationSubspaces::NAME.to_owned()
        } else {
            format!("{}-{task}", AdaptationSubspaces::NAME)
        };
        drawings.push(drawing(&name, &figure)?);
    }
    Ok(drawings)
}

/// The largest singular values of every matrix as thin lines, and their mean over the layers for every kind.
fn spectrum_panel(spectra: &[&SpectrumRow]) -> Lines {
    let points = |rows: &[&&SpectrumRow]| -> Vec<(f64, f64)> {
        rows.iter().map(|row| (row.index as f64, row.singular_value)).collect()
    };
    let longest = spectra.iter().map(|row| row.index).max().unwrap_or(1);
    let mut panel = Lines::new("Final singular values of every ΔW")
        .x(Axis::linear("index i").ticks((1..=longest).map(|index| index as f64)))
        .y(Axis::linear("σᵢ").include(0.0));
    for matrix in distinct(spectra, |row| (row.matrix.clone(), row.trial)) {
        let rows: Vec<_> = spectra.iter().filter(|row| (&row.matrix, row.trial) == (&matrix.0, matrix.1)).collect();
        let line = Series::new("", points(&rows)).hue(palette::case(kind(&matrix.0))).width(0.9).opacity(0.35);
        panel = panel.series(line);
    }
    for kind in kinds(spectra, |row| &row.matrix) {
        let rows: Vec<_> = spectra.iter().filter(|row| self::kind(&row.matrix) == kind).collect();
        let mean = averaged(points(&rows)).mean;
        panel = panel.series(Series::new(KINDS[kind].1, mean).hue(palette::case(kind)).markers());
    }
    panel
}

/// The largest cosine of every kind of matrix against the steps, of the matrices that the authors draw, and faint beside it
/// the mean cosine of all.
fn cosine_panel(rows: &[&Row], dimension: usize) -> Lines {
    let title = format!("Cosine of top-{dimension} left subspaces, at step and end");
    let y = Axis::linear("largest cosine (authors'; dashed: mean of all)").range(0.0, 1.02);
    let mut panel = Lines::new(title).x(Axis::counts("step")).y(y);
    let drawn = drawn(rows);
    let of = |rows: &[&Row], kind: usize, cosine: fn(&Row) -> f64| {
        let points = rows.iter().filter(|row| self::kind(&row.matrix) == kind);
        averaged(points.map(|row| (row.step as f64, cosine(row)))).mean
    };
    for kind in kinds(rows, |row| &row.matrix) {
        let hue = palette::case(kind);
        let (largest, mean) = (of(&drawn, kind, |row| row.largest_cosine), of(rows, kind, |row| row.mean_cosine));
        panel = panel.series(Series::new(KINDS[kind].1, largest).hue(hue).markers());
        panel = panel.series(Series::new("", mean).hue(hue).dashed().opacity(0.6));
    }
    panel
}

/// The training loss, and that of the best constant.
fn loss_panel(losses: &[&RecordRow], band: Band) -> Lines {
    let ends = ends(losses);
    let untrained: Vec<f64> = ends.iter().filter(|end| !end.is_trained()).map(|end| end.step as f64).collect();
    let loss = curve("", losses.iter().map(|row| (row.key(), row.step as f64, row.training_loss)), band);
    let loss = loss.trials(Vec::new()).hue(palette::DEEP_LORA).failed(untrained, Edge::Top, "not trained");
    let panel = Lines::new("Training loss").x(Axis::counts("step")).y(Axis::linear("training loss").include(0.0));
    let constants: Vec<f64> = ends.iter().map(|end| end.constant_loss).collect();
    match lab::statistics::mean(&constants) {
        Some(constant) => panel
            .series(loss)
            .reference(constant, format!("best constant (variance of the labels): {}", significant(constant, 2))),
        None => panel.series(loss),
    }
}

/// What the subtitle says of runs that learned nothing, after a semicolon.
fn what_failed(losses: &[&RecordRow]) -> String {
    match ends(losses).iter().filter(|end| !end.is_trained()).count() {
        0 => String::new(),
        untrained => format!("; {untrained} not trained (marked ×)"),
    }
}

/// What a matrix may be, whatever its layer: a part of its name, and what the figure calls it.
const KINDS: [(&str, &str); 7] = [
    ("query", "query"),
    ("key", "key"),
    ("value", "value"),
    ("attention.output", "attention output"),
    ("intermediate", "intermediate"),
    ("output", "output"),
    ("", "other"),
];

/// The place in [`KINDS`] of a matrix.
fn kind(matrix: &str) -> usize {
    KINDS.iter().position(|(part, _)| matrix.contains(part)).unwrap_or(KINDS.len() - 1)
}

/// The kinds among some rows, in the order of [`KINDS`].
fn kinds<R>(rows: &[R], matrix: impl Fn(&R) -> &String) -> Vec<usize> {
    let mut kinds = distinct(rows, |row| kind(matrix(row)));
    kinds.sort_unstable();
    kinds
}
