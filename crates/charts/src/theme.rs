//! The one style of every figure: colours, sizes and strokes, all in logical pixels.

use crate::hue::Rgb;

/// The colour `share` of the way from `from` to `to`.
pub(crate) fn mix(from: Rgb, to: Rgb, share: f64) -> Rgb {
    let channel = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
    (channel(from.0, to.0), channel(from.1, to.1), channel(from.2, to.2))
}

/// Anchors of the viridis colour map (van der Walt and Smith, 2015), equally spaced.
const VIRIDIS: [Rgb; 9] = [
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
];

/// The viridis colour of a value between 0 and 1; values outside take the nearer end.
pub(crate) fn viridis(unit: f64) -> Rgb {
    let place = unit.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let below = (place.floor() as usize).min(VIRIDIS.len() - 2);
    mix(VIRIDIS[below], VIRIDIS[below + 1], place - below as f64)
}

pub(crate) const WHITE: Rgb = (255, 255, 255);
/// Text.
pub(crate) const TEXT: Rgb = (38, 38, 38);
/// Subtitles and "no data".
pub(crate) const QUIET_TEXT: Rgb = (105, 105, 105);
/// Axis lines and ticks.
pub(crate) const AXIS: Rgb = (120, 120, 120);
/// Grid lines.
pub(crate) const GRID: Rgb = (229, 229, 229);

pub(crate) const FIGURE_TITLE_EM: f64 = 16.0;
pub(crate) const SUBTITLE_EM: f64 = 12.0;
pub(crate) const PANEL_TITLE_EM: f64 = 13.0;
pub(crate) const LABEL_EM: f64 = 12.0;
pub(crate) const TICK_EM: f64 = 11.0;
pub(crate) const LEGEND_EM: f64 = 11.0;

pub(crate) const AXIS_WIDTH: f64 = 0.9;
pub(crate) const GRID_WIDTH: f64 = 0.8;
pub(crate) const LINE_WIDTH: f64 = 1.8;
pub(crate) const TICK_LENGTH: f64 = 4.0;
pub(crate) const MINOR_TICK_LENGTH: f64 = 2.2;
pub(crate) const MARKER_RADIUS: f64 = 3.4;
pub(crate) const BAND_OPACITY: f64 = 0.18;
