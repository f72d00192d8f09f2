//! Sums of small-block matrix products, one tile of the result in registers at a time.
//!
//! A step multiplies the same frozen weights again and again with a block of tokens. So the weights are packed once, at
//! loading, into panels of as many rows as a tile has ([`Packed`]); the other operand is read where it lies. An adapter's
//! `L (R x)` is a second term of the same sum, `k` more steps of the inner loop, and the bias is what the sum starts from:
//! neither costs a pass over the result.

use std::marker::PhantomData;

use faer::{Mat, MatMut, MatRef, Par};
use pulp::{Arch, MemMask, Simd, WithSimd};

use crate::Real;
use crate::kernels::columns::{column, column_mut};

/// Vectors of rows in a tile.
const VECTORS: usize = 3;

/// A matrix in panels of a tile's rows; within a panel, column after column.
#[derive(Clone, Debug)]
pub(crate) struct Packed<T: Real> {
    /// Tile's rows × (columns × panels); rows beyond the matrix's are 0.
    panels: Mat<T>,
    rows: usize,
    columns: usize,
}

impl<T: Real> Packed<T> {
    /// Packs a matrix.
    pub(crate) fn new(matrix: MatRef<'_, T>) -> Self {
        Self::for_machine(Arch::new(), matrix)
    }

    fn for_machine(machine: Arch, matrix: MatRef<'_, T>) -> Self {
        let (rows, columns) = matrix.shape();
        let height = tile_rows::<T>(machine);
        let mut packed = Self { panels: Mat::zeros(height, columns * rows.div_ceil(height)), rows, columns };
        packed.fill(matrix, Par::Seq);
        packed
    }

    /// (rows, columns) of the matrix.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// Rows of a panel.
    pub(crate) fn height(&self) -> usize {
        self.panels.nrows()
    }

    /// Packs another matrix, of the same shape as what is packed now.
    pub(crate) fn fill(&mut self, matrix: MatRef<'_, T>, par: Par) {
        self.for_each_panel(matrix, par, &|_, panel, rows| combine(panel, rows, |entry, x| *entry = x));
    }

    /// Becomes `packed + delta`, all of the same shape.
    pub(crate) fn fill_sum(&mut self, packed: &Self, delta: MatRef<'_, T>, par: Par) {
        let columns = self.columns;
        self.for_each_panel(delta, par, &|place, mut panel, rows| {
            panel.copy_from(packed.panels.subcols(place * columns, columns));
            combine(panel, rows, |entry, x| *entry += x);
        });
    }

    /// Adds a matrix of the same shape.
    pub(crate) fn add(&mut self, delta: MatRef<'_, T>) {
        self.for_each_panel(delta, Par::Seq, &|_, panel, rows| combine(panel, rows, |entry, x| *entry += x));
    }

    /// Hands out every panel with its place and the rows of a matrix of the same shape that are packed there.
    fn for_each_panel(
        &mut self,
        matrix: MatRef<'_, T>,
        par: Par,
        work: &(impl Fn(usize, MatMut<'_, T>, MatRef<'_, T>) + Sync),
    ) {
        assert_eq!(matrix.shape(), (self.rows, self.columns));
        let par = if self.rows * self.columns < SHARED { Par::Seq } else { par };
        share_panels(self.panels.as_mut(), 0, matrix, par, work);
    }

    /// The matrix.
    pub(crate) fn to_matrix(&self) -> Mat<T> {
        let mut matrix = Mat::zeros(self.rows, self.columns);
        self.copy_to(matrix.as_mut());
        matrix
    }

    /// Copies the matrix.
    pub(crate) fn copy_to(&self, mut matrix: MatMut<'_, T>) {
        let height = self.height();
        for first in (0..self.rows).step_by(height) {
            let count = height.min(self.rows - first);
            let panel = self.panels.subcols(first / height * self.columns, self.columns);
            matrix.as_mut().subrows_mut(first, count).copy_from(panel.subrows(0, count));
        }
    }

