//! AdamW against PyTorch's, number by number; step schedules.

use adaptation::adapter::Adapters;
use adaptation::{
    AdamW, AdamWSettings, Adapter, Applied, AppliedGradient, Batch, Form, Group, Parameter, Real, Site, StepSchedule,
};
use faer::{Mat, Par};
use serde::Deserialize;

/// Two parameters of any shapes, one in each group; never applied.
struct Pair<T: Real>([Parameter<T>; 2]);

impl<T: Real> Adapter<T> for Pair<T> {
    fn shape(&self) -> (usize, usize) {
        self.0[0].value.shape()
    }

    fn form(&self) -> Form {
        Form::Merged
    }

    fn applied(&self) -> Applied<'_, T> {
        Applied::Merged(self.0[0].value.as_ref())
    }

    fn refresh(&mut self, _par: Par) {}

    fn pull_back(&mut self, _gradient: &AppliedGradient<T>, _par: Par) {}

    fn parameters(&self) -> &[Parameter<T>] {
        &self.0
    }

    fn parameters_mut(&mut self) -> &mut [Parameter<T>] {
        &mut self.0
    }
}

#[derive(Deserialize)]
struct Values {
    inner: Vec<Vec<f64>>,
    outer: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Run {
    weight_decay: f64,
    after_step: Vec<Values>,
}

#[derive(Deserialize)]
struct Fixture {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    step_size: f64,
    discrepant_step: f64,
    start: Values,
    gradients: Vec<Values>,
    runs: Vec<Run>,
}

fn matrix<T: Real>(rows: &[Vec<f64>]) -> Mat<T> {
    Mat::from_fn(rows.len(), rows[0].len(), |i, j| T::of(rows[i][j]))
}

fn pair<T: Real>(inner: Mat<T>, outer: Mat<T>) -> Adapters<T> {
    let mut adapters = Adapters::new();
    let parameters =
        [Parameter::new("inner", inner.as_ref(), Group::Inner), Parameter::new("outer", outer.as_ref(), Group::Outer)];
    adapters.insert(Site::Pooler, Box::new(Pair(parameters)));
    adapters
}

fn set_gradients<T: Real>(adapters: &mut Adapters<T>, gradients: [Mat<T>; 2]) {
    for ((_, parameter), gradient) in adapters.parameters_mut().zip(gradients) {
        parameter.gradient = gradient;
    }
}

#[test]
fn adamw_moves_as_pytorchs() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/adamw.json")).unwrap();
    let fixture: Fixture = serde_json::from_str(&text).unwrap();
    for run in &fixture.runs {
        let settings = AdamWSettings {
            beta1: fixture.beta1,
            beta2: fixture.beta2,
            epsilon: fixture.epsilon,
            weight_decay: run.weight_decay,
            discrepant_step: fixture.discrepant_step,
        };
        let mut adapters = pair::<f64>(matrix(&fixture.start.inner), matrix(&fixture.start.outer));
        let mut optimizer = AdamW::new(settings, &adapters);
        for (gradient, expected) in fixture.gradients.iter().zip(&run.after_step) {
            set_gradients(&mut adapters, [matrix(&gradient.inner), matrix(&gradient.outer)]);
            optimizer.step(&mut adapters, fixture.step_size, Par::Seq);
            for ((_, parameter), expected) in adapters.parameters().zip([&expected.inner, &expected.outer]) {
                let distance = (&parameter.value - matrix::<f64>(expected)).norm_max();
                assert!(distance < 1e-14, "λ = {}, {}: off by {distance:e}", run.weight_decay, parameter.name);
            }
        }
        assert_eq!(optimizer.steps(), 20);
    }
}

