//! Fine-tuning a frozen encoder (BERT, MPNet) with adapters of the LoRA family: section 5 of "Compressible Dynamics in Deep
//! Overparameterized Low-Rank Learning & Adaptation" (arXiv 2406.04112).
//!
//! A weight `W_0` of the pretrained encoder stays frozen; what is trained is `ΔW`, given by an [`Adapter`]. The encoder
//! knows an adapter only by the form in which it is [`Applied`] and hands back the gradient of that form; the adapter
//! carries it on to its own parameters. So a new method is one file, and knows nothing of transformers. On an embedding the
//! gradient is kept by rows, those of the batch's tokens, and only these are moved.
//!
//! Behind the encoder are a pooler and a [`Head`], both frozen: a [`Network`]. Its [`Reach`] says which labels they can give.
//!
//! Beside them are two models that write texts: a [`Decoder`] of Llama's architecture and the encoder–decoder [`T5`]. A
//! [`PretrainedDecoder`] and a [`PretrainedT5`] come from files, a [`LanguageModel`] and a [`TextToText`] give the loss of texts and the
//! gradient of the same adapters, and a [`TextModel`] is either. [`peft`] exchanges adapters with Hugging Face's
//! PEFT.
//!
//! Matrices are faer's, column-major; a batch's activations have one column per token.

mod batch;
mod config;
mod decoder;
mod encoder;
mod files;
mod generation;
mod gguf;
mod head;
mod kernels;
mod loss;
mod model_error;
mod model_files;
mod parts;
mod pretrained;
mod reach;
mod real;
mod site;
mod t5;
mod tensors;
mod text_model;
mod weight_files;
mod weights;

pub mod adapter;
pub mod checkpoint;
pub mod data;
pub mod evaluation;
pub mod method;
pub mod metrics;
pub mod optimizer;
pub mod peft;
pub mod selection;
pub mod spectrum;
pub mod tokens;
pub mod training;

pub use adapter::{Adapter, AdapterError, Adapters, Applied, AppliedGradient, Form, Group, Parameter};
pub use batch::{Batch, SequenceError};
pub use config::{Architecture, Config};
pub use decoder::{
    Decoder, DecoderConfig, LanguageModel, PretrainedDecoder, PromptedText, Template, TextActivations, TextBatch,
    TextTokenizer, Weight,
};
pub use encoder::{Activations, Network, Pooling};
pub use evaluation::Labelled;
pub use generation::{Cache, Generation};
pub use head::Head;
pub use loss::Loss;
pub use method::Method;
pub use model_error::ModelError;
pub use optimizer::{AdamW, AdamWSettings, StepSchedule};
pub use parts::dropout::{Dropout, DropoutSite, Masks};
pub use parts::relative_position::RelativePositions;
pub use pretrained::Pretrained;
pub use reach::Reach;
pub use real::Real;
pub use selection::Selection;
pub use site::Site;
pub use t5::{PairActivations, PairBatch, PretrainedT5, T5, T5Cache, T5Config, TextToText};
pub use text_model::{TextModel, TextWriter};
pub use weights::Encoder;
