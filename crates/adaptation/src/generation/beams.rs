//! The beam search of one prompt, step by step as in transformers' `_beam_search` (version 5); with one beam, greedy search.

use faer::MatRef;

use super::Generation;
use crate::Real;
use crate::kernels::columns::column;
use crate::kernels::reduce::{any_above, log_sum};

/// Some tokens behind the prompt, with their log-probability or, of a finished text, their score.
#[derive(Clone, Debug)]
struct Text {
    ids: Vec<u32>,
    score: f64,
}

/// A beam with another token behind it.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    beam: usize,
    token: u32,
    /// Log-probability of all tokens.
    score: f64,
}

/// The beams of one prompt.
#[derive(Debug)]
pub(super) struct Beams {
    /// Those that go on, the most probable first; none once the search is over.
    running: Vec<Text>,
    /// The best that came to their end, the best first; at most as many as there are beams.
    finished: Vec<Text>,
}

impl Beams {
    /// A prompt behind which nothing is written.
    pub(super) fn new() -> Self {
        let nothing = Text { ids: Vec::new(), score: 0.0 };
        Self { running: vec![nothing], finished: Vec::new() }
    }

    /// Number of beams that go on.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// The last token of each of them.
    pub(super) fn newest(&self) -> impl Iterator<Item = u32> {
        self.running.iter().filter_map(|text| text.ids.last().copied())
    }

    /// The best text.
    pub(super) fn best(self) -> Vec<u32> {
        self.finished.into_iter().next().map(|text| text.ids).unwrap_or_default()
    }

    /// Goes on by a token, given the logits of each running beam's next one (vocabulary × beams). Returns from which beam each of
    /// the new ones comes.
    pub(super) fn step<T: Real>(&mut self, logits: MatRef<'_, T>, how: &Generation) -> Vec<usize> {
        // Of a beam's continuations at most `ends` end it, so that enough are left that do not. As many as transformers takes.
        let wanted = how.beams * (1 + how.ends.len()).max(2);
        let candidates = self.candidates(logits, wanted);
        let length = self.running[0].ids.len() + 1;
        let ends = |candidate: &Candidate| length == how.most_tokens || how.ends.contains(&candidate.token);
        if how.beams == 1 {
            return self.greedy(candidates[0], ends(&candidates[0]));
        }
        let scale = (length as f64).powf(how.length_penalty);
        for candidate in candidates.iter().take(how.beams).filter(|candidate| ends(candidate)) {
            let text = self.text(candidate);
            self.finished.push(Text { score: text.score / scale, ..text });
        }
        self.finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.finished.truncate(how.beams);
        let next: Vec<Candidate> = candidates.into_iter().filter(|next| !ends(next)).take(how.beams).collect();
        self.running = next.iter().map(|candidate| self.text(candidate)).collect();
        // transformers takes it that no beam gets a better score than its present one, once as many are finished.
        let worst = self.finished.last().filter(|_| self.finished.len() == how.beams);
        let best = self.running.first().map(|text| text.score / scale);
        if worst.is_some_and(|worst| best.is_none_or(|best| best <= worst.score)) {
            self.running.clear();
        }
        next.iter().take(self.running.len()).map(|candidate| candidate.beam).collect()
    }

    fn greedy(&mut self, candidate: Candidate, ends: bool) -> Vec<usize> {
        let text = self.text(&candidate);
        self.running.clear();
        if ends {
            self.finished.push(text);
            return Vec::new();
        }
        self.running.push(text);
        vec![0]
    }

    /// The most probable continuations of all beams, the most probable first; of equals the earlier.
    fn candidates<T: Real>(&self, logits: MatRef<'_, T>, wanted: usize) -> Vec<Candidate> {
        let mut all = Vec::new();
        for (beam, text) in self.running.iter().enumerate() {
            let logits = column(logits, beam);
            let mut total = 0.0;
            log_sum(logits, &mut total);
            let shift = text.score - total;
            all.extend(largest(logits, wanted).into_iter().map(|(token, logit)| Candidate {
                beam,
                token,
                score: logit + shift,
            }));
        }
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        all.truncate(wanted);
        all
    }

    fn text(&self, candidate: &Candidate) -> Text {
        let mut ids = self.running[candidate.beam].ids.clone();
        ids.push(candidate.token);
        Text { ids, score: candidate.score }
    }
}

/// Logits that are passed over together if none of them is among the largest.
const CHUNK: usize = 512;

/// The largest logits with their tokens, the largest first; of equals the earlier.
fn largest<T: Real>(logits: &[T], wanted: usize) -> Vec<(u32, f64)> {
    let mut found: Vec<(u32, T)> = Vec::with_capacity(wanted + 1);
    for (place, some) in logits.chunks(CHUNK).enumerate() {
        let mut any = true;
        if let Some((_, least)) = found.last().filter(|_| found.len() == wanted) {
            any_above(some, *least, &mut any);
        }
        if any {
            let first = (place * CHUNK) as u32;
            (first..).zip(some).for_each(|(token, logit)| insert(&mut found, wanted, token, *logit));
        }
    }
    found.into_iter().map(|(token, logit)| (token, logit.as_f64())).collect()
}

/// Inserts a logit where it is among the largest.
fn insert<T: Real>(found: &mut Vec<(u32, T)>, wanted: usize, token: u32, logit: T) {
    if found.len() == wanted && found.last().is_some_and(|(_, least)| logit <= *least) {
        return;
    }
    let place = found.partition_point(|(_, other)| *other >= logit);
    found.insert(place, (token, logit));
    found.truncate(wanted);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_are_found_in_their_order() {
        let found = largest(&[0.5f32, 2.0, -1.0, 2.0, 3.0], 3);
        assert_eq!(found, [(4, 3.0), (1, 2.0), (3, 2.0)]);
    }

    /// Many logits, with equal ones, of which most are passed over: as sorting them all says.
    #[test]
    fn the_largest_of_many_are_found() {
        let numbers: Vec<f32> = (0..5000u64).map(|i| ((i * i * 7919) % 4001) as f32).collect();
        let mut sorted: Vec<_> = (0u32..).zip(numbers.iter().map(|&x| f64::from(x))).collect();
        sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
        assert_eq!(largest(&numbers, 9), sorted[..9]);
    }

    #[test]
    fn sums_of_exponentials() {
        let sum_of = |numbers: &[f32]| {
            let mut sum = 0.0;
            log_sum(numbers, &mut sum);
            sum
        };
        assert!((sum_of(&[1000.0, 1000.0]) - (1000.0 + 2f64.ln())).abs() < 1e-6);
        // One that is large, and many small ones that weigh as much.
        let mut numbers = vec![-11.0f32; 60_000];
        numbers[77] = 0.0;
        let exact = (1.0 + 59_999.0 * (-11f64).exp()).ln();
        assert!((sum_of(&numbers) - exact).abs() < 1e-7, "{} and {exact}", sum_of(&numbers));
    }
}
