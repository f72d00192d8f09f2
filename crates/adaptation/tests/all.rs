//! The integration tests of this crate in one binary, a module per subject: linked once.

mod adalora;
mod adapters;
mod checkpoint;
mod data;
mod decoder;
mod decoder_gradients;
mod encoder;
mod encoder_gradients;
mod examples;
mod fixed;
mod metrics;
mod mpnet;
mod optimizer;
mod peft;
mod peft_import;
mod peft_refusals;
mod peft_t5;
mod pretrained;
mod spectrum;
mod t5;
mod t5_gradients;
mod text_gradients;
mod text_tuning;
mod tokens;
mod training;
