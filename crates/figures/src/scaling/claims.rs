//! Statements of this repository's own: how the sampled construction's costs grow, and that it is the explicit one's equal.

use lab::statistics::power_law_exponent;
use lab::{Evidence, Finding, Side};

use super::costs::{Cost, Row, by_size, in_seconds, relative_errors, sampled_at};
use super::equivalence::{EquivalenceRow, equivalence_findings};
use super::{MOST_MEMORY_MIB, Settings};
use crate::matrix::ScaleMethod;
use crate::statements::{Outcome, every_trial};

const SAME_ITERATIONS: &str = "scaling/same-iterations";
const SAME_ERROR: &str = "scaling/same-recovery-error";
const ITERATION_TIME: &str = "scaling/iteration-time";
const SETUP_TIME: &str = "scaling/setup-time";
const MEMORY: &str = "scaling/memory";
const TRAINED: &str = "scaling/hundred-thousand-trained";
const MILLION: &str = "scaling/million-fits";

/// Sizes d that have a statement of their own.
const HUNDRED_THOUSAND: usize = 100_000;
const MILLION_WIDE: usize = 1_000_000;

pub(super) fn findings(
    settings: &Settings,
    rows: &[Row],
    costs: &[Cost],
    equivalence: &[EquivalenceRow],
) -> Vec<Finding> {
    let mut findings = equivalence_findings(&settings.equivalence, equivalence, [SAME_ITERATIONS, SAME_ERROR]);
    let most = settings.largest();
    findings.extend([
        growth(ITERATION_TIME, 1.35, most, costs, |cost| cost.seconds_per_iteration),
        growth(SETUP_TIME, 1.5, most, costs, |cost| cost.setup_seconds),
        growth(MEMORY, 1.1, most, costs, |cost| cost.peak_memory_mib),
        trained(settings.sampled_runs(HUNDRED_THOUSAND), rows, costs),
        million(settings.sampled_runs(MILLION_WIDE), costs),
    ]);
    findings
}

/// The exponent of the sampled construction's cost is below `limit`, the interval being that of the fit.
fn growth(id: &'static str, limit: f64, largest: usize, costs: &[Cost], value: fn(&Cost) -> f64) -> Finding {
    if largest < HUNDRED_THOUSAND {
        return Finding::untested(id, "no size of 100 000 or more");
    }
    let exponents = ScaleMethod::ALL.map(|method| (method, power_law_exponent(&by_size(costs, method, value))));
    let found: Vec<String> = exponents
        .iter()
        .filter_map(|(method, fitted)| {
            Some(format!("{} {}", method.name(), charts::power("d", format_args!("{:.2}", fitted.as_ref()?.mean))))
        })
        .collect();
    match exponents[0].1 {
        None => Finding::untested(id, "fewer than four sizes"),
        Some(estimate) => {
            Finding::new(id, found.join("; "), Evidence::Direction { estimate, side: Side::Below, value: limit })
        }
    }
}

/// A hundred thousand wide, trained to 1e-8 of the error at the start, in 20 minutes at most.
fn trained(planned: usize, rows: &[Row], costs: &[Cost]) -> Finding {
    let size = HUNDRED_THOUSAND;
    if planned == 0 {
        return Finding::untested(TRAINED, "d = 100 000 is not among the sizes");
    }
    let ends: Vec<(Option<f64>, f64)> = sampled_at(costs, size)
        .into_iter()
        .filter_map(|cost| {
            let curve = relative_errors(rows, ScaleMethod::Sampled, size, cost.trial);
            let reached = in_seconds(&curve, cost).into_iter().find(|point| point.1 < 1e-8);
            Some((reached.map(|point| point.0), curve.last()?.1))
        })
        .collect();
    let describe = |(reached, last): &(Option<f64>, f64)| match reached {
        Some(seconds) => format!("below 1e-8 after {seconds:.0} s; {last:.1e} at the end"),
        None => format!("{last:.1e} at the end"),
    };
    let holds = |(reached, _): &(Option<f64>, f64)| Outcome::of(reached.is_some_and(|seconds| seconds <= 1200.0));
    let measured = ends.iter().map(describe).collect::<Vec<_>>().join(", ");
    every_trial(TRAINED, measured, &with_failed(ends.iter().map(holds), planned))
}

