//! Directories of encoders: what is read, what is refused, and in which words. All are made from the tiny encoder.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use adaptation::adapter::{Lora, ZeroFactor};
use adaptation::training::{self, Plan};
use adaptation::{
    Activations, Adapters, Batch, Encoder, Head, Labelled, Loss, Method, ModelError, Network, Pooling, Pretrained,
    Selection, StepSchedule,
};
use dynamics::random::stream;
use faer::Par;
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{SafeTensors, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Name, type, shape, bytes.
type Tensor = (String, Dtype, Vec<usize>, Vec<u8>);

const QUERY: &str = "encoder.layer.1.attention.self.query.weight";
const WORDS: &str = "embeddings.word_embeddings.weight";

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-bert").join(name)
}

/// A copy of the tiny encoder.
fn copy() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(fixture(name), directory.path().join(name)).expect("copied");
    }
    directory
}

fn load(directory: &TempDir) -> Result<Pretrained, ModelError> {
    Pretrained::load(directory.path())
}

fn message(directory: &TempDir) -> String {
    let text = load(directory).err().expect("refused").to_string();
    assert!(text.len() < 700, "{} bytes", text.len());
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

/// The logits of one sentence.
fn logits(pretrained: Pretrained) -> Vec<f32> {
    let tokens = pretrained.tokenizer.encode("the movie was very good", None).expect("tokens");
    let encoder = Arc::new(pretrained.encoder);
    let head = Head::random(3, encoder.config().hidden_size, 0.02, &mut stream(1, &["head"]));
    let network = Network { encoder, pooling: Pooling::Mean, head };
    let (mut batch, mut activations) = (Batch::new(), Activations::new());
    batch.push(&tokens.ids, &tokens.token_types);
    network.predict(&batch, &Adapters::new(), &mut activations, Par::Seq);
    activations.logits().col(0).iter().copied().collect()
}

fn plain() -> Vec<f32> {
    logits(load(&copy()).expect("the tiny encoder"))
}

// Configurations.

/// The tiny encoder with other keys; null takes a key out.
fn with_keys(keys: &Value) -> TempDir {
    let directory = copy();
    let path = directory.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    for (key, value) in keys.as_object().expect("keys") {
        let config = config.as_object_mut().expect("keys");
        if value.is_null() { drop(config.remove(key)) } else { drop(config.insert(key.clone(), value.clone())) }
    }
    fs::write(&path, config.to_string()).expect("written");
    directory
}

#[test]
fn whatever_would_change_the_forward_pass_is_refused_by_key_and_value() {
    for (keys, expected) in [
        (json!({"model_type": "roberta"}), "model_type is \"roberta\", allowed: \"bert\""),
        (json!({"model_type": "electra"}), "model_type is \"electra\", allowed: \"bert\""),
        (json!({"model_type": "distilbert"}), "model_type is \"distilbert\""),
        (json!({"model_type": "albert"}), "model_type is \"albert\", allowed: \"bert\", \"mpnet\""),
        (json!({"model_type": "mpnet"}), "architectures is [\"BertModel\"], allowed: MPNetModel"),
        (json!({"relative_attention_num_buckets": 32}), "relative_attention_num_buckets is 32, allowed: false"),
        (json!({"model_type": 3}), "model_type is 3"),
        (json!({"model_type": null, "architectures": ["RobertaModel"]}), "architectures is [\"RobertaModel\"]"),
        (json!({"architectures": ["JinaBertForMaskedLM"]}), "architectures is [\"JinaBertForMaskedLM\"]"),
        (json!({"architectures": ["BertGenerationEncoder"]}), "architectures"),
        (json!({"architectures": "BertModel"}), "architectures is \"BertModel\""),
        (json!({"hidden_act": "relu"}), "hidden_act is \"relu\", allowed: \"gelu\""),
        (json!({"hidden_act": "gelu_new"}), "hidden_act is \"gelu_new\""),
        (json!({"hidden_act": null}), "no key hidden_act; it must be \"gelu\""),
        (json!({"hidden_activation": "silu"}), "hidden_activation is \"silu\""),
        (json!({"position_embedding_type": "relative_key"}), "position_embedding_type is \"relative_key\""),
        (json!({"is_decoder": true}), "is_decoder is true, allowed: false"),
        (json!({"add_cross_attention": true}), "add_cross_attention is true"),
        (json!({"pruned_heads": {"0": [1]}}), "pruned_heads is {\"0\":[1]}"),
        (json!({"quantization_config": {"load_in_8bit": true}}), "quantization_config is {\"load_in_8bit\":true}"),
        (json!({"auto_map": {"AutoModel": "modeling.Mine"}}), "auto_map is"),
        (json!({"embedding_size": 12}), "embedding_size is 12, allowed: 24 (that of hidden_size)"),
        (json!({"num_key_value_heads": 1}), "num_key_value_heads is 1, allowed: 4"),
        (json!({"head_dim": 8}), "head_dim is 8, allowed: 6"),
        (json!({"rope_theta": 10000.0}), "rope_theta is 10000.0"),
        (json!({"attention_type": "block_sparse"}), "attention_type is \"block_sparse\""),
        (json!({"num_hidden_groups": 1}), "num_hidden_groups is 1"),
        (json!({"emb_layer_norm_before": true}), "emb_layer_norm_before is true"),
        (json!({"rescale_embeddings": true}), "rescale_embeddings is true"),
        (json!({"num_hidden_layers": 1}), "tensor encoder.layer.1.attention.output.LayerNorm.bias has no place"),
    ] {
        let text = message(&with_keys(&keys));
        assert!(text.contains(expected) && text.contains("config.json") || expected.starts_with("tensor"), "{text}");
        assert!(text.contains(expected), "{keys}: {text}");
    }
}

#[test]
fn values_that_no_encoder_has_are_refused() {
    for (keys, expected) in [
        (json!({"intermediate_size": null}), "has no key intermediate_size; it must be an integer from 1"),
        (json!({"hidden_size": 12.5}), "hidden_size is 12.5, allowed: an integer from 1"),
        (json!({"hidden_size": -1}), "hidden_size is -1"),
        (json!({"hidden_size": "24"}), "hidden_size is \"24\""),
        (json!({"num_hidden_layers": 0}), "num_hidden_layers is 0"),
        (json!({"num_hidden_layers": 1_000_000_000_000_u64}), "no tensor encoder.layer.2.attention.self.query.weight"),
        (json!({"num_attention_heads": 5}), "num_attention_heads is 5, allowed: a divisor of hidden_size (24)"),
        (json!({"type_vocab_size": 1000}), "type_vocab_size is 1000"),
        (json!({"hidden_dropout_prob": 1.0}), "hidden_dropout_prob is 1.0"),
        (json!({"attention_probs_dropout_prob": "0.1"}), "attention_probs_dropout_prob is \"0.1\""),
        (json!({"layer_norm_eps": 1e300}), "layer_norm_eps is 1e+300, allowed: a number from 1e-20 to 0.1"),
        (json!({"layer_norm_eps": 0}), "layer_norm_eps is 0,"),
        (json!({"layer_norm_eps": -1e-12}), "layer_norm_eps is -1e-12"),
        (json!({"vocab_size": 81}), "embeddings.word_embeddings.weight is [80, 24]"),
        (json!({"vocab_size": 1_000_000_000_000_u64}), "embeddings.word_embeddings.weight is [80, 24]"),
        (json!({"model_type": "x".repeat(5_000_000)}), "xxx…"),
    ] {
        let text = message(&with_keys(&keys));
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn keys_that_leave_bert_as_it_is_are_taken_and_unknown_ones_named() {
    let keys = json!({"is_decoder": false, "pruned_heads": {}, "embedding_size": 24, "hidden_act": "gelu_python",
        "classifier_dropout": 0.3, "architectures": ["BertForSequenceClassification"], "quantization_config": null,
        "torch_dtype": "float16", "id2label": {"0": "a"}, "directionality": "bidi", "rope_scaling": null});
    let loaded = load(&with_keys(&keys)).expect("BERT");
    assert_eq!((&loaded.warnings, &loaded.converted), (&Vec::new(), &None));
    assert_eq!(logits(loaded), plain());
    let loaded = load(&with_keys(&json!({"frobnicate": 3, "wibble": true, "nothing": null}))).expect("BERT");
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].ends_with("frobnicate, wibble"), "{}", loaded.warnings[0]);
    let many: serde_json::Map<String, Value> = (0..100_000).map(|key| (format!("key{key:06}"), 1.into())).collect();
    let loaded = load(&with_keys(&many.into())).expect("BERT");
    assert!(loaded.warnings[0].ends_with("key000009 and 99990 more"), "{}", loaded.warnings[0]);
}

#[test]
fn google_says_neither_model_type_nor_layer_norm_eps() {
    let google =
        json!({"model_type": null, "architectures": null, "layer_norm_eps": null, "position_embedding_type": null});
    let loaded = load(&with_keys(&google)).expect("Google's form");
    assert_eq!(loaded.encoder.config().layer_norm_epsilon, 1e-12);
    assert_eq!(logits(loaded), plain());
}

#[test]
fn damaged_text_is_named_with_its_line_once() {
    let directory = copy();
    let path = directory.path().join("config.json");
    let text = fs::read_to_string(&path).expect("read");
    fs::write(&path, format!("\u{feff}{text}")).expect("written");
    load(&directory).expect("a byte order mark does no harm");
    for (bytes, expected) in [
        (text.replace("24,", "24").into_bytes(), "not JSON: expected `,` or `}` at line 8 column 3"),
        ("[".repeat(200_000).into_bytes(), "recursion limit exceeded"),
        (b"{\n\"a\": \"\xff\"}".to_vec(), "config.json, line 2: not UTF-8"),
        (b"[1, 2]".to_vec(), "config.json is [1,2], not a JSON object"),
        (Vec::new(), "not JSON"),
        (text.replace('\n', "\r").replace("24,", "24").into_bytes(), "not JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid".to_vec(), "git-lfs pointer"),
    ] {
        fs::write(&path, bytes).expect("written");
        let text = message(&directory);
        assert!(text.contains(expected) && text.matches("column").count() <= 1, "{text}");
    }
}

// Weights.

fn tensors(bytes: &[u8]) -> Vec<Tensor> {
    let parsed = SafeTensors::deserialize(bytes).expect("safetensors");
    parsed.iter().map(|(n, t)| (n.to_owned(), t.dtype(), t.shape().to_vec(), t.data().to_vec())).collect()
}

fn write(path: &Path, tensors: &[Tensor]) {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, data)| (name, TensorView::new(*dtype, shape.clone(), data).expect("a tensor")));
    fs::write(path, safetensors::serialize(views, None).expect("safetensors")).expect("written");
}

