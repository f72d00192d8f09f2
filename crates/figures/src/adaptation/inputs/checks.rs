//! Refuses settings that do not fit the encoder or the data, and warns of labels out of reach.

use adaptation::evaluation::Labelled;
use adaptation::{Encoder, ModelError, Pooling, Reach, Selection, Site};
use dynamics::random::stream;
use lab::checked::Count;
use lab::{Gathering, Invalid};

use super::FineTuningInputs;
use crate::adaptation::frozen::FrozenHead;
use crate::adaptation::settings::{EncoderSettings, Examples, HeadSettings, PoolingChoice};
use crate::adaptation::task::GatheredTask;
use crate::adaptation::trial::part_of_dev;

impl FineTuningInputs {
    /// Refuses a rank (or the dimension of a subspace) that the encoder's matrices do not have.
    ///
    /// # Errors
    /// Naming `key`.
    pub fn check_rank(&self, key: &str, rank: usize) -> Result<(), Invalid> {
        let hidden = self.encoder.encoder.config().hidden_size;
        let allowed = format!("a whole number from 1 to the hidden size of {} ({hidden})", self.encoder.name);
        Invalid::unless(rank <= hidden, key, rank, allowed)
    }

    /// Refuses more different examples than the pools have.
    ///
    /// # Errors
    /// Naming the key `examples`.
    pub fn check_pool(&self, examples: &[Examples]) -> Result<(), Invalid> {
        for GatheredTask { name, train, .. } in &self.tasks {
            let allowed = format!("a whole number from 1 to the {} of the training pool of {name}", train.len());
            for (i, &n) in examples.iter().enumerate() {
                Invalid::unless(*n <= train.len(), format!("examples.{i}"), n, &allowed)?;
            }
        }
        Ok(())
    }

    /// Warns of labels that the frozen pooler and head cannot give, unless the pooler is adapted.
    pub fn warn_of_reach(
        &self,
        seed: u64,
        encoder: &EncoderSettings,
        head: &HeadSettings,
        adapted: Selection,
        gathering: &Gathering,
    ) {
        let adapts_pooler = adapted.sites(self.encoder.encoder.config()).contains(&Site::Pooler);
        if encoder.pooling != PoolingChoice::Mean && adapts_pooler {
            return;
        }
        let (pooling, pooler_scale) = (encoder.pooling, *encoder.pooler_scale);
        let deviation = head.deviation.of(self.encoder.encoder.config());
        for task in self.tasks.iter().filter(|task| task.outputs() == 1) {
            for draw in 0..head.draws.shared().max(1) {
                let head = FrozenHead { pooling, pooler_scale, deviation, draw };
                let network = head.network(&self.encoder.encoder, task, seed);
                let reach = Reach::of(&network, &mut stream(seed, &["fine-tuning", &task.name, "reach"]));
                let beyond = task.train.iter().filter(|example| !reach.has(example.label.into())).count();
                if beyond > 0 {
                    let (name, count) = (&task.name, task.train.len());
                    gathering.warn(&format!(
                        "{name}: {beyond} of {count} labels are beyond the logits that pooler and head {draw} can give, \
                         {:.2} to {:.2}, and the pooler is not adapted",
                        reach.smallest, reach.largest
                    ));
                }
            }
        }
    }

    /// Refuses so small a part of dev that its labels are all the same.
    ///
    /// # Errors
    /// Naming `training.dev_examples`.
    pub fn check_dev(&self, seed: u64, count: Option<Count>) -> anyhow::Result<()> {
        let Some(count) = count else { return Ok(()) };
        for GatheredTask { name, dev, .. } in &self.tasks {
            let drawn = part_of_dev(seed, name, dev.len(), *count)?;
            check_labels("training.dev_examples", "dev split", name, dev, &drawn)?;
        }
        Ok(())
    }
}

/// Refuses pooling that the encoder does not have, or that gives the same for every sentence.
pub(super) fn check_pooling(encoder: &Encoder<f32>, pooling: PoolingChoice) -> Result<(), ModelError> {
    match pooling {
        PoolingChoice::RandomPooler => {
            encoder.with_random_pooler(1.0, &mut stream(0, &["check"])).check_pooling(Pooling::Pooler)
        }
        PoolingChoice::Pooler | PoolingChoice::Mean => encoder.check_pooling(pooling.pooling()),
    }
}

/// Refuses a drawn part of a task's examples whose labels are all the same: no metric is defined on it.
fn check_labels(key: &str, part: &str, task: &str, examples: &[Labelled], drawn: &[usize]) -> Result<(), Invalid> {
    let first = drawn.first().map(|&index| examples[index].label);
    let differs = drawn.iter().any(|&index| Some(examples[index].label) != first);
    let allowed = format!(
        "so many that those drawn of the {part} of {task} have at least two distinct labels; all of these have the same, and \
         no score is defined on them"
    );
    Invalid::unless(differs, key, drawn.len(), allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_part_with_one_label_is_refused() {
        let example = |label| Labelled { ids: vec![1], token_types: vec![0], label };
        let examples = [0.0, 1.0, 1.0, 0.0].map(example);
        let check = |drawn: &[usize]| check_labels("training.dev_examples", "dev split", "rte", &examples, drawn);
        assert_eq!((check(&[0, 1]), check(&[3, 1, 2])), (Ok(()), Ok(())));
        let refused = check(&[1, 2]).unwrap_err();
        assert_eq!((refused.key.as_str(), refused.value.as_str()), ("training.dev_examples", "2"));
        assert!(refused.allowed.contains("the dev split of rte have at least two distinct labels"), "{refused}");
        assert!(check(&[0, 3]).is_err());
    }
}
