//! Deep LoRA − LoRA as dots with 95 % intervals, the authors' hollow beside them.

use charts::{Axis, DotSet, Dots};
use lab::statistics::Estimate;

use super::curves::PAPER;
use crate::palette;

/// One row of a panel of differences.
pub struct Difference {
    /// Where: a task, or a number of examples.
    pub name: String,
    /// The mean difference here; `None` without pairs of trained runs.
    pub here: Option<Estimate>,
    /// The authors'; `None` where they have none.
    pub theirs: Option<Estimate>,
}

impl Difference {
    /// Every end that an axis must reach.
    fn ends(&self) -> impl Iterator<Item = f64> {
        let ends = |estimate: Estimate| {
            let (low, high) = estimate.interval().unwrap_or((estimate.mean, estimate.mean));
            [low, high]
        };
        [self.here, self.theirs].into_iter().flatten().flat_map(ends)
    }
}

/// A horizontal axis that is the same for all panels of these rows.
pub fn difference_axis<'a>(label: &str, rows: impl IntoIterator<Item = &'a Difference>) -> Axis {
    rows.into_iter().flat_map(Difference::ends).chain([0.0]).fold(Axis::linear(label), Axis::include)
}

/// The panel; values are written with so many decimals.
pub fn difference_panel(title: impl Into<String>, rows: &[Difference], axis: Axis, decimals: usize) -> Dots {
    let set = |label: &str, of: fn(&Difference) -> Option<Estimate>| {
        let values: Vec<f64> = rows.iter().map(|row| of(row).map_or(f64::NAN, |estimate| estimate.mean)).collect();
        let spans: Vec<(f64, f64)> = rows
            .iter()
            .map(|row| of(row).and_then(|estimate| estimate.interval()).unwrap_or((f64::NAN, f64::NAN)))
            .collect();
        let text = |value: &f64| if value.is_finite() { signed(*value, decimals) } else { String::new() };
        let texts: Vec<String> = values.iter().map(text).collect();
        DotSet::new(label, values).spans(spans).texts(texts).hue(palette::DEEP_LORA)
    };
    let panel = Dots::new(title)
        .rows(rows.iter().map(|row| row.name.as_str()))
        .x(axis)
        .set(set("Deep LoRA − LoRA", |row| row.here))
        .reference(0.0, "");
    if rows.iter().any(|row| row.theirs.is_some()) {
        panel.set(set(&format!("Deep LoRA − LoRA, {PAPER}"), |row| row.theirs).paper())
    } else {
        panel
    }
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
        let rows = [
            Difference { name: "a".into(), here: Estimate::of(&[0.5, 0.7]), theirs: None },
            Difference { name: "b".into(), here: None, theirs: Estimate::of(&[-0.25]) },
        ];
        let axis = difference_axis("difference", &rows);
        let svg = Figure::new("").panel(difference_panel("t", &rows, axis, 2)).svg().unwrap();
        assert!(svg.contains("+0.60") && svg.contains("−0.25") && !svg.contains("NaN"));
        assert_eq!(signed(-0.125, 3), "−0.125");
    }
}
