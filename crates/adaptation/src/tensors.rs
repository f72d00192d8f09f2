//! Matrices as tensors of a safetensors file: row-major, little-endian, as PyTorch reads them.

use std::borrow::Cow;

use faer::{MatMut, MatRef};
use safetensors::tensor::{Dtype, TensorView, View};

use crate::Real;

/// A tensor with its bytes.
pub(crate) struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    /// A matrix, rows × columns.
    pub(crate) fn matrix<T: Real>(matrix: MatRef<'_, T>) -> Self {
        let (rows, columns) = matrix.shape();
        let entries = (0..rows).flat_map(|i| (0..columns).map(move |j| matrix[(i, j)]));
        Self { dtype: dtype::<T>(), shape: vec![rows, columns], bytes: bytes(entries) }
    }

    /// A list of numbers.
    pub(crate) fn list<T: Real>(entries: &[T]) -> Self {
        Self { dtype: dtype::<T>(), shape: vec![entries.len()], bytes: bytes(entries.iter().copied()) }
    }
}

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Whether a tensor holds numbers of type `T` in this shape.
pub(crate) fn fits<T: Real>(tensor: &TensorView<'_>, shape: &[usize]) -> bool {
    tensor.dtype() == dtype::<T>() && tensor.shape() == shape
}

/// Copies a tensor that [`fits`] into a matrix.
pub(crate) fn read_matrix<T: Real>(tensor: &TensorView<'_>, mut matrix: MatMut<'_, T>) {
    let columns = matrix.ncols();
    for (place, number) in numbers(tensor).enumerate() {
        matrix[(place / columns, place % columns)] = number;
    }
}

/// Copies a tensor that [`fits`] into a list.
pub(crate) fn read_list<T: Real>(tensor: &TensorView<'_>, list: &mut [T]) {
    for (entry, number) in list.iter_mut().zip(numbers(tensor)) {
        *entry = number;
    }
}

/// A [`Real`] is `f32` or `f64`.
fn is_single<T: Real>() -> bool {
    size_of::<T>() == 4
}

fn dtype<T: Real>() -> Dtype {
    if is_single::<T>() { Dtype::F32 } else { Dtype::F64 }
}

fn bytes<T: Real>(entries: impl Iterator<Item = T>) -> Vec<u8> {
    if is_single::<T>() {
        entries.flat_map(|x| (x.as_f64() as f32).to_le_bytes()).collect()
    } else {
        entries.flat_map(|x| x.as_f64().to_le_bytes()).collect()
    }
}

fn numbers<'a, T: Real>(tensor: &'a TensorView<'_>) -> impl Iterator<Item = T> + 'a {
    tensor.data().chunks_exact(size_of::<T>()).map(|bytes| match *bytes {
        [a, b, c, d] => T::of(f32::from_le_bytes([a, b, c, d]).into()),
        [a, b, c, d, e, f, g, h] => T::of(f64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => unreachable!("f32 or f64"),
    })
}
