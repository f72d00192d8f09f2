//! What fine-tuning trials need besides their settings: an encoder and tasks, gathered once and handed to every trial. A
//! trial names them by a hash of their content, so it is determined by it.

use std::path::Path;
use std::sync::Arc;

use adaptation::data::{self, DataError, Example, Kind, Label, Task};
use adaptation::evaluation::Labelled;
use adaptation::metrics::Metric;
use adaptation::tokens::{Tokenizer, TooLong};
use adaptation::{Config, Encoder, Loss};
use anyhow::{Context, anyhow};
use lab::{BadInput, Gathering, Invalid};
use sources::{Cache, Source, SourceError};

use super::made_up;
use super::settings::{EncoderSettings, Sources};

/// Sequences of more tokens are left out, as in the paper.
const MOST_TOKENS: usize = 128;

/// The encoder that is made in code, for tests.
pub const TINY: &str = "tiny-random";

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
}

/// A task with its examples as the encoder takes them.
pub struct GatheredTask {
    /// Hash of all examples.
    pub hash: String,
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

impl GatheredTask {
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

/// The tasks that settings may name.
pub fn known_tasks() -> Vec<&'static str> {
    let tasks = [Task::MovieSentiment].into_iter().chain(Task::GLUE);
    tasks.map(Task::name).chain([made_up::TASK]).collect()
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
        check_made_up(encoder, tasks)?;
        let encoder = match encoder.source.as_str() {
            TINY => tiny_encoder()?,
            name => load_encoder(name, sources, gathering).map_err(correctable)?,
        };
        let (mut found, mut absent) = (Vec::new(), Vec::new());
        for task in tasks {
            match gather_task(&encoder, task, gathering) {
                Ok(task) => found.push(task),
                Err(error) => match error.downcast_ref::<DataError>() {
                    Some(DataError::Absent { .. }) => absent.push(format!("{error:#}")),
                    Some(_) => return Err(BadInput(error).into()),
                    None => return Err(error),
                },
            }
        }
        if found.is_empty() {
            return Err(BadInput(anyhow!("{}", absent.join("; "))).into());
        }
        absent.iter().for_each(|why| gathering.warn(&format!("left out: {why}")));
        gathering.record(format!("encoder {}", encoder.name), encoder.hash.clone());
        for task in &found {
            gathering.record(format!("data of {}", task.name), task.hash.clone());
        }
        Ok(Self { encoder, tasks: found })
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
        let allowed = format!("an integer from 1 to the hidden size of {} ({hidden})", self.encoder.name);
        Invalid::unless(rank <= hidden, key, rank, allowed)
    }

    /// Refuses more examples than the pools have left beside the `reserved` ones.
    ///
    /// # Errors
    /// Naming the key `examples`.
    pub fn check_pool(&self, examples: &[usize], reserved: usize) -> Result<(), Invalid> {
        for GatheredTask { name, train, .. } in &self.tasks {
            let left = train.len().saturating_sub(reserved);
            let apart =
                if reserved > 0 { format!(" without the {reserved} kept apart for the choice") } else { String::new() };
            let allowed = format!("an integer from 1 to the {left} of the training pool of {name}{apart}");
            for &n in examples {
                Invalid::unless(n <= left, "examples", n, &allowed)?;
            }
        }
        Ok(())
    }
}

/// The encoder that is made in code and the task that is go together.
fn check_made_up(encoder: &EncoderSettings, tasks: &[String]) -> anyhow::Result<()> {
    let made_up = tasks.iter().filter(|task| *task == made_up::TASK).count();
    let fits = if encoder.source == TINY { made_up == tasks.len() } else { made_up == 0 };
    let message = "the encoder \"tiny-random\" has no words: it goes with the task \"made-up\", and only with that";
    if fits { Ok(()) } else { Err(BadInput(anyhow!(message)).into()) }
}

/// Unusable files are the user's to correct; a source that is out of reach, or a disk that fails, is not.
fn correctable(error: anyhow::Error) -> anyhow::Error {
    let source = error.downcast_ref::<SourceError>();
    let is_absent = matches!(source, Some(SourceError::Absent { .. }));
    let is_io = matches!(source, Some(SourceError::Io { .. }));
    let is_fate = is_io || source.is_some_and(SourceError::is_unreachable) && !is_absent;
    if is_fate || error.is::<BadInput>() { error } else { BadInput(error).into() }
}

