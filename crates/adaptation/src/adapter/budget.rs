//! AdaLoRA's budget (Zhang et al. 2023, arXiv 2303.10512, sections 3.2 and 3.3; step for step as PEFT 0.21 has it): how many
//! triplets, a singular value and its two vectors, all adapted matrices keep together, and which ones.

use super::{Adalora, Parameter};
use crate::{Adapters, Real, Site};

/// What is left of a run's steps between the phases, which are fractions of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phases {
    /// Up to and including this step, counted from 0, nothing is masked.
    pub warmup: u64,
    /// At this step the triplets are chosen that stay to the end.
    pub last: u64,
}

impl Adalora {
    /// The phases of a run of so many steps; `None` if it has no step between them, at which the budget could fall.
    pub fn phases(&self, steps: u64) -> Option<Phases> {
        let part = |fraction: f64| (fraction * steps as f64).round() as u64;
        let warmup = part(self.warmup);
        let last = steps.checked_sub(part(self.final_phase).max(1))?;
        (warmup < last).then_some(Phases { warmup, last })
    }

    /// How many of all triplets are kept after a step (counted from 0) of a run, for so many adapted matrices; `None` if the
    /// step does not choose any.
    pub fn budget_at(&self, step: u64, steps: u64, matrices: usize) -> Option<usize> {
        let Phases { warmup, last } = self.phases(steps)?;
        let (initial, target) = (self.initial_rank * matrices, self.target_rank * matrices);
        if step == last {
            return Some(target);
        }
        if step <= warmup || step > last || !step.is_multiple_of(self.interval) {
            return None;
        }
        let left = 1.0 - (step - warmup) as f64 / (last - warmup) as f64;
        // libm: the same bits on every machine, and rounded down a last bit is a triplet.
        Some(((initial - target) as f64 * libm::pow(left, 3.0) + target as f64) as usize)
    }
}

/// The importance of all triplets of a network's AdaLoRA adapters, and which of them are kept.
///
/// An entry w with gradient g has the sensitivity `I = |w g|`, w as it is after the optimizer's step. `I̅ ← β₁ I̅ + (1 − β₁) I` smooths
/// it, `U̅ ← β₂ U̅ + (1 − β₂) |I − I̅|` is its uncertainty, and its score `I̅ U̅`. A triplet's score is that of its λ plus the mean
/// over its row of Q and the mean over its column of P. Triplets that are not kept have their λ set to 0; before the final
/// phase the optimizer moves it on from there, so that a triplet can come back.
#[derive(Clone, Debug)]
pub struct Budget<T: Real> {
    settings: Adalora,
    matrices: Vec<Importance<T>>,
}

/// Of the triplets of one matrix.
#[derive(Clone, Debug)]
struct Importance<T> {
    site: Site,
    /// `I̅` and `U̅` of Q, λ and P, entry by entry in column-major order.
    moments: [[Vec<T>; 2]; 3],
    /// 1 for a triplet that is kept, 0 for another.
    kept: Vec<T>,
}

/// Names of the lists of a matrix in checkpoints, those of the parameters first.
const LISTS: [[&str; 2]; 3] = [
    ["Q.sensitivity", "Q.uncertainty"],
    ["lambda.sensitivity", "lambda.uncertainty"],
    ["P.sensitivity", "P.uncertainty"],
];

impl<T: Real> Budget<T> {
    /// Before the first step of adapters that are all AdaLoRA's: everything is kept.
    pub(crate) fn new(settings: Adalora, adapters: &Adapters<T>) -> Self {
        let of = |site| {
            let parameters = adapters.get(site).expect("one of the sites").parameters();
            let [q, lambda, p] = parameters else { panic!("Q, λ and P") };
            let zeros = |parameter: &Parameter<T>| {
                let entries = parameter.value.nrows() * parameter.value.ncols();
                [vec![T::of(0.0); entries], vec![T::of(0.0); entries]]
            };
            let kept = vec![T::of(1.0); lambda.value.nrows()];
            Importance { site, moments: [q, lambda, p].map(zeros), kept }
        };
        Self { settings, matrices: adapters.sites().map(of).collect() }
    }

    /// The method's settings.
    pub fn settings(&self) -> &Adalora {
        &self.settings
    }

