//! What a frozen pooler and head can say at all: the largest and the smallest logit over all hidden states.
//!
//! A hidden state leaves the encoder through a LayerNorm, so it is `h = γ ⊙ z + β` with z of mean 0 and norm √hidden. A label
//! beyond every logit cannot be learned unless the pooler is adapted.

use faer::{Col, ColRef, Mat};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::{Network, Pooling, Real, Site};

/// Starts of the ascent for each output and direction: each the best of so many random points.
const STARTS: usize = 6;
const CANDIDATES: usize = 40;
/// Steps of the ascent.
const STEPS: usize = 60;

/// The range of a network's logits over all hidden states that LayerNorm allows.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Reach {
    /// The smallest logit found, of any output: an estimate from above.
    pub smallest: f64,
    /// The largest logit found, of any output: an estimate from below.
    pub largest: f64,
    /// No logit is larger in absolute value, whatever the pooler: ‖w‖₁ of the head where tanh bounds what it sees.
    pub bound: f64,
}

/// The way from a point on the sphere to the logits, in `f64`.
struct Path {
    gamma: Col<f64>,
    beta: Col<f64>,
    /// Weight and bias of the pooler, if it is used.
    pooler: Option<(Mat<f64>, Col<f64>)>,
    head: Mat<f64>,
    bias: Vec<f64>,
}

impl Reach {
    /// The reach of a network's pooler (as it is now, not adapted) and head, by projected ascent from random points.
    pub fn of<T: Real>(network: &Network<T>, rng: &mut impl Rng) -> Self {
        let path = Path::of(network);
        let (mut smallest, mut largest) = (f64::INFINITY, f64::NEG_INFINITY);
        for output in 0..path.bias.len() {
            for start in 0..2 * STARTS {
                let sign = if start % 2 == 0 { 1.0 } else { -1.0 };
                let found = path.ascend(output, sign, rng);
                (smallest, largest) = (smallest.min(found), largest.max(found));
            }
        }
        Self { smallest, largest, bound: path.bound() }
    }

    /// Whether a label is within what was found.
    pub fn has(&self, label: f64) -> bool {
        (self.smallest..=self.largest).contains(&label)
    }
}

impl Path {
    fn of<T: Real>(network: &Network<T>) -> Self {
        let column = |values: &[T]| Col::from_fn(values.len(), |i| values[i].as_f64());
        let encoder = &network.encoder;
        let norm = encoder.last_norm();
        let pooler = match network.pooling {
            Pooling::Mean => None,
            Pooling::Pooler => encoder.linear(Site::Pooler).map(|linear| {
                let weight = linear.weight();
                let weight = Mat::from_fn(weight.nrows(), weight.ncols(), |i, j| weight[(i, j)].as_f64());
                (weight, column(&linear.bias))
            }),
        };
        let head = &network.head.weight;
        Self {
            gamma: column(&norm.weight),
            beta: column(&norm.bias),
            pooler,
            head: Mat::from_fn(head.nrows(), head.ncols(), |i, j| head[(i, j)].as_f64()),
            bias: network.head.bias.iter().map(|bias| bias.as_f64()).collect(),
        }
    }

    /// The logit of an output at z, and its gradient with respect to z.
    fn logit(&self, output: usize, z: ColRef<'_, f64>) -> (f64, Col<f64>) {
        let weights = self.head.row(output).transpose();
        let hidden = Col::from_fn(z.nrows(), |i| self.gamma[i] * z[i] + self.beta[i]);
        let (pooled, back) = match &self.pooler {
            None => (hidden, weights.to_owned()),
            Some((weight, bias)) => {
                let inner = weight * &hidden + bias;
                let pooled = Col::from_fn(inner.nrows(), |i| inner[i].tanh());
                let through = Col::from_fn(inner.nrows(), |i| weights[i] * (1.0 - pooled[i] * pooled[i]));
                (pooled, weight.transpose() * &through)
            }
        };
        let logit = weights.transpose() * &pooled + self.bias[output];
        (logit, Col::from_fn(z.nrows(), |i| self.gamma[i] * back[i]))
    }

