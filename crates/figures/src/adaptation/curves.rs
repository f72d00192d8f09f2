//! Runs as curves: their mean, what is around it, the runs themselves where they are few, and those that failed.

use charts::{Edge, Hue, Series};
use lab::statistics::mean;

use super::band::Band;
use super::failures::failures;
use super::methods::LORA;
use super::rows::RunRow;

/// What legends add to a method's name for the paper's values.
pub const PAPER: &str = "paper (BERT-base)";

/// Most runs of one x that are drawn as dots.
const MOST_DOTS: usize = 5;

/// A run's draw of the head and number, x, y.
pub type RunPointXy = ((usize, usize), f64, f64);

/// The values of all runs at one x, with their keys.
type Group = (f64, Vec<((usize, usize), f64)>);

/// Values of the same x, in the order of x.
fn grouped(points: impl IntoIterator<Item = RunPointXy>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (key, x, y) in points {
        match groups.binary_search_by(|group| group.0.total_cmp(&x)) {
            Ok(place) => groups[place].1.push((key, y)),
            Err(place) => groups.insert(place, (x, vec![(key, y)])),
        }
    }
    groups
}

/// The mean of all y of the same x, with its band; the runs as dots where there are few.
pub fn curve(label: impl Into<String>, points: impl IntoIterator<Item = RunPointXy>, band: Band) -> Series {
    let groups = grouped(points);
    let of = |values: &[((usize, usize), f64)]| mean(&values.iter().map(|value| value.1).collect::<Vec<_>>());
    let means: Vec<(f64, f64)> = groups.iter().filter_map(|(x, values)| Some((*x, of(values)?))).collect();
    let around = |(x, values): &Group| band.around_runs(values).map(|(low, high)| (*x, low, high));
    let bands: Vec<(f64, f64, f64)> = groups.iter().filter_map(around).collect();
    let counts: Vec<usize> = groups.iter().map(|(_, values)| values.len()).collect();
    let series = Series::new(label, means).band(bands).counts(counts.clone());
    if !(2..=MOST_DOTS).contains(&counts.into_iter().max().unwrap_or(0)) {
        return series;
    }
    let runs = groups.iter().flat_map(|(x, values)| values.iter().map(|value| (*x, value.1)));
    series.trials(runs.collect::<Vec<_>>())
}

/// The scores of a method's runs against x; `None` without runs. Runs that failed are marked below.
pub fn score_series(label: &str, hue: Hue, rows: &[&RunRow], x: impl Fn(&RunRow) -> f64, band: Band) -> Option<Series> {
    let curve = curve(label, scored(rows, &x), band).hue(hue).markers();
    (!rows.is_empty()).then(|| marked(curve, rows, x, Edge::Bottom))
}

/// Scores against x, those that are not defined counted as [`RunRow::counted`] says; where no run of an x has a score
/// there is nothing to average, and no point.
fn scored(rows: &[&RunRow], x: impl Fn(&RunRow) -> f64) -> Vec<RunPointXy> {
    let is_defined = |at: f64| rows.iter().any(|row| x(row) == at && row.score.is_some());
    let points = rows.iter().map(|row| (row.key(), x(row), row.counted()));
    points.filter(|point| is_defined(point.1)).collect()
}

/// The last training losses of a method's runs against x; `None` without runs. Runs that failed are marked above.
pub fn loss_series(label: &str, hue: Hue, rows: &[&RunRow], x: impl Fn(&RunRow) -> f64, band: Band) -> Option<Series> {
    let finished = rows.iter().filter(|row| row.training_loss.is_finite());
    let curve = curve(label, finished.map(|row| (row.key(), x(row), row.training_loss)), band).hue(hue).markers();
    (!rows.is_empty()).then(|| marked(curve, rows, x, Edge::Top))
}

fn marked(series: Series, rows: &[&RunRow], x: impl Fn(&RunRow) -> f64, edge: Edge) -> Series {
    let failed: Vec<f64> = rows.iter().filter(|row| row.failure().is_some()).map(|row| x(row)).collect();
    if failed.is_empty() { series } else { series.failed(failed, edge, failures(rows.iter().copied())) }
}

/// The authors' scores of a method against x, with what is around them: the means of their own runs, hollow. `None` if
/// they have none. `at` are x and the values there.
pub fn authors_series(
    method: &str,
    hue: Hue,
    at: impl IntoIterator<Item = (f64, Vec<f64>)>,
    band: Band,
) -> Option<Series> {
    let groups: Vec<(f64, Vec<f64>)> = at.into_iter().filter(|(_, values)| !values.is_empty()).collect();
    let means: Vec<(f64, f64)> = groups.iter().filter_map(|(x, values)| Some((*x, mean(values)?))).collect();
    let whiskers = groups.iter().filter_map(|(x, values)| band.around(values).map(|(low, high)| (*x, low, high)));
    let whiskers: Vec<(f64, f64, f64)> = whiskers.collect();
    let counts: Vec<usize> = groups.iter().map(|(_, values)| values.len()).collect();
    let series = Series::new(format!("{method}, {PAPER}"), means).errors(whiskers).counts(counts).hue(hue).paper();
    (!groups.is_empty()).then_some(series)
}

/// What the authors call a method of the pair.
pub fn authors_name(method: &str) -> &'static str {
    if method == LORA { "lora" } else { "deep-lora" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adaptation::any_row;

    #[test]
    fn scores_are_averaged_only_where_there_is_one() {
        let rows = [any_row(0, 16, None), any_row(1, 16, Some(0.5)), any_row(2, 32, None)];
        let rows: Vec<&RunRow> = rows.iter().collect();
        assert_eq!(scored(&rows, |row| row.examples as f64), [((0, 0), 16.0, 0.0), ((0, 1), 16.0, 0.5)]);
    }
}
