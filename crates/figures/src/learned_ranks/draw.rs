//! The figure: how many updates have which numerical rank.

use charts::{Axis, Bars, Figure, Histogram, SharedY};
use lab::statistics::mean;

use super::Row;
use crate::adaptation::*;
use crate::reference::{ReferenceRow, reference_points};

/// The rank of the paper's figure.
const PAPERS_RANK: usize = 8;

pub(super) fn figure(settings: &PairExperiment, rows: &[Row], runs: &[RunRow], reference: &[ReferenceRow]) -> Figure {
    let tasks = distinct(rows, |row| row.task.clone());
    let (columns, width) = grid(tasks.len(), settings.protocols.len());
    let mut figure = Figure::new("Numerical ranks of the learned updates")
        .subtitle(format!("{}{}", settings.subtitle("paper: Section 5, learned ranks"), what_failed(runs)))
        .columns(columns)
        .panel_size(width, 310)
        .shared_legend()
        .shared_y(SharedY::All);
    for protocol in &settings.protocols {
        for task in &tasks {
            let mut panel = Histogram::new(format!("{task}, {}", protocol.in_title(task)))
                .categories((0..=*settings.rank).map(|rank| rank.to_string()))
                .x("numerical rank of ΔW")
                .y(Axis::linear("share of the adapted matrices (%)"));
            let shows_paper = *settings.rank == PAPERS_RANK && *task == PAPERS_TASK && settings.encoder.is_pretrained();
            for (method, hue) in PAIR {
                let shares = shares(rows, &protocol.name, task, method, *settings.rank);
                let means: Vec<f64> = shares.iter().map(|share| mean(share).unwrap_or(f64::NAN)).collect();
                let bands: Option<Vec<_>> = shares.iter().map(|share| settings.band.around(share)).collect();
                panel = panel.bars(bands.into_iter().fold(Bars::new(method, means).hue(hue), Bars::errors));
                if shows_paper {
                    let label = format!("{method}, {PAPER}, 1 seed");
                    panel = panel.bars(Bars::new(label, reported(reference, method)).hue(hue).paper());
                }
            }
            figure = figure.panel(panel);
        }
    }
    figure
}

/// For every rank from 0 to `largest`, the shares (in %) of a run's matrices that have it, one for each run.
fn shares(rows: &[Row], protocol: &str, task: &str, method: &str, largest: usize) -> Vec<Vec<f64>> {
    let rows: Vec<&Row> =
        rows.iter().filter(|row| row.protocol == protocol && row.task == task && row.method == method).collect();
    let trials = distinct(&rows, |row| row.trial);
    let share = |rank: usize, trial: usize| {
        let ranks: Vec<usize> = rows.iter().filter(|row| row.trial == trial).map(|row| row.numerical_rank).collect();
        100.0 * ranks.iter().filter(|found| **found == rank).count() as f64 / ranks.len() as f64
    };
    (0..=largest).map(|rank| trials.iter().map(|&trial| share(rank, trial)).collect()).collect()
}

/// The paper's shares (in %) of rank 0 to 8; NaN, no bar, where no matrix has the rank.
fn reported(reference: &[ReferenceRow], method: &str) -> Vec<f64> {
    let counts = reference_points(reference, method, "count");
    let total: f64 = counts.iter().map(|point| point.1).sum();
    let count = |rank: usize| counts.iter().find(|point| point.0 == rank as f64).map_or(f64::NAN, |point| point.1);
    (0..=PAPERS_RANK).map(|rank| 100.0 * count(rank) / total).collect()
}
