//! Writes one figure of every kind to the directory given as the argument, as PNG and SVG.

use charts::{
    Axis, Bars, Curve, DotSet, Dots, Edge, Figure, Heatmap, Histogram, Hue, Legend, Lines, Marker, Series, SharedY,
    Surface, SurfaceStyle, Trajectory, power, significant,
};
use std::path::{Path, PathBuf};
use std::{env, error::Error, fs, process::ExitCode};

fn main() -> ExitCode {
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("give the directory to write to");
        return ExitCode::from(2);
    };
    match write_all(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write_all(directory: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    let figures = [
        ("sweep", sweep()),
        ("completion", completion()),
        ("residuals", residuals()),
        ("surfaces", surfaces()),
        ("trajectories", trajectories()),
        ("bars", bars()),
        ("heatmaps", heatmaps()),
        ("axes", axes()),
        ("trials", trials()),
        ("differences", differences()),
        ("hues", hues()),
        ("awkward", awkward()),
    ];
    for (name, figure) in figures {
        fs::write(directory.join(name).with_extension("png"), figure.png()?)?;
        fs::write(directory.join(name).with_extension("svg"), figure.svg()?)?;
    }
    Ok(())
}

/// Repeatable noise in [-1, 1].
fn noise(seed: u64) -> f64 {
    let mixed = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

fn sweep() -> Figure {
    let widths = || (1..=10).map(|k| 10.0 * f64::from(k));
    let deep: Vec<(f64, f64)> = widths().map(|w| (w, 2e-5 + 1e-6 * w)).collect();
    let shallow: Vec<(f64, f64)> = widths().map(|w| (w, 1.15e-3 * (1.0 - (-w / 40.0).exp()))).collect();
    let around = |points: &[(f64, f64)], share: f64| -> Vec<(f64, f64, f64)> {
        points.iter().map(|&(x, y)| (x, y * (1.0 - share), y * (1.0 + share))).collect()
    };
    let published: Vec<(f64, f64)> =
        shallow.iter().enumerate().map(|(k, &(w, e))| (w, e * (1.0 + 0.07 * noise(k as u64)))).collect();
    let iterations: Vec<(f64, f64)> = widths().map(|w| (w, 8_000.0 + 340_000.0 / w)).collect();
    let reported: Vec<(f64, f64)> = iterations.iter().map(|&(w, t)| (w, t - 25.0 * (100.0 - w))).collect();
    Figure::new("Depth and width")
        .subtitle("d = 100, r = 10, 30 % of the entries observed, ε = 10⁻³, 5 trials")
        .panel(
            Lines::new("Recovery error")
                .x(Axis::linear("width"))
                .y(Axis::linear("recovery error"))
                .series(Series::new("depth 2", shallow.clone()).hue(1).markers().band(around(&shallow, 0.08)))
                .series(Series::new("depth 3", deep.clone()).hue(0).markers().band(around(&deep, 0.3)))
                .series(Series::new("depth 2, paper", published).hue(1).paper()),
        )
        .panel(
            Lines::new("Iterations to 10⁻¹⁰, depth 3")
                .x(Axis::linear("width").ticks(widths()))
                .y(Axis::linear("iterations").include(0.0))
                .series(Series::new("depth 3", iterations.clone()).markers().errors(around(&iterations, 0.06)))
                .series(Series::new("depth 3, paper", reported).hue(0).paper()),
        )
}

fn completion() -> Figure {
    let curve = |rate: f64, floor: f64, seed: u64| -> Vec<(f64, f64)> {
        let error =
            |t: f64| (5e-3 / (1.0 + (rate * (t - 9e3)).exp())).max(floor) * (1.0 + 0.01 * noise(t as u64 + seed));
        (0..20_000).map(|t| (f64::from(t), error(f64::from(t)))).collect()
    };
    let panel = |title: &str, seconds: f64, unit: &str| {
        let original: Vec<(f64, f64)> = curve(2e-3, 0.0, 0).into_iter().map(|(t, e)| (t * seconds, e)).collect();
        let stalled: Vec<(f64, f64)> = curve(2e-3, 5e-4, 7).into_iter().map(|(t, e)| (t * seconds, e)).collect();
        let faster: Vec<(f64, f64)> = curve(2e-3, 0.0, 3)
            .into_iter()
            .map(|(t, e)| (t * if seconds < 1.0 { seconds / 7.0 } else { 1.0 }, e))
            .collect();
        Lines::new(title)
            .x(Axis::linear(unit))
            .y(Axis::log("recovery error"))
            .series(Series::new("original", original).hue(0).width(3.2).opacity(0.5))
            .series(Series::new("compressed, γ = 0.01", faster).hue(1).dashed())
            .series(Series::new("compressed, γ = 0", stalled).hue(2))
            .reference(5e-4, "paper: γ = 0 stalls here")
    };
    Figure::new("Completion: original and compressed")
        .subtitle("d = 1000, r = r̂ = 5, L = 3, p = 0.2")
        .panel(panel("Against iterations", 1.0, "iteration"))
        .panel(panel("Against time", 0.07, "wall time (s)"))
        .shared_legend()
}

fn residuals() -> Figure {
    let cases = ["L = 3, ε = 1", "L = 3, ε = 1, λ = 10⁻³", "L = 2, ε = 0.1", "L = 4, ε = 0.5", "heavy ball", "Adam"];
    let lines = cases.iter().enumerate().map(|(case, label)| {
        let level = if case == 5 { -1.0 } else { -14.5 + 0.4 * case as f64 };
        let points: Vec<(f64, f64)> =
            (0..400).map(|t| (f64::from(t), 10f64.powf(level + 0.8 * noise(t as u64 * 7 + case as u64)))).collect();
        Series::new(*label, points).hue(case)
    });
    Figure::new("").columns(1).panel_size(620, 360).panel(
        Lines::new("Residual outside the invariant subspaces")
            .x(Axis::linear("iteration"))
            .y(Axis::log("‖off-block‖ / ‖W‖"))
            .many(lines),
    )
}

fn svd(rows: usize, columns: usize, moving: usize) -> Vec<Vec<f64>> {
    let target = |row: usize| {
        if row < moving { 3.4 - 0.35 * row as f64 } else { 0.05 }
    };
    let value = |row: usize, t: f64| {
        let moves = row < moving || row >= rows - moving;
        if moves { 1.0 + (target(row) - 1.0) / (1.0 + (-(t - 14.0) / 3.0).exp()) } else { 1.0 }
    };
    (0..rows).map(|row| (0..columns).map(|t| value(row, t as f64)).collect()).collect()
}

fn surfaces() -> Figure {
    let surface = |title: &str| Surface::new(title, svd(30, 51, 3)).index("index i").iteration("iteration t");
    let small: Vec<Vec<f64>> =
        svd(30, 51, 3).iter().map(|row| row.iter().map(|v| 1e-9 * v.powi(20)).collect()).collect();
    Figure::new("Singular values of W₁")
        .columns(3)
        .panel(surface("Ridges").value(Axis::linear("σᵢ(t)").include(0.0)))
        .panel(surface("Mesh").value(Axis::linear("σᵢ(t)")).style(SurfaceStyle::Mesh))
        .panel(Surface::new("Ridges, log", small).value(Axis::log("σᵢ²⁰")).index("index i").iteration("iteration t"))
}

fn trajectories() -> Figure {
    let spiral = |radius: f64, scale: f64| -> Vec<[f64; 3]> {
        let at = |k: i32| f64::from(k) / 40.0;
        (0..400)
            .map(|k| {
                [
                    scale * radius * at(k).cos() * (-at(k) / 6.0).exp(),
                    scale * radius * at(k).sin() * (-at(k) / 6.0).exp(),
                    scale * at(k),
                ]
            })
            .collect()
    };
    let panel = |title: &str, scale: f64| {
        Trajectory::new(title)
            .axes("PC 1", "PC 2", "PC 3")
            .curve(Curve::new("original", spiral(1.0, scale)).wide())
            .curve(Curve::new("compressed, γ = 0.01", spiral(1.0, scale)).hue(1).dashed())
            .curve(Curve::new("compressed, γ = 0", spiral(0.6, scale)).hue(2).dashed())
    };
    Figure::new("Trajectories of the end-to-end product")
        .panel(panel("Large", 300.0))
        .panel(panel("Small, seen from elsewhere", 1e-4).view(40.0, 35.0).legend(Legend::Below))
}

fn bars() -> Figure {
    Figure::new("Bars")
        .panel(
            Histogram::new("Learned ranks")
                .categories((0..=8).map(|rank| rank.to_string()))
                .x("numerical rank")
                .y(Axis::linear("number of layers"))
                .bars(Bars::new("LoRA", vec![0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 74.0]))
                .bars(Bars::new("Deep LoRA", vec![40.0, 4.0, 13.0, 5.0, 6.0, 2.0, 0.0, 2.0, 2.0])),
        )
        .panel(
            Histogram::new("Few-shot STS-B")
                .categories(["n = 16", "n = 64", "n = 256"])
                .y(Axis::linear("Pearson correlation").range(0.0, 1.0))
                .bars(Bars::new("LoRA", vec![0.53, 0.735, 0.814]).errors(vec![(0.45, 0.6), (0.7, 0.76), (0.8, 0.83)]))
                .bars(Bars::new("Deep LoRA", vec![0.6, 0.75, 0.83]).errors(vec![
                    (0.5, 0.68),
                    (0.72, 0.78),
                    (0.81, 0.85),
                ])),
        )
}

fn heatmaps() -> Figure {
    let cosine = |scale: f64| -> Vec<Vec<f64>> {
        (0..12)
            .map(|row| (0..20).map(|t| scale * (1.0 - (-f64::from(t) / (2.0 + f64::from(row))).exp())).collect())
            .collect()
    };
    let wide: Vec<Vec<f64>> =
        cosine(1.0).iter().map(|row| row.iter().map(|v| 10f64.powf(-9.0 * v)).collect()).collect();
    Figure::new("Heat maps")
        .panel(
            Heatmap::new("Alignment with the final subspace", cosine(1.0))
                .x(Axis::linear("step").range(0.0, 2000.0))
                .y(Axis::linear("layer"))
                .value(Axis::linear("cosine")),
        )
        .panel(
            Heatmap::new("Residual", wide)
                .x(Axis::linear("column"))
                .y(Axis::linear("row"))
                .value(Axis::log("residual")),
        )
}

fn axes() -> Figure {
    let panel = |title: &str, scale: f64, offset: f64| {
        let points: Vec<(f64, f64)> = (0..50).map(|k| (f64::from(k) * 1e3, offset + scale * noise(k as u64))).collect();
        Lines::new(title)
            .x(Axis::linear("iteration"))
            .y(Axis::linear("value"))
            .series(Series::new("a", points).scatter())
    };
    let log = |title: &str, from: f64, to: f64| {
        let points: Vec<(f64, f64)> = (0..=60)
            .map(|k| f64::from(k) / 60.0)
            .map(|u| (10f64.powf(1.0 + 4.0 * u), 10f64.powf(from + u * (to - from))))
            .collect();
        Lines::new(title)
            .x(Axis::log("parameters"))
            .y(Axis::log("seconds"))
            .series(Series::new("model", points).marker(Marker::Diamond))
    };
    Figure::new("Axes")
        .columns(3)
        .panel_size(340, 260)
        .panel(panel("Around zero", 0.03, 0.0))
        .panel(panel("Far from zero", 0.002, 1.0))
        .panel(panel("Millions", 3e6, 8e6))
        .panel(log("Half a decade", 0.2, 0.6))
        .panel(log("Two decades", -1.0, 1.2))
        .panel(log("Forty decades", -40.0, 0.0))
}

/// Trials behind their means, failed runs, compared panels, and the end of one seen closer.
fn trials() -> Figure {
    let steps = [1e-3, 1e-2, 1e-1, 1.0];
    let panel = |title: &str, level: f64| {
        let series = |label: &str, hue: Hue, factor: f64, failed: Vec<f64>| {
            let error = |k: usize, trial: usize| {
                level * factor * 10f64.powf(-0.7 * k as f64 + 0.2 * noise((7 * k + 3 * trial) as u64 + hue as u64))
            };
            let of_step = |k: usize| (0..5).map(move |trial| error(k, trial));
            let all: Vec<(f64, f64)> = (0..4).flat_map(|k| of_step(k).map(move |e| (steps[k], e))).collect();
            let means: Vec<(f64, f64)> = (0..4).map(|k| (steps[k], of_step(k).sum::<f64>() / 5.0)).collect();
            let paper: Vec<(f64, f64)> = means.iter().map(|&(x, y)| (x, 1.3 * y)).collect();
            let ours = Series::new(label, means).hue(hue).markers().trials(all).counts(vec![5, 5, 5, 3]);
            [ours.failed(failed, Edge::Top, "diverged"), Series::new(format!("{label}, paper"), paper).hue(hue).paper()]
        };
        Lines::new(title)
            .x(Axis::log("step size"))
            .y(Axis::log("recovery error"))
            .many(series("original", Hue::Blue, 3.0, vec![1.0, 1.0]))
            .many(series("compressed", Hue::Vermilion, 1.0, vec![1.0]))
            .reference(4e-3 * level, format!("best constant: {}", significant(4e-3 * level, 2)))
    };
    let whole = panel("Small", 1e-2);
    let zoomed = whole.zoom("Small, the smallest steps", 1e-3, 1e-2);
    Figure::new("Trials, failed runs, one vertical range a row")
        .subtitle(format!("the time grows like {}", power("d", "1.2")))
        .panel(whole)
        .panel(panel("Large", 3.0))
        .panel(zoomed)
        .shared_y(SharedY::Rows)
        .shared_legend()
}

/// Paired differences with 95 % intervals, the paper's hollow beside them.
fn differences() -> Figure {
    let tasks = ["CoLA", "MRPC", "RTE", "STS-B"];
    let (ours, theirs) = (vec![0.021, -0.004, 0.03, 0.012], vec![0.028, 0.002, f64::NAN, 0.006]);
    let around = |values: &[f64], half: f64| values.iter().map(|v| (v - half, v + half)).collect::<Vec<_>>();
    let texts: Vec<String> = ours.iter().map(|value| format!("{value:+.3}").replace('-', "−")).collect();
    Figure::new("Differences")
        .panel(
            Dots::new("Deep LoRA − LoRA")
                .rows(tasks)
                .x(Axis::linear("difference of scores"))
                .set(DotSet::new("ours", ours.clone()).hue(Hue::Wine).spans(around(&ours, 0.018)).texts(texts))
                .set(DotSet::new("paper", theirs.clone()).hue(Hue::Wine).spans(around(&theirs, 0.01)).paper())
                .reference(0.0, "no difference"),
        )
        .panel(
            Histogram::new("The same as bars")
                .categories(tasks)
                .y(Axis::linear("difference of scores"))
                .bars(Bars::new("ours", ours.clone()).hue(Hue::Wine).errors(around(&ours, 0.018)))
                .bars(Bars::new("paper", theirs.clone()).hue(Hue::Wine).errors(around(&theirs, 0.01)).paper()),
        )
}

fn hues() -> Figure {
    let line = |(index, hue): (usize, Hue)| {
        let points: Vec<(f64, f64)> = (0..8).map(|k| (f64::from(k), index as f64 + 0.3 * noise(k as u64))).collect();
        Series::new(format!("{hue:?}"), points).hue(hue).markers()
    };
    Figure::new("Hues")
        .columns(1)
        .panel_size(620, 420)
        .panel(Lines::new("").many(Hue::ALL.into_iter().enumerate().map(line)))
}

fn awkward() -> Figure {
    let crowded = (0..7).map(|k| {
        let points: Vec<(f64, f64)> = (0..300).map(|t| (f64::from(t), noise(1000 * k + t as u64))).collect();
        Series::new(format!("trial {}", k + 1), points).width(1.0)
    });
    let gap: Vec<(f64, f64)> = (0..100)
        .map(|t| (f64::from(t), if (40..50).contains(&t) { f64::NAN } else { (f64::from(t) * 0.2).sin() * 3.0 }))
        .collect();
    let wide: Vec<(f64, f64, f64)> = gap.iter().map(|&(x, y)| (x, y - 1.0, y + 1.0)).collect();
    let falling: Vec<(f64, f64)> = (0..60).map(|t| (f64::from(t), 10f64.powf(-0.1 * f64::from(t)))).collect();
    let below: Vec<(f64, f64, f64)> =
        falling.iter().map(|&(t, e)| (t, e * (1.0 - t / 30.0), e * (1.0 + t / 30.0))).collect();
    Figure::new("Awkward data")
        .subtitle("no free corner; a gap and a range narrower than the data; nothing at all; a single point")
        .panel(Lines::new("No free corner").x(Axis::linear("iteration")).y(Axis::linear("value")).many(crowded))
        .panel(
            Lines::new("Clipped")
                .x(Axis::linear("iteration").range(10.0, 80.0))
                .y(Axis::linear("value").range(-2.0, 2.0))
                .series(Series::new("sine", gap).band(wide).markers()),
        )
        .panel(
            Lines::new("Band that reaches below zero")
                .x(Axis::linear("iteration"))
                .y(Axis::log("recovery error"))
                .series(Series::new("mean ± standard deviation", falling).band(below)),
        )
        .panel(
            Histogram::new("Many categories")
                .categories((0..40).map(|k| format!("layer {k}")))
                .y(Axis::linear("steps"))
                .bars(Bars::new("adapted", (0..40).map(|k| 30_000.0 * (1.2 + noise(k))).collect::<Vec<_>>())),
        )
        .panel(Lines::new("Empty").series(Series::new("nothing", vec![(f64::NAN, 1.0)])))
        .panel(Lines::new("One point").y(Axis::log("value")).series(Series::new("point", vec![(3.0, 1e-4)]).markers()))
        .panel(
            Lines::new("Smallest and largest")
                .x(Axis::log("from 5 × 10⁻³²⁴"))
                .y(Axis::linear("to the end of numbers"))
                .series(Series::new("extremes", vec![(5e-324, f64::MIN), (1.0, 0.0), (f64::MAX, f64::MAX)]).markers()),
        )
        .panel(
            Lines::new("12345678".repeat(40))
                .x(Axis::linear("abcdefgh ".repeat(40)))
                .y(Axis::linear("long ".repeat(100)))
                .series(Series::new("a label that does not end ".repeat(20), vec![(0.0, 0.0), (1.0, 1.0)]))
                .reference(0.2, "and a reference as long ".repeat(10)),
        )
}
