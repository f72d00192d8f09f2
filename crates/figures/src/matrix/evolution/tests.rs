//! What moves in a small network.

use lab::checked::{Count, Fraction, Momentum, NotNegative, Positive, Size};

use super::*;
use crate::matrix::MethodSettings;

fn movement(method: MethodSettings, layer: usize) -> Movement {
    let trial = EvolutionTrial {
        experiment: "test",
        seed: 0,
        trial: 0,
        problem: ProblemSettings {
            size: Size::new(9).unwrap(),
            rank: Count::new(2).unwrap(),
            observed_fraction: Fraction::new(1.0).unwrap(),
            loss: LossSettings::Sum,
            draw: DrawSettings::Seeded,
        },
        depth: 3,
        init_scale: 1.0,
        iterations: 20,
        optimizer: OptimizerSettings {
            method,
            step_size: Positive::new(3e-3).unwrap(),
            weight_decay: NotNegative::new(0.0).unwrap(),
        },
    };
    let rows = evolution_rows("small", 0, &trial.run(&(), &TrialContext::silent(1)).unwrap());
    assert_eq!(rows.len(), 3 * 21 * 9);
    let rows: Vec<_> = rows.iter().filter(|row| row.layer == layer).collect();
    Movement::new(&rows, 2).unwrap()
}

#[test]
fn the_middle_keeps_together_under_gradient_descent_and_not_under_adam() {
    for layer in 1..=3 {
        let found = movement(MethodSettings::GradientDescent, layer);
        assert!(found.middle_spread < 1e-13 && found.middle_angles.iter().all(|angle| *angle < 1e-11), "{found:?}");
        assert!(found.edge_separation > 1e-2 && found.edge_angles.iter().all(|angle| *angle > 1e-2), "{found:?}");
        assert!(found.middle_change > 1e-3 && found.middle_change < found.largest_change, "{found:?}");
    }
    let [beta1, beta2] = [0.9, 0.999].map(|decay| Momentum::new(decay).unwrap());
    let adam = MethodSettings::Adam { beta1, beta2, epsilon: Positive::new(1e-8).unwrap() };
    let found = movement(adam, 1);
    assert!(found.middle_spread > 1e-3 && found.middle_angles[0] > 1e-2, "{found:?}");
}

#[test]
fn without_middle_rows_nothing_is_measured() {
    assert_eq!(Movement::new(&[], 2), None);
}

#[test]
fn the_worst_of_two_shows_the_largest_change_and_hides_no_nan() {
    let one = movement(MethodSettings::GradientDescent, 1);
    let far = Movement { largest_change: 2.0 * one.largest_change, ..one };
    assert_eq!(one.worst(far).largest_change, far.largest_change);
    let lost = Movement { middle_spread: f64::NAN, edge_angles: [f64::NAN; 2], ..one };
    for worst in [one.worst(lost), lost.worst(one)] {
        assert!(worst.middle_spread.is_nan() && worst.edge_angles.iter().all(|angle| angle.is_nan()), "{worst:?}");
        assert!(!worst.values_are_confined() && !worst.vectors_are_confined(Side::Right), "{worst:?}");
    }
}

/// Most singular values are equal all the way. faer's iteration goes round in circles on the third factor of iteration 234.
#[test]
fn many_decompositions_of_factors_with_equal_singular_values() {
    use lab::Experiment;

    let settings = crate::matrix::given::settings("svd-evolution", "paper");
    let plan = crate::svd_evolution::SvdEvolution::plan(&settings, &()).unwrap();
    let heavy_ball = |trial: &EvolutionTrial| matches!(trial.optimizer.method, MethodSettings::HeavyBall { .. });
    let trial = plan.into_iter().map(|planned| planned.trial).find(heavy_ball).unwrap();
    let outcome = EvolutionTrial { iterations: 240, ..trial }.run(&(), &TrialContext::silent(1)).unwrap();
    let rows = evolution_rows("heavy ball", 0, &outcome);
    let rows: Vec<_> = rows.iter().filter(|row| row.layer == 3).collect();
    let found = Movement::new(&rows, 3).unwrap();
    assert!(found.middle_spread < 1e-11, "{found:?}");
}
