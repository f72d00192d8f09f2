//! Models and data made in code, tiny, for tests: nothing is downloaded.

use std::path::PathBuf;

use adaptation::{Decoder, DecoderConfig, TextTokenizer};
use dynamics::random::stream;
use texts::e2e::{Data, Row, Split};

/// A random decoder of Llama's architecture.
pub const LLAMA: &str = "tiny-llama";
/// All of them.
pub const MODELS: [&str; 1] = [LLAMA];

const NAMES: [&str; 6] = ["Quay", "Elm", "Nook", "Ivy", "Oak", "Inn"];
const FOODS: [&str; 3] = ["Thai", "Greek", "Fish"];

/// Bytes, and what ends a text.
const VOCABULARY: usize = 257;

/// A decoder with what it reads and what ends its texts.
pub fn decoder() -> (Decoder<f32>, TextTokenizer, Vec<u32>) {
    let decoder = Decoder::random(DecoderConfig::tiny(VOCABULARY), 0.4, &mut stream(0, &[LLAMA, "decoder"]));
    (decoder, TextTokenizer::of_bytes(), vec![VOCABULARY as u32 - 1])
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
