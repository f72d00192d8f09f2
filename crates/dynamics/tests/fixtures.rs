//! Trajectories against an independent NumPy implementation (`fixtures/make_fixtures.py` and `make_sensing_fixture.py`, which
//! document the files).

use dynamics::compression::{compress, spectral};
use dynamics::sparse::ObservedEntries;
use dynamics::{
    DeepFactorization, Factorization, FixedFactorization, LossForm, Measurements, Method, Objective, Observed,
    Observer, Optimizer, Record, Schedule, Target, train,
};
use faer::{Mat, Par};
use serde::Deserialize;

/// The scripts measured that relative noise of 1e-15 on the start moves the end by less than 1e-14.
const TOLERANCE: f64 = 1e-10;
const RANK: usize = 2;

type Rows = Vec<Vec<f64>>;

/// One record of a fixture or of a run.
#[derive(Debug, Deserialize)]
struct Point {
    iteration: u64,
    loss: f64,
    recovery_error: Option<f64>,
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> T {
    serde_json::from_str(text).unwrap()
}

fn matrix(rows: &Rows) -> Mat<f64> {
    Mat::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}

fn deep(factors: &[Rows]) -> DeepFactorization {
    DeepFactorization::new(factors.iter().map(matrix).collect()).unwrap()
}

fn objective(target: &Rows, observed: Option<&[(usize, usize)]>) -> Objective {
    let target = Target::truncated(matrix(target).as_ref(), RANK).unwrap();
    let observed = match observed {
        None => Observed::Full,
        Some(list) => {
            let entries = ObservedEntries::new(target.d_out(), target.d_in(), list.iter().copied()).unwrap();
            Observed::Entries(entries)
        }
    };
    Objective::new(target, observed, LossForm::Mean).unwrap()
}

struct Recorder<'a> {
    objective: &'a Objective,
    points: Vec<Point>,
}

impl<F: Factorization> Observer<F> for Recorder<'_> {
    fn record(&mut self, record: &Record<'_, F>) {
        let (p, q) = record.model.halves();
        let partial = !matches!(self.objective.observed(), Observed::Full);
        let recovery_error = partial.then(|| self.objective.recovery_error(p, q, Par::Seq));
        self.points.push(Point { iteration: record.iteration, loss: record.loss, recovery_error });
    }
}

/// Trains as long as the fixture did and compares every record.
fn check_run<F: Factorization>(
    name: &str,
    model: &mut F,
    objective: &Objective,
    mut optimizer: Optimizer,
    series: &[Point],
) {
    let last = series.last().unwrap().iteration;
    let schedule = Schedule { max_iterations: last, tolerance: 0.0, record_every: series[1].iteration };
    let mut recorder = Recorder { objective, points: Vec::new() };
    train(model, objective, &mut optimizer, schedule, &mut recorder, Par::Seq).unwrap();
    assert_eq!(recorder.points.len(), series.len(), "{name}");
    for (found, expected) in recorder.points.iter().zip(series) {
        assert_eq!(found.iteration, expected.iteration, "{name}");
        assert_eq!(found.recovery_error.is_some(), expected.recovery_error.is_some(), "{name}");
        let pairs = [
            (found.loss, expected.loss),
            (found.recovery_error.unwrap_or(1.0), expected.recovery_error.unwrap_or(1.0)),
        ];
        for (found, value) in pairs {
            assert!(
                (found / value - 1.0).abs() < TOLERANCE,
                "{name} at {}: {found} against {value}",
                expected.iteration
            );
        }
    }
}

fn check_matrix(name: &str, found: &Mat<f64>, expected: &Rows) {
    let expected = matrix(expected);
    let distance = (found - &expected).norm_l2() / expected.norm_l2();
    assert!(distance < TOLERANCE, "{name}: off by {distance:e}");
}

fn check_factors(name: &str, model: &DeepFactorization, expected: &[Rows]) {
    assert_eq!(model.depth(), expected.len(), "{name}");
    for (l, expected) in expected.iter().enumerate() {
        check_matrix(&format!("{name}, W_{}", l + 1), &model.factor(l + 1), expected);
    }
}

