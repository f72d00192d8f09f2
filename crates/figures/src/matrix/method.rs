//! How a TOML file names a first-order method, and its checks.

use dynamics::{DynamicsError, Method, Optimizer};
use lab::Invalid;
use serde::{Deserialize, Serialize};

use crate::checks::{check_not_negative, check_positive};

/// `method = "gradient-descent"`, `method = { heavy-ball = { momentum = 0.9 } }`, …
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum MethodSettings {
    /// Plain gradient descent.
    GradientDescent,
    /// Polyak's momentum.
    HeavyBall {
        /// μ in [0, 1).
        momentum: f64,
    },
    /// Adam with bias correction.
    Adam {
        /// Decay of the first moment, in [0, 1).
        beta1: f64,
        /// Decay of the second moment, in [0, 1).
        beta2: f64,
        /// Added to the denominator.
        epsilon: f64,
    },
}

impl From<MethodSettings> for Method {
    fn from(settings: MethodSettings) -> Self {
        match settings {
            MethodSettings::GradientDescent => Self::GradientDescent,
            MethodSettings::HeavyBall { momentum } => Self::HeavyBall { momentum },
            MethodSettings::Adam { beta1, beta2, epsilon } => Self::Adam { beta1, beta2, epsilon },
        }
    }
}

/// A method with its step size and weight decay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerSettings {
    /// The update rule.
    pub method: MethodSettings,
    /// Step size η.
    pub step_size: f64,
    /// Weight decay λ.
    pub weight_decay: f64,
}

impl OptimizerSettings {
    /// Whether it is gradient descent, with or without weight decay.
    pub fn is_gradient_descent(&self) -> bool {
        self.method == MethodSettings::GradientDescent
    }

    /// The optimizer, at its start.
    ///
    /// # Errors
    /// If a value is out of range.
    pub fn optimizer(&self) -> Result<Optimizer, DynamicsError> {
        Optimizer::new(self.method.into(), self.step_size, self.weight_decay)
    }

    /// Checks the section named `key`.
    pub fn check(&self, key: &str) -> Result<(), Invalid> {
        let OptimizerSettings { method, step_size, weight_decay } = *self;
        check_positive(&format!("{key}.step_size"), step_size)?;
        check_not_negative(&format!("{key}.weight_decay"), weight_decay)?;
        let decay = |name: &str, x: f64| {
            Invalid::unless((0.0..1.0).contains(&x), format!("{key}.method.{name}"), x, "a number in [0, 1)")
        };
        match method {
            MethodSettings::GradientDescent => Ok(()),
            MethodSettings::HeavyBall { momentum } => decay("heavy-ball.momentum", momentum),
            MethodSettings::Adam { beta1, beta2, epsilon } => {
                decay("adam.beta1", beta1)?;
                decay("adam.beta2", beta2)?;
                check_positive(&format!("{key}.method.adam.epsilon"), epsilon)
            }
        }
    }
}
