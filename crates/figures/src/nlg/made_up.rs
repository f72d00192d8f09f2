//! Models and data made in code, tiny, for tests: nothing is downloaded.

use std::path::PathBuf;

use adaptation::{Decoder, DecoderConfig, LanguageModel, T5, T5Config, TextToText, TextTokenizer};
use dynamics::random::stream;
use texts::e2e::{Data, Row, Split};

use super::network::{Loaded, Network};

/// A random decoder of Llama's architecture.
const LLAMA: &str = "tiny-llama";
/// A random T5.
const T5_NAME: &str = "tiny-t5";
/// All of them.
pub const MODELS: [&str; 2] = [LLAMA, T5_NAME];

/// What tables and figures call the data.
pub const DATA: &str = "made-up";

const NAMES: [&str; 6] = ["Quay", "Elm", "Nook", "Ivy", "Oak", "Inn"];
const FOODS: [&str; 3] = ["Thai", "Greek", "Fish"];

/// Bytes, and what ends a text.
const VOCABULARY: usize = 257;

/// A model with what it reads and what ends its texts; `None` if no model has the name.
pub(super) fn model(name: &str) -> Option<Loaded> {
    let rng = &mut stream(0, &["tiny", name]);
    let network = match name {
        LLAMA => Network::Decoder(LanguageModel::new(Decoder::random(DecoderConfig::tiny(VOCABULARY), 0.4, rng))),
        T5_NAME => Network::TextToText(TextToText::new(T5::random(T5Config::tiny(VOCABULARY), 0.4, rng))),
        _ => return None,
    };
    let (hash, tokenizer, ends) = (format!("{name} 1"), TextTokenizer::of_bytes(), vec![VOCABULARY as u32 - 1]);
    Some(Loaded { hash, network, tokenizer, ends })
}

/// Rows of the form of E2E's. Every meaning representation of dev has two texts.
pub fn data() -> Data {
    let split = |names: &[&str], texts: usize| {
        let pairs = names.iter().flat_map(|name| FOODS.iter().map(move |food| (name, food)));
        let row = |name: &str, food: &str, text: usize| Row {
            meaning: format!("name[{name}], food[{food}]").parse().expect("a meaning representation"),
            reference: [format!("{name} has {food} food."), format!("{food} food at {name}.")][text].clone(),
        };
        let rows = pairs.flat_map(|(name, food)| (0..texts).map(move |text| row(name, food, text))).collect();
        Split { file: PathBuf::from("made up"), rows }
    };
    Data { train: split(&NAMES[..4], 1), dev: split(&NAMES[4..], 2), test: None }
}
