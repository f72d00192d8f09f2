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

/// Runs `work` inside the pool when it will be split, so that its steps start without crossing threads.
pub(super) fn inside_pool<R: Send>(par: Par, work: impl FnOnce() -> R + Send) -> R {
    match par {
        Par::Seq => work(),
        Par::Rayon(_) => rayon::scope(|_| work()),
    }
}

/// A pointer that tasks share; each task touches only its own part of what it points to.
#[derive(Clone, Copy)]
pub(super) struct Shared<T>(pub *mut T);

// SAFETY: the tasks that receive it touch disjoint parts (argued where it is used).
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

/// The part of `0..length` that is the `index`-th of `parts` nearly equal ones.
pub(super) fn share(length: usize, parts: usize, index: usize) -> std::ops::Range<usize> {
    length * index / parts..length * (index + 1) / parts
}
