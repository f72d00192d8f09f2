//! The smallest complete experiment: gradient descent on x²/2, which halves, circles or diverges with its step size.

use std::time::Duration;

use anyhow::anyhow;
use lab::{
    BadInput, Check, Claim, Drawing, Experiment, Finished, Inputs, Invalid, Kernels, LabError, Planned, Results, Table,
    TrialContext, TrialError, Verdict,
};
use serde::{Deserialize, Serialize};

/// `toy-decay.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    iterations: u64,
    steps: Vec<f64>,
    start: Start,
    /// Makes trials slow, for tests that interrupt them. No part of a trial's identity.
    #[serde(default)]
    pause_ms: u64,
    /// Makes drawing slow, for a test of the lock.
    #[serde(default)]
    draw_pause_ms: u64,
    /// Adds a second stage: a trial between the two steps that ended nearest to zero.
    #[serde(default)]
    refine: bool,
    /// Asks for a directory of data that holds `start.txt`.
    #[serde(default)]
    wants_data: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    scale: f64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Random,
    Fixed,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.trials >= 1, "trials", self.trials, "1 or more")?;
        for (index, step) in self.steps.iter().enumerate() {
            Invalid::unless(*step > 0.0, format!("steps.{index}"), step, "greater than 0")?;
        }
        Invalid::unless(self.start.scale != 0.0, "start.scale", self.start.scale, "anything but 0")
    }
}

/// One run of one step size.
#[derive(Debug, Serialize)]
pub struct Trial {
    step: f64,
    start: f64,
    iterations: u64,
    #[serde(skip)]
    pause: Duration,
}

/// Where it ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    x: f64,
}

#[derive(Serialize, Deserialize)]
struct Row {
    label: String,
    step: f64,
    x: f64,
}

#[derive(Serialize, Deserialize)]
struct TimingRow {
    label: String,
    seconds: f64,
}

/// The experiment.
pub struct Decay;

impl Experiment for Decay {
    type Settings = Settings;
    type Trial = Trial;
    type Outcome = Outcome;
    const NAME: &'static str = "toy-decay";
    const ABOUT: &'static str = "Gradient descent on x²/2 (no figure of the paper)";
    const LONG_ABOUT: &'static str = "Each iteration multiplies x by 1 - step, so steps above 2 diverge.";

    fn gather(settings: &Settings, inputs: &Inputs) -> Result<(), anyhow::Error> {
        let transfer = inputs.transfer("start.txt");
        let found = inputs.data_dir.is_some_and(|directory| directory.join("start.txt").exists());
        transfer.progress(u64::from(found), Some(1));
        if settings.wants_data && !found {
            return Err(BadInput(anyhow!("there is no start.txt; pass its directory with --data-dir")).into());
        }
        Ok(())
    }

    fn plan(settings: &Settings) -> Vec<Planned<Trial>> {
        let mut plan = Vec::new();
        for &step in &settings.steps {
            for trial in 1..=settings.trials {
                let start = match settings.start.kind {
                    Kind::Fixed => settings.start.scale,
                    Kind::Random => settings.start.scale * (1.0 + ((settings.seed as f64) + trial as f64).sin() / 3.0),
                };
                let pause = Duration::from_millis(settings.pause_ms);
                let trial_of = Trial { step, start, iterations: settings.iterations, pause };
                // Steps above 1 overshoot: take those for the ones that would use all threads.
                let kernels = if step > 1.0 { Kernels::Parallel } else { Kernels::Sequential };
                plan.push(Planned {
                    label: format!("step {step}, trial {trial}"),
                    trial: trial_of,
                    kernels,
                    cost: 1.0 / step,
                });
            }
        }
        plan
    }

    fn plan_next(settings: &Settings, finished: &[Finished<Trial, Outcome>]) -> Vec<Planned<Trial>> {
        let mut best: Vec<_> = finished.iter().collect();
        best.sort_by(|a, b| a.outcome.x.abs().total_cmp(&b.outcome.x.abs()));
        match best[..] {
            [a, b, ..] if settings.refine => {
                let step = (a.trial.step + b.trial.step) / 2.0;
                let trial = Trial { step, pause: Duration::ZERO, ..a.trial };
                vec![Planned { label: "refined".into(), trial, kernels: Kernels::Sequential, cost: 1.0 }]
            }
            _ => Vec::new(),
        }
    }

    fn run(trial: &Trial, context: &TrialContext) -> Result<Outcome, TrialError> {
        assert!(trial.step != 1.75, "the toy panics at step 1.75");
        let mut x = trial.start;
        for iteration in 1..=trial.iterations {
            x -= trial.step * x;
            let loss = x * x / 2.0;
            if loss > 1e6 * trial.start * trial.start {
                return Err(TrialError::Diverged { iteration, loss });
            }
            std::thread::sleep(trial.pause / trial.iterations as u32);
            context.progress(iteration, trial.iterations, loss);
        }
        Ok(Outcome { x })
    }

    fn tables(_: &Settings, finished: &[Finished<Trial, Outcome>]) -> Result<Vec<Table>, LabError> {
        let rows = finished.iter().map(|f| Row { label: f.label.clone(), step: f.trial.step, x: f.outcome.x });
        let times = finished.iter().map(|f| TimingRow { label: f.label.clone(), seconds: f.seconds });
        Ok(vec![Table::new(Self::NAME, rows)?, Table::companion(Self::NAME, "timing", times)?])
    }

    fn draw(settings: &Settings, results: &Results) -> Result<Vec<Drawing>, anyhow::Error> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        std::thread::sleep(Duration::from_millis(settings.draw_pause_ms));
        // A real experiment uses the charts crate.
        let dots = rows.iter().map(|row| format!("<circle cx=\"{}\" cy=\"{}\" r=\"1\"/>", row.step, row.x));
        let title = format!("<title>{} iterations</title>", settings.iterations);
        let svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{title}{}</svg>", dots.collect::<String>());
        Ok(vec![Drawing { name: Self::NAME.into(), png: b"\x89PNG".to_vec(), svg }])
    }

    fn claims(_: &Settings, results: &Results) -> Result<Vec<Claim>, anyhow::Error> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let largest = rows.iter().map(|row| row.x.abs()).fold(0.0, f64::max);
        Ok(vec![Claim {
            claim: "Descent ends near zero".into(),
            paper: String::new(),
            measured: format!("{largest:.1e}"),
            verdict: if largest < 1e-3 { Verdict::Holds } else { Verdict::Differs },
        }])
    }
}
