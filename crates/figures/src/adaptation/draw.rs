//! Which training examples a run sees: subsets of a task's training pool, by seed.
//!
//! A part of the pool is kept apart for choosing step sizes: the examples that are validated on, then a subset for each
//! run that helps to choose, no two of which share an example. The subsets of all other runs come from the rest, so
//! nothing that decided a step size is trained on again.

use adaptation::data::{DataError, draw};
use dynamics::random::stream;
use serde::Serialize;

/// Which run, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// A run that is reported.
    Run(usize),
    /// A run that helps to choose a step size.
    Choice(usize),
}

impl Part {
    /// Its number.
    pub fn number(self) -> usize {
        match self {
            Self::Run(number) | Self::Choice(number) => number,
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Run(number) => write!(f, "trial {number}"),
            Self::Choice(number) => write!(f, "choice {number}"),
        }
    }
}

/// A task's training pool, by index, with what is kept apart of it for choosing step sizes.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a> {
    /// Number of examples.
    pub size: usize,
    /// The experiment's seed.
    pub seed: u64,
    /// The task's name.
    pub task: &'a str,
    /// What is kept apart.
    pub reserved: Reserved,
}

/// What is kept apart of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reserved {
    /// Examples validated on.
    pub validation: usize,
    /// Number of subsets for runs that help to choose.
    pub subsets: usize,
    /// Examples in each; a run may use fewer, the first ones.
    pub subset: usize,
}

impl Reserved {
    /// Number of examples kept apart.
    pub fn total(self) -> usize {
        self.validation.saturating_add(self.subsets.saturating_mul(self.subset))
    }
}

impl Pool<'_> {
    /// The examples kept apart: those validated on, then the subsets.
    fn reserved(&self) -> Result<Vec<usize>, DataError> {
        let mut rng = stream(self.seed, &["fine-tuning", self.task, "reserved"]);
        Ok(draw(self.size, self.reserved.total(), 0, &mut rng)?.train)
    }

    /// The examples validated on.
    ///
    /// # Errors
    /// If the pool is too small.
    pub fn validation(&self) -> Result<Vec<usize>, DataError> {
        let mut reserved = self.reserved()?;
        reserved.truncate(self.reserved.validation);
        Ok(reserved)
    }

    /// The `n` training examples of a run. A run of the same number with fewer examples has the first of the same ones.
    ///
    /// # Errors
    /// If the pool is too small.
    ///
    /// # Panics
    /// If a run that helps to choose is to have more than its subset holds.
    pub fn training(&self, part: Part, n: usize) -> Result<Vec<usize>, DataError> {
        let reserved = self.reserved()?;
        match part {
            Part::Choice(number) => {
                let Reserved { validation, subset, .. } = self.reserved;
                Ok(reserved[validation + number * subset..][..subset][..n].to_vec())
            }
            Part::Run(number) => {
                let mut is_free = vec![true; self.size];
                reserved.iter().for_each(|&index| is_free[index] = false);
                let free: Vec<usize> = (0..self.size).filter(|&index| is_free[index]).collect();
                let mut rng = stream(self.seed, &["fine-tuning", self.task, "subset", &number.to_string()]);
                let drawn = draw(free.len(), n, 0, &mut rng)?.train;
                Ok(drawn.into_iter().map(|place| free[place]).collect())
            }
        }
    }
}

/// `count` of the `size` examples of dev, or all if there are not so many; the same ones for every run.
///
/// # Errors
/// Never: as many as there are can be drawn.
pub fn part_of_dev(seed: u64, task: &str, size: usize, count: usize) -> Result<Vec<usize>, DataError> {
    let mut rng = stream(seed, &["fine-tuning", task, "dev"]);
    Ok(draw(size, count.min(size), 0, &mut rng)?.train)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const RESERVED: Reserved = Reserved { validation: 20, subsets: 2, subset: 15 };

    fn pool(size: usize, seed: u64) -> Pool<'static> {
        Pool { size, seed, task: "t", reserved: RESERVED }
    }

    #[test]
    fn no_run_trains_on_what_chose_its_step_size() {
        let pool = pool(100, 7);
        let choice = |number| pool.training(Part::Choice(number), 15).unwrap();
        let reserved: HashSet<usize> =
            pool.validation().unwrap().into_iter().chain(choice(0)).chain(choice(1)).collect();
        assert_eq!(reserved.len(), 50);
        for trial in 0..5 {
            let run = pool.training(Part::Run(trial), 50).unwrap();
            assert_eq!(run.iter().collect::<HashSet<_>>().len(), 50);
            assert!(run.iter().all(|index| !reserved.contains(index)));
        }
    }

    #[test]
    fn fewer_examples_are_the_first_of_more() {
        let run = |n, seed| pool(100, seed).training(Part::Run(3), n).unwrap();
        assert_eq!(run(4, 1), run(32, 1)[..4]);
        assert_ne!(run(4, 1), run(4, 2));
    }

    #[test]
    fn a_pool_that_is_too_small_is_refused() {
        assert!(pool(100, 1).training(Part::Run(0), 51).is_err());
        assert!(pool(49, 1).validation().is_err());
    }
}
