//! Matrix sensing: loss and gradients against a plain loop over the measurements and central differences, bits, projected form,
//! constructions, errors.

use dynamics::compression::{compress, sampled, spectral, spectral_sparse};
use dynamics::kernel::{Kernel, cheapest_form};
use dynamics::random::{gaussian, haar, stream};
use dynamics::units::{Hyperparameters, largest_singular_value};
use dynamics::{
    CompressedFactorization, DeepFactorization, DynamicsError, Factorization, FixedFactorization, HeldOut,
    Initialization, LossForm, Measurements, Objective, Observed, Optimizer, Schedule, Target, train,
};
use faer::{Mat, Par};

fn measurements(d_out: usize, d_in: usize, count: usize, seed: u64) -> Measurements {
    Measurements::gaussian(d_out, d_in, count, &mut stream(seed, &["measurements"]), Par::Seq).unwrap()
}

fn objective(d_out: usize, d_in: usize, count: usize, form: LossForm) -> Objective {
    let target = Target::gaussian(d_out, d_in, 2, &mut stream(71, &["target"])).unwrap();
    Objective::new(target, Observed::Measurements(measurements(d_out, d_in, count, 72)), form).unwrap()
}

fn inner_product(a: faer::MatRef<'_, f64>, b: &Mat<f64>) -> f64 {
    (0..b.ncols()).map(|j| (0..b.nrows()).map(|i| a[(i, j)] * b[(i, j)]).sum::<f64>()).sum()
}

/// Loss and gradients at E = PᵀQ.
fn evaluate(objective: &Objective, p: &Mat<f64>, q: &Mat<f64>, par: Par) -> (f64, Mat<f64>, Mat<f64>) {
    let (mut dp, mut dq) = (Mat::zeros(p.nrows(), p.ncols()), Mat::zeros(q.nrows(), q.ncols()));
    let mut workspace = objective.workspace(p.nrows());
    let (to_p, to_q) = (Some(dp.as_mut()), Some(dq.as_mut()));
    let loss = objective.loss_and_gradients(p.as_ref(), q.as_ref(), to_p, to_q, &mut workspace, par);
    (loss, dp, dq)
}

/// Shapes whose entries and measurements do not come out even, fewer measurements than a block, several tasks.
#[test]
fn loss_and_gradients_are_those_of_a_plain_loop() {
    for (d_out, d_in, count) in [(1, 1, 1), (3, 5, 2), (7, 6, 4), (9, 9, 13), (40, 31, 1001)] {
        for form in [LossForm::Mean, LossForm::Sum] {
            let objective = objective_of_rank_one(d_out, d_in, count, form);
            let Observed::Measurements(measurements) = objective.observed() else { unreachable!("measured") };
            let mut rng = stream(73, &["factors"]);
            let (p, q) = (gaussian(3, d_out, &mut rng), gaussian(3, d_in, &mut rng));
            let (product, target) = (p.transpose() * &q, objective.target().dense());
            let weight = if form == LossForm::Mean { 1.0 / count as f64 } else { 1.0 };
            let (mut loss, mut gradient) = (0.0, Mat::<f64>::zeros(d_out, d_in));
            for i in 0..count {
                let matrix = measurements.matrix(i);
                let residual = inner_product(matrix, &product) - inner_product(matrix, &target);
                loss += 0.5 * weight * residual * residual;
                gradient += matrix * faer::Scale(weight * residual);
            }
            let (found, dp, dq) = evaluate(&objective, &p, &q, Par::Seq);
            let what = format!("{count} of {d_out} × {d_in}, {form:?}");
            assert!((found - loss).abs() < 1e-12 * loss, "{what}: {found} against {loss}");
            for (found, expected) in [(dp, &q * gradient.transpose()), (dq, &p * &gradient)] {
                assert!((found - &expected).norm_l2() < 1e-12 * expected.norm_l2(), "{what}");
            }
            let mut workspace = objective.workspace(3);
            let alone = objective.loss_and_gradients(p.as_ref(), q.as_ref(), None, None, &mut workspace, Par::Seq);
            assert_eq!(alone.to_bits(), found.to_bits(), "{what}: without gradients");
        }
    }
}

