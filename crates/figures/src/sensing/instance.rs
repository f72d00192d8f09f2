//! The instance: drawn once for all networks, because its measurements are large.

use std::sync::{Arc, Mutex, PoisonError};

use dynamics::decomposition::thin_svd;
use dynamics::random::gaussian;
use dynamics::{DynamicsError, LossForm, Measurements, Objective, Observed, Target};
use faer::{Mat, Par};

use super::settings::SensingProblem;
use crate::matrix::Start;

/// The instance that was drawn last: the next trial often needs it again.
#[derive(Default)]
pub struct LastInstance(Mutex<Option<(Drawn, Arc<Objective>)>>);

/// What an instance is drawn from.
type Drawn = (Start, SensingProblem);

impl LastInstance {
    /// The instance of a trial; another one is dropped before it is drawn, so that there are never two.
    pub(super) fn of(
        &self,
        start: &Start,
        problem: &SensingProblem,
        par: Par,
    ) -> Result<Arc<Objective>, DynamicsError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (start.clone(), problem.clone());
        if let Some((_, objective)) = last.as_ref().filter(|(known, _)| *known == key) {
            return Ok(objective.clone());
        }
        *last = None;
        let objective = Arc::new(draw(start, problem, par)?);
        *last = Some((key, objective.clone()));
        Ok(objective)
    }
}

/// The measured target: of a Gaussian matrix the singular triplets number 0, d/2r, 2d/2r, …, whose values differ, as in the
/// authors' code.
fn draw(start: &Start, problem: &SensingProblem, par: Par) -> Result<Objective, DynamicsError> {
    let (size, rank) = (*problem.size, *problem.rank);
    let svd = thin_svd(gaussian(size, size, &mut start.instance_stream("target")).as_ref())?;
    let number = |k: usize| k * size / (2 * rank);
    let kept = |vectors: &Mat<f64>| Mat::from_fn(size, rank, |i, k| vectors[(i, number(k))]);
    let values = (0..rank).map(|k| svd.values[number(k)]).collect();
    let target = Target::from_factors(kept(&svd.left), values, kept(&svd.right))?;
    let mut rng = start.instance_stream("measurements");
    let measurements = Measurements::gaussian(size, size, *problem.measurements, &mut rng, par)?;
    Objective::new(target, Observed::Measurements(measurements), LossForm::Mean)
}
