//! What the trials need besides their settings: models, and the E2E data as each of them takes it.

use std::path::Path;
use std::sync::Mutex;

use adaptation::{PromptedText, SequenceError, Template, TextTokenizer};
use anyhow::{Context, anyhow};
use lab::{BadInput, Gathering, Invalid, NotBrought, give_back_memory};
use sources::{Cache, Source, SourceError, expand_home};
use texts::e2e::{Data, E2eError, Group, Split, Version};
use texts::meteor::{Meteor, WordNet};

use super::made_up;
use super::network::{Loaded, Network, load};
use super::settings::Settings;
use super::trial::NlgTrial;
use crate::adaptation::{Sampling, check_source_names};

/// Models with their data, and METEOR.
pub struct Inputs {
    /// In the order of the settings.
    pub models: Vec<GatheredModel>,
    /// It keeps the words it has seen.
    pub meteor: Mutex<Meteor>,
}

/// A frozen model, and the data as it takes it.
pub struct GatheredModel {
    /// Its source's name.
    pub name: String,
    /// Hash of its files.
    pub hash: String,
    /// What is fine-tuned.
    pub network: Network,
    pub(super) tokenizer: TextTokenizer,
    /// What ends a text.
    pub(super) ends: Vec<u32>,
    /// Hash of all that follows.
    pub data: String,
    /// What training examples are drawn from.
    pub train: Vec<PromptedText>,
    /// What texts are written for, with people's own texts.
    pub groups: Vec<Group>,
    /// The prompt of each group.
    pub prompts: Vec<Vec<u32>>,
    /// The first text of each group behind its prompt.
    pub validation: Vec<PromptedText>,
}

impl Inputs {
    /// Gets models and data; downloads what is not in the cache.
    ///
    /// # Errors
    /// If something is not to be had or unusable, or the settings do not fit it.
    pub fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<Self> {
        check_source_names(&settings.sources, &made_up::MODELS)?;
        let meteor = match &settings.scores.wordnet {
            None => Meteor::exact_and_stem(),
            Some(directory) => Meteor::with_synonyms(word_net(directory)?),
        };
        gathering.record("METEOR", meteor.name());
        let is_made_up = settings.models.iter().any(|name| made_up::MODELS.contains(&name.as_str()));
        let data = if is_made_up { made_up::data() } else { find_data(settings.data.version, gathering)? };
        let model = |name: &String| -> anyhow::Result<GatheredModel> {
            let model = GatheredModel::gather(name, settings, &data, gathering)?;
            gathering.record(format!("model {name}"), model.hash.as_str());
            gathering.record(format!("data for {name}"), model.data.as_str());
            Ok(model)
        };
        let models = settings.models.iter().map(model).collect::<anyhow::Result<_>>()?;
        // Files and the numbers in them were held beside the weights.
        give_back_memory();
        Ok(Self { models, meteor: Mutex::new(meteor) })
    }

    /// The model of a trial, with the trial's data.
    ///
    /// # Errors
    /// If it was not gathered.
    pub fn model(&self, trial: &NlgTrial) -> anyhow::Result<&GatheredModel> {
        let is_it = |model: &&GatheredModel| model.hash == trial.model && model.data == trial.data;
        self.models.iter().find(is_it).context("no such model was gathered")
    }
}

fn word_net(directory: &Path) -> anyhow::Result<WordNet> {
    let read = expand_home(directory).map_err(anyhow::Error::from).and_then(|path| Ok(WordNet::read(&path)?));
    read.map_err(|error| BadInput(error.context("scores.wordnet")).into())
}

/// The CSVs, in the directory of data or in its folder `e2e`.
fn find_data(version: Version, gathering: &Gathering) -> anyhow::Result<Data> {
    let name = version.name();
    let Some(directory) = gathering.data_dir else {
        let message = "there is no E2E data: no source has it. Put its CSVs into a directory, or into DIR/e2e, and say \
            --data-dir DIR (docs/models-and-data.md)";
        return Err(NotBrought(anyhow!(message)).into());
    };
    let directory = expand_home(directory)?;
    let own = directory.join("e2e");
    let read = Data::read(if own.is_dir() { &own } else { &directory }, version);
    let data = read.map_err(|error| {
        let is_absent = matches!(error, E2eError::Absent { .. });
        let error = anyhow::Error::new(error).context(format!("E2E, {name} release"));
        if is_absent { anyhow::Error::from(NotBrought(error)) } else { BadInput(error).into() }
    })?;
    for (split, rows) in [("train", &data.train), ("dev", &data.dev)] {
        let file = rows.file.file_name().map_or_else(String::new, |file| file.to_string_lossy().into_owned());
        gathering.record(format!("E2E, {name}, {split}"), format!("{} rows of {file}", rows.rows.len()));
    }
    Ok(data)
}

fn find(name: &str, settings: &Settings, gathering: &Gathering) -> anyhow::Result<Loaded> {
    if let Some(loaded) = made_up::model(name) {
        return Ok(loaded);
    }
    let unknown = || {
        let known = "smollm2-135m-instruct, t5-base, those of [sources], tiny-llama, tiny-t5";
        BadInput(anyhow!("models: {name:?} is not allowed; allowed: {known}"))
    };
    let source = settings.sources.get(name).cloned().or_else(|| Source::named(name)).ok_or_else(unknown)?;
    let transfer = gathering.transfer(name);
    let report = |_: &str, done: u64, total: Option<u64>| transfer.progress(done, total);
    let files = source.fetch(&Cache::from_env(), &report).map_err(|error| match error {
        SourceError::Io { .. } => anyhow::Error::from(error),
        error if error.is_unreachable() => anyhow::Error::from(error),
        error => BadInput(error.into()).into(),
    });
    load(name, files.with_context(|| format!("the model {name}"))?.directory(), gathering)
}

