//! Adapters that PEFT wrote (fixtures by `python/make_peft_fixtures.py`): the logits of PEFT, and its losses in training on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::encoder::{batch, head, integers, json, numbers};
use crate::peft_t5;
use adaptation::peft::{ImportError, Imported, Names, export, import};
use adaptation::{
    Activations, AdamW, AdamWSettings, Adapters, Batch, Cache, Decoder, Dropout, Encoder, LanguageModel, Loss, Network,
    Pooling, PretrainedDecoder, PromptedText, Real, Site, TextActivations, TextBatch,
};
use faer::{Mat, Par};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Largest difference of a logit from PEFT's.
const TOLERANCE: f64 = 1e-4;

/// A directory that PEFT wrote, with its `check.json`.
pub struct Case {
    pub directory: PathBuf,
    pub check: Value,
}

impl Case {
    pub fn fixture(name: &str) -> Self {
        Self::open(crate::encoder::fixture("peft").join(name))
    }

    fn open(directory: PathBuf) -> Self {
        let text = fs::read(directory.join("check.json")).expect("check.json");
        Self { check: serde_json::from_slice(&text).expect("JSON"), directory }
    }

    /// The fixtures, and those in the directory that the environment's PEFT_ADAPTERS names (`just check-peft`).
    fn all() -> Vec<Self> {
        let given = std::env::var_os("PEFT_ADAPTERS").map(PathBuf::from);
        let roots = [crate::encoder::fixture("peft")].into_iter().chain(given);
        let entries = roots.flat_map(|root| fs::read_dir(root).expect("adapters"));
        let mut all: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        all.sort();
        all.into_iter().map(Self::open).collect()
    }

    pub fn model(&self) -> PathBuf {
        self.directory.join(self.check["model"].as_str().expect("a path"))
    }

    pub fn is_decoder(&self) -> bool {
        self.check.get("pooling").is_none() && !self.is_t5()
    }

    pub fn is_t5(&self) -> bool {
        self.check["sequences"][0].get("target").is_some()
    }

    /// So many entries of the vocabulary are one logit.
    pub fn every(&self) -> usize {
        self.check["every"].as_u64().unwrap_or(1) as usize
    }

    pub fn encoder(&self) -> Encoder<f32> {
        let model = self.model();
        Encoder::load(&model.join("config.json"), &model.join("model.safetensors")).expect("a tiny encoder")
    }

    fn network(&self) -> Network<f32> {
        let pooling: Pooling = serde_json::from_value(self.check["pooling"].clone()).expect("a pooling");
        Network { encoder: Arc::new(self.encoder()), pooling, head: head(&self.check["head"]) }
    }

    pub fn decoder<T: Real>(&self) -> Decoder<T> {
        if self.check["tied"] == json!(true) { tied(&self.model()) } else { load(&self.model()) }
    }

    pub fn texts(&self) -> Vec<PromptedText> {
        let of = |entry: &Value| PromptedText { prompt: integers(&entry["prompt"]), text: integers(&entry["text"]) };
        self.check["texts"].as_array().expect("texts").iter().map(of).collect()
    }

    fn losses(&self) -> Vec<f64> {
        self.check.get("losses").map_or(Vec::new(), numbers)
    }
}

fn load<T: Real>(path: &Path) -> Decoder<T> {
    PretrainedDecoder::load(path).expect("a tiny decoder").decoder
}

/// The tiny decoder with its embedding as its head.
pub fn tied<T: Real>(path: &Path) -> Decoder<T> {
    let directory = tied_directory(path);
    load(directory.path())
}

fn tied_directory(path: &Path) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::copy(path.join("tokenizer.json"), directory.path().join("tokenizer.json")).expect("copied");
    // Without the head of its own.
    let bytes = fs::read(path.join("model.safetensors")).expect("weights");
    let tensors = SafeTensors::deserialize(&bytes).expect("tensors");
    let kept = tensors.tensors().into_iter().filter(|(name, _)| name != "lm_head.weight");
    let kept = safetensors::serialize(kept, None).expect("bytes");
    fs::write(directory.path().join("model.safetensors"), kept).expect("written");
    let config = fs::read_to_string(path.join("config.json")).expect("config.json");
    let config = config.replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
    fs::write(directory.path().join("config.json"), config).expect("written");
    directory
}

/// The adapters for a decoder, and the decoder: with two weights for a tied one where PEFT adapts one use alone.
fn imported<T: Real>(case: &Case) -> (Decoder<T>, Adapters<T>) {
    let decoder = case.decoder();
    match import(&case.directory, &decoder) {
        Err(ImportError::OneUse { .. }) => {
            let untied = decoder.untied();
            let adapters = import(&case.directory, &untied).expect("an adapter of one use").adapters;
            (untied, adapters)
        }
        other => (decoder, other.unwrap_or_else(|error| panic!("{}: {error}", case.directory.display())).adapters),
    }
}

