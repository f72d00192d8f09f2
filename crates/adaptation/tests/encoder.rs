//! The encoder against Hugging Face transformers and torch autograd (fixtures by `python/make_fixtures.py`), and what it
//! refuses to load.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fixed::Fixed;
use adaptation::adapter::{DeepLora, Width};
use adaptation::{
    Activations, Adapters, AppliedGradient, Batch, Config, Dropout, DropoutSite, Encoder, Form, Head, Loss, Masks,
    Method, Network, Pooling, Real, Site,
};
use faer::{Mat, MatRef, Par};
use safetensors::SafeTensors;
use serde_json::Value;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).expect(name)).expect(name)
}

fn tiny() -> Encoder<f32> {
    Encoder::load(&fixture("tiny-bert/config.json"), &fixture("tiny-bert/model.safetensors")).expect("the tiny encoder")
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
}

pub fn integers<I: TryFrom<u64, Error: std::fmt::Debug>>(value: &Value) -> Vec<I> {
    let integer = |x: &Value| x.as_u64().expect("an integer").try_into().expect("a small integer");
    value.as_array().expect("a list").iter().map(integer).collect()
}

pub fn batch(sequences: &Value) -> Batch {
    let mut batch = Batch::new();
    for sequence in sequences.as_array().expect("sequences") {
        batch.push(&integers(&sequence["ids"]), &integers(&sequence["type_ids"]));
    }
    batch
}

pub fn head<T: Real>(value: &Value) -> Head<T> {
    let rows: Vec<Vec<f64>> = value["weight"].as_array().expect("rows").iter().map(numbers).collect();
    Head {
        weight: Mat::from_fn(rows.len(), rows[0].len(), |i, j| T::of(rows[i][j])),
        bias: numbers(&value["bias"]).into_iter().map(T::of).collect(),
    }
}

/// Matrices by name, in `f64`.
pub struct Tensors(Vec<u8>);

impl Tensors {
    pub fn open(name: &str) -> Self {
        Self(std::fs::read(fixture(name)).expect(name))
    }

    fn view(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).expect("safetensors")
    }

    pub fn list(&self, name: &str) -> Vec<f64> {
        let view = self.view();
        let tensor = view.tensor(name).expect(name);
        match size_of_val(tensor.data()) / tensor.shape().iter().product::<usize>() {
            8 => tensor.data().as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect(),
            _ => tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes).into()).collect(),
        }
    }

    pub fn matrix(&self, name: &str) -> Mat<f64> {
        let shape = self.view().tensor(name).expect(name).shape().to_vec();
        let list = self.list(name);
        Mat::from_fn(shape[0], shape[1], |i, j| list[i * shape[1] + j])
    }
}

fn convert<T: Real>(matrix: &Mat<f64>) -> Mat<T> {
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| T::of(matrix[(i, j)]))
}

/// The largest difference of two matrices.
pub fn difference<T: Real>(a: MatRef<'_, T>, b: &Mat<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    (0..b.ncols()).flat_map(|j| (0..b.nrows()).map(move |i| (i, j))).fold(0.0, |most: f64, (i, j)| {
        let d = (a[(i, j)].as_f64() - b[(i, j)]).abs();
        if d.is_nan() { f64::INFINITY } else { most.max(d) }
    })
}

pub fn columns(rows: &[Vec<f64>]) -> Mat<f64> {
    Mat::from_fn(rows[0].len(), rows.len(), |i, j| rows[j][i])
}

