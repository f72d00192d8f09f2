//! The user's own encoders through a real binary: what cannot be used is refused before anything runs, in one sentence, with
//! exit code 2. They are made from the tiny encoder of the tests of `adaptation`, and read a task of a few lines.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::Dtype;
use safetensors::tensor::{SafeTensors, TensorView};
use serde_json::Value;
use tempfile::TempDir;

/// Name, type, shape, bytes.
type Tensor = (String, Dtype, Vec<usize>, Vec<u8>);

/// A directory with an encoder, a task, and settings that name both.
struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        let lab = Self(tempfile::tempdir().expect("a directory"));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        fs::create_dir(lab.encoder()).expect("made");
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            fs::copy(root.join("adaptation/tests/fixtures/tiny-bert").join(name), lab.encoder().join(name))
                .expect("copied");
        }
        let task = lab.0.path().join("data/STS-B");
        fs::create_dir_all(&task).expect("made");
        for (file, lines) in [("train.tsv", 24), ("dev.tsv", 12)] {
            let mut text = "index\tsentence1\tsentence2\tscore\n".to_owned();
            let words = ["the film", "the movie", "a plot", "very good", "not bad", "it was great"];
            for i in 0..lines {
                let (first, second) = (words[i % 6], words[i * 5 % 7 % 6]);
                writeln!(text, "{i}\t{first}\t{second}\t{}.{}", i % 5, i % 9).expect("a string takes everything");
            }
            fs::write(task.join(file), text).expect("written");
        }
        let settings = fs::read_to_string(root.join("../experiments/step-size.toml")).expect("settings");
        let source = format!("\n[sources.mine.path]\ndirectory = '{}'\n", lab.encoder().display());
        fs::write(lab.0.path().join("step-size.toml"), settings + &source).expect("written");
        lab
    }

    fn encoder(&self) -> PathBuf {
        self.0.path().join("encoder")
    }

    /// Changes a key of `config.json`.
    fn key(self, key: &str, value: Value) -> Self {
        let path = self.encoder().join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        config[key] = value;
        fs::write(&path, config.to_string()).expect("written");
        self
    }

    /// Changes the weights.
    fn tensors(self, change: impl FnOnce(&mut Vec<Tensor>)) -> Self {
        let path = self.encoder().join("model.safetensors");
        let bytes = fs::read(&path).expect("read");
        let parsed = SafeTensors::deserialize(&bytes).expect("safetensors");
        let mut list: Vec<Tensor> =
            parsed.iter().map(|(n, t)| (n.to_owned(), t.dtype(), t.shape().to_vec(), t.data().to_vec())).collect();
        change(&mut list);
        let views = list
            .iter()
            .map(|(name, dtype, shape, data)| (name, TensorView::new(*dtype, shape.clone(), data).expect("a tensor")));
        fs::write(path, safetensors::serialize(views, None).expect("safetensors")).expect("written");
        self
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_step-size"));
        command.current_dir(self.0.path()).args(["--profile", "smoke", "--config", "step-size.toml"]);
        command.args(["--set", "encoder.source=mine", "--set", "tasks=[\"stsb\"]", "--data-dir", "data"]);
        command.args(["--results", "r", "--figures", "f"]).args(arguments);
        command.output().expect("the binary starts")
    }

    /// Standard error of a run that is refused.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.len() < 2000 && !text.contains("panicked"), "{text}");
        assert!(!self.0.path().join("r/smoke/step-size.csv").exists(), "nothing was run");
        text
    }

    /// Standard error and provenance of a run that succeeds.
    fn accepted(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
        (text, fs::read_to_string(self.0.path().join("r/smoke/step-size.meta.toml")).expect("provenance"))
    }
}

const QUERY: &str = "encoder.layer.0.attention.self.query.weight";

