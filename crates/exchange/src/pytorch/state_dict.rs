//! State dicts: PyTorch's tensors by name.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burgeon_nn::stored::write_atomically;
use burn::tensor::{DType, TensorData};
use pytorch_reader::PytorchReader;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::ExchangeError;

/// Under what checkpoints keep a state dict, what they keep beside it, and what wrappers put
/// before its names.
const CHECKPOINTS: [&str; 2] = ["state_dict.", "model_state_dict."];
const BESIDE: [&str; 2] = ["optimizer.", "optimizer_state_dict."];
const WRAPPERS: [&str; 3] = ["model.", "module.", "_orig_mod."];

/// The key of a safetensors file's metadata that says who wrote it.
pub(crate) const FORMAT: &str = "format";

/// Tensors by PyTorch's names, the layers in the order of their names (`2.weight` before
/// `10.weight`).
///
/// ```
/// use burgeon_exchange::StateDict;
/// use burn::tensor::TensorData;
///
/// let mut state = StateDict::new();
/// state.insert("fc.weight", TensorData::new(vec![0.5_f32; 6], [2, 3]));
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("net.safetensors");
/// state.save(&path)?;
///
/// let state = StateDict::read(&path)?;
/// assert_eq!(state.shape("fc.weight"), Some(vec![2, 3]));
/// let error = state.floats("fc.bias", &[2]).expect_err("there is none");
/// assert!(error.to_string().contains("`fc.bias` is missing"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct StateDict {
    path: PathBuf,
    tensors: Vec<(String, TensorData)>,
}

impl StateDict {
    /// No tensor.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tensors of a file: `torch.save(model.state_dict(), path)` of any version of PyTorch (a
    /// `.pt` or `.pth` file; a saved model and a checkpoint that holds a state dict are read too),
    /// or safetensors. Nothing of a pickle is run.
    ///
    /// # Errors
    /// [`ExchangeError::File`] for another file, [`ExchangeError::Io`] where it cannot be read.
    pub fn read(path: &Path) -> Result<Self, ExchangeError> {
        let bytes = std::fs::read(path).map_err(ExchangeError::io(path))?;
        // A length of eight bytes, then JSON.
        let tensors = match bytes.get(8) == Some(&b'{') {
            true => from_safetensors(path, &bytes)?,
            false => from_pickle(path)?,
        };
        if tensors.is_empty() {
            return Err(ExchangeError::file(
                path,
                "it holds no tensor: save a state dict, `torch.save(model.state_dict(), path)`",
            ));
        }
        let mut tensors = unwrapped(tensors);
        tensors.sort_by(|a, b| natural(&a.0, &b.0));
        let path = path.to_owned();
        Ok(Self { path, tensors })
    }

