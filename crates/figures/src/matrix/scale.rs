//! Completion at any size, in units that do not depend on it: the trials of `scaling`, and what they cost.

use std::time::Instant;

use anyhow::Context;
use dynamics::dense::matmul;
use dynamics::random::{Generator, stream};
use dynamics::units::Hyperparameters;
use dynamics::{
    CompressedFactorization, DeepFactorization, DynamicsError, Estimate, Factorization, HeldOut, Initialization,
    LossForm, Objective, Observed, Observer, Optimizer, Record, Schedule, Target, compression, train,
};
use faer::{Accum, Mat, Par};
use lab::{Invalid, TrialContext, TrialError};
use serde::{Deserialize, Serialize};

use super::trial::as_trial_error;
use super::{Start, check_depth, check_init_scale, check_not_negative, check_positive};
use crate::memory::Watch;

/// Largest size at which a dense target is decomposed.
const LARGEST_DENSE: usize = 5000;

/// `[problem]`: a square low-rank target of any size, and how much is observed of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WideProblem {
    /// How the target is made.
    pub target: TargetSettings,
    /// Rank of the target, r.
    pub rank: usize,
    /// Observed entries per row, on average; their number is d times that.
    pub observed_per_row: usize,
}

/// How a target is made: `target = "gaussian"` or `"factors"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetSettings {
    /// A Gaussian matrix cut to its largest singular triplets, which takes a dense decomposition.
    Gaussian,
    /// Haar-distributed singular vectors, all singular values `2√d`: what the former tends to as d grows.
    Factors,
}

impl WideProblem {
    /// Checks the section named `key` for targets of the given size.
    pub fn check(&self, key: &str, size: usize) -> Result<(), Invalid> {
        let Self { target, rank, observed_per_row } = *self;
        let ranks = format!("an integer from 1 to the smallest size ({size})");
        Invalid::unless((1..=size).contains(&rank), format!("{key}.rank"), rank, ranks)?;
        let fits = (1..=size / 2).contains(&observed_per_row);
        let allowed = format!("an integer from 1 to half the smallest size ({})", size / 2);
        Invalid::unless(fits, format!("{key}.observed_per_row"), observed_per_row, allowed)?;
        let dense = target == TargetSettings::Gaussian && size > LARGEST_DENSE;
        let allowed = format!("\"factors\" for sizes above {LARGEST_DENSE}");
        Invalid::unless(!dense, format!("{key}.target"), "\"gaussian\"", allowed)
    }
}

/// `[network]`: a network and its training in units in which the target's largest singular value σ is 1 and every entry is
/// observed. In these units the dynamics do not depend on the size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelativeNetwork {
    /// Number of factors L.
    pub depth: usize,
    /// Rank guess r̂.
    pub rank_guess: usize,
    /// Init scale in units of the factors of a balanced solution: `ε / σ^(1/L)`.
    pub init_scale: f64,
    /// Step size in units of the inverse curvature there: `η p σ^(2 − 2/L) / d²`, η being that of the mean form.
    pub step_size: f64,
    /// Discrepant step such that at 1 the bases move as fast as one small factor there: `γ σ^(2/L)`.
    pub discrepant_step: f64,
}

impl RelativeNetwork {
    /// Checks the section named `key` for the smallest size.
    pub fn check(&self, key: &str, size: usize) -> Result<(), Invalid> {
        check_depth(&format!("{key}.depth"), self.depth)?;
        super::check_rank_guess(&format!("{key}.rank_guess"), self.rank_guess, size)?;
        check_init_scale(&format!("{key}.init_scale"), self.init_scale, self.depth)?;
        check_positive(&format!("{key}.step_size"), self.step_size)?;
        check_not_negative(&format!("{key}.discrepant_step"), self.discrepant_step)
    }

    /// ε, η and γ for the objective's size, observed fraction and largest singular value.
    fn absolute(&self, objective: &Objective) -> (f64, f64, f64) {
        let Self { init_scale, step_size, discrepant_step, .. } = *self;
        let relative = Hyperparameters { init_scale, step_size, discrepant_step };
        let absolute = relative.absolute(objective, self.depth, objective.target().values()[0]);
        (absolute.init_scale, absolute.step_size, absolute.discrepant_step)
    }
}

