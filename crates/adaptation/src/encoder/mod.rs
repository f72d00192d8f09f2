//! A frozen BERT encoder, forward and backward, for adapters alone.
//!
//! The architecture is BERT's (Devlin et al., arXiv 1810.04805) as in Hugging Face transformers, exact GELU (erf), LayerNorm
//! after each residual sum. The gradient is computed for what is trained and nothing else: of activations down to the lowest
//! adapted site, and of the adapters' applied forms; no gradient of a frozen weight is ever formed.
//!
//! # Layout
//!
//! The sequences of a [`Batch`](crate::Batch) lie one after the other, without padding; a token is a column. The batch is cut into
//! blocks of whole sequences with about 128 tokens (`block`). All threads take blocks through one layer before the next, so
//! that the layer's weights stay in the cache (7 MB in the default encoder) and a block's activations near its thread. A
//! block computes its share of the adapters' gradients; the shares are summed in the order of the blocks, which depends on
//! nothing but the batch: the same bits for any number of threads.
//!
//! | module | what |
//! |---|---|
//! | `network` | [`Network`]: a pass over all layers, [`Activations`] |
//! | `block` | the unit of work: some sequences, and every buffer of them |
//! | `embeddings`, `layer`, `pooling` | the parts of a network, each with its way back |
//! | `adapted` | a dense layer with its adapter, factored or merged |
//! | `attention` | softmax attention of one sequence, head by head |
//! | `normalization`, `dropout` | LayerNorm with residual sum and dropout in one pass over a token |
//! | `product` | products of matrices, tile by tile |
//!
//! A pooler reads the hidden states of the sequences' first tokens alone. So with [`Pooling::Pooler`] the last layer has keys
//! and values of all tokens, and queries and all that follows of the first ones: a seventh of a step's operations that never
//! need be done, forward and backward, and the same bits as if they were.
//!
//! Dropout's masks are hashed from (seed, step, place, sequence, index) and hashed again on the way back; those of attention
//! probabilities are kept in the probabilities' signs. The GELU's derivative is computed and kept with the GELU.
//!
//! # What a step costs
//!
//! LoRA of rank 8 on every dense weight of the default encoder (10.6 million dense weights), AdamW, dropout, 16 sequences of
//! 128 tokens, and 16 as in the STS benchmark (430 tokens, 48 at most; PyTorch pads to 768). Milliseconds, medians of a run in
//! which everything took its turn, on two hardware threads of an EPYC with AVX-512; PyTorch 2.15 with PEFT 0.21 on both.
//!
//! | | 16 × 128 | 430 tokens |
//! |---|---|---|
//! | dense layers, GFLOP | 75.0 | 15.9 |
//! | attention, GFLOP | 6.0 | 0.3 |
//! | adapters, GFLOP | 3.6 | 0.8 |
//! | floor at 492 GFLOP/s, the peak in that run, ms | 172 | 35 |
//! | here, both threads | 221 | 43 |
//! | of that, achieved, GFLOP/s | 383 | 395 |
//! | PyTorch and PEFT, both threads | 848 | 333 |
//! | buffers here, MB | 344 | 66 |
//!
//! (The machine's peak moves: 280 to 310 GFLOP/s on some days, 440 to 490 on others.)
//!
//! Before the last layer computed first tokens alone (see Layout), one thread spent 73 % of a long step and 76 % of a short one
//! in the dense layers' products, at 245 to 250 GFLOP/s, its peak; attention 13 % and 8 %; GELU 2 %; LayerNorm with residual
//! sums and dropout 3 %; what is the adapters' own and not part of a dense product 5 %; AdamW under 1 %. The step was 262 ms
//! and 53 ms then.
//!
//! # Tried
//!
//! - faer for the dense products: 224 to 241 GFLOP/s on one thread, against 241 to 254 with weights packed once. What decided
//!   is what cannot be had from outside of a product: bias and adapter as part of its sums, and no packing in a block.
//! - Element-wise passes as closures handed to `pulp`: some were compiled for SSE2 alone; 600 ms a step in place of 489.
//!
//! Not tried: computing the probabilities again on the way back, which would save 63 MB of 344 in a long step.

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