fn objective_of_rank_one(d_out: usize, d_in: usize, count: usize, form: LossForm) -> Objective {
    let target = Target::gaussian(d_out, d_in, 1, &mut stream(74, &["target"])).unwrap();
    Objective::new(target, Observed::Measurements(measurements(d_out, d_in, count, 75)), form).unwrap()
}

#[test]
fn gradients_match_central_differences() {
    const STEP: f64 = 1e-5;
    for (d_out, d_in, count) in [(7, 7, 30), (5, 8, 11)] {
        let objective = objective(d_out, d_in, count, LossForm::Mean);
        let mut rng = stream(76, &["factors"]);
        let (p, q) = (gaussian(4, d_out, &mut rng), gaussian(4, d_in, &mut rng));
        let (_, dp, dq) = evaluate(&objective, &p, &q, Par::Seq);
        for (is_left, factor, gradient) in [(true, &p, &dp), (false, &q, &dq)] {
            for j in 0..factor.ncols() {
                for i in 0..factor.nrows() {
                    let at = |by: f64| {
                        let mut moved = factor.clone();
                        moved[(i, j)] += by;
                        let (p, q) = if is_left { (&moved, &q) } else { (&p, &moved) };
                        evaluate(&objective, p, q, Par::Seq).0
                    };
                    let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                    let error = (difference - gradient[(i, j)]).abs() / gradient.norm_max();
                    assert!(error < 1e-8, "({i}, {j}): {} against {difference}", gradient[(i, j)]);
                }
            }
        }
    }
}

#[test]
fn draws_and_gradients_have_the_same_bits_for_any_number_of_threads() {
    let bits = |matrix: &Mat<f64>| -> Vec<u64> {
        matrix.col_iter().flat_map(|column| column.iter().map(|x| x.to_bits()).collect::<Vec<_>>()).collect()
    };
    let answer = |par: Par| {
        let measurements = Measurements::gaussian(70, 61, 333, &mut stream(77, &["bits"]), par).unwrap();
        let target = Target::gaussian(70, 61, 2, &mut stream(78, &["bits"])).unwrap();
        let objective = Objective::new(target, Observed::Measurements(measurements), LossForm::Mean).unwrap();
        let mut rng = stream(79, &["bits"]);
        let (loss, dp, dq) = evaluate(&objective, &gaussian(6, 70, &mut rng), &gaussian(6, 61, &mut rng), par);
        let values: Vec<u64> = objective.values().iter().map(|y| y.to_bits()).collect();
        (loss.to_bits(), values, bits(&dp), bits(&dq))
    };
    let expected = answer(Par::Seq);
    for (threads, par) in [(1, Par::rayon(3)), (2, Par::rayon(2)), (3, Par::rayon(3))] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| answer(par)) == expected, "{par:?} in a pool of {threads}");
    }
}

#[test]
fn entries_are_standard_normal_and_measurements_differ() {
    let drawn = measurements(30, 20, 50, 80);
    let moment = |power: i32| {
        let columns = (0..50).flat_map(|i| drawn.matrix(i).col_iter());
        columns.flat_map(|column| column.iter()).map(|x| x.powi(power)).sum::<f64>() / 30_000.0
    };
    assert!(moment(1).abs() < 0.03 && (moment(2) - 1.0).abs() < 0.03 && (moment(4) - 3.0).abs() < 0.3);
    assert!((0..50).all(|i| (0..i).all(|j| drawn.matrix(i) != drawn.matrix(j))));
}

/// Deep and compressed networks find the target; the errors over all entries say so.
#[test]
fn networks_recover_a_target_from_enough_measurements() {
    let objective = objective(20, 20, 300, LossForm::Mean);
    let sigma = objective.target().values()[0];
    let Hyperparameters { init_scale, step_size, discrepant_step } =
        Hyperparameters { init_scale: 0.03, step_size: 0.2, discrepant_step: 1.0 }.absolute(&objective, 3, sigma);
    let shape = (20, 20);
    let mut rng = stream(81, &["network"]);
    let mut original = DeepFactorization::draw(shape, 3, 20, Initialization::Orthogonal, init_scale, &mut rng).unwrap();
    let compressed = compress(&mut original, &objective, 2, discrepant_step, Par::Seq).unwrap();
    let spectral = spectral(&objective, 2, 3, init_scale, discrepant_step).unwrap();
    let models: [Box<dyn Factorization>; 3] = [Box::new(original), Box::new(compressed), Box::new(spectral)];
    for (number, mut model) in models.into_iter().enumerate() {
        let schedule = Schedule { max_iterations: 3000, tolerance: 1e-12, record_every: 10 };
        let mut optimizer = Optimizer::gradient_descent(step_size).unwrap();
        train(&mut model, &objective, &mut optimizer, schedule, &mut (), Par::Seq).unwrap();
        let (p, q) = model.halves();
        let relative = objective.relative_error(p, q, Par::Seq);
        assert!(relative < 1e-3, "network {number}: {relative:e}");
        let recovery = objective.recovery_error(p, q, Par::Seq);
        let expected = (relative * objective.target().norm()).powi(2) / 800.0;
        assert!((recovery / expected - 1.0).abs() < 1e-9, "{recovery:e} against {expected:e}");
    }
}