fn forward<T: Real>(encoder: Encoder<T>, tolerance: f64) {
    let fixture = json("forward.json");
    let (encoder, hidden) = (Arc::new(encoder), 24);
    let (batch, adapters) = (batch(&fixture["sequences"]), Adapters::new());
    let (mut kept, mut predicted) = (Activations::new(), Activations::new());
    for (pooling, pooling_name) in [(Pooling::Pooler, "pooler"), (Pooling::Mean, "mean")] {
        for head_name in ["regression", "classes"] {
            let head = head(&fixture["heads"][head_name]);
            let network = Network { encoder: Arc::clone(&encoder), pooling, head };
            network.forward(&batch, &adapters, &Dropout::Off, &mut kept, Par::Seq);
            network.predict(&batch, &adapters, &mut predicted, Par::rayon(2));
            assert_eq!(kept.logits(), predicted.logits(), "a pass without a way back gives the same bits");
            for (place, sequence) in fixture["sequences"].as_array().expect("sequences").iter().enumerate() {
                let expected = columns(&[numbers(&sequence["logits"][format!("{head_name}/{pooling_name}")])]);
                let error = difference(kept.logits().subcols(place, 1), &expected);
                assert!(error < tolerance, "{head_name}/{pooling_name}, sequence {place}: logits off by {error:.1e}");
                let mut rows: Vec<_> = sequence["hidden"].as_array().expect("rows").iter().map(numbers).collect();
                if pooling == Pooling::Pooler {
                    rows.truncate(1);
                }
                let error = difference(kept.hidden_states(&batch, hidden, place), &columns(&rows));
                assert!(error < tolerance, "sequence {place}: hidden states off by {error:.1e}");
            }
        }
    }
}

#[test]
fn hidden_states_and_logits_are_those_of_transformers() {
    forward(tiny().to_f64(), 1e-10);
    forward(tiny(), 2e-5);
}

/// The keep-masks of the fixture, by place and sequence.
fn masks(common: &Tensors, batch: &Batch, config: &Config) -> Masks {
    let view = common.view();
    let bits = |name: &str| -> Vec<bool> {
        view.tensor(&format!("mask/{name}")).expect(name).data().iter().map(|&bit| bit == 1).collect()
    };
    let mut masks = Masks::new();
    for sequence in 0..batch.sequences() {
        let hidden = config.hidden_size;
        let rows = |bits: Vec<bool>| {
            let tokens = batch.range(sequence);
            bits[tokens.start * hidden..tokens.end * hidden].to_vec()
        };
        masks.insert((DropoutSite::Embeddings, sequence), rows(bits("embeddings")));
        masks.insert((DropoutSite::Pooled, sequence), bits("pooled")[sequence * hidden..][..hidden].to_vec());
        for l in 0..config.layers {
            let probabilities = bits(&format!("layer.{l}/attention_probabilities/{sequence}"));
            masks.insert((DropoutSite::Probabilities(l), sequence), probabilities);
            masks.insert(
                (DropoutSite::AttentionOutput(l), sequence),
                rows(bits(&format!("layer.{l}/attention_output"))),
            );
            masks.insert((DropoutSite::Output(l), sequence), rows(bits(&format!("layer.{l}/output"))));
        }
    }
    masks
}

/// All sites of the tiny encoder.
fn sites() -> Vec<Site> {
    let layer = |l| {
        [Site::Query(l), Site::Key(l), Site::Value(l), Site::AttentionOutput(l), Site::Intermediate(l), Site::Output(l)]
    };
    let ends = [Site::WordEmbeddings, Site::PositionEmbeddings, Site::Pooler];
    ends.into_iter().chain((0..2).flat_map(layer)).collect()
}

