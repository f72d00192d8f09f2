//! What the numerical code of all architectures has in common.
//!
//! | module | what |
//! |---|---|
//! | `lanes` | vectors for whatever instruction set the machine has |
//! | `columns` | columns as slices, buffers that are reused |
//! | `product` | products of matrices, tile by tile |
//! | `shared_product` | such with packed matrices, by several threads |
//! | `fork` | what threads share out |
//! | `reduce` | sums and softmax |

pub(crate) mod columns;
pub(crate) mod fork;
pub(crate) mod lanes;
pub(crate) mod product;
pub(crate) mod reduce;
pub(crate) mod shared_product;
