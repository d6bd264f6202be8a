//! A model's floats as they are stored: by path, with their ids.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::checkpointing;
use crate::copies::detached;
use crate::error::NnError;
use crate::ports::InnerOrSelf;

/// A parameter or running statistic.
#[derive(Debug, Clone)]
pub struct Weight {
    /// Its id, by which an optimizer's state finds it.
    pub id: ParamId,
    /// Its values.
    pub data: TensorData,
}

/// All floats of a model, by their path in it.
pub type Weights = BTreeMap<String, Weight>;

/// Reads all floats of `model`.
pub fn collect<M: Module>(model: &M) -> Weights {
    struct Collector {
        path: Vec<String>,
        weights: Weights,
    }
    impl ModuleVisitor for Collector {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let data = param.val().inner_or_self().into_data();
            let weight = Weight { id: param.id, data };
            self.weights.insert(self.path.join("."), weight);
        }
    }
    let mut collector = Collector {
        path: Vec::new(),
        weights: Weights::new(),
    };
    model.visit(&mut collector);
    collector.weights
}

/// `model` with the given floats, which may have other widths than its own; ids are
/// taken over too, so that an optimizer's state still finds its parameters.
///
/// # Errors
/// A sentence that names the first float that is missing, unknown or of another
/// rank.
pub fn restore<M: Module>(model: &M, weights: &Weights) -> Result<M, String> {
    struct Restorer<'a> {
        path: Vec<String>,
        weights: &'a Weights,
        used: HashSet<String>,
        problem: Option<String>,
    }
    impl ModuleMapper for Restorer<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let path = self.path.join(".");
            let Some(weight) = self.weights.get(&path) else {
                let problem = format!("it holds no `{path}`, which the model has");
                self.problem.get_or_insert(problem);
                return param;
            };
            if weight.data.rank() != D {
                let rank = weight.data.rank();
                let problem = format!("`{path}` has rank {rank}, the model's has {D}");
                self.problem.get_or_insert(problem);
                return param;
            }
            self.used.insert(path);
            let (_, tensor, mapper) = param.consume();
            let requires_grad = tensor.is_require_grad();
            let is_autodiff = tensor.is_autodiff();
            let device = tensor.inner_or_self().device();
            let dtype = weight.data.dtype();
            let value = Tensor::<D>::from_data(weight.data.clone(), (&device, dtype));
            let value = match is_autodiff {
                true => Tensor::from_inner(value).set_require_grad(requires_grad),
                false => value,
            };
            Param::from_mapped_value(weight.id, value, mapper)
        }
    }
    let mut restorer = Restorer {
        path: Vec::new(),
        weights,
        used: HashSet::new(),
        problem: None,
    };
    let restored = detached(model).map(&mut restorer);
    let restored = checkpointing::as_in(restored, model);
    match restorer.problem {
        Some(problem) => Err(problem),
        None => match weights.keys().find(|name| !restorer.used.contains(*name)) {
            Some(name) => Err(format!("it holds `{name}`, which the model does not have")),
            None => Ok(restored),
        },
    }
}

/// Serialises weights, further byte strings and metadata as safetensors.
///
/// # Errors
/// A sentence that names what cannot be written.
pub fn encode(
    weights: &Weights,
    blobs: &[(&str, &[u8])],
    metadata: Option<std::collections::HashMap<String, String>>,
) -> Result<Vec<u8>, String> {
    let mut views = Vec::with_capacity(weights.len() + blobs.len());
    for (name, weight) in weights {
        let dtype = match weight.data.dtype() {
            DType::F64 => Dtype::F64,
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            other => {
                return Err(format!(
                    "`{name}` is of type {other:?}, which is not a float"
                ));
            }
        };
        let shape = weight.data.shape().to_vec();
        let view = TensorView::new(dtype, shape, weight.data.as_bytes())
            .map_err(|error| format!("`{name}`: {error}"))?;
        views.push((name.as_str(), view));
    }
    for (name, bytes) in blobs {
        let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes)
            .map_err(|error| format!("`{name}`: {error}"))?;
        views.push((name, view));
    }
    safetensors::serialize(views, metadata).map_err(|error| error.to_string())
}

/// The floats of a safetensors file, with fresh ids.
///
/// # Errors
/// None today; a sentence that names what cannot be read.
pub fn decode(file: &SafeTensors) -> Result<Weights, String> {
    let mut weights = Weights::new();
    for (name, view) in file.tensors() {
        let Some(dtype) = float(view.dtype()) else {
            continue;
        };
        let data = TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype);
        let id = ParamId::new();
        weights.insert(name, Weight { id, data });
    }
    Ok(weights)
}

/// The type of a file's floats; `None` for what is no float.
pub fn float(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        _ => return None,
    })
}

/// Writes `bytes` beside `path` and renames, so that the file is either old or new, also after a
/// loss of power.
///
/// # Errors
/// [`NnError::Io`] if the file system refuses.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), NnError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(NnError::io(&partial))?;
    std::fs::rename(&partial, path).map_err(NnError::io(path))?;
    sync_folder(path)
}

/// Makes it last, also after a loss of power, that `path` was made in its folder or renamed there.
/// Only Unix opens folders as files, and elsewhere it lasts by itself.
///
/// # Errors
/// [`NnError::Io`] if the file system refuses.
pub fn sync_folder(path: &Path) -> Result<(), NnError> {
    if cfg!(unix) {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(NnError::io(folder))?;
    }
    Ok(())
}
