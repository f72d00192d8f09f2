//! Whether Deep LoRA is about as fast and as small as LoRA.

use lab::statistics::{Estimate, paired_by_key};
use lab::{Evidence, Finding};

use super::{Cost, Settings};
use crate::adaptation::*;

const COMPARABLE: [&str; 2] = ["costs/comparable", "costs/comparable-here"];

/// A ratio to LoRA from 1/1.25 to 1.25 counts as comparable.
const MARGIN: f64 = 1.25;

pub(super) fn findings(settings: &Settings, costs: &[Cost]) -> Vec<Finding> {
    by_encoder(&settings.encoder, COMPARABLE, |id| {
        let mut places = distinct(costs, |cost| (cost.task.clone(), cost.method.clone()));
        places.retain(|(_, method)| ![LORA, LORA_PEFT].contains(&method.as_str()));
        let one_task = places.iter().all(|place| place.0 == places[0].0);
        places
            .iter()
            .flat_map(|(task, method)| {
                let here: Vec<&Cost> = costs.iter().filter(|cost| cost.task == *task).collect();
                let of = if one_task { String::new() } else { format!("{task}, ") };
                [
                    ("seconds a step", (|cost| cost.seconds_per_step) as fn(&Cost) -> f64),
                    ("peak memory", |cost| cost.peak_memory_mib),
                ]
                .map(|(what, value)| ratio(id, &here, method, value).case(format!("{of}{method}, {what}")))
            })
            .collect()
    })
}

/// The ratio of a method's cost to LoRA's on the same task, paired by run, in logarithms.
fn ratio(id: &'static str, costs: &[&Cost], method: &str, value: fn(&Cost) -> f64) -> Finding {
    let of = |method: &str| -> Vec<((usize, usize), f64)> {
        let costs = costs.iter().filter(|cost| cost.method == method);
        costs.map(|cost| ((cost.head_draw, cost.trial), value(cost).ln())).collect()
    };
    match Estimate::crossed(&paired_by_key(&of(method), &of(LORA))) {
        None => Finding::untested(id, "LoRA was not run"),
        Some(estimate) => Finding::new(
            id,
            format!("{:.2} times LoRA's", estimate.mean.exp()),
            Evidence::Equivalence { estimate, low: -MARGIN.ln(), high: MARGIN.ln() },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_twice_as_slow_is_not_comparable() {
        let cost = |method: &str, trial, seconds_per_step| Cost {
            encoder: "e".into(),
            task: "t".into(),
            method: method.into(),
            rank: 8,
            head_draw: 0,
            trial,
            setup_seconds: 1.0,
            seconds_per_step,
            peak_memory_mib: 1.0,
        };
        let costs = [cost(LORA, 0, 1.0), cost(LORA, 1, 1.1), cost("m", 0, 2.0), cost("m", 1, 2.2)];
        let found = ratio("id", &costs.iter().collect::<Vec<_>>(), "m", |cost| cost.seconds_per_step);
        assert_eq!(found.measured, "2.00 times LoRA's");
        assert!(
            matches!(found.evidence, Evidence::Equivalence { estimate, .. } if (estimate.mean - 2f64.ln()).abs() < 1e-12)
        );
    }
}
