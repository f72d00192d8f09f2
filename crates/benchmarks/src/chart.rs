//! The chart of `peers.csv`: seconds of an iteration, one row per case, one lane per contender.

use charts::{Axis, DotSet, Dots, Figure, Marker};

use crate::record::{PeerRow, Run};
use crate::samples::OURS;
use crate::text::{distinct, seconds, times};

const WIDTH: u32 = 760;
const LANE_HEIGHT: usize = 15;
/// Title, axis and legend of the panel.
const AROUND: usize = 90;
const MARKERS: [Marker; 4] = [Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Circle];

/// Draws a run.
pub fn draw(Run { name, machine, rows }: &Run) -> Figure {
    let ids = distinct(rows.iter().map(|row| row.id.as_str()));
    let contenders = distinct(rows.iter().map(|row| row.peer.as_str()));
    let height = AROUND + ids.len() * contenders.len() * LANE_HEIGHT;
    let mut panel = Dots::new("").rows(ids.iter().copied()).x(Axis::log("seconds per iteration"));
    for (lane, contender) in contenders.iter().enumerate() {
        let marker = if *contender == OURS { Marker::Circle } else { MARKERS[(lane + 3) % MARKERS.len()] };
        panel = panel.set(dots(rows, &ids, contender).hue(lane).marker(marker));
    }
    Figure::new("One iteration, side by side")
        .subtitle(format!(
            "{name}, {} threads: median and quartiles over samples; beside the dots, the time relative to ours",
            machine.threads
        ))
        .panel(panel)
        .panel_size(WIDTH, height as u32)
}

fn dots(rows: &[PeerRow], ids: &[&str], contender: &str) -> DotSet {
    let row = |id: &&str| rows.iter().find(|row| row.id == **id && row.peer == contender);
    let values: Vec<f64> = ids.iter().map(|id| row(id).map_or(f64::NAN, |row| row.median_seconds)).collect();
    let spans: Vec<_> =
        ids.iter().map(|id| row(id).map_or((f64::NAN, f64::NAN), |row| (row.q1_seconds, row.q3_seconds))).collect();
    let texts = ids.iter().map(|id| match row(id) {
        Some(row) if contender == OURS => seconds(row.median_seconds),
        Some(row) => times(row.ratio),
        None => String::new(),
    });
    DotSet::new(contender, values).spans(spans).texts(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record;

    #[test]
    fn every_contender_and_ratio_is_drawn() {
        let svg = draw(&record::tests::run("2026-11-24")).svg().unwrap();
        for text in ["original/d1000", "lora-step/128", "NumPy", "JAX", "80.0 ms", "2.5 ×", "2.0 ×"] {
            assert!(svg.contains(text), "{text} is missing");
        }
    }
}
