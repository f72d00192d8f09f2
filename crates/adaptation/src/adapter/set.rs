//! The adapters of a network, one per adapted site, with the gradients the encoder hands back.

use faer::{Mat, Par};

use super::Budget;
use super::zero::Zero;
use crate::{Adapter, Applied, AppliedGradient, Parameter, Real, Site};

/// One adapted site.
struct Slot<T: Real> {
    site: Site,
    adapter: Box<dyn Adapter<T>>,
    gradient: AppliedGradient<T>,
}

/// The adapters of a network, in the order of their sites, and what they share.
pub struct Adapters<T: Real> {
    slots: Vec<Slot<T>>,
    budget: Option<Budget<T>>,
}

impl<T: Real> Default for Adapters<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Adapters<T> {
    /// None: the pretrained encoder as it is.
    pub fn new() -> Self {
        Self { slots: Vec::new(), budget: None }
    }

    /// On every site a `ΔW = 0` without parameters, applied merged: after a backward pass, [`gradient`](Self::gradient) is
    /// the gradient with respect to `ΔW` at the pretrained weights; of an embedding by rows of the tokens in the batch.
    pub fn probe(sites: &[Site], shape: impl Fn(Site) -> (usize, usize)) -> Self {
        let mut adapters = Self::new();
        for &site in sites {
            adapters.insert(site, Box::new(Zero::new(site, shape(site))));
        }
        adapters
    }

    /// Puts an adapter on a site; one that was there is replaced. A [`budget`](Self::budget) is that of the adapters there were,
    /// and is dropped.
    pub fn insert(&mut self, site: Site, adapter: Box<dyn Adapter<T>>) {
        self.budget = None;
        let gradient = AppliedGradient::zeros(adapter.form(), adapter.shape());
        let slot = Slot { site, adapter, gradient };
        match self.slots.binary_search_by_key(&site, |slot| slot.site) {
            Ok(place) => self.slots[place] = slot,
            Err(place) => self.slots.insert(place, slot),
        }
    }

    /// Number of adapted sites.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing is adapted.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The adapted sites, in order.
    pub fn sites(&self) -> impl Iterator<Item = Site> + '_ {
        self.slots.iter().map(|slot| slot.site)
    }

    /// The adapter on a site.
    pub fn get(&self, site: Site) -> Option<&dyn Adapter<T>> {
        self.slot(site).map(|slot| &*slot.adapter)
    }

    /// What is applied on a site.
    pub fn applied(&self, site: Site) -> Option<Applied<'_, T>> {
        self.slot(site).map(|slot| slot.adapter.applied())
    }

    /// What is applied on a site, and where its gradient goes.
    pub fn applied_and_gradient(&mut self, site: Site) -> Option<(Applied<'_, T>, &mut AppliedGradient<T>)> {
        let place = self.slots.binary_search_by_key(&site, |slot| slot.site).ok()?;
        let Slot { adapter, gradient, .. } = &mut self.slots[place];
        Some((adapter.applied(), gradient))
    }

    /// The gradient the encoder handed back for a site.
    pub fn gradient(&self, site: Site) -> Option<&AppliedGradient<T>> {
        self.slot(site).map(|slot| &slot.gradient)
    }

    /// Brings every applied form up to date with its parameters.
    pub fn refresh(&mut self, par: Par) {
        self.slots.iter_mut().for_each(|slot| slot.adapter.refresh(par));
    }

    /// Carries every gradient on to the parameters.
    pub fn pull_back(&mut self, par: Par) {
        self.slots.iter_mut().for_each(|slot| slot.adapter.pull_back(&slot.gradient, par));
    }

    /// What the adapters share, if their method has such a thing.
    pub fn budget(&self) -> Option<&Budget<T>> {
        self.budget.as_ref()
    }

    /// Gives the adapters a budget made for them.
    pub(crate) fn set_budget(&mut self, budget: Option<Budget<T>>) {
        self.budget = budget;
    }

    pub(crate) fn budget_mut(&mut self) -> Option<&mut Budget<T>> {
        self.budget.as_mut()
    }

    /// After the optimizer's step (counted from 0) of a run of `steps`, with the gradients still there, before the applied forms
    /// are brought up to date: what a method does across all its adapters. Most do nothing.
    pub fn after_step(&mut self, step: u64, steps: u64) {
        if let Some(budget) = &mut self.budget {
            budget.after_step(step, steps, self.slots.iter_mut().map(|slot| slot.adapter.parameters_mut()));
        }
    }

    /// The sum of the methods' penalties.
    pub fn penalty(&self) -> T {
        self.slots.iter().fold(T::of(0.0), |sum, slot| sum + slot.adapter.penalty())
    }

    /// Every trained matrix, site by site.
    pub fn parameters(&self) -> impl Iterator<Item = (Site, &Parameter<T>)> {
        self.slots.iter().flat_map(|slot| slot.adapter.parameters().iter().map(|parameter| (slot.site, parameter)))
    }

    /// Every trained matrix, site by site, to be stepped.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = (Site, &mut Parameter<T>)> {
        self.slots.iter_mut().flat_map(|slot| {
            let site = slot.site;
            slot.adapter.parameters_mut().iter_mut().map(move |parameter| (site, parameter))
        })
    }

    /// `ΔW` of a site as a dense m × n matrix.
    pub fn delta(&self, site: Site) -> Option<Mat<T>> {
        self.applied(site).map(|applied| match applied {
            Applied::Factored { left, right } => left * right,
            Applied::Merged(delta) => delta.to_owned(),
        })
    }

    fn slot(&self, site: Site) -> Option<&Slot<T>> {
        let place = self.slots.binary_search_by_key(&site, |slot| slot.site).ok()?;
        Some(&self.slots[place])
    }
}
