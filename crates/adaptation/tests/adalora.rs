//! AdaLoRA against PEFT: budgets, and every step of a run through warm-up, falling budget and final phase.

use std::collections::HashMap;
use std::sync::Arc;

use adaptation::adapter::{Adalora, Phases};
use adaptation::training::{self, FineTuning, Plan, TrainingError};
use adaptation::{Adapters, Head, Loss, Method, Network, Pooling, Selection, Site};
use faer::{Mat, Par};
use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::Value;

use crate::training::{all_parameters, examples, fixtures, instance, matrix, plan, run, tiny};

#[derive(Deserialize)]
struct Fixture {
    settings: Adalora,
    step_size: f64,
    batches: Vec<Vec<usize>>,
    head: FixtureHead,
    steps: Vec<Step>,
    schedules: Vec<Schedule>,
}

#[derive(Deserialize)]
struct FixtureHead {
    weight: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

#[derive(Deserialize)]
struct Step {
    loss: f64,
    penalty: f64,
    lambda: HashMap<String, Vec<f64>>,
}

#[derive(Deserialize)]
struct Schedule {
    initial_rank: usize,
    target_rank: usize,
    matrices: usize,
    warmup: f64,
    final_phase: f64,
    interval: u64,
    budgets: Vec<Option<usize>>,
}

fn json() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixtures().join("adalora.json")).expect("a fixture")).expect("JSON")
}

fn fixture() -> Fixture {
    Fixture::deserialize(json()).expect("a fixture")
}

#[test]
fn budgets_are_those_of_peft() {
    for Schedule { initial_rank, target_rank, matrices, warmup, final_phase, interval, budgets } in fixture().schedules
    {
        let settings =
            Adalora { initial_rank, target_rank, warmup, final_phase, interval, ..Adalora::of_rank(target_rank) };
        let steps = budgets.len() as u64;
        let found: Vec<_> = (0..steps).map(|step| settings.budget_at(step, steps, matrices)).collect();
        assert_eq!(found, budgets, "{settings:?}, {matrices} matrices");
        assert_eq!(found.iter().flatten().last(), Some(&(target_rank * matrices)));
    }
}

/// Sets the factors to those of the fixture.
fn start(adapters: &mut Adapters<f64>, tensors: &SafeTensors<'_>) {
    for (site, parameter) in adapters.parameters_mut() {
        parameter.value = matrix(tensors, &format!("initial/{}/{}", site.name(), parameter.name));
    }
    adapters.refresh(Par::Seq);
}

/// λ of every site, and whether the same ones are exactly 0.
fn check_singular_values(adapters: &Adapters<f64>, step: usize, expected: &HashMap<String, Vec<f64>>) {
    assert_eq!(adapters.len(), expected.len());
    for site in adapters.sites() {
        let lambda = &adapters.get(site).expect("an adapter").parameters()[1].value;
        for (k, &expected) in expected[&site.name()].iter().enumerate() {
            let found = lambda[(k, 0)];
            assert_eq!(found == 0.0, expected == 0.0, "step {step}, {site:?}, triplet {k}: {found} against {expected}");
            assert!((found - expected).abs() < 1e-9, "step {step}, {site:?}, triplet {k}: {found} against {expected}");
        }
    }
}

