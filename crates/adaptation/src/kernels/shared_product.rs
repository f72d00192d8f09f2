//! Products with packed matrices whose rows threads share.

use faer::{MatMut, MatRef, Par};

use super::product::{Left, Packed, Start, Term, sum_of_products};
use crate::Real;

/// Columns of a product that are gone through at a time, so that they stay near while the weights pass.
const COLUMNS: usize = 128;

/// Multiplications from which a product is shared among threads.
const SHARED: usize = 1 << 16;

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
    let threads = match par {
        Par::Seq => 1,
        Par::Rayon(threads) => threads.get(),
    };
    product_of_panels(dst, adds, (packed, 0), right, threads);
}

/// The rows of `dst` are those from a panel on.
fn product_of_panels<T: Real>(
    mut dst: MatMut<'_, T>,
    adds: bool,
    (packed, first): (&Packed<T>, usize),
    right: MatRef<'_, T>,
    pieces: usize,
) {
    let (rows, columns) = dst.shape();
    let height = packed.height();
    let half = rows.div_ceil(height) / 2;
    if pieces > 1 && half > 0 && rows * packed.shape().1 * columns >= SHARED {
        let (upper, lower) = dst.split_at_row_mut(half * height);
        rayon::join(
            || product_of_panels(upper, adds, (packed, first), right, pieces / 2),
            || product_of_panels(lower, adds, (packed, first + half), right, pieces - pieces / 2),
        );
        return;
    }
    let start = if adds { Start::Destination } else { Start::Zero };
    for column in (0..columns).step_by(COLUMNS) {
        let count = COLUMNS.min(columns - column);
        let term = Term { left: Left::Panels(packed, first, rows), right: right.subcols(column, count) };
        sum_of_products(dst.as_mut().subcols_mut(column, count), start, [term]);
    }
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
                let expected = if adds { &expected + &start } else { expected.clone() };
                assert!((&found[0] - &expected).norm_max() < 1e-3, "{rows} × {columns} × {depth}");
            }
        }
    }
}
