//! One network of the theorem's cases and how it is trained.

use lab::Invalid;
use serde::{Deserialize, Serialize};

use crate::checks::{check_depth, check_init_scale, check_size, check_steps};
use crate::matrix::OptimizerSettings;

/// `[[cases]]`: one network and how it is trained, under full observation and the sum form of the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TheoremCase {
    /// Its name: the legend's and the tables' label, and part of its random streams.
    pub name: String,
    /// Rows and columns of the target and of every factor, d.
    pub size: usize,
    /// Rank of the target, r.
    pub rank: usize,
    /// Number of factors, L.
    pub depth: usize,
    /// Init scale, ε.
    pub init_scale: f64,
    /// Number of iterations.
    pub iterations: u64,
    /// The optimizer.
    pub optimizer: OptimizerSettings,
}

impl TheoremCase {
    /// Checks the section named `key`.
    pub fn check(&self, key: &str) -> Result<(), Invalid> {
        let name = self.name.as_str();
        Invalid::unless(!name.is_empty(), format!("{key}.name"), "\"\"", "a name")?;
        Invalid::unless(self.size >= 3, format!("{key}.size"), self.size, "an integer from 3")?;
        check_size(&format!("{key}.size"), self.size)?;
        let ranks = format!("an integer from 1 to {}, below half the size ({})", (self.size - 1) / 2, self.size);
        Invalid::unless((1..=(self.size - 1) / 2).contains(&self.rank), format!("{key}.rank"), self.rank, ranks)?;
        check_depth(&format!("{key}.depth"), self.depth)?;
        check_init_scale(&format!("{key}.init_scale"), self.init_scale, self.depth)?;
        check_steps(&format!("{key}.iterations"), self.iterations)?;
        self.optimizer.check(&format!("{key}.optimizer"))
    }
}