    /// Copies a row of the matrix.
    pub(crate) fn copy_row(&self, row: usize, to: &mut [T]) {
        let (panel, within) = (row / self.height(), row % self.height());
        let entries = self.panels.subcols(panel * self.columns, self.columns).row(within);
        assert!(row < self.rows && to.len() == self.columns, "a row of the matrix");
        to.iter_mut().zip(entries.iter()).for_each(|(to, entry)| *to = *entry);
    }

    /// The transposed matrix, packed.
    pub(crate) fn transposed(&self) -> Self {
        Self::new(self.to_matrix().transpose())
    }
}

/// Entries of a matrix from which threads share the packing.
const SHARED: usize = 1 << 16;

/// Does `work` on panels, of which the first has this place, with the rows of the matrix that belong there.
fn share_panels<T: Real>(
    panels: MatMut<'_, T>,
    first: usize,
    matrix: MatRef<'_, T>,
    par: Par,
    work: &(impl Fn(usize, MatMut<'_, T>, MatRef<'_, T>) + Sync),
) {
    let (height, (rows, columns)) = (panels.nrows(), matrix.shape());
    match rows.div_ceil(height) {
        0 => {}
        1 => work(first, panels, matrix),
        count => {
            let half = count / 2;
            let (panels, others) = panels.split_at_col_mut(half * columns);
            let (above, below) = matrix.split_at_row(half * height);
            let halves = (
                || share_panels(panels, first, above, par, work),
                || share_panels(others, first + half, below, par, work),
            );
            match par {
                Par::Seq => _ = (halves.0(), halves.1()),
                Par::Rayon(_) => _ = rayon::join(halves.0, halves.1),
            }
        }
    }
}

/// Columns of a panel that are gone through at a time where the matrix lies by rows: they stay near for all rows.
const COLUMNS: usize = 64;

/// Combines the entries of a panel with those of the rows that belong there.
fn combine<T: Real>(mut panel: MatMut<'_, T>, rows: MatRef<'_, T>, with: impl Fn(&mut T, T)) {
    let (height, columns) = rows.shape();
    if rows.row_stride() == 1 {
        for j in 0..columns {
            let entries = &mut column_mut(panel.as_mut(), j)[..height];
            entries.iter_mut().zip(column(rows, j)).for_each(|(entry, &x)| with(entry, x));
        }
        return;
    }
    for first in (0..columns).step_by(COLUMNS) {
        let count = COLUMNS.min(columns - first);
        let mut panel = panel.as_mut().subcols_mut(first, count);
        for i in 0..height {
            let row = rows.row(i).subcols(first, count);
            panel.as_mut().row_mut(i).iter_mut().zip(row.iter()).for_each(|(entry, &x)| with(entry, x));
        }
    }
}

/// The left operand of a product.
#[derive(Clone, Copy)]
pub(crate) enum Left<'a, T: Real> {
    /// Packed.
    Packed(&'a Packed<T>),
    /// The rows of some panels of it: so many, from this panel on.
    Panels(&'a Packed<T>, usize, usize),
    /// As it lies: columns without gaps.
    Columns(MatRef<'a, T>),
}

/// `left · right`; of the right operand, columns or rows are without gaps.
#[derive(Clone, Copy)]
pub(crate) struct Term<'a, T: Real> {
    pub(crate) left: Left<'a, T>,
    pub(crate) right: MatRef<'a, T>,
}

impl<'a, T: Real> Term<'a, T> {
    /// `packed · right`.
    pub(crate) fn packed(packed: &'a Packed<T>, right: MatRef<'a, T>) -> Self {
        Self { left: Left::Packed(packed), right }
    }

    /// `left · right`.
    pub(crate) fn columns(left: MatRef<'a, T>, right: MatRef<'a, T>) -> Self {
        Self { left: Left::Columns(left), right }
    }
}

/// What a sum starts from.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a, T> {
    /// 0.
    Zero,
    /// This vector, in every column.
    Bias(&'a [T]),
    /// What is in the destination.
    Destination,
}

/// Most terms of a sum: weight and adapter of query, key and value.
const TERMS: usize = 6;

/// `dst = start + Σ terms`. Every entry is summed in the order of the terms and of their inner index.
///
/// # Panics
/// If shapes or strides are not as they must be.
pub(crate) fn sum_of_products<'a, T: Real>(
    dst: MatMut<'_, T>,
    start: Start<'_, T>,
    terms: impl IntoIterator<Item = Term<'a, T>>,
) {
    sum_of_products_on(Arch::new(), dst, start, terms);
}

