//! What the matrix experiments share: their settings, one kind of trial, its outcome, and how outcomes are summarized.

mod curve;
mod settings;
mod trial;

pub use curve::{CurveRow, TimingRow, curve_rows, iterations_below, timing_rows};
pub use settings::{ProblemSettings, ScheduleSettings, check_list, check_rank_guess, check_trials};
pub use trial::{MatrixOutcome, MatrixTrial, Network, Recovery, Start, run};
