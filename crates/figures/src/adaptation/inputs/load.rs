//! Reads an encoder and its tasks.

use std::sync::Arc;

use adaptation::data::{self, Example, LeftOut, Task};
use adaptation::evaluation::Labelled;
use adaptation::tokens::{Tokenizer, TooLong};
use adaptation::{Config, Encoder, Pretrained, SequenceError};
use anyhow::{Context, anyhow};
use lab::{BadInput, Gathering};
use sources::{Cache, Source};

use crate::adaptation::made_up;
use crate::adaptation::settings::Sources;
use crate::adaptation::task::GatheredTask;

/// A frozen encoder.
pub struct GatheredEncoder {
    /// Its source's name.
    pub name: String,
    /// Hash of its configuration and weights.
    pub hash: String,
    /// Itself.
    pub encoder: Arc<Encoder<f32>>,
    /// `None`: examples are made of token ids.
    pub(super) tokenizer: Option<Tokenizer>,
    /// How its weights were changed while they were loaded, if they were.
    pub(super) converted: Option<String>,
}

pub(super) fn tiny_encoder() -> anyhow::Result<GatheredEncoder> {
    let (hash, encoder) = made_up::encoder()?;
    Ok(GatheredEncoder {
        name: made_up::ENCODER.to_owned(),
        hash,
        encoder: Arc::new(encoder),
        tokenizer: None,
        converted: None,
    })
}

pub(super) fn load_encoder(name: &str, sources: &Sources, gathering: &Gathering) -> anyhow::Result<GatheredEncoder> {
    let unknown = || {
        let known = "those of the repository (docs/models-and-data.md), those of [sources], tiny-random";
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

pub(super) fn gather_task(
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
