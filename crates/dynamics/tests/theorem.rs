//! The invariant-subspace theorem (paper, Theorem 2.1) for each case of the experiment `invariant-subspace`: block
//! structure, the recursion of ρ, and the distance of the compressed network from the original.

use dynamics::compression::compress_exact;
use dynamics::random::stream;
use dynamics::subspace::{InvariantSubspace, step_rho};
use dynamics::trajectory::product_distance;
use dynamics::{
    DeepFactorization, Factorization, Initialization, LossForm, Method, Objective, Observed, Optimizer, Target,
};
use faer::Par;

struct Case {
    d: usize,
    rank: usize,
    depth: usize,
    scale: f64,
    decay: f64,
    step: f64,
    iterations: usize,
}

const fn case(d: usize, rank: usize, depth: usize, scale: f64, decay: f64, step: f64, iterations: usize) -> Case {
    Case { d, rank, depth, scale, decay, step, iterations }
}

const CASES: [Case; 6] = [
    case(30, 3, 3, 1.0, 0.0, 1e-3, 2000),
    case(30, 3, 3, 1.0, 1e-3, 1e-3, 2000),
    case(30, 3, 2, 0.1, 0.0, 1e-2, 2000),
    case(30, 3, 4, 0.5, 1e-4, 1e-3, 2000),
    case(100, 5, 3, 0.1, 0.0, 1e-3, 2000),
    case(100, 5, 3, 0.01, 0.0, 5e-3, 2000),
];

fn setting(case: &Case) -> (Objective, DeepFactorization) {
    let mut rng = stream(21, &["theorem"]);
    let target = Target::gaussian(case.d, case.d, case.rank, &mut rng).unwrap();
    let objective = Objective::new(target, Observed::Full, LossForm::Sum).unwrap();
    let shape = (case.d, case.d);
    let orthogonal = Initialization::Orthogonal;
    let model = DeepFactorization::draw(shape, case.depth, case.d, orthogonal, case.scale, &mut rng).unwrap();
    (objective, model)
}

#[test]
#[should_panic(expected = "factors have the numbers 1 to 3, not 4")]
fn there_is_no_factor_beyond_the_last() {
    let (_, model) = setting(&CASES[0]);
    model.factor(4);
}

#[test]
fn a_target_that_is_not_square_has_no_invariant_subspace() {
    let (_, model) = setting(&CASES[0]);
    let target = Target::gaussian(29, 30, 3, &mut stream(21, &["not square"])).unwrap();
    let error = InvariantSubspace::new(&model, &target).err().unwrap().to_string();
    assert!(error.contains("29 × 30, not square"), "{error}");
}

#[test]
fn blocks_rho_and_compression_hold_along_gradient_descent() {
    for case in &CASES {
        let (objective, mut original) = setting(case);
        let target = objective.target();
        let subspace = InvariantSubspace::new(&original, target).unwrap();
        let mut compressed = compress_exact(&original, target).unwrap();
        let optimizer = Optimizer::new(Method::GradientDescent, case.step, case.decay).unwrap();
        let (mut first, mut second) = (optimizer.clone(), optimizer);
        let (mut work1, mut work2) = (objective.workspace(case.d), objective.workspace(2 * case.rank));
        let mut rho = subspace.scales().to_vec();
        let start = original.loss_and_gradients(&objective, &mut work1, Par::Seq);
        for t in 0..case.iterations {
            original.loss_and_gradients(&objective, &mut work1, Par::Seq);
            compressed.loss_and_gradients(&objective, &mut work2, Par::Seq);
            if t % 250 == 0 {
                check(case, t, &original, &compressed, &subspace, &rho);
            }
            first.step(&mut original, Par::Seq);
            second.step(&mut compressed, Par::Seq);
            step_rho(&mut rho, case.step, case.decay);
        }
        let end = original.loss_and_gradients(&objective, &mut work1, Par::Seq);
        assert!(end < 0.9 * start, "nothing was learned: {start} → {end}");
    }
}

fn check(
    case: &Case,
    t: usize,
    original: &DeepFactorization,
    compressed: &impl Factorization,
    subspace: &InvariantSubspace,
    rho: &[f64],
) {
    for l in 1..=case.depth {
        let found = subspace.block_structure(l, original.factor(l).as_ref());
        assert!(found.residual < 1e-11, "W_{l} at {t}: block residual {:e}", found.residual);
        let relative = (found.rho / rho[l - 1] - 1.0).abs();
        assert!(relative < 1e-11, "W_{l} at {t}: ρ off by {relative:e}");
    }
    let expected = (subspace.frozen() as f64).sqrt() * rho.iter().product::<f64>();
    let found = product_distance(original, compressed, Par::Seq);
    let rounding = 1e-12 * original.end_to_end().norm_l2();
    assert!((found - expected).abs() < 1e-9 * expected + rounding, "at {t}: {found:e} against {expected:e}");
}

#[test]
fn heavy_ball_keeps_the_structure_and_adam_does_not() {
    for (method, keeps) in
        [(Method::HeavyBall { momentum: 0.9 }, true), (Method::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }, false)]
    {
        let (objective, mut model) = setting(&CASES[0]);
        let subspace = InvariantSubspace::new(&model, objective.target()).unwrap();
        let mut optimizer = Optimizer::new(method, 1e-3, 0.0).unwrap();
        let mut workspace = objective.workspace(model.inner_width());
        for _ in 0..300 {
            model.loss_and_gradients(&objective, &mut workspace, Par::Seq);
            optimizer.step(&mut model, Par::Seq);
        }
        let residual = subspace.block_structure(2, model.factor(2).as_ref()).residual;
        assert_eq!(residual < 1e-11, keeps, "{method:?}: {residual:e}");
    }
}
