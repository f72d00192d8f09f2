//! Fine-tuning on the tiny encoder: against PyTorch's losses and factors, to a loss near zero, and to the same bytes however
//! it is run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use adaptation::adapter::{Adalora, Compressed, DeepLora, Lora, SineLora, Width, ZeroFactor};
use adaptation::evaluation::{Labelled, predict, score};
use adaptation::metrics::Metric;
use adaptation::training::{self, FineTuning, Plan, TrainingError};
use adaptation::{
    Activations, Adapters, Encoder, Head, Loss, Method, Network, Pooling, Real, Selection, Site, StepSchedule,
};
use dynamics::random::stream;
use faer::{Mat, Par};
use rand::RngExt;
use safetensors::SafeTensors;
use serde_json::Value;

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub fn tiny() -> Encoder<f32> {
    let directory = fixtures().join("tiny-bert");
    Encoder::load(&directory.join("config.json"), &directory.join("model.safetensors")).expect("the tiny encoder")
}

/// The tiny encoder with a random head, and sixteen random sentences with random scores.
pub fn instance() -> (Network<f64>, Vec<Labelled>) {
    let encoder = tiny().to_f64();
    let mut rng = stream(5, &["training", "instance"]);
    let Head { weight, bias } = Head::random(1, encoder.config().hidden_size, 0.02, &mut rng);
    // So large that the labels are within reach of the pooler's outputs, which are below 1.
    let head = Head { weight: weight * faer::Scale(20.0), bias };
    let example = |_| {
        let length = rng.random_range(3..12);
        let ids = (0..length).map(|_| rng.random_range(5..80)).collect();
        Labelled { ids, token_types: vec![0; length], label: rng.random_range(0.0..2.0) }
    };
    let examples = (0..16).map(example).collect();
    (Network { encoder: Arc::new(encoder), pooling: Pooling::Pooler, head }, examples)
}

pub fn plan(steps: u64, step_size: f64) -> Plan {
    Plan { steps, batch: 8, step_size, schedule: StepSchedule::Constant, dropout: false, whole_batches: false, seed: 3 }
}

/// Adapters of a method on the tiny encoder, and the run that trains them.
pub fn run<'a>(
    method: &Method,
    adapted: Selection,
    network: &'a Network<f64>,
    examples: &'a [Labelled],
    plan: &Plan,
    par: Par,
) -> FineTuning<'a, f64> {
    let sites = adapted.sites(network.encoder.config());
    let loss = Loss::MeanSquaredError;
    let adapters = training::adapters(method, &sites, network, examples, loss, plan, 9, par).expect("adapters");
    let optimizer = training::optimizer(method, &adapters);
    FineTuning::new(network, adapters, optimizer, examples, loss, plan.clone()).expect("a run")
}

pub fn all_parameters<T: Real>(adapters: &Adapters<T>) -> Vec<f64> {
    let entries = |value: &Mat<T>| value.col_iter().flat_map(|c| c.iter().map(|x| x.as_f64())).collect::<Vec<_>>();
    adapters.parameters().flat_map(|(_, parameter)| entries(&parameter.value)).collect()
}

#[test]
fn every_method_overfits_sixteen_sentences() {
    let (depth, rank) = (3, 8);
    for (method, adapted, step_size) in [
        (Method::Lora(Lora { rank, zero: ZeroFactor::Output }), Selection::AllDense, 3e-3),
        (Method::Lora(Lora { rank, zero: ZeroFactor::Input }), Selection::AllDense, 3e-3),
        (Method::DeepLora(DeepLora { rank: Width::Narrow(rank), depth, init_scale: 0.1 }), Selection::AllDense, 1e-2),
        (Method::DeepLora(DeepLora { rank: Width::Full, depth, init_scale: 0.1 }), Selection::AllDense, 3e-3),
        (
            Method::Compressed(Compressed { rank, depth, init_scale: 0.1, discrepant_step: 0.1 }),
            Selection::AttentionMlp,
            1e-2,
        ),
        (Method::SineLora(SineLora { rank, frequency: 20.0 }), Selection::AttentionMlp, 1e-3),
        (Method::Adalora(Adalora::of_rank(rank)), Selection::AttentionMlp, 1e-2),
    ] {
        let (network, examples) = instance();
        let plan = plan(600, step_size);
        let mut tuning = run(&method, adapted, &network, &examples, &plan, Par::Seq);
        let first = tuning.step(Par::Seq).expect("a step");
        let mut last = first;
        while tuning.steps_done() < plan.steps {
            last = tuning.step(Par::Seq).expect("a step");
        }
        assert!(first > 0.1 && last < 1e-2 * first, "{}: from {first:.1e} to {last:.1e}", method.label());
    }
}

