//! Fine-tuning a decoder step by step.

use adaptation::adapter::{Compressed, DeepLora, Lora, Width, ZeroFactor};
use adaptation::training::{Plan, TextTuning, TrainingError, text_adapters, text_loss};
use adaptation::{
    AdamW, AdamWSettings, Adapters, Decoder, DecoderConfig, LanguageModel, Method, PromptedText, SequenceError,
    StepSchedule, TextActivations, TextBatch, TextTokenizer,
};
use dynamics::random::stream;
use faer::Par;
use rand::RngExt;

const VOCABULARY: usize = 40;

fn model() -> LanguageModel<f64> {
    let decoder = Decoder::random(DecoderConfig::tiny(VOCABULARY), 0.2, &mut stream(0, &["text tuning"]));
    LanguageModel::new(decoder)
}

/// Prompts and texts of different lengths.
fn texts(count: usize, name: &str) -> Vec<PromptedText> {
    let mut rng = stream(0, &["text tuning", name]);
    let mut ids = |length: usize| (0..length).map(|_| rng.random_range(0..VOCABULARY as u32)).collect::<Vec<_>>();
    (0..count).map(|i| PromptedText { prompt: ids(2 + i % 3), text: ids(1 + i % 4) }).collect()
}

fn plan(steps: u64) -> Plan {
    let schedule = StepSchedule::Constant;
    Plan { steps, batch: 3, whole_batches: true, step_size: 1e-2, schedule, dropout: true, seed: 5 }
}

fn run<'a>(
    model: &'a LanguageModel<f64>,
    examples: &'a [PromptedText],
    method: Method,
    steps: u64,
) -> TextTuning<'a, f64, LanguageModel<f64>> {
    let sites: Vec<_> = model.decoder().config().sites().collect();
    let adapters = text_adapters(&method, &sites, model, examples, &plan(steps), 1, Par::Seq).unwrap();
    let optimizer = AdamW::new(AdamWSettings::default(), &adapters);
    TextTuning::new(model, adapters, optimizer, examples, plan(steps)).unwrap()
}

fn methods() -> [Method; 3] {
    [
        Method::Lora(Lora { rank: 2, zero: ZeroFactor::Input }),
        Method::DeepLora(DeepLora { rank: Width::Full, depth: 3, init_scale: 0.1 }),
        Method::Compressed(Compressed { rank: 2, depth: 3, init_scale: 0.1, discrepant_step: 0.5 }),
    ]
}

/// All numbers of the updates, to the bit.
fn bits(adapters: &Adapters<f64>) -> Vec<u64> {
    let deltas = adapters.sites().map(|site| adapters.delta(site).unwrap());
    deltas
        .flat_map(|delta| {
            delta
                .col_iter()
                .flat_map(|column| column.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn the_loss_falls_and_is_that_of_the_merged_decoder() {
    let (model, examples) = (model(), texts(7, "train"));
    for method in methods() {
        let mut run = run(&model, &examples, method, 60);
        let before = run.loss_of(&examples, Par::Seq);
        (0..60).for_each(|_| assert!(run.step(Par::Seq).is_ok()));
        let after = run.loss_of(&examples, Par::Seq);
        assert!(after < 0.8 * before, "{}: {before} to {after}", method.label());
        let merged = LanguageModel::new(model.decoder().with(&run.into_adapters()));
        let plain = text_loss(&merged, &examples, 2, &Adapters::new(), &mut TextActivations::new(), Par::Seq);
        assert!((plain - after).abs() < 1e-9, "{}: {plain} and {after}", method.label());
    }
}

#[test]
fn the_loss_of_several_batches_is_the_mean_over_tokens() {
    let (model, examples) = (model(), texts(5, "mean"));
    let (none, work) = (Adapters::new(), &mut TextActivations::new());
    let mut all = TextBatch::new();
    examples.iter().for_each(|text| all.push(text));
    let together = model.loss(&all, &none, work, Par::Seq);
    assert!((text_loss(&model, &examples, 2, &none, work, Par::Seq) - together).abs() < 1e-12);
}

#[test]
fn a_run_that_was_interrupted_goes_on_to_the_same_bits() {
    let (model, examples) = (model(), texts(7, "train"));
    for method in methods() {
        let mut whole = run(&model, &examples, method, 9);
        let losses: Vec<f64> = (0..9).map(|_| whole.step(Par::Seq).unwrap()).collect();
        // Seven examples make two batches of three: an epoch ends between the two halves.
        let directory = tempfile::tempdir().unwrap();
        let mut first = run(&model, &examples, method, 9);
        (0..5).for_each(|_| assert!(first.step(Par::Seq).is_ok()));
        first.save(directory.path(), &"noted").unwrap();
        drop(first);
        let mut second = run(&model, &examples, method, 9);
        assert_eq!(second.restore::<String>(directory.path()).unwrap().as_deref(), Some("noted"));
        assert_eq!(second.steps_done(), 5);
        let rest: Vec<f64> = (0..4).map(|_| second.step(Par::rayon(2)).unwrap()).collect();
        assert_eq!(rest, losses[5..], "{}", method.label());
        assert_eq!(bits(&second.into_adapters()), bits(&whole.into_adapters()), "{}", method.label());
        let others = texts(7, "others");
        let mut other = run(&model, &others, method, 9);
        assert!(other.restore::<String>(directory.path()).unwrap_err().to_string().contains("another run"));
    }
}

#[test]
fn what_cannot_be_trained_on_is_refused() {
    let (model, mut examples) = (model(), texts(4, "train"));
    let adapters = |examples: &[PromptedText]| {
        text_adapters(&methods()[0], &[], &model, examples, &plan(3), 1, Par::Seq).map(|_| ())
    };
    assert!(matches!(adapters(&[]), Err(TrainingError::Empty)));
    examples[2].text[0] = VOCABULARY as u32;
    let error = adapters(&examples).unwrap_err();
    let is_named = matches!(error, TrainingError::Example { example: 2, source: SequenceError::UnknownToken { .. } });
    assert!(is_named, "{error}");
    let none = AdamW::new(AdamWSettings::default(), &Adapters::new());
    let few = &texts(2, "few");
    let refused = TextTuning::new(&model, Adapters::new(), none, few, plan(3)).err();
    assert!(matches!(refused, Some(TrainingError::NoBatch { examples: 2, batch: 3 })));
}

#[test]
fn bytes_are_tokens_and_back() {
    let tokenizer = TextTokenizer::of_bytes();
    for text in ["Thai food at Quay.", "Café £20\n\t\u{1f600}", ""] {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(ids.len(), text.len());
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
    assert_eq!(tokenizer.encode("a<|end|>").unwrap().last(), Some(&256));
    assert_eq!(tokenizer.decode(&[256]).unwrap(), "");
}
