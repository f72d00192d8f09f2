//! What is kept of `ΔW`: singular values at the end, leading left singular subspaces on the way.

use adaptation::spectrum::{self, Spectrum};
use adaptation::{Adapters, Site};
use faer::MatRef;
use serde::{Deserialize, Serialize};

/// Most singular values that are kept of a matrix.
const KEPT: usize = 64;

/// The singular values of one final `ΔW`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteSpectrum {
    /// The adapted matrix.
    pub site: Site,
    /// The largest ones, falling.
    pub singular_values: Vec<f64>,
    /// Its numerical rank; 0 if its spectral norm is at most 1e-3.
    pub numerical_rank: usize,
}

/// How near the leading left singular subspace of a `ΔW` is to the final one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alignment {
    /// The adapted matrix.
    pub site: Site,
    /// Steps done.
    pub step: u64,
    /// Cosine of the smallest principal angle.
    pub largest_cosine: f64,
    /// Mean cosine of the principal angles.
    pub mean_cosine: f64,
    /// Their smallest cosine.
    pub smallest_cosine: f64,
}

/// The singular values of every `ΔW`.
///
/// # Errors
/// If a decomposition does not converge.
pub fn spectra(adapters: &Adapters<f32>) -> anyhow::Result<Vec<SiteSpectrum>> {
    let mut spectra = Vec::with_capacity(adapters.len());
    for site in adapters.sites() {
        let Some(applied) = adapters.applied(site) else { continue };
        let spectrum = Spectrum::new(applied)?;
        let singular_values = spectrum.values().iter().copied().take(KEPT).collect();
        spectra.push(SiteSpectrum { site, singular_values, numerical_rank: spectrum.numerical_rank() });
    }
    Ok(spectra)
}

/// Whether a `ΔW` has neither NaN nor ∞.
fn is_finite(adapters: &Adapters<f32>, site: Site) -> bool {
    adapters.delta(site).is_some_and(|delta| delta.col_iter().all(|column| column.iter().all(|x| x.is_finite())))
}

/// The leading left singular subspace of one `ΔW` at one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subspace {
    step: u64,
    site: Site,
    dimension: usize,
    /// An orthonormal basis, column after column.
    basis: Vec<f64>,
}

impl Subspace {
    fn basis(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.basis, self.basis.len() / self.dimension, self.dimension)
    }
}

/// Leading left singular subspaces, noted down along a run.
pub struct SubspaceLog {
    steps: Vec<u64>,
    dimension: usize,
    /// What was noted, in the order of the steps.
    pub noted: Vec<Subspace>,
}

impl SubspaceLog {
    /// For subspaces of this dimension at these steps.
    pub fn new(steps: Vec<u64>, dimension: usize) -> Self {
        Self { steps, dimension, noted: Vec::new() }
    }

    /// Notes the subspaces down, if this is one of the steps; of a run that is about to diverge there are none.
    ///
    /// # Errors
    /// If a decomposition does not converge.
    pub fn note(&mut self, step: u64, adapters: &Adapters<f32>) -> anyhow::Result<()> {
        if !self.steps.contains(&step) {
            return Ok(());
        }
        for site in adapters.sites() {
            let Some(applied) = adapters.applied(site) else { continue };
            let spectrum = match Spectrum::new(applied) {
                Ok(spectrum) => spectrum,
                Err(_) if !is_finite(adapters, site) => continue,
                Err(error) => return Err(error.into()),
            };
            let left = spectrum.left(self.dimension);
            let basis = left.col_iter().flat_map(|column| column.iter().copied()).collect();
            self.noted.push(Subspace { step, site, dimension: left.ncols(), basis });
        }
        Ok(())
    }

    /// All subspaces against the last ones of their matrices.
    ///
    /// # Errors
    /// If a decomposition does not converge.
    pub fn alignments(self) -> anyhow::Result<Vec<Alignment>> {
        let mut alignments = Vec::with_capacity(self.noted.len());
        for subspace in &self.noted {
            let Subspace { step, site, .. } = *subspace;
            let last = self.noted.iter().rfind(|noted| noted.site == site).unwrap_or(subspace);
            let found = spectrum::Alignment::new(subspace.basis(), last.basis())?;
            alignments.push(Alignment {
                site,
                step,
                largest_cosine: found.largest,
                mean_cosine: found.mean,
                smallest_cosine: found.smallest,
            });
        }
        Ok(alignments)
    }
}