#[test]
fn losses_and_factors_follow_pytorch() {
    let text = std::fs::read_to_string(fixtures().join("training.json")).expect("a fixture");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let bytes = std::fs::read(fixtures().join("training.safetensors")).expect("a fixture");
    let tensors = SafeTensors::deserialize(&bytes).expect("tensors");
    let numbers = |value: &Value| -> Vec<f64> { serde_json::from_value(value.clone()).expect("numbers") };

    let encoder = Arc::new(tiny().to_f64());
    let weight = numbers(&json["head"]["weight"][0]);
    let head = Head { weight: Mat::from_fn(1, weight.len(), |_, j| weight[j]), bias: numbers(&json["head"]["bias"]) };
    let network = Network { encoder, pooling: Pooling::Pooler, head };
    let examples = examples(&json);
    let batches: Vec<Vec<usize>> = serde_json::from_value(json["batches"].clone()).expect("batches");
    let rank = json["rank"].as_u64().expect("a rank") as usize;
    let step_size = json["step_size"].as_f64().expect("a step size");

    for (name, method) in [
        ("lora", Method::Lora(Lora { rank, zero: ZeroFactor::Output })),
        ("lora-zero-input", Method::Lora(Lora { rank, zero: ZeroFactor::Input })),
        ("deep-lora-3", Method::DeepLora(DeepLora { rank: Width::Narrow(rank), depth: 3, init_scale: 1e-3 })),
        ("full-width", Method::DeepLora(DeepLora { rank: Width::Full, depth: 3, init_scale: 1e-3 })),
    ] {
        let plan = plan(batches.len() as u64, step_size);
        let sites = Selection::AllDense.sites(network.encoder.config());
        let loss = Loss::MeanSquaredError;
        let mut adapters: Adapters<f64> =
            training::adapters(&method, &sites, &network, &examples, loss, &plan, 0, Par::Seq).expect("adapters");
        for (site, parameter) in adapters.parameters_mut() {
            let initial = matrix(&tensors, &format!("{name}/initial/{}/{}", site.name(), parameter.name));
            // Rows that are looked up are kept as columns.
            parameter.value = if site.is_embedding() && parameter.touched.is_some() {
                initial.transpose().to_owned()
            } else {
                initial
            };
        }
        adapters.refresh(Par::Seq);
        let optimizer = training::optimizer(&method, &adapters);
        let mut tuning = FineTuning::new(&network, adapters, optimizer, &examples, loss, plan).expect("a run");
        let expected = numbers(&json["methods"][name]["losses"]);
        for (step, (batch, expected)) in batches.iter().zip(expected).enumerate() {
            let found = tuning.step_on(batch, Par::Seq).expect("a step");
            // Labels are rounded to f32, which twenty steps of Adam enlarge.
            assert!((found / expected - 1.0).abs() < 1e-5, "{name}, step {step}: {found} against {expected}");
        }
        for (site, parameter) in tuning.adapters().parameters() {
            let expected = matrix(&tensors, &format!("{name}/final/{}/{}", site.name(), parameter.name));
            let distance = (parameter.matrix() - &expected).norm_l2() / expected.norm_l2();
            assert!(distance < 1e-4, "{name}, {site:?}, {}: {distance:.1e}", parameter.name);
        }
    }
}

/// The examples of a fixture.
pub fn examples(json: &Value) -> Vec<Labelled> {
    let sequences = json["sequences"].as_array().expect("sequences").iter();
    let labels = json["labels"].as_array().expect("labels");
    sequences
        .zip(labels)
        .map(|(sequence, label)| Labelled {
            ids: serde_json::from_value(sequence["ids"].clone()).expect("ids"),
            token_types: serde_json::from_value(sequence["type_ids"].clone()).expect("types"),
            label: label.as_f64().expect("a label") as f32,
        })
        .collect()
}

/// A row-major F64 tensor.
pub fn matrix(tensors: &SafeTensors<'_>, name: &str) -> Mat<f64> {
    let tensor = tensors.tensor(name).unwrap_or_else(|_| panic!("no tensor {name}"));
    let [rows, columns] = tensor.shape() else { panic!("{name} is not a matrix") };
    let entry = |index: usize| f64::from_le_bytes(tensor.data()[8 * index..8 * index + 8].try_into().expect("8 bytes"));
    Mat::from_fn(*rows, *columns, |i, j| entry(i * columns + j))
}