#[test]
fn every_step_is_pefts() {
    let (json, fixture) = (json(), fixture());
    let bytes = std::fs::read(fixtures().join("adalora.safetensors")).expect("a fixture");
    let tensors = SafeTensors::deserialize(&bytes).expect("tensors");
    let weight = &fixture.head.weight[0];
    let head = Head { weight: Mat::from_fn(1, weight.len(), |_, j| weight[j]), bias: fixture.head.bias };
    let network = Network { encoder: Arc::new(tiny().to_f64()), pooling: Pooling::Pooler, head };
    let (examples, loss, method) = (examples(&json), Loss::MeanSquaredError, Method::Adalora(fixture.settings));
    let mut sites = Selection::AllDense.sites(network.encoder.config());
    sites.retain(|site| !site.is_embedding());
    let plan = plan(fixture.batches.len() as u64, fixture.step_size);
    let mut adapters =
        training::adapters(&method, &sites, &network, &examples, loss, &plan, 0, Par::Seq).expect("adapters");
    start(&mut adapters, &tensors);
    let optimizer = training::optimizer(&method, &adapters);
    let mut tuning = FineTuning::new(&network, adapters, optimizer, &examples, loss, plan).expect("a run");
    let mut snapshots = 0;
    for (step, (batch, expected)) in fixture.batches.iter().zip(&fixture.steps).enumerate() {
        let penalty = tuning.adapters().penalty();
        assert!(
            (penalty / expected.penalty - 1.0).abs() < 1e-9,
            "step {step}: penalty {penalty}, {}",
            expected.penalty
        );
        let loss = tuning.step_on(batch, Par::Seq).expect("a step");
        assert!((loss / expected.loss - 1.0).abs() < 1e-9, "step {step}: loss {loss}, {}", expected.loss);
        check_singular_values(tuning.adapters(), step, &expected.lambda);
        for (site, parameter) in tuning.adapters().parameters() {
            let name = format!("{step}/{}/{}", site.name(), parameter.name);
            if tensors.tensor(&name).is_ok() {
                let distance = (&parameter.value - matrix(&tensors, &name)).norm_max();
                assert!(distance < 1e-9, "{name}: off by {distance:.1e}");
                snapshots += 1;
            }
        }
    }
    assert_eq!(snapshots, 3 * 3 * sites.len(), "the factors are compared in every phase");
    let kept: usize = fixture.steps[39].lambda.values().flatten().filter(|&&value| value != 0.0).count();
    assert_eq!((fixture.steps.len(), kept), (40, 2 * sites.len()), "the fixture goes to the end of the budget");
}

/// Stopped while the budget falls and in the final phase: moments of importance and the choice are part of what goes on.
#[test]
fn a_resumed_run_ends_with_the_same_bytes() {
    let (network, examples) = instance();
    let plan = Plan { dropout: true, batch: 5, ..plan(24, 1e-2) };
    let settings = Adalora { interval: 3, ..Adalora::of_rank(2) };
    assert_eq!(settings.phases(24), Some(Phases { warmup: 5, last: 14 }));
    let method = Method::Adalora(settings);
    let start = || run(&method, Selection::AttentionMlp, &network, &examples, &plan, Par::Seq);
    let finish = |mut tuning: FineTuning<'_, f64>| {
        while tuning.steps_done() < 24 {
            tuning.step(Par::Seq).expect("a step");
        }
        let parameters = all_parameters(tuning.adapters());
        // 12 matrices began with 3 triplets each, and keep 2 on average.
        assert_eq!(parameters.iter().filter(|&&x| x == 0.0).count(), 12);
        parameters
    };
    let whole = finish(start());
    for stop in [3, 10, 18] {
        let directory = tempfile::tempdir().expect("a directory");
        let mut first = start();
        for _ in 0..stop {
            first.step(Par::Seq).expect("a step");
        }
        first.save(directory.path(), &0).expect("a checkpoint");
        let mut second = start();
        assert_eq!(second.restore(directory.path()).expect("a checkpoint"), Some(0));
        assert!(finish(second) == whole, "stopped after {stop} steps");

        let other = Method::Adalora(Adalora { beta1: 0.8, ..settings });
        let mut other = run(&other, Selection::AttentionMlp, &network, &examples, &plan, Par::Seq);
        assert!(other.restore::<u8>(directory.path()).is_err(), "a checkpoint of another budget must be refused");
    }
}

#[test]
fn a_run_without_a_step_for_the_budget_is_refused() {
    let (network, examples) = instance();
    let method = Method::Adalora(Adalora { warmup: 0.5, ..Adalora::of_rank(2) });
    let start = |steps| {
        let (sites, loss) = ([Site::Query(0)], Loss::MeanSquaredError);
        FineTuning::of_method(&method, &sites, &network, &examples, loss, plan(steps, 1e-2), Par::Seq).err()
    };
    assert!(matches!(start(2), Some(TrainingError::NoBudgetPhase { steps: 2, .. })));
    assert!(start(10).is_none());
    assert_eq!(Adalora::of_rank(2).phases(1), None);
    assert_eq!(Adalora::of_rank(2).phases(2), Some(Phases { warmup: 0, last: 1 }));
}
