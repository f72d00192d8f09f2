//! A drawing as a list of marks in logical pixels, and its two renderings through plotters: a supersampled PNG and an SVG.

use crate::error::ChartError;
use crate::font::{self, Weight};
use crate::hue::Rgb;
use crate::path::Rect;
use crate::raster::{self, Point, Span};
use crate::theme::{TEXT, WHITE};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBAColor, RGBColor, ShapeStyle, TextStyle,
};
use std::error::Error;

/// Each PNG pixel is the mean of a square of this many drawn pixels a side: plotters draws in whole pixels.
const SUPERSAMPLE: u32 = 3;
/// SVG coordinates are whole numbers of this fraction of a logical pixel.
const SVG_UNITS: f64 = 10.0;
/// plotters writes SVG text at its size divided by this.
const SVG_TEXT_DIVISOR: f64 = 1.24;
/// plotters hangs SVG text anchored at its top this far above its baseline, in em.
const SVG_TOP_TO_BASELINE: f64 = 0.76;

/// Colour and opacity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rgba {
    pub rgb: Rgb,
    pub opacity: f64,
}

impl Rgba {
    pub(crate) fn solid(rgb: Rgb) -> Self {
        Self { rgb, opacity: 1.0 }
    }

    fn plotters(self) -> RGBAColor {
        let (r, g, b) = self.rgb;
        RGBColor(r, g, b).mix(self.opacity.clamp(0.0, 1.0))
    }
}

/// Which part of a text sits at its position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Align {
    Start,
    Middle,
    End,
}

/// One line of text.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub content: String,
    /// A point on the baseline.
    pub at: Point,
    pub em: f64,
    pub weight: Weight,
    pub rgb: Rgb,
    pub align: Align,
    /// Read from bottom to top.
    pub upright: bool,
}

impl Text {
    /// Regular text of the standard colour with its baseline through `at`.
    pub(crate) fn new(content: impl Into<String>, at: Point, em: f64, align: Align) -> Self {
        Self { content: content.into(), at, em, weight: Weight::Regular, rgb: TEXT, align, upright: false }
    }

    /// Moves the text so that `at` is the vertical middle of its capitals instead of its baseline.
    pub(crate) fn centred(mut self) -> Self {
        let shift = font::baseline_from_middle(self.em);
        if self.upright {
            self.at.0 += shift;
        } else {
            self.at.1 += shift;
        }
        self
    }

    pub(crate) fn bold(mut self) -> Self {
        self.weight = Weight::Bold;
        self
    }

    pub(crate) fn coloured(mut self, rgb: Rgb) -> Self {
        self.rgb = rgb;
        self
    }

    pub(crate) fn upright(mut self) -> Self {
        self.upright = true;
        self
    }
}

#[derive(Clone, Debug)]
enum Mark {
    Stroke { points: Vec<Point>, colour: Rgba, width: f64 },
    Fill { outline: Vec<Point>, colour: Rgba },
    Disc { centre: Point, radius: f64, colour: Rgba },
    Text(Text),
}

/// Marks in the order they are painted, and what an SVG says where the reader points.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    size: (u32, u32),
    marks: Vec<Mark>,
    tips: Vec<(Rect, String)>,
}

impl Scene {
    /// An empty white scene of `size` logical pixels.
    pub(crate) fn new(size: (u32, u32)) -> Self {
        Self { size, marks: Vec::new(), tips: Vec::new() }
    }

    pub(crate) fn stroke(&mut self, points: Vec<Point>, colour: Rgba, width: f64) {
        self.marks.push(Mark::Stroke { points, colour, width });
    }

    pub(crate) fn line(&mut self, from: Point, to: Point, rgb: Rgb, width: f64) {
        self.stroke(vec![from, to], Rgba::solid(rgb), width);
    }

    pub(crate) fn fill(&mut self, outline: Vec<Point>, colour: Rgba) {
        self.marks.push(Mark::Fill { outline, colour });
    }

    /// Strokes the edge of `area`.
    pub(crate) fn outline(&mut self, area: &Rect, colour: Rgba, width: f64) {
        let mut corners = area.corners();
        corners.push(corners[0]);
        self.stroke(corners, colour, width);
    }

    pub(crate) fn disc(&mut self, centre: Point, radius: f64, colour: Rgba) {
        self.marks.push(Mark::Disc { centre, radius, colour });
    }