fn sum_of_products_on<'a, T: Real>(
    machine: Arch,
    dst: MatMut<'_, T>,
    start: Start<'_, T>,
    terms: impl IntoIterator<Item = Term<'a, T>>,
) {
    let (rows, columns) = dst.shape();
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(dst.row_stride() == 1 || rows == 1, "columns without gaps");
    if let Start::Bias(bias) = start {
        assert_eq!(bias.len(), rows, "one bias per row");
    }
    let height = tile_rows::<T>(machine);
    let (mut raw, mut count) = ([RawTerm::NONE; TERMS], 0);
    for term in terms {
        raw[count] = RawTerm::new(&term, rows, columns, height);
        count += 1;
    }
    let sum = Sum { terms: &raw[..count], start, rows, columns, stride: dst.col_stride(), dst: dst.as_ptr_mut() };
    machine.dispatch(sum);
}

/// Rows of a tile.
fn tile_rows<T: Real>(machine: Arch) -> usize {
    struct Rows<T>(PhantomData<T>);
    impl<T: Real> WithSimd for Rows<T> {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            VECTORS * T::lanes::<S>()
        }
    }
    machine.dispatch(Rows::<T>(PhantomData))
}

/// A term, checked, with its strides.
#[derive(Clone, Copy)]
struct RawTerm<T> {
    left: *const T,
    /// To the next column.
    left_step: isize,
    /// To the next tile's rows.
    left_panel: isize,
    right: *const T,
    /// To the next row.
    right_step: isize,
    /// To the next column.
    right_column: isize,
    depth: usize,
}

impl<T: Real> RawTerm<T> {
    const NONE: Self = Self {
        left: std::ptr::null(),
        left_step: 0,
        left_panel: 0,
        right: std::ptr::null(),
        right_step: 0,
        right_column: 0,
        depth: 0,
    };

    fn new(term: &Term<'_, T>, rows: usize, columns: usize, height: usize) -> Self {
        let right = term.right;
        let (left, left_step, left_panel, shape) = match term.left {
            Left::Packed(packed) => {
                let step = packed.panels.col_stride();
                (packed.panels.as_ptr(), step, step * packed.columns as isize, (packed.rows, packed.columns))
            }
            Left::Panels(packed, first, rows) => {
                assert!(first * height + rows <= packed.rows, "rows of the left operand");
                let panels =
                    packed.panels.as_ref().subcols(first * packed.columns, packed.columns * rows.div_ceil(height));
                let step = panels.col_stride();
                (panels.as_ptr(), step, step * packed.columns as isize, (rows, packed.columns))
            }
            Left::Columns(left) => {
                assert!(left.row_stride() == 1 || left.nrows() == 1, "columns without gaps");
                (left.as_ptr(), left.col_stride(), height as isize, left.shape())
            }
        };
        assert_eq!(shape, (rows, right.nrows()), "shape of the left operand");
        assert_eq!(right.ncols(), columns, "columns of the right operand");
        // A stride of a single row or column is never used, whatever it says.
        let right_step = if right.nrows() == 1 { 1 } else { right.row_stride() };
        let right_column = if columns == 1 { 1 } else { right.col_stride() };
        assert!(right_step == 1 || right_column == 1, "columns or rows without gaps");
        Self { left, left_step, left_panel, right: right.as_ptr(), right_step, right_column, depth: right.nrows() }
    }
}

/// A checked sum.
struct Sum<'a, T: Real> {
    terms: &'a [RawTerm<T>],
    start: Start<'a, T>,
    dst: *mut T,
    stride: isize,
    rows: usize,
    columns: usize,
}