/// What is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScaleMethod {
    /// The compressed twin of an original that is never built.
    Sampled,
    /// The compressed twin, from the factors of the original.
    Explicit,
    /// The original, as wide as the target.
    Original,
}

impl ScaleMethod {
    /// All, in the order of tables and legends.
    pub const ALL: [Self; 3] = [Self::Sampled, Self::Explicit, Self::Original];

    /// Its name in tables and legends.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sampled => "compressed, sampled",
            Self::Explicit => "compressed, explicit",
            Self::Original => "original",
        }
    }
}

/// Everything that determines one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScaleTrial {
    /// Where its random numbers come from.
    pub start: Start,
    /// Rows and columns of the target, d.
    pub size: usize,
    /// The target and what is observed of it.
    pub problem: WideProblem,
    /// What is trained.
    pub method: ScaleMethod,
    /// The network and its training.
    pub network: RelativeNetwork,
    /// At most this many iterations.
    pub max_iterations: u64,
    /// Training loss, in units of its start, at which it stops.
    pub tolerance: f64,
    /// Iterations between two records.
    pub record_every: u64,
    /// Unobserved entries the recovery error is estimated on.
    pub held_out_entries: usize,
}

/// What one run yields.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScaleOutcome {
    /// Number of observed entries.
    pub observed_entries: usize,
    /// Recorded iterations.
    pub iterations: Vec<u64>,
    /// Training loss at each.
    pub losses: Vec<f64>,
    /// Held-out error at each: the recovery error as estimated on the sample, and its standard error.
    pub held_out: Vec<(f64, f64)>,
    /// Seconds spent on target, observed entries and the sample of unobserved ones.
    pub problem_seconds: f64,
    /// Seconds spent on making the initial factors.
    pub setup_seconds: f64,
    /// Seconds spent in iterations.
    pub training_seconds: f64,
    /// The most memory in use at once, bytes.
    pub peak_bytes: u64,
}

/// Runs one trial. Its peak memory is right if no other runs at the same time.
pub fn run_scale(trial: &ScaleTrial, context: &TrialContext) -> Result<ScaleOutcome, TrialError> {
    let par = if context.threads > 1 { Par::rayon(context.threads) } else { Par::Seq };
    prepare_products();
    let (watch, clock) = (Watch::start(), Instant::now());
    let objective = trial.objective().context("making the problem")?;
    let held_out = HeldOut::draw(&objective, trial.held_out_entries, &mut trial.instance_stream("held-out entries"))
        .context("drawing held-out entries")?;
    let problem_seconds = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    let (scale, step, gamma) = trial.network.absolute(&objective);
    let run = Run { trial, objective: &objective, held_out: &held_out, step, context, par, clock };
    let outcome = match trial.method {
        ScaleMethod::Original => run.train(trial.original(scale).context("drawing the factors")?),
        ScaleMethod::Explicit => run.train(trial.explicit(scale, gamma, &objective, par).context("compressing")?),
        ScaleMethod::Sampled => run.train(trial.sampled(scale, gamma, &objective, par).context("compressing")?),
    }?;
    Ok(ScaleOutcome { problem_seconds, peak_bytes: watch.peak() as u64, ..outcome })
}

/// The first product of a thread makes a buffer that is kept for all later ones, as large as the last cache; no trial is to be
/// charged with them.
fn prepare_products() {
    rayon::broadcast(|_| {
        let (factor, mut square) = (Mat::<f64>::identity(256, 256), Mat::zeros(256, 256));
        matmul(square.as_mut(), Accum::Replace, factor.as_ref(), factor.as_ref(), 1.0, Par::Seq);
    });
}

