//! The figure: seconds a step, peak memory and trained parameters of every method.

use charts::{Axis, DotSet, Dots, Figure, significant};
use lab::statistics::mean;

use super::{Cost, Row, Settings};
use crate::adaptation::distinct;
use crate::palette;

pub(super) fn figure(settings: &Settings, rows: &[Row], costs: &[Cost]) -> Figure {
    let methods = distinct(costs, |cost| cost.method.clone());
    let runs_of = |value: &dyn Fn(&Cost) -> f64| -> Vec<Vec<f64>> {
        let of = |method: &String| costs.iter().filter(|cost| cost.method == *method).map(value).collect();
        methods.iter().map(of).collect()
    };
    // All runs of a method have as many.
    let parameters = |method: &String| {
        let own = rows.iter().find(|row| row.method == *method);
        own.map(|row| row.parameters as f64 / 1e6).into_iter().collect()
    };
    let panel = |title: &str, label: &str, runs: Vec<Vec<f64>>| {
        let values: Vec<f64> = runs.iter().map(|runs| mean(runs).unwrap_or(f64::NAN)).collect();
        let texts: Vec<String> = values.iter().map(|&value| significant(value, 3)).collect();
        let spans: Vec<_> =
            runs.iter().map(|runs| settings.band.around(runs).unwrap_or((f64::NAN, f64::NAN))).collect();
        Dots::new(title)
            .rows(methods.iter().map(String::as_str))
            .x(Axis::linear(label).include(0.0))
            .set(DotSet::new("", values).spans(spans).texts(texts).hue(palette::DEEP_LORA))
    };
    Figure::new("What each method costs")
        .subtitle(settings.subtitle("paper: comparable efficiency"))
        .columns(3)
        .panel_size(430, 340)
        .panel(panel("Time", "seconds a step (mean of runs)", runs_of(&|cost| cost.seconds_per_step)))
        .panel(panel("Peak memory beyond the encoder", "MiB", runs_of(&|cost| cost.peak_memory_mib)))
        .panel(panel("Trained parameters", "millions", methods.iter().map(parameters).collect()))
}
