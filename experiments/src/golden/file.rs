//! Arrays of a safetensors file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nalgebra::DMatrix;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::ExperimentError;

/// A dense array of f64.
#[derive(Debug, Clone)]
pub(super) struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// All arrays of a file, by name.
#[derive(Debug)]
pub(super) struct Arrays {
    path: PathBuf,
    floats: BTreeMap<String, Array>,
    integers: BTreeMap<String, Vec<i64>>,
}

impl Arrays {
    pub fn read(path: &Path) -> Result<Self, ExperimentError> {
        let bytes = std::fs::read(path).map_err(ExperimentError::io(path))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| {
            ExperimentError::file(path, format!("not a safetensors file: {error}"))
        })?;
        let mut arrays = Self {
            path: path.to_owned(),
            floats: BTreeMap::new(),
            integers: BTreeMap::new(),
        };
        for (name, view) in file.tensors() {
            match view.dtype() {
                Dtype::F64 => {
                    let values = words(&view).map(f64::from_le_bytes).collect();
                    let shape = view.shape().to_vec();
                    arrays.floats.insert(name, Array { shape, values });
                }
                Dtype::I64 => {
                    let values = words(&view).map(i64::from_le_bytes).collect();
                    arrays.integers.insert(name, values);
                }
                other => {
                    let problem = format!("`{name}` is {other:?}; only F64 and I64 are read");
                    return Err(ExperimentError::file(path, problem));
                }
            }
        }
        Ok(arrays)
    }

    pub fn floats(&self, name: &str) -> Result<&Array, ExperimentError> {
        self.floats.get(name).ok_or_else(|| self.missing(name))
    }

    pub fn has_floats(&self, name: &str) -> bool {
        self.floats.contains_key(name)
    }

    pub fn integers(&self, name: &str) -> Result<&[i64], ExperimentError> {
        let found = self.integers.get(name).ok_or_else(|| self.missing(name))?;
        Ok(found)
    }

    /// `[M, d, d]` as M matrices.
    pub fn matrices(&self, name: &str) -> Result<Vec<DMatrix<f64>>, ExperimentError> {
        let array = self.floats(name)?;
        let [_, d, columns] = array.shape[..] else {
            return Err(ExperimentError::file(
                &self.path,
                format!("`{name}` is not [M, d, d]"),
            ));
        };
        let parts = array.values.chunks_exact(d * columns);
        Ok(parts
            .map(|part| DMatrix::from_row_slice(d, columns, part))
            .collect())
    }

    fn missing(&self, name: &str) -> ExperimentError {
        ExperimentError::file(&self.path, format!("it holds no array `{name}`"))
    }
}

fn words<'a>(view: &'a TensorView<'_>) -> impl Iterator<Item = [u8; 8]> + 'a {
    let (words, _) = view.data().as_chunks::<8>();
    words.iter().copied()
}
