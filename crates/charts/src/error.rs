//! What can go wrong between a figure's description and its bytes.

use std::error::Error;

/// Why a figure could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// The figure has no panel.
    #[error("the figure \"{title}\" has no panel")]
    EmptyFigure {
        /// Title of the figure.
        title: String,
    },
    /// The panels are too small to hold axes, or the image is too large to hold in memory.
    #[error(
        "a figure of {width}×{height} logical pixels cannot be drawn: panels need at least 160×140, images at most 100 megapixels"
    )]
    Size {
        /// Width of the whole figure in logical pixels.
        width: u32,
        /// Height of the whole figure in logical pixels.
        height: u32,
    },
    /// The drawing backend refused.
    #[error("drawing failed")]
    Drawing(#[source] Box<dyn Error + Send + Sync>),
    /// The finished pixels could not be encoded.
    #[error("the PNG could not be encoded")]
    Encoding(#[from] png::EncodingError),
}