impl<T: Real> WithSimd for Sum<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = T::lanes::<S>();
        let height = VECTORS * lanes;
        for first in (0..self.rows).step_by(height) {
            let left = self.rows - first;
            let mut place = TilePosition { sum: &self, panel: first / height, row: 0, column: 0, lanes };
            if left >= height {
                place.sweep::<S, 3, false>(simd);
                continue;
            }
            if left >= 2 * lanes {
                place.sweep::<S, 2, false>(simd);
                place.row = 2 * lanes;
            } else if left >= lanes {
                place.sweep::<S, 1, false>(simd);
                place.row = lanes;
            }
            if left > place.row {
                place.lanes = left - place.row;
                place.sweep::<S, 1, true>(simd);
            }
        }
    }
}

/// Where a tile is.
struct TilePosition<'a, T: Real> {
    sum: &'a Sum<'a, T>,
    panel: usize,
    /// First row within the panel.
    row: usize,
    column: usize,
    /// Lanes of the last vector that are rows.
    lanes: usize,
}

impl<T: Real> Clone for TilePosition<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Real> Copy for TilePosition<'_, T> {}

impl<T: Real> TilePosition<'_, T> {
    /// All columns, in tiles of `V` vectors.
    #[inline(always)]
    fn sweep<S: Simd, const V: usize, const MASKED: bool>(mut self, simd: S) {
        let columns = self.sum.columns;
        while self.column < columns {
            let left = columns - self.column;
            // The tile's V N accumulators, a row of vectors and one more must fit in the registers.
            self.column += if left >= 8 && S::REGISTER_COUNT >= 32 {
                simd.vectorize(Tile::<_, V, 8, MASKED>(self));
                8
            } else if left >= 4 {
                simd.vectorize(Tile::<_, V, 4, MASKED>(self));
                4
            } else if left >= 2 {
                simd.vectorize(Tile::<_, V, 2, MASKED>(self));
                2
            } else {
                simd.vectorize(Tile::<_, V, 1, MASKED>(self));
                1
            };
        }
    }
}

/// `V` vectors of rows × `N` columns of the result.
struct Tile<P, const V: usize, const N: usize, const MASKED: bool>(P);

impl<T: Real, const V: usize, const N: usize, const MASKED: bool> WithSimd for Tile<TilePosition<'_, T>, V, N, MASKED> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let TilePosition { sum, panel, row, column, lanes } = self.0;
        let width = T::lanes::<S>();
        let first = panel * VECTORS * width + row;
        let mask = T::first(simd, lanes);
        // SAFETY: `sum_of_products` checked shapes and strides; the tile's rows and columns are in range, of a masked vector
        // only the lanes that are rows are touched.
        unsafe {
            let dst = sum.dst.add(first).offset(column as isize * sum.stride);
            let mut tile = [[T::splat(simd, T::of(0.0)); V]; N];
            match sum.start {
                Start::Zero => {}
                Start::Bias(bias) => {
                    for v in 0..V {
                        let x = load::<T, S, MASKED>(simd, mask, bias.as_ptr().add(first + v * width));
                        for j in 0..N {
                            tile[j][v] = x;
                        }
                    }
                }
                Start::Destination => {
                    for j in 0..N {
                        for v in 0..V {
                            let from = dst.offset(j as isize * sum.stride).add(v * width);
                            tile[j][v] = load::<T, S, MASKED>(simd, mask, from);
                        }
                    }
                }
            }
            for term in sum.terms {
                let left = term.left.offset(panel as isize * term.left_panel).add(row);
                let right = term.right.offset(column as isize * term.right_column);
                // Two copies of the loop, each with one of the strides known.
                tile = if term.right_step == 1 {
                    multiply::<T, S, V, N, MASKED>(simd, mask, term, left, right, (1, term.right_column), tile)
                } else {
                    multiply::<T, S, V, N, MASKED>(simd, mask, term, left, right, (term.right_step, 1), tile)
                };
            }
            for j in 0..N {
                for v in 0..V {
                    let to = dst.offset(j as isize * sum.stride).add(v * width);
                    if MASKED {
                        T::store_some(simd, mask, to, tile[j][v]);
                    } else {
                        T::store(simd, to, tile[j][v]);
                    }
                }
            }
        }
    }
}

