//! Gradients of the applied forms against central differences on a tiny random encoder in `f64`; what the results may not
//! depend on; and what a pass may not touch.

use std::sync::Arc;

use crate::fixed::Fixed;
use adaptation::adapter::{DeepLora, Lora, Width, ZeroFactor};
use adaptation::{
    Activations, AdamW, AdamWSettings, Adapters, Applied, AppliedGradient, Batch, Config, Dropout, Encoder, Head, Loss,
    Method, Network, Pooling, Real, Site,
};
use dynamics::random::{Generator, gaussian, stream};
use faer::{Mat, Par};
use rand::RngExt;

const RANK: usize = 3;
const VOCABULARY: usize = 30;

fn rng(purpose: &str) -> Generator {
    stream(2, &["encoder gradients", purpose])
}

fn network(pooling: Pooling, outputs: usize) -> Network<f64> {
    network_of(Config::tiny(VOCABULARY), pooling, outputs)
}

fn network_of(config: Config, pooling: Pooling, outputs: usize) -> Network<f64> {
    let encoder = Arc::new(Encoder::random(config, 0.2, &mut rng("encoder")));
    let mut head = Head::random(outputs, 24, 0.02, &mut rng("head"));
    head.weight *= faer::Scale(20.0);
    Network { encoder, pooling, head }
}

/// Sequences of these lengths, all of different tokens from one end of the vocabulary, so that some rows are never used.
fn batch(lengths: &[usize]) -> Batch {
    let (mut batch, mut rng) = (Batch::new(), rng("batch"));
    for &length in lengths {
        let ids: Vec<u32> = (0..length).map(|_| rng.random_range(0..VOCABULARY as u32 / 2)).collect();
        let types: Vec<u8> = (0..length).map(|place| u8::from(place > length / 2)).collect();
        batch.push(&ids, &types);
    }
    batch
}

fn sites() -> Vec<Site> {
    let layer = |l| {
        [Site::Query(l), Site::Key(l), Site::Value(l), Site::AttentionOutput(l), Site::Intermediate(l), Site::Output(l)]
    };
    let ends = [Site::WordEmbeddings, Site::PositionEmbeddings, Site::Pooler];
    ends.into_iter().chain((0..2).flat_map(layer)).collect()
}

/// `ΔW` of every site by its numbers: one list per matrix.
#[derive(Clone)]
struct Deltas(Vec<(Site, Vec<Mat<f64>>)>);

impl Deltas {
    fn random(config: &Config, sites: &[Site], merged: impl Fn(Site) -> bool) -> Self {
        let mut rng = rng("deltas");
        let of = |&site: &Site| {
            let (m, n) = config.shape(site);
            let matrices = if merged(site) {
                vec![faer::Scale(0.1) * gaussian(m, n, &mut rng)]
            } else {
                vec![faer::Scale(0.2) * gaussian(m, RANK, &mut rng), faer::Scale(0.2) * gaussian(RANK, n, &mut rng)]
            };
            (site, matrices)
        };
        Self(sites.iter().map(of).collect())
    }

    fn adapters(&self) -> Adapters<f64> {
        let mut adapters = Adapters::new();
        for (site, matrices) in &self.0 {
            adapters.insert(
                *site,
                match &matrices[..] {
                    [delta] => Box::new(Fixed::merged(delta.clone())),
                    [left, right] => Box::new(Fixed::factored(left.clone(), right.clone())),
                    _ => unreachable!("one or two matrices"),
                },
            );
        }
        adapters
    }
}

/// A network, a batch, labels and dropout: what a loss is a function of, but the adapters.
struct Problem {
    network: Network<f64>,
    batch: Batch,
    loss: Loss,
    labels: Vec<f32>,
    dropout: Dropout,
}

impl Problem {
    fn new(pooling: Pooling, loss: Loss, dropout: Dropout) -> Self {
        let (outputs, labels) = match loss {
            Loss::MeanSquaredError => (1, vec![0.5, -1.0, 2.0, 0.1]),
            Loss::CrossEntropy => (3, vec![2.0, 0.0, 1.0, 1.0]),
        };
        Self { network: network(pooling, outputs), batch: batch(&[5, 1, 18, 3]), loss, labels, dropout }
    }