/// Logits, loss and the adapters' gradients of a case of the fixture.
fn run_case<T: Real>(encoder: &Arc<Encoder<T>>, case: &str, adapters: &mut Adapters<T>) -> (Mat<T>, f64) {
    let (fixture, common) = (json("gradients.json"), Tensors::open("gradients-common.safetensors"));
    let (batch, settings) = (batch(&fixture["sequences"]), &fixture["cases"][case]);
    let classes = settings["loss"] == "cross-entropy";
    let head_name = if classes { "classes" } else { "regression" };
    let head = Head {
        weight: convert(&common.matrix(&format!("head/{head_name}/weight"))),
        bias: common.list(&format!("head/{head_name}/bias")).into_iter().map(T::of).collect(),
    };
    let pooling = if settings["pooling"] == "mean" { Pooling::Mean } else { Pooling::Pooler };
    let dropout = match settings["dropout"].as_bool() {
        Some(true) => Dropout::Given(masks(&common, &batch, encoder.config())),
        _ => Dropout::Off,
    };
    let network = Network { encoder: Arc::clone(encoder), pooling, head };
    let mut activations = Activations::new();
    network.forward(&batch, adapters, &dropout, &mut activations, Par::Seq);
    let logits = activations.logits().to_owned();
    let (loss, d_logits) = if classes {
        let labels: Vec<f32> = numbers(&fixture["classes"]).into_iter().map(|x| x as f32).collect();
        let mut d_logits = Mat::zeros(logits.nrows(), logits.ncols());
        (Loss::CrossEntropy.value_and_gradient(logits.as_ref(), &labels, d_logits.as_mut()).as_f64(), d_logits)
    } else {
        // The fixture's labels are no f32.
        let error: Vec<_> =
            numbers(&fixture["labels"]).iter().zip(0..).map(|(x, j)| logits[(0, j)].as_f64() - x).collect();
        let loss = error.iter().map(|e| e * e).sum::<f64>() / error.len() as f64;
        (loss, Mat::from_fn(1, error.len(), |_, j| T::of(2.0 * error[j] / error.len() as f64)))
    };
    network.backward(&batch, d_logits.as_ref(), adapters, &mut activations, Par::Seq);
    (logits, loss)
}

/// Checks a gradient to a relative tolerance; 0 must be 0 to the bit.
fn assert_gradient<T: Real>(found: MatRef<'_, T>, expected: &Mat<f64>, tolerance: f64, what: &str) {
    let (error, size) = (difference(found, expected), expected.norm_max());
    assert!(error <= tolerance * size, "{what}: off by {error:.1e} of {size:.1e}");
}

fn check_value<T: Real>(fixture: &Value, method: &str, case: &str, logits: &Mat<T>, loss: f64, tolerance: f64) {
    let outcome = &fixture["methods"][method]["cases"][case];
    let expected: Vec<_> = outcome["logits"].as_array().expect("logits").iter().map(numbers).collect();
    let error = difference(logits.as_ref(), &columns(&expected));
    assert!(error < tolerance, "{method}, {case}: logits off by {error:.1e}");
    let expected = outcome["loss"].as_f64().expect("a loss");
    assert!((loss - expected).abs() < 10.0 * tolerance, "{method}, {case}: loss {loss}, expected {expected}");
}

fn lora<T: Real>(encoder: Encoder<T>, value_tolerance: f64, tolerance: f64) {
    let (fixture, tensors) = (json("gradients.json"), Tensors::open("gradients-lora.safetensors"));
    let encoder = Arc::new(encoder);
    for case in ["regression", "classes", "dropout", "dropout-classes"] {
        let mut adapters = Adapters::new();
        for site in sites() {
            let factor = |name: &str| convert(&tensors.matrix(&format!("factor/{}/{name}", site.name())));
            adapters.insert(site, Box::new(Fixed::factored(factor("B"), factor("A"))));
        }
        let (logits, loss) = run_case(&encoder, case, &mut adapters);
        check_value(&fixture, "lora", case, &logits, loss, value_tolerance);
        for site in sites() {
            let gradient = |name: &str| tensors.matrix(&format!("gradient/{case}/{}/{name}", site.name()));
            let Some(AppliedGradient::Factored { left, right }) = adapters.gradient(site) else { panic!("factored") };
            assert_gradient(left.as_ref(), &gradient("B"), tolerance, &format!("{case}, B of {site:?}"));
            assert_gradient(right.as_ref(), &gradient("A"), tolerance, &format!("{case}, A of {site:?}"));
        }
    }
}

#[test]
fn gradients_of_factors_are_those_of_autograd() {
    lora(tiny().to_f64(), 1e-10, 1e-9);
    lora(tiny(), 2e-5, 1e-4);
}