fn with_tensors(change: impl FnOnce(&mut Vec<Tensor>)) -> TempDir {
    let directory = copy();
    let path = directory.path().join("model.safetensors");
    let mut list = tensors(&fs::read(&path).expect("read"));
    change(&mut list);
    write(&path, &list);
    directory
}

fn named<'a>(list: &'a mut [Tensor], name: &str) -> &'a mut Tensor {
    list.iter_mut().find(|tensor| tensor.0 == name).expect("the tensor")
}

fn zero(list: &mut [Tensor], belongs: impl Fn(&str) -> bool) {
    list.iter_mut().filter(|tensor| belongs(&tensor.0)).for_each(|tensor| tensor.3.fill(0));
}

#[test]
fn numbers_that_cannot_be_computed_with_are_refused_with_their_place() {
    for (value, expected) in [
        (f32::NAN, "has NaN at [2, 5]"),
        (f32::INFINITY, "has inf at [2, 5]"),
        (f32::NEG_INFINITY, "has -inf at [2, 5]"),
        (3e38, "e38 at [2, 5]"),
        (-1.5e4, "has -1.5e4 at [2, 5]"),
    ] {
        let directory = with_tensors(|list| {
            let place = 4 * (2 * 24 + 5);
            named(list, QUERY).3[place..place + 4].copy_from_slice(&value.to_le_bytes());
            named(list, QUERY).3[place + 40..place + 44].copy_from_slice(&value.to_le_bytes());
        });
        let text = message(&directory);
        assert!(text.contains(QUERY) && text.contains(expected), "{text}");
        assert!(text.contains("allowed: numbers from -1e4 to 1e4"), "{text}");
    }
    // Beyond f32.
    let text = message(&with_tensors(|list| {
        let tensor = named(list, "pooler.dense.bias");
        (tensor.1, tensor.3) = (Dtype::F64, (0..24).flat_map(|_| 1e300_f64.to_le_bytes()).collect());
    }));
    assert!(text.contains("pooler.dense.bias has inf at [0]"), "{text}");
}

