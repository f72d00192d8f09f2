//! The sparse kernels against a plain dense reference, for every instruction set of this machine.

use dynamics::dense::matmul;
use dynamics::sparse::{self, Evaluation, ObservedEntries, ObservedEntriesError, Simd, SparseRef, Tiled};
use faer::{Accum, Mat, MatRef, Par};
use proptest::prelude::*;

/// A small deterministic generator: the tests need numbers, not randomness.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn matrix(&mut self, rows: usize, columns: usize) -> Mat<f64> {
        Mat::from_fn(rows, columns, |_, _| self.next())
    }
}

/// Loss, residual and both gradients.
struct Answer {
    squares: f64,
    residual: Vec<f64>,
    dp: Mat<f64>,
    dq: Mat<f64>,
}

struct Case {
    entries: ObservedEntries,
    targets: Vec<f64>,
    scale: f64,
    p: Mat<f64>,
    q: Mat<f64>,
}

impl Case {
    fn new(d_out: usize, d_in: usize, k: usize, observed: impl Fn(usize, usize, f64) -> bool, seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let mut list = Vec::new();
        for i in 0..d_out {
            for j in 0..d_in {
                if observed(i, j, numbers.next()) {
                    list.push((i, j));
                }
            }
        }
        let entries = ObservedEntries::new(d_out, d_in, list).expect("sorted");
        let targets = (0..entries.len()).map(|_| numbers.next()).collect();
        Self {
            entries,
            targets,
            scale: 0.5 + numbers.next().abs(),
            p: numbers.matrix(k, d_out),
            q: numbers.matrix(k, d_in),
        }
    }

    /// Entry by entry, straight from the definition.
    fn reference(&self) -> Answer {
        let k = self.p.nrows();
        let mut dp = Mat::zeros(k, self.p.ncols());
        let mut dq = Mat::zeros(k, self.q.ncols());
        let mut residual = Vec::new();
        for ((i, j), target) in self.entries.iter().zip(&self.targets) {
            let r = (0..k).map(|l| self.p[(l, i)] * self.q[(l, j)]).sum::<f64>() - target;
            for l in 0..k {
                dp[(l, i)] += self.scale * r * self.q[(l, j)];
                dq[(l, j)] += self.scale * r * self.p[(l, i)];
            }
            residual.push(r);
        }
        let squares = residual.iter().map(|r| r * r).sum();
        Answer { squares, residual, dp, dq }
    }

    fn three_kernels(&self, simd: Simd, par: Par) -> Answer {
        let (p, q) = (self.p.as_ref(), self.q.as_ref());
        let mut residual = vec![f64::NAN; self.entries.len()];
        let mut dp = Mat::from_fn(p.nrows(), p.ncols(), |_, _| f64::NAN);
        let mut dq = Mat::from_fn(q.nrows(), q.ncols(), |_, _| f64::NAN);
        let targets = SparseRef::new(&self.entries, &self.targets);
        let squares = sparse::sample_residual(&mut residual, p, q, targets, simd, par);
        let r = SparseRef::new(&self.entries, &residual);
        sparse::matmul(dp.as_mut(), q, r.transpose(), self.scale, simd, par);
        sparse::matmul(dq.as_mut(), p, r, self.scale, simd, par);
        Answer { squares, residual, dp, dq }
    }

    /// The single call, run twice with the same buffers; it does not hand out the residual.
    fn single_call(&self, simd: Simd, left: bool, right: bool, par: Par) -> Answer {
        let (p, q) = (self.p.as_ref(), self.q.as_ref());
        let mut tiled = Tiled::new(&self.entries, &self.targets, p.nrows(), simd);
        let mut dp = Mat::from_fn(p.nrows(), p.ncols(), |_, _| f64::NAN);
        let mut dq = Mat::from_fn(q.nrows(), q.ncols(), |_, _| f64::NAN);
        let mut squares = f64::NAN;
        for _ in 0..2 {
            let (dp, dq) = (left.then(|| dp.as_mut()), right.then(|| dq.as_mut()));
            squares = tiled.loss_and_gradients(Evaluation { p, q, dp, dq, alpha: self.scale }, par);
        }
        Answer { squares, residual: Vec::new(), dp, dq }
    }
}

fn assert_near(name: &str, a: f64, b: f64, magnitude: f64) {
    assert!((a - b).abs() <= 1e-13 * magnitude, "{name}: {a} against {b}");
}

fn assert_matrices_near(name: &str, a: MatRef<f64>, b: MatRef<f64>, magnitude: f64) {
    for j in 0..b.ncols() {
        for i in 0..b.nrows() {
            assert_near(name, a[(i, j)], b[(i, j)], magnitude);
        }
    }
}