    /// Where it was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors' names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|(name, _)| name.as_str())
    }

    /// A tensor.
    pub fn get(&self, name: &str) -> Option<&TensorData> {
        let found = self.tensors.iter().find(|(own, _)| own == name);
        found.map(|(_, data)| data)
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.get(name)?.shape().to_vec())
    }

    /// The tensor `name`, which must be of floats.
    ///
    /// # Errors
    /// [`ExchangeError::MissingTensor`], [`ExchangeError::WrongType`].
    pub fn float_tensor(&self, name: &str) -> Result<&TensorData, ExchangeError> {
        let data = self.get(name).ok_or_else(|| self.missing(name))?;
        match data.dtype().is_float() {
            true => Ok(data),
            false => Err(ExchangeError::WrongType {
                path: self.path.clone(),
                tensor: name.to_owned(),
                found: format!("{:?}", data.dtype()),
            }),
        }
    }

    /// The tensor `name`, which must be of floats and of this shape.
    ///
    /// # Errors
    /// As [`float_tensor`](Self::float_tensor), and [`ExchangeError::WrongShape`].
    pub fn floats(&self, name: &str, expected: &[usize]) -> Result<&TensorData, ExchangeError> {
        let data = self.float_tensor(name)?;
        match data.shape().iter().eq(expected) {
            true => Ok(data),
            false => Err(self.wrong_shape(name, expected)),
        }
    }

    /// The shape of the tensor `name`, which must be of floats and have `D` axes, none of them
    /// empty: a tensor without numbers can say to be of any size.
    ///
    /// # Errors
    /// As [`floats`](Self::floats); the axes of which nothing is known are given as 0.
    pub fn axes<const D: usize>(&self, name: &str) -> Result<[usize; D], ExchangeError> {
        let shape = self.float_tensor(name)?.shape().to_vec();
        match <[usize; D]>::try_from(shape) {
            Ok(axes) if !axes.contains(&0) => Ok(axes),
            _ => Err(self.wrong_shape(name, &[0; D])),
        }
    }

    /// Adds a tensor, or puts it in the place of the one of this name.
    pub fn insert(&mut self, name: impl Into<String>, data: TensorData) {
        let name = name.into();
        match self.tensors.iter_mut().find(|(own, _)| *own == name) {
            Some((_, own)) => *own = data,
            None => {
                let before = |(own, _): &(String, _)| natural(own, &name).is_lt();
                let at = self.tensors.partition_point(before);
                self.tensors.insert(at, (name, data));
            }
        }
    }

    /// Takes a tensor out.
    pub fn remove(&mut self, name: &str) -> Option<TensorData> {
        let at = self.tensors.iter().position(|(own, _)| own == name)?;
        Some(self.tensors.remove(at).1)
    }

    /// The names of the layers, in order: what stands before the last dot of the tensors' names.
    pub fn layers(&self) -> Vec<&str> {
        let layers = self.names().map(|name| layer_of(name).0);
        let mut layers: Vec<&str> = layers.collect();
        layers.dedup();
        layers
    }

    /// Writes the tensors as safetensors, whole or not at all; `load_file` of Python's
    /// `safetensors.torch` reads them.
    ///
    /// # Errors
    /// [`ExchangeError::File`] for types that the format does not have, [`ExchangeError::Network`]
    /// where the file system refuses.
    pub fn save(&self, path: &Path) -> Result<(), ExchangeError> {
        let mut views = Vec::with_capacity(self.tensors.len());
        for (name, data) in &self.tensors {
            let refused =
                |problem: String| ExchangeError::file(path, format!("`{name}`: {problem}"));
            let dtype = safetensors_type(data.dtype())
                .ok_or_else(|| refused(format!("safetensors hold no {:?}", data.dtype())))?;
            let view = TensorView::new(dtype, data.shape().to_vec(), data.as_bytes());
            views.push((
                name.as_str(),
                view.map_err(|error| refused(error.to_string()))?,
            ));
        }
        let metadata = HashMap::from([(FORMAT.to_owned(), "pt".to_owned())]);
        let bytes = safetensors::serialize(views, Some(metadata));
        let bytes = bytes.map_err(|error| ExchangeError::file(path, error))?;
        Ok(write_atomically(path, &bytes)?)
    }

    pub(crate) fn missing(&self, name: &str) -> ExchangeError {
        ExchangeError::MissingTensor {
            path: self.path.clone(),
            tensor: name.to_owned(),
            found: self.names().map(str::to_owned).collect(),
        }
    }

    pub(crate) fn wrong_shape(&self, name: &str, expected: &[usize]) -> ExchangeError {
        ExchangeError::WrongShape {
            path: self.path.clone(),
            tensor: name.to_owned(),
            expected: expected.to_vec(),
            found: self.shape(name).unwrap_or_default(),
        }
    }
}

