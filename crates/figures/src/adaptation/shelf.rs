//! What fine-tuning trials need besides their settings: encoders and tasks, read once per process and found again by a hash
//! of their content, so that a trial that names the hash is determined by it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use adaptation::data::{self, DataError, Example, Kind, Task};
use adaptation::evaluation::Labelled;
use adaptation::metrics::Metric;
use adaptation::tokens::{Tokenizer, TooLong};
use adaptation::{Config, Encoder, Loss, ModelError, Pretrained, SequenceError};
use anyhow::{Context, anyhow};
use lab::{BadInput, Inputs, Invalid};
use sources::{Cache, Source, SourceError};

use super::made_up;
use super::settings::{EncoderSettings, Sources};

/// The encoder that is made in code, for tests.
pub const TINY: &str = "tiny-random";

/// A task with its examples as an encoder takes them.
pub struct TaskOnShelf {
    /// Hash of all examples.
    hash: String,
    /// Its name.
    pub name: String,
    /// What its labels are.
    kind: Kind,
    /// What it is evaluated in.
    pub metric: Metric,
    /// The training pool.
    pub train: Vec<Labelled>,
    /// The dev split.
    pub dev: Vec<Labelled>,
    /// Examples left out because they are too long.
    dropped: usize,
}

impl TaskOnShelf {
    /// A task with these examples.
    pub fn new(name: &str, kind: Kind, metric: Metric, train: Vec<Labelled>, dev: Vec<Labelled>) -> Self {
        let hash = hash_of_examples(&[&train, &dev]);
        Self { hash, name: name.to_owned(), kind, metric, train, dev, dropped: 0 }
    }

    /// Outputs of a head for it.
    pub fn outputs(&self) -> usize {
        match self.kind {
            Kind::Regression(_) => 1,
            Kind::Classification(classes) => classes,
        }
    }

    /// Its loss.
    pub fn loss(&self) -> Loss {
        match self.kind {
            Kind::Regression(_) => Loss::MeanSquaredError,
            Kind::Classification(_) => Loss::CrossEntropy,
        }
    }
}

struct EncoderOnShelf {
    hash: String,
    encoder: Arc<Encoder<f32>>,
    /// `None`: examples are made of token ids.
    tokenizer: Option<Tokenizer>,
    /// How its weights were changed while they were loaded, if they were.
    converted: Option<String>,
}

/// What a task is found by: encoder, most tokens of a sequence, task.
type TaskKey = (String, Option<usize>, String);

fn key(encoder: &EncoderSettings, task: &str) -> TaskKey {
    (encoder.source.clone(), encoder.max_tokens, task.to_owned())
}

/// Everything read so far; by what it was asked for as.
#[derive(Default)]
struct Shelf {
    encoders: BTreeMap<String, Arc<EncoderOnShelf>>,
    tasks: BTreeMap<TaskKey, Arc<TaskOnShelf>>,
}

static SHELF: LazyLock<Mutex<Shelf>> = LazyLock::new(Mutex::default);

fn shelf() -> MutexGuard<'static, Shelf> {
    SHELF.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An encoder and a task that are on the shelf, as a plan names them.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// Hash of the encoder.
    pub encoder: String,
    /// The task's name.
    pub task: String,
    /// Hash of its examples.
    pub data: String,
    /// What it is evaluated in.
    pub metric: String,
    /// Examples in its training pool.
    pub pool: usize,
    /// The encoder's hidden size.
    pub hidden: usize,
}

/// The tasks that settings may name.
pub fn known_tasks() -> Vec<&'static str> {
    let tasks = [Task::MovieSentiment].into_iter().chain(Task::GLUE);
    tasks.map(Task::name).chain([made_up::TASK]).collect()
}

