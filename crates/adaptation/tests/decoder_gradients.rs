//! The gradients of adapters on a decoder against torch autograd (fixture by `python/make_decoder_fixtures.py`), its batches in
//! parts, its sites and texts. What it has in common with T5 is in `text_gradients.rs`.

use crate::decoder::smollm2;
use crate::encoder::{Tensors, difference, fixture, integers, json};
use crate::fixed::Fixed;
use crate::text_gradients::{DEEP, Deltas, LORA, Tiny, gradient, run};
use adaptation::{
    AdamW, AdamWSettings, Adapters, AppliedGradient, LanguageModel, Method, PretrainedDecoder, PromptedText, Real,
    SequenceError, Site, Template, TextActivations, TextBatch, TextModel, Weight,
};
use faer::{Mat, Par};

const UNTIED: &str = <LanguageModel<f64> as Tiny<f64>>::NAMES[0];
const TIED: &str = <LanguageModel<f64> as Tiny<f64>>::NAMES[1];

/// Kinds of the fixture, with the decoder.
const KINDS: [(&str, &str, Method); 3] = [("untied", UNTIED, LORA), ("tied", TIED, LORA), ("deep", TIED, DEEP)];

fn model<T: Real>(name: &str) -> LanguageModel<T> {
    Tiny::tiny(name)
}

fn texts() -> Vec<PromptedText> {
    <LanguageModel<f64> as Tiny<f64>>::texts()
}

fn long_texts() -> [PromptedText; 2] {
    <LanguageModel<f64> as Tiny<f64>>::long_texts()
}

fn pack(texts: &[PromptedText]) -> TextBatch {
    model::<f64>(TIED).batch(texts)
}

/// The module's name in transformers.
fn module(site: Site) -> String {
    let name = Weight::of_site(site).expect("a decoder's").name();
    let name = name.strip_suffix(".weight").expect("a matrix");
    if site == Site::Head { name.to_owned() } else { format!("model.{name}") }
}

/// The adapters of the fixture.
fn adapters<T: Real>(kind: &str, method: Method, model: &LanguageModel<T>) -> Adapters<T> {
    let tensors = Tensors::open("gradients-llama.safetensors");
    let mut adapters = method.adapters(&model.sites(), |site| model.shape(site), |_| 100, None, 1).expect("adapters");
    for (site, parameter) in adapters.parameters_mut() {
        let value = tensors.matrix(&format!("factor/{kind}/{}/{}", module(site), parameter.name));
        let value = if parameter.touched.is_some() { value.transpose().to_owned() } else { value };
        parameter.value = Mat::from_fn(value.nrows(), value.ncols(), |i, j| T::of(value[(i, j)]));
    }
    adapters.refresh(Par::Seq);
    adapters
}

// Against autograd.

fn check_gradients<T: Real>((kind, file, method): (&str, &str, Method), loss_tolerance: f64, tolerance: f64) {
    let (report, tensors) = (json("gradients-llama.json"), Tensors::open("gradients-llama.safetensors"));
    let model = model::<T>(file);
    let (mut adapters, batch) = (adapters(kind, method, &model), pack(&texts()));
    let loss = model.loss_and_gradient(&batch, &mut adapters, &mut TextActivations::new(), Par::rayon(0));
    let expected = report["losses"][kind][0].as_f64().expect("a loss");
    assert!((loss - expected).abs() < loss_tolerance, "{kind}: loss {loss}, expected {expected}");
    adapters.pull_back(Par::Seq);
    let mut count = 0;
    for (site, parameter) in adapters.parameters() {
        let expected = tensors.matrix(&format!("gradient/{kind}/{}/{}", module(site), parameter.name));
        let (error, size) = (difference(parameter.matrix_gradient().as_ref(), &expected), expected.norm_max());
        assert!(error <= tolerance * size, "{kind}, {} of {site:?}: off by {error:.1e} of {size:.1e}", parameter.name);
        count += 1;
    }
    let factors = if kind == "deep" { 3 } else { 2 };
    let ends = if kind == "untied" { 2 } else { 1 };
    assert_eq!(count, factors * (2 * 7 + ends), "all matrices, a tied one once");
}

#[test]
fn gradients_of_factors_are_those_of_autograd() {
    for kind in KINDS {
        check_gradients::<f64>(kind, 1e-10, 1e-9);
        check_gradients::<f32>(kind, 2e-5, 1e-4);
    }
}

/// Five steps of AdamW. What the embedding's rows missed is made up for.
#[test]
fn training_is_that_of_torch() {
    let (report, texts) = (json("gradients-llama.json"), texts());
    for (kind, file, method) in KINDS {
        let model = model::<f64>(file);
        let (mut adapters, batch) = (adapters(kind, method, &model), pack(&texts));
        let mut optimizer = AdamW::new(AdamWSettings::default(), &adapters);
        let mut work = TextActivations::new();
        for (step, expected) in report["losses"][kind].as_array().expect("losses").iter().enumerate() {
            optimizer.catch_up(&mut adapters, batch.batch());
            let loss = model.loss_and_gradient(&batch, &mut adapters, &mut work, Par::Seq);
            let expected = expected.as_f64().expect("a loss");
            assert!((loss - expected).abs() < 1e-9, "{kind}, step {step}: loss {loss}, expected {expected}");
            adapters.pull_back(Par::Seq);
            optimizer.step(&mut adapters, report["step_size"].as_f64().expect("a step size"), Par::Seq);
            adapters.refresh(Par::Seq);
        }
    }
}

