//! A task as the encoder takes it.

use adaptation::Loss;
use adaptation::data::Kind;
use adaptation::evaluation::Labelled;
use adaptation::metrics::Metric;

/// A task with its examples as the encoder takes them.
pub struct GatheredTask {
    /// Hash of all examples.
    pub hash: String,
    /// Its name.
    pub name: String,
    /// What its labels are.
    pub(super) kind: Kind,
    /// What it is evaluated in.
    pub metric: Metric,
    /// The training pool.
    pub train: Vec<Labelled>,
    /// The dev split.
    pub dev: Vec<Labelled>,
    /// What was left out, and how much, for the provenance of the results.
    pub(super) left_out: Vec<(String, String)>,
}

impl GatheredTask {
    /// A task with these examples.
    pub fn new(name: &str, kind: Kind, metric: Metric, train: Vec<Labelled>, dev: Vec<Labelled>) -> Self {
        let hash = hash_of_examples(&[&train, &dev]);
        Self { hash, name: name.to_owned(), kind, metric, train, dev, left_out: Vec::new() }
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
