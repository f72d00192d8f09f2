//! The ratings: of known data sets, of the user's files, or made up.

use anyhow::{Context, anyhow};
use dynamics::completion::Entry;
use dynamics::random::{Generator, gaussian, stream};
use entries::{EntriesError, Known, Table};
use lab::{BadInput, Gathering, Invalid};
use rand::RngExt;
use sources::Cache;

use super::Settings;

/// The data set that is made up, for tests: half of the entries of a noisy 60 × 40 matrix of rank 2.
pub const MADE_UP: &str = "made-up";

/// All data sets that are to be had.
pub struct Ratings {
    pub(super) sets: Vec<DataSet>,
}

/// One of them.
pub struct DataSet {
    pub(super) name: String,
    pub(super) shape: (usize, usize),
    pub(super) entries: Vec<Entry>,
    /// Of shape and entries.
    pub(super) hash: String,
}

impl Ratings {
    /// Gets them; one whose source is out of reach is left out, with a warning.
    pub(super) fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<Self> {
        let (mut sets, mut absent) = (Vec::new(), None);
        for name in settings.data.iter() {
            match load(name, settings, gathering) {
                Ok(set) => sets.push(set),
                Err(EntriesError::Source(why)) if why.is_unreachable() => {
                    gathering.warn(&format!("left out: {name}: {why}"));
                    absent = Some(why);
                }
                Err(error @ EntriesError::Source(_)) => return Err(error).with_context(|| name.clone()),
                Err(error) => return Err(BadInput(anyhow::Error::new(error).context(name.clone())).into()),
            }
        }
        if let (true, Some(why)) = (sets.is_empty(), absent) {
            return Err(anyhow!(why).context("no ratings are to be had"));
        }
        for DataSet { name, hash, shape, entries } in &sets {
            check_ranks(settings, name, *shape)?;
            check_values(name, entries)?;
            gathering.record(format!("ratings of {name}"), hash.clone());
            gathering
                .record(format!("size of {name}"), format!("{} ratings of {} × {}", entries.len(), shape.0, shape.1));
        }
        Ok(Self { sets })
    }

    /// The data set of this name.
    pub(super) fn set(&self, name: &str) -> anyhow::Result<&DataSet> {
        self.sets.iter().find(|set| set.name == name).with_context(|| format!("no ratings of {name} were gathered"))
    }
}

fn load(name: &str, settings: &Settings, gathering: &Gathering) -> Result<DataSet, EntriesError> {
    if name == MADE_UP {
        return Ok(DataSet::new(name, (60, 40), made_up(&mut stream(settings.seed, &["ratings", MADE_UP]))));
    }
    let table = match (settings.files.get(name), Known::ALL.into_iter().find(|known| known.name() == name)) {
        (Some(file), _) => Table::read(&file.path, &file.format())?,
        (None, Some(known)) => {
            let transfer = gathering.transfer(name);
            known.load(&Cache::from_env(), &|_: &str, done, total| transfer.progress(done, total))?
        }
        (None, None) => unreachable!("names are checked"),
    };
    if table.repeated > 0 {
        gathering.warn(&format!("{name}: {} ratings were there already: their means count", table.repeated));
    }
    Ok(DataSet::new(name, table.shape(), table.entries))
}

impl DataSet {
    fn new(name: &str, shape: (usize, usize), entries: Vec<Entry>) -> Self {
        let mut hasher = blake3::Hasher::new();
        let mut add = |number: u64| {
            hasher.update(&number.to_le_bytes());
        };
        [shape.0, shape.1].into_iter().for_each(|side| add(side as u64));
        for (i, j, value) in &entries {
            [*i as u64, *j as u64, value.to_bits()].into_iter().for_each(&mut add);
        }
        Self { name: name.to_owned(), shape, entries, hash: hasher.finalize().to_hex().to_string() }
    }
}

fn made_up(rng: &mut Generator) -> Vec<Entry> {
    let product = gaussian(60, 2, rng) * gaussian(2, 40, rng);
    let places = (0..60).flat_map(|i| (0..40).map(move |j| (i, j)));
    let noisy = |(i, j)| (i, j, 3.0 + product[(i, j)] + rng.random_range(-0.5..0.5));
    places.filter(|(i, j)| (7 * i + 3 * j) % 2 == 0).map(noisy).collect()
}

/// Checks that there is something to learn.
fn check_values(name: &str, entries: &[Entry]) -> anyhow::Result<()> {
    let value = entries.first().map_or(0.0, |entry| entry.2);
    if entries.iter().all(|entry| entry.2 == value) {
        return Err(BadInput(anyhow!(
            "{name}: all {} ratings are {value}; allowed: ratings that differ",
            entries.len()
        ))
        .into());
    }
    Ok(())
}

/// Checks ranks against the size of the data.
fn check_ranks(settings: &Settings, name: &str, (rows, columns): (usize, usize)) -> anyhow::Result<()> {
    let shorter = rows.min(columns);
    let guesses = settings.networks.rank_guesses.iter().enumerate();
    let guesses = guesses.map(|(i, rank)| (format!("networks.rank_guesses.{i}"), shorter / 2, **rank));
    let ranks = settings.als.ranks.iter().enumerate();
    let ranks = ranks.map(|(i, rank)| (format!("als.ranks.{i}"), shorter, **rank));
    let largest = ("soft_impute.rank".to_owned(), shorter, *settings.soft_impute.rank);
    for (key, most, rank) in guesses.chain(ranks).chain([largest]) {
        let allowed = format!("at most {most} for {name}, a {rows} × {columns} matrix");
        Invalid::unless(rank <= most, key, rank, allowed)?;
    }
    Ok(())
}
