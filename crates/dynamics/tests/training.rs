//! The training loop: what it records, when it stops, what it changes.

use std::time::Duration;

use dynamics::random::{gaussian, haar, stream};
use dynamics::training::DIVERGENCE_FACTOR;
use dynamics::{
    CompressedFactorization, DeepFactorization, DynamicsError, Factorization, Initialization, LossForm, Method,
    Objective, Observed, Observer, Optimizer, Outcome, Record, Schedule, Stop, Target, train,
};
use faer::{Mat, Par};
use proptest::prelude::*;

const STEP: f64 = 3.0;

fn objective() -> Objective {
    let mut rng = stream(51, &["training"]);
    let target = Target::gaussian(12, 10, 2, &mut rng).unwrap();
    let observed = Observed::uniform(12, 10, 0.7, &mut rng).unwrap();
    Objective::new(target, observed, LossForm::Mean).unwrap()
}

fn network() -> DeepFactorization {
    let mut rng = stream(52, &["network"]);
    DeepFactorization::draw((12, 10), 3, 11, Initialization::Orthogonal, 0.5, &mut rng).unwrap()
}

/// Everything an observer is shown.
#[derive(Debug, Default, PartialEq)]
struct Log {
    every: Vec<(u64, f64)>,
    records: Vec<(u64, f64)>,
}

impl<F> Observer<F> for Log {
    fn iteration(&mut self, iteration: u64, loss: f64) {
        self.every.push((iteration, loss));
    }

    fn record(&mut self, record: &Record<'_, F>) {
        self.records.push((record.iteration, record.loss));
    }
}

fn run(max_iterations: u64, tolerance: f64, record_every: u64) -> (Outcome, Log, DeepFactorization) {
    let (mut model, mut log) = (network(), Log::default());
    let mut optimizer = Optimizer::gradient_descent(STEP).unwrap();
    let schedule = Schedule { max_iterations, tolerance, record_every };
    let outcome = train(&mut model, &objective(), &mut optimizer, schedule, &mut log, Par::Seq).unwrap();
    (outcome, log, model)
}

/// The loss after t steps, t = 0, 1, …, and the network after `steps`.
fn by_hand(steps: u64) -> (Vec<f64>, DeepFactorization) {
    let (objective, mut model) = (objective(), network());
    let mut workspace = objective.workspace(model.inner_width());
    let mut optimizer = Optimizer::gradient_descent(STEP).unwrap();
    let mut losses = vec![model.loss_and_gradients(&objective, &mut workspace, Par::Seq)];
    for _ in 0..steps {
        optimizer.step(&mut model, Par::Seq);
        losses.push(model.loss_and_gradients(&objective, &mut workspace, Par::Seq));
    }
    (losses, model)
}

fn same_factors(a: &DeepFactorization, b: &DeepFactorization) -> bool {
    (1..=a.depth()).all(|l| a.factor(l) == b.factor(l))
}

/// The loss shown at t is that after t steps; the model ends where its last loss was measured.
#[test]
fn losses_are_those_after_as_many_steps() {
    let (losses, model) = by_hand(40);
    let (outcome, log, trained) = run(40, 0.0, 7);
    assert!(losses[40] < 0.1 * losses[0], "nothing was learned");
    let expected: Vec<_> = (0..).zip(losses).collect();
    assert_eq!(log.every, expected);
    assert_eq!(outcome.loss, expected[40].1);
    assert!(same_factors(&model, &trained));
}

