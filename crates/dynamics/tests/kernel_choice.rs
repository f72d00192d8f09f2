//! Which kernel is chosen, and that a factorization which needs no buffers gets none.

use dynamics::compression::{compress, spectral};
use dynamics::kernel::{Kernel, cheapest_form};
use dynamics::random::stream;
use dynamics::sparse::{ObservedEntries, Simd};
use dynamics::{
    DeepFactorization, Factorization, FixedFactorization, Initialization, LossForm, Objective, Observed, Optimizer,
    Schedule, Target, train,
};
use faer::Par;

/// Every `nth` entry of a matrix.
fn every(nth: usize, d_out: usize, d_in: usize) -> Observed {
    let places = (0..d_out * d_in).step_by(nth).map(|place| (place / d_in, place % d_in));
    Observed::Entries(ObservedEntries::new(d_out, d_in, places).unwrap())
}

#[test]
fn the_kernel_follows_from_shape_fraction_and_length_of_columns() {
    let short = 4 * Simd::available().map(|simd| if simd == Simd::Avx512 { 8 } else { 4 }).max().unwrap();
    for (observed, k, kernel) in [
        (Observed::Full, 10, Kernel::Dense),
        (every(1, 50, 40), 10, Kernel::Dense),
        (every(2, 50, 40), 10, Kernel::Tiled),
        (every(16, 2047, 300), 10, Kernel::Tiled),
        (every(16, 2048, 300), short, Kernel::Recomputed),
        (every(16, 300, 2048), short + 1, Kernel::InPlace),
        (every(8, 300, 2048), short, Kernel::Tiled),
    ] {
        assert_eq!(Kernel::choose(&observed, k), kernel, "k = {k}");
    }
}

fn objective(fraction: f64) -> Objective {
    let mut rng = stream(5, &["kernel choice"]);
    let target = Target::gaussian(40, 40, 2, &mut rng).unwrap();
    let observed = Observed::uniform(40, 40, fraction, &mut rng).unwrap();
    Objective::new(target, observed, LossForm::Mean).unwrap()
}

/// Fixed bases, and a core so small that the quadratic form costs less: the same learning curve, without a buffer.
#[test]
fn fixed_bases_take_the_quadratic_form_and_no_buffers() {
    let objective = objective(0.6);
    let model = |discrepancy| spectral(&objective, 3, 3, 0.5, discrepancy).unwrap();
    let mut chosen = cheapest_form(model(0.0), &objective);
    assert_eq!(format!("{:?}", chosen.workspace(&objective)), "Workspace(Nothing)");
    let moving = cheapest_form(model(0.1), &objective);
    assert!(format!("{:?}", moving.workspace(&objective)).starts_with("Workspace(Dense"));

    let schedule = Schedule { max_iterations: 50, tolerance: 0.0, record_every: 50 };
    let mut losses = [0.0; 2];
    let mut fixed = FixedFactorization::new(&model(0.0), &objective).unwrap();
    let optimizer = Optimizer::gradient_descent(10.0).unwrap();
    losses[0] = train(&mut chosen, &objective, &mut optimizer.clone(), schedule, &mut (), Par::Seq).unwrap().loss;
    losses[1] = train(&mut fixed, &objective, &mut optimizer.clone(), schedule, &mut (), Par::Seq).unwrap().loss;
    assert_eq!(losses[0].to_bits(), losses[1].to_bits());
    assert_eq!(chosen.end_to_end(), fixed.end_to_end());
    assert!((chosen.entry(3, 4) - fixed.end_to_end()[(3, 4)]).abs() < 1e-14);
}

/// A core too large for its entries, and one that they do not determine: the factorization stays as it is.
#[test]
fn elsewhere_the_general_form_stays() {
    let objective = objective(0.3);
    let mut rng = stream(6, &["kernel choice"]);
    let mut original = DeepFactorization::draw((40, 40), 3, 40, Initialization::Orthogonal, 0.1, &mut rng).unwrap();
    let compressed = compress(&mut original, &objective, 3, 0.0, Par::Seq).unwrap();
    let chosen = cheapest_form(compressed, &objective);
    assert!(format!("{:?}", chosen.workspace(&objective)).starts_with("Workspace(Tiled"));
}
