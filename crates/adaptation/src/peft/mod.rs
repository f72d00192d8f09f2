//! Adapters in the format of Hugging Face's PEFT: `adapter_config.json` and `adapter_model.safetensors`, out and in.
//!
//! | module | what |
//! |---|---|
//! | `names` | what transformers calls the weights: a mapping for each architecture |
//! | `export` | any `ΔW` of low rank as a LoRA that `PeftModel.from_pretrained(model, directory)` loads |
//! | `import` | a LoRA that PEFT wrote, to be evaluated or trained on |
//! | `keys`, `settings`, `targets` | `adapter_config.json`: what is read, what is refused, which modules are meant |
//! | `tensors` | `adapter_model.safetensors`: tensors that are missing, unexpected or misshapen |
//!
//! An architecture more is a variant of [`Names`] with its mapping, and [`Host`] for its model.
//!
//! Rules are those of PEFT 0.21. What it would only warn of, or drop, is an error here.

mod error;
mod export;
mod host;
mod import;
mod keys;
mod names;
mod settings;
mod targets;
mod tensors;

pub use error::{ImportError, Mismatch, Misshapen};
pub use export::{ExportError, export};
pub use host::Host;
pub use import::{Imported, import};
pub use names::Names;
