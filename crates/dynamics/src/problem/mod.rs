//! What is to be learned: the low-rank target, the observed entries, and the objective over them.

mod objective;
mod observed;
mod residual;
mod target;

pub use crate::kernel::Workspace;
pub use objective::{LossForm, Objective};
pub use observed::Observed;
pub use target::Target;