/// Deep LoRA of full width, embeddings included, multiplied out (with many tokens) or not (with few).
fn full_width<T: Real>(encoder: Encoder<T>, tokens: usize, value_tolerance: f64, tolerance: f64) {
    let (fixture, tensors) = (json("gradients.json"), Tensors::open("gradients-full-width.safetensors"));
    let (case, encoder) = ("dropout", Arc::new(encoder));
    let method = Method::DeepLora(DeepLora { rank: Width::Full, depth: 3, init_scale: 1.0 });
    let shape = |site| encoder.config().shape(site);
    let mut adapters = method.adapters::<T>(&sites(), shape, |_| tokens, None, 1).expect("adapters");
    let form = if tokens > 1 { Form::Merged } else { Form::Factored { rank: 24 } };
    assert_eq!(adapters.get(Site::Query(0)).map(|adapter| adapter.form()), Some(form));
    for (site, parameter) in adapters.parameters_mut() {
        let value: Mat<T> = convert(&tensors.matrix(&format!("factor/{}/{}", site.name(), parameter.name)));
        parameter.value = if parameter.touched.is_some() { value.transpose().to_owned() } else { value };
    }
    adapters.refresh(Par::Seq);
    let (logits, loss) = run_case(&encoder, case, &mut adapters);
    adapters.pull_back(Par::Seq);
    check_value(&fixture, "full-width", case, &logits, loss, value_tolerance);
    for (site, parameter) in adapters.parameters() {
        let expected = tensors.matrix(&format!("gradient/{case}/{}/{}", site.name(), parameter.name));
        let what = format!("{} of {site:?}, {tokens} tokens", parameter.name);
        assert_gradient(parameter.matrix_gradient().as_ref(), &expected, tolerance, &what);
    }
}

#[test]
fn gradients_of_full_width_are_those_of_autograd() {
    for tokens in [1, 10_000] {
        full_width(tiny().to_f64(), tokens, 1e-10, 1e-9);
        full_width(tiny(), tokens, 2e-5, 1e-4);
    }
}

fn of_weights<T: Real>(encoder: Encoder<T>, tolerance: f64) {
    let (tensors, encoder) = (Tensors::open("gradients-weights.safetensors"), Arc::new(encoder));
    let mut adapters = Adapters::new();
    for site in sites() {
        let (m, n) = encoder.config().shape(site);
        adapters.insert(site, Box::new(Fixed::merged(Mat::zeros(m, n))));
    }
    run_case(&encoder, "regression", &mut adapters);
    for site in sites() {
        let Some(AppliedGradient::Merged(gradient)) = adapters.gradient(site) else { panic!("merged") };
        let expected = tensors.matrix(&format!("gradient/regression/{}", site.name()));
        assert_gradient(gradient.as_ref(), &expected, tolerance, &format!("{site:?}"));
    }
}

#[test]
fn gradients_of_all_weights_are_those_of_autograd() {
    of_weights(tiny().to_f64(), 1e-9);
    of_weights(tiny(), 1e-4);
}

/// Runs where the default encoder lies in the directory that `ADAPTATION_MODEL` names.
#[test]
fn the_default_encoder_is_that_of_transformers() {
    let Some(directory) = std::env::var_os("ADAPTATION_MODEL").map(PathBuf::from) else { return };
    let encoder = Encoder::load(&directory.join("config.json"), &directory.join("model.safetensors")).expect("weights");
    let encoder = Arc::new(encoder);
    let (fixture, tensors) = (json("real-model.json"), Tensors::open("real-model.safetensors"));
    let batch = batch(&fixture["sequences"]);
    let bias: Vec<f32> = tensors.list("head/bias").into_iter().map(|x| x as f32).collect();
    let head = Head { weight: convert(&tensors.matrix("head/weight")), bias };
    for (pooling, name) in [(Pooling::Pooler, "pooler"), (Pooling::Mean, "mean")] {
        let network = Network { encoder: Arc::clone(&encoder), pooling, head: head.clone() };
        let mut activations = Activations::new();
        network.forward(&batch, &Adapters::new(), &Dropout::Off, &mut activations, Par::Seq);
        for (place, sequence) in fixture["sequences"].as_array().expect("sequences").iter().enumerate() {
            let expected = columns(&[numbers(&sequence["logits"][name])]);
            let error = difference(activations.logits().subcols(place, 1), &expected);
            assert!(error < 2e-5, "{name}, sequence {place}: logits off by {error:.1e}");
            let states = activations.hidden_states(&batch, 384, place);
            let error = difference(states.subcols(0, 1), &columns(&[tensors.list(&format!("cls/{place}"))]));
            assert!(error < 2e-5, "sequence {place}: first hidden state off by {error:.1e}");
        }
    }
}