/// The layer and the tensor's own name.
fn layer_of(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

/// By parts between dots, numbers by their size.
fn natural(a: &str, b: &str) -> Ordering {
    let part = |part: &str| {
        let digits = part.len() - part.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (word, number) = part.split_at(part.len() - digits);
        (word.to_owned(), number.parse::<u64>().ok())
    };
    let parts = |name: &str| name.split('.').map(part).collect::<Vec<_>>();
    parts(a).cmp(&parts(b)).then(a.cmp(b))
}

/// The names without what checkpoints and wrappers put before them.
fn unwrapped(mut tensors: Vec<(String, TensorData)>) -> Vec<(String, TensorData)> {
    tensors.retain(|(name, _)| !BESIDE.iter().any(|other| name.starts_with(other)));
    for prefix in CHECKPOINTS {
        if tensors.iter().any(|(name, _)| name.starts_with(prefix)) {
            tensors.retain(|(name, _)| name.starts_with(prefix));
            break;
        }
    }
    for prefix in CHECKPOINTS.into_iter().chain(WRAPPERS) {
        if tensors.iter().all(|(name, _)| name.starts_with(prefix)) {
            for (name, _) in &mut tensors {
                name.drain(..prefix.len());
            }
        }
    }
    tensors
}

fn from_pickle(path: &Path) -> Result<Vec<(String, TensorData)>, ExchangeError> {
    use pytorch_reader::DType as T;
    let reader = PytorchReader::new(path).map_err(|error| {
        ExchangeError::file(
            path,
            format!(
                "neither safetensors nor a file of PyTorch ({error}): save a state dict, \
                 `torch.save(model.state_dict(), path)`"
            ),
        )
    })?;
    let mut tensors = Vec::new();
    for (name, tensor) in reader.into_tensors() {
        let dtype = match tensor.dtype() {
            T::F64 => DType::F64,
            T::F32 => DType::F32,
            T::F16 => DType::F16,
            T::BF16 => DType::BF16,
            T::I64 => DType::I64,
            T::I32 => DType::I32,
            T::I16 => DType::I16,
            T::I8 => DType::I8,
            T::U64 => DType::U64,
            T::U32 => DType::U32,
            T::U16 => DType::U16,
            T::U8 | T::Bool => DType::U8,
        };
        let bytes = tensor.read().map_err(ExchangeError::io(path))?;
        let shape = tensor.shape().to_vec();
        tensors.push((name, TensorData::from_bytes_vec(bytes, shape, dtype)));
    }
    Ok(tensors)
}

fn from_safetensors(path: &Path, bytes: &[u8]) -> Result<Vec<(String, TensorData)>, ExchangeError> {
    let damaged = |error| ExchangeError::file(path, format!("damaged safetensors: {error}"));
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let metadata = header.metadata().as_ref();
    if metadata
        .and_then(|lines| lines.get(FORMAT))
        .map(String::as_str)
        == Some(crate::OWN_FORMAT)
    {
        return Err(ExchangeError::file(
            path,
            "its weights lie as Burn has them, not as PyTorch does: export the network with \
             PyTorch's names (`--format pytorch`)",
        ));
    }
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        let dtype = burn_type(view.dtype()).ok_or_else(|| ExchangeError::WrongType {
            path: path.to_owned(),
            tensor: name.clone(),
            found: format!("{:?}", view.dtype()),
        })?;
        let data = TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype);
        tensors.push((name, data));
    }
    Ok(tensors)
}

/// The types that both know; a boolean is a byte.
const TYPES: [(DType, Dtype); 12] = [
    (DType::F64, Dtype::F64),
    (DType::F32, Dtype::F32),
    (DType::F16, Dtype::F16),
    (DType::BF16, Dtype::BF16),
    (DType::I64, Dtype::I64),
    (DType::I32, Dtype::I32),
    (DType::I16, Dtype::I16),
    (DType::I8, Dtype::I8),
    (DType::U64, Dtype::U64),
    (DType::U32, Dtype::U32),
    (DType::U16, Dtype::U16),
    (DType::U8, Dtype::U8),
];

fn safetensors_type(dtype: DType) -> Option<Dtype> {
    let found = TYPES.iter().find(|(own, _)| *own == dtype);
    found.map(|(_, theirs)| *theirs)
}

fn burn_type(dtype: Dtype) -> Option<DType> {
    if dtype == Dtype::BOOL {
        return Some(DType::U8);
    }
    let found = TYPES.iter().find(|(_, theirs)| *theirs == dtype);
    found.map(|(own, _)| *own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_stand_in_the_order_of_their_numbers() {
        let mut state = StateDict::new();
        for layer in [10, 2, 0] {
            let data = TensorData::new(vec![0.0_f32; 4], [2, 2]);
            state.insert(format!("{layer}.weight"), data);
        }
        assert_eq!(state.layers(), ["0", "2", "10"]);
    }

    #[test]
    fn wrappers_and_what_lies_beside_a_state_dict_go() {
        let unwrapped = |names: &[&str]| {
            let data = || TensorData::new(vec![0.0_f32], [1]);
            let tensors = names.iter().map(|name| ((*name).to_owned(), data()));
            let tensors = unwrapped(tensors.collect()).into_iter();
            tensors.map(|(name, _)| name).collect::<Vec<_>>()
        };
        let checkpoint = ["state_dict.module.fc.bias", "optimizer.state.0.step", "ema"];
        assert_eq!(unwrapped(&checkpoint), ["fc.bias"]);
        assert_eq!(unwrapped(&["model.a.bias", "optimizer.x"]), ["a.bias"]);
        // `model` is a part of this one.
        let part = ["head.bias", "model.bias"];
        assert_eq!(unwrapped(&part), part);
    }
}
