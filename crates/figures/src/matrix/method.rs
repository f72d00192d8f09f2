//! How a TOML file names a first-order method.

use dynamics::{DynamicsError, Method, Optimizer};
use lab::checked::{Momentum, NotNegative, Positive};
use serde::{Deserialize, Serialize};

/// `method = "gradient-descent"`, `method = { heavy-ball = { momentum = 0.9 } }`, …
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum MethodSettings {
    /// Plain gradient descent.
    GradientDescent,
    /// Polyak's momentum.
    HeavyBall {
        /// μ in [0, 1).
        momentum: Momentum,
    },
    /// Adam with bias correction.
    Adam {
        /// Decay of the first moment, in [0, 1).
        beta1: Momentum,
        /// Decay of the second moment, in [0, 1).
        beta2: Momentum,
        /// Added to the denominator.
        epsilon: Positive,
    },
    /// RMSprop.
    RmsProp {
        /// Decay of the second moment, in [0, 1).
        alpha: Momentum,
        /// Added to the denominator.
        epsilon: Positive,
    },
}

impl From<MethodSettings> for Method {
    fn from(settings: MethodSettings) -> Self {
        match settings {
            MethodSettings::GradientDescent => Self::GradientDescent,
            MethodSettings::HeavyBall { momentum } => Self::HeavyBall { momentum: *momentum },
            MethodSettings::Adam { beta1, beta2, epsilon } => {
                Self::Adam { beta1: *beta1, beta2: *beta2, epsilon: *epsilon }
            }
            MethodSettings::RmsProp { alpha, epsilon } => Self::RmsProp { alpha: *alpha, epsilon: *epsilon },
        }
    }
}

/// A method with its step size and weight decay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerSettings {
    pub method: MethodSettings,
    pub step_size: Positive,
    pub weight_decay: NotNegative,
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
        Optimizer::new(self.method.into(), *self.step_size, *self.weight_decay)
    }
}