/// Outputs × sequences: of a decoder of the last tokens.
fn decoder_logits(decoder: &Decoder<f32>, sequences: &Value, every: usize) -> Mat<f32> {
    let mut batch = Batch::new();
    for sequence in sequences.as_array().expect("sequences") {
        batch.push_ids(&integers(&sequence["ids"]));
    }
    let states = decoder.hidden_states(&batch, &mut Cache::new(decoder.config(), batch.sequences()), Par::Seq);
    let logits = decoder.logits(states.as_ref(), Par::Seq);
    let last = |sequence| batch.range(sequence).end - 1;
    let rows = logits.nrows().div_ceil(every);
    Mat::from_fn(rows, batch.sequences(), |i, sequence| logits[(every * i, last(sequence))])
}

fn logits(case: &Case) -> Mat<f32> {
    if case.is_decoder() {
        let (decoder, adapters) = imported::<f32>(case);
        return decoder_logits(&decoder.with(&adapters), &case.check["sequences"], case.every());
    }
    if case.is_t5() {
        return peft_t5::logits(case);
    }
    let network = case.network();
    let imported = import(&case.directory, &*network.encoder);
    let adapters = imported.unwrap_or_else(|error| panic!("{}: {error}", case.directory.display())).adapters;
    let mut activations = Activations::new();
    network.predict(&batch(&case.check["sequences"]), &adapters, &mut activations, Par::Seq);
    activations.logits().to_owned()
}

#[test]
fn logits_are_those_of_peft() {
    let cases = Case::all();
    assert!(cases.len() >= 17, "{} adapters", cases.len());
    for case in cases {
        let found = logits(&case);
        let expected: Vec<Vec<f64>> = case.check["logits"].as_array().expect("rows").iter().map(numbers).collect();
        assert_eq!(found.shape(), (expected[0].len(), expected.len()));
        let difference = |i: usize, j: usize| (f64::from(found[(i, j)]) - expected[j][i]).abs();
        let worst = (0..found.ncols()).flat_map(|j| (0..found.nrows()).map(move |i| (i, j)));
        let worst = worst.map(|(i, j)| difference(i, j)).fold(0.0, f64::max);
        assert!(worst < TOLERANCE, "{}: logits differ by {worst:.1e}", case.directory.display());
        println!("{}: logits differ by {worst:.1e}", case.directory.display());
    }
}

/// As AdamW of PyTorch goes on with the factors, in double precision; encoders are trained in single precision here.
#[test]
fn training_goes_on_as_with_peft() {
    let mut trained = 0;
    for case in Case::all().iter().filter(|case| !case.losses().is_empty()) {
        let (found, tolerance) = match case {
            case if case.is_decoder() => (train_decoder(case), 1e-9),
            case if case.is_t5() => (peft_t5::train(case), 1e-9),
            _ => (train_encoder(case), 1e-4),
        };
        for (step, (found, expected)) in found.iter().zip(case.losses()).enumerate() {
            let error = (found - expected).abs() / (1.0 + expected);
            let name = case.directory.display();
            assert!(error < tolerance, "{name}, step {step}: loss {found}, expected {expected}, off by {error:.1e}");
        }
        trained += 1;
    }
    assert!(trained >= 14, "{trained} adapters");
}

fn train_decoder(case: &Case) -> Vec<f64> {
    let (decoder, mut adapters) = imported::<f64>(case);
    let (model, mut texts, mut work) = (LanguageModel::new(decoder), TextBatch::new(), TextActivations::new());
    case.texts().iter().for_each(|text| texts.push(text));
    steps(case, &mut adapters, texts.batch(), |adapters| model.loss_and_gradient(&texts, adapters, &mut work, Par::Seq))
}

fn train_encoder(case: &Case) -> Vec<f64> {
    let (network, batch) = (case.network(), batch(&case.check["sequences"]));
    let mut adapters = import(&case.directory, &*network.encoder).expect("an adapter").adapters;
    let labels: Vec<f32> = numbers(&case.check["labels"]).into_iter().map(|label| label as f32).collect();
    let (mut activations, mut d_logits) = (Activations::new(), Mat::zeros(1, labels.len()));
    steps(case, &mut adapters, &batch, |adapters| {
        network.forward(&batch, adapters, &Dropout::Off, &mut activations, Par::Seq);
        let loss = Loss::MeanSquaredError.value_and_gradient(activations.logits(), &labels, d_logits.as_mut());
        network.backward(&batch, d_logits.as_ref(), adapters, &mut activations, Par::Seq);
        loss.into()
    })
}

/// The losses before so many steps as the case has.
pub fn steps<T: Real>(
    case: &Case,
    adapters: &mut Adapters<T>,
    batch: &Batch,
    mut loss: impl FnMut(&mut Adapters<T>) -> f64,
) -> Vec<f64> {
    let mut optimizer = AdamW::new(AdamWSettings::default(), adapters);
    let mut step = |_| {
        optimizer.catch_up(adapters, batch);
        let loss = loss(adapters);
        adapters.pull_back(Par::Seq);
        optimizer.step(adapters, case.check["step_size"].as_f64().expect("a step size"), Par::Seq);
        adapters.refresh(Par::Seq);
        loss
    };
    case.losses().into_iter().map(&mut step).collect()
}

