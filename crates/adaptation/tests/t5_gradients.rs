//! The gradients of adapters on T5: against torch autograd (fixtures by `python/make_t5_fixtures.py`), against central differences
//! in `f64`, and what they may not depend on.

use std::sync::LazyLock;

use crate::encoder::{Tensors, difference, fixture, integers, json};
use crate::fixed::Fixed;
use crate::t5::{KINDS, tiny};
use adaptation::adapter::{Compressed, DeepLora, Lora, Width, ZeroFactor};
use adaptation::{
    AdamW, AdamWSettings, Adapters, AppliedGradient, Dropout, DropoutSite, Generation, LanguageModel, Masks, Method,
    PairActivations, PairBatch, PretrainedDecoder, PromptedText, Real, SequenceError, Site, Template, TextModel,
    TextToText, TextTokenizer, TextWriter,
};
use dynamics::random::{Generator, gaussian, stream};
use faer::{Mat, Par};
use serde_json::Value;

const LORA: Method = Method::Lora(Lora { rank: 3, zero: ZeroFactor::Output });
const DEEP: Method = Method::DeepLora(DeepLora { rank: Width::Narrow(3), depth: 3, init_scale: 1.0 });

/// Kinds of the fixture, with the model.
const FIXTURES: [(&str, &str, Method); 4] =
    [("tied", KINDS[0], LORA), ("untied", KINDS[1], LORA), ("deep", KINDS[0], DEEP), ("dropout", KINDS[1], LORA)];

/// Masks that depend on seed and step.
const SEEDED: Dropout = Dropout::Seeded { seed: 3, step: 4 };

static REPORT: LazyLock<Value> = LazyLock::new(|| json("gradients-t5.json"));

fn rng(purpose: &str) -> Generator {
    stream(7, &["T5 gradients", purpose])
}

fn model<T: Real>(kind: &str) -> TextToText<T> {
    TextToText::new(tiny(kind).t5)
}

fn texts() -> Vec<PromptedText> {
    let of = |pair: &Value| PromptedText { prompt: integers(&pair[0]), text: integers(&pair[1]) };
    REPORT["pairs"].as_array().expect("pairs").iter().map(of).collect()
}

