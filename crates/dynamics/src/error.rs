//! What can be wrong with what a caller asks for, and how a computation can fail.

use thiserror::Error;

/// Errors of this crate.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum DynamicsError {
    /// Shapes that do not fit together.
    #[error("shapes do not fit: {0}")]
    Shape(String),
    /// A target's rank out of range.
    #[error("rank {rank} is not between 1 and the smaller side of a {d_out} × {d_in} target")]
    Rank {
        /// The rank asked for.
        rank: usize,
        /// Rows of the target.
        d_out: usize,
        /// Columns of the target.
        d_in: usize,
    },
    /// An observed fraction out of range.
    #[error("observed fraction {0} is not in (0, 1]")]
    Fraction(f64),
    /// An observed fraction of less than one entry.
    #[error("observed fraction {fraction} of a {d_out} × {d_in} target is less than one entry")]
    NothingObserved {
        /// The fraction asked for.
        fraction: f64,
        /// Rows of the target.
        d_out: usize,
        /// Columns of the target.
        d_in: usize,
    },
    /// A number of observed entries that sparse sampling is not for.
    #[error("{count} observed entries is not between 1 and half of the entries of a {d_out} × {d_in} target")]
    ObservedCount {
        /// The number asked for.
        count: usize,
        /// Rows of the target.
        d_out: usize,
        /// Columns of the target.
        d_in: usize,
    },
    /// A value that is no number.
    #[error("the value of entry ({row}, {column}) is {value}, not a finite number")]
    NotFinite {
        /// Row of the entry.
        row: usize,
        /// Column of the entry.
        column: usize,
        /// Its value.
        value: f64,
    },
    /// An entry that is given twice.
    #[error("entry ({row}, {column}) is given more than once")]
    Repeated {
        /// Row of the entry.
        row: usize,
        /// Column of the entry.
        column: usize,
    },
    /// An entry outside the matrix.
    #[error("entry ({row}, {column}) lies outside a {d_out} × {d_in} matrix")]
    Outside {
        /// Row of the entry.
        row: usize,
        /// Column of the entry.
        column: usize,
        /// Rows of the matrix.
        d_out: usize,
        /// Columns of the matrix.
        d_in: usize,
    },
    /// No measurement, or measurements of nothing.
    #[error("{count} measurements of a {d_out} × {d_in} matrix: it takes at least one, and a matrix with entries")]
    MeasurementCount {
        /// The number asked for.
        count: usize,
        /// Rows of the matrix.
        d_out: usize,
        /// Columns of the matrix.
        d_in: usize,
    },
    /// Entries of one value say nothing about others.
    #[error("all {count} known values are {value}: there is nothing to learn from them")]
    AllTheSame {
        /// How many.
        count: usize,
        /// Their value.
        value: f64,
    },
    /// Known values whose powers are no longer numbers.
    #[error(
        "the largest of the known values is {value:e} in size; allowed: from {smallest:e} to {largest:e} (divide all by one number)"
    )]
    Magnitude {
        /// Of the largest, without its sign.
        value: f64,
        /// The least it may be.
        smallest: f64,
        /// The most it may be.
        largest: f64,
    },
    /// Entries that a mean and biases explain to the last bit.
    #[error("nothing is left of the known values beside the mean and the biases of rows and columns")]
    NothingLeft,
    /// A measurement that is no number, or by a matrix with an entry that is none.
    #[error("measurement {index} has {value} in it, not a finite number")]
    MeasurementNotFinite {
        /// Which measurement, from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// Nothing to compare the unobserved entries with.
    #[error("the target is not known beyond its observed entries")]
    UnknownTarget,
    /// No sample of unobserved entries.
    #[error("no sample of {0} unobserved entries: it takes at least 2, and entries that are not observed")]
    NothingHeldOut(usize),
    /// Too few factors.
    #[error("a depth of {0} is too small")]
    Depth(usize),
    /// A step size that is not positive.
    #[error("step size {0} is not positive and finite")]
    StepSize(f64),
    /// A negative weight decay.
    #[error("weight decay {0} is not at least 0 and finite")]
    WeightDecay(f64),
    /// A negative step multiplier.
    #[error("discrepant step γ = {0} is not at least 0 and finite")]
    Discrepancy(f64),
    /// A decay rate out of range.
    #[error("decay rate {0} is not in [0, 1)")]
    Decay(f64),
    /// A denominator's ϵ that is not positive.
    #[error("ϵ = {0} is not positive and finite")]
    Epsilon(f64),
    /// Nothing would ever be recorded.
    #[error("record_every must be at least 1")]
    RecordEvery,
    /// The initial product `∏ε_l` cannot be represented.
    #[error(
        "ε^L underflows: the product of {depth} factors of init scale {scale:e} is below what double precision holds \
         (about 1e-308); take a larger init scale or fewer factors"
    )]
    ScaleUnderflow {
        /// ε of the first factor.
        scale: f64,
        /// Number of factors L.
        depth: usize,
    },
    /// A compression that the factorization does not admit.
    #[error("cannot compress: {0}")]
    Compression(String),
    /// The list of observed entries is not usable.
    #[error(transparent)]
    Entries(#[from] crate::sparse::ObservedEntriesError),
    /// The singular value decomposition did not converge.
    #[error("the singular value decomposition of a {rows} × {columns} matrix did not converge (NaN or ∞ in it?)")]
    SvdFailed {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
    },
    /// Training left the finite numbers, or went far above its start.
    #[error("diverged at iteration {iteration}: loss {loss:e}")]
    Diverged {
        /// Steps taken.
        iteration: u64,
        /// The loss there.
        loss: f64,
    },
}
