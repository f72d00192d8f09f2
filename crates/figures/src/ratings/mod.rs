//! Does it help on real matrices? Compressed completion of ratings, beside what they are usually completed with.

mod claims;
mod draw;
mod inputs;
mod method;
mod plan;
mod rows;
mod run;
mod settings;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

pub use self::inputs::Ratings as Inputs;
pub use self::plan::Point;
pub use self::run::RatingTrial;
pub use self::settings::Settings;
use crate::drawing::drawing;

pub struct Ratings;

impl Experiment for Ratings {
    type Settings = Settings;
    type Inputs = Inputs;
    type Point = Point;
    type Trial = RatingTrial;

    const NAME: &'static str = "ratings";
    // 2: the peak memory is without the buffers that threads keep.
    const VERSION: u32 = 2;
    const ABOUT: &'static str = "Compressed completion of real ratings, beside ALS and soft-impute";
    const LONG_ABOUT: &'static str = "Completes MovieLens-100K and FilmTrust, or your own file, by compressed, spectral and \
        narrow networks of depth 2 and 3, and by the original where it fits, about the biases of rows and columns. Beside \
        them: biased ALS, soft-impute, and the biases alone. Training stops when the error on validation ratings rises; \
        rank and regularization are chosen by it; the errors shown are on ratings that nothing saw. Not in the paper.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<Inputs> {
        Inputs::gather(settings, gathering)
    }

    fn plan(settings: &Settings, inputs: &Inputs) -> anyhow::Result<Plan<Self>> {
        Ok(plan::plan(settings, inputs))
    }

    fn tables(_: &Settings, _: &Inputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let chosen = rows::chosen(finished);
        let runs = || finished.iter().zip(chosen.iter().copied());
        let curves = runs().filter(|(_, chosen)| *chosen).flat_map(|(run, _)| rows::curve(run));
        Ok(vec![
            Table::new(Self::NAME, runs().map(|(run, chosen)| rows::row(run, chosen)))?,
            Table::companion(Self::NAME, "curves", curves)?,
            Table::companion(Self::NAME, "timing", runs().map(|(run, chosen)| rows::timing(run, chosen)))?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let (curves, timing) = (results.read("ratings.curves")?, results.read("ratings.timing")?);
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &results.read(Self::NAME)?, &curves, &timing))?])
    }

    fn claims(_: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(&results.read::<rows::Row>(Self::NAME)?, &results.read("ratings.timing")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::given::{refused, settings};

    /// On the data that is made up: no network is needed.
    #[test]
    fn every_profile_is_planned() {
        for (profile, runs) in
            [("paper", 5 * (2 + 20 + 5 + 32)), ("quick", 2 * (2 + 4 + 2 + 16)), ("smoke", 2 * 13 + 2)]
        {
            let data = lab::checked::Distinct::new(vec![inputs::MADE_UP.to_owned()]).unwrap();
            let settings = Settings { data, ..settings("ratings", profile) };
            let inputs = Inputs::gather(&settings, &Gathering::silent(None)).unwrap();
            assert_eq!(Ratings::plan(&settings, &inputs).unwrap().len(), runs, "{profile}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        for (set, key) in [
            ("data=[\"netflix\"]", "data.0"),
            ("original.data=[\"made-up\"]", "original.data.0"),
            ("test_fraction=0.95", "test_fraction"),
            (
                "networks.depths=[{ depth = 2, init_scale = 0.1 }, { depth = 2, init_scale = 0.2 }]",
                "networks.depths.1.depth",
            ),
        ] {
            assert_eq!(refused::<Settings>("ratings", &[set]).0, key, "{set}");
        }
    }
}
