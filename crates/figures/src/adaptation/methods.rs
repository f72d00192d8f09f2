//! `[methods]`: which methods, what they are made of, what tables and figures call them.

use adaptation::Method;
use adaptation::adapter::{Adalora, Compressed, DeepLora, Lora, SineLora, Width, ZeroFactor};
use adaptation::method::Recipe;
use charts::Hue;
use lab::Invalid;
use lab::checked::{Count, Depth, Distinct, Fraction, NotNegative, PositiveSingle, Steps};
use serde::{Deserialize, Serialize};

use crate::checks::{check_depth_from, check_init_scale_single};
use crate::palette;

/// What tables and figures call LoRA as the authors have it: the factor on the input side starts at 0.
pub const LORA: &str = "LoRA";
/// LoRA as PEFT has it: the factor on the output side starts at 0.
pub const LORA_PEFT: &str = "LoRA (PEFT)";
/// Deep LoRA of full width, min(m, n).
pub const DEEP_LORA: &str = "Deep LoRA";
/// Deep LoRA of inner width r.
pub const DEEP_LORA_NARROW: &str = "Deep LoRA, narrow";
/// Full-width Deep LoRA, compressed.
pub const COMPRESSED: &str = "Deep LoRA, compressed";

/// A method by its key in the TOML files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// [`LORA`].
    Lora,
    /// [`LORA_PEFT`].
    LoraPeft,
    /// [`DEEP_LORA`].
    DeepLora,
    /// [`DEEP_LORA_NARROW`].
    DeepLoraNarrow,
    /// [`COMPRESSED`].
    Compressed,
    /// `sin(ω B A) / g`.
    SineLora,
    /// `P Λ Q` with an orthogonality penalty and a budget of singular values.
    Adalora,
}

impl MethodName {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 7] = [
        Self::Lora,
        Self::LoraPeft,
        Self::DeepLora,
        Self::DeepLoraNarrow,
        Self::Compressed,
        Self::SineLora,
        Self::Adalora,
    ];

    /// What tables and figures call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Lora => LORA,
            Self::LoraPeft => LORA_PEFT,
            Self::DeepLora => DEEP_LORA,
            Self::DeepLoraNarrow => DEEP_LORA_NARROW,
            Self::Compressed => COMPRESSED,
            Self::SineLora => "Sine-LoRA",
            Self::Adalora => "AdaLoRA",
        }
    }

    /// Its colour in all figures.
    pub fn hue(self) -> Hue {
        palette::method(self)
    }

    /// Whether it has a rank r.
    pub fn is_ranked(self) -> bool {
        self != Self::DeepLora
    }
}

impl std::fmt::Display for MethodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Lora => "lora",
            Self::LoraPeft => "lora-peft",
            Self::DeepLora => "deep-lora",
            Self::DeepLoraNarrow => "deep-lora-narrow",
            Self::Compressed => "compressed",
            Self::SineLora => "sine-lora",
            Self::Adalora => "adalora",
        })
    }
}

/// `[methods]`: which methods, and what they are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodSettings {
    /// The methods.
    pub names: Distinct<MethodName>,
    /// L of Deep LoRA.
    pub depth: Depth,
    /// ε of Deep LoRA.
    pub init_scale: PositiveSingle,
    /// η of the compressed adapter, where it is not that of the others.
    pub compressed_step_size: Option<PositiveSingle>,
    /// γ of the compressed adapter.
    pub discrepant_step: Option<NotNegative>,
    /// ω of sine LoRA.
    pub sine_frequency: Option<PositiveSingle>,
    /// What AdaLoRA has beside its rank.
    pub adalora: Option<AdaloraSettings>,
}

/// `methods.adalora`: AdaLoRA, whose r is the mean rank at the end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaloraSettings {
    /// Rank at the start, in units of r.
    pub initial_ranks: PositiveSingle,
    /// Fraction of the steps before the budget falls.
    pub warmup: NotNegative,
    /// Fraction of the steps after it has fallen.
    pub final_phase: Fraction,
    /// Steps between two choices of what is kept.
    pub interval: Steps,
    /// β₁ of the importance.
    pub beta1: PositiveSingle,
    /// β₂ of the importance.
    pub beta2: PositiveSingle,
    /// γ of the penalty.
    pub orthogonality: NotNegative,
}

impl AdaloraSettings {
    /// With r = `rank`; scaled by 1, as the other methods.
    fn with_rank(&self, rank: usize) -> Adalora {
        let initial_rank = (*self.initial_ranks * rank as f64).round() as usize;
        Adalora {
            initial_rank,
            target_rank: rank,
            alpha: initial_rank as f64,
            orthogonality: *self.orthogonality,
            warmup: *self.warmup,
            final_phase: *self.final_phase,
            interval: *self.interval,
            beta1: *self.beta1,
            beta2: *self.beta2,
        }
    }

