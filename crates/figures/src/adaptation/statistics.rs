//! Bands as the paper draws them.

use lab::statistics::{deviation, mean};

use crate::summary::{Averaged, grouped};

/// Averages all y of the same x, with the paper's band: mean ± half a standard deviation; none of a single value.
pub fn banded(points: impl IntoIterator<Item = (f64, f64)>) -> Averaged {
    let mut averaged = Averaged::default();
    for (x, values) in grouped(points) {
        let Some(mean) = mean(&values) else { continue };
        averaged.mean.push((x, mean));
        averaged.band.extend(deviation(&values).map(|deviation| (x, mean - deviation / 2.0, mean + deviation / 2.0)));
    }
    averaged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_half_a_deviation() {
        let band = banded([(1.0, 1.0), (1.0, 3.0), (2.0, 5.0)]).band;
        let half = 2f64.sqrt() / 2.0;
        assert_eq!(band.len(), 1);
        assert!((band[0].1 - (2.0 - half)).abs() < 1e-12 && (band[0].2 - (2.0 + half)).abs() < 1e-12);
    }
}