impl ScaleTrial {
    /// The target, the observed entries and the loss of this trial.
    fn objective(&self) -> Result<Objective, DynamicsError> {
        let WideProblem { target, rank, observed_per_row } = self.problem;
        let (d, rng) = (self.size, &mut self.instance_stream("target"));
        let target = match target {
            TargetSettings::Gaussian => Target::gaussian(d, d, rank, rng)?,
            TargetSettings::Factors => Target::gaussian_factors(d, d, rank, rng)?,
        };
        let mut rng = self.instance_stream("observed entries");
        let observed = Observed::uniform_sparse(d, d, d * observed_per_row, &mut rng)?;
        Objective::new(target, observed, LossForm::Mean)
    }

    fn original(&self, scale: f64) -> Result<DeepFactorization, DynamicsError> {
        let (d, mut rng) = (self.size, self.instance_stream("initial factors"));
        DeepFactorization::draw((d, d), self.network.depth, d, Initialization::Orthogonal, scale, &mut rng)
    }

    fn explicit(
        &self,
        scale: f64,
        gamma: f64,
        objective: &Objective,
        par: Par,
    ) -> Result<CompressedFactorization, DynamicsError> {
        compression::compress(&mut self.original(scale)?, objective, self.network.rank_guess, gamma, par)
    }

    fn sampled(
        &self,
        scale: f64,
        gamma: f64,
        objective: &Objective,
        par: Par,
    ) -> Result<CompressedFactorization, DynamicsError> {
        let RelativeNetwork { depth, rank_guess, .. } = self.network;
        let mut rng = self.instance_stream("sampled construction");
        compression::sampled(objective, rank_guess, depth, scale, gamma, &mut rng, par)
    }

    fn instance_stream(&self, purpose: &str) -> Generator {
        let Start { experiment, seed, instance, .. } = &self.start;
        stream(*seed, &[experiment, &format!("size {}, instance {instance}", self.size), purpose])
    }
}

/// A run whose problem is made.
struct Run<'a> {
    trial: &'a ScaleTrial,
    objective: &'a Objective,
    held_out: &'a HeldOut,
    step: f64,
    context: &'a TrialContext,
    par: Par,
    /// Started before the initial factors were made.
    clock: Instant,
}

impl Run<'_> {
    fn train<F: Factorization>(&self, mut model: F) -> Result<ScaleOutcome, TrialError> {
        let setup_seconds = self.clock.elapsed().as_secs_f64();
        let mut optimizer = Optimizer::gradient_descent(self.step).context("gradient descent")?;
        // The product is negligible at the start, so the loss is that of the target.
        let values = self.objective.values();
        let start = 0.5 * self.objective.weight() * values.iter().map(|value| value * value).sum::<f64>();
        let schedule = Schedule {
            max_iterations: self.trial.max_iterations,
            tolerance: self.trial.tolerance * start,
            record_every: self.trial.record_every,
        };
        let mut recorder = Recorder { run: self, iterations: Vec::new(), losses: Vec::new(), held_out: Vec::new() };
        let end = train(&mut model, self.objective, &mut optimizer, schedule, &mut recorder, self.par)
            .map_err(as_trial_error)?;
        let Recorder { iterations, losses, held_out, .. } = recorder;
        Ok(ScaleOutcome {
            observed_entries: values.len(),
            iterations,
            losses,
            held_out,
            problem_seconds: 0.0,
            setup_seconds,
            training_seconds: end.elapsed.as_secs_f64(),
            peak_bytes: 0,
        })
    }
}

struct Recorder<'a> {
    run: &'a Run<'a>,
    iterations: Vec<u64>,
    losses: Vec<f64>,
    held_out: Vec<(f64, f64)>,
}

impl<F: Factorization> Observer<F> for Recorder<'_> {
    fn iteration(&mut self, iteration: u64, loss: f64) {
        self.run.context.progress(iteration, self.run.trial.max_iterations, loss);
    }

    fn record(&mut self, record: &Record<'_, F>) {
        let (p, q) = record.model.halves();
        let Estimate { value, standard_error } = self.run.held_out.recovery_error(p, q);
        self.iterations.push(record.iteration);
        self.losses.push(record.loss);
        self.held_out.push((value, standard_error));
    }
}
