//! The kernels by themselves: sampled loss and gradients for short and long factors, dense products, and what slows these down.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dynamics::dense::matmul;
use dynamics::random::{gaussian, stream};
use dynamics::sparse::{self, Evaluation, ObservedEntries, Simd, SparseRef, Tiled};
use dynamics::{LossForm, Measurements, Objective, Observed, Target};
use faer::{Accum, Mat, Par};
use pulp::{Arch, WithSimd};
use rayon::prelude::*;
use std::hint::black_box;

/// A small deterministic generator: a benchmark needs numbers, not randomness.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn matrix(&mut self, rows: usize, columns: usize) -> Mat<f64> {
        Mat::from_fn(rows, columns, |_, _| self.next() - 0.5)
    }

    fn entries(&mut self, d: usize, fraction: f64) -> ObservedEntries {
        let all = (0..d).flat_map(|i| (0..d).map(move |j| (i, j)));
        let list: Vec<_> = all.filter(|_| self.next() < fraction).collect();
        ObservedEntries::new(d, d, list).expect("sorted")
    }
}

/// One thread, and all of them.
fn threads() -> [(&'static str, Par); 2] {
    [("one-thread", Par::Seq), ("all-threads", Par::rayon(0))]
}

/// Loss and both gradients in one call.
fn single_call(c: &mut Criterion) {
    let mut group = c.benchmark_group("sampled-loss-and-gradients");
    for (d, k, fraction) in [(1000, 10, 0.2), (1000, 40, 0.2), (1000, 1000, 0.2), (100, 10, 0.3), (100, 100, 0.3)] {
        let mut numbers = Numbers(1);
        let entries = numbers.entries(d, fraction);
        let targets: Vec<f64> = (0..entries.len()).map(|_| numbers.next() - 0.5).collect();
        let (p, q) = (numbers.matrix(k, d), numbers.matrix(k, d));
        let (mut dp, mut dq) = (Mat::zeros(k, d), Mat::zeros(k, d));
        let mut tiled = Tiled::new(&entries, &targets, k, Simd::best());
        group.throughput(Throughput::Elements(entries.len() as u64));
        for (name, par) in threads() {
            group.bench_function(BenchmarkId::new(format!("d{d}-k{k}"), name), |b| {
                b.iter(|| {
                    let (p, q, dp, dq) = (p.as_ref(), q.as_ref(), Some(dp.as_mut()), Some(dq.as_mut()));
                    black_box(tiled.loss_and_gradients(Evaluation { p, q, dp, dq, alpha: 1e-6 }, par))
                });
            });
        }
    }
    group.finish();
}

/// Loss and both gradients where the factors are far away: with the residual stored, and computed twice.
fn wide(c: &mut Criterion) {
    let (d, k, per_row) = (100_000, 8, 100);
    let mut rng = stream(1, &["wide"]);
    let target = Target::gaussian_factors(d, d, 4, &mut rng).expect("a target");
    let observed = Observed::uniform_sparse(d, d, per_row * d, &mut rng).expect("observed entries");
    let objective = Objective::new(target, observed, LossForm::Mean).expect("an objective");
    let Observed::Entries(entries) = objective.observed() else { unreachable!("observed in part") };
    let (targets, by_column) = (objective.values(), entries.in_column_order(objective.values()));
    let (p, q) = (gaussian(k, d, &mut rng), gaussian(k, d, &mut rng));
    let (mut dp, mut dq) = (Mat::zeros(k, d), Mat::zeros(k, d));
    let (mut residual, simd) = (vec![0.0; targets.len()], Simd::best());
    let mut group = c.benchmark_group(format!("wide-d{d}-k{k}"));
    group.sample_size(20).throughput(Throughput::Elements(entries.len() as u64));
    for (name, par) in threads() {
        let (p, q) = (p.as_ref(), q.as_ref());
        group.bench_function(BenchmarkId::new("stored", name), |b| {
            b.iter(|| {
                let (dp, dq) = (Some(dp.as_mut()), Some(dq.as_mut()));
                let (evaluation, targets) =
                    (Evaluation { p, q, dp, dq, alpha: 1e-6 }, SparseRef::new(entries, targets));
                black_box(sparse::stored_loss_and_gradients(&mut residual, evaluation, targets, simd, par))
            });
        });
        group.bench_function(BenchmarkId::new("recomputed", name), |b| {
            b.iter(|| {
                let (dp, dq) = (Some(dp.as_mut()), Some(dq.as_mut()));
                let evaluation = Evaluation { p, q, dp, dq, alpha: 1e-6 };
                black_box(sparse::recomputed_loss_and_gradients(evaluation, entries, (targets, &by_column), simd, par))
            });
        });
    }
    group.finish();
}

/// Dense products, large, skinny and tiny.
fn dense(c: &mut Criterion) {
    let mut group = c.benchmark_group("dense-product");
    for (m, n, k) in [(10, 10, 10), (20, 20, 20), (100, 100, 100), (1000, 10, 10), (10, 1000, 10), (1000, 1000, 1000)] {
        let mut numbers = Numbers(3);
        let (lhs, rhs) = (numbers.matrix(m, k), numbers.matrix(k, n));
        let mut dst = Mat::zeros(m, n);
        group.throughput(Throughput::Elements((2 * m * n * k) as u64));
        for (name, par) in threads() {
            group.bench_function(BenchmarkId::new(format!("{m}x{n}x{k}"), name), |b| {
                b.iter(|| {
                    let (lhs, rhs) = (lhs.as_ref(), rhs.as_ref());
                    matmul(dst.as_mut(), Accum::Replace, lhs, rhs, 1.0, par);
                });
            });
        }
    }
    group.finish();
}

/// What a small product costs by what is in the room between the columns, which belongs to no column: see [`dynamics::dense::zeros`].
fn room(c: &mut Criterion) {
    const ROOM: usize = 16;
    let (rows, columns) = (10, 1000);
    let mut group = c.benchmark_group("room-between-columns");
    for (name, between) in [("zeros", 0.0), ("denormals", f64::MIN_POSITIVE / 3.0)] {
        let mut numbers = Numbers(4);
        let mut matrix =
            |columns| Mat::from_fn(ROOM, columns, |i, _| if i < rows { numbers.next() - 0.5 } else { between });
        let (lhs, rhs) = (matrix(rows), matrix(columns));
        let (lhs, rhs) = (lhs.subrows(0, rows), rhs.subrows(0, rows));
        let mut dst = Mat::zeros(rows, columns);
        group.bench_function(format!("10x1000x10/{name}"), |b| {
            b.iter(|| matmul(dst.as_mut(), Accum::Replace, lhs, rhs, 1.0, Par::Seq));
        });
    }
    group.finish();
}

/// A large product by which of its factors is transposed.
fn transposed(c: &mut Criterion) {
    let d = 1000;
    let mut numbers = Numbers(5);
    let (a, b) = (numbers.matrix(d, d), numbers.matrix(d, d));
    let mut dst = Mat::zeros(d, d);
    let mut group = c.benchmark_group("transposed-1000x1000x1000");
    group.sample_size(20).throughput(Throughput::Elements((2 * d * d * d) as u64));
    let cases = [
        ("neither", a.as_ref(), b.as_ref()),
        ("right", a.as_ref(), b.transpose()),
        ("left", a.transpose(), b.as_ref()),
    ];
    for (name, lhs, rhs) in cases {
        group.bench_function(name, |b| b.iter(|| matmul(dst.as_mut(), Accum::Replace, lhs, rhs, 1.0, Par::Seq)));
    }
    group.finish();
}

/// The gradient over measurements beside a plain sum of as many numbers: what a pass over them costs, and what it must.
fn sensing(c: &mut Criterion) {
    let (d, m, k) = (200, 1000, 10);
    let mut rng = stream(1, &["sensing"]);
    let target = Target::gaussian(d, d, 5, &mut rng).expect("a target");
    let measurements = Measurements::gaussian(d, d, m, &mut rng, Par::rayon(0)).expect("measurements");
    let objective = Objective::new(target, Observed::Measurements(measurements), LossForm::Mean).expect("an objective");
    let (p, q) = (gaussian(k, d, &mut rng), gaussian(k, d, &mut rng));
    let (mut dp, mut dq) = (Mat::zeros(k, d), Mat::zeros(k, d));
    let mut workspace = objective.workspace(k);
    let mut group = c.benchmark_group(format!("sensing-d{d}-m{m}"));
    group.sample_size(20).throughput(Throughput::Bytes((8 * d * d * m) as u64));
    for (name, par) in threads() {
        group.bench_function(BenchmarkId::new("gradient", name), |b| {
            b.iter(|| {
                let (dp, dq) = (Some(dp.as_mut()), Some(dq.as_mut()));
                black_box(objective.loss_and_gradients(p.as_ref(), q.as_ref(), dp, dq, &mut workspace, par))
            });
        });
    }
    let numbers = vec![1.0; d * d * m];
    let read = |part: &[f64]| Arch::new().dispatch(PlainSum(part));
    group.bench_function("plain-read/one-thread", |b| b.iter(|| black_box(read(&numbers))));
    group.bench_function("plain-read/all-threads", |b| {
        b.iter(|| black_box(numbers.par_chunks(numbers.len() / 16).map(read).sum::<f64>()));
    });
    group.finish();
}

/// The sum of a slice, with several vectors of sums under way.
struct PlainSum<'a>(&'a [f64]);

impl WithSimd for PlainSum<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> f64 {
        let mut sums = [simd.splat_f64s(0.0); 8];
        for vectors in S::as_simd_f64s(self.0).0.chunks(8) {
            sums.iter_mut().zip(vectors).for_each(|(sum, vector)| *sum = simd.add_f64s(*sum, *vector));
        }
        sums.iter().map(|sum| simd.reduce_sum_f64s(*sum)).sum()
    }
}

criterion_group!(kernels, single_call, wide, dense, room, transposed, sensing);
criterion_main!(kernels);
