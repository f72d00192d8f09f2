//! Whole figures: the right size, nothing missing, the same bytes every time.

use charts::{
    Axis, Bars, ChartError, Curve, DotSet, Dots, Figure, Heatmap, Histogram, Lines, Marker, Series, Surface,
    SurfaceStyle, Trajectory, palette, paper_tint,
};
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
    for colour in [palette(0), palette(1), palette(2), paper_tint(0)] {
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