#[derive(Deserialize)]
struct Full {
    cases: Vec<FullCase>,
}

#[derive(Deserialize)]
struct FullCase {
    name: String,
    step_size: f64,
    target: Rows,
    initial_factors: Vec<Rows>,
    series: Vec<Point>,
    final_factors: Vec<Rows>,
}

#[test]
fn full_observation_square_and_rectangular() {
    let fixture: Full = parse(include_str!("fixtures/trajectory_full.json"));
    assert_eq!(fixture.cases.len(), 2);
    for case in &fixture.cases {
        let objective = objective(&case.target, None);
        let mut model = deep(&case.initial_factors);
        let optimizer = Optimizer::gradient_descent(case.step_size).unwrap();
        check_run(&case.name, &mut model, &objective, optimizer, &case.series);
        check_factors(&case.name, &model, &case.final_factors);
    }
}

#[derive(Deserialize)]
struct Completion {
    target: Rows,
    observed: Vec<(usize, usize)>,
    cases: Vec<CompletionCase>,
}

#[derive(Deserialize)]
struct CompletionCase {
    depth: usize,
    step_size: f64,
    initial_factors: Vec<Rows>,
    series: Vec<Point>,
    final_product: Rows,
}

#[test]
fn completion_at_depths_two_and_three() {
    let fixture: Completion = parse(include_str!("fixtures/trajectory_completion.json"));
    let objective = objective(&fixture.target, Some(&fixture.observed));
    assert_eq!(fixture.cases.iter().map(|case| case.depth).collect::<Vec<_>>(), [3, 2]);
    for case in &fixture.cases {
        let name = format!("depth {}", case.depth);
        let mut model = deep(&case.initial_factors);
        let optimizer = Optimizer::gradient_descent(case.step_size).unwrap();
        check_run(&name, &mut model, &objective, optimizer, &case.series);
        check_matrix(&name, &model.end_to_end(), &case.final_product);
    }
}

#[derive(Deserialize)]
struct Compressed {
    rank_guess: usize,
    step_size: f64,
    target: Rows,
    observed: Vec<(usize, usize)>,
    initial_factors: Vec<Rows>,
    projector_v: Rows,
    projector_u: Rows,
    u_vt: Rows,
    cases: Vec<CompressedCase>,
}

#[derive(Deserialize)]
struct CompressedCase {
    discrepant_step: f64,
    series: Vec<Point>,
    final_product: Rows,
}

/// The bases are unique up to one rotation of both: compared by their projectors and by `U Vᵀ`, which ties them together.
#[test]
fn compression_and_its_trajectory() {
    let fixture: Compressed = parse(include_str!("fixtures/trajectory_compressed.json"));
    let objective = objective(&fixture.target, Some(&fixture.observed));
    let mut original = deep(&fixture.initial_factors);
    assert_eq!(fixture.cases.iter().map(|case| case.discrepant_step).collect::<Vec<_>>(), [0.01, 0.0]);
    for case in &fixture.cases {
        let name = format!("γ = {}", case.discrepant_step);
        let mut model =
            compress(&mut original, &objective, fixture.rank_guess, case.discrepant_step, Par::Seq).unwrap();
        let (u, v) = (model.left(), model.right());
        check_matrix("projector on U", &(&u * u.transpose()), &fixture.projector_u);
        check_matrix("projector on V", &(&v * v.transpose()), &fixture.projector_v);
        check_matrix("U Vᵀ", &(&u * v.transpose()), &fixture.u_vt);
        let optimizer = Optimizer::gradient_descent(fixture.step_size).unwrap();
        if model.is_fixed() {
            let mut fixed = FixedFactorization::new(&model, &objective).unwrap();
            check_run("fixed bases", &mut fixed, &objective, optimizer.clone(), &case.series);
            check_matrix("fixed bases", &fixed.end_to_end(), &case.final_product);
        }
        check_run(&name, &mut model, &objective, optimizer, &case.series);
        check_matrix(&name, &model.end_to_end(), &case.final_product);
    }
}