/// What the runs with rows say, and that those without failed.
fn with_failed(outcomes: impl Iterator<Item = Outcome>, planned: usize) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = outcomes.collect();
    outcomes.resize(planned.max(outcomes.len()), Outcome::Failed);
    outcomes
}

/// A million wide, at least 50 iterations, at most 6 GiB.
fn million(planned: usize, costs: &[Cost]) -> Finding {
    if planned == 0 {
        return Finding::untested(MILLION, "d = 1 000 000 is not among the sizes");
    }
    let runs = sampled_at(costs, MILLION_WIDE);
    let describe = |run: &&Cost| {
        let (gibibytes, pace) = (run.peak_memory_mib / 1024.0, run.seconds_per_iteration);
        format!("{} iterations of {pace:.2} s, {gibibytes:.2} GiB", run.iterations)
    };
    let fits = |run: &&Cost| Outcome::of(run.iterations >= 50 && run.peak_memory_mib <= MOST_MEMORY_MIB);
    let measured = runs.iter().map(describe).collect::<Vec<_>>().join(", ");
    every_trial(MILLION, measured, &with_failed(runs.iter().map(fits), planned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(size: usize, seconds_per_iteration: f64, peak_memory_mib: f64) -> Cost {
        Cost {
            method: ScaleMethod::Sampled.name().to_owned(),
            size,
            trial: 0,
            iterations: 50,
            problem_seconds: 0.0,
            setup_seconds: 1.0,
            training_seconds: 1.0,
            seconds_per_iteration,
            peak_memory_mib,
        }
    }

    #[test]
    fn growth_is_judged_by_the_interval_of_its_exponent() {
        let costs: Vec<Cost> = (2..6).map(|k| cost(10usize.pow(k), 10f64.powi(k as i32), 1.0)).collect();
        let at =
            |limit: f64, costs: &[Cost]| growth(ITERATION_TIME, limit, 100_000, costs, |c| c.seconds_per_iteration);
        let Evidence::Direction { estimate, side: Side::Below, value: 1.1 } = at(1.1, &costs).evidence else {
            panic!("{:?}", at(1.1, &costs))
        };
        assert!(estimate.interval().is_some_and(|(low, high)| low > 0.99 && high < 1.01), "{estimate:?}");
        assert_eq!(at(1.1, &costs).measured, "compressed, sampled d¹·⁰⁰");
        assert!(matches!(at(1.1, &costs[1..]).evidence, Evidence::None { .. }));
    }

    #[test]
    fn a_million_fits_into_its_memory_or_not() {
        let of = |costs: &[Cost]| million(1, costs).evidence;
        assert_eq!(of(&[cost(1_000_000, 1.0, 6000.0)]), Evidence::EveryTrial { holding: 1, n: 1 });
        assert_eq!(of(&[cost(1_000_000, 1.0, 7000.0)]), Evidence::EveryTrial { holding: 0, n: 1 });
        let short = Cost { iterations: 49, ..cost(1_000_000, 1.0, 6000.0) };
        assert_eq!(of(&[short]), Evidence::EveryTrial { holding: 0, n: 1 });
        assert!(matches!(million(0, &[cost(1000, 1.0, 1.0)]).evidence, Evidence::None { .. }));
        let with_failed = million(2, &[cost(1_000_000, 1.0, 6000.0)]);
        assert_eq!(with_failed.evidence, Evidence::EveryTrial { holding: 1, n: 2 });
        assert_eq!(with_failed.note, "1 of 2 runs failed");
        let all_failed = million(1, &[]);
        assert_eq!(all_failed.evidence, Evidence::None { reason: "no run to judge by" });
        assert_eq!(all_failed.note, "1 of 1 runs failed");
    }
}
