//! Two toy experiments behind one binary, as `reproduce-all` has all of the paper's.

mod toy;

use std::fmt;

use lab::{
    Check, Drawing, Experiment, Finding, FinishedOf, Gathering, Invalid, Kernels, Plan, Planned, Results, Table, Trial,
    TrialContext, TrialError,
};
use serde::{Deserialize, Serialize};

/// `toy-power.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    seed: u64,
    trials: usize,
    power: i32,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.power >= 0, "power", self.power, "0 or more")
    }
}

#[derive(Serialize, Deserialize)]
struct Row {
    value: f64,
}

/// The number of a trial.
struct Number(u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {}", self.0)
    }
}

/// A number to a power.
#[derive(Serialize)]
struct Raised {
    number: u64,
    power: i32,
}

impl Trial for Raised {
    type Inputs = ();
    type Outcome = f64;

    fn run(&self, (): &(), _: &TrialContext) -> Result<f64, TrialError> {
        Ok((self.number as f64).powi(self.power))
    }
}

/// Powers of the first numbers after the seed.
struct Power;

impl Experiment for Power {
    type Settings = Settings;
    type Inputs = ();
    type Point = Number;
    type Trial = Raised;
    const NAME: &'static str = "toy-power";
    const ABOUT: &'static str = "Powers of whole numbers (no figure of the paper)";
    const LONG_ABOUT: &'static str = "The second experiment of a list of two.";
    const CLAIMS: &'static str = include_str!("toy-claims.toml");

    fn gather(_: &Settings, _: &Gathering) -> anyhow::Result<()> {
        Ok(())
    }

    fn plan(settings: &Settings, (): &()) -> anyhow::Result<Plan<Self>> {
        let numbers = settings.seed..settings.seed + settings.trials as u64;
        let planned = |number| Planned {
            at: Number(number),
            trial: Raised { number, power: settings.power },
            kernels: Kernels::Sequential,
            cost: 1.0,
        };
        Ok(numbers.map(planned).collect())
    }

    fn tables(_: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        Ok(vec![Table::new(Self::NAME, finished.iter().map(|f| Row { value: f.outcome }))?])
    }

    fn draw(_: &Settings, _: &Results) -> anyhow::Result<Vec<Drawing>> {
        Ok(Vec::new())
    }

    fn claims(_: &Settings, _: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(vec![Finding::untested("toy-power/grows", "too few numbers")])
    }
}

fn main() -> std::process::ExitCode {
    lab::main_all(&[lab::entry::<toy::Decay>(), lab::entry::<Power>()], include_str!("toy-claims.toml"))
}
