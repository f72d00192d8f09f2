//! The theorem along the training of a small network.

use lab::checked::{Count, Depth, Momentum, NotNegative, Positive, Size, Steps};

use super::*;
use crate::matrix::{MethodSettings, OptimizerSettings};

fn outcome(method: MethodSettings) -> TheoremOutcome {
    let (step_size, weight_decay) = (Positive::new(0.01).unwrap(), NotNegative::new(0.01).unwrap());
    let case = TheoremCase {
        name: "small".to_owned(),
        size: Size::new(9).unwrap(),
        rank: Count::new(2).unwrap(),
        depth: Depth::new(3).unwrap(),
        init_scale: Positive::new(0.7).unwrap(),
        layer_scales: [0.5, 1.0, 1.5].map(|scale| Positive::new(scale).unwrap()).to_vec(),
        iterations: Steps::new(47).unwrap(),
        optimizer: OptimizerSettings { method, step_size, weight_decay },
    };
    case.check("case").unwrap();
    let trial = TheoremTrial { experiment: "test", seed: 0, trial: 0, case, record_every: 10 };
    trial.run(&(), &TrialContext::silent(1)).unwrap()
}

#[test]
fn the_theorem_holds_along_gradient_descent_with_weight_decay() {
    let outcome = outcome(MethodSettings::GradientDescent);
    let iterations: Vec<_> = outcome.records.iter().map(|record| record.iteration).collect();
    assert_eq!(iterations, [0, 10, 20, 30, 40, 47]);
    for record in &outcome.records {
        let recursion = record.rho_recursion.as_ref().unwrap();
        for l in 0..3 {
            assert!(record.block_residuals[l] < 1e-13);
            assert!((record.rho[l] / recursion[l] - 1.0).abs() < 1e-13);
        }
        let predicted = 5f64.sqrt() * recursion.iter().product::<f64>();
        assert!((record.distance / predicted - 1.0).abs() < 1e-12);
    }
    let last = outcome.records.last().unwrap();
    assert!(last.training_loss < 0.9 * outcome.records[0].training_loss);
    assert!(last.rho[0] < 0.65, "ρ did not move: {}", last.rho[0]);
}

#[test]
fn other_methods_have_no_recursion() {
    let adam = outcome(MethodSettings::Adam {
        beta1: Momentum::new(0.9).unwrap(),
        beta2: Momentum::new(0.999).unwrap(),
        epsilon: Positive::new(1e-8).unwrap(),
    });
    let last = adam.records.last().unwrap();
    assert!(last.rho_recursion.is_none() && last.block_residuals[1] > 1e-3);
}
