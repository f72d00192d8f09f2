//! The number types the encoder runs in: `f32` for work, `f64` to check gradients with.

use faer::traits::RealField;

/// `f32` or `f64`.
pub trait Real:
    RealField + Copy + PartialOrd + Default + Send + Sync + std::fmt::Debug + std::fmt::Display + 'static
{
    /// Rounded from `f64`.
    fn of(x: f64) -> Self;
    /// As `f64`, exactly.
    fn as_f64(self) -> f64;
}

impl Real for f32 {
    fn of(x: f64) -> Self {
        x as Self
    }

    fn as_f64(self) -> f64 {
        self.into()
    }
}

impl Real for f64 {
    fn of(x: f64) -> Self {
        x
    }

    fn as_f64(self) -> f64 {
        self
    }
}
