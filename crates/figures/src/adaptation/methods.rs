//! `[methods]`: which methods, what they are made of, what tables and figures call them.

use adaptation::Method;
use adaptation::adapter::{Adalora, Compressed, DeepLora, Lora, SineLora, Width, ZeroFactor};
use charts::Hue;
use lab::Invalid;
use lab::checked::{Depth, Distinct, NotNegative, Positive};
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
/// The compressed twin of full-width Deep LoRA.
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
    /// `P Λ Q` with an orthogonality penalty.
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
    pub init_scale: Positive,
    /// η of the compressed adapter, where it is not that of the others.
    pub compressed_step_size: Option<Positive>,
    /// γ of the compressed adapter.
    pub discrepant_step: Option<NotNegative>,
    /// ω of sine LoRA.
    pub sine_frequency: Option<Positive>,
    /// γ of AdaLoRA's penalty.
    pub adalora_orthogonality: Option<NotNegative>,
}

impl MethodSettings {
    /// Checks the section `[methods]` of runs with these ranks.
    pub fn check(&self, ranks: &[usize]) -> Result<(), Invalid> {
        check_depth_from("methods.depth", *self.depth, 3)?;
        check_init_scale_single("methods.init_scale", *self.init_scale, *self.depth)?;
        let has = |name: MethodName| self.names.contains(&name);
        let needed = |name: MethodName, key: &str, is_there: bool| {
            let key = format!("methods.{key}");
            Invalid::unless(!has(name) || is_there, key, "missing", format!("a number: {name} needs it"))
        };
        needed(MethodName::Compressed, "discrepant_step", self.discrepant_step.is_some())?;
        needed(MethodName::SineLora, "sine_frequency", self.sine_frequency.is_some())?;
        needed(MethodName::Adalora, "adalora_orthogonality", self.adalora_orthogonality.is_some())?;
        let odd = ranks.iter().position(|rank| has(MethodName::Compressed) && !rank.is_multiple_of(2));
        odd.map_or(Ok(()), |i| {
            Err(Invalid::new(format!("ranks.{i}"), ranks[i], "an even whole number from 2: compressed needs it"))
        })
    }

    /// A method with its settings and inner width `rank`, which is 0 in tables where there is none.
    pub fn method(&self, name: MethodName, rank: usize) -> (Method, usize) {
        let (depth, init_scale) = (*self.depth, *self.init_scale);
        let number = |number: Option<Positive>| number.map_or(1.0, |number| *number);
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
            MethodName::Adalora => Method::Adalora(Adalora { rank, orthogonality: factor(self.adalora_orthogonality) }),
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

    /// What tables and figures call the methods, with their hues.
    pub fn hues(&self) -> Vec<(&'static str, Hue)> {
        self.names.iter().map(|name| (name.label(), name.hue())).collect()
    }
}
