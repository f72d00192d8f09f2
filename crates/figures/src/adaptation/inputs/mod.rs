//! What fine-tuning trials need besides their settings: an encoder and tasks, gathered once and handed to every trial. A
//! trial names them by a hash of their content, so it is determined by it.

mod checks;
mod load;
mod names;

use adaptation::ModelError;
use adaptation::data::DataError;
use anyhow::{Context, anyhow};
use lab::{BadInput, Gathering};
use sources::SourceError;

use self::checks::check_pooling;
use self::load::{GatheredEncoder, gather_task, load_encoder, tiny_encoder};
use self::names::check_made_up;
pub use self::names::check_source_names;
use super::made_up;
use super::settings::{EncoderSettings, Sources};
use super::task::GatheredTask;

/// An encoder and the tasks that are to be had.
pub struct FineTuningInputs {
    /// The encoder.
    pub encoder: GatheredEncoder,
    /// Tasks, in the order of the settings; those whose data is not to be had are not among them.
    pub tasks: Vec<GatheredTask>,
}

impl FineTuningInputs {
    /// Gets an encoder and the tasks that are to be had; downloads what is not in the cache. A task whose data is neither
    /// in the directory of data nor at its source is left out, with a warning.
    ///
    /// # Errors
    /// If the encoder, or no task at all, is to be had, or if something is there but unusable.
    pub fn gather(
        encoder: &EncoderSettings,
        sources: &Sources,
        tasks: &[String],
        gathering: &Gathering,
    ) -> anyhow::Result<Self> {
        check_source_names(sources, &[made_up::ENCODER])?;
        check_made_up(encoder, tasks)?;
        let held = match encoder.source.as_str() {
            made_up::ENCODER => tiny_encoder()?,
            name => load_encoder(name, sources, gathering).map_err(correctable)?,
        };
        let unusable =
            |error: ModelError| BadInput(anyhow::Error::new(error).context(format!("the encoder {}", held.name)));
        check_pooling(&held.encoder, encoder.pooling).map_err(unusable)?;
        let limit = held.encoder.max_tokens(encoder.max_tokens).map_err(unusable)?;
        let (mut found, mut absent) = (Vec::new(), Vec::new());
        for task in tasks {
            match gather_task(&held, task, limit, gathering) {
                Ok(task) => found.push(task),
                Err(error) => match error.downcast_ref::<DataError>() {
                    Some(DataError::Absent { .. }) => absent.push(format!("{error:#}")),
                    Some(DataError::Source { source, .. }) if is_fate(source) => return Err(error),
                    Some(_) => return Err(BadInput(error).into()),
                    None => return Err(error),
                },
            }
        }
        if found.is_empty() {
            return Err(BadInput(anyhow!("{}", absent.join("; "))).into());
        }
        absent.iter().for_each(|why| gathering.warn(&format!("left out: {why}")));
        record(gathering, &held, &found);
        Ok(Self { encoder: held, tasks: found })
    }

    /// The task of this name.
    ///
    /// # Errors
    /// If it was not gathered.
    pub fn task(&self, name: &str) -> anyhow::Result<&GatheredTask> {
        self.tasks.iter().find(|task| task.name == name).with_context(|| format!("no data of {name} were gathered"))
    }
}

/// Records what was gathered, by hashes of its content, and what was left out.
fn record(gathering: &Gathering, encoder: &GatheredEncoder, tasks: &[GatheredTask]) {
    gathering.record(format!("encoder {}", encoder.name), encoder.hash.clone());
    if let Some(converted) = &encoder.converted {
        gathering.record(format!("weights of {}", encoder.name), converted.as_str());
    }
    for task in tasks {
        gathering.record(format!("data of {}", task.name), task.hash.clone());
        for (what, count) in &task.left_out {
            gathering.record(what.as_str(), count.as_str());
        }
    }
}

/// Unusable files are the user's to correct; a source that is out of reach, or a disk that fails, is not.
fn correctable(error: anyhow::Error) -> anyhow::Error {
    let is_fate = error.downcast_ref::<SourceError>().is_some_and(is_fate);
    if is_fate || error.is::<BadInput>() { error } else { BadInput(error).into() }
}

fn is_fate(error: &SourceError) -> bool {
    let is_absent = matches!(error, SourceError::Absent { .. });
    matches!(error, SourceError::Io { .. }) || error.is_unreachable() && !is_absent
}