    pub(crate) fn text(&mut self, mut text: Text) {
        text.content = printable(&text.content);
        if !text.content.is_empty() {
            self.marks.push(Mark::Text(text));
        }
    }

    /// What the SVG says of `area` when the reader points there; a PNG says nothing.
    pub(crate) fn tip(&mut self, area: Rect, title: &str) {
        self.tips.push((area, printable(title)));
    }

    /// The scene as a PNG of `density` pixels per logical pixel.
    pub(crate) fn png(&self, density: u32) -> Result<Vec<u8>, ChartError> {
        let (width, height) = (self.size.0 * density, self.size.1 * density);
        let fine = (width * SUPERSAMPLE, height * SUPERSAMPLE);
        let mut pixels = vec![255; fine.0 as usize * fine.1 as usize * 3];
        {
            let mut backend = BitMapBackend::with_buffer(&mut pixels, fine);
            let scale = f64::from(density * SUPERSAMPLE);
            for mark in &self.marks {
                paint(&mut backend, mark, scale, fine)?;
            }
            backend.present().map_err(drawing)?;
        }
        let pixels = shrink(&pixels, width as usize, height as usize);
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&pixels)?;
        writer.finish()?;
        Ok(bytes)
    }

    /// The scene as an SVG document.
    pub(crate) fn svg(&self) -> Result<String, ChartError> {
        let units = |length: u32| (f64::from(length) * SVG_UNITS) as u32;
        let size = (units(self.size.0), units(self.size.1));
        let mut document = String::new();
        {
            let mut backend = SVGBackend::with_string(&mut document, size);
            let style = ShapeStyle { color: RGBAColor(WHITE.0, WHITE.1, WHITE.2, 1.0), filled: true, stroke_width: 0 };
            backend.draw_rect((0, 0), (size.0 as i32, size.1 as i32), &style, true).map_err(drawing)?;
            for mark in &self.marks {
                trace(&mut backend, mark)?;
            }
            backend.present().map_err(drawing)?;
        }
        // The view box keeps the fine units; the document takes its logical size and round joins like the PNG's.
        let fine = format!("<svg width=\"{}\" height=\"{}\"", size.0, size.1);
        let logical = format!(
            "<svg width=\"{}\" height=\"{}\" stroke-linejoin=\"round\" stroke-linecap=\"round\"",
            self.size.0, self.size.1
        );
        let document = document.replacen(&fine, &logical, 1);
        Ok(match document.rsplit_once("</svg>") {
            Some((marks, end)) => format!("{marks}{}</svg>{end}", self.tip_elements()),
            None => document,
        })
    }

    /// Tips as unseen rectangles over everything else: plotters' backend writes no element with a child.
    fn tip_elements(&self) -> String {
        let unit = |length: f64| (length * SVG_UNITS).round() as i32;
        let element = |(area, title): &(Rect, String)| {
            let (x, y, width, height) = (unit(area.left), unit(area.top), unit(area.width()), unit(area.height()));
            let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"><title>{title}</title></rect>\n")
        };
        let elements: String = self.tips.iter().map(element).collect();
        if elements.is_empty() {
            return elements;
        }
        format!("<g fill=\"none\" pointer-events=\"all\">\n{elements}</g>\n")
    }
}

/// `text` without what a file of XML must not contain; a line break or tab becomes a blank.
fn printable(text: &str) -> String {
    let allowed = |sign: char| match sign {
        '\t' | '\n' | '\r' => ' ',
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        sign if sign.is_control() => '\u{fffd}',
        sign => sign,
    };
    text.chars().map(allowed).collect()
}

fn drawing(error: impl Error + Send + Sync + 'static) -> ChartError {
    ChartError::Drawing(Box::new(error))
}

/// Paints one mark on the fine bitmap.
fn paint(backend: &mut BitMapBackend<'_>, mark: &Mark, scale: f64, size: (u32, u32)) -> Result<(), ChartError> {
    let up = |&(x, y): &Point| (x * scale, y * scale);
    let scaled = |points: &[Point]| points.iter().map(up).collect::<Vec<_>>();
    match mark {
        Mark::Stroke { points, colour, width } => {
            cover(backend, &raster::stroke(&scaled(points), width * scale / 2.0, size), *colour)
        }
        Mark::Fill { outline, colour } => cover(backend, &raster::fill(&scaled(outline), size), *colour),
        Mark::Disc { centre, radius, colour } => {
            cover(backend, &raster::stroke(&[up(centre)], radius * scale, size), *colour)
        }
        Mark::Text(text) => write(backend, text, scale),
    }
}

