//! What the gradients of every model that writes texts must be, on tiny models of both architectures: those of central differences
//! in `f64`, the same in all forms, and independent of what they may not depend on.

use crate::encoder::{fixture, integers, json};
use crate::fixed::Fixed;
use adaptation::adapter::{Compressed, DeepLora, Lora, Width, ZeroFactor};
use adaptation::{
    AdamW, AdamWSettings, Adapters, AppliedGradient, Dropout, Generation, LanguageModel, Method, PretrainedDecoder,
    PromptedText, Real, Site, TextModel, TextToText, TextWriter,
};
use dynamics::random::{Generator, gaussian, stream};
use faer::{Mat, Par};

pub const LORA: Method = Method::Lora(Lora { rank: 3, zero: ZeroFactor::Output });
pub const DEEP: Method = Method::DeepLora(DeepLora { rank: Width::Narrow(3), depth: 3, init_scale: 1.0 });

/// Masks that depend on seed and step.
const SEEDED: Dropout = Dropout::Seeded { seed: 3, step: 4 };

fn rng(purpose: &str) -> Generator {
    stream(7, &["gradients of texts", purpose])
}

/// A model of an architecture, with texts that it can take.
pub trait Tiny<T: Real>: TextModel<T> + Sized {
    /// The two models of the architecture.
    const NAMES: [&'static str; 2];

    fn tiny(name: &str) -> Self;

    fn of_writer(writer: Self::Writer) -> Self;

    fn texts() -> Vec<PromptedText>;

    /// Two texts of 60 tokens, made of those of the others.
    fn long_texts() -> [PromptedText; 2] {
        let tokens: Vec<u32> = Self::texts().into_iter().flat_map(|text| text.text).collect();
        let of = |first: usize| tokens.iter().cycle().skip(first).copied();
        [0, 5].map(|first| PromptedText { prompt: of(first).take(2).collect(), text: of(first + 2).take(60).collect() })
    }
}

impl<T: Real> Tiny<T> for LanguageModel<T> {
    /// The head of its own, and tied to the embedding.
    const NAMES: [&'static str; 2] = ["tiny-llama", "tiny-llama.gguf"];

    fn tiny(name: &str) -> Self {
        Self::new(PretrainedDecoder::load(&fixture(name)).expect("a tiny decoder").decoder)
    }

    fn of_writer(writer: Self::Writer) -> Self {
        Self::new(writer)
    }

    fn texts() -> Vec<PromptedText> {
        let report = json("gradients-llama.json");
        let of = |entry: &serde_json::Value| PromptedText {
            prompt: integers(&entry["prompt"]),
            text: integers(&entry["text"]),
        };
        report["texts"].as_array().expect("texts").iter().map(of).collect()
    }
}

impl<T: Real> Tiny<T> for TextToText<T> {
    /// ReLU with a tied head, and gated GELU with a head of its own.
    const NAMES: [&'static str; 2] = crate::t5::KINDS;

    fn tiny(name: &str) -> Self {
        Self::new(crate::t5::tiny(name).t5)
    }

    fn of_writer(writer: Self::Writer) -> Self {
        Self::new(writer)
    }

    fn texts() -> Vec<PromptedText> {
        let report = json("gradients-t5.json");
        let of = |pair: &serde_json::Value| PromptedText { prompt: integers(&pair[0]), text: integers(&pair[1]) };
        report["pairs"].as_array().expect("pairs").iter().map(of).collect()
    }
}

/// Makes a check of all four models, by name.
macro_rules! all_models {
    ($check:ident) => {
        <LanguageModel<f64> as Tiny<f64>>::NAMES.into_iter().for_each($check::<LanguageModel<f64>>);
        <TextToText<f64> as Tiny<f64>>::NAMES.into_iter().for_each($check::<TextToText<f64>>);
    };
}

/// `ΔW` of every site: its two factors, or the matrix itself.
#[derive(Clone)]
pub struct Deltas(pub Vec<(Site, Vec<Mat<f64>>)>);

impl Deltas {
    /// Factors of this rank, or whole matrices.
    pub fn random(model: &impl TextModel<f64>, rank: Option<usize>) -> Self {
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

    fn zero(model: &impl TextModel<f64>) -> Self {
        let zeros = |site| (site, vec![Mat::zeros(model.shape(site).0, model.shape(site).1)]);
        Self(model.sites().into_iter().map(zeros).collect())
    }

    /// The same, multiplied out.
    fn merged(&self) -> Self {
        Self(self.0.iter().map(|(site, factors)| (*site, vec![&factors[0] * &factors[1]])).collect())
    }

    pub fn adapters(&self) -> Adapters<f64> {
        let mut adapters = Adapters::new();
        for (site, matrices) in &self.0 {
            let fixed = match &matrices[..] {
                [delta] => Fixed::merged(delta.clone()),
                [left, right] => Fixed::factored(left.clone(), right.clone()),
                _ => unreachable!("one or two matrices"),
            };
            adapters.insert(*site, Box::new(fixed));
        }
        adapters
    }
}

pub fn gradient(adapters: &Adapters<f64>, site: Site) -> Vec<Mat<f64>> {
    match adapters.gradient(site).expect("an adapter") {
        AppliedGradient::Factored { left, right } => vec![left.clone(), right.clone()],
        AppliedGradient::Merged(delta) => vec![delta.clone()],
        AppliedGradient::MergedRows(rows) => vec![rows.to_dense()],
        AppliedGradient::FactoredRows { .. } => unreachable!("made of whole matrices"),
    }
}

/// The loss without dropout, in new buffers; the gradient goes into the adapters.
pub fn run<M: TextModel<f64>>(model: &M, batch: &M::Batch, adapters: &mut Adapters<f64>) -> f64 {
    model.loss_and_gradient(batch, adapters, &Dropout::Off, &mut M::Work::default(), Par::Seq)
}

fn loss<M: TextModel<f64>>(model: &M, batch: &M::Batch, adapters: &Adapters<f64>) -> f64 {
    model.loss(batch, adapters, &mut M::Work::default(), Par::Seq)
}

// Of methods.

/// The loss falls, and what is written with afterwards is what was trained.
fn train<M: Tiny<f32>>(name: &str, method: &Method) {
    let model = M::tiny(name);
    let (batch, mut work) = (model.batch(&M::texts()), M::Work::default());
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
    assert!(last < 0.95 * losses[0], "{name}, {method:?}: {losses:?}");
    let writer = model.writer(&adapters);
    let how = Generation { beams: 2, most_tokens: 3, ends: vec![], length_penalty: 1.0 };
    let written = writer.write(&[vec![5, 6], vec![7]], &how, Par::Seq).expect("texts");
    assert_eq!(written.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
    let merged = M::of_writer(writer).loss(&batch, &Adapters::new(), &mut work, Par::Seq);
    assert!((last - merged).abs() < 1e-4 * merged, "{name}, {method:?}: {last}, added to the weights {merged}");
}

#[test]
fn every_method_is_trained() {
    let compressed = Compressed { rank: 4, depth: 3, init_scale: 0.3, discrepant_step: 1.0 };
    let full = DeepLora { rank: Width::Full, depth: 3, init_scale: 0.3 };
    let input = Lora { rank: 3, zero: ZeroFactor::Input };
    for method in [LORA, Method::Lora(input), DEEP, Method::DeepLora(full), Method::Compressed(compressed)] {
        for name in <LanguageModel<f32> as Tiny<f32>>::NAMES {
            train::<LanguageModel<f32>>(name, &method);
        }
        for name in <TextToText<f32> as Tiny<f32>>::NAMES {
            train::<TextToText<f32>>(name, &method);
        }
    }
}

/// A probe asks for the gradient of every `ΔW = 0`.
fn check_probe<M: Tiny<f64>>(name: &str) {
    let model = M::tiny(name);
    let batch = model.batch(&M::texts());
    let mut zero = Deltas::zero(&model).adapters();
    let mut probe = Adapters::probe(&model.sites(), |site| model.shape(site));
    assert_eq!(run(&model, &batch, &mut probe), run(&model, &batch, &mut zero));
    for site in model.sites() {
        assert_eq!(gradient(&probe, site), gradient(&zero, site), "{name}, {site:?}");
    }
}

#[test]
fn a_probe_has_the_gradient_of_the_frozen_weights() {
    all_models!(check_probe);
}

// Against central differences.

/// The derivative along a random direction of every matrix, under masks where the model has dropout.
fn check_differences<M: Tiny<f64>>(name: &str) {
    let model = M::tiny(name);
    let (batch, mut work) = (model.batch(&M::texts()), M::Work::default());
    let mut loss =
        |adapters: &mut Adapters<f64>| model.loss_and_gradient(&batch, adapters, &SEEDED, &mut work, Par::Seq);
    for rank in [None, Some(3)] {
        let deltas = Deltas::random(&model, rank);
        let (mut adapters, mut rng) = (deltas.adapters(), rng("directions"));
        loss(&mut adapters);
        for (place, (site, matrices)) in deltas.0.iter().enumerate() {
            for (which, gradient) in gradient(&adapters, *site).iter().enumerate() {
                let direction = gaussian(gradient.nrows(), gradient.ncols(), &mut rng);
                let direction = faer::Scale(1.0 / direction.norm_l2()) * direction;
                let mut at = |step: f64| {
                    let mut moved = deltas.clone();
                    moved.0[place].1[which] = &matrices[which] + faer::Scale(step) * &direction;
                    loss(&mut moved.adapters())
                };
                let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
                let along: f64 = (0..direction.ncols()).map(|j| direction.col(j).transpose() * gradient.col(j)).sum();
                let (error, size) = ((difference - along).abs(), gradient.norm_l2());
                let what = format!("{name}, {rank:?}, {site:?}, matrix {which}");
                assert!(error < 1e-6 * size + 1e-8, "{what}: {along:.9e}, by differences {difference:.9e}");
                assert!(size > 1e-5, "{what}: a vanishing gradient");
            }
        }
    }
}

#[test]
fn gradients_are_those_of_central_differences() {
    all_models!(check_differences);
}

/// Of factors, of few columns and of many, and of their product: the loss is the same, and `∇L = ∇ΔW Rᵀ`, `∇R = Lᵀ ∇ΔW`. Also the
/// loss of a model to whose weights `ΔW` was added.
fn check_forms<M: Tiny<f64>>(name: &str) {
    let model = M::tiny(name);
    let batch = model.batch(&M::texts());
    for rank in [3, 70] {
        let deltas = Deltas::random(&model, Some(rank));
        let (mut factored, mut merged) = (deltas.adapters(), deltas.merged().adapters());
        let losses = [run(&model, &batch, &mut factored), run(&model, &batch, &mut merged)];
        assert!((losses[0] - losses[1]).abs() < 1e-10, "{name}, rank {rank}: {losses:?}");
        for (site, factors) in &deltas.0 {
            let delta = &gradient(&merged, *site)[0];
            let expected = [delta * factors[1].transpose(), factors[0].transpose() * delta];
            for (found, expected) in gradient(&factored, *site).iter().zip(&expected) {
                let (error, size) = ((found - expected).norm_max(), expected.norm_max());
                assert!(error < 1e-9 * size, "{name}, rank {rank}, {site:?}: off by {error:.1e} of {size:.1e}");
            }
        }
        for adapters in [&factored, &merged] {
            let adapted = loss(&M::of_writer(model.writer(adapters)), &batch, &Adapters::new());
            assert!((adapted - losses[0]).abs() < 1e-10, "{name}, rank {rank}: {adapted}, with adapters {losses:?}");
        }
    }
}

#[test]
fn all_forms_give_the_same() {
    all_models!(check_forms);
}

// What the results may not depend on.

/// Every layer that the way back can end at gives the gradients that the whole way gives.
fn check_early_end<M: Tiny<f64>>(name: &str) {
    let model = M::tiny(name);
    let batch = model.batch(&M::texts());
    for kept in model.sites() {
        let mut all = Deltas::random(&model, Some(3));
        // Zero at all other sites, so that the function is the same whether they are adapted or not.
        for (_, matrices) in all.0.iter_mut().filter(|(site, _)| *site != kept) {
            matrices[0].fill(0.0);
        }
        let one = Deltas(all.0.iter().filter(|(site, _)| *site == kept).cloned().collect());
        let (mut all, mut one) = (all.adapters(), one.adapters());
        run(&model, &batch, &mut all);
        run(&model, &batch, &mut one);
        for (all, one) in gradient(&all, kept).iter().zip(&gradient(&one, kept)) {
            let (error, size) = ((all - one).norm_max(), all.norm_max());
            assert!(error < 1e-12 * size.max(1.0), "{name}, {kept:?}: off by {error:.1e}");
        }
    }
}

#[test]
fn ending_early_changes_nothing() {
    all_models!(check_early_end);
}

/// A text's loss does not depend on its neighbours, and a pass without a way back gives that of one with it.
fn check_neighbours<M: Tiny<f64>>(name: &str) {
    let (model, texts) = (M::tiny(name), M::texts());
    let loss = |texts: &[PromptedText]| loss(&model, &model.batch(texts), &Adapters::new());
    let tokens: usize = texts.iter().map(|text| text.text.len()).sum();
    assert_eq!(model.targets(&model.batch(&texts)), tokens);
    let sum: f64 = texts.iter().map(|text| text.text.len() as f64 * loss(std::slice::from_ref(text))).sum();
    assert!((loss(&texts) - sum / tokens as f64).abs() < 1e-12, "{name}");
    assert_eq!(run(&model, &model.batch(&texts), &mut Adapters::new()), loss(&texts), "{name}, with a way back");
}

#[test]
fn texts_do_not_see_each_other() {
    all_models!(check_neighbours);
}

/// Of a small batch, one of more blocks than are on their way on two threads, and another small one, in the same buffers.
fn check_bits<M: Tiny<f64>>(name: &str) {
    let (model, texts) = (M::tiny(name), M::texts());
    let some = [&texts[..], &M::long_texts()].concat();
    let many: Vec<PromptedText> = std::iter::repeat_n(some, 9).flatten().collect();
    assert!(many.iter().map(|text| text.prompt.len() + text.text.len()).sum::<usize>() > 8 * 128);
    let batches = [&texts[..2], &many[..], &texts[..]].map(|texts| model.batch(texts));
    for rank in [None, Some(3), Some(70)] {
        let (deltas, mut work, mut found) = (Deltas::random(&model, rank), M::Work::default(), Vec::new());
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let par = if threads == 1 { Par::Seq } else { Par::rayon(threads) };
            for batch in &batches {
                let mut adapters = deltas.adapters();
                let plain =
                    pool.install(|| model.loss_and_gradient(batch, &mut adapters, &Dropout::Off, &mut work, par));
                let whole = pool.install(|| model.loss(batch, &adapters, &mut work, par));
                assert_eq!(plain, whole, "{name}, {rank:?}: with a way back and without");
                let loss = pool.install(|| model.loss_and_gradient(batch, &mut adapters, &SEEDED, &mut work, par));
                let gradients: Vec<_> = model.sites().iter().flat_map(|&site| gradient(&adapters, site)).collect();
                found.push((whole, loss, gradients));
            }
        }
        for (place, one) in found.iter().enumerate() {
            assert!(*one == found[place % 3], "{name}, {rank:?}, batch {}", place % 3);
        }
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads_and_used_buffers() {
    all_models!(check_bits);
}
