//! One trial of the singular value evolution: every factor's singular values and vectors at every iteration.

use anyhow::Context;
use dynamics::random::{Generator, stream};
use dynamics::subspace::{SingularEvolution, step_rho};
use dynamics::{DeepFactorization, DynamicsError, Initialization, Observer, Record, Schedule, train};
use faer::{Mat, Par};
use lab::{Memory, Trial, TrialContext, TrialError};
use serde::{Deserialize, Serialize};

use super::recipe::Recipe;
use super::trial::as_trial_error;
use super::{DrawSettings, LossSettings, Network, OptimizerSettings, ProblemSettings};

mod movement;
mod rows;

pub use movement::{Movement, Side};
pub use rows::{EvolutionRow, by_index, evolution_rows};

/// Everything that determines one run. Runs that differ in the optimizer only share target and initial factors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvolutionTrial {
    pub experiment: &'static str,
    pub seed: u64,
    pub trial: usize,
    pub problem: ProblemSettings,
    /// Number of factors L, all square.
    pub depth: usize,
    pub init_scale: f64,
    /// Number of iterations, each of which is recorded.
    pub iterations: u64,
    pub optimizer: OptimizerSettings,
}

/// What one run yields.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvolutionOutcome {
    /// One for each factor, W_1 first.
    layers: Vec<LayerEvolution>,
}

/// The evolution of one factor: `[t][i]` of iteration t and the i-th largest singular value.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct LayerEvolution {
    values: Vec<Vec<f64>>,
    right_angles: Vec<Vec<f64>>,
    left_angles: Vec<Vec<f64>>,
}

impl Trial for EvolutionTrial {
    type Inputs = ();
    type Outcome = EvolutionOutcome;

    fn memory(&self, (): &()) -> Memory {
        self.estimate()
    }

    fn run(&self, (): &(), context: &TrialContext) -> Result<EvolutionOutcome, TrialError> {
        let rank = *self.problem.rank;
        let rng = |purpose: &str| stream(self.seed, &[self.experiment, &format!("trial {}", self.trial), purpose]);
        let objective = self.problem.objective(self.experiment, rng).context("making the problem")?;
        let mut model = self.network(&mut rng("initial factors")).context("drawing the factors")?;

        let schedule = Schedule { max_iterations: self.iterations, tolerance: 0.0, record_every: 1 };
        let mut optimizer = self.optimizer.optimizer().context("the optimizer")?;
        let mut factors = Factors { trial: self, context, iterates: vec![Vec::new(); self.depth] };
        train(&mut model, &objective, &mut optimizer, schedule, &mut factors, Par::Seq).map_err(as_trial_error)?;
        let layer = |iterates: &Vec<Mat<f64>>| {
            let evolution = SingularEvolution::new(iterates, rank).context("singular value decomposition")?;
            let SingularEvolution { values, right_angles, left_angles } = evolution;
            Ok(LayerEvolution { values, right_angles, left_angles })
        };
        Ok(EvolutionOutcome { layers: factors.iterates.iter().map(layer).collect::<anyhow::Result<_>>()? })
    }
}

impl EvolutionTrial {
    /// The network at its start; the generator is for what is not the authors' draw.
    fn network(&self, rng: &mut Generator) -> Result<DeepFactorization, DynamicsError> {
        let (width, depth, init_scale) = (*self.problem.size, self.depth, self.init_scale);
        match self.problem.draw {
            DrawSettings::Authors => {
                let network = Network::Deep { depth, width, init_scale };
                Recipe::of(self.experiment).factors(&network, self.trial)
            }
            DrawSettings::Seeded => {
                let orthogonal = Initialization::Orthogonal;
                DeepFactorization::draw((width, width), depth, width, orthogonal, init_scale, rng)
            }
        }
    }

    /// ρ_1 after all iterations by the recursion of Theorem 2.1: the common value of the middle singular values of W_1
    /// under gradient descent and full observation.
    pub fn rho(&self) -> f64 {
        let OptimizerSettings { step_size, weight_decay, .. } = self.optimizer;
        // The recursion is for the sum form: the mean form is that with a smaller step and a larger weight decay.
        let weight = match self.problem.loss {
            LossSettings::Mean => 1.0 / (*self.problem.size as f64).powi(2),
            LossSettings::Sum => 1.0,
        };
        let mut rho = vec![self.init_scale; self.depth];
        (0..self.iterations).for_each(|_| step_rho(&mut rho, *step_size * weight, *weight_decay / weight));
        rho[0]
    }
}

/// Keeps every factor at every iteration.
struct Factors<'a> {
    trial: &'a EvolutionTrial,
    context: &'a TrialContext,
    iterates: Vec<Vec<Mat<f64>>>,
}

impl Observer<DeepFactorization> for Factors<'_> {
    fn record(&mut self, record: &Record<'_, DeepFactorization>) {
        self.context.progress(record.iteration, self.trial.iterations, record.loss);
        for (l, iterates) in self.iterates.iter_mut().enumerate() {
            iterates.push(record.model.factor(l + 1));
        }
    }
}

#[cfg(test)]
mod tests;
