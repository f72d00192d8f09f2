//! What the architectures have in common, above the [`kernels`](crate::kernels): parts of a network with their way back.
//!
//! | module | what |
//! |---|---|
//! | `adapted` | a dense layer with its adapter, factored or merged |
//! | `vocabulary` | an embedding and the head over it, which may be one weight |
//! | `table` | an embedding's adapter, of which tokens look up rows |
//! | `attention` | softmax attention of one sequence, head by head |
//! | `packed_attention` | the same of all sequences of a batch, behind keys and values that are kept |
//! | `rms_norm` | RMSNorm |
//! | `head` | logits, the loss and its gradient, for a few tokens at a time |
//! | `relative_position` | a bias of the attention scores by distance, shared by all layers |
//! | `dropout` | masks that are computed again wherever they are needed |
//! | `blocks` | how a batch is cut into what threads share out |

pub(crate) mod adapted;
pub(crate) mod attention;
pub(crate) mod blocks;
pub(crate) mod dropout;
pub(crate) mod head;
pub(crate) mod packed_attention;
pub(crate) mod relative_position;
pub(crate) mod rms_norm;
pub(crate) mod table;
pub(crate) mod vocabulary;