#[test]
fn zeros_that_make_everything_constant_are_refused() {
    let text = message(&with_tensors(|list| zero(list, |_| true)));
    assert!(text.contains(WORDS) && text.contains("same row for every word"), "{text}");
    let text = message(&with_tensors(|list| zero(list, |name| name == "encoder.layer.0.output.LayerNorm.weight")));
    assert!(text.contains("encoder.layer.0.output.LayerNorm.weight is all zero"), "{text}");
    // An encoder without knowledge of places or types of tokens is one all the same.
    load(&with_tensors(|list| zero(list, |name| name.starts_with("embeddings.p")))).expect("usable");
    for part in ["pooler.dense.weight", "self.value.weight"] {
        let encoder =
            load(&with_tensors(|list| zero(list, |name| name.ends_with(part)))).expect("usable by mean").encoder;
        encoder.check_pooling(Pooling::Mean).expect("usable");
        let text = encoder.check_pooling(Pooling::Pooler).expect_err("constant").to_string();
        assert!(text.contains("all zero") && text.contains("encoder.pooling = \"mean\""), "{text}");
    }
}

#[test]
fn an_encoder_without_a_pooler_is_refused_where_one_is_used() {
    let encoder =
        load(&with_tensors(|list| list.retain(|tensor| !tensor.0.starts_with("pooler")))).expect("usable").encoder;
    assert_eq!(encoder.weight(adaptation::Site::Pooler), None);
    let text = encoder.check_pooling(Pooling::Pooler).expect_err("no pooler").to_string();
    assert!(text.contains("no pooler") && text.contains("set it to \"random-pooler\""), "{text}");
    let (config, encoder) = (encoder.config().clone(), Arc::new(encoder));
    let examples = [Labelled { ids: vec![2, 5, 3], token_types: vec![0; 3], label: 1.0 }];
    let plan = Plan {
        steps: 1,
        batch: 1,
        step_size: 1e-3,
        schedule: StepSchedule::Constant,
        dropout: false,
        whole_batches: false,
        seed: 0,
    };
    for (pooling, expected) in [(Pooling::Pooler, "no pooler"), (Pooling::Mean, "no pooler.dense to adapt")] {
        let head = Head::random(1, 24, 0.02, &mut stream(1, &["head"]));
        let network = Network { encoder: Arc::clone(&encoder), pooling, head };
        let method = Method::Lora(Lora { rank: 2, zero: ZeroFactor::Output });
        let sites = Selection::AllDense.sites(&config);
        let loss = Loss::MeanSquaredError;
        let adapters =
            training::adapters(&method, &sites, &network, &examples, loss, &plan, 0, Par::Seq).expect("drawn");
        let optimizer = training::optimizer(&method, &adapters);
        let started = training::FineTuning::new(&network, adapters, optimizer, &examples, loss, plan.clone());
        let text = started.err().expect("refused").to_string();
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn tensors_of_another_network_are_refused_and_heads_ignored() {
    let extra = |name: &str| (name.to_owned(), Dtype::F32, vec![1], vec![0; 4]);
    let distances = "encoder.layer.0.attention.self.distance_embedding.weight";
    let text = message(&with_tensors(|list| list.push(extra(distances))));
    assert!(text.contains(distances) && text.contains("no place"), "{text}");
    for name in ["classifier.weight", "cls.predictions.bias", "embeddings.position_ids"] {
        load(&with_tensors(|list| list.push(extra(name)))).expect("no part of the encoder");
    }
}

#[test]
fn a_pointer_of_git_lfs_is_told_from_a_damaged_file() {
    let directory = copy();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 54104\n";
    for name in ["model.safetensors", "tokenizer.json"] {
        let directory = copy();
        fs::write(directory.path().join(name), pointer).expect("written");
        let text = message(&directory);
        assert!(text.contains(name) && text.ends_with("git lfs pull"), "{text}");
    }
    fs::remove_file(directory.path().join("model.safetensors")).expect("removed");
    assert!(message(&directory).contains("has no model.safetensors (nor model.safetensors.index.json)"));
    fs::write(directory.path().join("pytorch_model.bin"), "").expect("written");
    assert!(message(&directory).contains("safe_serialization=True"));
}

#[test]
fn other_number_types_are_converted_and_said() {
    let floats = |tensor: &Tensor| -> Vec<f32> {
        tensor.3.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    };
    let convert = |dtype: Dtype, bytes: &dyn Fn(f32) -> Vec<u8>| {
        with_tensors(|list| {
            for tensor in list {
                (tensor.3, tensor.1) = (floats(tensor).into_iter().flat_map(bytes).collect(), dtype);
            }
        })
    };
    let wide = load(&convert(Dtype::F64, &|x| f64::from(x).to_le_bytes().to_vec())).expect("F64");
    assert_eq!(wide.converted.as_deref(), Some("F64 converted to F32"));
    assert_eq!(logits(wide), plain());
    let near = |found: Vec<f32>, tolerance: f32| {
        for (found, expected) in found.iter().zip(plain()) {
            assert!((found - expected).abs() < tolerance && *found != expected, "{found} against {expected}");
        }
    };
    let half = load(&convert(Dtype::F16, &|x| f16::from_f32(x).to_le_bytes().to_vec())).expect("F16");
    assert_eq!(half.converted.as_deref(), Some("F16 converted to F32"));
    near(logits(half), 1e-3);
    let brain = load(&convert(Dtype::BF16, &|x| bf16::from_f32(x).to_le_bytes().to_vec())).expect("BF16");
    assert_eq!(brain.converted.as_deref(), Some("BF16 converted to F32"));
    near(logits(brain), 1e-2);
}

// Shards.

/// The tiny encoder in two files, with an index that `change` changes.
fn sharded(change: impl FnOnce(&mut Value)) -> TempDir {
    let directory = copy();
    let whole = directory.path().join("model.safetensors");
    let list = tensors(&fs::read(&whole).expect("read"));
    fs::remove_file(whole).expect("removed");
    let (first, second) = list.split_at(list.len() / 2);
    let names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let mut map = serde_json::Map::new();
    for (name, part) in names.into_iter().zip([first, second]) {
        write(&directory.path().join(name), part);
        map.extend(part.iter().map(|tensor| (tensor.0.clone(), name.into())));
    }
    let mut index = json!({"metadata": {"total_size": 1}, "weight_map": map});
    change(&mut index);
    fs::write(directory.path().join("model.safetensors.index.json"), index.to_string()).expect("written");
    directory
}

#[test]
fn weights_may_lie_in_several_files() {
    let directory = sharded(|_| {});
    let loaded = load(&directory).expect("sharded");
    let hash = loaded.hash.clone();
    assert_eq!(logits(loaded), plain());
    assert_eq!(load(&directory).expect("sharded").hash, hash);
    // The hash is of every file.
    for name in ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
        let directory = sharded(|_| {});
        let path = directory.path().join(name);
        let mut list = tensors(&fs::read(&path).expect("read"));
        list[0].3[0] ^= 1;
        write(&path, &list);
        assert_ne!(load(&directory).expect("sharded").hash, hash, "{name}");
    }
}

#[test]
fn damaged_indices_are_refused() {
    let missing = |index: &mut Value| drop(index["weight_map"].as_object_mut().expect("a table").remove(WORDS));
    assert!(message(&sharded(missing)).contains("index.json has no tensor embeddings.word_embeddings.weight"));
    let outside = |index: &mut Value| index["weight_map"][WORDS] = "../model.safetensors".into();
    let text = message(&sharded(outside));
    assert!(text.contains("weight_map.embeddings.word_embeddings.weight is \"../model.safetensors\""), "{text}");
    let absent = |index: &mut Value| index["weight_map"][WORDS] = "other.safetensors".into();
    assert!(message(&sharded(absent)).contains("other.safetensors"));
    let promised = |index: &mut Value| index["weight_map"]["x"] = "model-00001-of-00002.safetensors".into();
    assert!(message(&sharded(promised)).contains("model-00001-of-00002.safetensors has no tensor x"));
    let gone = |index: &mut Value| drop(index.as_object_mut().expect("a table").remove("weight_map"));
    assert!(message(&sharded(gone)).contains("has no key weight_map"));
    assert!(message(&sharded(|index| index["weight_map"] = 3.into())).contains("weight_map is 3"));
}

// Tokens.

/// The tiny encoder with its vocabulary as `vocab.txt` only.
fn with_vocabulary(settings: Option<&Value>) -> TempDir {
    let directory = copy();
    let path = directory.path().join("tokenizer.json");
    let tokenizer: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    let mut tokens: Vec<_> = tokenizer["model"]["vocab"].as_object().expect("a vocabulary").iter().collect();
    tokens.sort_by_key(|(_, id)| id.as_u64());
    assert!(tokens.iter().zip(0..).all(|((_, id), place)| id.as_u64() == Some(place)), "ids without gaps");
    let lines: Vec<&str> = tokens.iter().map(|(token, _)| token.as_str()).collect();
    fs::write(directory.path().join("vocab.txt"), lines.join("\n") + "\n").expect("written");
    if let Some(settings) = settings {
        fs::write(directory.path().join("tokenizer_config.json"), settings.to_string()).expect("written");
    }
    fs::remove_file(path).expect("removed");
    directory
}

#[test]
fn a_bare_vocabulary_gives_the_same_tokens() {
    let known = load(&copy()).expect("the tiny encoder").tokenizer;
    let guessed = load(&with_vocabulary(None)).expect("a vocabulary");
    assert!(guessed.warnings.len() == 1 && guessed.warnings[0].contains("do_lower_case"), "{:?}", guessed.warnings);
    let told = load(&with_vocabulary(Some(&json!({"do_lower_case": true})))).expect("a vocabulary");
    assert!(told.warnings.is_empty());
    let cased = load(&with_vocabulary(Some(&json!({"do_lower_case": false})))).expect("a vocabulary").tokenizer;
    for (first, second) in
        [("The movie was very good.", None), ("filming", Some("Ünknown wörds, the 中 film")), ("", None)]
    {
        let expected = known.encode(first, second).expect("tokens");
        assert_eq!(guessed.tokenizer.encode(first, second).expect("tokens"), expected);
        assert_eq!(told.tokenizer.encode(first, second).expect("tokens"), expected);
    }
    let [upper, lower] = ["The", "the"].map(|word| cased.encode(word, None).expect("tokens"));
    assert_ne!(upper, lower);
}

#[test]
fn vocabularies_and_tokenizers_that_do_not_fit_are_refused() {
    let settings = json!({"do_basic_tokenize": false});
    assert!(message(&with_vocabulary(Some(&settings))).contains("do_basic_tokenize is false, allowed: true"));
    let settings = json!({"do_lower_case": "no"});
    assert!(message(&with_vocabulary(Some(&settings))).contains("do_lower_case is \"no\", allowed: true or false"));
    let settings = json!({"cls_token": "<s>"});
    assert!(message(&with_vocabulary(Some(&settings))).contains("cls_token is \"<s>\", allowed: [CLS]"));
    let directory = with_vocabulary(None);
    for (text, expected) in
        [("the\nmovie\n", "as a tokenizer"), ("[UNK]\nthe\n", "does not put [CLS]"), ("", "tokenizer")]
    {
        fs::write(directory.path().join("vocab.txt"), text).expect("written");
        let found = message(&directory);
        assert!(found.contains("vocab.txt") && found.contains(expected), "{text:?}: {found}");
    }
    fs::remove_file(directory.path().join("vocab.txt")).expect("removed");
    assert!(message(&directory).contains("has no tokenizer.json (nor vocab.txt)"));
    let directory = copy();
    let path = directory.path().join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    tokenizer["model"]["vocab"]["onemore"] = 80.into();
    fs::write(&path, tokenizer.to_string()).expect("written");
    assert!(message(&directory).contains("tokenizer.json has 81 tokens, but the model only 80 word embeddings"));
    for (key, value) in
        [("/post_processor/special_tokens", json!({})), ("/post_processor/single/1/Sequence/id", json!("B"))]
    {
        let directory = copy();
        let path = directory.path().join("tokenizer.json");
        let mut tokenizer: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        *tokenizer.pointer_mut(key).expect("the key") = value;
        fs::write(&path, tokenizer.to_string()).expect("written");
        let found = message(&directory);
        assert!(found.contains("tokenizer.json as a tokenizer: "), "{key}: {found}");
    }
}

#[test]
fn the_limit_of_tokens_fits_the_positions() {
    let encoder = load(&copy()).expect("the tiny encoder").encoder;
    assert_eq!(encoder.max_tokens(None).expect("its positions"), 40);
    assert_eq!(encoder.max_tokens(Some(16)).expect("fewer"), 16);
    for wanted in [0, 2, 41, usize::MAX] {
        let text = encoder.max_tokens(Some(wanted)).expect_err("refused").to_string();
        assert!(text.contains("encoder.max_tokens") && text.contains("= 40"), "{text}");
    }
    let large = Encoder::<f32>::random(
        adaptation::Config { positions: 512, ..adaptation::Config::tiny(60) },
        0.1,
        &mut stream(0, &["encoder"]),
    );
    assert_eq!(large.max_tokens(None).expect("the paper's"), 128);
}