/// Each weight has the rank and the scaling of the first pattern that matches its name.
#[test]
fn ranks_and_scalings_are_those_of_patterns() {
    let case = Case::fixture("bert-patterns");
    let Imported { adapters, warnings } = import(&case.directory, &case.encoder()).expect("an adapter");
    assert!(warnings.is_empty(), "{warnings:?}");
    let sites: Vec<Site> = adapters.sites().collect();
    let expected = [Site::Query, Site::Value, Site::AttentionOutput].into_iter().flat_map(|site| [site(0), site(1)]);
    assert_eq!(sites, expected.collect::<Vec<_>>());
    for (site, rank) in [(Site::Query(0), 2), (Site::Query(1), 2), (Site::Value(0), 5), (Site::AttentionOutput(1), 3)] {
        assert_eq!(adapters.get(site).expect("an adapter").parameters()[0].value.nrows(), rank, "{site:?}");
    }
    for (site, scale) in [(Site::Query(0), 2.5), (Site::Value(0), 1.4), (Site::Value(1), 0.6)] {
        let (parameters, delta) = (adapters.get(site).expect("an adapter").parameters(), adapters.delta(site));
        let expected = faer::Scale(scale as f32) * (&parameters[1].value * &parameters[0].value);
        assert!((delta.expect("ΔW") - expected).norm_max() < 1e-6, "{site:?}");
    }
}

/// Out and in again: the same ΔW on the same weights, on a tied weight too.
#[test]
fn what_is_exported_is_imported() {
    for name in ["bert-embeddings", "mpnet-classifier-f16"] {
        let (case, directory) = (Case::fixture(name), tempfile::tempdir().expect("a directory"));
        let encoder = case.encoder();
        let first = import(&case.directory, &encoder).expect("an adapter").adapters;
        export(&first, encoder.config().architecture, "tiny", directory.path()).expect("exported");
        assert_same(&first, &import(directory.path(), &encoder).expect("imported").adapters);
    }
    for name in ["llama-embeddings", "llama-all-linear", "llama-tied", "llama-one-use"] {
        let (case, directory) = (Case::fixture(name), tempfile::tempdir().expect("a directory"));
        let (decoder, first) = imported::<f64>(&case);
        export(&first, decoder.config(), "tiny", directory.path()).expect("exported");
        assert_same(&first, &import(directory.path(), &decoder).expect("imported").adapters);
    }
}

pub fn assert_same<T: Real>(first: &Adapters<T>, second: &Adapters<T>) {
    assert!(first.sites().eq(second.sites()));
    for site in first.sites() {
        let (first, second) = (first.delta(site).expect("ΔW"), second.delta(site).expect("ΔW"));
        assert!((first - second).norm_max().as_f64() < 1e-6, "{site:?}");
    }
}

/// The one ΔW of a tied weight has the names of both uses, and PEFT is told to hold them equal.
#[test]
fn tied_weights_are_exported_for_both_uses() {
    let (case, directory) = (Case::fixture("llama-tied"), tempfile::tempdir().expect("a directory"));
    let (decoder, adapters) = imported::<f32>(&case);
    assert!(adapters.sites().any(|site| site == Site::TiedEmbedding));
    export(&adapters, decoder.config(), "tiny", directory.path()).expect("exported");
    let config: Value =
        serde_json::from_slice(&fs::read(directory.path().join("adapter_config.json")).expect("read")).expect("JSON");
    assert_eq!((&config["ensure_weight_tying"], &config["task_type"]), (&json!(true), &json!("CAUSAL_LM")));
    let targets = config["target_modules"].as_array().expect("a list");
    assert!(["lm_head", "model.embed_tokens"].iter().all(|name| targets.contains(&json!(name))), "{targets:?}");
    assert_eq!(Names::from(decoder.config()), Names::Llama { tied: true });
    // Of the two uses each by itself nothing is said.
    let (case, directory) = (Case::fixture("llama-one-use"), tempfile::tempdir().expect("a directory"));
    let (decoder, adapters) = imported::<f32>(&case);
    export(&adapters, decoder.config(), "tiny", directory.path()).expect("exported");
    let text = fs::read_to_string(directory.path().join("adapter_config.json")).expect("read");
    assert!(!text.contains("ensure_weight_tying") && !text.contains("lm_head"), "{text}");
}

/// Texts of the fixture of gradients: the untied decoder computes what the tied one does.
#[test]
fn an_untied_decoder_is_the_same_network() {
    let decoder = tied::<f32>(&crate::encoder::fixture("tiny-llama"));
    let sequences: Vec<Value> = json("gradients-llama.json")["texts"].as_array().expect("texts").clone();
    let sequences: Vec<Value> = sequences.into_iter().map(|text| json!({ "ids": text["prompt"] })).collect();
    let of = |decoder: &Decoder<f32>| decoder_logits(decoder, &json!(sequences), 1);
    assert_eq!(of(&decoder), of(&decoder.untied()));
    assert!(decoder.untied().config().sites().any(|site| site == Site::Head));
}
