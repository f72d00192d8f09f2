//! Products with packed matrices whose rows threads share.

use faer::{MatMut, MatRef, Par};

use super::fork::{for_each, threads};
use super::product::{Left, Packed, Start, Term, sum_of_products};
use crate::Real;

/// Columns of a product that are gone through at a time, so that they stay near while the weights pass.
const COLUMNS: usize = 128;

/// Multiplications from which a product is shared among threads.
const SHARED: usize = 1 << 16;

/// Most columns of a kernel's tile.
const TILE: usize = 8;

/// `dst = packed · right`, or `dst += packed · right`. Threads share the rows, so that also the product with a single column has
/// work for all of them; the bits are the same for any number of threads.
///
/// # Panics
/// If shapes or strides are not as they must be.
pub(crate) fn packed_product<T: Real>(
    dst: MatMut<'_, T>,
    adds: bool,
    packed: &Packed<T>,
    right: MatRef<'_, T>,
    par: Par,
) {
    let start = if adds { Start::Destination } else { Start::Zero };
    share_rows(dst, (packed.height(), packed.shape().1), par, &|dst, panel| times(dst, start, packed, panel, right));
}

/// `dst = packed · right` of several pairs with the same right operand: threads share the rows of all of them at once and wait for
/// each other only at the end.
///
/// # Panics
/// If shapes or strides are not as they must be.
pub(crate) fn packed_products<T: Real, const N: usize>(
    products: [(MatMut<'_, T>, &Packed<T>); N],
    right: MatRef<'_, T>,
    par: Par,
) {
    let threads = threads(par);
    // A thread's rows of all products follow each other, so that the halves of the list are equal.
    let mut parts: Vec<_> = (0..threads).map(|_| Vec::with_capacity(N)).collect();
    for (dst, packed) in products {
        let (mut rest, panels) = (dst, packed.shape().0.div_ceil(packed.height()));
        for (thread, part) in parts.iter_mut().enumerate() {
            let [first, end] = [thread, thread + 1].map(|thread| panels * thread / threads);
            let rows = ((end - first) * packed.height()).min(rest.nrows());
            let (own, below) = rest.split_at_row_mut(rows);
            part.push((own, packed, first));
            rest = below;
        }
    }
    for_each(&mut parts, par, &|part| {
        for (dst, packed, panel) in part {
            times(dst.as_mut(), Start::Zero, packed, *panel, right);
        }
    });
}

/// Some rows of a product, from this panel on.
fn times<T: Real>(mut dst: MatMut<'_, T>, start: Start<'_, T>, packed: &Packed<T>, panel: usize, right: MatRef<'_, T>) {
    let (rows, columns) = dst.shape();
    for column in (0..columns).step_by(COLUMNS) {
        let count = COLUMNS.min(columns - column);
        let term = Term { left: Left::Panels(packed, panel, rows), right: right.subcols(column, count) };
        sum_of_products(dst.as_mut().subcols_mut(column, count), start, [term]);
    }
}

/// Does `work` on rows of a product, given with the panel where they begin; threads share them where there is enough to do. Panels
/// have `height` rows, an entry takes `depth` multiplications.
pub(crate) fn share_rows<T: Real>(
    dst: MatMut<'_, T>,
    (height, depth): (usize, usize),
    par: Par,
    work: &(impl Fn(MatMut<'_, T>, usize) + Sync),
) {
    rows_from(dst, (height, depth), 0, threads(par), work);
}

fn rows_from<T: Real>(
    dst: MatMut<'_, T>,
    (height, depth): (usize, usize),
    panel: usize,
    pieces: usize,
    work: &(impl Fn(MatMut<'_, T>, usize) + Sync),
) {
    let (rows, columns) = dst.shape();
    let half = rows.div_ceil(height) / 2;
    if pieces == 1 || half == 0 || rows * depth * columns < SHARED {
        return work(dst, panel);
    }
    let (upper, lower) = dst.split_at_row_mut(half * height);
    rayon::join(
        || rows_from(upper, (height, depth), panel, pieces / 2, work),
        || rows_from(lower, (height, depth), panel + half, pieces - pieces / 2, work),
    );
}

/// Does `work` on columns of a product, given with the number of the first; threads share them.
pub(crate) fn share_columns<T: Real>(dst: MatMut<'_, T>, par: Par, work: &(impl Fn(MatMut<'_, T>, usize) + Sync)) {
    columns_from(dst, 0, threads(par), work);
}

fn columns_from<T: Real>(
    dst: MatMut<'_, T>,
    first: usize,
    pieces: usize,
    work: &(impl Fn(MatMut<'_, T>, usize) + Sync),
) {
    // Whole tiles of columns, so that the kernels have as few narrow ones as without threads.
    let half = dst.ncols() / 2 / TILE * TILE;
    if pieces == 1 || half == 0 {
        return work(dst, first);
    }
    let (left, right) = dst.split_at_col_mut(half);
    rayon::join(
        || columns_from(left, first, pieces / 2, work),
        || columns_from(right, first + half, pieces - pieces / 2, work),
    );
}

#[cfg(test)]
mod tests {
    use dynamics::random::{gaussian, stream};
    use faer::Mat;

    use super::*;

    /// Shapes on both sides of what is shared, with a last panel that is not whole.
    #[test]
    fn threads_share_rows_and_give_the_same_bits() {
        for (rows, columns, depth) in [(700, 3, 65), (301, 140, 16), (5, 1, 2), (97, 1, 700)] {
            let draw = |m, n, label: &str| {
                let drawn = gaussian(m, n, &mut stream(1, &["shared product", label]));
                Mat::from_fn(m, n, |i, j| drawn[(i, j)] as f32)
            };
            let (a, b, start) = (draw(rows, depth, "a"), draw(depth, columns, "b"), draw(rows, columns, "start"));
            let (packed, expected) = (Packed::new(a.as_ref()), &a * &b);
            for adds in [false, true] {
                let found = [Par::Seq, Par::rayon(3)].map(|par| {
                    let mut found = start.clone();
                    packed_product(found.as_mut(), adds, &packed, b.as_ref(), par);
                    found
                });
                assert_eq!(found[0], found[1], "{rows} × {columns} × {depth}");
                if !adds {
                    let mut both = [start.clone(), start.clone()];
                    let [one, other] = both.each_mut();
                    let products = [(one.as_mut(), &packed), (other.as_mut(), &packed)];
                    packed_products(products, b.as_ref(), Par::rayon(3));
                    assert_eq!(both, [found[0].clone(), found[0].clone()]);
                }
                let expected = if adds { &expected + &start } else { expected.clone() };
                assert!((&found[0] - &expected).norm_max() < 1e-3, "{rows} × {columns} × {depth}");
            }
        }
    }
}