    fn run(&self, adapters: &mut Adapters<f64>, activations: &mut Activations<f64>, par: Par) -> f64 {
        self.network.forward(&self.batch, adapters, &self.dropout, activations, par);
        let mut d_logits = Mat::zeros(self.network.head.outputs(), self.labels.len());
        let loss = self.loss.value_and_gradient(activations.logits(), &self.labels, d_logits.as_mut());
        self.network.backward(&self.batch, d_logits.as_ref(), adapters, activations, par);
        loss
    }

    fn loss(&self, deltas: &Deltas) -> f64 {
        self.run(&mut deltas.adapters(), &mut Activations::new(), Par::Seq)
    }
}

fn gradient(adapters: &Adapters<f64>, site: Site) -> Vec<Mat<f64>> {
    match adapters.gradient(site).expect("an adapter") {
        AppliedGradient::Factored { left, right } => vec![left.clone(), right.clone()],
        AppliedGradient::Merged(delta) => vec![delta.clone()],
        AppliedGradient::FactoredRows { left, right } => vec![left.to_dense(), right.clone()],
        AppliedGradient::MergedRows(delta) => vec![delta.to_dense()],
    }
}

/// The derivative along a random direction of every matrix.
fn check(problem: &Problem, deltas: &Deltas, what: &str) {
    let mut adapters = deltas.adapters();
    problem.run(&mut adapters, &mut Activations::new(), Par::Seq);
    let mut rng = rng("directions");
    for (place, (site, matrices)) in deltas.0.iter().enumerate() {
        for (which, gradient) in gradient(&adapters, *site).iter().enumerate() {
            let direction = gaussian(gradient.nrows(), gradient.ncols(), &mut rng);
            let direction = faer::Scale(1.0 / direction.norm_l2()) * direction;
            let at = |step: f64| {
                let mut moved = deltas.clone();
                moved.0[place].1[which] = &matrices[which] + faer::Scale(step) * &direction;
                problem.loss(&moved)
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            let along: f64 = (0..direction.ncols()).map(|j| direction.col(j).transpose() * gradient.col(j)).sum();
            let error = (difference - along).abs();
            assert!(
                error < 1e-6 * gradient.norm_l2() + 1e-9,
                "{what}, {site:?}, matrix {which}: {along:.9e}, by differences {difference:.9e}"
            );
            // Only an unused pooler has nothing to learn.
            assert!(gradient.norm_l2() > 1e-8 || *site == Site::Pooler, "{what}, {site:?}: a vanishing gradient");
        }
    }
}

#[test]
fn central_differences() {
    let seeded = Dropout::Seeded { seed: 3, step: 7 };
    for pooling in [Pooling::Pooler, Pooling::Mean] {
        for loss in [Loss::MeanSquaredError, Loss::CrossEntropy] {
            for dropout in [Dropout::Off, seeded.clone()] {
                let problem = Problem::new(pooling, loss, dropout.clone());
                let config = problem.network.encoder.config();
                for merged in [false, true] {
                    let deltas = Deltas::random(config, &sites(), |_| merged);
                    check(&problem, &deltas, &format!("{pooling:?}, {loss:?}, {dropout:?}, merged: {merged}"));
                }
            }
        }
    }
}

/// Through a bias by relative position, positions from 2 on and no token types.
#[test]
fn central_differences_of_mpnet() {
    for (pooling, dropout) in [(Pooling::Pooler, Dropout::Seeded { seed: 3, step: 7 }), (Pooling::Mean, Dropout::Off)] {
        let mut problem = Problem::new(pooling, Loss::MeanSquaredError, dropout);
        problem.network = network_of(Config::tiny_mpnet(VOCABULARY), pooling, 1);
        // Beyond the buckets of one distance each.
        problem.batch = batch(&[5, 1, 40, 3]);
        let config = problem.network.encoder.config();
        for merged in [false, true] {
            let deltas = Deltas::random(config, &sites(), |_| merged);
            check(&problem, &deltas, &format!("MPNet, {pooling:?}, merged: {merged}"));
        }
        let mut adapters = Deltas::random(config, &[Site::PositionEmbeddings], |_| true).adapters();
        problem.run(&mut adapters, &mut Activations::new(), Par::Seq);
        let gradient = &gradient(&adapters, Site::PositionEmbeddings)[0];
        let used: Vec<bool> = (0..42).map(|row| gradient.row(row).norm_max() > 0.0).collect();
        assert_eq!(used, (0..42).map(|row| row >= 2).collect::<Vec<_>>(), "rows of the position embeddings");
    }
}

/// Rows of MPNet's positions begin at 2. Steps on batches of other lengths end where those end that bring all rows up to date.
#[test]
fn positions_of_mpnet_are_brought_up_to_date() {
    let method = Method::Lora(Lora { rank: 2, zero: ZeroFactor::Output });
    let end = |all_rows: bool| {
        let mut problem = Problem::new(Pooling::Mean, Loss::MeanSquaredError, Dropout::Off);
        problem.network = network_of(Config::tiny_mpnet(VOCABULARY), Pooling::Mean, 1);
        let config = problem.network.encoder.config().clone();
        let sites = [Site::WordEmbeddings, Site::PositionEmbeddings];
        let mut adapters: Adapters<f64> =
            method.adapters(&sites, |site| config.shape(site), |_| 16, None, 1).expect("adapters");
        let mut optimizer = AdamW::new(AdamWSettings::default(), &adapters);
        for (step, longest) in (0..).zip([10, 5, 8]) {
            problem.batch = batch(&[longest, 1, 2, 3]);
            match all_rows {
                true => optimizer.catch_up_all(&mut adapters),
                false => optimizer.catch_up(&mut adapters, &problem.batch),
            }
            problem.run(&mut adapters, &mut Activations::new(), Par::Seq);
            adapters.pull_back(Par::Seq);
            optimizer.step(&mut adapters, 1e-2, Par::Seq);
            adapters.after_step(step, 3);
            adapters.refresh(Par::Seq);
        }
        optimizer.catch_up_all(&mut adapters);
        let values = adapters.parameters().map(|(_, parameter)| parameter.value.clone());
        values.collect::<Vec<_>>()
    };
    assert_eq!(end(false), end(true));
}

/// Every selection that a pass back can end at gives the gradients that the whole way back gives.
#[test]
fn ending_early_changes_nothing() {
    let problem = Problem::new(Pooling::Pooler, Loss::MeanSquaredError, Dropout::Seeded { seed: 1, step: 1 });
    let config = problem.network.encoder.config();
    // Zero at all other sites, so that the function is the same whether they are adapted or not.
    for kept in sites() {
        let mut all = Deltas::random(config, &sites(), |_| false);
        for (site, matrices) in &mut all.0 {
            if *site != kept {
                matrices[0].fill(0.0);
            }
        }
        let one = Deltas(all.0.iter().filter(|(site, _)| *site == kept).cloned().collect());
        let (mut all, mut one) = (all.adapters(), one.adapters());
        problem.run(&mut all, &mut Activations::new(), Par::Seq);
        problem.run(&mut one, &mut Activations::new(), Par::Seq);
        for (all, one) in gradient(&all, kept).iter().zip(&gradient(&one, kept)) {
            let error = (all - one).norm_max();
            assert!(error < 1e-12, "{kept:?}: off by {error:.1e}");
        }
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads_and_used_buffers() {
    let mut problem = Problem::new(Pooling::Mean, Loss::MeanSquaredError, Dropout::Seeded { seed: 1, step: 1 });
    let lengths: Vec<usize> = (0..40).map(|i| 1 + (7 * i) % 40).collect();
    problem.labels = lengths.iter().map(|&length| length as f32 / 40.0).collect();
    let deltas = Deltas::random(problem.network.encoder.config(), &sites(), |site| site == Site::Intermediate(1));
    let mut activations = Activations::new();
    let mut found = Vec::new();
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        // A smaller and a larger batch before, on the same buffers.
        for lengths in [&[3, 40][..], &[40; 50], &lengths] {
            problem.batch = batch(lengths);
            problem.labels.resize(lengths.len(), 0.5);
            let mut adapters = deltas.adapters();
            let par = if threads == 1 { Par::Seq } else { Par::rayon(threads) };
            let loss = pool.install(|| problem.run(&mut adapters, &mut activations, par));
            if lengths.len() == 40 {
                let gradients: Vec<_> = sites().iter().flat_map(|&site| gradient(&adapters, site)).collect();
                found.push((loss, gradients));
            }
        }
    }
    assert!(found.iter().all(|one| *one == found[0]));
    let mut fresh = deltas.adapters();
    assert_eq!(problem.run(&mut fresh, &mut Activations::new(), Par::Seq), found[0].0);
}

/// A sequence's logits do not depend on its neighbours: neither its attention nor, with its number in the batch the same, its
/// dropout.
#[test]
fn sequences_do_not_see_each_other() {
    let network = network(Pooling::Mean, 3);
    let (adapters, dropout) = (Adapters::new(), Dropout::Seeded { seed: 5, step: 9 });
    let logits = |second: &[u32]| {
        let mut batch = Batch::new();
        for ids in [&[1, 2, 3][..], second, &[4, 5, 6, 7]] {
            batch.push(ids, &vec![0; ids.len()]);
        }
        let mut activations = Activations::new();
        network.forward(&batch, &adapters, &dropout, &mut activations, Par::Seq);
        activations.logits().to_owned()
    };
    let (short, long) = (logits(&[9]), logits(&[8; 30]));
    for sequence in [0, 2] {
        let error = (short.col(sequence) - long.col(sequence)).norm_max();
        assert!(error < 1e-13, "sequence {sequence}: {error:.1e}");
    }
    assert!((short.col(1) - long.col(1)).norm_max() > 1e-3);
}

/// Gradients of the step before are gone, also those of tokens that this batch does not have.
#[test]
fn rows_of_absent_tokens_have_no_gradient() {
    let mut problem = Problem::new(Pooling::Mean, Loss::MeanSquaredError, Dropout::Off);
    for merged in [false, true] {
        let tables = [Site::WordEmbeddings, Site::PositionEmbeddings];
        let deltas = Deltas::random(problem.network.encoder.config(), &tables, |_| merged);
        let (mut adapters, mut activations) = (deltas.adapters(), Activations::new());
        problem.batch = batch(&[10; 4]);
        problem.run(&mut adapters, &mut activations, Par::Seq);
        problem.batch = Batch::new();
        for ids in [[3, 5], [5, 7], [3, 3], [7, 5]] {
            problem.batch.push(&ids, &[0, 0]);
        }
        problem.run(&mut adapters, &mut activations, Par::Seq);
        for (table, present) in [(Site::WordEmbeddings, &[3, 5, 7][..]), (Site::PositionEmbeddings, &[0, 1])] {
            let gradient = &gradient(&adapters, table)[0];
            for row in 0..gradient.nrows() {
                let largest = gradient.row(row).norm_max();
                assert_eq!(largest > 0.0, present.contains(&row), "{table:?}, row {row}: {largest}");
            }
        }
    }
}

/// A full-width adapter on an embedding hands its rows' gradient back as a dense one would, and the probe `ΔW`'s.
#[test]
fn rows_have_the_gradients_of_whole_matrices() {
    let problem = Problem::new(Pooling::Pooler, Loss::MeanSquaredError, Dropout::Seeded { seed: 1, step: 2 });
    let config = problem.network.encoder.config();
    let tables = [Site::WordEmbeddings, Site::PositionEmbeddings];
    let method = Method::DeepLora(DeepLora { rank: Width::Full, depth: 3, init_scale: 0.6 });
    let mut rows = method.adapters::<f64>(&tables, |site| config.shape(site), |_| 27, None, 1).unwrap();
    let mut probe = Adapters::probe(&tables, |site| config.shape(site));
    let (mut whole, mut zero) = (Adapters::new(), Adapters::new());
    for site in tables {
        let Some(Applied::Factored { left, right }) = rows.applied(site) else { panic!("factored") };
        assert_eq!(right.nrows(), 24.min(left.nrows()));
        whole.insert(site, Box::new(Fixed::factored(left.to_owned(), right.to_owned())));
        let (m, n) = config.shape(site);
        zero.insert(site, Box::new(Fixed::merged(Mat::zeros(m, n))));
    }
    for (found, expected) in [(&mut rows, &mut whole), (&mut probe, &mut zero)] {
        let [of_rows, of_whole] =
            [&mut *found, &mut *expected].map(|adapters| problem.run(adapters, &mut Activations::new(), Par::Seq));
        assert_eq!(of_rows, of_whole);
        for site in tables {
            assert!(matches!(
                found.gradient(site),
                Some(AppliedGradient::FactoredRows { .. } | AppliedGradient::MergedRows(_))
            ));
            assert_eq!(gradient(found, site), gradient(expected, site), "{site:?}");
        }
    }
}

/// In `f32` on sizes that fill vectors, gradients are those in `f64`.
#[test]
fn single_precision_is_close() {
    let config = Config { hidden_size: 96, heads: 3, intermediate_size: 192, ..Config::tiny(VOCABULARY) };
    let encoder = Encoder::<f32>::random(config, 0.05, &mut rng("wide"));
    let wide = Arc::new(encoder.to_f64());
    let deltas = Deltas::random(encoder.config(), &sites(), |site| site == Site::Output(0));
    let head = Head::<f32>::random(1, 96, 0.02, &mut rng("head"));
    let widened = Head { weight: Mat::from_fn(1, 96, |i, j| head.weight[(i, j)].as_f64()), bias: vec![0.0] };
    let batch = batch(&[40, 3, 21, 33, 16, 1]);
    let (dropout, d_logits) = (Dropout::Seeded { seed: 2, step: 3 }, [1.0, -0.5, 2.0, 0.3, -1.0, 0.7]);

    let (mut exact, mut activations) = (deltas.adapters(), Activations::new());
    let network = Network { encoder: wide, pooling: Pooling::Pooler, head: widened };
    network.forward(&batch, &exact, &dropout, &mut activations, Par::Seq);
    network.backward(&batch, Mat::from_fn(1, 6, |_, j| d_logits[j]).as_ref(), &mut exact, &mut activations, Par::Seq);

    let narrow = |m: &Mat<f64>| Mat::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)] as f32);
    let mut adapters = Adapters::new();
    for (site, matrices) in &deltas.0 {
        adapters.insert(
            *site,
            match &matrices[..] {
                [left, right] => Box::new(Fixed::factored(narrow(left), narrow(right))),
                delta => Box::new(Fixed::merged(narrow(&delta[0]))),
            },
        );
    }
    let network = Network { encoder: Arc::new(encoder), pooling: Pooling::Pooler, head };
    let mut activations = Activations::new();
    network.forward(&batch, &adapters, &dropout, &mut activations, Par::Seq);
    let d_logits = Mat::from_fn(1, 6, |_, j| d_logits[j] as f32);
    network.backward(&batch, d_logits.as_ref(), &mut adapters, &mut activations, Par::Seq);
    for site in sites() {
        let found = match adapters.gradient(site).expect("an adapter") {
            AppliedGradient::Factored { left, right } => vec![left, right],
            AppliedGradient::Merged(delta) => vec![delta],
            _ => panic!("whole matrices"),
        };
        for (found, exact) in found.into_iter().zip(&gradient(&exact, site)) {
            let error = Mat::from_fn(found.nrows(), found.ncols(), |i, j| f64::from(found[(i, j)]) - exact[(i, j)]);
            let (error, size) = (error.norm_l2(), exact.norm_l2());
            assert!(error < 1e-4 * size, "{site:?}: off by {error:.1e} of {size:.1e}");
        }
    }
}