mod loading {
    use super::*;

    fn message(config: &Path, weights: &Path) -> String {
        Encoder::load(config, weights).expect_err("an error").to_string()
    }

    /// The tiny encoder's weights, changed.
    fn changed(change: impl FnOnce(&mut Vec<(String, safetensors::Dtype, Vec<usize>, Vec<u8>)>)) -> tempfile::TempPath {
        let tensors = Tensors::open("tiny-bert/model.safetensors");
        let mut list: Vec<_> = tensors
            .view()
            .iter()
            .map(|(name, t)| (name.to_owned(), t.dtype(), t.shape().to_vec(), t.data().to_vec()))
            .collect();
        change(&mut list);
        let views = list.iter().map(|(name, dtype, shape, data)| {
            (name, safetensors::tensor::TensorView::new(*dtype, shape.clone(), data).expect("a tensor"))
        });
        let bytes = safetensors::serialize(views, None).expect("safetensors");
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        file.into_temp_path()
    }

    #[test]
    fn names_with_a_prefix() {
        let prefixed = Encoder::load(&fixture("tiny-bert/config.json"), &fixture("tiny-bert/prefixed.safetensors"));
        let (prefixed, plain) = (prefixed.expect("the tiny encoder"), tiny());
        for site in sites() {
            assert_eq!(prefixed.weight(site), plain.weight(site));
        }
    }

    #[test]
    fn old_names_of_layer_norms() {
        let old = changed(|list| {
            for (name, ..) in list {
                *name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
            }
        });
        assert!(Encoder::load(&fixture("tiny-bert/config.json"), &old).is_ok());
    }

    #[test]
    fn a_pooler_may_be_missing() {
        let without = changed(|list| list.retain(|(name, ..)| !name.starts_with("pooler")));
        let encoder = Encoder::load(&fixture("tiny-bert/config.json"), &without).expect("an encoder");
        assert!(!encoder.has_pooler() && tiny().has_pooler());
    }

    #[test]
    fn damage_is_named() {
        let config = fixture("tiny-bert/config.json");
        let missing = changed(|list| list.retain(|(name, ..)| name != "encoder.layer.1.attention.self.key.weight"));
        assert!(message(&config, &missing).contains("no tensor encoder.layer.1.attention.self.key.weight"));
        let name = "encoder.layer.0.output.dense.weight";
        let reshaped = changed(|list| {
            let tensor = list.iter_mut().find(|tensor| tensor.0 == name).expect(name);
            tensor.2.reverse();
        });
        let text = message(&config, &reshaped);
        assert!(text.contains(&format!("tensor {name} is [40, 24]")) && text.contains("must be [24, 40]"), "{text}");
        let bytes = changed(|list| {
            let tensor = list.iter_mut().find(|tensor| tensor.0 == name).expect(name);
            tensor.1 = safetensors::Dtype::I8;
            tensor.3.truncate(tensor.3.len() / 4);
        });
        let text = message(&config, &bytes);
        assert!(text.contains(name) && text.contains("I8, allowed: F32, F16, BF16, F64"), "{text}");
        let bytes = std::fs::read(fixture("tiny-bert/model.safetensors")).expect("weights");
        let cut = tempfile::NamedTempFile::new().expect("a file");
        for length in [0, 5, 100, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(cut.path(), &bytes[..length]).expect("written");
            assert!(message(&config, cut.path()).contains("cut short"), "{length} bytes");
        }
        assert!(message(&config, Path::new("absent.safetensors")).contains("cannot read absent.safetensors"));
    }
}
