//! The fixed-basis factorization against the general compressed one with γ = 0: same losses, same factors.

use dynamics::compression::{compress, compress_exact};
use dynamics::random::stream;
use dynamics::{
    DeepFactorization, Factorization, FixedFactorization, Initialization, LossForm, Objective, Observed, Optimizer,
    Target,
};
use faer::Par;

fn objective(fraction: f64) -> (Objective, DeepFactorization) {
    let mut rng = stream(31, &["fixed"]);
    let target = Target::gaussian(40, 40, 2, &mut rng).unwrap();
    let observed = Observed::uniform(40, 40, fraction, &mut rng).unwrap();
    let model = DeepFactorization::draw((40, 40), 3, 40, Initialization::Orthogonal, 0.1, &mut rng).unwrap();
    (Objective::new(target, observed, LossForm::Mean).unwrap(), model)
}

#[test]
fn follows_the_general_compressed_network() {
    for fraction in [1.0, 0.3] {
        let (objective, mut original) = objective(fraction);
        let mut general = if fraction == 1.0 {
            compress_exact(&original, objective.target()).unwrap()
        } else {
            compress(&mut original, &objective, 3, 0.0, Par::Seq).unwrap()
        };
        let mut fixed = FixedFactorization::new(&general, &objective).unwrap();
        let mut work = objective.workspace(general.inner_width());
        let mut optimizer = Optimizer::gradient_descent(10.0).unwrap();
        let first = general.loss_and_gradients(&objective, &mut work, Par::Seq);
        for t in 0..600 {
            let expected = general.loss_and_gradients(&objective, &mut work, Par::Seq);
            let found = fixed.loss_and_gradients(&objective, &mut work, Par::Seq);
            assert!((found - expected).abs() < 1e-11 * first, "{fraction} at {t}: {found:e} against {expected:e}");
            optimizer.step(&mut general, Par::Seq);
            optimizer.step(&mut fixed, Par::Seq);
        }
        let last = fixed.loss_and_gradients(&objective, &mut work, Par::Seq);
        assert!(last < 0.5 * first, "nothing was learned: {first:e} → {last:e}");
        fixed.refresh(Par::Seq);
        general.multiply(Par::Seq);
        let distance = (fixed.end_to_end() - general.end_to_end()).norm_l2();
        assert!(distance < 1e-9, "end-to-end products differ by {distance:e}");
        let (core, expected) = (&fixed.core()[1], &general.core()[1]);
        assert!((core - expected).norm_l2() < 1e-10 * expected.norm_l2());
    }
}

#[test]
fn too_few_entries_for_the_core_are_an_error() {
    let (objective, mut original) = objective(0.01);
    let general = compress(&mut original, &objective, 3, 0.0, Par::Seq).unwrap();
    let error = FixedFactorization::new(&general, &objective).unwrap_err().to_string();
    assert!(error.contains("16 observed entries do not determine a 6 × 6 core"), "{error}");
}
