//! The gradients of adapters on a decoder: against torch autograd (fixture by `python/make_decoder_fixtures.py`), against central
//! differences in `f64`, and what they may not depend on.

use crate::decoder::smollm2;
use crate::encoder::{Tensors, difference, fixture, integers, json};
use crate::fixed::Fixed;
use adaptation::adapter::{Compressed, DeepLora, Lora, Width, ZeroFactor};
use adaptation::{
    AdamW, AdamWSettings, Adapters, AppliedGradient, LanguageModel, Method, PretrainedDecoder, PromptedText, Real,
    SequenceError, Site, Template, TextActivations, TextBatch, TextModel, Weight,
};
use dynamics::random::{Generator, gaussian, stream};
use faer::{Mat, Par};

const LORA: Method = Method::Lora(Lora { rank: 3, zero: ZeroFactor::Output });
const DEEP: Method = Method::DeepLora(DeepLora { rank: Width::Narrow(3), depth: 3, init_scale: 1.0 });

/// Kinds of the fixture, with the file of the decoder.
const KINDS: [(&str, &str, Method); 3] =
    [("untied", "tiny-llama", LORA), ("tied", "tiny-llama.gguf", LORA), ("deep", "tiny-llama.gguf", DEEP)];

fn rng(purpose: &str) -> Generator {
    stream(7, &["decoder gradients", purpose])
}

fn model<T: Real>(file: &str) -> LanguageModel<T> {
    LanguageModel::new(PretrainedDecoder::load(&fixture(file)).expect("a tiny decoder").decoder)
}

fn sites<T: Real>(model: &LanguageModel<T>) -> Vec<Site> {
    model.decoder().config().sites().collect()
}

fn texts() -> Vec<PromptedText> {
    let of =
        |entry: &serde_json::Value| PromptedText { prompt: integers(&entry["prompt"]), text: integers(&entry["text"]) };
    json("gradients-llama.json")["texts"].as_array().expect("texts").iter().map(of).collect()
}

