//! Writes the references of a CSV of the E2E data, one line of JSON for each: the text and its tokens.
//!
//!     cargo run --release -p texts --example tokens -- devset.csv > tokens.jsonl
//!
//! `tests/fixtures/compare_tokens.py` compares these tokens with nltk's.

use std::error::Error;
use std::io::Write;

use texts::{e2e::Split, words};

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).ok_or("name a CSV of the E2E data")?;
    let mut output = std::io::stdout().lock();
    for row in Split::read(file.as_ref())?.rows {
        let line = serde_json::json!({ "text": row.reference, "tokens": words::tokens(&row.reference) });
        writeln!(output, "{line}")?;
    }
    Ok(())
}
