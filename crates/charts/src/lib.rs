//! Figures of a paper as PNG and SVG, drawn through plotters with one theme: lines with bands on linear and log axes, 3-D
//! surfaces and trajectories, bars, rows of dots and heat maps.
//!
//! A [`Figure`] is described, then rendered; the same description gives the same bytes. Nothing here touches a file.
//!
//! ```
//! use charts::{Axis, Figure, Lines, Series};
//!
//! let errors: Vec<(f64, f64)> = (0..100).map(|t| (f64::from(t), 10f64.powf(-0.1 * f64::from(t)))).collect();
//! let figure = Figure::new("Completion").subtitle("d = 1000, r = 5").panel(
//!     Lines::new("Recovery error")
//!         .x(Axis::linear("iteration"))
//!         .y(Axis::log("recovery error"))
//!         .series(Series::new("original", errors)),
//! );
//! let (png, svg) = (figure.png()?, figure.svg()?);
//! # assert!(png.starts_with(b"\x89PNG") && svg.contains("recovery error"));
//! # Ok::<(), charts::ChartError>(())
//! ```
//!
//! How a figure becomes bytes: panels put marks in logical pixels into a scene; the scene is drawn through plotters'
//! bitmap backend at six times the size and averaged down to two, or through its SVG backend in tenths of a pixel.

mod axis;
mod bars;
mod dots;
mod error;
mod figure;
mod font;
mod frame;
mod heatmap;
mod hue;
mod legend;
mod lines;
mod notation;
mod path;
mod raster;
mod scene;
mod space;
mod surface;
mod theme;
mod ticks;
mod trajectory;

pub use axis::Axis;
pub use bars::{Bars, Histogram};
pub use dots::{DotSet, Dots};
pub use error::ChartError;
pub use figure::{Figure, Panel, SharedY};
pub use heatmap::Heatmap;
pub use hue::{Hue, palette};
pub use legend::{Legend, Marker};
pub use lines::{Edge, Lines, Series};
pub use notation::{power, significant};
pub use surface::{Surface, SurfaceStyle};
pub use trajectory::{Curve, Trajectory};
