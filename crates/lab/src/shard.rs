//! A share of a plan: `--shard 3/16`.

use std::fmt;
use std::str::FromStr;

/// One of `count` shares that together are all of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 1.
    number: usize,
    count: usize,
}

/// Most shares that may be asked for: as many as an experiment may have runs.
const MOST: usize = 100_000;

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(number, count)| Some((number.parse().ok()?, count.parse().ok()?)));
        match parsed {
            Some((number, count)) if (1..=count).contains(&number) && count <= MOST => Ok(Self { number, count }),
            _ => Err(format!("allowed: I/N, the I-th of N shares of the trials, with 1 ≤ I ≤ N ≤ {MOST}")),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}/{}", self.number, self.count)
    }
}

impl Shard {
    /// Which of the trials with these expected costs are its own: the most costly first, each to the share that has the
    /// least so far, so that equal ones go round. The same for all shares, whatever is finished already.
    pub(crate) fn own(self, costs: &[f64]) -> Vec<bool> {
        let cost = |index: usize| if costs[index].is_finite() { costs[index].max(0.0) } else { 0.0 };
        let mut order: Vec<usize> = (0..costs.len()).collect();
        order.sort_by(|&a, &b| cost(b).total_cmp(&cost(a)));
        let mut shares = vec![(0.0, 0_usize); self.count];
        let mut own = vec![false; costs.len()];
        for index in order {
            let least = (0..self.count).min_by(|&a, &b| {
                let ((cost_a, trials_a), (cost_b, trials_b)) = (shares[a], shares[b]);
                f64::total_cmp(&cost_a, &cost_b).then(trials_a.cmp(&trials_b))
            });
            let Some(least) = least else { break };
            shares[least] = (shares[least].0 + cost(index), shares[least].1 + 1);
            own[index] = least + 1 == self.number;
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(count: usize, costs: &[f64]) -> Vec<Vec<bool>> {
        (1..=count).map(|number| Shard { number, count }.own(costs)).collect()
    }

    #[test]
    fn every_trial_is_in_one_share() {
        for costs in [vec![], vec![1.0; 7], vec![5.0, 1.0, f64::NAN, 0.0, 2.0, f64::INFINITY, 1e300], vec![0.0; 9]] {
            for count in [1, 2, 3, 16] {
                let shares = shares(count, &costs);
                for index in 0..costs.len() {
                    assert_eq!(shares.iter().filter(|own| own[index]).count(), 1, "{costs:?} in {count}");
                }
            }
        }
    }

    #[test]
    fn shares_are_balanced_by_cost_and_equal_trials_go_round() {
        let sum = |own: &[bool], costs: &[f64]| own.iter().zip(costs).map(|(own, c)| f64::from(*own) * c).sum::<f64>();
        let costs: Vec<f64> = (1..=100).map(f64::from).collect();
        let sums: Vec<f64> = shares(8, &costs).iter().map(|own| sum(own, &costs)).collect();
        assert!(sums.iter().all(|sum| (sum - 5050.0 / 8.0).abs() < 10.0), "{sums:?}");
        for costs in [[1.0; 6], [0.0; 6]] {
            assert_eq!(shares(3, &costs)[1], [false, true, false, false, true, false]);
        }
    }

    #[test]
    fn what_is_no_share_is_refused() {
        assert_eq!("3/16".parse(), Ok(Shard { number: 3, count: 16 }));
        for text in ["", "3", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1/100001", "1/99999999999999999999999"] {
            assert!(text.parse::<Shard>().unwrap_err().starts_with("allowed: I/N"), "{text}");
        }
    }
}