fn pack(texts: &[PromptedText]) -> TextBatch {
    let mut batch = TextBatch::new();
    texts.iter().for_each(|text| batch.push(text));
    batch
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
    let config = model.decoder().config();
    let shape = |site| config.shape(site);
    let mut adapters = method.adapters(&sites(model), shape, |_| 100, None, 1).expect("adapters");
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

// Of methods.

/// All methods on all weights, a tied one with its two uses: the loss falls.
#[test]
fn every_method_is_trained() {
    let compressed = Compressed { rank: 4, depth: 3, init_scale: 0.3, discrepant_step: 1.0 };
    let full = DeepLora { rank: Width::Full, depth: 3, init_scale: 0.3 };
    let input = Lora { rank: 3, zero: ZeroFactor::Input };
    for method in [LORA, Method::Lora(input), DEEP, Method::DeepLora(full), Method::Compressed(compressed)] {
        for file in ["tiny-llama", "tiny-llama.gguf"] {
            let (model, batch, mut work) = (model::<f32>(file), pack(&texts()), TextActivations::new());
            let mut adapters = model.adapters(&method, &sites(&model), &batch, 3, Par::Seq).expect("adapters");
            let settings = AdamWSettings { discrepant_step: 0.5, ..AdamWSettings::default() };
            let mut optimizer = AdamW::new(settings, &adapters);
            let mut losses = Vec::new();
            for _ in 0..8 {
                optimizer.catch_up(&mut adapters, batch.batch());
                losses.push(model.loss_and_gradient(&batch, &mut adapters, &mut work, Par::Seq));
                adapters.pull_back(Par::Seq);
                optimizer.step(&mut adapters, 1e-2, Par::Seq);
                adapters.refresh(Par::Seq);
            }
            assert!(losses[7] < 0.95 * losses[0], "{method:?}, {file}: {losses:?}");
            // What is written with afterwards is what was trained.
            optimizer.catch_up_all(&mut adapters);
            let loss = model.loss(&batch, &adapters, &mut work, Par::Seq);
            let adapted = LanguageModel::new(model.decoder().with(&adapters));
            let merged = adapted.loss(&batch, &Adapters::new(), &mut work, Par::Seq);
            assert!((loss - merged).abs() < 1e-4 * loss, "{method:?}, {file}: {loss}, added to the weights {merged}");
        }
    }
}

/// A probe asks for the gradient of every `ΔW = 0`.
#[test]
fn a_probe_has_the_gradient_of_the_frozen_weights() {
    let batch = pack(&texts());
    for file in ["tiny-llama", "tiny-llama.gguf"] {
        let model = model::<f64>(file);
        let shape = |site| model.decoder().config().shape(site);
        let zeros = |site| Mat::zeros(shape(site).0, shape(site).1);
        let mut zero = Deltas(sites(&model).into_iter().map(|site| (site, vec![zeros(site)])).collect()).adapters();
        let mut probe = Adapters::probe(&sites(&model), shape);
        assert_eq!(run(&model, &batch, &mut probe), run(&model, &batch, &mut zero));
        for site in sites(&model) {
            let found = match probe.gradient(site).expect("a probe") {
                AppliedGradient::MergedRows(rows) => rows.to_dense(),
                AppliedGradient::Merged(delta) => delta.clone(),
                _ => panic!("a probe is merged"),
            };
            assert_eq!(found, gradient(&zero, site)[0], "{file}, {site:?}");
        }
    }
}

// Against central differences.

/// `ΔW` of every site: its two factors, or the matrix itself.
#[derive(Clone)]
struct Deltas(Vec<(Site, Vec<Mat<f64>>)>);

impl Deltas {
    fn random(model: &LanguageModel<f64>, rank: Option<usize>) -> Self {
        let mut rng = rng("deltas");
        let of = |site: Site| {
            let (m, n) = model.decoder().config().shape(site);
            let matrices = match rank {
                None => vec![faer::Scale(0.1) * gaussian(m, n, &mut rng)],
                Some(rank) => {
                    let scale = faer::Scale(0.3 / (rank as f64).sqrt().sqrt());
                    vec![scale * gaussian(m, rank, &mut rng), scale * gaussian(rank, n, &mut rng)]
                }
            };
            (site, matrices)
        };
        Self(sites(model).into_iter().map(of).collect())
    }

    /// The same, multiplied out.
    fn merged(&self) -> Self {
        Self(self.0.iter().map(|(site, factors)| (*site, vec![&factors[0] * &factors[1]])).collect())
    }

    fn adapters(&self) -> Adapters<f64> {
        let mut adapters = Adapters::new();
        for (site, matrices) in &self.0 {
            adapters.insert(
                *site,
                match &matrices[..] {
                    [delta] => Box::new(Fixed::merged(delta.clone())),
                    [left, right] => Box::new(Fixed::factored(left.clone(), right.clone())),
                    _ => unreachable!("one or two matrices"),
                },
            );
        }
        adapters
    }
}

fn gradient(adapters: &Adapters<f64>, site: Site) -> Vec<Mat<f64>> {
    match adapters.gradient(site).expect("an adapter") {
        AppliedGradient::Factored { left, right } => vec![left.clone(), right.clone()],
        AppliedGradient::Merged(delta) => vec![delta.clone()],
        _ => unreachable!("made of whole matrices"),
    }
}

fn run(model: &LanguageModel<f64>, batch: &TextBatch, adapters: &mut Adapters<f64>) -> f64 {
    model.loss_and_gradient(batch, adapters, &mut TextActivations::new(), Par::Seq)
}

/// The derivative along a random direction of every matrix.
#[test]
fn central_differences() {
    let batch = pack(&texts());
    for (file, rank) in
        [("tiny-llama", None), ("tiny-llama", Some(3)), ("tiny-llama.gguf", None), ("tiny-llama.gguf", Some(3))]
    {
        let model = model::<f64>(file);
        let deltas = Deltas::random(&model, rank);
        let mut adapters = deltas.adapters();
        run(&model, &batch, &mut adapters);
        let (mut rng, mut work) = (rng("directions"), TextActivations::new());
        for (place, (site, matrices)) in deltas.0.iter().enumerate() {
            for (which, gradient) in gradient(&adapters, *site).iter().enumerate() {
                let direction = gaussian(gradient.nrows(), gradient.ncols(), &mut rng);
                let direction = faer::Scale(1.0 / direction.norm_l2()) * direction;
                let mut at = |step: f64| {
                    let mut moved = deltas.clone();
                    moved.0[place].1[which] = &matrices[which] + faer::Scale(step) * &direction;
                    model.loss(&batch, &moved.adapters(), &mut work, Par::Seq)
                };
                let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                let along: f64 = (0..direction.ncols()).map(|j| direction.col(j).transpose() * gradient.col(j)).sum();
                let error = (difference - along).abs();
                let what = format!("{file}, {rank:?}, {site:?}, matrix {which}");
                assert!(
                    error < 1e-6 * gradient.norm_l2() + 1e-9,
                    "{what}: {along:.9e}, by differences {difference:.9e}"
                );
                assert!(gradient.norm_l2() > 1e-4, "{what}: a vanishing gradient");
            }
        }
    }
}

/// Of factors, of few columns and of many, and of their product: the loss is the same, and `∇L = ∇ΔW Rᵀ`, `∇R = Lᵀ ∇ΔW`. Also the
/// loss of a decoder to whose weights `ΔW` was added.
#[test]
fn all_forms_give_the_same() {
    let batch = pack(&texts());
    for file in ["tiny-llama", "tiny-llama.gguf"] {
        for rank in [3, 70] {
            let model = model::<f64>(file);
            let deltas = Deltas::random(&model, Some(rank));
            let (mut factored, mut merged) = (deltas.adapters(), deltas.merged().adapters());
            let losses = [run(&model, &batch, &mut factored), run(&model, &batch, &mut merged)];
            assert!((losses[0] - losses[1]).abs() < 1e-10, "{file}, rank {rank}: {losses:?}");
            for (site, factors) in &deltas.0 {
                let delta = &gradient(&merged, *site)[0];
                let expected = [delta * factors[1].transpose(), factors[0].transpose() * delta];
                for (found, expected) in gradient(&factored, *site).iter().zip(&expected) {
                    let (error, size) = ((found - expected).norm_max(), expected.norm_max());
                    assert!(error < 1e-9 * size, "{file}, rank {rank}, {site:?}: off by {error:.1e} of {size:.1e}");
                }
            }
            for adapters in [&factored, &merged] {
                let adapted = LanguageModel::new(model.decoder().with(adapters));
                let loss = adapted.loss(&batch, &Adapters::new(), &mut TextActivations::new(), Par::Seq);
                assert!((loss - losses[0]).abs() < 1e-10, "{file}, rank {rank}: {loss}, with adapters {losses:?}");
            }
        }
    }
}

// What the results may not depend on.

/// Every layer that the way back can end at gives the gradients that the whole way gives.
#[test]
fn ending_early_changes_nothing() {
    let (model, batch) = (model::<f64>("tiny-llama"), pack(&texts()));
    for kept in sites(&model) {
        let mut all = Deltas::random(&model, Some(3));
        // Zero at all other sites, so that the function is the same whether they are adapted or not.
        for (site, matrices) in &mut all.0 {
            if *site != kept {
                matrices[0].fill(0.0);
            }
        }
        let one = Deltas(all.0.iter().filter(|(site, _)| *site == kept).cloned().collect());
        let (mut all, mut one) = (all.adapters(), one.adapters());
        run(&model, &batch, &mut all);
        run(&model, &batch, &mut one);
        for (all, one) in gradient(&all, kept).iter().zip(&gradient(&one, kept)) {
            let (error, size) = ((all - one).norm_max(), all.norm_max());
            assert!(error < 1e-12 * size.max(1.0), "{kept:?}: off by {error:.1e}");
        }
    }
}

/// Two texts as long as the decoder takes them, made of the tokens of the others.
fn long_texts() -> [PromptedText; 2] {
    let tokens: Vec<u32> = texts().iter().flat_map(|text| text.text.clone()).collect();
    let of = |first: usize| tokens.iter().cycle().skip(first).copied();
    [0, 5].map(|first| PromptedText { prompt: of(first).take(2).collect(), text: of(first + 2).take(60).collect() })
}

/// More blocks than are on their way at the same time, and more targets in two of them than the head takes: the same texts again
/// and again have the same mean.
#[test]
fn a_batch_in_parts_is_the_batch_as_a_whole() {
    let repeated: Vec<PromptedText> = (0..10).flat_map(|_| long_texts()).collect();
    let (once, often) = (pack(&long_texts()), pack(&repeated));
    // Blocks have about 128 tokens; four are on their way on one thread.
    assert!(once.targets() <= 128 && often.batch().tokens() > 9 * 128 && often.targets() > 9 * 100);
    for file in ["tiny-llama", "tiny-llama.gguf"] {
        let model = model::<f64>(file);
        for rank in [None, Some(3)] {
            let deltas = Deltas::random(&model, rank);
            let (mut single, mut several) = (deltas.adapters(), deltas.adapters());
            let losses = [run(&model, &once, &mut single), run(&model, &often, &mut several)];
            assert!((losses[0] - losses[1]).abs() < 1e-11, "{losses:?}");
            for site in sites(&model) {
                for (a, b) in gradient(&single, site).iter().zip(&gradient(&several, site)) {
                    assert!((a - b).norm_max() < 1e-11 * a.norm_max(), "{site:?}, {rank:?}");
                }
            }
        }
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads_and_used_buffers() {
    let texts = texts();
    let some = [&texts[..], &long_texts()].concat();
    let many: Vec<PromptedText> = (0..9).flat_map(|_| some.clone()).collect();
    let batches = [pack(&texts[..2]), pack(&many), pack(&texts)];
    assert!(batches[1].batch().tokens() > 8 * 128, "more blocks than are on their way on two threads");
    for rank in [None, Some(3), Some(70)] {
        let model = model::<f64>("tiny-llama.gguf");
        let (deltas, mut work) = (Deltas::random(&model, rank), TextActivations::new());
        let mut found = [const { Vec::new() }; 3];
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let par = if threads == 1 { Par::Seq } else { Par::rayon(threads) };
            for (place, batch) in batches.iter().enumerate() {
                let mut adapters = deltas.adapters();
                let loss = pool.install(|| model.loss_and_gradient(batch, &mut adapters, &mut work, par));
                assert_eq!(pool.install(|| model.loss(batch, &adapters, &mut work, par)), loss, "without a way back");
                let gradients: Vec<_> = sites(&model).iter().flat_map(|&site| gradient(&adapters, site)).collect();
                found[place].push((loss, gradients));
            }
        }
        assert!(found.iter().all(|same| same.iter().all(|one| *one == same[0])), "{rank:?}");
        assert!(work.bytes() > 0);
    }
}

/// A text's loss does not depend on its neighbours.
#[test]
fn texts_do_not_see_each_other() {
    let (model, texts) = (model::<f64>("tiny-llama"), texts());
    let loss =
        |texts: &[PromptedText]| model.loss(&pack(texts), &Adapters::new(), &mut TextActivations::new(), Par::Seq);
    let tokens: usize = texts.iter().map(|text| text.text.len()).sum();
    let sum: f64 = texts.iter().map(|text| text.text.len() as f64 * loss(std::slice::from_ref(text))).sum();
    assert!((loss(&texts) - sum / tokens as f64).abs() < 1e-12);
}

// Sites and texts.

#[test]
fn sites_are_chosen_by_their_sides() {
    let (untied, tied) = (model::<f32>("tiny-llama"), model::<f32>("tiny-llama.gguf"));
    assert_eq!(sites(&untied).len(), 16);
    assert_eq!(sites(&tied)[0], Site::TiedEmbedding);
    let of_layer = |l| [Site::AttentionOutput(l), Site::Gate(l), Site::Up(l), Site::Down(l)];
    // Queries are 24 long, keys and values 12, all else 32 and more.
    let large = tied.decoder().config().sites_from(24);
    assert_eq!(large.len(), 11, "{large:?}");
    assert!(of_layer(0).iter().all(|site| large.contains(site)) && !large.contains(&Site::Key(0)));
}

#[test]
fn a_template_puts_prompt_and_text_together() {
    let pretrained = PretrainedDecoder::<f32>::load(&fixture("tiny-llama")).expect("a tiny decoder");
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
    let model = model::<f64>("tiny-llama");
    let mut adapters = Adapters::new();
    adapters.insert(Site::Pooler, Box::new(Fixed::merged(Mat::zeros(32, 32))));
    let batch = pack(&texts());
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&model, &batch, &mut adapters)));
    let message = refused.expect_err("refused").downcast::<String>().expect("a message");
    assert_eq!(*message, "the decoder has no pooler.dense to adapt");
}
