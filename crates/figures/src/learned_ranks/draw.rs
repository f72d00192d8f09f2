//! The figure: how many updates have which numerical rank.

use charts::{Axis, Bars, Figure, Histogram, SharedY};
use lab::statistics::mean;

use super::{Row, Settings};
use crate::adaptation::*;
use crate::reference::{ReferenceRow, reference_points};

/// The rank of the paper's figure.
const PAPERS_RANK: usize = 8;

pub(super) fn figure(settings: &Settings, rows: &[Row], runs: &[RunRow], reference: &[ReferenceRow]) -> Figure {
    let tasks = distinct(runs, |run| run.task.clone());
    let most = *settings.ranks[0];
    let mut figure = Figure::new("Numerical ranks of the learned updates")
        .subtitle(format!("{}{}", settings.subtitle("paper: Section 5, learned ranks"), what_failed(runs)))
        .columns(tasks.len().max(1))
        .panel_size(if tasks.len() > 1 { 460 } else { 900 }, 340)
        .shared_legend()
        .shared_y(SharedY::All);
    for task in &tasks {
        let mut panel = Histogram::new(task)
            .categories((0..=most).map(|rank| if rank == most { format!("{rank} or more") } else { rank.to_string() }))
            .x("numerical rank of ΔW")
            .y(Axis::linear("share of the adapted matrices (%)"));
        let shows_paper = most == PAPERS_RANK && *task == PAPERS_TASK && settings.encoder.is_pretrained();
        for name in &settings.methods.names {
            let (method, hue) = (name.label(), name.hue());
            let rows: Vec<&Row> = rows.iter().filter(|row| row.task == *task && row.method == method).collect();
            let shares = shares(&rows, most);
            let means: Vec<f64> = shares.iter().map(|share| mean(share).unwrap_or(f64::NAN)).collect();
            // No share is outside, though an interval around its mean may be.
            let band =
                |share: &Vec<f64>| settings.band.around(share).map(|(low, high)| (low.max(0.0), high.min(100.0)));
            let bands: Option<Vec<_>> = shares.iter().map(band).collect();
            panel = panel.bars(bands.into_iter().fold(Bars::new(method, means).hue(hue), Bars::errors));
            if shows_paper && [MethodName::Lora, MethodName::DeepLora].contains(name) {
                let label = format!("{method}, {PAPER}, 1 seed");
                panel = panel.bars(Bars::new(label, reported(reference, method)).hue(hue).paper());
            }
        }
        figure = figure.panel(panel);
    }
    figure
}

/// For every rank from 0 to `largest`, which stands for all from there, the shares (in %) of a run's matrices that have it,
/// one for each run.
fn shares(rows: &[&Row], largest: usize) -> Vec<Vec<f64>> {
    let runs = distinct(rows, |row| (row.head_draw, row.trial));
    let share = |rank: usize, run: (usize, usize)| {
        let of_run = rows.iter().filter(|row| (row.head_draw, row.trial) == run);
        let ranks: Vec<usize> = of_run.map(|row| row.numerical_rank.min(largest)).collect();
        100.0 * ranks.iter().filter(|found| **found == rank).count() as f64 / ranks.len() as f64
    };
    (0..=largest).map(|rank| runs.iter().map(|&run| share(rank, run)).collect()).collect()
}

/// The paper's shares (in %) of rank 0 to 8; NaN, no bar, where no matrix has the rank.
fn reported(reference: &[ReferenceRow], method: &str) -> Vec<f64> {
    let counts = reference_points(reference, method, "count");
    let total: f64 = counts.iter().map(|point| point.1).sum();
    let count = |rank: usize| counts.iter().find(|point| point.0 == rank as f64).map_or(f64::NAN, |point| point.1);
    (0..=PAPERS_RANK).map(|rank| 100.0 * count(rank) / total).collect()
}
