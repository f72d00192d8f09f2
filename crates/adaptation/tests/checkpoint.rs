//! Checkpoints: a resumed run writes the same bytes as one that never stopped; what is damaged or foreign is refused.

use std::fs;
use std::path::{Path, PathBuf};

use adaptation::adapter::{Compressed, DeepLora, Width};
use adaptation::checkpoint::{CheckpointError, Position, restore, save};
use adaptation::method::Recipe;
use adaptation::{AdamW, AdamWSettings, Adapters, Applied, AppliedGradient, Batch, Method, Real, Site};
use dynamics::random::{gaussian, stream};
use faer::{Mat, Par};

const DEEP: Method = Method::DeepLora(DeepLora { rank: Width::Narrow(2), depth: 3, init_scale: 0.5 });
const COMPRESSED: Method = Method::Compressed(Compressed { rank: 2, depth: 3, init_scale: 0.5, discrepant_step: 0.01 });

/// A run without a network: the gradient of the applied factors is the factors themselves, turned and scaled.
struct Run<T: Real> {
    adapters: Adapters<T>,
    optimizer: AdamW<T>,
}

fn shape(site: Site) -> (usize, usize) {
    match site {
        Site::WordEmbeddings => (300, 6),
        Site::Intermediate(_) => (9, 6),
        _ => (6, 6),
    }
}

impl<T: Real> Run<T> {
    fn new(method: Method, seed: u64) -> Self {
        let sites = [Site::WordEmbeddings, Site::Query(0), Site::Intermediate(1)];
        let mut probe = Adapters::<T>::probe(&sites, shape);
        for &site in &sites {
            let (m, n) = shape(site);
            let random = gaussian(m, n, &mut stream(1, &[&site.name()]));
            match probe.applied_and_gradient(site) {
                Some((_, AppliedGradient::Merged(gradient))) => {
                    *gradient = Mat::from_fn(m, n, |i, j| T::of(random[(i, j)]));
                }
                Some((_, AppliedGradient::MergedRows(gradient))) => {
                    gradient.keep([3, 17, 20].into_iter());
                    gradient.add(17, &[T::of(1.0); 6]);
                    gradient.add(20, &[T::of(0.5); 6]);
                }
                _ => panic!("a probe is merged"),
            }
        }
        let adapters = method.adapters(&sites, shape, |_| 9, Some(&probe), seed).unwrap();
        let settings = AdamWSettings { discrepant_step: method.discrepant_step(), ..AdamWSettings::default() };
        let optimizer = AdamW::new(settings, &adapters);
        Self { adapters, optimizer }
    }

    fn steps(&mut self, steps: std::ops::Range<u64>) {
        for step in steps {
            let ids: Vec<u32> = (0..5).map(|place| (40 * place + 11 * (step as u32 % 4)) % 300).collect();
            let mut batch = Batch::new();
            batch.push(&ids, &[0; 5]);
            self.optimizer.catch_up(&mut self.adapters, &batch);
            for site in self.adapters.sites().collect::<Vec<_>>() {
                let (applied, gradient) = self.adapters.applied_and_gradient(site).unwrap();
                let Applied::Factored { left, right } = applied else { panic!("factored methods only") };
                let turned = |i: usize, value: T| value * T::of(((i as u64 + step) % 5) as f64 - 1.5);
                let (left, right) = (left.to_owned(), right.to_owned());
                let of_right = Mat::from_fn(right.nrows(), right.ncols(), |i, j| turned(j, right[(i, j)]));
                match gradient {
                    AppliedGradient::Factored { left: of_left, right } => {
                        *of_left = Mat::from_fn(left.nrows(), left.ncols(), |i, j| turned(i, left[(i, j)]));
                        *right = of_right;
                    }
                    AppliedGradient::FactoredRows { left: of_left, right } => {
                        of_left.keep(ids.iter().map(|&id| id as usize));
                        for row in ids.iter().map(|&id| id as usize) {
                            let summand: Vec<T> = (0..left.ncols()).map(|j| turned(row, left[(row, j)])).collect();
                            of_left.add(row, &summand);
                        }
                        *right = of_right;
                    }
                    _ => panic!("factored methods only"),
                }
            }
            self.adapters.pull_back(Par::Seq);
            self.optimizer.step(&mut self.adapters, 1e-2, Par::Seq);
            self.adapters.refresh(Par::Seq);
        }
    }

    fn save(&mut self, directory: &Path, step: u64) {
        save(directory, "settings", &position(step), &mut self.adapters, &mut self.optimizer).unwrap();
    }

    fn restore(&mut self, directory: &Path) -> Result<Option<Position>, CheckpointError> {
        restore(directory, "settings", &mut self.adapters, &mut self.optimizer)
    }
}

fn position(step: u64) -> Position {
    Position { epoch: step / 2, batch: step % 2, step }
}