/// Reads a vector.
///
/// # Safety
/// All lanes must be readable; of a masked vector, those of the mask.
#[inline(always)]
unsafe fn load<T: Real, S: Simd, const MASKED: bool>(
    simd: S,
    mask: MemMask<T::Mask<S>>,
    from: *const T,
) -> T::Vector<S> {
    // SAFETY: the caller has the lanes that are meant readable: those of the mask, or all.
    unsafe { if MASKED { T::load_some(simd, mask, from) } else { T::load(simd, from) } }
}

/// Adds a term to a tile; strides of the right operand: to the next row, to the next column.
///
/// # Safety
/// `left` and `right` must point to the operands' first entries of this tile, readable for `term.depth` steps.
#[inline(always)]
unsafe fn multiply<T: Real, S: Simd, const V: usize, const N: usize, const MASKED: bool>(
    simd: S,
    mask: MemMask<T::Mask<S>>,
    term: &RawTerm<T>,
    mut left: *const T,
    mut right: *const T,
    (step, column): (isize, isize),
    mut tile: [[T::Vector<S>; V]; N],
) -> [[T::Vector<S>; V]; N] {
    let width = T::lanes::<S>();
    // SAFETY: the caller has `left` and `right` point to the first of `term.depth` steps of a term whose strides it checked;
    // the pointers beyond the last step are made, not read.
    unsafe {
        for _ in 0..term.depth {
            let mut x = [T::splat(simd, T::of(0.0)); V];
            for v in 0..V {
                x[v] = load::<T, S, MASKED>(simd, mask, left.add(v * width));
            }
            for j in 0..N {
                let y = T::splat(simd, *right.offset(j as isize * column));
                for v in 0..V {
                    tile[j][v] = T::mul_add(simd, x[v], y, tile[j][v]);
                }
            }
            left = left.wrapping_offset(term.left_step);
            right = right.wrapping_offset(step);
        }
    }
    tile
}

/// `dst = leftᵀ right` for operands of few columns and many rows: sums along the columns of both, which are without gaps.
///
/// # Panics
/// If shapes or strides are not as they must be.
pub(crate) fn inner_products<T: Real>(dst: MatMut<'_, T>, left: MatRef<'_, T>, right: MatRef<'_, T>) {
    inner_products_on(Arch::new(), dst, left, right);
}

fn inner_products_on<T: Real>(machine: Arch, dst: MatMut<'_, T>, left: MatRef<'_, T>, right: MatRef<'_, T>) {
    let (rows, columns) = dst.shape();
    if rows == 0 || columns == 0 {
        return;
    }
    assert_eq!((rows, columns, left.nrows()), (left.ncols(), right.ncols(), right.nrows()), "shapes");
    assert!(dst.row_stride() == 1 || rows == 1, "columns without gaps");
    assert!(left.row_stride() == 1 && right.row_stride() == 1, "columns without gaps");
    machine.dispatch(Inner { left, right, stride: dst.col_stride(), dst: dst.as_ptr_mut() });
}

/// Checked inner products.
struct Inner<'a, T: Real> {
    left: MatRef<'a, T>,
    right: MatRef<'a, T>,
    dst: *mut T,
    stride: isize,
}

impl<T: Real> WithSimd for Inner<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (rows, columns) = (self.left.ncols(), self.right.ncols());
        let mut column = 0;
        while column < columns {
            let four = S::REGISTER_COUNT >= 32 && columns - column >= 4;
            for row in (0..rows).step_by(4) {
                let corner = Corner { inner: &self, row, column };
                match (four, rows - row >= 4) {
                    (true, true) => simd.vectorize(RegisterTile::<_, 4, 4>(corner)),
                    (false, true) => simd.vectorize(RegisterTile::<_, 4, 1>(corner)),
                    (true, false) => corner.rows_left::<S, 4>(simd, rows - row),
                    (false, false) => corner.rows_left::<S, 1>(simd, rows - row),
                }
            }
            column += if four { 4 } else { 1 };
        }
    }
}

/// Where a block of inner products is.
#[derive(Clone, Copy)]
struct Corner<'a, T: Real> {
    inner: &'a Inner<'a, T>,
    row: usize,
    column: usize,
}

