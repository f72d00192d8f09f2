//! The examples, on the tiny encoder.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use safetensors::tensor::{SafeTensors, TensorView};
use serde_json::Value;

#[path = "../examples/deep_lora.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod deep_lora;

#[path = "../examples/export.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod export;

#[path = "../examples/export_decoder.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod export_decoder;

#[path = "../examples/export_t5.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod export_t5;

#[path = "../examples/similarity.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod similarity;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn encoder() -> PathBuf {
    fixture("tiny-bert")
}

fn base_model(adapter: &Path) -> String {
    let config = fs::read(adapter.join("adapter_config.json")).expect("a configuration");
    let config: Value = serde_json::from_slice(&config).expect("JSON");
    config["base_model_name_or_path"].as_str().expect("a name").to_owned()
}

/// Lines of sentences that say where they belong.
fn sentences(line: impl Fn(&str, &str, usize) -> String) -> String {
    let words = ["movie", "film", "the movie", "the film", "was the film"];
    (0..30).fold(String::new(), |mut text, i| {
        let what = if i % 2 == 0 { "good" } else { "very" };
        writeln!(text, "{}", line(words[i % 5], what, i)).expect("a string takes everything");
        text
    })
}

#[test]
fn deep_lora_is_tuned_scored_and_exported() {
    let directory = tempfile::tempdir().expect("a directory");
    let (tsv, output) = (directory.path().join("sentences.tsv"), directory.path().join("adapter"));
    let run = || deep_lora::run([tsv.clone(), output.clone(), encoder()].into_iter());
    let pairs = |first: &str, second: &str, i: usize| format!("{first}\t{second}\t{}.5", i % 4);
    for text in [sentences(|first, what, _| format!("{first} {what}\t{what}")), sentences(pairs)] {
        fs::write(&tsv, text).expect("written");
        run().expect("it runs");
        assert!(output.join("adapter_model.safetensors").is_file());
        assert_eq!(base_model(&output), encoder().to_string_lossy());
        fs::remove_dir_all(&output).expect("removed");
    }
    for (text, expected) in [
        ("a\tb\nc\n", "line 2: not a sentence and a label"),
        ("a\tb\tgood\n", "line 1: the score \"good\" is not a number"),
        ("a\n", "line 1: not a sentence"),
        ("", "there are no training examples"),
    ] {
        fs::write(&tsv, text).expect("written");
        assert!(run().expect_err("refused").to_string().contains(expected), "{text}");
    }
}

/// The tiny encoder with four times its positions, for the sentences of `export`.
fn with_more_positions(directory: &Path) {
    fs::create_dir_all(directory).expect("made");
    fs::copy(encoder().join("tokenizer.json"), directory.join("tokenizer.json")).expect("copied");
    let config = fs::read_to_string(encoder().join("config.json")).expect("read");
    let config = config.replace("\"max_position_embeddings\": 40", "\"max_position_embeddings\": 160");
    fs::write(directory.join("config.json"), config).expect("written");
    let bytes = fs::read(encoder().join("model.safetensors")).expect("read");
    let parsed = SafeTensors::deserialize(&bytes).expect("safetensors");
    let repeated = |name: &str| if name == "embeddings.position_embeddings.weight" { 4 } else { 1 };
    let list: Vec<_> =
        parsed.iter().map(|(name, tensor)| (name, tensor.data().repeat(repeated(name)), tensor)).collect();
    let views = list.iter().map(|(name, data, tensor)| {
        let mut shape = tensor.shape().to_vec();
        shape[0] *= repeated(name);
        (*name, TensorView::new(tensor.dtype(), shape, data).expect("a tensor"))
    });
    fs::write(directory.join("model.safetensors"), safetensors::serialize(views, None).expect("safetensors"))
        .expect("written");
}

#[test]
fn export_names_the_model_it_was_given() {
    let directory = tempfile::tempdir().expect("a directory");
    let (output, model) = (directory.path().join("adapters"), directory.path().join("model"));
    with_more_positions(&model);
    export::run([output.clone(), model.clone()].into_iter()).expect("it runs");
    assert_eq!(base_model(&output.join("lora-query-value")), model.to_string_lossy());
    let error = export::run([output, encoder()].into_iter()).expect_err("too few positions");
    assert!(error.to_string().contains("the model has positions for 40"), "{error}");
}

#[test]
fn decoders_are_exported_with_two_weights_or_a_tied_one() {
    let directory = tempfile::tempdir().expect("a directory");
    export_decoder::run([directory.path().to_owned(), fixture("tiny-llama")].into_iter()).expect("it runs");
    for (case, tied) in [("lora", false), ("deep-lora", false), ("lora-tied", true), ("lora-tied-apart", true)] {
        let check = fs::read(directory.path().join(case).join("check.json")).expect("read");
        let check: Value = serde_json::from_slice(&check).expect("JSON");
        assert_eq!(check["tied"], tied, "{case}");
        assert!(directory.path().join(case).join("adapter_model.safetensors").is_file());
    }
    let error = export_decoder::run([directory.path().to_owned()].into_iter()).expect_err("no model");
    assert!(error.to_string().starts_with("usage: "), "{error}");
}

#[test]
fn adapters_of_both_kinds_of_t5_are_exported() {
    for kind in ["tiny-t5", "tiny-t5-gated"] {
        let directory = tempfile::tempdir().expect("a directory");
        export_t5::run([directory.path().to_owned(), fixture(kind)].into_iter()).expect("it runs");
        for case in ["lora", "deep-lora", "compressed-dense"] {
            assert!(directory.path().join(case).join("adapter_model.safetensors").is_file(), "{kind}, {case}");
            assert!(directory.path().join(case).join("check.json").is_file(), "{kind}, {case}");
        }
    }
    let error = export_t5::run(std::iter::empty()).expect_err("no output");
    assert!(error.to_string().starts_with("usage: "), "{error}");
}

#[test]
fn similarities_change_with_an_adapter() {
    let encoder = encoder();
    let model = ["--model", encoder.to_str().expect("a path")];
    let run = |more: &[&str]| {
        let arguments = ["similarity"].iter().chain(&model).chain(more).chain(&["the movie", "the film", "good"]);
        similarity::run(similarity::Arguments::parse_from(arguments))
    };
    let plain = run(&[]).expect("it runs");
    assert!(plain.len() == 2 && plain[0].ends_with("  the film") && plain[1].ends_with("  good"), "{plain:?}");
    let adapter = fixture("peft/bert-patterns");
    let adapted = run(&["--adapter", adapter.to_str().expect("a path")]).expect("it runs");
    assert!(adapted[0].starts_with(&plain[0][..5]) && adapted[0].contains(" → "), "{adapted:?}");
    let other = fixture("peft/llama-tied");
    let error = run(&["--adapter", other.to_str().expect("a path")]).expect_err("another model's");
    assert!(error.to_string().contains("no weight of this model"), "{error}");
}
