//! What the matrix experiments share: their settings, one kind of trial, its outcome, and how outcomes are summarized.

mod comparison;
mod curve;
mod equivalence;
mod estimate;
mod evolution;
mod method;
mod panels;
mod rank_test;
mod scale;
mod settings;
mod theorem;
mod trajectory;
mod trial;

pub use comparison::{
    Compared, KEEP_ALL, against_time, banded, comparison_plan, comparison_tables, mean_iterations_below, over_trials,
    path, speed_claim, total_seconds, verdict,
};
pub use curve::{CurveRow, TimingRow, curve_rows, timing_rows};
pub use equivalence::{EquivalenceRow, EquivalenceSettings, equivalence_claims, equivalence_row, equivalence_series};
pub use evolution::{
    EvolutionOutcome, EvolutionRow, EvolutionTrial, Movement, Side, by_index, evolution_rows, run_evolution,
};
pub use method::{MethodSettings, OptimizerSettings};
pub use panels::ComparisonPanels;
pub use rank_test::mann_whitney;
pub use scale::{RelativeNetwork, ScaleMethod, ScaleOutcome, ScaleTrial, TargetSettings, WideProblem, run_scale};
pub use settings::{
    InitializationSettings, LossSettings, ProblemSettings, ScheduleSettings, check_depth, check_depth_from,
    check_init_scale, check_init_scale_single, check_list, check_not_negative, check_positive, check_rank_guess,
    check_runs, check_size, check_tolerance, check_trials,
};
pub use theorem::{
    BlockRow, CaseRow, DistanceRow, Points, TheoremCase, TheoremOutcome, TheoremTrial, block_rows, distance_rows,
    have_learned, largest, largest_by_iteration, run_theorem,
};
pub use trajectory::{TrajectoryRow, trajectory_rows};
pub use trial::{MatrixOutcome, MatrixTrial, Network, Recovery, Start, StoredProduct, run};
