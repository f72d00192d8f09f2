//! Values of options: what is allowed, and what is said of anything else.

use std::str::FromStr;

use entries::Format;

/// Most factors: of more, εᴸ is 0 or ∞ in floating point for all but the ε next to 1.
const MOST_FACTORS: usize = 10_000;
/// More threads than these need more cores than these.
const MOST_THREADS: usize = 256;

/// Three columns.
#[derive(Clone, Debug)]
pub struct Columns(pub [String; 3]);

pub fn columns(text: &str) -> Result<Columns, String> {
    let columns: Vec<String> = text.split(',').map(|column| column.trim().to_owned()).collect();
    columns.try_into().map(Columns).map_err(|_| "allowed: three columns, separated by commas".to_owned())
}

pub fn delimiter(text: &str) -> Result<char, String> {
    Format::delimiter_of(text).ok_or_else(|| format!("allowed: {}", Format::DELIMITERS))
}

/// A parsed value for which `fits` holds; what is allowed, if it is none.
fn parsed<T: FromStr>(text: &str, fits: impl Fn(&T) -> bool, allowed: &str) -> Result<T, String> {
    text.parse().ok().filter(fits).ok_or_else(|| format!("allowed: {allowed}"))
}

pub fn from_zero(text: &str) -> Result<usize, String> {
    parsed(text, |_| true, "a whole number from 0")
}

pub fn from_one(text: &str) -> Result<usize, String> {
    parsed(text, |number| *number > 0, "a whole number from 1")
}

pub fn steps(text: &str) -> Result<u64, String> {
    parsed(text, |number| *number > 0, "a whole number from 1")
}

pub fn seed(text: &str) -> Result<u64, String> {
    parsed(text, |_| true, &format!("a whole number from 0 to {}", u64::MAX))
}

pub fn depth(text: &str) -> Result<usize, String> {
    parsed(text, |depth| (2..=MOST_FACTORS).contains(depth), &format!("a whole number from 2 to {MOST_FACTORS}"))
}

pub fn threads(text: &str) -> Result<usize, String> {
    let most = MOST_THREADS.max(4 * cores());
    parsed(text, |threads| (1..=most).contains(threads), &format!("a whole number from 1 to {most}"))
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub fn fraction(text: &str) -> Result<f64, String> {
    parsed(text, |fraction| *fraction > 0.0 && *fraction < 1.0, "a number between 0 and 1")
}

pub fn positive(text: &str) -> Result<f64, String> {
    parsed(text, |number: &f64| *number > 0.0 && number.is_finite(), "a number above 0")
}
