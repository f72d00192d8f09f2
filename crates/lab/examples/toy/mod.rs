//! The smallest complete experiment: gradient descent on x²/2, which halves, circles or diverges with its step size.

use std::time::Duration;
use std::{fmt, fs};

use anyhow::anyhow;
use lab::{
    BadInput, Check, Drawing, Evidence, Experiment, Finding, FinishedOf, Gathering, Invalid, Kernels, Memory, Plan,
    Planned, Results, Table, Trial, TrialContext, TrialError,
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
    /// Lets trials write a checkpoint when the program is to end, and go on from one.
    #[serde(default)]
    checkpoint: bool,
    /// Adds a second stage: a trial between the two steps that ended nearest to zero.
    #[serde(default)]
    refine: bool,
    /// Bytes that a trial says it needs; it does not.
    #[serde(default)]
    ballast: usize,
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

/// What is varied: the step size and the number of the trial.
pub enum Point {
    /// Of the first stage.
    Given {
        /// Step size.
        step: f64,
        /// Number of the trial.
        trial: usize,
    },
    /// Of the second stage: between the two best steps.
    Refined {
        /// Step size.
        step: f64,
    },
}

impl Point {
    fn step(&self) -> f64 {
        match *self {
            Self::Given { step, .. } | Self::Refined { step } => step,
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given { step, trial } => write!(f, "step {step}, trial {trial}"),
            Self::Refined { .. } => write!(f, "refined"),
        }
    }
}

/// One run of one step size: what determines its outcome.
#[derive(Debug, Serialize)]
pub struct Descent {
    step: f64,
    start: f64,
    iterations: u64,
    #[serde(skip)]
    pause: Duration,
    #[serde(skip)]
    ballast: usize,
    #[serde(skip)]
    checkpoint: bool,
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

impl Trial for Descent {
    type Inputs = ();
    type Outcome = Outcome;

    fn memory(&self, (): &()) -> Memory {
        Memory::default().and("ballast", 1, &[self.ballast])
    }

    fn run(&self, (): &(), context: &TrialContext) -> Result<Outcome, TrialError> {
        assert!(self.step != 1.75, "the toy panics at step 1.75");
        let (done, mut x) = self.restore(context).unwrap_or((0, self.start));
        for iteration in done + 1..=self.iterations {
            x -= self.step * x;
            let loss = x * x / 2.0;
            if loss > 1e6 * self.start * self.start {
                return Err(TrialError::Diverged { iteration, loss });
            }
            std::thread::sleep(self.pause / self.iterations as u32);
            context.progress(iteration, self.iterations, loss);
            if self.checkpoint {
                context.when_stopping(|| self.save(context, iteration, x));
            }
        }
        Ok(Outcome { x })
    }
}

impl Descent {
    /// Iterations done before the program ended, and x after them.
    fn restore(&self, context: &TrialContext) -> Option<(u64, f64)> {
        let text = fs::read_to_string(context.scratch()?.join("x.txt")).ok()?;
        let (done, x) = text.split_once(' ')?;
        Some((done.parse().ok()?, x.parse().ok()?))
    }

    fn save(&self, context: &TrialContext, done: u64, x: f64) {
        let Some(scratch) = context.scratch() else { return };
        let written =
            fs::create_dir_all(scratch).and_then(|()| fs::write(scratch.join("x.txt"), format!("{done} {x}")));
        written.unwrap_or_else(|error| eprintln!("no checkpoint: {error}"));
    }
}

impl Settings {
    fn descent(&self, step: f64, trial: usize, pause: Duration) -> Descent {
        let start = match self.start.kind {
            Kind::Fixed => self.start.scale,
            Kind::Random => self.start.scale * (1.0 + ((self.seed as f64) + trial as f64).sin() / 3.0),
        };
        Descent { step, start, iterations: self.iterations, pause, ballast: self.ballast, checkpoint: self.checkpoint }
    }
}

/// The experiment.
pub struct Decay;

impl Experiment for Decay {
    type Settings = Settings;
    type Inputs = ();
    type Point = Point;
    type Trial = Descent;
    const NAME: &'static str = "toy-decay";
    const ABOUT: &'static str = "Gradient descent on x²/2 (no figure of the paper)";
    const LONG_ABOUT: &'static str = "Each iteration multiplies x by 1 - step, so steps above 2 diverge.";
    const CLAIMS: &'static str = include_str!("../toy-claims.toml");
    const TWO_STAGES: bool = true;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<()> {
        let transfer = gathering.transfer("start.txt");
        let found = gathering.data_dir.is_some_and(|directory| directory.join("start.txt").exists());
        transfer.progress(u64::from(found), Some(1));
        if settings.wants_data && !found {
            return Err(BadInput(anyhow!("there is no start.txt; pass its directory with --data-dir")).into());
        }
        Ok(())
    }

    fn plan(settings: &Settings, (): &()) -> anyhow::Result<Plan<Self>> {
        let mut plan = Vec::new();
        for &step in &settings.steps {
            for trial in 1..=settings.trials {
                // Steps above 1 overshoot: take those for the ones that would use all threads.
                let kernels = if step > 1.0 { Kernels::Parallel } else { Kernels::Sequential };
                let descent = settings.descent(step, trial, Duration::from_millis(settings.pause_ms));
                plan.push(Planned { at: Point::Given { step, trial }, trial: descent, kernels, cost: 1.0 / step });
            }
        }
        Ok(plan)
    }

    fn plan_next(settings: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Plan<Self>> {
        let mut best: Vec<_> = finished.iter().collect();
        best.sort_by(|a, b| a.outcome.x.abs().total_cmp(&b.outcome.x.abs()));
        let [a, b, ..] = best[..] else { return Ok(Vec::new()) };
        if !settings.refine {
            return Ok(Vec::new());
        }
        let step = (a.at.step() + b.at.step()) / 2.0;
        let trial = settings.descent(step, 1, Duration::ZERO);
        Ok(vec![Planned { at: Point::Refined { step }, trial, kernels: Kernels::Sequential, cost: 1.0 }])
    }

    fn tables(_: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let rows = finished.iter().map(|f| Row { label: f.at.to_string(), step: f.at.step(), x: f.outcome.x });
        let times = finished.iter().map(|f| TimingRow { label: f.at.to_string(), seconds: f.seconds });
        Ok(vec![Table::new(Self::NAME, rows)?, Table::companion(Self::NAME, "timing", times)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        std::thread::sleep(Duration::from_millis(settings.draw_pause_ms));
        // A real experiment uses the charts crate.
        let dots = rows.iter().map(|row| format!("<circle cx=\"{}\" cy=\"{}\" r=\"1\"/>", row.step, row.x));
        let title = format!("<title>{} iterations</title>", settings.iterations);
        let svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{title}{}</svg>", dots.collect::<String>());
        Ok(vec![Drawing { name: Self::NAME.into(), png: b"\x89PNG".to_vec(), svg }])
    }

    fn claims(_: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let holding = rows.iter().filter(|row| row.x.abs() < 1e-3).count();
        let largest = rows.iter().map(|row| row.x.abs()).fold(0.0, f64::max);
        let evidence = Evidence::EveryTrial { holding, n: rows.len() };
        Ok(vec![Finding::new("toy-decay/ends-near-zero", format!("at most {largest:.1e}"), evidence)])
    }
}