fn cover(backend: &mut BitMapBackend<'_>, spans: &[Span], colour: Rgba) -> Result<(), ChartError> {
    let style = ShapeStyle { color: colour.plotters(), filled: true, stroke_width: 0 };
    for span in spans {
        backend.draw_rect((span.start, span.y), (span.end, span.y + 1), &style, true).map_err(drawing)?;
    }
    Ok(())
}

fn write(backend: &mut BitMapBackend<'_>, text: &Text, scale: f64) -> Result<(), ChartError> {
    let em = text.em * scale;
    let back = match text.align {
        Align::Start => 0.0,
        Align::Middle => font::width(&text.content, em, text.weight) / 2.0,
        Align::End => font::width(&text.content, em, text.weight),
    };
    let origin = ((text.at.0 * scale).round() as i32, (text.at.1 * scale).round() as i32);
    let back = back.round() as i32;
    let colour = Rgba::solid(text.rgb).plotters();
    let mut outcome = Ok(());
    font::rasterize(&text.content, em, text.weight, |x, y, coverage| {
        let (along, down) = (x - back, y);
        let pixel =
            if text.upright { (origin.0 + down, origin.1 - along) } else { (origin.0 + along, origin.1 + down) };
        let colour = colour.mix(f64::from(coverage.clamp(0.0, 1.0))).to_backend_color();
        if let Err(error) = backend.draw_pixel(pixel, colour) {
            outcome = Err(drawing(error));
        }
    });
    outcome
}

/// Writes one mark into the SVG.
fn trace(backend: &mut SVGBackend<'_>, mark: &Mark) -> Result<(), ChartError> {
    let unit = |length: f64| (length * SVG_UNITS).round() as i32;
    let place = |&(x, y): &Point| (unit(x), unit(y));
    let style = |colour: Rgba, width: f64| ShapeStyle {
        color: colour.plotters(),
        filled: true,
        stroke_width: unit(width).max(1) as u32,
    };
    match mark {
        Mark::Stroke { points, colour, width } => backend.draw_path(points.iter().map(place), &style(*colour, *width)),
        Mark::Fill { outline, colour } => backend.fill_polygon(outline.iter().map(place), &style(*colour, 0.0)),
        Mark::Disc { centre, radius, colour } => {
            backend.draw_circle(place(centre), unit(*radius) as u32, &style(*colour, 0.0), true)
        }
        Mark::Text(text) => {
            let hang = text.em * SVG_TOP_TO_BASELINE;
            let at = if text.upright { (text.at.0 - hang, text.at.1) } else { (text.at.0, text.at.1 - hang) };
            // Turned text is turned about its position, so the hanging distance turns with it.
            backend.draw_text(&text.content, &svg_text_style(text), place(&at))
        }
    }
    .map_err(drawing)
}

fn svg_text_style(text: &Text) -> TextStyle<'static> {
    let style = match text.weight {
        Weight::Regular => FontStyle::Normal,
        Weight::Bold => FontStyle::Bold,
    };
    let font = FontDesc::new(FontFamily::Name(font::SVG_FAMILY), text.em * SVG_UNITS * SVG_TEXT_DIVISOR, style);
    let turn = if text.upright { FontTransform::Rotate270 } else { FontTransform::None };
    let anchor = match text.align {
        Align::Start => HPos::Left,
        Align::Middle => HPos::Center,
        Align::End => HPos::Right,
    };
    let (r, g, b) = text.rgb;
    font.transform(turn).color(&RGBColor(r, g, b)).pos(Pos::new(anchor, VPos::Top))
}

/// Means over squares of `SUPERSAMPLE` pixels a side.
fn shrink(fine: &[u8], width: usize, height: usize) -> Vec<u8> {
    let side = SUPERSAMPLE as usize;
    let stride = width * side * 3;
    let area = (side * side) as u32;
    let mut coarse = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let mut sum = area / 2;
                for row in 0..side {
                    let start = (y * side + row) * stride + x * side * 3 + channel;
                    sum += (0..side).map(|column| u32::from(fine[start + column * 3])).sum::<u32>();
                }
                coarse.push((sum / area) as u8);
            }
        }
    }
    coarse
}