#[test]
fn other_networks_are_refused_by_key_and_value() {
    for (key, value, expected) in [
        ("model_type", Value::from("roberta"), "model_type is \"roberta\", allowed: \"bert\""),
        ("model_type", "electra".into(), "model_type is \"electra\", allowed: \"bert\""),
        ("is_decoder", true.into(), "is_decoder is true"),
        ("position_embedding_type", "relative_key".into(), "position_embedding_type is \"relative_key\""),
        ("layer_norm_eps", 1e300.into(), "layer_norm_eps is 1e+300, allowed: a number from 1e-20"),
    ] {
        let text = Lab::new().key(key, value).refused(&[]);
        assert!(text.contains("config.json: ") && text.matches(expected).count() == 1, "{text}");
    }
}

#[test]
fn unusable_weights_are_refused_by_tensor_and_place() {
    for value in [f32::NAN, f32::INFINITY, 3e38] {
        let lab = Lab::new().tensors(|list| {
            let query = list.iter_mut().find(|tensor| tensor.0 == QUERY).expect("the tensor");
            query.3[4 * 30..4 * 31].copy_from_slice(&value.to_le_bytes());
        });
        let text = lab.refused(&[]);
        assert!(text.contains(QUERY) && text.contains("at [1, 6]") && text.contains("model.safetensors"), "{text}");
    }
    let text = Lab::new().tensors(|list| list.iter_mut().for_each(|tensor| tensor.3.fill(0))).refused(&[]);
    assert!(text.contains("embeddings.word_embeddings.weight has the same row for every word"), "{text}");
    let lab = Lab::new();
    fs::write(lab.encoder().join("model.safetensors"), "version https://git-lfs.github.com/spec/v1\n")
        .expect("written");
    assert!(lab.refused(&[]).contains("git lfs pull"));
}

#[test]
fn without_a_pooler_the_mean_is_named_and_taken() {
    let lab = Lab::new().tensors(|list| list.retain(|tensor| !tensor.0.starts_with("pooler")));
    let text = lab.refused(&["--set", "encoder.pooling=\"pooler\""]);
    assert!(text.contains("no pooler") && text.contains("set it to \"random-pooler\" or \"mean\""), "{text}");
    lab.accepted(&["--set", "encoder.pooling=\"mean\""]);
}

#[test]
fn the_limit_of_tokens_is_that_of_the_positions_or_less() {
    let lab = Lab::new();
    let text = lab.refused(&["--set", "encoder.max_tokens=41"]);
    assert!(text.contains("encoder.max_tokens is 41") && text.contains("= 40, by max_position_embeddings"), "{text}");
    lab.accepted(&["--set", "encoder.max_tokens=40"]);
    let (text, _) = lab.accepted(&["--set", "encoder.max_tokens=7"]);
    assert!(text.contains("of more than 7 tokens are left out"), "{text}");
    let tiny = ["--set", "encoder.source=tiny-random", "--set", "tasks=[\"made-up\"]", "--set", "encoder.max_tokens=5"];
    assert!(Lab::new().refused(&tiny).contains("encoder.max_tokens is 5"), "tiny-random reads no sentences");
}

#[test]
fn pairs_need_two_types_of_tokens() {
    let lab = Lab::new().key("type_vocab_size", 1.into()).tensors(|list| {
        let types = list.iter_mut().find(|tensor| tensor.0.contains("token_type")).expect("the tensor");
        types.2[0] = 1;
        types.3.truncate(types.3.len() / 2);
    });
    let text = lab.refused(&[]);
    assert!(text.contains("stsb") && text.contains("type_vocab_size"), "{text}");
}

#[test]
fn conversions_go_into_the_provenance_and_unknown_keys_are_warned_of() {
    let lab = Lab::new().key("frobnicate", 1.into()).tensors(|list| {
        for tensor in list {
            let numbers: Vec<[u8; 4]> = tensor.3.as_chunks().0.to_vec();
            tensor.1 = Dtype::F64;
            tensor.3 =
                numbers.into_iter().flat_map(|bytes| f64::from(f32::from_le_bytes(bytes)).to_le_bytes()).collect();
        }
    });
    let (text, meta) = lab.accepted(&[]);
    assert!(text.matches("frobnicate").count() == 1, "{text}");
    let meta: toml::Table = meta.parse().expect("TOML");
    assert_eq!(meta["inputs"]["weights of mine"].as_str(), Some("F64 converted to F32"));
}
