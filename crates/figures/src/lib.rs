//! The experiments of the paper, one module and one binary per figure.