#[test]
fn fixed_bases_project_the_measurements_once() {
    for form in [LossForm::Mean, LossForm::Sum] {
        let objective = objective(20, 16, 60, form);
        let mut rng = stream(82, &["bases"]);
        let (left, right) = (haar(20, 4, &mut rng), haar(16, 4, &mut rng));
        let mut general = CompressedFactorization::new(&left, &right, &[0.5; 3], 0.0).unwrap();
        let mut chosen = cheapest_form(general.clone(), &objective);
        assert_eq!(format!("{:?}", chosen.workspace(&objective)), "Workspace(Nothing)");
        let mut workspace = objective.workspace(4);
        let step = 0.02 / (60.0 * objective.weight());
        let mut optimizer = Optimizer::gradient_descent(step).unwrap();
        let first = general.loss_and_gradients(&objective, &mut workspace, Par::Seq);
        for t in 0..300 {
            let expected = general.loss_and_gradients(&objective, &mut workspace, Par::Seq);
            let found = chosen.loss_and_gradients(&objective, &mut workspace, Par::Seq);
            assert!((found - expected).abs() < 1e-11 * first, "{t}: {found:e} against {expected:e}");
            optimizer.step(&mut general, Par::Seq);
            optimizer.step(&mut chosen, Par::Seq);
        }
        let last = chosen.loss_and_gradients(&objective, &mut workspace, Par::Seq);
        assert!(last < 0.9 * first, "nothing was learned: {first:e} → {last:e}");
        chosen.refresh(Par::Seq);
        general.multiply(Par::Seq);
        assert!((chosen.end_to_end() - general.end_to_end()).norm_l2() < 1e-9);
    }
}

/// Enough of them that a product with a vector would be split over threads.
#[test]
fn fixed_bases_have_the_same_bits_for_any_number_of_threads() {
    let objective = objective(60, 60, 1200, LossForm::Mean);
    let mut rng = stream(83, &["bases"]);
    let (left, right) = (haar(60, 10, &mut rng), haar(60, 10, &mut rng));
    let model = CompressedFactorization::new(&left, &right, &[0.5; 3], 0.0).unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let par = Par::rayon(threads);
            let mut fixed = cheapest_form(model.clone(), &objective);
            let mut workspace = fixed.workspace(&objective);
            let mut optimizer = Optimizer::gradient_descent(1e-3).unwrap();
            let step = |_| {
                let loss = fixed.loss_and_gradients(&objective, &mut workspace, par);
                optimizer.step(&mut fixed, par);
                loss
            };
            (0..20).map(step).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(3));
}

/// Fewer measurements than the core has entries: not the projected form.
#[test]
fn a_core_that_is_not_determined_stays_as_it_is() {
    let objective = objective(20, 20, 15, LossForm::Mean);
    let model = spectral(&objective, 4, 3, 0.5, 0.0).unwrap();
    let error = FixedFactorization::new(&model, &objective).unwrap_err().to_string();
    assert!(error.contains("15 measurements do not determine a 4 × 4 core"), "{error}");
    let chosen = cheapest_form(model, &objective);
    assert!(format!("{:?}", chosen.workspace(&objective)).starts_with("Workspace(Measured"));
    assert_eq!(Kernel::choose(objective.observed(), 4), Kernel::Measured);
}