fn batch<T: Real>(model: &TextToText<T>) -> PairBatch {
    model.batch(&texts())
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

// Of methods, by what T5 and Llama have in common.

/// The loss falls, and what is written with afterwards is what was trained.
fn train<M: TextModel<f32>>(model: &M, of_writer: impl Fn(M::Writer) -> M, method: &Method) {
    let (batch, mut work) = (model.batch(&texts()), M::Work::default());
    assert_eq!(model.targets(&batch), 31);
    let mut adapters = model.adapters(method, &model.sites(), &batch, 3, Par::Seq).expect("adapters");
    let settings = AdamWSettings { discrepant_step: 0.5, ..AdamWSettings::default() };
    let (mut optimizer, mut losses) = (AdamW::new(settings, &adapters), Vec::new());
    for step in 0..30 {
        model.catch_up(&mut optimizer, &mut adapters, &batch);
        model.loss_and_gradient(&batch, &mut adapters, &Dropout::Seeded { seed: 1, step }, &mut work, Par::Seq);
        adapters.pull_back(Par::Seq);
        optimizer.step(&mut adapters, 1e-2, Par::Seq);
        optimizer.catch_up_all(&mut adapters);
        adapters.refresh(Par::Seq);
        losses.push(model.loss(&batch, &adapters, &mut work, Par::Seq));
    }
    let last = losses[29];
    assert!(last < 0.95 * losses[0], "{method:?}: {losses:?}");
    let writer = model.writer(&adapters);
    let how = Generation { beams: 2, most_tokens: 3, ends: vec![], length_penalty: 1.0 };
    let written = writer.write(&[vec![5, 6], vec![7]], &how, Par::Seq).expect("texts");
    assert_eq!(written.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
    let merged = of_writer(writer).loss(&batch, &Adapters::new(), &mut work, Par::Seq);
    assert!((last - merged).abs() < 1e-4 * merged, "{method:?}: {last}, added to the weights {merged}");
}

#[test]
fn every_method_is_trained() {
    let compressed = Compressed { rank: 4, depth: 3, init_scale: 0.3, discrepant_step: 1.0 };
    let full = DeepLora { rank: Width::Full, depth: 3, init_scale: 0.3 };
    let input = Lora { rank: 3, zero: ZeroFactor::Input };
    for method in [LORA, Method::Lora(input), DEEP, Method::DeepLora(full), Method::Compressed(compressed)] {
        for kind in KINDS {
            train(&model(kind), TextToText::new, &method);
        }
        let llama = LanguageModel::new(PretrainedDecoder::load(&fixture("tiny-llama")).expect("a decoder").decoder);
        train(&llama, LanguageModel::new, &method);
    }
}

/// A probe asks for the gradient of every `ΔW = 0`.
#[test]
fn a_probe_has_the_gradient_of_the_frozen_weights() {
    for kind in KINDS {
        let model = model::<f64>(kind);
        let zeros = |site| (site, vec![Mat::zeros(model.shape(site).0, model.shape(site).1)]);
        let mut zero = Deltas(model.sites().into_iter().map(zeros).collect()).adapters();
        let mut probe = Adapters::probe(&model.sites(), |site| model.shape(site));
        assert_eq!(run(&model, &batch(&model), &mut probe), run(&model, &batch(&model), &mut zero));
        for site in model.sites() {
            let found = match probe.gradient(site).expect("a probe") {
                AppliedGradient::MergedRows(rows) => rows.to_dense(),
                AppliedGradient::Merged(delta) => delta.clone(),
                _ => panic!("a probe is merged"),
            };
            assert_eq!(found, gradient(&zero, site)[0], "{kind}, {site:?}");
        }
    }
}

// Against central differences.

/// `ΔW` of every site: its two factors, or the matrix itself.
#[derive(Clone)]
struct Deltas(Vec<(Site, Vec<Mat<f64>>)>);

impl Deltas {
    fn random(model: &TextToText<f64>, rank: Option<usize>) -> Self {
        let mut rng = rng("deltas");
        let of = |site: Site| {
            let (m, n) = model.shape(site);
            let matrices = match rank {
                None => vec![faer::Scale(0.1) * gaussian(m, n, &mut rng)],
                Some(rank) => {
                    let scale = faer::Scale(0.3 / (rank as f64).sqrt().sqrt());
                    vec![scale * gaussian(m, rank, &mut rng), scale * gaussian(rank, n, &mut rng)]
                }
            };
            (site, matrices)
        };
        Self(model.sites().into_iter().map(of).collect())
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

fn run(model: &TextToText<f64>, batch: &PairBatch, adapters: &mut Adapters<f64>) -> f64 {
    model.loss_and_gradient(batch, adapters, &Dropout::Off, &mut PairActivations::new(), Par::Seq)
}

/// The derivative along a random direction of every matrix, under masks.
#[test]
fn central_differences() {
    for (kind, rank) in [(KINDS[0], None), (KINDS[0], Some(3)), (KINDS[1], None), (KINDS[1], Some(3))] {
        let model = model::<f64>(kind);
        let (batch, deltas, mut work) = (batch(&model), Deltas::random(&model, rank), PairActivations::new());
        let mut adapters = deltas.adapters();
        let loss = |adapters: &mut Adapters<f64>, work: &mut PairActivations<f64>| {
            model.loss_and_gradient(&batch, adapters, &SEEDED, work, Par::Seq)
        };
        loss(&mut adapters, &mut work);
        let mut rng = rng("directions");
        for (place, (site, matrices)) in deltas.0.iter().enumerate() {
            for (which, gradient) in gradient(&adapters, *site).iter().enumerate() {
                let direction = gaussian(gradient.nrows(), gradient.ncols(), &mut rng);
                let direction = faer::Scale(1.0 / direction.norm_l2()) * direction;
                let mut at = |step: f64| {
                    let mut moved = deltas.clone();
                    moved.0[place].1[which] = &matrices[which] + faer::Scale(step) * &direction;
                    loss(&mut moved.adapters(), &mut work)
                };
                let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
                let along: f64 = (0..direction.ncols()).map(|j| direction.col(j).transpose() * gradient.col(j)).sum();
                let error = (difference - along).abs();
                let what = format!("{kind}, {rank:?}, {site:?}, matrix {which}");
                assert!(
                    error < 1e-6 * gradient.norm_l2() + 1e-8,
                    "{what}: {along:.9e}, by differences {difference:.9e}"
                );
                assert!(gradient.norm_l2() > 1e-5, "{what}: a vanishing gradient");
            }
        }
    }
}

/// Of factors, of few columns and of many, and of their product: the loss is the same, and `∇L = ∇ΔW Rᵀ`, `∇R = Lᵀ ∇ΔW`. Also the
/// loss of T5 to whose weights `ΔW` was added.
#[test]
fn all_forms_give_the_same() {
    for kind in KINDS {
        for rank in [3, 70] {
            let model = model::<f64>(kind);
            let (batch, deltas) = (batch(&model), Deltas::random(&model, Some(rank)));
            let (mut factored, mut merged) = (deltas.adapters(), deltas.merged().adapters());
            let losses = [run(&model, &batch, &mut factored), run(&model, &batch, &mut merged)];
            assert!((losses[0] - losses[1]).abs() < 1e-10, "{kind}, rank {rank}: {losses:?}");
            for (site, factors) in &deltas.0 {
                let delta = &gradient(&merged, *site)[0];
                let expected = [delta * factors[1].transpose(), factors[0].transpose() * delta];
                for (found, expected) in gradient(&factored, *site).iter().zip(&expected) {
                    let (error, size) = ((found - expected).norm_max(), expected.norm_max());
                    assert!(error < 1e-9 * size, "{kind}, rank {rank}, {site:?}: off by {error:.1e} of {size:.1e}");
                }
            }
            for adapters in [&factored, &merged] {
                let adapted = TextToText::new(model.writer(adapters));
                let loss = adapted.loss(&batch, &Adapters::new(), &mut PairActivations::new(), Par::Seq);
                assert!((loss - losses[0]).abs() < 1e-10, "{kind}, rank {rank}: {loss}, with adapters {losses:?}");
            }
        }
    }
}

// What the results may not depend on.

/// Every layer that the way back can end at gives the gradients that the whole way gives.
#[test]
fn ending_early_changes_nothing() {
    for kind in KINDS {
        let model = model::<f64>(kind);
        for kept in model.sites() {
            let mut all = Deltas::random(&model, Some(3));
            // Zero at all other sites, so that the function is the same whether they are adapted or not.
            for (site, matrices) in &mut all.0 {
                if *site != kept {
                    matrices[0].fill(0.0);
                }
            }
            let one = Deltas(all.0.iter().filter(|(site, _)| *site == kept).cloned().collect());
            let (mut all, mut one) = (all.adapters(), one.adapters());
            run(&model, &batch(&model), &mut all);
            run(&model, &batch(&model), &mut one);
            for (all, one) in gradient(&all, kept).iter().zip(&gradient(&one, kept)) {
                let (error, size) = ((all - one).norm_max(), all.norm_max());
                assert!(error < 1e-12 * size.max(1.0), "{kind}, {kept:?}: off by {error:.1e}");
            }
        }
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads_and_used_buffers() {
    let texts = texts();
    let often: Vec<PromptedText> = std::iter::repeat_n(&texts, 8).flatten().cloned().collect();
    for (kind, rank) in [(KINDS[0], None), (KINDS[0], Some(3)), (KINDS[1], Some(70))] {
        let model = model::<f64>(kind);
        let batches = [&texts[..2], &often[..], &texts[..]].map(|texts| model.batch(texts));
        let (deltas, mut work, mut found) = (Deltas::random(&model, rank), PairActivations::new(), Vec::new());
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let par = if threads == 1 { Par::Seq } else { Par::rayon(threads) };
            for batch in &batches {
                let mut adapters = deltas.adapters();
                pool.install(|| model.loss_and_gradient(batch, &mut adapters, &Dropout::Off, &mut work, par));
                let whole = pool.install(|| model.loss(batch, &adapters, &mut work, par));
                let loss = pool.install(|| model.loss_and_gradient(batch, &mut adapters, &SEEDED, &mut work, par));
                let gradients: Vec<_> = model.sites().iter().flat_map(|&site| gradient(&adapters, site)).collect();
                found.push((whole, loss, gradients));
            }
        }
        for (place, one) in found.iter().enumerate() {
            assert!(*one == found[place % 3], "{kind}, {rank:?}, batch {}", place % 3);
        }
        assert!(work.bytes() > 0);
    }
}

/// A pair's loss does not depend on its neighbours, and a pass without a way back gives that of one with it.
#[test]
fn pairs_do_not_see_each_other() {
    for kind in KINDS {
        let (model, texts) = (model::<f64>(kind), texts());
        let loss = |texts: &[PromptedText]| {
            model.loss(&model.batch(texts), &Adapters::new(), &mut PairActivations::new(), Par::Seq)
        };
        let tokens: usize = texts.iter().map(|text| text.text.len()).sum();
        let sum: f64 = texts.iter().map(|text| text.text.len() as f64 * loss(std::slice::from_ref(text))).sum();
        assert!((loss(&texts) - sum / tokens as f64).abs() < 1e-12);
        let kept = run(&model, &model.batch(&texts), &mut Adapters::new());
        assert_eq!(kept, loss(&texts), "with a way back");
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
    let (pretrained, template) = (tiny::<f32>(KINDS[0]), Template { separator: String::new(), end: 1 });
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
