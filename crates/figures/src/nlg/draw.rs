//! The figure: losses along the runs, scores, and differences of scores.

use charts::{Axis, DotSet, Dots, Figure, Hue, Lines, Panel, Series, significant};
use lab::statistics::Estimate;

use super::made_up;
use super::plan::FROZEN;
use super::rows::{DEV, LossRow, Row, TRAINING};
use super::scores::{CONTRASTS, References, ScoreRow, difference};
use super::settings::Settings;
use crate::adaptation::{Differences, LORA, curve, difference_axis, difference_panel, distinct};

/// Those of the frozen model.
const FROZEN_HUE: Hue = Hue::Silver;
/// What the row of slot errors is called.
const SLOT_ERRORS: &str = "slot errors";

pub(super) fn figure(settings: &Settings, rows: &[Row], losses: &[LossRow], scores: &[ScoreRow]) -> Figure {
    let models = distinct(rows, |row| row.model.clone());
    let mut panels: Vec<Panel> = Vec::new();
    for model in &models {
        let rows: Vec<Row> = rows.iter().filter(|row| row.model == *model).cloned().collect();
        let losses: Vec<&LossRow> = losses.iter().filter(|row| row.model == *model).collect();
        let scores: Vec<ScoreRow> = scores.iter().filter(|row| row.model == *model).cloned().collect();
        panels.push(loss_panel(settings, format!("{model}: training loss"), &losses, TRAINING).into());
        let dev = loss_panel(settings, format!("{model}: loss on dev"), &losses, DEV);
        let frozen = losses.iter().find(|row| row.method == FROZEN).map(|row| row.loss);
        panels.push(match frozen {
            Some(loss) => dev.reference(loss, format!("{FROZEN}: {}", significant(loss, 3))).into(),
            None => dev.into(),
        });
        panels.push(score_panel(settings, model, &rows, &scores).into());
        panels.push(differences(settings, model, &rows, &scores).into());
    }
    Figure::new("Generation from few examples: LoRA and Deep LoRA on E2E")
        .subtitle(subtitle(settings, rows))
        .columns(2)
        .panel_size(520, 340)
        .shared_legend()
        .panels(panels)
}

fn subtitle(settings: &Settings, rows: &[Row]) -> String {
    let Settings { examples, rank, step_size, training, methods, .. } = settings;
    let without = methods.without_embeddings();
    let left_out = if without.is_empty() { String::new() } else { format!(" ({without})") };
    let texts = rows.iter().map(|row| row.texts).max().unwrap_or(0);
    let diverged = rows.iter().filter(|row| row.diverged_at_step.is_some()).count();
    let untrained = rows.iter().filter(|row| !row.is_trained()).count() - diverged;
    let counts = [(diverged, "diverged"), (untrained, "not trained")].into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, what)| format!("{count} ({what})")).collect();
    let failed = if counts.is_empty() { String::new() } else { format!("; runs that failed: {}", counts.join(", ")) };
    format!(
        "paper: Section 5, E2E on T5-base; here {}, n = {examples}, r = {rank}, η = {}, {} steps of {}{left_out}, texts for {texts} \
         meaning representations by {} beams; {}{failed}",
        data_title(settings),
        significant(**step_size, 1),
        training.steps,
        training.batch,
        settings.generation.beams,
        settings.band.over_seeds(*settings.trials),
    )
}

/// The data in words.
fn data_title(settings: &Settings) -> String {
    match settings.data_name() {
        made_up::DATA => "made-up data".to_owned(),
        release => format!("E2E, {release} release"),
    }
}

fn loss_panel(settings: &Settings, title: String, losses: &[&LossRow], split: &str) -> Lines {
    let of = |(method, hue): (&'static str, Hue)| -> Option<Series> {
        let own = losses.iter().filter(|row| row.method == method && row.split == split);
        let points: Vec<_> = own.map(|row| ((0, row.trial), row.step as f64, row.loss)).collect();
        (!points.is_empty()).then(|| curve(method, points, settings.band).trials(Vec::new()).hue(hue))
    };
    let series = settings.methods.hues().into_iter().filter_map(of);
    Lines::new(title).x(Axis::counts("step")).y(Axis::log("loss of a token")).many(series)
}

/// The scores' names, in their order.
fn names(scores: &[ScoreRow]) -> Vec<String> {
    distinct(scores, |row| row.score.clone())
}

fn score_panel(settings: &Settings, model: &str, rows: &[Row], scores: &[ScoreRow]) -> Dots {
    let names = names(scores);
    let value = |method: &str, name: &String| {
        let own = scores.iter().filter(|row| row.method == method && row.references == References::One);
        Estimate::of(&own.filter(|row| row.score == *name).map(|row| row.value).collect::<Vec<_>>())
    };
    let errors = |method: &str| {
        Estimate::of(&rows.iter().filter(|row| row.method == method).filter_map(Row::slot_errors).collect::<Vec<_>>())
    };
    let set = |(method, hue): (&'static str, Hue)| {
        let values: Vec<Option<Estimate>> =
            names.iter().map(|name| value(method, name)).chain([errors(method)]).collect();
        let number = |value: &Option<Estimate>| value.map_or(f64::NAN, |value| value.mean);
        // Of few seeds an interval can reach beyond what a score can be.
        let span = |value: &Option<Estimate>| match value.and_then(|value| value.interval()) {
            Some((low, high)) => (low.max(0.0), high.min(100.0)),
            None => (f64::NAN, f64::NAN),
        };
        let spans: Vec<(f64, f64)> = values.iter().map(span).collect();
        DotSet::new(method, values.iter().map(number).collect::<Vec<_>>()).spans(spans).hue(hue)
    };
    let methods = settings.methods.hues().into_iter().chain([(FROZEN, FROZEN_HUE)]);
    let shown = methods.filter(|(method, _)| scores.iter().any(|row| row.method == *method));
    let labels = names.iter().cloned().chain([SLOT_ERRORS.to_owned()]);
    let panel = Dots::new(format!("{model}: scores beside one text"))
        .rows(labels)
        .x(Axis::linear("score, from 0 to 100; slots with an error, percent").include(0.0));
    shown.map(set).fold(panel, Dots::set)
}

fn differences(settings: &Settings, model: &str, rows: &[Row], scores: &[ScoreRow]) -> Dots {
    let names = names(scores);
    let mut sets = Vec::new();
    // A method has one colour, so what is shown is minus LoRA; the table has the others.
    for contrast in CONTRASTS.into_iter().filter(|(_, other)| *other == LORA) {
        let at = |name: &String| {
            difference(contrast, rows, scores, |row| row.references == References::One && row.score == *name)
        };
        if let Some((_, hue)) = settings.methods.hues().into_iter().find(|(label, _)| *label == contrast.0) {
            let label = format!("{} − {}", contrast.0, contrast.1);
            sets.push(Differences::here(label, hue, names.iter().map(at).collect()));
        }
    }
    let axis = difference_axis("difference of scores", &sets);
    difference_panel(format!("{model}: differences"), &names, &sets, axis, 1)
}