impl GatheredModel {
    fn gather(name: &str, settings: &Settings, data: &Data, gathering: &Gathering) -> anyhow::Result<Self> {
        let Loaded { hash, network, tokenizer, ends } = find(name, settings, gathering)?;
        check_fit(name, &network, settings)?;
        let template = Template { separator: settings.template.text().to_owned(), end: ends[0] };
        let reader = Reader { network: &network, template, tokenizer: &tokenizer, settings, name };
        let train: Vec<PromptedText> =
            reader.rows(&data.train, "train", gathering)?.into_iter().map(|(_, text)| text).collect();
        check_pool(settings, &train)?;
        let dev = reader.rows(&data.dev, "dev", gathering)?;
        let kept = Split {
            file: data.dev.file.clone(),
            rows: dev.iter().map(|(row, _)| data.dev.rows[*row].clone()).collect(),
        };
        let mut groups = kept.groups();
        let count = settings.data.meanings.map_or(groups.len(), |meanings| *meanings);
        groups = spread(&groups, count).cloned().collect();
        let first = |group: &Group| {
            let of = |(row, _): &&(usize, PromptedText)| data.dev.rows[*row].meaning == group.meaning;
            dev.iter().find(of).map(|(_, text)| text.clone()).expect("a group has a row")
        };
        let validation: Vec<PromptedText> = groups.iter().map(first).collect();
        let prompts = validation.iter().map(|text| text.prompt.clone()).collect();
        let mut model = Self {
            name: name.to_owned(),
            hash,
            network,
            tokenizer,
            ends,
            data: String::new(),
            train,
            groups,
            prompts,
            validation,
        };
        model.data = model.hash_of_data();
        Ok(model)
    }

    /// Hash of the data as the model takes it.
    fn hash_of_data(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for PromptedText { prompt, text } in self.train.iter().chain(&self.validation) {
            for ids in [prompt, text] {
                hasher.update(&(ids.len() as u64).to_le_bytes());
                for id in ids {
                    hasher.update(&id.to_le_bytes());
                }
            }
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// Whether a model can do what the settings ask of it.
fn check_fit(name: &str, network: &Network, settings: &Settings) -> Result<(), Invalid> {
    let limit = *settings.data.most_tokens;
    if let Some(positions) = network.positions() {
        let half = positions / 2;
        let allowed = format!(
            "at most {half}: a meaning representation and a text behind it, of so many tokens each, must fit into the \
             {positions} positions of {name}"
        );
        Invalid::unless(limit <= half, "data.most_tokens", limit, allowed)?;
        let (left, most) = (positions - limit, *settings.generation.most_tokens);
        let allowed = format!("at most {left}: the {positions} positions of {name} less data.most_tokens ({limit})");
        Invalid::unless(most <= left, "generation.most_tokens", most, allowed)?;
    }
    let sites = network.sites_from(*settings.smallest_side);
    let sides = sites.iter().map(|&site| <[usize; 2]>::from(network.shape(site)).into_iter().min());
    let Some(narrowest) = sides.flatten().min() else {
        let allowed = format!("at most the sides of some 2-D weight of {name}");
        return Err(Invalid::new("smallest_side", settings.smallest_side, allowed));
    };
    let allowed = format!("a whole number from 1 to the smallest side of an adapted weight of {name} ({narrowest})");
    Invalid::unless(*settings.rank <= narrowest, "rank", settings.rank, allowed)?;
    settings.methods.check_initial_ranks(&[settings.rank], narrowest, "smallest side of an adapted weight")
}

/// Whether there are enough training examples, where each is drawn once.
fn check_pool(settings: &Settings, train: &[PromptedText]) -> Result<(), Invalid> {
    let enough = settings.training.sampling == Sampling::WithReplacement || *settings.examples <= train.len();
    let allowed = format!("a whole number from 1 to the rows of train ({}): each is drawn once", train.len());
    Invalid::unless(enough, "examples", settings.examples, allowed)
}

/// So many of the items, or all if there are not so many, spread evenly over them.
pub(super) fn spread<T>(items: &[T], count: usize) -> impl Iterator<Item = &T> {
    let count = count.min(items.len());
    (0..count).map(move |place| &items[place * items.len() / count])
}

/// Turns rows into tokens.
struct Reader<'a> {
    network: &'a Network,
    template: Template,
    tokenizer: &'a TextTokenizer,
    settings: &'a Settings,
    name: &'a str,
}

impl Reader<'_> {
    /// The rows that are short enough, by their index, as tokens.
    fn rows(&self, split: &Split, what: &str, gathering: &Gathering) -> anyhow::Result<Vec<(usize, PromptedText)>> {
        let limit = *self.settings.data.most_tokens;
        let mut kept = Vec::new();
        for (index, row) in split.rows.iter().enumerate() {
            let meaning = row.meaning.to_string();
            let text = self.network.prompted(self.tokenizer, &self.template, &meaning, &row.reference)?;
            if text.prompt.len() <= limit && text.text.len() <= limit {
                kept.push((index, text));
            }
        }
        let (all, name) = (split.rows.len(), self.name);
        if kept.is_empty() {
            let allowed = format!("so many that a row of {what} is short enough for {name}");
            return Err(Invalid::new("data.most_tokens", limit, allowed).into());
        }
        if kept.len() < all {
            gathering.record(format!("rows of {what} too long for {name}"), format!("{} of {all}", all - kept.len()));
        }
        Ok(kept)
    }
}

/// What is wrong with a prompt.
pub(super) fn unreadable(error: SequenceError) -> anyhow::Error {
    BadInput(error.into()).into()
}