    /// The most extreme logit on one way up (`sign` 1) or down (−1). The step towards the gradient's direction gets shorter, as
    /// in the conditional gradient method.
    fn ascend(&self, output: usize, sign: f64, rng: &mut impl Rng) -> f64 {
        let mut best = f64::NEG_INFINITY;
        let mut z = Col::zeros(self.gamma.nrows());
        for _ in 0..CANDIDATES {
            let point = onto_sphere(Col::from_fn(z.nrows(), |_| rng.sample::<f64, _>(StandardNormal)));
            let logit = sign * self.logit(output, point.as_ref()).0;
            if logit > best {
                (best, z) = (logit, point);
            }
        }
        for step in 0..=STEPS {
            let (logit, gradient) = self.logit(output, z.as_ref());
            best = best.max(sign * logit);
            let towards = onto_sphere(gradient * faer::Scale(sign));
            let share = 2.0 / (step as f64 + 2.0);
            z = onto_sphere(z * faer::Scale(1.0 - share) + towards * faer::Scale(share));
        }
        sign * best
    }

    fn bound(&self) -> f64 {
        let of = |output: usize| {
            let weights = self.head.row(output);
            let most = match self.pooler {
                Some(_) => weights.iter().map(|w| w.abs()).sum::<f64>(),
                None => {
                    let offset: f64 = (0..weights.ncols()).map(|i| weights[i] * self.beta[i]).sum();
                    let slope = centred(Col::from_fn(weights.ncols(), |i| weights[i] * self.gamma[i]));
                    offset.abs() + slope.norm_l2() * (weights.ncols() as f64).sqrt()
                }
            };
            most + self.bias[output].abs()
        };
        (0..self.bias.len()).map(of).fold(0.0, f64::max)
    }
}

fn centred(z: Col<f64>) -> Col<f64> {
    let mean = z.iter().sum::<f64>() / z.nrows() as f64;
    Col::from_fn(z.nrows(), |i| z[i] - mean)
}

/// The nearest point of mean 0 and norm √hidden.
fn onto_sphere(z: Col<f64>) -> Col<f64> {
    let z = centred(z);
    let norm = z.norm_l2();
    let scale = if norm > 0.0 { (z.nrows() as f64).sqrt() / norm } else { 0.0 };
    z * faer::Scale(scale)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dynamics::random::stream;

    use super::*;
    use crate::{Config, Encoder, Head};

    fn network(pooling: Pooling) -> Network<f64> {
        let mut rng = stream(0, &["reach"]);
        let encoder = Arc::new(Encoder::random(Config::tiny(50), 0.2, &mut rng));
        Network { encoder, pooling, head: Head::random(2, 24, 0.2, &mut rng) }
    }

    /// No random point of the sphere has a logit beyond what ascent finds, and that is within the bound.
    #[test]
    fn reach_lies_between_random_search_and_the_bound() {
        for pooling in [Pooling::Pooler, Pooling::Mean] {
            let network = network(pooling);
            let mut rng = stream(1, &["reach"]);
            let reach = Reach::of(&network, &mut rng);
            let path = Path::of(&network);
            let mut most = f64::NEG_INFINITY;
            for _ in 0..20_000 {
                let z = onto_sphere(Col::from_fn(24, |_| rng.sample::<f64, _>(StandardNormal)));
                for output in 0..2 {
                    let (logit, _) = path.logit(output, z.as_ref());
                    assert!(reach.has(logit), "{logit} beyond {reach:?}");
                    most = most.max(logit);
                }
            }
            assert!(reach.largest.max(-reach.smallest) <= reach.bound * (1.0 + 1e-12), "{reach:?}");
            assert!(most > 0.5 * reach.largest, "the ascent does not go beyond all measure");
        }
    }

    /// Without a pooler the logit is linear, and its largest value is known.
    #[test]
    fn the_reach_of_a_mean_is_exact() {
        let network = network(Pooling::Mean);
        let reach = Reach::of(&network, &mut stream(1, &["reach"]));
        let path = Path::of(&network);
        let top = |output: usize| {
            let weights = path.head.row(output);
            let slope = centred(Col::from_fn(24, |i| weights[i] * path.gamma[i]));
            (0..24).map(|i| weights[i] * path.beta[i]).sum::<f64>() + slope.norm_l2() * 24f64.sqrt()
        };
        assert!((reach.largest - top(0).max(top(1))).abs() < 1e-9, "{reach:?}");
    }

    #[test]
    fn the_gradient_is_that_of_central_differences() {
        let path = Path::of(&network(Pooling::Pooler));
        let z = onto_sphere(Col::from_fn(24, |i| (i as f64).sin()));
        let (_, gradient) = path.logit(1, z.as_ref());
        for i in 0..24 {
            let at = |step: f64| {
                let mut moved = z.clone();
                moved[i] += step;
                path.logit(1, moved.as_ref()).0
            };
            assert!(((at(1e-5) - at(-1e-5)) / 2e-5 - gradient[i]).abs() < 1e-8, "{i}");
        }
    }
}
