//! What the matrix experiments share: their settings, one kind of trial, its outcome, and how outcomes are summarized.

mod comparison;
mod curve;
mod estimate;
mod evolution;
#[cfg(test)]
pub mod given;
mod method;
mod panels;
pub mod recipe;
mod scale;
mod settings;
mod theorem;
mod trajectory;
mod trial;

pub use comparison::{
    Compared, ComparedPoint, Comparison, Stall, against_time, banded, comparison_tables, first_and_range,
    iterations_below, last_values, over_trials, path, speed_finding, unfit,
};
pub use curve::{CurveRow, TimingRow, curve_rows, timing_rows};
pub use evolution::{EvolutionRow, EvolutionTrial, Movement, Side, by_index, evolution_rows};
pub use method::{MethodSettings, OptimizerSettings};
pub use panels::{ComparisonPanels, mean_series, of_means};
pub use scale::{RelativeNetwork, ScaleMethod, ScaleOutcome, ScaleTrial, TargetSettings, WideProblem};
pub use settings::{
    DrawSettings, InitializationSettings, LossSettings, ProblemSettings, ScheduleSettings, as_the_authors_count,
    check_partly_observed, check_rank_guess, check_tolerance,
};
pub use theorem::{
    BlockRow, DistanceRow, Points, TheoremCase, TheoremTrial, block_rows, distance_rows, have_learned, largest,
    largest_by_iteration,
};
pub use trajectory::{TrajectoryRow, trajectory_rows};
pub use trial::{Law, MatrixOutcome, MatrixTrial, Network, Recovery, Start, as_trial_error};