/// Puts an encoder and the tasks that are to be had on the shelf; downloads what is not in the cache. A task whose data is
/// neither in the directory of data nor at its source is left out, with a warning.
///
/// # Errors
/// If the encoder, or no task at all, is to be had, or if something is there but unusable.
pub fn gather(encoder: &EncoderSettings, sources: &Sources, tasks: &[String], inputs: &Inputs) -> anyhow::Result<()> {
    let tiny = encoder.source == TINY;
    let made_up: Vec<&String> = tasks.iter().filter(|task| *task == made_up::TASK).collect();
    if tiny != (made_up.len() == tasks.len()) || (!tiny && !made_up.is_empty()) {
        let message = "the encoder \"tiny-random\" has no words: it goes with the task \"made-up\", and only with that";
        return Err(BadInput(anyhow!(message)).into());
    }
    if let (true, Some(limit)) = (tiny, encoder.max_tokens) {
        let why = "the encoder \"tiny-random\" reads no sentences; leave the key out";
        return Err(BadInput(anyhow!("encoder.max_tokens is {limit}, but {why}")).into());
    }
    let held = hold_encoder(&encoder.source, sources, inputs)?;
    let unusable =
        |error: ModelError| BadInput(anyhow::Error::new(error).context(format!("the encoder {}", encoder.source)));
    held.encoder.check_pooling(encoder.pooling).map_err(unusable)?;
    let limit = held.encoder.max_tokens(encoder.max_tokens).map_err(unusable)?;
    let mut absent = Vec::new();
    for task in tasks {
        match hold_task(key(encoder, task), &held, limit, inputs) {
            Ok(()) => {}
            Err(error) => match error.downcast_ref::<DataError>() {
                Some(DataError::Absent { .. }) => absent.push(format!("{error:#}")),
                Some(_) => return Err(BadInput(error).into()),
                None => return Err(error),
            },
        }
    }
    if absent.len() == tasks.len() {
        return Err(BadInput(anyhow!("{}", absent.join("; "))).into());
    }
    absent.iter().for_each(|why| inputs.warn(&format!("left out: {why}")));
    if let Some(converted) = &held.converted {
        inputs.record(format!("weights of {}", encoder.source), converted);
    }
    for found in inventories(encoder, tasks) {
        inputs.record(format!("encoder {}", encoder.source), found.encoder);
        inputs.record(format!("data of {}", found.task), found.data);
    }
    Ok(())
}

/// What is on the shelf of these tasks, in their order.
pub fn inventories(encoder: &EncoderSettings, tasks: &[String]) -> Vec<Inventory> {
    let shelf = shelf();
    let Some(held) = shelf.encoders.get(&encoder.source) else {
        return Vec::new();
    };
    let find = |task: &String| shelf.tasks.get(&key(encoder, task));
    let inventory = |task: &Arc<TaskOnShelf>| Inventory {
        encoder: held.hash.clone(),
        task: task.name.clone(),
        data: task.hash.clone(),
        metric: task.metric.name().to_owned(),
        pool: task.train.len(),
        hidden: held.encoder.config().hidden_size,
    };
    tasks.iter().filter_map(find).map(inventory).collect()
}

/// Refuses a rank (or the dimension of a subspace) that the gathered encoder's matrices do not have.
pub fn check_rank(key: &str, rank: usize, encoder: &EncoderSettings, tasks: &[String]) -> Result<(), Invalid> {
    for Inventory { hidden, .. } in inventories(encoder, tasks) {
        let allowed = format!("an integer from 1 to the hidden size of {} ({hidden})", encoder.source);
        Invalid::unless(rank <= hidden, key, rank, allowed)?;
    }
    Ok(())
}

/// Refuses more examples than the gathered pools have left beside the `reserved` ones.
pub fn check_pool(
    examples: &[usize],
    reserved: usize,
    encoder: &EncoderSettings,
    tasks: &[String],
) -> Result<(), Invalid> {
    for Inventory { task, pool, .. } in inventories(encoder, tasks) {
        let left = pool.saturating_sub(reserved);
        let apart =
            if reserved > 0 { format!(" without the {reserved} kept apart for the choice") } else { String::new() };
        let allowed = format!("an integer from 1 to the {left} of the training pool of {task}{apart}");
        for &n in examples {
            Invalid::unless(n <= left, "examples", n, &allowed)?;
        }
    }
    Ok(())
}

/// The encoder with this hash.
///
/// # Errors
/// If it is not on the shelf.
pub fn encoder(hash: &str) -> anyhow::Result<Arc<Encoder<f32>>> {
    let shelf = shelf();
    let held = shelf.encoders.values().find(|held| held.hash == hash);
    held.map(|held| Arc::clone(&held.encoder)).with_context(|| format!("no encoder {hash} was gathered"))
}

/// The task with this hash.
///
/// # Errors
/// If it is not on the shelf.
pub fn task(hash: &str) -> anyhow::Result<Arc<TaskOnShelf>> {
    let shelf = shelf();
    shelf
        .tasks
        .values()
        .find(|task| task.hash == hash)
        .cloned()
        .with_context(|| format!("no data {hash} were gathered"))
}

fn hold_encoder(name: &str, sources: &Sources, inputs: &Inputs) -> anyhow::Result<Arc<EncoderOnShelf>> {
    if let Some(held) = shelf().encoders.get(name) {
        return Ok(Arc::clone(held));
    }
    let held = if name == TINY { tiny_encoder()? } else { load_encoder(name, sources, inputs).map_err(correctable)? };
    let held = Arc::new(held);
    shelf().encoders.insert(name.to_owned(), Arc::clone(&held));
    Ok(held)
}

