//! A case made concrete: target, observed entries and network, for ourselves and, as plain matrices, for the peers.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use dynamics::compression::compress;
use dynamics::problem::Workspace;
use dynamics::random::stream;
use dynamics::{
    DeepFactorization, Factorization, FixedFactorization, Initialization, LossForm, Objective, Observed, Optimizer,
    Target,
};
use faer::{Mat, Par};

use crate::case::{DEPTH, Descent, Network, RANK};
use crate::samples::Contender;
use crate::tensors;

/// So small that no network leaves where it starts: the cost of an iteration does not depend on it.
pub const STEP_SIZE: f64 = 1e-3;
/// Factors are orthogonal, not scaled down: so the product weighs as much in the gradients as the target does.
const SCALE: f64 = 1.0;

/// One factor of the product `F_n ⋯ F_1`.
#[derive(Debug)]
pub struct Link {
    /// `F1` is applied first; a compressed network's is Vᵀ, its last one U.
    pub name: String,
    /// Where it starts.
    pub value: Mat<f64>,
    /// Multiplies the step size; with 0 the factor is fixed.
    pub multiplier: f64,
    /// Our gradient where it starts, unless it is fixed.
    pub gradient: Option<Mat<f64>>,
}

/// A network on its problem, ready to iterate.
pub struct Problem {
    descent: Descent,
    objective: Objective,
    model: Box<dyn Factorization>,
    workspace: Workspace,
    optimizer: Optimizer,
    chain: Vec<Link>,
    loss: f64,
}

impl Problem {
    /// Draws the problem of a case, always the same.
    ///
    /// # Errors
    /// If the numerical core refuses it.
    pub fn new(descent: Descent) -> Result<Self> {
        let mut rng = stream(1, &["bench-peers", "problem"]);
        let target = Target::gaussian(descent.size, descent.size, RANK, &mut rng)?;
        let observed = Observed::uniform(descent.size, descent.size, descent.fraction, &mut rng)?;
        let objective = Objective::new(target, observed, LossForm::Mean)?;
        let Start { model, chain, loss } = network(&descent, &objective)?;
        let workspace = objective.workspace(model.inner_width());
        let optimizer = Optimizer::gradient_descent(STEP_SIZE)?;
        Ok(Self { descent, objective, model, workspace, optimizer, chain, loss })
    }

    /// The factors, first applied first.
    pub fn chain(&self) -> &[Link] {
        &self.chain
    }

    /// Our loss where the factors start.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// Writes `target`, `mask` (1 where observed, absent if everywhere) and the factors.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let target = self.objective.target().dense();
        let mut matrices = vec![("target".to_owned(), &target)];
        let mut mask = Mat::zeros(self.descent.size, self.descent.size);
        if let Observed::Entries(entries) = self.objective.observed() {
            entries.iter().for_each(|place| mask[place] = 1.0);
            matrices.push(("mask".to_owned(), &mask));
        }
        matrices.extend(self.chain.iter().map(|link| (link.name.clone(), &link.value)));
        tensors::write(path, &matrices)
    }
}

/// A network, the same as a chain with our gradients, and our loss.
struct Start {
    model: Box<dyn Factorization>,
    chain: Vec<Link>,
    loss: f64,
}

fn network(descent: &Descent, objective: &Objective) -> Result<Start> {
    let par = Par::rayon(0);
    let width = match descent.network {
        Network::Deep { width } => width,
        Network::Compressed { .. } => descent.size,
    };
    let mut rng = stream(1, &["bench-peers", "factors"]);
    let shape = (descent.size, descent.size);
    let mut deep = DeepFactorization::draw(shape, DEPTH, width, Initialization::Orthogonal, SCALE, &mut rng)?;
    let Network::Compressed { rank, discrepancy } = descent.network else {
        let loss = evaluate(&mut deep, objective);
        let links = (1..=DEPTH).map(|l| (deep.factor(l), 1.0, Some(deep.gradient(l)))).collect();
        return Ok(Start { model: Box::new(deep), chain: chain(links), loss });
    };
    let mut compressed = compress(&mut deep, objective, rank, discrepancy, par)?;
    if compressed.is_fixed() {
        let mut fixed = FixedFactorization::new(&compressed, objective)?;
        let loss = evaluate(&mut fixed, objective);
        let mut links = vec![(compressed.right().transpose().to_owned(), 0.0, None)];
        fixed.visit(&mut |factor| {
            links.push((factor.value.to_owned(), factor.multiplier, Some(factor.gradient.to_owned())));
        });
        links.push((compressed.left(), 0.0, None));
        return Ok(Start { model: Box::new(fixed), chain: chain(links), loss });
    }
    let loss = evaluate(&mut compressed, objective);
    let (left, core, right) = compressed.gradients();
    let right = right.transpose().to_owned();
    let mut links = vec![(compressed.right().transpose().to_owned(), discrepancy, Some(right))];
    links.extend(compressed.core().into_iter().zip(core).map(|(value, gradient)| (value, 1.0, Some(gradient))));
    links.push((compressed.left(), discrepancy, Some(left)));
    Ok(Start { model: Box::new(compressed), chain: chain(links), loss })
}

fn evaluate(model: &mut impl Factorization, objective: &Objective) -> f64 {
    let mut workspace = objective.workspace(model.inner_width());
    model.loss_and_gradients(objective, &mut workspace, Par::rayon(0))
}

fn chain(links: Vec<(Mat<f64>, f64, Option<Mat<f64>>)>) -> Vec<Link> {
    let numbered = links.into_iter().enumerate();
    numbered
        .map(|(index, (value, multiplier, gradient))| Link {
            name: format!("F{}", index + 1),
            value,
            multiplier,
            gradient,
        })
        .collect()
}

impl Contender for Problem {
    fn run(&mut self, iterations: usize) -> Result<f64> {
        let par = Par::rayon(0);
        let start = Instant::now();
        for _ in 0..iterations {
            black_box(self.model.loss_and_gradients(&self.objective, &mut self.workspace, par));
            self.optimizer.step(self.model.as_mut(), par);
        }
        Ok(start.elapsed().as_secs_f64())
    }
}