    /// Checks them, for runs with these ranks and at least so many steps.
    fn check(&self, ranks: &[usize], steps: u64) -> Result<(), Invalid> {
        let factor = self.initial_ranks;
        Invalid::unless(*factor >= 1.0, "methods.adalora.initial_ranks", factor, "a number from 1")?;
        for settings in ranks.iter().map(|&rank| self.with_rank(rank)) {
            let named = |invalid: adaptation::adapter::Invalid| {
                Invalid::new(format!("methods.adalora.{}", invalid.key), invalid.value, invalid.allowed)
            };
            settings.check().map_err(named)?;
            let allowed =
                "so many that AdaLoRA's budget has a step to fall at, between methods.adalora's warmup and final_phase";
            Invalid::unless(settings.phases(steps).is_some(), "training.steps", steps, allowed)?;
        }
        Ok(())
    }
}

impl MethodSettings {
    /// Checks the section `[methods]` of runs with these ranks and at least so many steps.
    pub fn check(&self, ranks: &[usize], steps: u64) -> Result<(), Invalid> {
        check_depth_from("methods.depth", *self.depth, 3)?;
        check_init_scale_single("methods.init_scale", *self.init_scale, *self.depth)?;
        let has = |name: MethodName| self.names.contains(&name);
        let needed = |name: MethodName, key: &str, what: &str, is_there: bool| {
            let key = format!("methods.{key}");
            Invalid::unless(!has(name) || is_there, key, "missing", format!("{what}: {name} needs it"))
        };
        needed(MethodName::Compressed, "discrepant_step", "a number", self.discrepant_step.is_some())?;
        needed(MethodName::SineLora, "sine_frequency", "a number", self.sine_frequency.is_some())?;
        needed(MethodName::Adalora, "adalora", "a table", self.adalora.is_some())?;
        if let Some(settings) = self.adalora.filter(|_| has(MethodName::Adalora)) {
            settings.check(ranks, steps)?;
        }
        let odd = ranks.iter().position(|rank| has(MethodName::Compressed) && !rank.is_multiple_of(2));
        odd.map_or(Ok(()), |i| {
            Err(Invalid::new(format!("ranks.{i}"), ranks[i], "an even whole number from 2: compressed needs it"))
        })
    }

    /// A method with its settings and inner width `rank`, which is 0 in tables where there is none.
    pub fn method(&self, name: MethodName, rank: usize) -> (Method, usize) {
        let (depth, init_scale) = (*self.depth, *self.init_scale);
        let number = |number: Option<PositiveSingle>| number.map_or(1.0, |number| *number);
        let factor = |number: Option<NotNegative>| number.map_or(1.0, |number| *number);
        let method = match name {
            MethodName::Lora => Method::Lora(Lora { rank, zero: ZeroFactor::Input }),
            MethodName::LoraPeft => Method::Lora(Lora { rank, zero: ZeroFactor::Output }),
            MethodName::DeepLora => Method::DeepLora(DeepLora { rank: Width::Full, depth, init_scale }),
            MethodName::DeepLoraNarrow => Method::DeepLora(DeepLora { rank: Width::Narrow(rank), depth, init_scale }),
            MethodName::Compressed => {
                let discrepant_step = factor(self.discrepant_step);
                Method::Compressed(Compressed { rank, depth, init_scale, discrepant_step })
            }
            MethodName::SineLora => Method::SineLora(SineLora { rank, frequency: number(self.sine_frequency) }),
            MethodName::Adalora => {
                Method::Adalora(self.adalora.map_or_else(|| Adalora::of_rank(rank), |own| own.with_rank(rank)))
            }
        };
        (method, if name.is_ranked() { rank } else { 0 })
    }

    /// η of a method where that of the others is `step_size`.
    pub fn step_size(&self, name: MethodName, step_size: f64) -> f64 {
        match self.compressed_step_size.filter(|_| name == MethodName::Compressed) {
            Some(own) => *own,
            None => step_size,
        }
    }

    /// Refuses initial ranks above the smallest side of the adapted matrices, which goes by this name.
    pub fn check_initial_ranks(&self, ranks: &[Count], smallest: usize, name: &str) -> Result<(), Invalid> {
        let Some(own) = self.adalora.filter(|_| self.names.contains(&MethodName::Adalora)) else { return Ok(()) };
        let most = ranks.iter().map(|rank| own.with_rank(rank.get()).initial_rank).max().unwrap_or(0);
        let allowed = format!("so small that the initial rank ({most}) is at most the {name} ({smallest})");
        Invalid::unless(most <= smallest, "methods.adalora.initial_ranks", own.initial_ranks, allowed)
    }

    /// The methods that leave embeddings as they are, in words; empty if all adapt them.
    pub fn without_embeddings(&self) -> String {
        let leaves = |name: &&MethodName| !self.method(**name, 1).0.takes_embeddings();
        let labels: Vec<_> = self.names.iter().filter(leaves).map(|name| name.label()).collect();
        if labels.is_empty() { String::new() } else { format!("{}: without embeddings", labels.join(" and ")) }
    }

    /// What tables and figures call the methods, with their hues.
    pub fn hues(&self) -> Vec<(&'static str, Hue)> {
        self.names.iter().map(|name| (name.label(), name.hue())).collect()
    }
}
