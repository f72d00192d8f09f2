//! From a chart to the two files of a drawing.

use charts::{ChartError, Figure};
use lab::Drawing;

/// Renders `figure` as PNG and SVG under the given file name (without extension).
pub fn drawing(name: &str, figure: &Figure) -> Result<Drawing, ChartError> {
    Ok(Drawing { name: name.to_owned(), png: figure.png()?, svg: figure.svg()? })
}