#[derive(Deserialize)]
struct Sensing {
    rank_guess: usize,
    init_scale: f64,
    step_size: f64,
    target: Rows,
    measurements: Vec<Rows>,
    values: Vec<f64>,
    initial_factors: Vec<Rows>,
    cases: Vec<SensingCase>,
}

#[derive(Deserialize)]
struct SensingCase {
    name: String,
    discrepant_step: Option<f64>,
    series: Vec<Point>,
    final_product: Rows,
}

/// Original, compressed and spectral network, the latter two with moving bases and with fixed ones.
#[test]
fn sensing() {
    let fixture: Sensing = parse(include_str!("fixtures/trajectory_sensing.json"));
    let matrices: Vec<_> = fixture.measurements.iter().map(matrix).collect();
    let observed = Observed::Measurements(Measurements::new(&matrices).unwrap());
    let target = Target::truncated(matrix(&fixture.target).as_ref(), RANK).unwrap();
    let objective = Objective::new(target, observed, LossForm::Mean).unwrap();
    let (found, expected) = (objective.values(), &fixture.values);
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(y, value)| (y - value).abs() < 1e-12 * objective.target().norm()));
    let optimizer = Optimizer::gradient_descent(fixture.step_size).unwrap();
    assert_eq!(fixture.cases.len(), 5);
    for case in &fixture.cases {
        let mut original = deep(&fixture.initial_factors);
        let Some(gamma) = case.discrepant_step else {
            check_run(&case.name, &mut original, &objective, optimizer.clone(), &case.series);
            check_matrix(&case.name, &original.end_to_end(), &case.final_product);
            continue;
        };
        let name = format!("{}, γ = {gamma}", case.name);
        let Sensing { rank_guess, init_scale, .. } = fixture;
        let mut model = match case.name.as_str() {
            "compressed" => compress(&mut original, &objective, rank_guess, gamma, Par::Seq).unwrap(),
            _ => spectral(&objective, rank_guess, fixture.initial_factors.len(), init_scale, gamma).unwrap(),
        };
        if model.is_fixed() {
            let mut fixed = FixedFactorization::new(&model, &objective).unwrap();
            check_run(&name, &mut fixed, &objective, optimizer.clone(), &case.series);
            check_matrix(&name, &fixed.end_to_end(), &case.final_product);
        }
        check_run(&name, &mut model, &objective, optimizer.clone(), &case.series);
        check_matrix(&name, &model.end_to_end(), &case.final_product);
    }
}

#[derive(Deserialize)]
struct Optimizers {
    target: Rows,
    initial_factors: Vec<Rows>,
    cases: Vec<OptimizerCase>,
}

#[derive(Deserialize)]
struct OptimizerCase {
    #[serde(flatten)]
    method: Rule,
    step_size: f64,
    #[serde(default)]
    decay: f64,
    series: Vec<Point>,
    final_factors: Vec<Rows>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "optimizer", rename_all = "snake_case")]
enum Rule {
    HeavyBall { momentum: f64 },
    Adam { beta1: f64, beta2: f64, eps: f64 },
    Rmsprop { alpha: f64, eps: f64 },
    GradientDescent,
}

impl Rule {
    fn method(&self) -> Method {
        match *self {
            Self::HeavyBall { momentum } => Method::HeavyBall { momentum },
            Self::Adam { beta1, beta2, eps } => Method::Adam { beta1, beta2, epsilon: eps },
            Self::Rmsprop { alpha, eps } => Method::RmsProp { alpha, epsilon: eps },
            Self::GradientDescent => Method::GradientDescent,
        }
    }
}

#[test]
fn every_optimizer() {
    let fixture: Optimizers = parse(include_str!("fixtures/optimizers.json"));
    let objective = objective(&fixture.target, None);
    assert_eq!(fixture.cases.len(), 4);
    for case in &fixture.cases {
        let name = format!("{:?}", case.method);
        let mut model = deep(&fixture.initial_factors);
        let optimizer = Optimizer::new(case.method.method(), case.step_size, case.decay).unwrap();
        check_run(&name, &mut model, &objective, optimizer, &case.series);
        check_factors(&name, &model, &case.final_factors);
    }
}
