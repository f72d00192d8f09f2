//! What the matrix experiments share: their settings, one kind of trial, its outcome, and how outcomes are summarized.

mod comparison;
mod curve;
//PORT mod equivalence;
//PORT mod estimate;
//PORT mod evolution;
mod method;
mod panels;
//PORT mod rank_test;
//PORT mod scale;
mod settings;
//PORT mod theorem;
mod trajectory;
mod trial;

pub use comparison::{
    Compared, ComparedPoint, KEEP_ALL, against_time, banded, comparison_plan, comparison_tables, iterations_below,
    last_values, over_trials, path, speed_finding,
};
pub use curve::{CurveRow, TimingRow, curve_rows, timing_rows};
pub use method::{MethodSettings, OptimizerSettings};
pub use panels::ComparisonPanels;
pub use settings::{
    InitializationSettings, LossSettings, ProblemSettings, ScheduleSettings, check_rank_guess, check_tolerance,
};
pub use trajectory::{TrajectoryRow, trajectory_rows};
pub use trial::{MatrixOutcome, MatrixTrial, Network, Recovery, Start, StoredProduct};
