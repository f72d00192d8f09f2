//! What completions of ratings are usually compared with, as their papers define them: small, exact, checked against
//! public libraries (`tests/baselines.rs`).

mod als;
mod soft_impute;

pub use als::Als;
pub use soft_impute::SoftImpute;