/// The surrogate of very many measurements is near the target, and so are its singular vectors and its norm.
#[test]
fn the_surrogate_shows_the_target() {
    let known = objective(12, 10, 20_000, LossForm::Mean);
    let Observed::Measurements(measurements) = known.observed() else { unreachable!("measured") };
    let target = known.target().dense();
    let surrogate = measurements.surrogate(known.values());
    let mut plain = Mat::<f64>::zeros(12, 10);
    for (i, y) in known.values().iter().enumerate() {
        plain += measurements.matrix(i) * faer::Scale(y / 20_000.0);
    }
    assert!((&surrogate - &plain).norm_l2() < 1e-12 * plain.norm_l2());
    assert!((&surrogate - &target).norm_l2() < 0.2 * target.norm_l2());
    let model = spectral(&known, 2, 3, 0.1, 0.01).unwrap();
    let (u, v) = (model.left(), model.right());
    let kept = &u * (u.transpose() * &target * &v) * v.transpose();
    assert!((kept - &target).norm_l2() < 0.1 * target.norm_l2());
    let unknown = Objective::of_measurements(measurements.clone(), known.values().to_vec(), LossForm::Mean).unwrap();
    let mut rng = stream(83, &["sigma"]);
    let sigmas = [&known, &unknown].map(|objective| largest_singular_value(objective, &mut rng, Par::Seq).unwrap());
    assert_eq!(sigmas[0], known.target().values()[0]);
    assert!((sigmas[1] / sigmas[0] - 1.0).abs() < 0.1, "{sigmas:?}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut rng = stream(84, &["errors"]);
    for (d_out, d_in, count) in [(4, 5, 0), (0, 5, 3), (4, 0, 3)] {
        let error = Measurements::gaussian(d_out, d_in, count, &mut rng, Par::Seq).unwrap_err();
        assert_eq!(error, DynamicsError::MeasurementCount { count, d_out, d_in });
    }
    assert_eq!(Measurements::new(&[]).unwrap_err(), DynamicsError::MeasurementCount { count: 0, d_out: 0, d_in: 0 });
    let text = |error: DynamicsError| error.to_string();
    let uneven = [Mat::<f64>::zeros(2, 3), Mat::zeros(3, 2)];
    let error = text(Measurements::new(&uneven).unwrap_err());
    assert_eq!(error, "shapes do not fit: measurement 1 is 3 × 2, but the first is 2 × 3");
    let mut broken = [Mat::<f64>::zeros(2, 3), Mat::zeros(2, 3)];
    broken[1][(1, 2)] = f64::INFINITY;
    let error = text(Measurements::new(&broken).unwrap_err());
    assert_eq!(error, "measurement 1 has inf in it, not a finite number");

    let drawn = measurements(4, 5, 3, 85);
    let target = Target::gaussian(5, 4, 1, &mut rng).unwrap();
    let error = text(Objective::new(target, Observed::Measurements(drawn.clone()), LossForm::Mean).unwrap_err());
    assert_eq!(error, "shapes do not fit: measurements of a 4 × 5 matrix, but the target is 5 × 4");
    let of = |values: &[f64]| Objective::of_measurements(drawn.clone(), values.to_vec(), LossForm::Mean);
    assert_eq!(text(of(&[1.0, 2.0]).unwrap_err()), "shapes do not fit: 2 values of 3 measurements");
    let error = text(of(&[1.0, f64::NAN, 3.0]).unwrap_err());
    assert_eq!(error, "measurement 1 has NaN in it, not a finite number");
    assert!(of(&[1.0, 2.0, 3.0]).is_ok_and(|objective| objective.known_target().is_none()));
}

/// What is made for observed entries says so.
#[test]
fn constructions_for_entries_refuse_measurements() {
    let objective = objective(20, 20, 60, LossForm::Mean);
    let mut rng = stream(86, &["refused"]);
    let error = sampled(&objective, 2, 3, 0.1, 0.0, &mut rng, Par::Seq).unwrap_err().to_string();
    assert!(error.contains("a sampled construction needs a list of observed entries"), "{error}");
    let error = spectral_sparse(&objective, 2, 3, 0.1, 0.0, &mut rng, Par::Seq).unwrap_err().to_string();
    assert!(error.contains("a sparse construction needs a list of observed entries"), "{error}");
    assert_eq!(HeldOut::draw(&objective, 10, &mut rng).unwrap_err(), DynamicsError::NothingHeldOut(10));
}