impl<T: Real> Corner<'_, T> {
    #[inline(always)]
    fn rows_left<S: Simd, const N: usize>(mut self, simd: S, count: usize) {
        for _ in 0..count {
            simd.vectorize(RegisterTile::<_, 1, N>(self));
            self.row += 1;
        }
    }
}

/// `M × N` inner products.
struct RegisterTile<P, const M: usize, const N: usize>(P);

impl<T: Real, const M: usize, const N: usize> WithSimd for RegisterTile<Corner<'_, T>, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Corner { inner, row, column } = self.0;
        let (left, right) = (inner.left, inner.right);
        let (depth, width) = (left.nrows(), T::lanes::<S>());
        let whole = depth - depth % width;
        let mut sums = [[T::splat(simd, T::of(0.0)); N]; M];
        // SAFETY: `inner_products` checked shapes and strides; the masked vectors end where the columns do.
        unsafe {
            let x: [*const T; M] =
                std::array::from_fn(|i| left.as_ptr().offset((row + i) as isize * left.col_stride()));
            let y: [*const T; N] =
                std::array::from_fn(|j| right.as_ptr().offset((column + j) as isize * right.col_stride()));
            for k in (0..whole).step_by(width) {
                let mut a = [T::splat(simd, T::of(0.0)); M];
                for i in 0..M {
                    a[i] = T::load(simd, x[i].add(k));
                }
                for j in 0..N {
                    let b = T::load(simd, y[j].add(k));
                    for i in 0..M {
                        sums[i][j] = T::mul_add(simd, a[i], b, sums[i][j]);
                    }
                }
            }
            if whole < depth {
                let mask = T::first(simd, depth - whole);
                for j in 0..N {
                    let b = T::load_some(simd, mask, y[j].add(whole));
                    for i in 0..M {
                        sums[i][j] = T::mul_add(simd, T::load_some(simd, mask, x[i].add(whole)), b, sums[i][j]);
                    }
                }
            }
            for j in 0..N {
                for i in 0..M {
                    *inner.dst.add(row + i).offset((column + j) as isize * inner.stride) = T::sum(simd, sums[i][j]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dynamics::random::{gaussian, stream};
    use faer::Mat;

    use super::*;

    /// Entries of Gaussian matrices, one per call.
    fn draw<T: Real>(rows: usize, columns: usize, label: &str) -> Mat<T> {
        let drawn = gaussian(rows, columns, &mut stream(1, &["product", label]));
        Mat::from_fn(rows, columns, |i, j| T::of(drawn[(i, j)]))
    }

    fn assert_close<T: Real>(a: &Mat<T>, b: &Mat<T>, what: &str) {
        let tolerance = if size_of::<T>() == 4 { 1e-4 } else { 1e-12 };
        let error = (a - b).norm_max().as_f64();
        assert!(error < tolerance, "{what}: off by {error:.1e}");
    }

    /// The instruction sets of this machine.
    fn machines() -> Vec<Arch> {
        let mut machines = vec![Arch::new()];
        #[cfg(target_arch = "x86_64")]
        {
            machines.push(Arch::Scalar);
            machines.extend(pulp::x86::V3::try_new().map(Arch::V3));
        }
        machines
    }

    fn sums<T: Real>(machine: Arch) {
        for (m, n, k) in
            [(1, 1, 1), (7, 3, 5), (48, 8, 32), (96, 16, 7), (100, 27, 33), (131, 15, 1), (16, 1, 9), (40, 6, 24)]
        {
            let (a, b) = (draw::<T>(m, k, "a"), draw::<T>(k, n, "b"));
            let (c, d) = (draw::<T>(m, 3, "c"), draw::<T>(n, 3, "d"));
            let (bias, start) = (draw::<T>(m, 1, "bias"), draw::<T>(m, n, "start"));
            let product = &a * &b + &c * d.transpose();
            let packed = Packed::for_machine(machine, a.as_ref());
            let list: Vec<T> = bias.col(0).iter().copied().collect();
            let with_bias = Mat::from_fn(m, n, |i, j| product[(i, j)] + list[i]);
            for (from, expected) in [
                (Start::Zero, product.clone()),
                (Start::Destination, &product + &start),
                (Start::Bias(&list), with_bias),
            ] {
                let mut found = start.clone();
                let terms = [Term::packed(&packed, b.as_ref()), Term::columns(c.as_ref(), d.transpose())];
                sum_of_products_on(machine, found.as_mut(), from, terms);
                assert_close(&found, &expected, &format!("{m} × {n} × {k} on {machine:?}"));
            }
        }
    }

    #[test]
    fn sums_of_products() {
        for machine in machines() {
            sums::<f32>(machine);
            sums::<f64>(machine);
        }
    }

    #[test]
    fn parts_of_a_larger_matrix() {
        let (a, b) = (draw::<f32>(60, 20, "a"), draw::<f32>(20, 11, "b"));
        let mut whole = Mat::<f32>::zeros(80, 20);
        let part = whole.as_mut().submatrix_mut(10, 5, 30, 6);
        sum_of_products(part, Start::Zero, [Term::columns(a.as_ref().subrows(5, 30), b.as_ref().subcols(2, 6))]);
        let mut expected = Mat::<f32>::zeros(80, 20);
        expected.as_mut().submatrix_mut(10, 5, 30, 6).copy_from(a.subrows(5, 30) * b.subcols(2, 6));
        assert_close(&whole, &expected, "a part");
    }

    /// Small, and large enough for threads; given by columns and by rows.
    #[test]
    fn packed_matrices_are_summed_transposed_and_unpacked() {
        for (rows, columns) in [(50, 20), (311, 257)] {
            let (a, delta) = (draw::<f32>(rows, columns, "a"), draw::<f32>(rows, columns, "delta"));
            let (b, by_rows) = (draw::<f32>(columns, 9, "b"), delta.transpose().to_owned());
            let frozen = Packed::new(a.as_ref());
            assert_eq!(frozen.transposed().to_matrix(), a.transpose().to_owned());
            for (delta, par) in [delta.as_ref(), by_rows.transpose()].into_iter().zip([Par::Seq, Par::rayon(2)]) {
                let mut packed = frozen.clone();
                packed.fill(delta, par);
                assert_eq!(packed.to_matrix(), delta.to_owned());
                packed.fill_sum(&frozen, delta, par);
                assert_eq!(packed.to_matrix(), &a + delta);
                let mut found = Mat::zeros(rows, 9);
                sum_of_products(found.as_mut(), Start::Zero, [Term::packed(&packed, b.as_ref())]);
                assert_close(&found, &((&a + delta) * &b), "a + delta");
            }
        }
    }

    fn inner<T: Real>(machine: Arch) {
        for (rank, n, t) in [(8, 384, 27), (1, 5, 1), (3, 24, 7), (10, 40, 4), (4, 16, 5)] {
            let (left, right) = (draw::<T>(n, rank, "left"), draw::<T>(n, t, "right"));
            let mut found = Mat::zeros(rank, t);
            inner_products_on(machine, found.as_mut(), left.as_ref(), right.as_ref());
            let what = format!("{rank} × {n} × {t} on {machine:?}");
            assert_close(&found, &(left.transpose() * &right), &what);
        }
    }

    #[test]
    fn products_along_columns() {
        for machine in machines() {
            inner::<f32>(machine);
            inner::<f64>(machine);
        }
    }

    /// The right operand's tail must not matter: a NaN just outside of a view stays outside.
    #[test]
    fn nothing_outside_is_read_into_a_result() {
        let a = draw::<f32>(20, 7, "a");
        let mut b = Mat::<f32>::from_fn(9, 6, |_, _| f32::NAN);
        b.as_mut().submatrix_mut(0, 0, 7, 5).copy_from(draw::<f32>(7, 5, "b"));
        let inside = b.as_ref().submatrix(0, 0, 7, 5);
        let mut found = Mat::<f32>::from_fn(20, 6, |_, _| 7.0);
        sum_of_products(found.as_mut().subcols_mut(0, 5), Start::Zero, [Term::columns(a.as_ref(), inside)]);
        assert_close(&found.subcols(0, 5).to_owned(), &(&a * inside), "inside");
        assert_eq!(found.col(5).to_owned(), faer::Col::from_fn(20, |_| 7.0));
    }
}