fn tiny_encoder() -> anyhow::Result<GatheredEncoder> {
    let (hash, encoder) = made_up::encoder()?;
    Ok(GatheredEncoder { name: TINY.to_owned(), hash, encoder: Arc::new(encoder), tokenizer: None })
}

fn load_encoder(name: &str, sources: &Sources, gathering: &Gathering) -> anyhow::Result<GatheredEncoder> {
    let unknown = || {
        let known = "those of the repository (README: Models and data), those of [sources], tiny-random";
        BadInput(anyhow!("encoder.source = {name:?} is not allowed; allowed: {known}"))
    };
    let source = sources.get(name).cloned().or_else(|| Source::named(name)).ok_or_else(unknown)?;
    let transfer = gathering.transfer(name);
    let report = |_: &str, done: u64, total: Option<u64>| transfer.progress(done, total);
    let files = source.fetch(&Cache::from_env()?, &report).with_context(|| format!("the encoder {name}"))?;
    let [config, weights, tokenizer] =
        ["config.json", "model.safetensors", "tokenizer.json"].map(|file| files.path(file));
    let (config, weights, tokenizer) = (config?, weights?, tokenizer?);
    let encoder = Encoder::load(&config, &weights)?;
    let tokenizer = Tokenizer::load(&tokenizer)?;
    tokenizer.check(encoder.config().vocabulary, encoder.config().positions, MOST_TOKENS)?;
    let hash = hash_of_files(&[&config, &weights])?;
    Ok(GatheredEncoder { name: name.to_owned(), hash, encoder: Arc::new(encoder), tokenizer: Some(tokenizer) })
}

fn gather_task(encoder: &GatheredEncoder, name: &str, gathering: &Gathering) -> anyhow::Result<GatheredTask> {
    let task = match &encoder.tokenizer {
        Some(tokenizer) => load_task(name, encoder.encoder.config(), tokenizer, gathering)?,
        None => made_up::task(),
    };
    if task.dropped > 0 {
        gathering.warn(&format!("{name}: {} examples of more than {MOST_TOKENS} tokens are left out", task.dropped));
    }
    Ok(task)
}

fn load_task(name: &str, config: &Config, tokenizer: &Tokenizer, gathering: &Gathering) -> anyhow::Result<GatheredTask> {
    let known = [Task::MovieSentiment].into_iter().chain(Task::GLUE).find(|task| task.name() == name);
    let task = known.with_context(|| format!("there is no task {name}"))?;
    let transfer = gathering.transfer(name);
    let report = |_: &str, done: u64, total: Option<u64>| transfer.progress(done, total);
    let found = data::find(task, gathering.data_dir, &Cache::from_env()?, &report)?;
    let (train, long) = encoded(&found.train, tokenizer)?;
    let (dev, longer) = encoded(&found.dev, tokenizer)?;
    let task = GatheredTask::new(name, task.kind(), task.metric(), train, dev);
    for Labelled { ids, token_types, .. } in task.train.iter().chain(&task.dev) {
        config.check(ids, token_types)?;
    }
    Ok(GatheredTask { dropped: long + longer, ..task })
}

fn encoded(examples: &[Example], tokenizer: &Tokenizer) -> anyhow::Result<(Vec<Labelled>, usize)> {
    let encoded = tokenizer.encode_all(examples, MOST_TOKENS, TooLong::Drop)?;
    let labelled = encoded.examples.into_iter().map(|(tokens, label)| Labelled {
        token_types: tokens.token_types,
        ids: tokens.ids,
        label: match label {
            Label::Score(score) => score,
            Label::Class(class) => class as f32,
        },
    });
    Ok((labelled.collect(), encoded.dropped))
}

fn hash_of_files(paths: &[&Path]) -> anyhow::Result<String> {
    let mut hasher = blake3::Hasher::new();
    for path in paths {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    Ok(hasher.finalize().to_hex().to_string())
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