/// Runs where the decoder is in the cache. In single precision PyTorch is off by up to 1e-4 of the largest entry itself.
#[test]
fn gradients_on_smollm2_are_those_of_autograd() {
    let Some(pretrained) = smollm2::<f32>() else { return };
    let (fixture, tensors) = (json("real-smollm2.json"), Tensors::open("real-smollm2.safetensors"));
    let [prompts, texts] = ["prompts", "greedy"].map(|key| fixture[key].as_array().expect("sequences").iter());
    let texts =
        prompts.zip(texts).map(|(prompt, text)| PromptedText { prompt: integers(prompt), text: integers(text) });
    let (batch, model) = (pack(&texts.collect::<Vec<_>>()), LanguageModel::new(pretrained.decoder));
    let config = model.decoder().config();
    let factor = |m, n| Mat::from_fn(m, n, |i, j| ((0.7 * i as f64 + 1.3 * j as f64).sin() / 100.0) as f32);
    let mut adapters = Adapters::new();
    for site in config.sites_from(512) {
        let (m, n) = config.shape(site);
        adapters.insert(site, Box::new(Fixed::factored(factor(m, 2), factor(2, n))));
    }
    assert_eq!(adapters.len(), 1 + 30 * 5, "all but keys and values");
    let loss = model.loss_and_gradient(&batch, &mut adapters, &mut TextActivations::new(), Par::rayon(0));
    let expected = fixture["adapted_loss"].as_f64().expect("a loss");
    assert!((loss - expected).abs() < 2e-5, "loss {loss}, expected {expected}");
    let sites =
        [Site::TiedEmbedding, Site::Query(0), Site::Down(0), Site::Gate(14), Site::AttentionOutput(29), Site::Up(29)];
    for site in sites {
        let expected = tensors.matrix(&format!("gradient/{}/A", module(site)));
        let Some(AppliedGradient::Factored { right, .. }) = adapters.gradient(site) else { panic!("factored") };
        let (error, size) = (difference(right.as_ref(), &expected), expected.norm_max());
        assert!(error < 2e-4 * size, "{site:?}: off by {error:.1e} of {size:.1e}");
    }
}

/// More blocks than are on their way at the same time, and more targets in two of them than the head takes: the same texts again
/// and again have the same mean.
#[test]
fn a_batch_in_parts_is_the_batch_as_a_whole() {
    let repeated: Vec<PromptedText> = (0..10).flat_map(|_| long_texts()).collect();
    let (once, often) = (pack(&long_texts()), pack(&repeated));
    // Blocks have about 128 tokens; four are on their way on one thread.
    assert!(once.targets() <= 128 && often.batch().tokens() > 9 * 128 && often.targets() > 9 * 100);
    for file in [UNTIED, TIED] {
        let model = model::<f64>(file);
        for rank in [None, Some(3)] {
            let deltas = Deltas::random(&model, rank);
            let (mut single, mut several) = (deltas.adapters(), deltas.adapters());
            let losses = [run(&model, &once, &mut single), run(&model, &often, &mut several)];
            assert!((losses[0] - losses[1]).abs() < 1e-11, "{losses:?}");
            for site in model.sites() {
                for (a, b) in gradient(&single, site).iter().zip(&gradient(&several, site)) {
                    assert!((a - b).norm_max() < 1e-11 * a.norm_max(), "{site:?}, {rank:?}");
                }
            }
        }
    }
}

// Sites and texts.

#[test]
fn sites_are_chosen_by_their_sides() {
    let (untied, tied) = (model::<f32>(UNTIED), model::<f32>(TIED));
    assert_eq!(untied.sites().len(), 16);
    assert_eq!(tied.sites()[0], Site::TiedEmbedding);
    let of_layer = |l| [Site::AttentionOutput(l), Site::Gate(l), Site::Up(l), Site::Down(l)];
    // Queries are 24 long, keys and values 12, all else 32 and more.
    let large = tied.decoder().config().sites_from(24);
    assert_eq!(large.len(), 11, "{large:?}");
    assert!(of_layer(0).iter().all(|site| large.contains(site)) && !large.contains(&Site::Key(0)));
}

#[test]
fn a_template_puts_prompt_and_text_together() {
    let pretrained = PretrainedDecoder::<f32>::load(&fixture(UNTIED)).expect("a tiny decoder");
    let (tokenizer, config) = (&pretrained.tokenizer, pretrained.decoder.config());
    let template = Template { separator: " =>".to_owned(), end: 2 };
    let prompted = template.prompted(tokenizer, "name[The Mill]", " The Mill is good.").expect("tokens");
    assert_eq!(tokenizer.decode(&prompted.prompt).expect("a text"), "name[The Mill] =>");
    assert_eq!(tokenizer.decode(&prompted.text).expect("a text"), " The Mill is good.");
    assert_eq!(prompted.text.last(), Some(&2));
    assert_eq!(prompted.prompt, template.prompt(tokenizer, "name[The Mill]").expect("tokens"));
    assert_eq!(prompted.check(config), Ok(()));
    let empty = PromptedText { prompt: Vec::new(), ..prompted.clone() };
    assert_eq!(empty.check(config), Err(SequenceError::Empty));
    let long = PromptedText { prompt: vec![3; 96], ..prompted };
    assert!(matches!(long.check(config), Err(SequenceError::TooLong { limit: 96, .. })));
}

#[test]
fn what_a_decoder_does_not_have_is_named() {
    let model = model::<f64>(UNTIED);
    let mut adapters = Adapters::new();
    adapters.insert(Site::Pooler, Box::new(Fixed::merged(Mat::zeros(32, 32))));
    let batch = pack(&texts());
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&model, &batch, &mut adapters)));
    let message = refused.expect_err("refused").downcast::<String>().expect("a message");
    assert_eq!(*message, "the decoder has no pooler.dense to adapt");
}
