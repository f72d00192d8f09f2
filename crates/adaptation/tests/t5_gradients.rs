//! The gradients of adapters on T5 against torch autograd (fixtures by `python/make_t5_fixtures.py`), its sites and texts. What it
//! has in common with a decoder is in `text_gradients.rs`.

use std::sync::LazyLock;

use crate::encoder::{Tensors, difference, json};
use crate::fixed::Fixed;
use crate::t5::{KINDS, tiny};
use crate::text_gradients::{DEEP, LORA, Tiny, run};
use adaptation::{
    AdamW, AdamWSettings, Adapters, Dropout, DropoutSite, Masks, Method, PairActivations, PairBatch, PromptedText,
    Real, SequenceError, Site, Template, TextModel, TextToText, TextTokenizer,
};
use faer::{Mat, Par};
use serde_json::Value;

/// Kinds of the fixture, with the model.
const FIXTURES: [(&str, &str, Method); 4] =
    [("tied", KINDS[0], LORA), ("untied", KINDS[1], LORA), ("deep", KINDS[0], DEEP), ("dropout", KINDS[1], LORA)];

static REPORT: LazyLock<Value> = LazyLock::new(|| json("gradients-t5.json"));

fn model<T: Real>(kind: &str) -> TextToText<T> {
    Tiny::tiny(kind)
}

fn batch<T: Real>(model: &TextToText<T>) -> PairBatch {
    model.batch(&<TextToText<T> as Tiny<T>>::texts())
}

/// The adapters of the fixture.
fn adapters<T: Real>(method: &Method, model: &TextToText<T>) -> Adapters<T> {
    let sites = model.sites();
    let mut adapters = method.adapters(&sites, |site| model.shape(site), |_| 100, None, 1).expect("adapters");
    let (mut names, depth) = (Vec::new(), adapters.parameters().count() / sites.len());
    for (site, parameter) in adapters.parameters_mut() {
        names.push(site);
        let first = depth * sites.iter().position(|own| *own == site).expect("a site");
        let number = (first + names.iter().filter(|own| **own == site).count() - 1) as f64;
        let entry = |i: usize, j: usize| {
            let (i, j) = (i as f64, j as f64);
            T::of(0.3 * (0.7 * i + 1.3 * j + 0.9 * i * j + number).sin())
        };
        let (rows, columns) = parameter.value.shape();
        let is_table = parameter.touched.is_some();
        parameter.value = Mat::from_fn(rows, columns, |i, j| if is_table { entry(j, i) } else { entry(i, j) });
    }
    adapters.refresh(Par::Seq);
    adapters
}

/// The fixture's masks.
fn masks() -> Dropout {
    let place = |name: &str| {
        let (name, layer) = name.split_once('.').map_or((name, 0), |(name, l)| (name, l.parse().expect("a layer")));
        match name {
            "embeddings" => DropoutSite::Embeddings,
            "encoded" => DropoutSite::Encoded,
            "target_embeddings" => DropoutSite::TargetEmbeddings,
            "decoded" => DropoutSite::Decoded,
            "probabilities" => DropoutSite::Probabilities(layer),
            "attention_output" => DropoutSite::AttentionOutput(layer),
            "cross_probabilities" => DropoutSite::CrossProbabilities(layer),
            "cross_output" => DropoutSite::CrossOutput(layer),
            "activated" => DropoutSite::Activated(layer),
            "output" => DropoutSite::Output(layer),
            other => panic!("{other}"),
        }
    };
    let mask = |(key, mask): (&String, &Value)| {
        let (name, sequence) = key.split_once('/').expect("a place and a sequence");
        let kept = mask.as_str().expect("a mask").bytes().map(|kept| kept == b'1').collect();
        ((place(name), sequence.parse().expect("a number")), kept)
    };
    Dropout::Given(REPORT["masks"].as_object().expect("masks").iter().map(mask).collect::<Masks>())
}

fn dropout(kind: &str) -> Dropout {
    if kind == "dropout" { masks() } else { Dropout::Off }
}

// Against autograd.

fn check_gradients<T: Real>((kind, name, method): (&str, &str, Method), loss_tolerance: f64, tolerance: f64) {
    let (model, tensors) = (model::<T>(name), Tensors::open(&format!("gradients-t5-{kind}.safetensors")));
    let (mut adapters, batch) = (adapters(&method, &model), batch(&model));
    let mut work = PairActivations::new();
    let loss = model.loss_and_gradient(&batch, &mut adapters, &dropout(kind), &mut work, Par::rayon(0));
    let expected = REPORT["losses"][kind][0].as_f64().expect("a loss");
    assert!((loss - expected).abs() < loss_tolerance, "{kind}: loss {loss}, expected {expected}");
    adapters.pull_back(Par::Seq);
    let mut count = 0;
    for (site, parameter) in adapters.parameters() {
        let expected = tensors.matrix(&format!("{}/{}", model.config().module(site), parameter.name));
        let (error, size) = (difference(parameter.matrix_gradient().as_ref(), &expected), expected.norm_max());
        assert!(error <= tolerance * size, "{kind}, {} of {site:?}: off by {error:.1e} of {size:.1e}", parameter.name);
        count += 1;
    }
    let sites = if name == KINDS[0] { 1 + 2 * 6 + 3 * 10 } else { 2 + 2 * 7 + 2 * 11 };
    assert_eq!(count, sites * if kind == "deep" { 3 } else { 2 }, "all matrices, a tied one once");
}

