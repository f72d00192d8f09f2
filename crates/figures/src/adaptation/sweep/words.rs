//! The settings in words, for the figures.

use adaptation::Selection;
use charts::significant;

use super::{FineTuningSettings, Own};
use crate::adaptation::settings::{Draws, adapted_in_words};

impl<E: Own> FineTuningSettings<E> {
    /// Seeds, and draws of the head where there are several, in words.
    pub fn repetitions(&self) -> String {
        match self.head.draws {
            Draws::Crossed(draws) if *draws > 1 => {
                format!("{draws} draws of pooler and head × {} seeds, mean with its two-way 95 % interval", self.trials)
            }
            _ => self.band.over_seeds(*self.trials),
        }
    }

    /// Which matrices are adapted, in words, and by which methods not all of them.
    fn adapted_in_words(&self) -> String {
        let (adapted, left_out) = (adapted_in_words(self.adapted), self.methods.without_embeddings());
        // No other selection has embeddings.
        if self.adapted == Selection::AllDense && !left_out.is_empty() {
            format!("{adapted} ({left_out})")
        } else {
            adapted.to_owned()
        }
    }

    /// What it was run with, for the figure, after its place in the paper.
    pub fn subtitle(&self, place: &str) -> String {
        self.subtitle_behind(place, &format!("{}, {}", self.encoder.pooling.words(), self.head.deviation.words()))
    }

    /// The same, of an experiment that has poolers and heads of its own.
    pub fn subtitle_behind(&self, place: &str, pooler_and_head: &str) -> String {
        let Self { encoder, training, .. } = self;
        let single = |name: &str, values: Vec<String>| {
            if let [value] = &values[..] { format!(", {name} = {value}") } else { String::new() }
        };
        let ranked = self.methods.names.iter().any(|name| name.is_ranked());
        let ranks = self.ranks.iter().filter(|_| ranked).map(|rank| rank.to_string()).collect();
        format!(
            "{place}; {}, {pooler_and_head}, {}{}{}{}, {} steps of {}; {}",
            encoder.source,
            self.adapted_in_words(),
            single("n", self.examples().iter().map(|n| n.to_string()).collect()),
            single("r", ranks),
            single("η", self.step_sizes.iter().map(|step| significant(**step, 1)).collect()),
            training.steps,
            training.batch,
            self.repetitions()
        )
    }
}
