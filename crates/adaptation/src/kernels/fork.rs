//! How work is shared out among threads.

use faer::Par;

/// Does `work` on every item, on several threads unless `par` is sequential.
pub(crate) fn for_each<I: Send>(items: &mut [I], par: Par, work: &(impl Fn(&mut I) + Sync)) {
    match (par, items) {
        (_, []) => {}
        (_, [one]) => work(one),
        (Par::Seq, items) => items.iter_mut().for_each(work),
        (_, items) => {
            let (first, second) = items.split_at_mut(items.len() / 2);
            rayon::join(|| for_each(first, par, work), || for_each(second, par, work));
        }
    }
}

/// Number of threads.
pub(crate) fn threads(par: Par) -> usize {
    match par {
        Par::Seq => 1,
        Par::Rayon(threads) => threads.get(),
    }
}