fn assert_same_bits(a: &Answer, b: &Answer) {
    let bits = |m: &Mat<f64>| -> Vec<u64> {
        (0..m.ncols()).flat_map(|j| (0..m.nrows()).map(move |i| m[(i, j)].to_bits())).collect()
    };
    assert_eq!(a.squares.to_bits(), b.squares.to_bits());
    let residuals = |answer: &Answer| answer.residual.iter().map(|r| r.to_bits()).collect::<Vec<_>>();
    assert_eq!(residuals(a), residuals(b));
    assert_eq!(bits(&a.dp), bits(&b.dp));
    assert_eq!(bits(&a.dq), bits(&b.dq));
}

fn check(case: &Case) {
    let expected = case.reference();
    let magnitude = (case.p.nrows() * case.p.ncols().max(case.q.ncols()) + 1) as f64;
    for simd in Simd::available() {
        let three = case.three_kernels(simd, Par::Seq);
        assert_near("sum of squares", three.squares, expected.squares, magnitude * magnitude);
        for (a, b) in three.residual.iter().zip(&expected.residual) {
            assert_near("residual", *a, *b, magnitude);
        }
        assert_matrices_near("left gradient", three.dp.as_ref(), expected.dp.as_ref(), magnitude);
        assert_matrices_near("right gradient", three.dq.as_ref(), expected.dq.as_ref(), magnitude);
        assert_same_bits(&three, &case.three_kernels(simd, Par::rayon(2)));
        for (left, right) in [(true, true), (true, false), (false, true), (false, false)] {
            let single = case.single_call(simd, left, right, Par::Seq);
            assert_near("sum of squares", single.squares, expected.squares, magnitude * magnitude);
            if left {
                assert_matrices_near("left gradient", single.dp.as_ref(), expected.dp.as_ref(), magnitude);
            }
            if right {
                assert_matrices_near("right gradient", single.dq.as_ref(), expected.dq.as_ref(), magnitude);
            }
        }
        let both = case.single_call(simd, true, true, Par::Seq);
        assert_same_bits(&both, &case.single_call(simd, true, true, Par::rayon(2)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn kernels_agree_with_the_definition(
        d_out in 0usize..40,
        d_in in 0usize..90,
        k in 1usize..=130,
        density in prop_oneof![Just(0.0), 0.0..1.0, Just(1.0)],
        // Every so many rows and columns stay empty (1: none does).
        empty in (1usize..5, 1usize..5),
        seed: u64,
    ) {
        let observed = |i: usize, j: usize, u: f64| {
            let skipped = (empty.0 > 1 && i.is_multiple_of(empty.0)) || (empty.1 > 1 && j.is_multiple_of(empty.1));
            !skipped && (u + 1.0) / 2.0 < density
        };
        check(&Case::new(d_out, d_in, k, observed, seed));
    }
}

#[test]
fn a_single_entry_and_all_entries() {
    for k in [1, 3, 8, 10, 16, 17, 33, 64, 65, 128, 300] {
        check(&Case::new(7, 13, k, |i, j, _| (i, j) == (4, 9), 1));
        check(&Case::new(7, 13, k, |_, _, _| true, 2));
    }
}

#[test]
fn many_blocks_and_tiles_give_the_same_bits_for_any_number_of_threads() {
    for (d_out, d_in, k, p) in [(500, 400, 10, 0.3), (300, 400, 40, 0.5), (200, 300, 200, 0.3), (1100, 1000, 1, 0.97)] {
        check(&Case::new(d_out, d_in, k, |_, _, u| (u + 1.0) / 2.0 < p, 3));
    }
}

/// Three rows for four threads; and nearly all entries in one corner, so that most blocks have few or none.
#[test]
fn empty_and_uneven_blocks() {
    check(&Case::new(3, 60_000, 10, |_, _, _| true, 7));
    check(&Case::new(500, 600, 10, |i, j, u| (i < 300 && j < 310) || u > 0.999, 8));
    check(&Case::new(600, 500, 40, |i, j, u| (i >= 450 && j >= 300) || u > 0.998, 9));
}

/// Long rows are walked in tiles; some rows have no entry in the last tile, or in the first, or at all, or two at the ends, too
/// far from each other for one tile's 16 bits where columns are long (k = 64, with AVX-512).
#[test]
fn rows_that_miss_a_tile() {
    let observed = |i: usize, j: usize, u: f64| match i % 5 {
        0 => u < -0.9,
        1 => j < 1000 && u < -0.9,
        2 => j >= 1000 && u < -0.9,
        3 => j == 3 || j == 1990,
        _ => i % 10 == 4 && j == 7,
    };
    for k in [10, 64, 200] {
        check(&Case::new(60, 2000, k, observed, 6));
    }
}

#[test]
fn factors_may_be_parts_of_larger_matrices() {
    let case = Case::new(20, 30, 12, |_, _, u| u < 0.0, 4);
    let mut large = Mat::from_fn(19, 30, |_, _| 7.0);
    let mut residual = vec![0.0; case.entries.len()];
    let (p, q) = (case.p.as_ref(), case.q.as_ref());
    let simd = Simd::best();
    let par = Par::Seq;
    sparse::sample_residual(&mut residual, p, q, SparseRef::new(&case.entries, &case.targets), simd, par);
    let part = large.as_mut().subrows_mut(3, 12);
    sparse::matmul(part, p, SparseRef::new(&case.entries, &residual), case.scale, simd, par);
    let expected = case.reference().dq;
    assert_matrices_near("part", large.as_ref().subrows(3, 12), expected.as_ref(), 100.0);
    for j in 0..30 {
        for i in (0..3).chain(15..19) {
            assert_eq!(large[(i, j)], 7.0, "outside the part");
        }
    }
}

#[test]
fn entries_know_their_places_in_both_orders() {
    let list = [(0, 1), (0, 3), (2, 0), (2, 1), (2, 3)];
    let entries = ObservedEntries::new(4, 4, list).expect("sorted");
    assert_eq!(entries.iter().collect::<Vec<_>>(), list);
    assert_eq!(entries.row_start(), [0, 2, 2, 5, 5]);
    assert_eq!(entries.columns(), [1, 3, 0, 1, 3]);
    assert_eq!((entries.columns_of(2), entries.columns_of(3)), ([0, 1, 3].as_slice(), [].as_slice()));
    assert_eq!((entries.rows_of(1), entries.rows_of(2)), ([0, 2].as_slice(), [].as_slice()));
    assert_eq!(entries.column_start(), [0, 1, 3, 3, 5]);
    assert_eq!(entries.rows(), [2, 0, 2, 0, 2]);
    assert_eq!(entries.csr_positions(), [2, 0, 3, 1, 4]);
    assert_eq!(entries.fraction(), 5.0 / 16.0);
    assert!(!entries.is_full());
}

#[test]
fn a_list_that_is_not_a_set_of_entries_is_refused() {
    let refused = |list: &[(usize, usize)]| ObservedEntries::new(3, 4, list.iter().copied()).unwrap_err();
    let out_of_order = |row, column| ObservedEntriesError::OutOfOrder { row, column };
    assert_eq!(refused(&[(0, 1), (0, 1)]), out_of_order(0, 1));
    assert_eq!(refused(&[(0, 2), (0, 1)]), out_of_order(0, 1));
    assert_eq!(refused(&[(1, 2), (0, 3)]), out_of_order(0, 3));
    assert!(matches!(refused(&[(3, 0)]), ObservedEntriesError::OutOfRange { row: 3, .. }));
    assert!(matches!(refused(&[(0, 4)]), ObservedEntriesError::OutOfRange { column: 4, .. }));
}

#[test]
fn dense_products_have_the_same_bits_for_any_number_of_threads() {
    let mut numbers = Numbers(5);
    let shapes = [
        (10, 10, 10),
        (1000, 10, 10),
        (10, 1000, 10),
        (10, 10, 1000),
        (100, 100, 100),
        (333, 127, 251),
        (700, 650, 20),
        (1000, 1, 1000),
        (1, 1000, 1000),
        (1000, 1000, 1),
        (600, 500, 600),
    ];
    for (m, n, k) in shapes {
        let (a, b, start) = (numbers.matrix(m, k), numbers.matrix(k, n), numbers.matrix(m, n));
        let (a_t, b_t) = (a.transpose().to_owned(), b.transpose().to_owned());
        for (lhs, rhs) in [
            (a.as_ref(), b.as_ref()),
            (a_t.transpose(), b.as_ref()),
            (a.as_ref(), b_t.transpose()),
            (a_t.transpose(), b_t.transpose()),
        ] {
            for accumulate in [Accum::Replace, Accum::Add] {
                let product = |par| {
                    let mut dst = start.clone();
                    matmul(dst.as_mut(), accumulate, lhs, rhs, 0.7, par);
                    dst
                };
                let alone = product(Par::Seq);
                for threads in 1..=4 {
                    let shared = product(Par::rayon(threads));
                    let same = (0..n).all(|j| (0..m).all(|i| alone[(i, j)].to_bits() == shared[(i, j)].to_bits()));
                    assert!(same, "{m} x {n} x {k} on {threads} threads");
                }
                let base = if matches!(accumulate, Accum::Add) { 1.0 } else { 0.0 };
                for (i, j) in [(0, 0), (m / 2, n / 2), (m - 1, n - 1)] {
                    let sum: f64 = (0..k).map(|l| lhs[(i, l)] * rhs[(l, j)]).sum();
                    let expected = base * start[(i, j)] + 0.7 * sum;
                    assert_near("product", alone[(i, j)], expected, k as f64);
                }
            }
        }
    }
}
