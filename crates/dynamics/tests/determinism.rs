//! The same run has the same bits whatever the number of threads.

use dynamics::compression::{compress, spectral};
use dynamics::dense::matmul;
use dynamics::random::{gaussian, stream};
use dynamics::{
    CompressedFactorization, DeepFactorization, Factorization, FixedFactorization, Initialization, LossForm, Method,
    Objective, Observed, Observer, Optimizer, Record, Schedule, Target, train,
};
use faer::{Accum, Mat, Par};

/// The bits of everything a run shows: the losses of all iterations, errors of all records, the final factors.
type Bits = Vec<u64>;

struct Recorder<'a> {
    objective: &'a Objective,
    par: Par,
    bits: Bits,
}

impl<F: Factorization> Observer<F> for Recorder<'_> {
    fn iteration(&mut self, _: u64, loss: f64) {
        self.bits.push(loss.to_bits());
    }

    fn record(&mut self, record: &Record<'_, F>) {
        let (p, q) = record.model.halves();
        self.bits.push(self.objective.recovery_error(p, q, self.par).to_bits());
        self.bits.push(self.objective.relative_error(p, q, self.par).to_bits());
    }
}

fn bits_of(matrix: &Mat<f64>) -> impl Iterator<Item = u64> + '_ {
    matrix.col_iter().flat_map(|column| column.iter().map(|x| x.to_bits()))
}

fn objective(d: usize, fraction: f64, rank: usize) -> Objective {
    let mut rng = stream(61, &["determinism"]);
    let target = Target::gaussian(d, d, rank, &mut rng).unwrap();
    let observed = Observed::uniform(d, d, fraction, &mut rng).unwrap();
    Objective::new(target, observed, LossForm::Mean).unwrap()
}

fn network(objective: &Objective, width: usize) -> DeepFactorization {
    let d = objective.target().d_in();
    let mut rng = stream(62, &["network"]);
    DeepFactorization::draw((d, d), 3, width, Initialization::Orthogonal, 0.1, &mut rng).unwrap()
}

fn bits_of_run<F: Factorization>(
    mut model: F,
    objective: &Objective,
    method: Method,
    step: f64,
    iterations: u64,
    par: Par,
    factors: impl Fn(&F) -> Vec<Mat<f64>>,
) -> Bits {
    let mut recorder = Recorder { objective, par, bits: Vec::new() };
    let mut optimizer = Optimizer::new(method, step, 1e-6).unwrap();
    let schedule = Schedule { max_iterations: iterations, tolerance: 0.0, record_every: 5 };
    train(&mut model, objective, &mut optimizer, schedule, &mut recorder, par).unwrap();
    for factor in factors(&model) {
        recorder.bits.extend(bits_of(&factor));
    }
    recorder.bits
}

fn layers(model: &DeepFactorization) -> Vec<Mat<f64>> {
    (1..=model.depth()).map(|l| model.factor(l)).collect()
}

fn bases_and_core(model: &CompressedFactorization) -> Vec<Mat<f64>> {
    [vec![model.left(), model.right()], model.core().to_vec()].concat()
}

/// Sequential, sequential inside a pool of threads, and with as many tasks as threads, fewer, and more.
fn check(what: &str, run: impl Fn(Par) -> Bits + Sync) {
    let expected = run(Par::Seq);
    assert!(expected.iter().all(|bits| f64::from_bits(*bits).is_finite()), "{what}");
    for (threads, par) in [(2, Par::Seq), (2, Par::rayon(2)), (3, Par::rayon(2)), (1, Par::rayon(3))] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let same = pool.install(|| run(par)) == expected;
        assert!(same, "{what}: other bits with {par:?} in a pool of {threads}");
    }
}

#[test]
fn deep_completion() {
    let objective = objective(200, 0.2, 5);
    for width in [200, 37] {
        check(&format!("width {width}"), |par| {
            let model = network(&objective, width);
            bits_of_run(model, &objective, Method::GradientDescent, 100.0, 12, par, layers)
        });
    }
}

#[test]
fn deep_full_observation() {
    let objective = objective(200, 1.0, 5);
    check("full observation", |par| {
        bits_of_run(network(&objective, 200), &objective, Method::GradientDescent, 100.0, 12, par, layers)
    });
}

