//! Differences of methods as dots with 95 % intervals, the authors' hollow beside them.

use charts::{Axis, DotSet, Dots, Hue};
use lab::statistics::Estimate;

use super::curves::PAPER;
use crate::palette;

/// One difference in every row of a panel.
pub struct Differences {
    label: String,
    hue: Hue,
    is_papers: bool,
    /// One for each row; `None` without pairs of trained runs.
    values: Vec<Option<Estimate>>,
}

impl Differences {
    /// What was found here.
    pub fn here(label: impl Into<String>, hue: Hue, values: Vec<Option<Estimate>>) -> Self {
        Self { label: label.into(), hue, is_papers: false, values }
    }

    /// Deep LoRA − LoRA of the authors' runs.
    pub fn of_authors(values: Vec<Option<Estimate>>) -> Self {
        let label = format!("Deep LoRA − LoRA, {PAPER}");
        Self { label, hue: palette::DEEP_LORA, is_papers: true, values }
    }

    /// Whether there is anything to draw.
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(Option::is_none)
    }

    fn dots(&self, decimals: usize) -> DotSet {
        let number = |estimate: &Option<Estimate>| estimate.map_or(f64::NAN, |estimate| estimate.mean);
        let values: Vec<f64> = self.values.iter().map(number).collect();
        let span = |estimate: &Option<Estimate>| estimate.and_then(|e| e.interval()).unwrap_or((f64::NAN, f64::NAN));
        let spans: Vec<(f64, f64)> = self.values.iter().map(span).collect();
        let text = |value: &f64| if value.is_finite() { signed(*value, decimals) } else { String::new() };
        let texts: Vec<String> = values.iter().map(text).collect();
        let set = DotSet::new(&self.label, values).spans(spans).texts(texts).hue(self.hue);
        if self.is_papers { set.paper() } else { set }
    }
}

/// Room for the numbers beside the intervals, on both sides, in units of all that is shown.
const ROOM: f64 = 0.15;

/// A horizontal axis that is the same for all panels of these differences.
pub fn difference_axis<'a>(label: &str, sets: impl IntoIterator<Item = &'a Differences>) -> Axis {
    let ends = |estimate: Estimate| {
        let (low, high) = estimate.interval().unwrap_or((estimate.mean, estimate.mean));
        [low, high]
    };
    let all = sets.into_iter().flat_map(|set| set.values.iter().flatten().copied().flat_map(ends));
    let (low, high) = all.fold((0.0f64, 0.0f64), |(low, high), end| (low.min(end), high.max(end)));
    let room = ROOM * (high - low);
    Axis::linear(label).include(low - room).include(high + room)
}

/// The panel: a row for every name; values are written with so many decimals.
pub fn difference_panel<'a>(
    title: impl Into<String>,
    rows: &[String],
    sets: impl IntoIterator<Item = &'a Differences>,
    axis: Axis,
    decimals: usize,
) -> Dots {
    let panel = Dots::new(title).rows(rows.iter().map(String::as_str)).x(axis).reference(0.0, "");
    sets.into_iter().filter(|set| !set.is_empty()).fold(panel, |panel, set| panel.set(set.dots(decimals)))
}

fn signed(value: f64, decimals: usize) -> String {
    format!("{value:+.decimals$}").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use charts::Figure;

    use super::*;

    #[test]
    fn a_row_without_a_difference_stays_empty() {
        let sets = [
            Differences::here("here", Hue::Wine, vec![Estimate::of(&[0.5, 0.7]), None]),
            Differences::of_authors(vec![None, Estimate::of(&[-0.25])]),
            Differences::here("nothing", Hue::Sand, vec![None, None]),
        ];
        let axis = difference_axis("difference", &sets);
        let rows = ["a".to_owned(), "b".to_owned()];
        let svg = Figure::new("").panel(difference_panel("t", &rows, &sets, axis, 2)).svg().unwrap();
        assert!(svg.contains("+0.60") && svg.contains("−0.25") && !svg.contains("NaN") && !svg.contains("nothing"));
        assert_eq!(signed(-0.125, 3), "−0.125");
    }
}