#[test]
fn a_resumed_run_ends_with_the_same_bytes_on_any_number_of_threads() {
    let (network, examples) = instance();
    let plan = Plan { dropout: true, batch: 5, seed: u64::MAX, ..plan(17, 1e-2) };
    let method = Method::DeepLora(DeepLora { rank: Width::Narrow(4), depth: 3, init_scale: 1e-1 });
    let start = || run(&method, Selection::AllDense, &network, &examples, &plan, Par::Seq);
    let mut whole = start();
    while whole.steps_done() < 17 {
        whole.step(Par::Seq).expect("a step");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut first = start();
    assert_eq!(first.restore::<Vec<f64>>(directory.path()).expect("no checkpoint is no error"), None);
    for _ in 0..7 {
        first.step(Par::rayon(2)).expect("a step");
    }
    let notes = vec![0.1 + 0.2, 1e-300];
    first.save(directory.path(), &notes).expect("a checkpoint");
    let mut second = start();
    assert_eq!(second.restore(directory.path()).expect("a checkpoint"), Some(notes));
    assert_eq!(second.steps_done(), 7);
    while second.steps_done() < 17 {
        second.step(Par::rayon(2)).expect("a step");
    }
    assert!(all_parameters(whole.adapters()) == all_parameters(second.adapters()));

    let other = Plan { step_size: 2e-2, ..plan.clone() };
    let mut other = run(&method, Selection::AllDense, &network, &examples, &other, Par::Seq);
    assert!(other.restore::<Vec<f64>>(directory.path()).is_err(), "a checkpoint of another run must be refused");
    assert_eq!(other.steps_done(), 0);
}

#[test]
fn an_epoch_has_every_example_once_and_the_next_another_order() {
    // The batch's loss is the mean of its examples' losses as long as nothing moves.
    let (network, examples) = instance();
    let still = Plan { batch: 5, ..plan(8, 0.0) };
    let method = Method::Lora(Lora { rank: 2, zero: ZeroFactor::Output });
    let mut tuning = run(&method, Selection::QueryValue, &network, &examples, &still, Par::Seq);
    let mut epoch = || -> Vec<f64> {
        let sizes = [5.0, 5.0, 5.0, 1.0];
        sizes.iter().map(|size| size * tuning.step(Par::Seq).expect("a step")).collect()
    };
    let (one, two) = (epoch(), epoch());
    let (first, second): (f64, f64) = (one.iter().sum(), two.iter().sum());
    assert!((first - second).abs() < 1e-9 * first);
    assert_ne!(one, two);
    let alone: f64 = (0..16).map(|index| tuning.step_on(&[index], Par::Seq).expect("a step")).sum();
    assert!((first - alone).abs() < 1e-9 * first, "{first} against {alone}");
}

#[test]
fn a_divergence_names_the_step() {
    let (network, examples) = instance();
    let method = Method::DeepLora(DeepLora { rank: Width::Narrow(4), depth: 3, init_scale: 1.0 });
    let huge = Network {
        encoder: Arc::clone(&network.encoder),
        pooling: Pooling::Mean,
        head: Head { weight: &network.head.weight * faer::Scale(1e9), bias: network.head.bias.clone() },
    };
    let mut tuning = run(&method, Selection::AllDense, &huge, &examples, &plan(5, 1e-3), Par::Seq);
    let error = tuning.step(Par::Seq).expect_err("a loss of 1e15");
    assert!(matches!(error, TrainingError::Diverged { step: 1, .. }), "{error}");
    assert!(error.to_string().starts_with("diverged at step 1 (loss "), "{error}");
}

#[test]
fn predictions_do_not_depend_on_batches() {
    let (network, mut examples) = instance();
    examples.extend(examples.clone().into_iter().cycle().take(400));
    let sites: Vec<Site> = Selection::AllDense.sites(network.encoder.config());
    let method = Method::Lora(Lora { rank: 2, zero: ZeroFactor::Output });
    let plan = plan(1, 1e-2);
    let mut tuning = run(&method, Selection::AllDense, &network, &examples, &plan, Par::Seq);
    assert_eq!(tuning.adapters().len(), sites.len());
    tuning.step(Par::Seq).expect("a step");
    let mut activations = Activations::new();
    let all = predict(&network, tuning.adapters(), &examples, &mut activations, Par::Seq);
    for (index, example) in examples.iter().enumerate() {
        let one = predict(&network, tuning.adapters(), std::slice::from_ref(example), &mut activations, Par::Seq);
        assert!((all[(0, index)] - one[(0, 0)]).abs() < 1e-12, "{index}");
    }
    let pearson = score(Metric::Pearson, &all, &examples).expect("a score");
    assert!(pearson.abs() <= 1.0);
}

#[test]
fn classes_are_the_largest_logits() {
    let labelled = |label: f32| Labelled { ids: vec![2, 3], token_types: vec![0, 0], label };
    let logits = faer::mat![[0.1, 2.0, -1.0, 0.0], [0.3, 1.0, -0.5, 0.0]];
    let examples = [1.0, 0.0, 0.0, 0.0].map(labelled);
    assert_eq!(score(Metric::Accuracy, &logits, &examples), Some(0.75));
    // What is not a number has no score: the parameters are none either.
    for wrong in [f64::NAN, f64::INFINITY] {
        let at = |class, example| if (class, example) == (0, 2) { wrong } else { 1.0 };
        let broken = Mat::from_fn(2, examples.len(), at);
        for metric in [Metric::Accuracy, Metric::Matthews, Metric::Pearson] {
            assert_eq!(score(metric, &broken, &examples), None, "{wrong} {metric:?}");
        }
    }
    assert!(score(Metric::Matthews, &logits, &examples).is_some_and(|score| (score - 1.0 / 3f64.sqrt()).abs() < 1e-12));
}
