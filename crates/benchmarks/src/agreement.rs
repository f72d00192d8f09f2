//! Whether a peer computes what this project computes: its loss and gradients, compared before anything is timed.

use anyhow::{Result, bail};
use faer::Mat;

/// The comparison of one peer with this project on one case.
#[derive(Debug)]
pub struct Agreement<'a> {
    case: &'a str,
    peer: &'a str,
    limit: f64,
    largest: f64,
}

impl<'a> Agreement<'a> {
    /// A comparison that allows relative differences up to `limit`.
    pub fn new(case: &'a str, peer: &'a str, limit: f64) -> Self {
        Self { case, peer, limit, largest: 0.0 }
    }

    /// Compares losses.
    ///
    /// # Errors
    /// If they differ by more than the limit.
    pub fn loss(&mut self, theirs: f64, ours: f64) -> Result<()> {
        self.take("loss", (theirs / ours - 1.0).abs())
    }

    /// Compares the gradients of the factor `name`, by the norm of their difference.
    ///
    /// # Errors
    /// If they differ by more than the limit.
    pub fn gradient(&mut self, name: &str, theirs: &Mat<f64>, ours: &Mat<f64>) -> Result<()> {
        self.take(&format!("gradient of {name}"), (theirs - ours).norm_l2() / ours.norm_l2())
    }

    /// The largest relative difference so far.
    pub fn largest(&self) -> f64 {
        self.largest
    }

    fn take(&mut self, what: &str, difference: f64) -> Result<()> {
        // Not a number is no agreement either.
        if difference <= self.limit {
            self.largest = self.largest.max(difference);
            return Ok(());
        }
        let Self { case, peer, limit, .. } = self;
        bail!("{case}: the {what} of {peer} differs from ours by {difference:.1e}, more than {limit:.0e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_difference_is_kept_and_too_large_ones_are_named() {
        let mut agreement = Agreement::new("a/b", "NumPy", 1e-3);
        let ours = Mat::from_fn(2, 2, |i, j| (i + j) as f64 + 1.0);
        agreement.loss(1.0001, 1.0).unwrap();
        agreement.gradient("F1", &ours, &ours).unwrap();
        assert!((agreement.largest() - 1e-4).abs() < 1e-12);
        let error = agreement.gradient("F2", &(&ours * faer::Scale(1.1)), &ours).unwrap_err().to_string();
        assert_eq!(error, "a/b: the gradient of F2 of NumPy differs from ours by 1.0e-1, more than 1e-3");
        assert!(agreement.loss(f64::NAN, 1.0).is_err());
    }
}
