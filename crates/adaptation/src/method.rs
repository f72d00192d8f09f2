//! The registry of adapter methods: what TOML calls them, what their settings may be, and how their adapters are drawn.

use dynamics::random::{Generator, stream};
use serde::{Deserialize, Serialize};

use crate::adapter::{Adalora, AdapterError, Budget, Compressed, DeepLora, FirstGradient, Invalid, Lora, SineLora};
use crate::{Adapter, Adapters, AppliedGradient, Real, Site};

/// Makes the enum [`Method`] and forwards to the settings of its variants.
macro_rules! methods {
    ($($key:literal, $label:literal => $settings:ident),* $(,)?) => {
        /// A method with its settings. In TOML its key and a table: `method = { deep-lora = { rank = "full", depth = 3,
        /// init_scale = 1e-3 } }`; a key that no method or settings have is an error.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Method {
            $(
                #[doc = concat!("`", $key, "`: ", $label, ".")]
                #[serde(rename = $key)]
                $settings($settings),
            )*
        }

        impl Method {
            /// The keys of all methods.
            pub const KEYS: &[&str] = &[$($key),*];

            /// The method's key: `deep-lora`.
            pub fn key(&self) -> &'static str {
                match self { $(Self::$settings(_) => $key),* }
            }

            /// The method's name in figures: `Deep LoRA`.
            pub fn label(&self) -> &'static str {
                match self { $(Self::$settings(_) => $label),* }
            }
        }

        impl Recipe for Method {
            fn check(&self) -> Result<(), Invalid> {
                let checked = match self { $(Self::$settings(settings) => settings.check()),* };
                checked.map_err(|invalid| Invalid { key: format!("{}.{}", self.key(), invalid.key), ..invalid })
            }

            fn needs_gradient(&self) -> bool {
                match self { $(Self::$settings(settings) => settings.needs_gradient()),* }
            }

            fn takes_embeddings(&self) -> bool {
                match self { $(Self::$settings(settings) => settings.takes_embeddings()),* }
            }

            fn budget(&self) -> Option<Adalora> {
                match self { $(Self::$settings(settings) => settings.budget()),* }
            }

            fn discrepant_step(&self) -> f64 {
                match self { $(Self::$settings(settings) => settings.discrepant_step()),* }
            }

            fn build<T: Real>(
                &self,
                place: &Place<'_, T>,
                rng: &mut Generator,
            ) -> Result<Box<dyn Adapter<T>>, AdapterError> {
                self.check()?;
                if place.site.is_embedding() && !self.takes_embeddings() {
                    return Err(AdapterError::Embedding { site: place.site.name(), method: self.key() });
                }
                match self { $(Self::$settings(settings) => settings.build(place, rng)),* }
            }
        }
    };
}

// The registry: key in TOML, name in figures, settings.
methods! {
    "lora", "LoRA" => Lora,
    "deep-lora", "Deep LoRA" => DeepLora,
    "compressed", "Deep LoRA, compressed" => Compressed,
    "sine-lora", "Sine-LoRA" => SineLora,
    "adalora", "AdaLoRA" => Adalora,
}

/// What an adapter is made for.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a, T: Real> {
    /// The adapted weight.
    pub site: Site,
    /// Its shape (m, n).
    pub shape: (usize, usize),
    /// The gradient of the first batch's loss with respect to `ΔW`, for methods that need it.
    pub gradient: Option<FirstGradient<'a, T>>,
    /// About how many tokens a step will multiply the weight with: which form is cheaper depends on it.
    pub tokens: usize,
    /// How many weights are adapted together.
    pub matrices: usize,
}

impl<T: Real> Place<'_, T> {
    /// The weight's shape, unless it does not have this rank.
    ///
    /// # Errors
    /// That rank.
    pub fn check_rank(&self, rank: usize) -> Result<(usize, usize), AdapterError> {
        let (rows, columns) = self.shape;
        if (1..=rows.min(columns)).contains(&rank) {
            return Ok(self.shape);
        }
        Err(AdapterError::Rank { site: self.site.name(), rank, rows, columns })
    }
}

/// How the adapters of one method are made: implemented by its settings.
pub trait Recipe {
    /// The first setting that is not allowed, if any.
    ///
    /// # Errors
    /// That setting.
    fn check(&self) -> Result<(), Invalid>;

    /// Whether an adapter is made from the gradient of the first batch.
    fn needs_gradient(&self) -> bool {
        false
    }

    /// Whether the method can be put on an embedding. One that forms `ΔW` cannot (it would be vocabulary × hidden), and AdaLoRA
    /// is not, as in PEFT.
    fn takes_embeddings(&self) -> bool {
        true
    }

    /// The settings of a [`Budget`] that the adapters of all sites share.
    fn budget(&self) -> Option<Adalora> {
        None
    }

    /// γ: what the step size of [`crate::Group::Outer`] is multiplied with.
    fn discrepant_step(&self) -> f64 {
        1.0
    }

    /// Draws an adapter.
    ///
    /// # Errors
    /// If the method does not fit the site, or the gradient it needs is missing or unusable.
    fn build<T: Real>(&self, place: &Place<'_, T>, rng: &mut Generator) -> Result<Box<dyn Adapter<T>>, AdapterError>;
}

impl Method {
    /// Draws the adapters of a network: one per site, each from a stream of its own named after the site, so that the same
    /// seed gives a site the same adapter whatever else is adapted, and a compressed adapter is the compressed form of the full-width one.
    ///
    /// `shape` gives (m, n) of a site's weight, `tokens` about how many tokens a step will multiply it with; `probe` holds the gradients of the first batch in [`Adapters::probe`], for
    /// methods whose [`Recipe::needs_gradient`] says so.
    ///
    /// # Errors
    /// As [`Recipe::build`], for the first site that fails.
    pub fn adapters<T: Real>(
        &self,
        sites: &[Site],
        shape: impl Fn(Site) -> (usize, usize),
        tokens: impl Fn(Site) -> usize,
        probe: Option<&Adapters<T>>,
        seed: u64,
    ) -> Result<Adapters<T>, AdapterError> {
        let mut adapters = Adapters::new();
        for &site in sites {
            let gradient = match probe.and_then(|probe| probe.gradient(site)) {
                Some(AppliedGradient::Merged(gradient)) => Some(FirstGradient::Dense(gradient.as_ref())),
                Some(AppliedGradient::MergedRows(rows)) => Some(FirstGradient::Rows(rows)),
                _ => None,
            };
            let place = Place { site, shape: shape(site), gradient, tokens: tokens(site), matrices: sites.len() };
            adapters.insert(site, self.build(&place, &mut stream(seed, &["adapter", &site.name()]))?);
        }
        let budget = self.budget().map(|settings| Budget::new(settings, &adapters));
        adapters.set_budget(budget);
        Ok(adapters)
    }
}
