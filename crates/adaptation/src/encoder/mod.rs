//! A frozen BERT encoder, forward and backward, for adapters alone.

mod adapted;
mod attention;
mod block;
mod columns;
mod dropout;
mod embeddings;
mod layer;
mod network;
mod normalization;
mod pooling;
mod product;

pub use dropout::{Dropout, Masks, Place};
pub use network::{Activations, Network};
pub use pooling::Pooling;
pub(crate) use product::Packed;
