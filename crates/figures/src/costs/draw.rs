//! The figure: seconds a step, peak memory and trained parameters of every method.

use charts::{Axis, DotSet, Dots, Figure, significant};
use lab::statistics::mean;

use super::{Cost, Row, Settings};
use crate::adaptation::distinct;
use crate::palette;

pub(super) fn figure(settings: &Settings, rows: &[Row], costs: &[Cost]) -> Figure {
    let methods = distinct(costs, |cost| cost.method.clone());
    let mean_of = |value: &dyn Fn(&Cost) -> f64| -> Vec<f64> {
        let of = |method: &String| costs.iter().filter(|cost| cost.method == *method).map(value).collect::<Vec<_>>();
        methods.iter().map(|method| mean(&of(method)).unwrap_or(f64::NAN)).collect()
    };
    let parameters: Vec<f64> = methods
        .iter()
        .map(|method| rows.iter().find(|row| row.method == *method).map_or(f64::NAN, |row| row.parameters as f64 / 1e6))
        .collect();
    let panel = |title: &str, label: &str, values: Vec<f64>| {
        let texts: Vec<String> = values.iter().map(|&value| significant(value, 3)).collect();
        Dots::new(title)
            .rows(methods.iter().map(String::as_str))
            .x(Axis::linear(label).include(0.0))
            .set(DotSet::new("", values).texts(texts).hue(palette::DEEP_LORA))
    };
    Figure::new("What each method costs")
        .subtitle(settings.subtitle("paper: comparable efficiency"))
        .columns(3)
        .panel_size(430, 340)
        .panel(panel("Time", "seconds a step (mean of runs)", mean_of(&|cost| cost.seconds_per_step)))
        .panel(panel("Peak memory beyond the encoder", "MiB", mean_of(&|cost| cost.peak_memory_mib)))
        .panel(panel("Trained parameters", "millions", parameters))
}
