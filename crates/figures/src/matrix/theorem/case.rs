//! One network of the theorem's cases and how it is trained.

use lab::Invalid;
use lab::checked::{Count, Depth, Positive, Size, Steps};
use serde::{Deserialize, Serialize};

use crate::checks::check_init_scale;
use crate::matrix::OptimizerSettings;

/// `[[cases]]`: one network and how it is trained, under full observation and the sum form of the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TheoremCase {
    /// Its name: the legend's and the tables' label, and part of its random streams.
    pub name: String,
    /// Rows and columns of the target and of every factor, d.
    pub size: Size,
    /// Rank of the target, r.
    pub rank: Count,
    pub depth: Depth,
    pub init_scale: Positive,
    /// What the init scale is multiplied by in each layer, `W_1` first; none: 1 everywhere.
    #[serde(default)]
    pub layer_scales: Vec<Positive>,
    pub iterations: Steps,
    pub optimizer: OptimizerSettings,
}

impl TheoremCase {
    /// Checks the section named `key`.
    pub fn check(&self, key: &str) -> Result<(), Invalid> {
        let name = self.name.as_str();
        Invalid::unless(!name.is_empty(), format!("{key}.name"), "\"\"", "a name")?;
        let ranks = format!("a whole number from 1, below half the size ({})", self.size);
        Invalid::unless(2 * *self.rank < *self.size, format!("{key}.rank"), self.rank, ranks)?;
        let count = self.layer_scales.len();
        let fits = count == 0 || count == *self.depth;
        let allowed = format!("no list, or one of as many numbers as there are layers ({})", self.depth);
        Invalid::unless(fits, format!("{key}.layer_scales"), format!("{count} numbers"), allowed)?;
        // The product of the layers' scales is what may under- or overflow: that of their geometric mean.
        let mean = self.layer_scales.iter().map(|scale| scale.ln()).sum::<f64>() / *self.depth as f64;
        check_init_scale(&format!("{key}.init_scale"), *self.init_scale * mean.exp(), *self.depth)
    }

    /// What the init scale is multiplied by in layer `l`, from 1.
    pub fn layer_scale(&self, l: usize) -> f64 {
        self.layer_scales.get(l - 1).map_or(1.0, |scale| **scale)
    }
}