/// Products and gradients of a size that two threads share by halves.
#[test]
fn deep_completion_of_middle_size() {
    let objective = objective(100, 0.3, 5);
    check("d = 100", |par| {
        bits_of_run(network(&objective, 100), &objective, Method::GradientDescent, 100.0, 12, par, layers)
    });
}

#[test]
fn products_shared_by_halves() {
    let mut rng = stream(63, &["products"]);
    for (m, n, k) in [
        (100, 100, 100),
        (40, 1000, 40),
        (40, 40, 1000),
        (1000, 40, 40),
        (77, 129, 90),
        (300, 9, 250),
        (160, 34, 120),
        (2, 1000, 300),
    ] {
        let [a, at, b, bt] = [(m, k), (k, m), (k, n), (n, k)].map(|(rows, columns)| gaussian(rows, columns, &mut rng));
        let start = gaussian(m, n, &mut rng);
        for lhs in [a.as_ref(), at.transpose()] {
            for rhs in [b.as_ref(), bt.transpose()] {
                check(&format!("{m} × {n} × {k}"), |par| {
                    let mut product = start.clone();
                    matmul(product.as_mut(), Accum::Add, lhs, rhs, 0.5, par);
                    bits_of(&product).collect()
                });
            }
        }
    }
}

/// Factors large enough for their update to be spread over threads.
#[test]
fn every_optimizer_on_large_factors() {
    let objective = objective(380, 0.1, 5);
    for method in [
        Method::GradientDescent,
        Method::HeavyBall { momentum: 0.9 },
        Method::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
        Method::RmsProp { alpha: 0.99, epsilon: 1e-8 },
    ] {
        check(&format!("{method:?}"), |par| {
            bits_of_run(network(&objective, 380), &objective, method, 1e-3, 2, par, layers)
        });
    }
}

/// From the construction on: inner width 10, discrepant and fixed bases, and the spectral initialization.
#[test]
fn compressed_completion() {
    let objective = objective(300, 0.3, 5);
    let descent = Method::GradientDescent;
    for gamma in [0.01, 0.0] {
        check(&format!("γ = {gamma}"), |par| {
            let model = compress(&mut network(&objective, 300), &objective, 5, gamma, par).unwrap();
            bits_of_run(model, &objective, descent, 300.0, 20, par, bases_and_core)
        });
    }
    check("fixed bases", |par| {
        let model = compress(&mut network(&objective, 300), &objective, 5, 0.0, par).unwrap();
        let fixed = FixedFactorization::new(&model, &objective).unwrap();
        bits_of_run(fixed, &objective, descent, 300.0, 20, par, |model| model.core().to_vec())
    });
    check("spectral", |par| {
        let model = spectral(&objective, 10, 3, 0.1, 0.01).unwrap();
        bits_of_run(model, &objective, descent, 300.0, 20, par, bases_and_core)
    });
}

/// So large that the residual of all entries is shared between threads, in panels of which the last is incomplete.
#[test]
fn the_dense_residual_has_the_same_bits_and_is_the_plain_one() {
    let d = 400;
    let objective = objective(d, 1.0, 3);
    let mut rng = stream(63, &["halves"]);
    let (p, q) = (gaussian(5, d, &mut rng), gaussian(5, d, &mut rng));
    let answer = |par| {
        let (mut dp, mut dq) = (Mat::zeros(5, d), Mat::zeros(5, d));
        let mut workspace = objective.workspace(5);
        let (dp_to, dq_to) = (Some(dp.as_mut()), Some(dq.as_mut()));
        let loss = objective.loss_and_gradients(p.as_ref(), q.as_ref(), dp_to, dq_to, &mut workspace, par);
        (loss, dp, dq)
    };
    let (loss, dp, dq) = answer(Par::Seq);
    for threads in [2, 3] {
        let (shared, shared_dp, shared_dq) = answer(Par::rayon(threads));
        assert_eq!(loss.to_bits(), shared.to_bits(), "{threads} threads");
        assert!(bits_of(&dp).eq(bits_of(&shared_dp)) && bits_of(&dq).eq(bits_of(&shared_dq)), "{threads} threads");
    }
    let residual = p.transpose() * &q - objective.target().dense();
    let expected = residual.squared_norm_l2() / (2 * d * d) as f64;
    assert!((loss - expected).abs() < 1e-13 * expected, "{loss} against {expected}");
}
