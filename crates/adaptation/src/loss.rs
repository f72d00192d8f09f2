//! The loss of a batch and its gradient with respect to the logits.

use faer::{MatMut, MatRef};
use serde::{Deserialize, Serialize};

use crate::Real;

/// What is minimized: the mean over the batch, as PyTorch's `mse_loss` and `cross_entropy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// `(logit − label)²`, one logit; for regression.
    MeanSquaredError,
    /// `−log softmax(logits)[label]`; the label is the number of a class, counted from 0.
    CrossEntropy,
}

impl Loss {
    /// The loss of logits (outputs × sequences) with one label per sequence; writes its gradient to `d_logits`.
    ///
    /// # Panics
    /// If shapes do not match, or a label is no class.
    pub fn value_and_gradient<T: Real>(self, logits: MatRef<'_, T>, labels: &[f32], mut d_logits: MatMut<'_, T>) -> T {
        assert_eq!(logits.ncols(), labels.len(), "one label per sequence");
        assert_eq!(logits.shape(), d_logits.shape(), "a gradient of the logits' shape");
        let scale = T::of(1.0 / labels.len() as f64);
        let mut sum = T::of(0.0);
        for (sequence, &label) in labels.iter().enumerate() {
            let (logits, gradient) = (logits.subcols(sequence, 1), d_logits.as_mut().subcols_mut(sequence, 1));
            sum += scale * self.of_one(logits, label, scale, gradient);
        }
        sum
    }

    /// The least loss on these labels that is to be had without looking at the sequences: the labels' variance, or the
    /// entropy of their classes. 0 of no labels.
    pub fn of_best_constant(self, labels: &[f32]) -> f64 {
        let n = labels.len().max(1) as f64;
        match self {
            Self::MeanSquaredError => {
                let mean = labels.iter().map(|&label| f64::from(label)).sum::<f64>() / n;
                labels.iter().map(|&label| (f64::from(label) - mean).powi(2)).sum::<f64>() / n
            }
            Self::CrossEntropy => {
                let mut counts = std::collections::BTreeMap::<u32, f64>::new();
                labels.iter().for_each(|label| *counts.entry(label.to_bits()).or_default() += 1.0);
                counts.values().map(|count| -count / n * (count / n).ln()).sum()
            }
        }
    }

    /// The loss of one sequence; its gradient is scaled.
    fn of_one<T: Real>(self, logits: MatRef<'_, T>, label: f32, scale: T, mut gradient: MatMut<'_, T>) -> T {
        let outputs = logits.nrows();
        match self {
            Self::MeanSquaredError => {
                assert_eq!(outputs, 1, "regression has one logit");
                let error = logits[(0, 0)] - T::of(label.into());
                gradient[(0, 0)] = (error + error) * scale;
                error * error
            }
            Self::CrossEntropy => {
                let class = label as usize;
                assert!(class as f32 == label && class < outputs, "label {label} is none of {outputs} classes");
                let largest = (0..outputs)
                    .fold(logits[(0, 0)], |most, i| if logits[(i, 0)] > most { logits[(i, 0)] } else { most });
                let mut total = T::of(0.0);
                for i in 0..outputs {
                    gradient[(i, 0)] = (logits[(i, 0)] - largest).exponential();
                    total += gradient[(i, 0)];
                }
                for i in 0..outputs {
                    let target = T::of(f64::from(u8::from(i == class)));
                    gradient[(i, 0)] = (gradient[(i, 0)] / total - target) * scale;
                }
                T::of(total.as_f64().ln()) - (logits[(class, 0)] - largest)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use faer::{Mat, mat};

    use super::*;

    #[test]
    fn the_best_constant() {
        assert_eq!(Loss::MeanSquaredError.of_best_constant(&[0.0, 2.0, 4.0]), 8.0 / 3.0);
        assert!((Loss::CrossEntropy.of_best_constant(&[0.0, 1.0, 1.0, 0.0]) - 2f64.ln()).abs() < 1e-15);
        assert_eq!(Loss::CrossEntropy.of_best_constant(&[1.0, 1.0]), 0.0);
    }

    #[test]
    fn values() {
        let mut gradient = Mat::zeros(1, 2);
        let loss =
            Loss::MeanSquaredError.value_and_gradient(mat![[1.0, -1.0]].as_ref(), &[0.5, 1.0], gradient.as_mut());
        assert_eq!((loss, gradient), (2.125, mat![[0.5, -2.0]]));
        let mut gradient = Mat::zeros(2, 1);
        let loss: f64 =
            Loss::CrossEntropy.value_and_gradient(mat![[1000.0], [1000.0]].as_ref(), &[1.0], gradient.as_mut());
        assert!((loss - 2f64.ln()).abs() < 1e-15);
        assert_eq!(gradient, mat![[0.5], [-0.5]]);
    }

    #[test]
    fn gradients_by_central_differences() {
        let logits = mat![[0.3, -1.2, 2.0], [1.0, 0.1, -0.4], [-0.5, 0.7, 0.2]];
        for (loss, logits, labels) in [
            (Loss::CrossEntropy, logits.as_ref(), [2.0, 0.0, 1.0]),
            (Loss::MeanSquaredError, logits.as_ref().subrows(0, 1), [0.5, -1.0, 3.0]),
        ] {
            let mut gradient = Mat::zeros(logits.nrows(), 3);
            loss.value_and_gradient(logits, &labels, gradient.as_mut());
            let mut unused = gradient.clone();
            for i in 0..logits.nrows() {
                for j in 0..3 {
                    let mut at = |step: f64| {
                        let mut moved = logits.to_owned();
                        moved[(i, j)] += step;
                        loss.value_and_gradient(moved.as_ref(), &labels, unused.as_mut())
                    };
                    let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                    assert!((difference - gradient[(i, j)]).abs() < 1e-9, "{loss:?} at ({i}, {j})");
                }
            }
        }
    }
}
