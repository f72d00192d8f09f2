//! Checks of settings that both halves have: numbers of runs, lists, depths, init scales.

use lab::Invalid;

/// Most runs of an experiment: each is a file of the store.
const MOST_RUNS: usize = 100_000;

/// Most factors: of more, εᴸ is 0 or ∞ in floating point for all but the ε next to 1.
const MOST_FACTORS: usize = 10_000;

/// Checks the number of runs that are planned, so many for each trial: `check_runs(trials, &[depths, widths])`.
pub fn check_runs(trials: usize, for_each: &[usize]) -> Result<(), Invalid> {
    let runs = for_each.iter().fold(1_usize, |runs, &factor| runs.saturating_mul(factor));
    let allowed = format!(
        "so many that there are at most {MOST_RUNS} runs, of each of which the store keeps a file ({runs} for a trial)"
    );
    Invalid::unless(trials.saturating_mul(runs) <= MOST_RUNS, "trials", trials, allowed)
}

/// Checks a depth: at least `least` factors.
pub fn check_depth_from(key: &str, depth: usize, least: usize) -> Result<(), Invalid> {
    let allowed = format!("a whole number from {least} to {MOST_FACTORS}");
    Invalid::unless((least..=MOST_FACTORS).contains(&depth), key, depth, allowed)
}

/// Checks an init scale ε of a depth L: positive, and εᴸ, the size of the product at the start, neither under- nor overflows.
pub fn check_init_scale(key: &str, scale: f64, depth: usize) -> Result<(), Invalid> {
    check_power(key, scale, depth, f64::MIN_POSITIVE, f64::MAX)
}

/// The same in single precision.
pub fn check_init_scale_single(key: &str, scale: f64, depth: usize) -> Result<(), Invalid> {
    check_power(key, scale, depth, f32::MIN_POSITIVE.into(), f32::MAX.into())
}

fn check_power(key: &str, scale: f64, depth: usize, least: f64, most: f64) -> Result<(), Invalid> {
    check_positive(key, scale)?;
    let power = scale.powf(depth as f64);
    let fate = if power < least { "underflows" } else { "overflows" };
    let allowed = format!(
        "a number ε greater than 0 whose power ε^L, with the depth L = {depth}, is from {least:.1e} to {most:.1e}; that of this \
         one {fate}"
    );
    Invalid::unless((least..=most).contains(&power), key, format!("{scale:e}"), allowed)
}

/// Checks a number that must be greater than 0.
pub fn check_positive(key: &str, value: f64) -> Result<(), Invalid> {
    Invalid::unless(value > 0.0 && value.is_finite(), key, value, "a number greater than 0")
}
