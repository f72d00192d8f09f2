//! Costs against the size, held-out errors against iterations and seconds, and the draws of both constructions.

use charts::{Axis, Figure, Hue, Lines, Series, power};
use lab::statistics::power_law_exponent;

use super::costs::{Cost, Row, by_size, in_seconds, relative_errors, sampled_at};
use super::equivalence::{EquivalenceRow, equivalence_series};
use super::{MOST_MEMORY_MIB, Settings};
use crate::matrix::ScaleMethod;
use crate::palette;

pub(super) fn figure(settings: &Settings, rows: &[Row], costs: &[Cost], draws: &[EquivalenceRow]) -> Figure {
    let gibibytes = |cost: &Cost| cost.peak_memory_mib / 1024.0;
    let memory =
        against_size(costs, "Peak memory", "GiB", gibibytes).reference(MOST_MEMORY_MIB / 1024.0, "limit: 6 GiB");
    let [by_iteration, by_time] = held_out(settings, rows, costs);
    let draws = Lines::new("Iterations of all draws, in order")
        .x(Axis::linear("share of draws that need no more").range(0.0, 1.0))
        .y(Axis::counts("iterations to tolerance"))
        .many(equivalence_series(draws));
    let pace = |cost: &Cost| cost.seconds_per_iteration;
    Figure::new("Width without end: the compressed network of a network that is never built")
        .subtitle(settings.subtitle())
        .columns(3)
        .panel_size(400, 310)
        .panel(against_size(costs, "Time of an iteration", "seconds per iteration", pace))
        .panel(against_size(costs, "Making the initial factors", "set-up seconds", |cost| cost.setup_seconds))
        .panel(memory)
        .panel(by_iteration)
        .panel(by_time)
        .panel(draws)
}

fn hue(method: ScaleMethod) -> Hue {
    match method {
        ScaleMethod::Sampled => palette::SAMPLED,
        ScaleMethod::Explicit => palette::COMPRESSED,
        ScaleMethod::Original => palette::ORIGINAL,
    }
}

/// A cost of every method against the size, with the exponent of its growth where there are sizes enough.
fn against_size(costs: &[Cost], title: &str, y: &str, value: fn(&Cost) -> f64) -> Lines {
    let panel = Lines::new(title).x(Axis::log("size d")).y(Axis::log(y));
    panel.many(ScaleMethod::ALL.map(|method| {
        let (name, curve) = (method.name(), by_size(costs, method, value));
        let label = match power_law_exponent(&curve) {
            Some(fitted) => format!("{name}: {}", power("d", format_args!("{:.2}", fitted.mean))),
            None => name.to_owned(),
        };
        Series::new(label, curve).hue(hue(method)).markers()
    }))
}

/// Held-out errors of the first trials, against iterations and against seconds: of the original at its smallest size, and of
/// the sampled construction at powers of ten, the darker the larger.
fn held_out(settings: &Settings, rows: &[Row], costs: &[Cost]) -> [Lines; 2] {
    let mut curves = [Vec::new(), Vec::new()];
    let mut reached = Vec::new();
    if let Some(size) = settings.sizes.iter().filter(|s| s.original.is_some()).map(|s| *s.size).min() {
        let mean = relative_errors(rows, ScaleMethod::Original, size, 0);
        reached.extend(mean.iter().map(|point| point.1));
        let original = Series::new(format!("original, d = {}", size_label(size)), mean);
        curves[0].push(original.hue(palette::ORIGINAL).dashed());
    }
    let shown: Vec<usize> = settings.sizes.iter().map(|s| *s.size).filter(|&size| is_power_of_ten(size)).collect();
    for (place, &size) in shown.iter().enumerate() {
        let label = format!("sampled, d = {}", size_label(size));
        let opacity = 1.0 - 0.7 * (shown.len() - 1 - place) as f64 / shown.len() as f64;
        let look = |series: Series| series.hue(palette::SAMPLED).opacity(opacity);
        let mean = relative_errors(rows, ScaleMethod::Sampled, size, 0);
        reached.extend(mean.iter().map(|point| point.1));
        if let Some(cost) = sampled_at(costs, size).first() {
            curves[1].push(look(Series::new(&label, in_seconds(&mean, cost))));
        }
        curves[0].push(look(Series::new(&label, mean)));
    }
    let lowest = reached.into_iter().filter(|error| *error > 0.0).fold(1.0, f64::min);
    let panel =
        |title: &str, x: Axis| Lines::new(title).x(x).y(Axis::log("held-out error / its start").include(lowest));
    let [by_iteration, by_time] = curves;
    [
        panel("Held-out error", Axis::counts("iteration t")).many(by_iteration),
        panel("The same against time, sampled construction", Axis::log("time with set-up (s)")).many(by_time),
    ]
}

fn is_power_of_ten(size: usize) -> bool {
    size.checked_ilog10().is_some_and(|exponent| 10usize.pow(exponent) == size)
}

/// `10⁵` for 100 000, `200` for 200.
fn size_label(size: usize) -> String {
    if is_power_of_ten(size) { power("10", size.ilog10()) } else { size.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_powers() {
        assert_eq!((size_label(1_000_000), size_label(3000)), ("10⁶".to_owned(), "3000".to_owned()));
        assert!(is_power_of_ten(1000) && !is_power_of_ten(3000) && !is_power_of_ten(0));
    }
}