#[test]
fn gradients_of_factors_are_those_of_autograd() {
    for kind in FIXTURES {
        check_gradients::<f64>(kind, 1e-10, 1e-9);
        check_gradients::<f32>(kind, 2e-5, 2e-4);
    }
}

/// Five steps of AdamW. What the embedding's rows missed is made up for.
#[test]
fn training_is_that_of_torch() {
    for (kind, name, method) in FIXTURES {
        let model = model::<f64>(name);
        let (mut adapters, batch) = (adapters(&method, &model), batch(&model));
        let (mut optimizer, mut work) = (AdamW::new(AdamWSettings::default(), &adapters), PairActivations::new());
        for (step, expected) in REPORT["losses"][kind].as_array().expect("losses").iter().enumerate() {
            model.catch_up(&mut optimizer, &mut adapters, &batch);
            let loss = model.loss_and_gradient(&batch, &mut adapters, &dropout(kind), &mut work, Par::Seq);
            let expected = expected.as_f64().expect("a loss");
            assert!((loss - expected).abs() < 1e-9, "{kind}, step {step}: loss {loss}, expected {expected}");
            adapters.pull_back(Par::Seq);
            optimizer.step(&mut adapters, REPORT["step_size"].as_f64().expect("a step size"), Par::Seq);
            adapters.refresh(Par::Seq);
        }
    }
}

// Sites and texts.

#[test]
fn sites_are_chosen_by_their_sides() {
    let (tied, gated) = (model::<f32>(KINDS[0]), model::<f32>(KINDS[1]));
    assert_eq!((tied.sites().len(), gated.sites().len()), (43, 38));
    assert_eq!(
        (tied.sites()[0], gated.sites()[0], gated.sites()[37]),
        (Site::TiedEmbedding, Site::WordEmbeddings, Site::Head)
    );
    // Queries, keys and values are 18 long, all else 24 and more.
    assert_eq!(tied.sites_from(19).len(), 1 + 5 * 2);
    assert_eq!(tied.sites_from(19), tied.config().sites_from(19));
    let module = |site| tied.config().module(site);
    assert_eq!(module(Site::CrossOutput(2)), "decoder.block.0.layer.1.EncDecAttention.o");
    assert_eq!(
        (module(Site::Up(1)), module(Site::Down(4))),
        (
            "encoder.block.1.layer.1.DenseReluDense.wi".to_owned(),
            "decoder.block.2.layer.2.DenseReluDense.wo".to_owned(),
        )
    );
}

#[test]
fn a_source_ends_as_a_text_does() {
    // The separator is for decoders.
    let (pretrained, template) = (tiny::<f32>(KINDS[0]), Template { separator: " =>".to_owned(), end: 1 });
    let (tokenizer, model): (&TextTokenizer, _) = (&pretrained.tokenizer, TextToText::new(pretrained.t5.clone()));
    let prompted = model.prompted(tokenizer, &template, "name[The Mill]", "The film is good.").expect("tokens");
    assert_eq!(prompted.text, [&tokenizer.encode("The film is good.").expect("tokens")[..], &[1]].concat());
    assert_eq!(prompted.prompt, [&tokenizer.encode("name[The Mill]").expect("tokens")[..], &[1]].concat());
    assert_eq!(prompted.prompt, model.prompt(tokenizer, &template, "name[The Mill]").expect("tokens"));
    assert_eq!(model.check(&prompted), Ok(()));
    assert_eq!(model.check(&PromptedText { text: vec![], ..prompted.clone() }), Err(SequenceError::Empty));
    let unknown = PromptedText { prompt: vec![3, 200], ..prompted };
    assert_eq!(model.check(&unknown), Err(SequenceError::UnknownToken { id: 200, place: 1, limit: 128 }));
}

#[test]
fn what_t5_does_not_have_is_named() {
    let model = model::<f64>(KINDS[0]);
    let mut adapters = Adapters::new();
    adapters.insert(Site::CrossKey(0), Box::new(Fixed::merged(Mat::zeros(18, 24))));
    let batch = batch(&model);
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&model, &batch, &mut adapters)));
    let message = refused.expect_err("refused").downcast::<String>().expect("a message");
    assert_eq!(*message, "T5 has no layers.0.EncDecAttention.k to adapt");
}
