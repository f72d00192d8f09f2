//! Matrices in safetensors files, by which this project and its peers hand each other problems and gradients.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use faer::{Mat, MatRef};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

/// Writes named matrices, row by row, in `f64`.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, matrices: &[(String, &Mat<f64>)]) -> Result<()> {
    let bytes: Vec<Vec<u8>> = matrices.iter().map(|(_, matrix)| row_major(matrix)).collect();
    let mut views = Vec::new();
    for ((name, matrix), bytes) in matrices.iter().zip(&bytes) {
        let shape = vec![matrix.nrows(), matrix.ncols()];
        views.push((name.as_str(), TensorView::new(Dtype::F64, shape, bytes)?));
    }
    serialize(views, path)
}

/// The same in `f32`.
///
/// # Errors
/// If the file cannot be written.
pub fn write_f32(path: &Path, matrices: &[(String, MatRef<'_, f32>)]) -> Result<()> {
    let row_major = |matrix: MatRef<'_, f32>| -> Vec<u8> {
        matrix.row_iter().flat_map(|row| row.iter().flat_map(|x| x.to_le_bytes())).collect()
    };
    let bytes: Vec<Vec<u8>> = matrices.iter().map(|(_, matrix)| row_major(*matrix)).collect();
    let mut views = Vec::new();
    for ((name, matrix), bytes) in matrices.iter().zip(&bytes) {
        let shape = vec![matrix.nrows(), matrix.ncols()];
        views.push((name.as_str(), TensorView::new(Dtype::F32, shape, bytes)?));
    }
    serialize(views, path)
}

fn serialize(views: Vec<(&str, TensorView<'_>)>, path: &Path) -> Result<()> {
    safetensors::serialize_to_file(views, None, path).with_context(|| format!("cannot write {}", path.display()))
}

fn row_major(matrix: &Mat<f64>) -> Vec<u8> {
    let rows = 0..matrix.nrows();
    rows.flat_map(|i| (0..matrix.ncols()).flat_map(move |j| matrix[(i, j)].to_le_bytes())).collect()
}

/// The matrices of a file, by name.
#[derive(Debug)]
pub struct Matrices {
    path: PathBuf,
    by_name: HashMap<String, Mat<f64>>,
}

impl Matrices {
    /// Reads a file of `f64` matrices.
    ///
    /// # Errors
    /// If it cannot be read, or holds something else.
    pub fn read(path: &Path) -> Result<Self> {
        let unreadable = || format!("cannot read {}", path.display());
        let bytes = std::fs::read(path).with_context(unreadable)?;
        let tensors = SafeTensors::deserialize(&bytes).with_context(unreadable)?;
        let mut by_name = HashMap::new();
        for (name, view) in tensors.tensors() {
            let (&[rows, columns], Dtype::F64) = (view.shape(), view.dtype()) else {
                let (dtype, shape) = (view.dtype(), view.shape());
                bail!("{}: {name} is {dtype:?} {shape:?}, not a matrix of f64", path.display());
            };
            let number = |index: usize| {
                let bytes = &view.data()[8 * index..8 * index + 8];
                f64::from_le_bytes(bytes.try_into().expect("eight bytes"))
            };
            by_name.insert(name, Mat::from_fn(rows, columns, |i, j| number(i * columns + j)));
        }
        Ok(Self { path: path.to_owned(), by_name })
    }

    /// The matrix of this name and shape.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: &str, (rows, columns): (usize, usize)) -> Result<&Mat<f64>> {
        let found = self.by_name.get(name);
        found.filter(|matrix| matrix.shape() == (rows, columns)).ok_or_else(|| {
            let found = found.map_or("nothing".to_owned(), |other| format!("{:?}", other.shape()));
            anyhow!("{}: expected {name}, {rows} × {columns}, found {found}", self.path.display())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_come_back_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.safetensors");
        let matrix = Mat::from_fn(3, 2, |i, j| 0.1 + (10 * i + j) as f64);
        write(&path, &[("F1".to_owned(), &matrix)]).unwrap();
        let read = Matrices::read(&path).unwrap();
        assert_eq!(read.get("F1", (3, 2)).unwrap(), &matrix);
        let error = read.get("F1", (2, 3)).unwrap_err().to_string();
        assert!(error.contains("expected F1, 2 × 3, found (3, 2)"), "{error}");
    }
}
