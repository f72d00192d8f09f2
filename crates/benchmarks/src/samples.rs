//! Times taken in turns: every contender gives one sample, round after round, so that whatever slows the machine down
//! for a while slows all of them.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

/// Something whose iterations can be timed.
pub trait Contender {
    /// Runs so many iterations and returns the seconds they took.
    ///
    /// # Errors
    /// If it cannot.
    fn run(&mut self, iterations: usize) -> Result<f64>;
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Samples of each contender, a round of all of them at a time.
    pub rounds: usize,
    /// About how long a sample takes, but at least one iteration.
    pub sample_seconds: f64,
}

/// Median and quartiles, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quartiles {
    /// A quarter of the samples were faster.
    pub q1: f64,
    /// Half of them were.
    pub median: f64,
    /// Three quarters were.
    pub q3: f64,
}

/// What this project is called among the contenders.
pub const OURS: &str = "this project";

/// What the samples of one contender on one case gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The contender: [`OURS`], or a peer.
    pub peer: String,
    /// Its version.
    pub version: String,
    /// Seconds of an iteration.
    pub seconds: Quartiles,
    /// The largest relative difference of its loss or a gradient from ours; absent for ourselves.
    pub gradient_difference: Option<f64>,
}

impl Measured {
    /// What was measured of this project.
    pub fn ours(seconds: Quartiles) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { peer: OURS.to_owned(), version, seconds, gradient_difference: None }
    }
}

/// Between samples: threads of the one before that still wait for work go to sleep meanwhile.
const PAUSE: Duration = Duration::from_millis(60);
/// Of a sample's iterations, how many run before the clock does, to wake threads and fill caches.
const WARM_UP_SHARE: usize = 10;

/// Seconds per iteration of each contender, over its samples.
///
/// # Errors
/// As soon as a contender fails.
pub fn take(contenders: &mut [&mut dyn Contender], plan: Plan) -> Result<Vec<Quartiles>> {
    let mut iterations = Vec::new();
    for contender in contenders.iter_mut() {
        iterations.push(calibrate(&mut **contender, plan.sample_seconds)?);
    }
    let mut seconds = vec![Vec::new(); contenders.len()];
    for _ in 0..plan.rounds {
        for ((contender, &iterations), seconds) in contenders.iter_mut().zip(&iterations).zip(&mut seconds) {
            sleep(PAUSE);
            contender.run(iterations.div_ceil(WARM_UP_SHARE))?;
            seconds.push(contender.run(iterations)? / iterations as f64);
        }
    }
    Ok(seconds.into_iter().map(Quartiles::of).collect())
}

/// How many iterations fill a sample. The first ones are not counted: they may compile.
fn calibrate(contender: &mut dyn Contender, sample_seconds: f64) -> Result<usize> {
    contender.run(1)?;
    let mut iterations = 1;
    loop {
        let seconds = contender.run(iterations)?;
        if seconds > sample_seconds / 8.0 {
            return Ok(((iterations as f64 * sample_seconds / seconds).round() as usize).max(1));
        }
        iterations *= 4;
    }
}

impl Quartiles {
    /// Of at least one value.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * (values.len() - 1) as f64;
            let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Self { q1: at(0.25), median: at(0.5), q3: at(0.75) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a given time for an iteration, and writes down who ran.
    struct Clockwork<'a> {
        seconds: f64,
        name: char,
        log: &'a std::cell::RefCell<String>,
    }

    impl Contender for Clockwork<'_> {
        fn run(&mut self, iterations: usize) -> Result<f64> {
            self.log.borrow_mut().push(self.name);
            Ok(self.seconds * iterations as f64)
        }
    }

    #[test]
    fn contenders_take_turns() {
        let log = std::cell::RefCell::new(String::new());
        let mut a = Clockwork { seconds: 1e-3, name: 'a', log: &log };
        let mut b = Clockwork { seconds: 3e-3, name: 'b', log: &log };
        let spreads = take(&mut [&mut a, &mut b], Plan { rounds: 3, sample_seconds: 0.01 }).unwrap();
        assert!(log.borrow().ends_with("aabbaabbaabb"), "{}", log.borrow());
        assert!((spreads[0].median - 1e-3).abs() < 1e-15 && (spreads[1].median - 3e-3).abs() < 1e-15);
    }

    #[test]
    fn a_sample_is_filled() {
        let log = std::cell::RefCell::new(String::new());
        let mut contender = Clockwork { seconds: 1e-6, name: 'a', log: &log };
        assert_eq!(calibrate(&mut contender, 0.2).unwrap(), 200_000);
        contender.seconds = 0.7;
        assert_eq!(calibrate(&mut contender, 0.2).unwrap(), 1);
    }

    #[test]
    fn quartiles_lie_between_neighbours() {
        let spread = Quartiles::of(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!((spread.q1, spread.median, spread.q3), (1.75, 2.5, 3.25));
    }
}
