//! The registry of adapter methods: what TOML calls them, what their settings may be, and how their adapters are drawn.

use dynamics::random::{Generator, stream};
use faer::MatRef;
use serde::{Deserialize, Serialize};

use crate::adapter::{Adalora, AdapterError, Compressed, DeepLora, FullWidth, Invalid, Lora, SineLora};
use crate::{Adapter, Adapters, AppliedGradient, Real, Site};

/// Makes the enum [`Method`] and forwards to the settings of its variants.
macro_rules! methods {
    ($($key:literal, $label:literal => $settings:ident),* $(,)?) => {
        /// A method with its settings. In TOML its key and a table: `method = { deep-lora = { rank = 8, depth = 3, init_scale
        /// = 1e-3 } }`; a key that no method or settings have is an error.
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

            fn discrepant_step(&self) -> f64 {
                match self { $(Self::$settings(settings) => settings.discrepant_step()),* }
            }

            fn build<T: Real>(
                &self,
                site: Site,
                shape: (usize, usize),
                gradient: Option<MatRef<'_, T>>,
                rng: &mut Generator,
            ) -> Result<Box<dyn Adapter<T>>, AdapterError> {
                self.check()?;
                if site.is_embedding() && !self.takes_embeddings() {
                    return Err(AdapterError::Embedding { site: site.name(), method: self.key() });
                }
                match self { $(Self::$settings(settings) => settings.build(site, shape, gradient, rng)),* }
            }
        }
    };
}

// The registry: key in TOML, name in figures, settings.
methods! {
    "lora", "LoRA" => Lora,
    "deep-lora", "Deep LoRA" => DeepLora,
    "full-width", "Deep LoRA, full width" => FullWidth,
    "compressed", "Deep LoRA, compressed" => Compressed,
    "sine-lora", "Sine-LoRA" => SineLora,
    "adalora", "AdaLoRA" => Adalora,
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

    /// Whether the method can be put on an embedding. One that forms `ΔW` cannot: it would be vocabulary × hidden.
    fn takes_embeddings(&self) -> bool {
        true
    }

    /// γ: what the step size of [`crate::Group::Outer`] is multiplied with.
    fn discrepant_step(&self) -> f64 {
        1.0
    }

    /// Draws an adapter for a site with a weight of this shape (m, n); `gradient` (m × n) is that of the first batch's loss
    /// with respect to `ΔW`, for methods that need it.
    ///
    /// # Errors
    /// If the method does not fit the site, or the gradient it needs is missing or unusable.
    fn build<T: Real>(
        &self,
        site: Site,
        shape: (usize, usize),
        gradient: Option<MatRef<'_, T>>,
        rng: &mut Generator,
    ) -> Result<Box<dyn Adapter<T>>, AdapterError>;
}

impl Method {
    /// Draws the adapters of a network: one per site, each from a stream of its own named after the site, so that the same
    /// seed gives a site the same adapter whatever else is adapted, and a compressed adapter is the twin of the full-width one.
    ///
    /// `shape` gives (m, n) of a site's weight; `probe` holds the gradients of the first batch in [`Adapters::probe`], for
    /// methods whose [`Recipe::needs_gradient`] says so.
    ///
    /// # Errors
    /// As [`Recipe::build`], for the first site that fails.
    pub fn adapters<T: Real>(
        &self,
        sites: &[Site],
        shape: impl Fn(Site) -> (usize, usize),
        probe: Option<&Adapters<T>>,
        seed: u64,
    ) -> Result<Adapters<T>, AdapterError> {
        let mut adapters = Adapters::new();
        for &site in sites {
            let gradient = match probe.and_then(|probe| probe.gradient(site)) {
                Some(AppliedGradient::Merged(gradient)) => Some(gradient.as_ref()),
                _ => None,
            };
            let mut rng = stream(seed, &["adapter", &site.name()]);
            adapters.insert(site, self.build(site, shape(site), gradient, &mut rng)?);
        }
        Ok(adapters)
    }
}

/// Refuses a rank above the adapted weight's.
pub(crate) fn check_rank(site: Site, rank: usize, (rows, columns): (usize, usize)) -> Result<(), AdapterError> {
    if (1..=rows.min(columns)).contains(&rank) {
        return Ok(());
    }
    Err(AdapterError::Rank { site: site.name(), rank, rows, columns })
}
