//! Running independent tasks in order or on the thread pool.

use faer::Par;
use rayon::prelude::*;

/// Runs `task(0..count)`. The tasks must not depend on each other; `par` decides only where they run.
pub(super) fn for_each(par: Par, count: usize, task: impl Fn(usize) + Send + Sync) {
    match par {
        Par::Seq => (0..count).for_each(task),
        Par::Rayon(_) if count == 1 => task(0),
        Par::Rayon(_) => (0..count).into_par_iter().with_max_len(1).for_each(task),
    }
}

/// Runs `task` on each of `items`, with its number.
pub(crate) fn for_each_of<T: Send>(par: Par, items: &mut [T], task: impl Fn(usize, &mut T) + Send + Sync) {
    match par {
        Par::Seq => items.iter_mut().enumerate().for_each(|(index, item)| task(index, item)),
        Par::Rayon(_) => {
            items.par_iter_mut().with_max_len(1).enumerate().for_each(|(index, item)| task(index, item));
        }
    }
}

/// Multiply-adds worth a task of their own.
const WORK_PER_TASK: usize = 1 << 18;

/// Into how many tasks to split work of so many multiply-adds: a power of two, so that 2, 4 or 8 threads share evenly.
pub(crate) fn task_count(multiply_adds: usize, most: usize) -> usize {
    (multiply_adds / WORK_PER_TASK).max(1).next_power_of_two().min(most)
}

/// A pointer that tasks share; each task touches only its own part of what it points to.
#[derive(Clone, Copy)]
pub(super) struct Shared<T>(pub *mut T);

impl<T> Shared<T> {
    /// The pointer. (A closure that asks for it captures the whole, which may be sent.)
    pub fn pointer(self) -> *mut T {
        self.0
    }
}

// SAFETY: the tasks that receive it touch disjoint parts (argued where it is used).
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

/// The part of `0..length` that is the `index`-th of `parts` nearly equal ones.
pub(crate) fn share(length: usize, parts: usize, index: usize) -> std::ops::Range<usize> {
    length * index / parts..length * (index + 1) / parts
}
