//! The colours of the figures: one hue for each network and each method, the same in all of them.

use charts::Hue;

use crate::adaptation::MethodName;

/// The original network, of full width.
pub const ORIGINAL: Hue = Hue::Blue;
/// Its compressed network with moving bases.
pub const COMPRESSED: Hue = Hue::Vermilion;
/// Its compressed network with fixed bases, γ = 0: the dark shade of the former.
pub const FIXED: Hue = Hue::Brown;
/// Its compressed network by the sampled construction, where the explicit one is shown too.
pub const SAMPLED: Hue = Hue::Orange;
/// A narrow network from a random start.
pub const NARROW: Hue = Hue::Green;
/// The spectral initialization of Kwon et al.
pub const SPECTRAL: Hue = Hue::Pink;

/// LoRA.
pub const LORA: Hue = Hue::Forest;
/// Deep LoRA.
pub const DEEP_LORA: Hue = Hue::Wine;

/// A method of fine-tuning.
pub fn method(name: MethodName) -> Hue {
    match name {
        MethodName::Lora => LORA,
        MethodName::LoraPeft => Hue::Sand,
        MethodName::DeepLora => DEEP_LORA,
        MethodName::DeepLoraNarrow => Hue::Lavender,
        MethodName::Compressed => COMPRESSED,
        MethodName::SineLora => Hue::Grey,
        MethodName::Adalora => Hue::Black,
    }
}

/// A deep network where the depth is what differs.
pub fn depth(depth: usize) -> Hue {
    match depth {
        2 => Hue::Sky,
        3 => Hue::Indigo,
        deeper => case(deeper - 4),
    }
}

/// One of several conditions of the same networks: hues that no network of the matrix experiments has.
pub fn case(index: usize) -> Hue {
    CASES[index % CASES.len()]
}

/// The colours of [`case`], which come round again.
pub const CASES: [Hue; 8] =
    [Hue::Ultramarine, Hue::Forest, Hue::Sand, Hue::Lavender, Hue::Grey, Hue::Silver, Hue::Black, Hue::Wine];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_one_figure_may_show_together_has_different_hues() {
        let networks = [ORIGINAL, COMPRESSED, FIXED, SAMPLED, NARROW, SPECTRAL, depth(2), depth(3)];
        let all: HashSet<Hue> = networks.into_iter().chain((0..8).map(case)).collect();
        assert_eq!(all.len(), 16);
        assert_eq!(HashSet::from(MethodName::ALL.map(method)).len(), MethodName::ALL.len());
        assert_eq!((depth(4), depth(12)), (case(0), case(0)));
    }
}
