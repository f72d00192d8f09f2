//! What is to be learned: the low-rank target, what is observed of it (entries or measurements), and the objective over that.

mod measurements;
mod objective;
mod observed;
mod residual;
mod target;

pub use crate::kernel::Workspace;
pub use measurements::Measurements;
pub use objective::{LossForm, Objective};
pub use observed::Observed;
pub use target::Target;
