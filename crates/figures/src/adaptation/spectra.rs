//! What is kept of `ΔW`: singular values at the end, leading left singular subspaces on the way.

use adaptation::spectrum::{self, Spectrum};
use adaptation::{Adapters, Site};
use faer::Mat;
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

/// Leading left singular subspaces, noted down along a run.
pub struct SubspaceLog {
    steps: Vec<u64>,
    dimension: usize,
    noted: Vec<(u64, Site, Mat<f64>)>,
}

impl SubspaceLog {
    /// For subspaces of this dimension at these steps.
    pub fn new(steps: Vec<u64>, dimension: usize) -> Self {
        Self { steps, dimension, noted: Vec::new() }
    }

    /// Notes the subspaces down, if this is one of the steps.
    ///
    /// # Errors
    /// If a decomposition does not converge.
    pub fn note(&mut self, step: u64, adapters: &Adapters<f32>) -> anyhow::Result<()> {
        if !self.steps.contains(&step) {
            return Ok(());
        }
        for site in adapters.sites() {
            let Some(applied) = adapters.applied(site) else { continue };
            self.noted.push((step, site, Spectrum::new(applied)?.left(self.dimension).to_owned()));
        }
        Ok(())
    }

    /// All subspaces against the last ones of their matrices.
    ///
    /// # Errors
    /// If a decomposition does not converge.
    pub fn alignments(self) -> anyhow::Result<Vec<Alignment>> {
        let mut alignments = Vec::with_capacity(self.noted.len());
        for (step, site, subspace) in &self.noted {
            let last = self.noted.iter().rfind(|noted| noted.1 == *site).map_or(subspace, |noted| &noted.2);
            let found = spectrum::Alignment::new(subspace.as_ref(), last.as_ref())?;
            let (mean_cosine, smallest_cosine) = (found.mean, found.smallest);
            alignments.push(Alignment { site: *site, step: *step, mean_cosine, smallest_cosine });
        }
        Ok(alignments)
    }
}
