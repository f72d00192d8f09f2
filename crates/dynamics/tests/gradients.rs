//! Every gradient against central differences: all factors, both loss forms, full and partial observation, square and
//! rectangular shapes, deep and compressed.

use dynamics::random::{gaussian, haar, stream};
use dynamics::{CompressedFactorization, DeepFactorization, Factorization, LossForm, Objective, Observed, Target};
use faer::{Mat, Par};

const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-8;

fn objective(d_out: usize, d_in: usize, fraction: f64, form: LossForm) -> Objective {
    let mut rng = stream(7, &["gradients"]);
    let target = Target::gaussian(d_out, d_in, 2, &mut rng).unwrap();
    let observed = Observed::uniform(d_out, d_in, fraction, &mut rng).unwrap();
    Objective::new(target, observed, form).unwrap()
}

fn loss(model: &mut impl Factorization, objective: &Objective) -> f64 {
    let mut workspace = objective.workspace(model.inner_width());
    model.loss_and_gradients(objective, &mut workspace, Par::Seq)
}

/// Compares `gradient` with the differences of `loss_at(factor ± STEP in one entry)`.
fn check(factor: &Mat<f64>, gradient: &Mat<f64>, what: &str, mut loss_at: impl FnMut(Mat<f64>) -> f64) {
    let size = gradient.norm_max();
    assert!(size > 0.0, "{what}: the gradient is zero");
    for j in 0..factor.ncols() {
        for i in 0..factor.nrows() {
            let mut moved = |by: f64| {
                let mut copy = factor.clone();
                copy[(i, j)] += by;
                loss_at(copy)
            };
            let difference = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            let error = (difference - gradient[(i, j)]).abs() / size;
            assert!(error < TOLERANCE, "{what} ({i}, {j}): {} against {difference}", gradient[(i, j)]);
        }
    }
}

#[test]
fn deep_gradients_match_central_differences() {
    for (d_out, d_in, widths) in
        [(7, 7, vec![7]), (6, 9, vec![5, 4]), (9, 5, vec![9, 9]), (5, 8, vec![3, 6, 4, 7]), (4, 4, vec![70])]
    {
        for fraction in [1.0, 0.8, 0.4] {
            for form in [LossForm::Mean, LossForm::Sum] {
                let objective = objective(d_out, d_in, fraction, form);
                let mut rng = stream(8, &["factors"]);
                let sizes: Vec<_> = [vec![d_in], widths.clone(), vec![d_out]].concat();
                let factors: Vec<_> =
                    sizes.windows(2).map(|pair| gaussian(pair[1], pair[0], &mut rng) * faer::Scale(0.4)).collect();
                let mut model = DeepFactorization::new(factors.clone()).unwrap();
                loss(&mut model, &objective);
                for l in 1..=model.depth() {
                    let what = format!("{d_out} × {d_in} via {widths:?}, {fraction}, {form:?}, W_{l}");
                    check(&factors[l - 1], &model.gradient(l), &what, |moved| {
                        let mut factors = factors.clone();
                        factors[l - 1] = moved;
                        loss(&mut DeepFactorization::new(factors).unwrap(), &objective)
                    });
                }
            }
        }
    }
}

#[test]
fn compressed_gradients_match_central_differences() {
    for (d_out, d_in, fraction) in [(8, 8, 1.0), (9, 6, 0.7), (6, 9, 0.4)] {
        let objective = objective(d_out, d_in, fraction, LossForm::Mean);
        let mut rng = stream(9, &["factors"]);
        let (left, right) = (haar(d_out, 4, &mut rng), haar(d_in, 4, &mut rng));
        let core: Vec<_> = (0..3).map(|_| gaussian(4, 4, &mut rng)).collect();
        let build = |left: &Mat<f64>, core: &[Mat<f64>], right: &Mat<f64>| {
            CompressedFactorization::from_factors(left, core.to_vec(), right, 0.5).unwrap()
        };
        let mut model = build(&left, &core, &right);
        loss(&mut model, &objective);
        let (left_gradient, core_gradients, right_gradient) = model.gradients();
        let what = format!("{d_out} × {d_in}");
        check(&left, &left_gradient, &format!("{what} U"), |moved| loss(&mut build(&moved, &core, &right), &objective));
        check(&right, &right_gradient, &format!("{what} V"), |moved| {
            loss(&mut build(&left, &core, &moved), &objective)
        });
        for l in 0..core.len() {
            check(&core[l], &core_gradients[l], &format!("{what} W̃_{}", l + 1), |moved| {
                let mut core = core.clone();
                core[l] = moved;
                loss(&mut build(&left, &core, &right), &objective)
            });
        }
    }
}
