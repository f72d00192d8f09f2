//! The embedded typeface: DejaVu Sans, which has Greek, sub- and superscripts and the mathematical signs; measured and rasterized here.
//!
//! plotters' own `ab_glyph` text drops every glyph's left side bearing and rounds positions to whole pixels, which spoils the
//! spacing of small labels; so the bitmap's glyphs are placed here.

use ab_glyph::{Font, FontRef, Glyph, GlyphId, PxScale, ScaleFont, point};
use std::sync::LazyLock;

/// Font family of SVG text: the measured face first, then the one with the same widths, then whatever the reader has.
pub(crate) const SVG_FAMILY: &str = "DejaVu Sans, Verdana, Arial, sans-serif";

/// Height of a capital letter as a share of the em.
const CAP_HEIGHT: f64 = 0.73;

/// Regular or bold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

struct Faces {
    regular: FontRef<'static>,
    bold: FontRef<'static>,
}

static FACES: LazyLock<Faces> = LazyLock::new(|| {
    let parse = |bytes| FontRef::try_from_slice(bytes).expect("the embedded font is valid");
    Faces { regular: parse(dejavu::sans::regular()), bold: parse(dejavu::sans::bold()) }
});

fn face(weight: Weight) -> &'static FontRef<'static> {
    match weight {
        Weight::Regular => &FACES.regular,
        Weight::Bold => &FACES.bold,
    }
}

/// ab_glyph scales by ascent + descent; typography by the em.
fn scale(face: &FontRef<'_>, em: f64) -> PxScale {
    let units = face.units_per_em().unwrap_or(1000.0);
    PxScale::from(em as f32 * face.height_unscaled() / units)
}

/// Each glyph of `text` with its pen position, and the pen position after the last; lengths in the unit of `em`.
fn place(text: &str, em: f64, weight: Weight) -> (Vec<(GlyphId, f64)>, f64) {
    let face = face(weight);
    let scaled = face.as_scaled(scale(face, em));
    let mut pen = 0.0;
    let mut before: Option<GlyphId> = None;
    let mut placed = Vec::with_capacity(text.len());
    for letter in text.chars() {
        let id = face.glyph_id(letter);
        if let Some(before) = before {
            pen += f64::from(scaled.kern(before, id));
        }
        placed.push((id, pen));
        pen += f64::from(scaled.h_advance(id));
        before = Some(id);
    }
    (placed, pen)
}

/// Width of `text` set in `em`, in the unit of `em`.
pub(crate) fn width(text: &str, em: f64, weight: Weight) -> f64 {
    // Measured large and scaled down, so that the result is exactly proportional to the em.
    place(text, 100.0, weight).1 * em / 100.0
}

/// `text`, cut with an ellipsis where it is wider than `room`.
pub(crate) fn fit(text: &str, em: f64, weight: Weight, room: f64) -> String {
    // No sign is so narrow that more of them than this fit in a figure.
    const MOST: usize = 4000;
    let short: String = text.chars().take(MOST).collect();
    if short.len() == text.len() && width(text, em, weight) <= room {
        return short;
    }
    let room = (room - width("…", em, weight)) * 100.0 / em;
    let starts = place(&short, 100.0, weight).0;
    // Of the signs that end within the room; each ends where the next one starts.
    let fitting = starts.iter().skip(1).take_while(|(_, start)| *start <= room).count();
    let kept: String = short.chars().take(fitting).collect();
    format!("{}…", kept.trim_end())
}

/// `text` broken between words into lines no wider than `room`: at most `most` of them, the last cut with an ellipsis.
pub(crate) fn wrap(text: &str, em: f64, weight: Weight, room: f64, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let full = lines.len() == most;
        match lines.last_mut() {
            // What is left over goes to the last line, where it is cut.
            Some(line) if full || width(&format!("{line} {word}"), em, weight) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| fit(line, em, weight, room)).collect()
}

/// How far below the vertical middle of a line of capitals its baseline lies.
pub(crate) fn baseline_from_middle(em: f64) -> f64 {
    CAP_HEIGHT * em / 2.0
}

/// Calls `dot(x, y, coverage)` for every pixel `text` touches, relative to the start of its baseline, y downwards.
pub(crate) fn rasterize(text: &str, em: f64, weight: Weight, mut dot: impl FnMut(i32, i32, f32)) {
    let face = face(weight);
    let scale = scale(face, em);
    for (id, pen) in place(text, em, weight).0 {
        let glyph = Glyph { id, scale, position: point(pen as f32, 0.0) };
        if let Some(outline) = face.outline_glyph(glyph) {
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, coverage| {
                dot(corner.x as i32 + x as i32, corner.y as i32 + y as i32, coverage);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_weights_have_every_sign_the_figures_use() {
        let signs = "γεληλησρΦσᵢ−×⁻⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉⁺·…×\u{fffd}→←√∏∑‖≤≥±°∞∈ᵀᵢⱼ\u{2009}\u{302}";
        for weight in [Weight::Regular, Weight::Bold] {
            for sign in signs.chars() {
                assert_ne!(face(weight).glyph_id(sign).0, 0, "{sign:?} is missing in {weight:?}");
            }
        }
    }

    #[test]
    fn width_is_proportional_to_the_em_and_adds_up() {
        let one = width("recovery", 10.0, Weight::Regular);
        assert!((width("recovery", 30.0, Weight::Regular) - 3.0 * one).abs() < 1e-9);
        assert!(one > 30.0 && one < 70.0, "{one}");
        assert_eq!(width("", 10.0, Weight::Bold), 0.0);
    }

    #[test]
    fn long_text_is_cut_with_an_ellipsis() {
        let digits = "7".repeat(300);
        let cut = fit(&digits, 11.0, Weight::Regular, 100.0);
        assert!(cut.starts_with("777") && cut.ends_with('…') && width(&cut, 11.0, Weight::Regular) <= 100.0, "{cut}");
        assert!(width(&cut, 11.0, Weight::Regular) > 85.0, "{cut}");
        assert_eq!(fit("short", 11.0, Weight::Regular, 100.0), "short");
        assert_eq!(fit("no room", 11.0, Weight::Regular, 1.0), "…");
        assert!(fit(&"i".repeat(1_000_000), 11.0, Weight::Bold, 1e5).chars().count() <= 4000);
    }

    #[test]
    fn text_is_broken_between_words_into_a_few_lines() {
        let lines = |text: &str, most| wrap(text, 10.0, Weight::Regular, 100.0, most);
        assert_eq!(lines("one two", 3), ["one two"]);
        assert_eq!(lines("d = 1000, r = 5, trials = 5", 3), ["d = 1000, r = 5,", "trials = 5"]);
        let cut = lines("every good boy deserves fudge and then every bad one too", 2);
        assert!(cut.len() == 2 && cut[1].ends_with('…'), "{cut:?}");
        assert!(cut.iter().all(|line| width(line, 10.0, Weight::Regular) <= 100.0), "{cut:?}");
    }
}
