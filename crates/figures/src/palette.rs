//! The colours of the figures: one hue for each network and each method, the same in all of them.

use crate::adaptation::MethodName;

/// The original network, of full width.
pub const ORIGINAL: usize = 0;
/// Its compressed twin with moving bases.
pub const COMPRESSED: usize = 1;
/// Its compressed twin with fixed bases, γ = 0.
pub const FIXED: usize = 2;
/// A narrow network from a random start.
pub const NARROW: usize = 3;
/// The spectral initialization of Kwon et al.
pub const SPECTRAL: usize = 4;
/// Its compressed twin by the sampled construction, where the explicit one is shown too.
pub const SAMPLED: usize = 5;
/// Further compressed twins of one figure.
pub const FURTHER: [usize; 3] = [5, 6, 7];

/// LoRA.
pub const LORA: usize = 5;
/// Deep LoRA.
pub const DEEP_LORA: usize = 6;

/// A method of fine-tuning.
pub fn method(name: MethodName) -> usize {
    match name {
        MethodName::Lora => LORA,
        MethodName::DeepLora => DEEP_LORA,
        MethodName::SineLora => 2,
        MethodName::Adalora => 3,
    }
}

/// A deep network of full observation or of any width, where the depth is what differs.
pub fn depth(depth: usize) -> usize {
    match depth {
        2 => 0,
        3 => 1,
        deeper => 2 + (deeper - 4) % 6,
    }
}

/// A case of a figure that shows the same networks under several conditions.
pub fn case(index: usize) -> usize {
    index % 8
}