/// Every entry moves by itself, so matrices of any shape move as their entries do in a 1 × 1 matrix; large ones on two threads.
#[test]
fn shapes_do_not_matter() {
    let settings = AdamWSettings { weight_decay: 0.1, ..AdamWSettings::default() };
    for (rows, columns) in [(1, 1), (8, 300), (255, 3), (256, 2), (1000, 3), (3, 1), (8, 9001), (300, 301)] {
        // Some entries never have a gradient, some only have one in the first step.
        let gradient = |i: usize, j: usize, step: usize| match (i / 100 + j) % 3 {
            0 => 0.0,
            1 if step > 0 => 0.0,
            _ => ((i * 31 + j * 17 + step * 7) % 23) as f32 / 23.0 - 0.4,
        };
        let value = |i: usize, j: usize| ((i * 13 + j * 5) % 19) as f32 / 19.0;
        for settings in [settings, AdamWSettings::default()] {
            let mut whole = pair::<f32>(Mat::from_fn(rows, columns, value), Mat::zeros(1, 1));
            let mut optimizer = AdamW::new(settings, &whole);
            for step in 0..4 {
                let gradients = [Mat::from_fn(rows, columns, |i, j| gradient(i, j, step)), Mat::zeros(1, 1)];
                set_gradients(&mut whole, gradients);
                optimizer.step(&mut whole, 1e-2, Par::rayon(2));
            }
            for (i, j) in [(0, 0), (rows - 1, columns - 1), (rows / 2, columns / 2), (rows / 3, 0)] {
                let mut single = pair::<f32>(Mat::from_fn(1, 1, |_, _| value(i, j)), Mat::zeros(1, 1));
                let mut optimizer = AdamW::new(settings, &single);
                for step in 0..4 {
                    set_gradients(&mut single, [Mat::from_fn(1, 1, |_, _| gradient(i, j, step)), Mat::zeros(1, 1)]);
                    optimizer.step(&mut single, 1e-2, Par::Seq);
                }
                let (of_whole, of_single) = (&whole.parameters().next().unwrap().1.value, single.parameters().next());
                assert_eq!(of_whole[(i, j)], of_single.unwrap().1.value[(0, 0)], "{rows} × {columns} at ({i}, {j})");
            }
        }
    }
}

#[test]
fn a_discrepant_step_of_zero_leaves_the_bases_alone() {
    let settings = AdamWSettings { discrepant_step: 0.0, weight_decay: 0.1, ..AdamWSettings::default() };
    let mut adapters = pair::<f64>(Mat::full(2, 2, 1.0), Mat::full(2, 2, 1.0));
    let mut optimizer = AdamW::new(settings, &adapters);
    set_gradients(&mut adapters, [Mat::full(2, 2, 1.0), Mat::full(2, 2, 1.0)]);
    optimizer.step(&mut adapters, 0.1, Par::Seq);
    let values: Vec<f64> = adapters.parameters().map(|(_, parameter)| parameter.value[(1, 1)]).collect();
    assert!(values[0] < 0.95 && values[1] == 1.0, "{values:?}");
}

/// Height and width of the tables below.
const TABLE: (usize, usize) = (40, 300);

/// Two tables with rows that are looked up now and then, or the same as whole matrices.
struct Tables<T: Real> {
    adapters: Adapters<T>,
    optimizer: AdamW<T>,
}

impl<T: Real> Tables<T> {
    fn new(settings: AdamWSettings, by_rows: bool) -> Self {
        Self::in_groups(settings, by_rows, [Group::Inner, Group::Outer])
    }

    fn in_groups(settings: AdamWSettings, by_rows: bool, groups: [Group; 2]) -> Self {
        let value = Mat::<T>::from_fn(TABLE.0, TABLE.1, |i, j| T::of(((i * 13 + j * 5) % 19) as f64 / 19.0 - 0.3));
        let parameter = |name, group| match by_rows {
            true => Parameter::table(name, value.as_ref(), group),
            false => Parameter::new(name, value.transpose(), group),
        };
        let mut adapters = Adapters::new();
        let pair = Pair([parameter("first", groups[0]), parameter("second", groups[1])]);
        adapters.insert(Site::WordEmbeddings, Box::new(pair));
        let optimizer = AdamW::new(settings, &adapters);
        Self { adapters, optimizer }
    }

    /// One step with a gradient on these rows, looked up before if `catches_up`.
    fn step(&mut self, rows: &[usize], number: u64, catches_up: bool) {
        let mut batch = Batch::new();
        batch.push(&rows.iter().map(|&row| row as u32).collect::<Vec<_>>(), &vec![0; rows.len()]);
        if catches_up {
            self.optimizer.catch_up(&mut self.adapters, &batch);
        }
        for (_, parameter) in self.adapters.parameters_mut() {
            // Of what is read: the gradient depends on the row being up to date.
            let value = parameter.value.clone();
            let gradient =
                |j: usize, row: usize| value[(j, row)] * T::of(((j * 7 + row * 3 + number as usize) % 11) as f64 - 4.5);
            match &mut parameter.touched {
                Some(touched) => {
                    *touched = rows.to_vec();
                    parameter.gradient = Mat::from_fn(TABLE.1, rows.len(), |j, place| gradient(j, rows[place]));
                }
                None => {
                    let present = |j, row| if rows.contains(&row) { gradient(j, row) } else { T::of(0.0) };
                    parameter.gradient = Mat::from_fn(TABLE.1, TABLE.0, present);
                }
            }
        }
        let step_size = StepSchedule::Linear { to: 1e-3 }.at(number, 50, 1e-2);
        self.optimizer.step(&mut self.adapters, step_size, Par::Seq);
    }
}

