//! `experiments/ratings.toml`: its fields and what is allowed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use entries::{Duplicates, Format, Index, Known};
use lab::checked::{Count, Depth, Distinct, NotEmpty, NotNegative, Positive, ProperFraction, Steps, Trials};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use super::inputs::MADE_UP;
use super::method::NetworkName;
use crate::checks::{check_init_scale, check_runs};

/// `experiments/ratings.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    pub(super) data: Distinct<String>,
    pub(super) validation_fraction: ProperFraction,
    pub(super) test_fraction: ProperFraction,
    pub(super) clip: bool,
    pub(super) networks: Networks,
    pub(super) als: AlsSettings,
    pub(super) soft_impute: SoftImputeSettings,
    pub(super) original: OriginalSettings,
    #[serde(default)]
    pub(super) files: BTreeMap<String, FileSettings>,
}

/// `[networks]`: which, and how they are trained, in relative units.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Networks {
    pub(super) names: Distinct<NetworkName>,
    pub(super) rank_guesses: Distinct<Count>,
    pub(super) step_size: Positive,
    pub(super) discrepant_step: NotNegative,
    pub(super) max_iterations: Steps,
    pub(super) check_every: Steps,
    pub(super) patience: Steps,
    pub(super) depths: NotEmpty<DepthSettings>,
}

/// `[[networks.depths]]`: a depth, with an init scale of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DepthSettings {
    pub(super) depth: Depth,
    pub(super) init_scale: Positive,
}

/// `[als]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlsSettings {
    pub(super) ranks: Distinct<Count>,
    pub(super) regularizations: Distinct<Positive>,
    pub(super) weighted: bool,
    pub(super) sweeps: Count,
}

/// `[soft_impute]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SoftImputeSettings {
    pub(super) rank: Count,
    pub(super) regularizations: Distinct<Positive>,
    pub(super) max_iterations: Count,
    pub(super) tolerance: Positive,
}

/// `[original]`: where the original network is trained too, as wide as the matrix.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OriginalSettings {
    pub(super) data: Vec<String>,
    pub(super) trials: Trials,
    pub(super) max_iterations: Steps,
    pub(super) patience: Steps,
}

/// `[files.NAME]`: a file of the user's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSettings {
    pub(super) path: PathBuf,
    #[serde(default = "comma")]
    pub(super) delimiter: String,
    #[serde(default = "one")]
    pub(super) header_lines: usize,
    #[serde(default = "first_three")]
    pub(super) columns: [String; 3],
    #[serde(default = "names")]
    pub(super) index: Index,
    #[serde(default = "refuse")]
    pub(super) duplicates: Duplicates,
}

fn comma() -> String {
    Format::default().delimiter.to_string()
}

fn one() -> usize {
    Format::default().header_lines
}

fn first_three() -> [String; 3] {
    Format::default().columns
}

fn names() -> Index {
    Format::default().index
}

fn refuse() -> Duplicates {
    Format::default().duplicates
}

impl FileSettings {
    pub(super) fn format(&self) -> Format {
        let Self { ref delimiter, header_lines, ref columns, index, duplicates, .. } = *self;
        let delimiter = Format::delimiter_of(delimiter).expect("settings are checked");
        Format { delimiter, header_lines, columns: columns.clone(), index, duplicates }
    }
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        let fits = *self.validation_fraction + *self.test_fraction < 1.0;
        let allowed = "a number that leaves something to train on, with validation_fraction below 1 in sum";
        Invalid::unless(fits, "test_fraction", self.test_fraction, allowed)?;
        self.check_data()?;
        let networks = self.networks.names.len() * self.networks.depths.len() * self.networks.rank_guesses.len();
        let baselines = self.als.ranks.len() * self.als.regularizations.len() + self.soft_impute.regularizations.len();
        check_runs(*self.trials, &[self.data.len(), networks + baselines + 2])?;
        for (i, DepthSettings { depth, init_scale }) in self.networks.depths.iter().enumerate() {
            check_init_scale(&format!("networks.depths.{i}.init_scale"), **init_scale, **depth)?;
            let once = self.networks.depths[..i].iter().all(|other| other.depth != *depth);
            Invalid::unless(once, format!("networks.depths.{i}.depth"), depth, "each depth once")?;
        }
        Ok(())
    }
}

impl Settings {
    fn check_data(&self) -> Result<(), Invalid> {
        let known = Known::ALL.map(Known::name).into_iter().chain([MADE_UP]);
        let known: Vec<&str> = known.chain(self.files.keys().map(String::as_str)).collect();
        for (i, name) in self.data.iter().enumerate() {
            let allowed = format!("{}, or a name NAME with a section [files.NAME]", known.join(", "));
            Invalid::unless(known.contains(&name.as_str()), format!("data.{i}"), name, allowed)?;
        }
        for (name, file) in &self.files {
            let own = Known::ALL.map(Known::name).into_iter().chain([MADE_UP]).all(|known| known != name);
            let allowed = "a name of your own: verdicts go by those of the data that the program knows";
            Invalid::unless(own, format!("files.{name}"), name, allowed)?;
            let is_one = Format::delimiter_of(&file.delimiter).is_some();
            Invalid::unless(is_one, format!("files.{name}.delimiter"), &file.delimiter, Format::DELIMITERS)?;
        }
        for (i, name) in self.original.data.iter().enumerate() {
            let allowed = format!("names of data ({}), or an empty list", self.data.join(", "));
            Invalid::unless(self.data.contains(name), format!("original.data.{i}"), name, allowed)?;
        }
        Ok(())
    }

    pub(super) fn subtitle(&self) -> String {
        let [validation, test] = [self.validation_fraction, self.test_fraction].map(|fraction| 100.0 * *fraction);
        format!(
            "not in the paper; {} random splits: {test} % to test, {validation} % to stop training and to choose rank and regularization",
            self.trials
        )
    }
}