#[test]
fn records_come_at_multiples_and_at_the_end() {
    for (max, every, expected) in [
        (23, 10, vec![0, 10, 20, 23]),
        (20, 10, vec![0, 10, 20]),
        (3, 1, vec![0, 1, 2, 3]),
        (3, 100, vec![0, 3]),
        (0, 5, vec![0]),
    ] {
        let (outcome, log, _) = run(max, 0.0, every);
        assert_eq!(log.records.iter().map(|record| record.0).collect::<Vec<_>>(), expected);
        assert!(log.records.iter().all(|record| log.every[record.0 as usize] == *record));
        assert_eq!((outcome.iterations, outcome.stop), (max, Stop::Iterations));
        assert_eq!(outcome.loss, log.records.last().unwrap().1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The run ends at the first RECORDED loss below the tolerance, or else with its iterations.
    #[test]
    fn tolerance_counts_at_recorded_iterations_only(max in 0u64..120, every in 1u64..40, exponent in -5f64..-0.5) {
        let (losses, _) = by_hand(max);
        let tolerance = 10f64.powf(exponent);
        let below = |t: &u64| losses[*t as usize] < tolerance;
        let recorded = (0..=max).filter(|t| t % every == 0 || *t == max);
        let expected = recorded.clone().find(below).map_or((max, Stop::Iterations), |t| (t, Stop::Tolerance));
        let (outcome, log, _) = run(max, tolerance, every);
        prop_assert_eq!((outcome.iterations, outcome.stop), expected);
        prop_assert_eq!(outcome.loss, losses[expected.0 as usize]);
        let expected: Vec<_> = recorded.filter(|t| *t <= expected.0).collect();
        prop_assert_eq!(log.records.iter().map(|record| record.0).collect::<Vec<_>>(), expected);
    }
}

/// One case of the above by hand, since a random one may never cross between records.
#[test]
fn a_loss_below_tolerance_between_records_does_not_stop_the_run() {
    let (losses, _) = by_hand(100);
    let tolerance = 0.5 * (losses[41] + losses[42]);
    assert!(losses[42] < tolerance && losses.is_sorted_by(|a, b| a > b));
    let (outcome, _, _) = run(100, tolerance, 20);
    assert_eq!((outcome.iterations, outcome.stop), (60, Stop::Tolerance));
    let (outcome, _, _) = run(42, tolerance, 20);
    assert_eq!((outcome.iterations, outcome.stop), (42, Stop::Tolerance));
}

fn failing(model: &mut DeepFactorization, step: f64, record_every: u64) -> (DynamicsError, Log) {
    let mut log = Log::default();
    let mut optimizer = Optimizer::gradient_descent(step).unwrap();
    let schedule = Schedule { max_iterations: 1000, tolerance: 0.0, record_every };
    let error = train(model, &objective(), &mut optimizer, schedule, &mut log, Par::Seq).unwrap_err();
    (error, log)
}

/// A step that is too large, and much too large, is named with the iteration, whether or not it is a recorded one.
#[test]
fn divergence_is_an_error_that_names_the_iteration() {
    for step in [40.0, 1e3, 1e80] {
        let (error, log) = failing(&mut network(), step, 1000);
        let DynamicsError::Diverged { iteration, loss } = error else { panic!("step {step}: {error}") };
        assert!(iteration > 0 && iteration < 1000, "step {step}: {iteration}");
        let limit = DIVERGENCE_FACTOR * log.every[0].1;
        assert!(!loss.is_finite() || loss > limit, "step {step}: {loss}");
        assert_eq!(log.every.len() as u64, iteration, "the observer saw the divergence, or less than what came before");
        assert!(log.every.iter().all(|(_, loss)| *loss <= limit), "step {step}");
        assert_eq!(log.records.len(), 1);
        assert!(error.to_string().contains(&format!("iteration {iteration}")));
    }
}

#[test]
fn a_start_that_is_not_finite_diverges_at_once() {
    for bad in [f64::NAN, f64::INFINITY] {
        let mut factors: Vec<_> = (1..=3).map(|l| network().factor(l)).collect();
        factors[1][(3, 4)] = bad;
        let (error, log) = failing(&mut DeepFactorization::new(factors).unwrap(), STEP, 10);
        assert!(matches!(error, DynamicsError::Diverged { iteration: 0, .. }), "{error}");
        assert_eq!(log, Log::default());
    }
}

#[test]
fn schedules_and_optimizers_refuse_what_makes_no_sense() {
    assert_eq!(failing(&mut network(), STEP, 0).0, DynamicsError::RecordEvery);
    let descent = Method::GradientDescent;
    for step in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        assert!(matches!(Optimizer::new(descent, step, 0.0), Err(DynamicsError::StepSize(_))), "{step}");
        assert!(matches!(Optimizer::gradient_descent(step), Err(DynamicsError::StepSize(_))), "{step}");
    }
    for decay in [-1e-9, f64::INFINITY, f64::NAN] {
        assert!(matches!(Optimizer::new(descent, 0.1, decay), Err(DynamicsError::WeightDecay(_))), "{decay}");
    }
    for rate in [-0.1, 1.0, f64::NAN] {
        for method in [
            Method::HeavyBall { momentum: rate },
            Method::Adam { beta1: rate, beta2: 0.9, epsilon: 1e-8 },
            Method::Adam { beta1: 0.9, beta2: rate, epsilon: 1e-8 },
            Method::RmsProp { alpha: rate, epsilon: 1e-8 },
        ] {
            assert!(matches!(Optimizer::new(method, 0.1, 0.0), Err(DynamicsError::Decay(_))), "{method:?}");
        }
    }
}

#[test]
fn networks_refuse_factors_that_do_not_fit() {
    let zeros = |rows, columns| Mat::<f64>::zeros(rows, columns);
    let attempt = |factors| DeepFactorization::new(factors).unwrap_err().to_string();
    assert!(attempt(vec![zeros(3, 3)]).contains("depth of 1"));
    assert!(attempt(vec![zeros(3, 4), zeros(5, 2)]).contains("W_2 is 5 × 2, but W_1 has 3 rows"));
    assert!(attempt(vec![zeros(3, 4), zeros(0, 3)]).contains("W_2 is 0 × 3"));
    let thin = |core| CompressedFactorization::from_factors(&zeros(6, 2), core, &zeros(5, 2), 0.0).unwrap_err();
    assert_eq!(thin(vec![]), DynamicsError::Depth(0));
    assert!(matches!(thin(vec![zeros(2, 2), zeros(3, 2)]), DynamicsError::Shape(_)));
}

/// An observer that takes its time, and keeps what it was told of it.
#[derive(Default)]
struct Slow(Vec<Duration>);

impl<F> Observer<F> for Slow {
    fn record(&mut self, record: &Record<'_, F>) {
        self.0.push(record.elapsed);
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn recording_is_not_counted_as_training_time() {
    let mut observer = Slow::default();
    let schedule = Schedule { max_iterations: 10, tolerance: 0.0, record_every: 5 };
    let mut optimizer = Optimizer::gradient_descent(STEP).unwrap();
    let outcome = train(&mut network(), &objective(), &mut optimizer, schedule, &mut observer, Par::Seq).unwrap();
    assert!(observer.0.is_sorted() && observer.0.last() == Some(&outcome.elapsed));
    assert!(outcome.elapsed > Duration::ZERO && outcome.elapsed < Duration::from_millis(100), "{outcome:?}");
}

fn compressed(discrepancy: f64) -> CompressedFactorization {
    let mut rng = stream(53, &["compressed"]);
    let (left, right) = (haar(12, 4, &mut rng), haar(10, 4, &mut rng));
    CompressedFactorization::new(&left, &right, &[0.5, 0.6, 0.7], discrepancy).unwrap()
}

const METHODS: [Method; 4] = [
    Method::GradientDescent,
    Method::HeavyBall { momentum: 0.9 },
    Method::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    Method::RmsProp { alpha: 0.99, epsilon: 1e-8 },
];

/// γ = 0: bases keep every bit, under every method and with weight decay, while all small factors move.
#[test]
fn fixed_bases_do_not_move() {
    for method in METHODS {
        let (start, mut model) = (compressed(0.0), compressed(0.0));
        let mut optimizer = Optimizer::new(method, 0.01, 0.1).unwrap();
        let schedule = Schedule { max_iterations: 30, tolerance: 0.0, record_every: 10 };
        train(&mut model, &objective(), &mut optimizer, schedule, &mut (), Par::Seq).unwrap();
        assert!(model.left() == start.left() && model.right() == start.right(), "{method:?}");
        assert!(model.core().iter().zip(start.core()).all(|(after, before)| *after != before), "{method:?}");
    }
}

/// One step moves small factors by `−η (g + λW)`, U and V by γ times that.
#[test]
fn the_discrepant_step_multiplies_the_step_of_the_bases() {
    let (step, gamma, decay) = (0.5, 0.03, 0.2);
    let (objective, mut model) = (objective(), compressed(gamma));
    let mut workspace = objective.workspace(model.inner_width());
    model.loss_and_gradients(&objective, &mut workspace, Par::Seq);
    let before = model.clone();
    Optimizer::new(Method::GradientDescent, step, decay).unwrap().step(&mut model, Par::Seq);
    let (left, core, right) = before.gradients();
    let check = |after: Mat<f64>, before: &Mat<f64>, gradient: &Mat<f64>, step: f64| {
        assert!(gradient.norm_l2() > 1e-3, "the gradient vanishes");
        let expected = before - (gradient + before * faer::Scale(decay)) * faer::Scale(step);
        assert!((after - expected).norm_l2() < 1e-15 * before.norm_l2());
    };
    check(model.left(), &before.left(), &left, gamma * step);
    check(model.right(), &before.right(), &right, gamma * step);
    for l in 0..3 {
        check(model.core()[l].clone(), &before.core()[l], &core[l], step);
    }
}

/// With two of three factors zero every gradient vanishes, and decay alone acts: `W ← (1 − ηλ) W`.
#[test]
fn weight_decay_alone_shrinks_geometrically() {
    let (step, decay) = (0.5, 0.02);
    let first = gaussian(11, 10, &mut stream(54, &["decay"]));
    let mut model = DeepFactorization::new(vec![first.clone(), Mat::zeros(11, 11), Mat::zeros(12, 11)]).unwrap();
    let mut optimizer = Optimizer::new(Method::GradientDescent, step, decay).unwrap();
    let schedule = Schedule { max_iterations: 100, tolerance: 0.0, record_every: 10 };
    let mut log = Log::default();
    train(&mut model, &objective(), &mut optimizer, schedule, &mut log, Par::Seq).unwrap();
    let expected = &first * faer::Scale((1.0 - step * decay).powi(100));
    assert!((model.factor(1) - &expected).norm_l2() < 1e-13 * expected.norm_l2());
    assert!(model.factor(2).norm_l2() == 0.0 && model.factor(3).norm_l2() == 0.0);
    assert!(log.every.iter().all(|(_, loss)| *loss == log.every[0].1), "the loss contains no decay penalty");
}