    /// After the optimizer's step, counted from 0, of a run of `steps`: the parameters of every site with their gradients.
    pub(crate) fn after_step<'a>(
        &mut self,
        step: u64,
        steps: u64,
        parameters: impl Iterator<Item = &'a mut [Parameter<T>]>,
    ) {
        let Some(Phases { last, .. }) = self.settings.phases(steps) else { return };
        let mut parameters: Vec<_> = parameters.collect();
        assert_eq!(parameters.len(), self.matrices.len(), "the budget is that of these adapters");
        if step < last {
            for (importance, parameters) in self.matrices.iter_mut().zip(&parameters) {
                importance.update(parameters, &self.settings);
            }
        }
        let budget = self.settings.budget_at(step, steps, self.matrices.len());
        if let Some(budget) = budget {
            self.choose(budget);
        }
        if budget.is_some() || step > last {
            for (importance, parameters) in self.matrices.iter().zip(&mut parameters) {
                importance.mask(&mut parameters[1]);
            }
        }
    }

    /// Keeps the `budget` triplets of the highest scores, fewer if scores are equal there.
    fn choose(&mut self, budget: usize) {
        let scores: Vec<Vec<f64>> = self.matrices.iter().map(Importance::scores).collect();
        let mut sorted = scores.concat();
        sorted.sort_by(f64::total_cmp);
        let Some(cut) = sorted.len().checked_sub(budget + 1) else { return };
        for (importance, scores) in self.matrices.iter_mut().zip(scores) {
            for (kept, score) in importance.kept.iter_mut().zip(scores) {
                *kept = T::of(f64::from(u8::from(score > sorted[cut])));
            }
        }
    }

    /// What a checkpoint keeps, named.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (String, &[T])> {
        self.matrices.iter().flat_map(|matrix| {
            let names =
                LISTS.as_flattened().iter().chain(&["kept"]).map(|name| format!("{}.{name}", matrix.site.name()));
            names.zip(matrix.moments.as_flattened().iter().chain([&matrix.kept]).map(Vec::as_slice))
        })
    }

    /// The same lists, to be overwritten.
    pub(crate) fn lists_mut(&mut self) -> impl Iterator<Item = &mut [T]> {
        self.matrices.iter_mut().flat_map(|matrix| {
            matrix.moments.as_flattened_mut().iter_mut().chain([&mut matrix.kept]).map(Vec::as_mut_slice)
        })
    }
}

impl<T: Real> Importance<T> {
    /// Smooths the sensitivities of this step in.
    fn update(&mut self, parameters: &[Parameter<T>], settings: &Adalora) {
        let [beta1, rest1] = [settings.beta1, 1.0 - settings.beta1].map(T::of);
        let [beta2, rest2] = [settings.beta2, 1.0 - settings.beta2].map(T::of);
        let absolute = |x: T| if x < T::of(0.0) { -x } else { x };
        for (parameter, [sensitivity, uncertainty]) in parameters.iter().zip(&mut self.moments) {
            let rows = parameter.value.nrows();
            let columns = sensitivity.chunks_exact_mut(rows).zip(uncertainty.chunks_exact_mut(rows));
            for (j, (sensitivity, uncertainty)) in columns.enumerate() {
                let entries = parameter.value.col_as_slice(j).iter().zip(parameter.gradient.col_as_slice(j));
                for ((&w, &g), (smooth, spread)) in entries.zip(sensitivity.iter_mut().zip(uncertainty)) {
                    let now = absolute(w * g);
                    *smooth = beta1 * *smooth + rest1 * now;
                    *spread = beta2 * *spread + rest2 * absolute(now - *smooth);
                }
            }
        }
    }

    /// The score of every triplet.
    fn scores(&self) -> Vec<f64> {
        let rank = self.kept.len();
        let [q, lambda, p] = self.moments.each_ref().map(|[sensitivity, uncertainty]| {
            sensitivity.iter().zip(uncertainty).map(|(&s, &u)| (s * u).as_f64()).collect::<Vec<f64>>()
        });
        let (m, n) = (p.len() / rank, q.len() / rank);
        let of = |k: usize| {
            let row = q.iter().skip(k).step_by(rank).sum::<f64>() / n as f64;
            let column = p[k * m..(k + 1) * m].iter().sum::<f64>() / m as f64;
            lambda[k] + (row + column)
        };
        (0..rank).map(of).collect()
    }

    /// Sets what is not kept of λ to 0.
    fn mask(&self, lambda: &mut Parameter<T>) {
        for (k, &kept) in self.kept.iter().enumerate() {
            if kept == T::of(0.0) {
                lambda.value[(k, 0)] = T::of(0.0);
            }
        }
    }
}