/// Rows of a step, rising: some often, some seldom, some once, most never.
fn rows_of_step(number: u64) -> Vec<usize> {
    let seldom = [(7, 11), (12, 17), (31, 49), (3, 2), (20, 5)];
    let mut rows: Vec<usize> = seldom.iter().filter(|(_, every)| number % every == 1).map(|&(row, _)| row).collect();
    rows.push(if number == 4 { 38 } else { 1 });
    rows.sort_unstable();
    rows
}

fn rows_move_as_whole_tables<T: Real>(settings: AdamWSettings) {
    let (mut rows, mut whole) = (Tables::<T>::new(settings, true), Tables::<T>::new(settings, false));
    for number in 0..50 {
        rows.step(&rows_of_step(number), number, true);
        whole.step(&rows_of_step(number), number, true);
        if number == 23 || number == 24 {
            rows.optimizer.catch_up_all(&mut rows.adapters);
        }
    }
    let lags = rows.adapters.parameters().zip(whole.adapters.parameters()).any(|((_, a), (_, b))| a.value != b.value);
    assert!(lags, "nothing was put off");
    rows.optimizer.catch_up_all(&mut rows.adapters);
    for ((_, found), (_, expected)) in rows.adapters.parameters().zip(whole.adapters.parameters()) {
        assert!(found.value == expected.value, "{settings:?}, {}", found.name);
    }
}

#[test]
fn rows_that_are_put_off_move_bit_for_bit_as_whole_tables() {
    for settings in [
        AdamWSettings { discrepant_step: 0.01, ..AdamWSettings::default() },
        AdamWSettings { weight_decay: 0.1, ..AdamWSettings::default() },
    ] {
        rows_move_as_whole_tables::<f32>(settings);
        rows_move_as_whole_tables::<f64>(settings);
    }
}

/// As the tables of a compressed embedding at γ = 0.
#[test]
fn tables_that_do_not_move_need_no_catching_up() {
    let settings = AdamWSettings { weight_decay: 0.1, discrepant_step: 0.0, ..AdamWSettings::default() };
    let mut rows = Tables::<f64>::in_groups(settings, true, [Group::Outer; 2]);
    let before: Vec<Mat<f64>> = rows.adapters.parameters().map(|(_, one)| one.value.clone()).collect();
    for number in 0..20 {
        rows.step(&rows_of_step(number), number, true);
    }
    rows.optimizer.catch_up_all(&mut rows.adapters);
    assert!(rows.adapters.parameters().zip(&before).all(|((_, after), before)| after.value == *before));
}

#[test]
#[should_panic(expected = "a row is caught up before the forward pass")]
fn a_row_must_be_caught_up_before_it_is_read() {
    let mut rows = Tables::<f64>::new(AdamWSettings::default(), true);
    for number in 0..50 {
        rows.step(&rows_of_step(number), number, false);
    }
}

#[test]
fn schedules() {
    assert_eq!(StepSchedule::Constant.at(7, 10, 0.3), 0.3);
    let linear = StepSchedule::Linear { to: 0.1 };
    assert_eq!(linear.at(0, 4, 0.5), 0.5);
    assert!((linear.at(1, 4, 0.5) - 0.4).abs() < 1e-15);
    assert!((linear.at(3, 4, 0.5) - 0.2).abs() < 1e-15);
}

#[test]
fn settings_out_of_range_are_named() {
    let default = AdamWSettings::default();
    assert!(default.check().is_ok());
    for (settings, key) in [
        (AdamWSettings { beta1: 1.0, ..default }, "beta1"),
        (AdamWSettings { beta2: -0.1, ..default }, "beta2"),
        (AdamWSettings { epsilon: 0.0, ..default }, "epsilon"),
        (AdamWSettings { weight_decay: f64::NAN, ..default }, "weight_decay"),
        (AdamWSettings { discrepant_step: -1.0, ..default }, "discrepant_step"),
    ] {
        assert_eq!(settings.check().unwrap_err().key, key);
    }
}
