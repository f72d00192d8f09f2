//! The chart of `peers.csv`: seconds of an iteration, one row per case, one lane per contender.

use charts::{Axis, DotSet, Dots, Figure, Marker};

use crate::peers::{OURS, PeerRow};

const WIDTH: u32 = 760;
const LANE_HEIGHT: usize = 15;
/// Title, axis and legend of the panel.
const AROUND: usize = 90;
const MARKERS: [Marker; 4] = [Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Circle];

/// Draws rows as [`crate::peers::read`] gives them.
pub fn draw(rows: &[PeerRow]) -> Figure {
    let ids = distinct(rows.iter().map(|row| row.id.as_str()));
    let contenders = distinct(rows.iter().map(|row| row.peer.as_str()));
    let height = AROUND + ids.len() * contenders.len() * LANE_HEIGHT;
    let mut panel = Dots::new("").rows(ids.iter().copied()).x(Axis::log("seconds per iteration"));
    for (lane, contender) in contenders.iter().enumerate() {
        let marker = if *contender == OURS { Marker::Circle } else { MARKERS[(lane + 3) % MARKERS.len()] };
        panel = panel.set(dots(rows, &ids, contender).hue(lane).marker(marker));
    }
    let machine = rows.first().map_or(String::new(), |row| format!("{}, {} threads", row.cpu, row.threads));
    Figure::new("One iteration, side by side")
        .subtitle(format!("median and quartiles over turns; beside the dots, the time relative to ours; {machine}"))
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

/// The distinct names, in the order they first come.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// Seconds to three digits in a unit that suits.
pub fn seconds(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    };
    format!("{} {unit}", digits(value))
}

/// A ratio to two or three digits.
pub fn times(ratio: f64) -> String {
    let text = if ratio >= 100.0 { format!("{ratio:.0}") } else { format!("{ratio:.1}") };
    format!("{text} ×")
}

/// Three significant digits, without an exponent.
fn digits(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::turns::Spread;

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!([0.0519, 3.17e-4, 1.76e-6, 1.5].map(seconds), ["51.9 ms", "317 µs", "1.76 µs", "1.50 s"]);
        assert_eq!([2.04, 17.0, 1250.4].map(times), ["2.0 ×", "17.0 ×", "1250 ×"]);
    }

    #[test]
    fn every_contender_and_ratio_is_drawn() {
        let machine = Machine { cpu: "c".into(), threads: 2, rustc: "r".into(), revision: "g".into() };
        let spread = |median: f64| Spread { q1: 0.9 * median, median, q3: 1.1 * median };
        let row =
            |id, peer, seconds| PeerRow::new(id, (peer, "1"), (spread(seconds), spread(0.01)), Some(1e-15), &machine);
        let rows = [row("a/b", OURS, 0.01), row("a/b", "NumPy", 0.025), row("c/d", OURS, 0.01), row("c/d", "JAX", 7.0)];
        let svg = draw(&rows).svg().unwrap();
        for text in ["a/b", "c/d", "NumPy", "JAX", "10.0 ms", "2.5 ×", "700 ×"] {
            assert!(svg.contains(text), "{text} is missing");
        }
    }
}