/// Unusable files are the user's to correct; a source that is out of reach, or a disk that fails, is not.
fn correctable(error: anyhow::Error) -> anyhow::Error {
    let source = error.downcast_ref::<SourceError>();
    let is_absent = matches!(source, Some(SourceError::Absent { .. }));
    let is_io = matches!(source, Some(SourceError::Io { .. }));
    let is_fate = is_io || source.is_some_and(SourceError::is_unreachable) && !is_absent;
    if is_fate || error.is::<BadInput>() { error } else { BadInput(error).into() }
}

fn tiny_encoder() -> anyhow::Result<EncoderOnShelf> {
    let (hash, encoder) = made_up::encoder()?;
    Ok(EncoderOnShelf { hash, encoder: Arc::new(encoder), tokenizer: None, converted: None })
}

fn load_encoder(name: &str, sources: &Sources, inputs: &Inputs) -> anyhow::Result<EncoderOnShelf> {
    let unknown = || {
        let known = "those of the repository (README: Models and data), those of [sources], tiny-random";
        BadInput(anyhow!("encoder.source = {name:?} is not allowed; allowed: {known}"))
    };
    let source = sources.get(name).cloned().or_else(|| Source::named(name)).ok_or_else(unknown)?;
    let transfer = inputs.transfer(name);
    let report = |_: &str, done: u64, total: Option<u64>| transfer.progress(done, total);
    let files = source.fetch(&Cache::from_env()?, &report).with_context(|| format!("the encoder {name}"))?;
    let loaded = Pretrained::load(files.directory()).with_context(|| format!("the encoder {name}"))?;
    let Pretrained { encoder, tokenizer, hash, converted, warnings } = loaded;
    warnings.iter().for_each(|warning| inputs.warn(warning));
    Ok(EncoderOnShelf { hash, encoder: Arc::new(encoder), tokenizer: Some(tokenizer), converted })
}

fn hold_task(key: TaskKey, held: &EncoderOnShelf, limit: usize, inputs: &Inputs) -> anyhow::Result<()> {
    let name = key.2.as_str();
    if shelf().tasks.contains_key(&key) {
        return Ok(());
    }
    let task = match &held.tokenizer {
        Some(tokenizer) => load_task(name, held.encoder.config(), tokenizer, limit, inputs)?,
        None => made_up::task(),
    };
    if task.dropped > 0 {
        inputs.warn(&format!("{name}: {} examples of more than {limit} tokens are left out", task.dropped));
    }
    shelf().tasks.insert(key, Arc::new(task));
    Ok(())
}

fn load_task(
    name: &str,
    config: &Config,
    tokenizer: &Tokenizer,
    limit: usize,
    inputs: &Inputs,
) -> anyhow::Result<TaskOnShelf> {
    let known = [Task::MovieSentiment].into_iter().chain(Task::GLUE).find(|task| task.name() == name);
    let task = known.with_context(|| format!("there is no task {name}"))?;
    let transfer = inputs.transfer(name);
    let report = |_: &str, done: u64, total: Option<u64>| transfer.progress(done, total);
    let found = data::find(task, inputs.data_dir, &Cache::from_env()?, &report)?;
    let (train, long) = encoded(&found.train, tokenizer, limit)?;
    let (dev, longer) = encoded(&found.dev, tokenizer, limit)?;
    let task = TaskOnShelf::new(name, task.kind(), task.metric(), train, dev);
    for Labelled { ids, token_types, .. } in task.train.iter().chain(&task.dev) {
        let unusable =
            |why: SequenceError| BadInput(anyhow::Error::new(why).context(format!("{name} and this encoder")));
        config.check(ids, token_types).map_err(unusable)?;
    }
    Ok(TaskOnShelf { dropped: long + longer, ..task })
}

fn encoded(examples: &[Example], tokenizer: &Tokenizer, limit: usize) -> anyhow::Result<(Vec<Labelled>, usize)> {
    let encoded = tokenizer.encode_all(examples, limit, TooLong::Drop).map_err(|why| BadInput(why.into()))?;
    Ok((encoded.examples.into_iter().map(Labelled::from).collect(), encoded.dropped))
}

fn hash_of_examples(splits: &[&[Labelled]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for split in splits {
        hasher.update(&(split.len() as u64).to_le_bytes());
        for Labelled { ids, token_types, label } in *split {
            hasher.update(&(ids.len() as u64).to_le_bytes());
            for id in ids {
                hasher.update(&id.to_le_bytes());
            }
            hasher.update(token_types);
            hasher.update(&label.to_le_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}
