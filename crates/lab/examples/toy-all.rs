//! Two toy experiments behind one binary, as `reproduce-all` has all of the paper's.

mod toy;

use lab::{
    Check, Claim, Drawing, Experiment, Finished, Invalid, Kernels, LabError, Planned, Results, Table, TrialContext,
    TrialError, Verdict,
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

/// Powers of the first numbers after the seed.
struct Power;

impl Experiment for Power {
    type Settings = Settings;
    type Trial = (u64, i32);
    type Outcome = f64;
    const NAME: &'static str = "toy-power";
    const ABOUT: &'static str = "Powers of whole numbers (no figure of the paper)";
    const LONG_ABOUT: &'static str = "The second experiment of a list of two.";

    fn plan(settings: &Settings) -> Vec<Planned<(u64, i32)>> {
        let numbers = settings.seed..settings.seed + settings.trials as u64;
        let planned = |number| Planned {
            label: format!("number {number}"),
            trial: (number, settings.power),
            kernels: Kernels::Sequential,
            cost: 1.0,
        };
        numbers.map(planned).collect()
    }

    fn run(&(number, power): &(u64, i32), _: &TrialContext) -> Result<f64, TrialError> {
        Ok((number as f64).powi(power))
    }

    fn tables(_: &Settings, finished: &[Finished<(u64, i32), f64>]) -> Result<Vec<Table>, LabError> {
        Ok(vec![Table::new(Self::NAME, finished.iter().map(|f| Row { value: f.outcome }))?])
    }

    fn draw(_: &Settings, _: &Results) -> Result<Vec<Drawing>, anyhow::Error> {
        Ok(Vec::new())
    }

    fn claims(_: &Settings, _: &Results) -> Result<Vec<Claim>, anyhow::Error> {
        let (claim, paper, measured) = ("Powers grow".into(), "yes".into(), String::new());
        Ok(vec![Claim { claim, paper, measured, verdict: Verdict::NotTested }])
    }
}

fn main() -> std::process::ExitCode {
    lab::main_all(&[lab::entry::<toy::Decay>(), lab::entry::<Power>()])
}
