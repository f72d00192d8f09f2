//! Whole figures: the right size, nothing missing, the same bytes every time.

use charts::{
    Axis, Bars, ChartError, Curve, DotSet, Dots, Edge, Figure, Heatmap, Histogram, Hue, Legend, Lines, Marker, Panel,
    Series, SharedY, Surface, SurfaceStyle, Trajectory, palette, power, significant,
};
use proptest::prelude::*;
use std::collections::HashMap;

type Rgb = (u8, u8, u8);

struct Image {
    width: u32,
    height: u32,
    colours: HashMap<Rgb, usize>,
}

fn decode(bytes: &[u8]) -> Image {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((frame.color_type, frame.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    let mut colours = HashMap::new();
    for pixel in pixels[..frame.buffer_size()].chunks_exact(3) {
        *colours.entry((pixel[0], pixel[1], pixel[2])).or_insert(0) += 1;
    }
    Image { width: frame.width, height: frame.height, colours }
}

fn count(image: &Image, colour: Rgb) -> usize {
    image.colours.get(&colour).copied().unwrap_or(0)
}

fn wave(phase: f64) -> Vec<(f64, f64)> {
    (0..200).map(|t| (f64::from(t), (0.05 * f64::from(t) + phase).sin().abs() + 0.1)).collect()
}

fn lines() -> Lines {
    Lines::new("Recovery error")
        .x(Axis::linear("iteration"))
        .y(Axis::log("recovery error"))
        .series(Series::new("original", wave(0.0)))
        .series(Series::new("compressed, γ < 1", wave(1.0)).dashed())
        .series(Series::new("points", wave(2.0)).scatter().marker(Marker::Triangle))
        .series(Series::new("original, paper", wave(3.0)).hue(0).paper())
}

fn values() -> Vec<Vec<f64>> {
    (0..8).map(|i| (0..30).map(|t| f64::from(i) + (0.2 * f64::from(t)).sin()).collect()).collect()
}

fn trajectory() -> Trajectory {
    let points: Vec<[f64; 3]> = (0..90).map(|k| f64::from(k) * 0.1).map(|t| [t.cos(), t.sin(), 0.1 * t]).collect();
    Trajectory::new("Trajectory")
        .axes("PC 1", "PC 2", "PC 3")
        .curve(Curve::new("original", points.clone()).wide())
        .curve(Curve::new("compressed", points).hue(3).dashed())
}

fn histogram() -> Histogram {
    Histogram::new("Ranks")
        .categories(["0", "1", "2"])
        .x("numerical rank")
        .y(Axis::linear("layers"))
        .bars(Bars::new("LoRA", vec![1.0, 2.0, 3.0]).hue(4))
        .bars(Bars::new("Deep LoRA", vec![3.0, 2.0, f64::NAN]).hue(5).errors(vec![(2.0, 4.0), (1.5, 2.5)]))
}

fn dots() -> Dots {
    Dots::new("Time")
        .rows(["original", "compressed"])
        .x(Axis::log("seconds"))
        .set(DotSet::new("ours", vec![0.05, 3e-4]).hue(6).texts(["1×", ""]))
        .set(
            DotSet::new("theirs", vec![0.1, f64::NAN])
                .hue(7)
                .marker(Marker::Diamond)
                .spans(vec![(0.09, 0.12)])
                .texts(["2.0× as long"]),
        )
}

fn everything() -> Figure {
    Figure::new("Everything")
        .subtitle("r̂ = 5 & more")
        .columns(3)
        .panel(lines())
        .panel(Surface::new("Ridges", values()).value(Axis::linear("σᵢ(t)")))
        .panel(Surface::new("Mesh", values()).style(SurfaceStyle::Mesh))
        .panel(trajectory())
        .panel(histogram())
        .panel(dots())
        .panel(Heatmap::new("Heat", values()).x(Axis::linear("column")).value(Axis::linear("value")))
}

#[test]
fn the_png_has_the_size_it_was_asked_for() {
    let figure = Figure::new("").panel(lines()).panel_size(300, 200);
    assert_eq!(figure.size(), (320, 220));
    let image = decode(&figure.png().unwrap());
    assert_eq!((image.width, image.height), (640, 440));
    let dense = decode(&figure.clone().pixel_density(3).png().unwrap());
    assert_eq!((dense.width, dense.height), (960, 660));
    let wide = Figure::new("title").panels([lines(), lines(), lines()]).columns(2);
    assert_eq!(wide.size(), (2 * 420 + 20, 2 * 320 + 20 + 26));
}

#[test]
fn every_series_colour_is_in_the_png() {
    let image = decode(&Figure::new("").panel(lines()).png().unwrap());
    for colour in [palette(0), palette(1), palette(2)] {
        assert!(count(&image, colour) > 100, "{colour:?}: {}", count(&image, colour));
    }
    assert_eq!(count(&image, palette(3)), 0);
    let bars = decode(&Figure::new("").panel(histogram()).png().unwrap());
    assert!(count(&bars, palette(4)) > 10_000 && count(&bars, palette(5)) > 10_000);
    let rows = decode(&Figure::new("").panel(dots()).png().unwrap());
    assert!(count(&rows, palette(6)) > 100 && count(&rows, palette(7)) > 100);
    let curves = decode(&Figure::new("").panel(trajectory()).png().unwrap());
    assert!(count(&curves, palette(3)) > 100);
}

#[test]
fn most_of_a_figure_is_white_and_some_of_it_is_not() {
    let image = decode(&everything().png().unwrap());
    let pixels = (image.width * image.height) as usize;
    let white = count(&image, (255, 255, 255));
    assert!(white > pixels / 2 && white < pixels * 19 / 20, "{white} of {pixels}");
}

#[test]
fn the_same_figure_gives_the_same_bytes() {
    assert_eq!(everything().png().unwrap(), everything().png().unwrap());
    assert_eq!(everything().svg().unwrap(), everything().svg().unwrap());
}

#[test]
fn the_svg_is_well_formed_and_says_everything() {
    let svg = everything().svg().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let root = document.root_element();
    assert_eq!(root.attribute("width"), Some(everything().size().0.to_string().as_str()));
    let texts: Vec<String> = document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .map(|node| node.text().unwrap_or_default().trim().to_owned())
        .collect();
    for expected in [
        "Everything",
        "r̂ = 5 & more",
        "recovery error",
        "compressed, γ < 1",
        "10⁻¹",
        "σᵢ(t)",
        "PC 3",
        "numerical rank",
        "Deep LoRA",
        "compressed",
        "2.0× as long",
    ] {
        assert!(texts.iter().any(|text| text == expected), "{expected:?} is missing in {texts:?}");
    }
    let family = document.descendants().find_map(|node| node.attribute("font-family")).expect("text has a font");
    assert!(family.ends_with("sans-serif"));
}

#[test]
fn a_shared_legend_lists_equal_entries_once() {
    let figure = Figure::new("").panels([lines(), lines()]).shared_legend();
    let svg = figure.svg().unwrap();
    assert_eq!(svg.matches("\noriginal\n").count(), 1);
    assert_eq!(svg.matches("\noriginal, paper\n").count(), 1);
    assert_eq!(Figure::new("").panels([lines(), lines()]).svg().unwrap().matches("\noriginal\n").count(), 2);
}

#[test]
fn panels_without_data_say_so() {
    let nothing = Series::new("nothing", vec![(f64::NAN, 1.0), (1.0, -1.0)]);
    let figure = Figure::new("")
        .panel(Lines::new("lines").y(Axis::log("")).series(nothing))
        .panel(Surface::new("surface", Vec::new()))
        .panel(Trajectory::new("trajectory"))
        .panel(Histogram::new("histogram"))
        .panel(Heatmap::new("heat map", vec![vec![f64::NAN]]));
    let svg = figure.svg().unwrap();
    assert_eq!(svg.matches("no data").count(), 5);
    for title in ["lines", "surface", "trajectory", "histogram", "heat map"] {
        assert!(svg.contains(title), "{title}");
    }
    figure.png().unwrap();
}

#[test]
fn degenerate_data_is_drawn() {
    let constant: Vec<(f64, f64)> = (0..5).map(|t| (f64::from(t), 1e-300)).collect();
    let figure = Figure::new("")
        .panel(Lines::new("").series(Series::new("huge", vec![(0.0, -1e300), (1.0, 1e300)])))
        .panel(Lines::new("").y(Axis::log("tiny")).series(Series::new("tiny", constant).markers()))
        .panel(Surface::new("", vec![vec![1.0]]))
        .panel(Trajectory::new("").curve(Curve::new("", vec![[1.0, 2.0, 3.0]])))
        .panel(Heatmap::new("", vec![vec![2.0]]))
        .panel(Histogram::new("").bars(Bars::new("", vec![-1.0, 0.0])));
    figure.png().unwrap();
    roxmltree::Document::parse(&figure.svg().unwrap()).unwrap();
}

#[test]
fn long_curves_stay_small() {
    let noisy: Vec<(f64, f64)> = (0..200_000).map(|t| (f64::from(t), 1.0 + (f64::from(t) * 12.9898).sin())).collect();
    let figure = Figure::new("").panel(Lines::new("").series(Series::new("noise", noisy)));
    assert!(figure.svg().unwrap().len() < 100_000);
}

#[test]
fn impossible_figures_are_refused() {
    assert!(matches!(Figure::new("none").png(), Err(ChartError::EmptyFigure { title }) if title == "none"));
    let tiny = Figure::new("").panel(lines()).panel_size(50, 50);
    assert!(matches!(tiny.svg(), Err(ChartError::Size { width: 70, .. })));
    let vast = Figure::new("").panel(lines()).panel_size(100_000, 100_000);
    assert!(matches!(vast.png(), Err(ChartError::Size { .. })));
}

fn texts(document: &roxmltree::Document<'_>, tag: &str) -> Vec<String> {
    let tagged = document.descendants().filter(|node| node.has_tag_name(tag));
    tagged.map(|node| node.text().unwrap_or_default().trim().to_owned()).collect()
}

/// The texts of a figure's SVG, or of its `title` elements.
fn written(figure: &Figure, tag: &str) -> Vec<String> {
    let svg = figure.svg().unwrap();
    texts(&roxmltree::Document::parse(&svg).unwrap(), tag)
}

#[test]
fn hues_go_by_name_and_published_values_are_the_same_hue_hollow() {
    let points = vec![(0.0, 1.0), (1.0, 2.0), (2.0, 1.5)];
    let measured = Series::new("ours", points.clone()).hue(Hue::Indigo).scatter();
    let count_of = |series: Series| {
        let image = decode(&Figure::new("").panel(Lines::new("").legend(Legend::None).series(series)).png().unwrap());
        count(&image, Hue::Indigo.rgb())
    };
    let (full, hollow) = (count_of(measured.clone()), count_of(measured.paper()));
    assert!(full > 60 && hollow > 20 && hollow < full, "{full} and {hollow}");
    let bars = |bars: Bars| decode(&Figure::new("").panel(Histogram::new("").bars(bars)).png().unwrap());
    let full = count(&bars(Bars::new("", vec![1.0]).hue(Hue::Wine)), Hue::Wine.rgb());
    let hollow = count(&bars(Bars::new("", vec![1.0]).hue(Hue::Wine).paper()), Hue::Wine.rgb());
    assert!(full > 10_000 && hollow > 500 && hollow < full / 10, "{full} and {hollow}");
}

#[test]
fn an_svg_says_what_its_points_are() {
    let series =
        Series::new("depth 3", vec![(10.0, 0.5), (20.0, 1.25e-4)]).counts(vec![5, 4]).trials(vec![(10.0, 0.6)]);
    let panel = Lines::new("").x(Axis::linear("width")).y(Axis::log("error")).series(series);
    let titles = written(&Figure::new("").panel(panel), "title");
    let expected = [
        "depth 3, one trial: width = 10, error = 0.6000",
        "depth 3: width = 10, error = 0.5000, n = 5",
        "depth 3: width = 20, error = 1.250×10⁻⁴, n = 4",
    ];
    assert_eq!(titles, expected);
    let titles = written(&Figure::new("").panel(histogram()).panel(dots()), "title");
    for expected in ["LoRA, 2: 3", "Deep LoRA, 0: 3 [2, 4]", "theirs, original: 0.1000 [0.09000, 0.1200]"] {
        assert!(titles.iter().any(|title| title == expected), "{expected} is missing in {titles:?}");
    }
    let many = Series::new("many", (0..201).map(|k| (f64::from(k), 1.0)).collect::<Vec<_>>());
    assert!(written(&Figure::new("").panel(Lines::new("").series(many)), "title").is_empty());
}

#[test]
fn failed_runs_are_marked_counted_and_named_once() {
    let series = |label: &str, hue: Hue, failed: Vec<f64>| {
        let points = vec![(1.0, 0.1), (2.0, 0.2), (4.0, 0.1)];
        Series::new(label, points).hue(hue).failed(failed, Edge::Top, "diverged")
    };
    let panel = Lines::new("")
        .series(series("a", Hue::Wine, vec![4.0, 4.0, 3.0]))
        .series(series("b", Hue::Forest, vec![4.0]))
        .series(series("c", Hue::Sky, Vec::new()));
    let figure = Figure::new("").panel(panel);
    let found = written(&figure, "text");
    assert_eq!(found.iter().filter(|text| *text == "diverged").count(), 1);
    assert_eq!(found.iter().filter(|text| *text == "2×").count(), 1);
    let none = Figure::new("").panel(Lines::new("").series(series("a", Hue::Wine, Vec::new())));
    assert!(!written(&none, "text").contains(&"diverged".to_owned()));
}

#[test]
fn a_band_without_extent_is_no_band() {
    let points = vec![(0.0, 1.0), (1.0, 2.0)];
    let flat = points.iter().map(|&(x, y)| (x, y, y)).collect::<Vec<_>>();
    let svg = |series: Series| Figure::new("").panel(Lines::new("").series(series)).svg().unwrap();
    let plain = Series::new("a", points.clone());
    assert_eq!(svg(plain.clone()), svg(plain.clone().band(flat)));
    assert_ne!(svg(plain.clone()), svg(plain.band(vec![(0.0, 0.9, 1.1), (1.0, 1.9, 2.1)])));
}

/// The numbers beside vertical axes: texts that end at their position.
fn height_labels(panels: [Lines; 2], shared: Option<SharedY>, columns: usize) -> [Vec<String>; 2] {
    let figure = Figure::new("").panels(panels).columns(columns);
    let figure = shared.into_iter().fold(figure, Figure::shared_y);
    let svg = figure.svg().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let labels = document.descendants().filter(|node| node.attribute("text-anchor") == Some("end"));
    let mut sides = [Vec::new(), Vec::new()];
    for label in labels {
        let place = |name: &str| label.attribute(name).and_then(|at| at.parse::<f64>().ok()).unwrap();
        let second = if columns == 2 { place("x") > 4300.0 } else { place("y") > 3300.0 };
        sides[usize::from(second)].push(label.text().unwrap_or_default().trim().to_owned());
    }
    sides
}

#[test]
fn compared_panels_share_their_vertical_range() {
    for y in [Axis::linear(""), Axis::log("")] {
        let panel = |top: f64| {
            Lines::new("").y(y.clone()).series(Series::new("", vec![(0.0, 1.0), (1.0, 0.5 * top), (2.0, top)]))
        };
        let panels = || [panel(10.0), panel(3000.0)];
        let [small, large] = height_labels(panels(), None, 2);
        assert_ne!(small, large);
        for (shared, columns) in [(SharedY::All, 2), (SharedY::All, 1), (SharedY::Rows, 2)] {
            let [first, second] = height_labels(panels(), Some(shared), columns);
            assert_eq!((&first, &second), (&large, &large), "{shared:?} in {columns}");
        }
        assert_eq!(height_labels(panels(), Some(SharedY::Rows), 1), [small, large]);
    }
    let bars = |height: f64| Histogram::new("").y(Axis::linear("")).bars(Bars::new("", vec![height]));
    let figure = Figure::new("").panels([bars(1.0), bars(800.0)]).shared_y(SharedY::All);
    assert_eq!(written(&figure, "text").iter().filter(|text| *text == "800").count(), 2);
}

#[test]
fn a_zoomed_panel_shows_a_part_at_its_own_height() {
    let falling: Vec<(f64, f64)> = (0..100).map(|t| (f64::from(t), 1000.0 * 0.9f64.powi(t))).collect();
    let whole = Lines::new("whole").series(Series::new("error", falling));
    let found = written(&Figure::new("").panel(whole.zoom("last tenth", 90.0, 100.0)), "text");
    assert!(found.contains(&"last tenth".to_owned()) && found.contains(&"92".to_owned()), "{found:?}");
    assert!(!found.contains(&"1000".to_owned()) && !found.contains(&"50".to_owned()), "{found:?}");
}

#[test]
fn the_label_of_a_reference_line_keeps_clear_of_the_data() {
    // Data lies along the right half, above the line and below it.
    let points: Vec<(f64, f64)> =
        (0..60).map(|k| (50.0 + f64::from(k), if k % 2 == 0 { 1.05 } else { 0.95 })).collect();
    let panel = Lines::new("").x(Axis::linear("").range(0.0, 110.0)).y(Axis::linear("").range(0.0, 2.0));
    let panel = panel.series(Series::new("", points).scatter()).reference(1.0, "limit");
    let svg = Figure::new("").panel(panel).svg().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let label = document.descendants().find(|node| node.text().is_some_and(|text| text.trim() == "limit")).unwrap();
    let x: f64 = label.ancestors().find_map(|node| node.attribute("x")).unwrap().parse().unwrap();
    assert!(x < 2000.0, "{x}");
}

#[test]
fn texts_keep_clear_of_whiskers() {
    let panel = |span: (f64, f64)| {
        let set = DotSet::new("ours", vec![0.5]).spans(vec![span]).texts(["+0.5"]);
        Dots::new("").rows(["MRPC"]).x(Axis::linear("difference").range(-1.0, 2.0)).set(set).reference(0.0, "none")
    };
    for span in [(0.2, 0.8), (0.4, 1.9), (-0.9, 0.6)] {
        let svg = Figure::new("").panel(panel(span)).svg().unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let text = document.descendants().find(|node| node.text().is_some_and(|text| text.trim() == "+0.5")).unwrap();
        let x: f64 = text.attribute("x").unwrap().parse().unwrap();
        let ends_here = text.attribute("text-anchor") == Some("end");
        let tip =
            document.descendants().find(|node| node.has_tag_name("title")).and_then(|title| title.parent()).unwrap();
        let number = |name: &str| tip.attribute(name).unwrap().parse::<f64>().unwrap();
        let (left, right) = (number("x"), number("x") + number("width"));
        assert!(if ends_here { x <= left } else { x >= right - 30.0 }, "{span:?}: {x} beside {left} to {right}");
    }
}

#[test]
fn exponents_are_written_one_way() {
    assert_eq!((power("d", "1.2"), power("10", -3)), ("d¹·²".into(), "10⁻³".into()));
    assert_eq!(significant(6.02e-4, 2), "6.0×10⁻⁴");
}

/// Every kind of panel with `text` wherever a text can be given, and `values` wherever numbers can.
fn panels_of(text: &str, values: &[f64], log: bool) -> Vec<Panel> {
    let axis = || if log { Axis::log(text) } else { Axis::linear(text) };
    let points: Vec<(f64, f64)> = values.iter().zip(values.iter().rev()).map(|(&x, &y)| (x, y)).collect();
    let spans: Vec<(f64, f64)> = points.clone();
    let triples: Vec<(f64, f64, f64)> = points.iter().map(|&(x, y)| (x, y, x)).collect();
    let series = Series::new(text, points.clone())
        .trials(points.clone())
        .band(triples.clone())
        .errors(triples.clone())
        .markers()
        .failed(values.to_vec(), Edge::Bottom, text);
    let lines = Lines::new(text).x(axis()).y(axis()).series(series).reference(values[0], text);
    let rows: Vec<Vec<f64>> = vec![values.to_vec(), values.iter().rev().copied().collect()];
    let corners = points.iter().map(|&(x, y)| [x, y, x]).collect::<Vec<_>>();
    vec![
        lines.zoom(text, values[0], values[values.len() - 1]).into(),
        lines.into(),
        Histogram::new(text)
            .categories(values.iter().map(|_| text))
            .x(text)
            .y(axis())
            .bars(Bars::new(text, values.to_vec()).errors(spans.clone()))
            .into(),
        Dots::new(text)
            .rows(values.iter().map(|_| text))
            .x(axis())
            .set(DotSet::new(text, values.to_vec()).spans(spans).texts(values.iter().map(|_| text)))
            .reference(values[0], text)
            .into(),
        Heatmap::new(text, rows.clone())
            .x(axis())
            .y(axis().range(values[0], values[values.len() - 1]))
            .value(axis())
            .into(),
        Surface::new(text, rows.clone()).iterations(values.to_vec()).index(text).iteration(text).value(axis()).into(),
        Surface::new(text, rows).style(SurfaceStyle::Mesh).value(axis()).into(),
        Trajectory::new(text).axes(text, text, text).curve(Curve::new(text, corners).dashed()).into(),
    ]
}

#[test]
fn any_text_gives_well_formed_xml() {
    let every: String = (0..=0x2ff).chain(0xfff0..=0xffff).filter_map(char::from_u32).collect();
    for text in [every.as_str(), "a\u{1b}[31m\u{0}b", "]]> <!-- & \"'\n"] {
        let figure = Figure::new(text).subtitle(text).panels(panels_of(text, &[1.0, 2.0, 3.0], false));
        let svg = figure.svg().unwrap();
        roxmltree::Document::parse(&svg).unwrap();
        assert!(svg.chars().all(|sign| sign == '\n' || !sign.is_control()));
        figure.columns(4).pixel_density(1).png().unwrap();
    }
}

#[test]
fn long_texts_are_cut_with_an_ellipsis() {
    let digits = "1234567890".repeat(30);
    for shared in [false, true] {
        let figure = Figure::new(&*digits).subtitle(&*digits).panels(panels_of(&digits, &[1.0, 2.0, 3.0], false));
        let figure = if shared { figure.shared_legend() } else { figure };
        let found = written(&figure, "text");
        let width = figure.size().0 as usize;
        assert!(found.iter().all(|text| text.chars().count() < width / 5), "{found:?}");
        assert!(found.iter().filter(|text| text.ends_with('…')).count() > 20, "{found:?}");
    }
}

/// Finite numbers of every size: random bits, and the extremes.
fn finite() -> impl Strategy<Value = f64> {
    let extremes = [0.0, 5e-324, -5e-324, 1e-300, 1e300, -1e300, 1e305, 1e308, f64::MAX, f64::MIN, 1.0];
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite()),
        prop::sample::select(extremes.to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn figures_of_any_finite_numbers_are_small_and_well_formed(
        values in prop::collection::vec(finite(), 1..5),
        log in any::<bool>(),
        shared in any::<bool>(),
    ) {
        let figure = Figure::new("any").panels(panels_of("a", &values, log)).columns(4).pixel_density(1);
        let figure = if shared { figure.shared_y(SharedY::All) } else { figure };
        let svg = figure.svg().unwrap();
        prop_assert!(svg.len() < 400_000, "{} bytes", svg.len());
        let document = roxmltree::Document::parse(&svg).unwrap();
        let long = texts(&document, "text").into_iter().find(|text| text.chars().count() > 30);
        prop_assert!(long.is_none(), "{long:?}");
        // Nothing is drawn far outside the page.
        for node in document.descendants() {
            for at in ["x", "y", "cx", "cy"].iter().filter_map(|name| node.attribute(*name)) {
                let at: f64 = at.parse().unwrap();
                prop_assert!((-200.0..=30_000.0).contains(&at), "{node:?}");
            }
        }
    }
}

#[test]
fn extreme_numbers_are_rasterized_in_no_time() {
    let begin = std::time::Instant::now();
    for values in [[1e308, -1e308], [1e300, 1e-300], [5e-324, f64::MAX], [f64::MAX, f64::MAX], [5e-324, 5e-324]] {
        for log in [false, true] {
            let figure = Figure::new("").panels(panels_of("a", &values, log)).columns(4).pixel_density(1);
            figure.png().unwrap();
        }
    }
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}
