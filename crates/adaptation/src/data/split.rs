//! Drawing few training examples, and some to choose a step size by, from a pool.

use dynamics::random::Generator;
use rand::RngExt;

use super::DataError;

/// Indices into a pool of examples, all different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The training examples.
    pub train: Vec<usize>,
    /// The examples held out of training, to choose settings by.
    pub validation: Vec<usize>,
}

/// Draws `count` of the numbers 0 to `pool` − 1, uniformly and independently: one can come several times. Fewer of them from
/// the same `rng` state are the first of more.
///
/// # Errors
/// If the pool is empty.
pub fn draw_with_replacement(pool: usize, count: usize, rng: &mut Generator) -> Result<Vec<usize>, DataError> {
    if pool == 0 && count > 0 {
        return Err(DataError::TooFew { available: 0, wanted: 1 });
    }
    Ok((0..count).map(|_| rng.random_range(0..pool)).collect())
}

/// Draws `train` and then `validation` of the numbers 0 to `pool` − 1, uniformly and without replacement.
///
/// From the same `rng` state, the training examples do not depend on `validation`, and fewer of them are the first of
/// more: a subset of 16 is part of the subset of 64.
pub fn draw(pool: usize, train: usize, validation: usize, rng: &mut Generator) -> Result<Drawn, DataError> {
    let wanted = train + validation;
    if wanted > pool {
        return Err(DataError::TooFew { available: pool, wanted });
    }
    // The first steps of a Fisher-Yates shuffle.
    let mut order: Vec<usize> = (0..pool).collect();
    for i in 0..wanted {
        order.swap(i, rng.random_range(i..pool));
    }
    Ok(Drawn { train: order[..train].to_vec(), validation: order[train..wanted].to_vec() })
}