/// Names and bytes of all files.
fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().into(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

fn resumes_to_the_same_bytes<T: Real>(method: Method) {
    let (straight, resumed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut run = Run::<T>::new(method, 3);
    run.steps(0..9);
    run.save(straight.path(), 9);

    let mut first = Run::<T>::new(method, 3);
    first.steps(0..2);
    first.save(resumed.path(), 2);
    first.steps(2..5);
    first.save(resumed.path(), 5);
    drop(first);
    // Another seed: nothing of what it drew may stay.
    let mut second = Run::<T>::new(method, 4);
    assert_eq!(second.restore(resumed.path()).unwrap(), Some(position(5)));
    second.steps(5..9);
    second.save(resumed.path(), 9);
    assert_eq!(contents(straight.path()), contents(resumed.path()));
    assert_eq!(contents(resumed.path()).len(), 2, "tensors of earlier checkpoints are removed");
}

#[test]
fn a_resumed_run_writes_the_same_bytes() {
    resumes_to_the_same_bytes::<f32>(DEEP);
    resumes_to_the_same_bytes::<f64>(DEEP);
    resumes_to_the_same_bytes::<f32>(COMPRESSED);
}

#[test]
fn restoring_brings_the_applied_forms_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = Run::<f32>::new(DEEP, 3);
    run.steps(0..3);
    run.save(directory.path(), 3);
    let mut other = Run::<f32>::new(DEEP, 4);
    other.restore(directory.path()).unwrap();
    assert_eq!(run.adapters.delta(Site::Query(0)), other.adapters.delta(Site::Query(0)));
}

#[test]
fn without_a_checkpoint_there_is_nothing_to_restore() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(Run::<f32>::new(DEEP, 3).restore(directory.path()).unwrap(), None);
    assert_eq!(Run::<f32>::new(DEEP, 3).restore(&directory.path().join("absent")).unwrap(), None);
}

/// A run killed between the two files leaves the tensors of a checkpoint that does not count yet.
#[test]
fn a_checkpoint_that_was_not_finished_does_not_count() {
    let (directory, later) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut run = Run::<f32>::new(DEEP, 3);
    run.steps(0..2);
    run.save(directory.path(), 2);
    run.steps(2..4);
    run.save(later.path(), 4);
    for (name, bytes) in contents(later.path()).into_iter().filter(|(name, _)| name != Path::new("checkpoint.toml")) {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    assert_eq!(Run::<f32>::new(DEEP, 3).restore(directory.path()).unwrap(), Some(position(2)));
}

/// Every truncation and every changed byte of the TOML, and some of the tensors, is found; the run is left as it was.
#[test]
fn damage_is_found_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = Run::<f32>::new(DEEP, 3);
    run.steps(0..3);
    run.save(directory.path(), 3);
    for (name, bytes) in contents(directory.path()) {
        let path = directory.path().join(&name);
        let stride = if bytes.len() > 10_000 { 997 } else { 1 };
        for place in (0..bytes.len()).step_by(stride) {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            for damaged in [&bytes[..place], &changed] {
                fs::write(&path, damaged).unwrap();
                let mut other = Run::<f32>::new(DEEP, 4);
                let before = other.adapters.delta(Site::Query(0));
                let error = other.restore(directory.path()).expect_err("damage must be found");
                assert!(matches!(error, CheckpointError::Damaged { .. }), "{name:?} at {place}: {error}");
                assert!(error.to_string().contains("damaged checkpoint"), "{error}");
                assert_eq!((other.adapters.delta(Site::Query(0)), other.optimizer.steps()), (before, 0));
            }
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert!(Run::<f32>::new(DEEP, 4).restore(directory.path()).unwrap().is_some());
}

#[test]
fn missing_tensors_are_named() {
    let directory = tempfile::tempdir().unwrap();
    Run::<f32>::new(DEEP, 3).save(directory.path(), 0);
    let (tensors, _) = contents(directory.path()).pop().unwrap();
    fs::remove_file(directory.path().join(&tensors)).unwrap();
    let error = Run::<f32>::new(DEEP, 3).restore(directory.path()).unwrap_err().to_string();
    assert!(error.contains(tensors.to_str().unwrap()), "{error}");
}

#[test]
fn checkpoints_of_other_runs_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = Run::<f32>::new(DEEP, 3);
    run.save(directory.path(), 0);
    let other = restore::<_, Position>(directory.path(), "others", &mut run.adapters, &mut run.optimizer);
    assert!(other.unwrap_err().to_string().contains("its settings have the hash settings, this run's others"));

    let refused = |result: Result<Option<Position>, CheckpointError>, what: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error, CheckpointError::OtherRun { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    };
    let wider = Method::DeepLora(DeepLora { rank: Width::Narrow(3), depth: 3, init_scale: 0.5 });
    refused(Run::<f32>::new(wider, 3).restore(directory.path()), "W_1 is [2, 6] of F32, not [3, 6]");
    refused(Run::<f64>::new(DEEP, 3).restore(directory.path()), "of F32, not [2, 6]");
    refused(Run::<f32>::new(COMPRESSED, 3).restore(directory.path()), "it has no tensor embeddings.word_embeddings.V");
}

/// A run may keep anything that serializes, and gets the very numbers back.
#[test]
fn any_position_is_kept() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Kept {
        step: u64,
        losses: Vec<f64>,
    }
    let directory = tempfile::tempdir().unwrap();
    let mut run = Run::<f32>::new(DEEP, 3);
    let kept = Kept { step: 3, losses: vec![0.1 + 0.2, 1e-300, 3.0] };
    save(directory.path(), "settings", &kept, &mut run.adapters, &mut run.optimizer).unwrap();
    let found = restore(directory.path(), "settings", &mut run.adapters, &mut run.optimizer).unwrap();
    assert_eq!(found, Some(kept));
}

#[test]
fn what_cannot_be_written_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut run = Run::<f32>::new(DEEP, 3);
    let error =
        save(&file.path().join("run"), "settings", &position(0), &mut run.adapters, &mut run.optimizer).unwrap_err();
    assert!(error.to_string().starts_with("cannot write ") && error.to_string().ends_with("run"), "{error}");
}
