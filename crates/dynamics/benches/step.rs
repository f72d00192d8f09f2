//! One full iteration (loss, all gradients, gradient-descent step) at the paper's sizes, on all threads.
//!
//! The benchmark's thread is one of the pool's, as that of a trial is: handing work to the pool from outside would wake two
//! threads several times in an iteration, about 30 µs of a compressed one's 300 µs.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use dynamics::compression::compress;
use dynamics::random::stream;
use dynamics::{
    DeepFactorization, Factorization, FixedFactorization, Initialization, LossForm, Objective, Observed, Optimizer,
    Target,
};
use faer::Par;

/// Small enough to leave the network where it starts: the cost of an iteration does not depend on it.
const STEP_SIZE: f64 = 1e-3;
const DEPTH: usize = 3;
const SCALE: f64 = 1e-3;

fn objective(size: usize, rank: usize, fraction: f64) -> Objective {
    let mut rng = stream(1, &["bench"]);
    let target = Target::gaussian(size, size, rank, &mut rng).expect("a target");
    let observed = Observed::uniform(size, size, fraction, &mut rng).expect("observed entries");
    Objective::new(target, observed, LossForm::Mean).expect("an objective")
}

fn deep(size: usize, width: usize) -> DeepFactorization {
    let mut rng = stream(1, &["bench", "factors"]);
    DeepFactorization::draw((size, size), DEPTH, width, Initialization::Orthogonal, SCALE, &mut rng).expect("a network")
}

fn iteration<F: Factorization>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: &str,
    mut model: F,
    objective: &Objective,
    par: Par,
) {
    let mut workspace = objective.workspace(model.inner_width());
    let mut optimizer = Optimizer::gradient_descent(STEP_SIZE).expect("a step size");
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            black_box(model.loss_and_gradients(objective, &mut workspace, par));
            optimizer.step(&mut model, par);
        });
    });
}

fn step(criterion: &mut Criterion) {
    rayon::ThreadPoolBuilder::new().use_current_thread().build_global().expect("the pool has not been used before");
    let all = Par::rayon(0);
    let large = objective(1000, 10, 0.2);
    let mut group = criterion.benchmark_group("original");
    group.sample_size(20).measurement_time(Duration::from_secs(10));
    iteration(&mut group, "d1000", deep(1000, 1000), &large, all);
    let small = objective(100, 10, 0.3);
    iteration(&mut group, "d100-w100", deep(100, 100), &small, all);
    group.finish();

    let mut group = criterion.benchmark_group("original-full");
    group.sample_size(20).measurement_time(Duration::from_secs(10));
    iteration(&mut group, "d1000", deep(1000, 1000), &objective(1000, 10, 1.0), all);
    group.finish();

    let compressed = |rank, discrepancy| {
        compress(&mut deep(1000, 1000), &large, rank, discrepancy, all).expect("a compressed network")
    };
    let mut group = criterion.benchmark_group("compressed");
    iteration(&mut group, "d1000-r5", compressed(5, 0.01), &large, all);
    iteration(&mut group, "d1000-r20", compressed(20, 0.01), &large, all);
    group.finish();

    let mut group = criterion.benchmark_group("compressed-fixed");
    let fixed = FixedFactorization::new(&compressed(5, 0.0), &large).expect("fixed bases");
    iteration(&mut group, "d1000-r5", fixed, &large, all);
    group.finish();

    let mut group = criterion.benchmark_group("narrow");
    iteration(&mut group, "d1000-w10", deep(1000, 10), &large, all);
    iteration(&mut group, "d100-w10", deep(100, 10), &small, all);
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
