//! Experiments that vary one thing (rank, step size, task) for LoRA and Deep LoRA: their panels.

use charts::Series;

use super::rows::{RunRow, scored};
use super::settings::{DEEP_LORA, LORA};
use super::statistics::banded;
use crate::palette;
use crate::reference::{ReferenceRow, reference_points};

/// The two methods with their hues.
pub const PAIR: [(&str, charts::Hue); 2] = [(LORA, palette::LORA), (DEEP_LORA, palette::DEEP_LORA)];

/// The mean score against what varies, with its band, for the methods with their hues.
pub fn score_series(rows: &[&RunRow], methods: &[(&str, charts::Hue)], x: impl Fn(&RunRow) -> f64) -> Vec<Series> {
    let mut series = Vec::new();
    for &(method, hue) in methods {
        let curve = banded(scored(rows.iter().copied().filter(|row| row.method == method), &x));
        if !curve.mean.is_empty() {
            series.push(Series::new(method, curve.mean).band(curve.band).hue(hue).markers());
        }
    }
    series
}

/// What the paper reports on BERT-base for the two methods, as a faint overlay.
pub fn reported_series(reference: &[ReferenceRow], metric: &str) -> Vec<Series> {
    let reported = PAIR.iter().map(|&(method, hue)| (method, hue, reference_points(reference, method, metric)));
    let series = |(method, hue, points): (&str, charts::Hue, Vec<(f64, f64)>)| {
        (!points.is_empty()).then(|| Series::new(format!("{method}, paper (BERT-base)"), points).hue(hue).paper())
    };
    reported.filter_map(series).collect()
}
