//! What `factorization` and `completion` share: several networks on one instance, the original first, and the tables,
//! curves and claims about how they compare.

mod curves;
mod plan;
mod speed;
mod stall;

pub use curves::{against_time, banded, iterations_below, last_values, over_trials, path};
pub use plan::{Compared, ComparedPoint, Comparison, comparison_tables};
pub use speed::{first_and_range, speed_finding, unfit};
pub use stall::Stall;
