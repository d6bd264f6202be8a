//! A model's weights by name, whatever their widths.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::checkpointing;
use crate::error::NnError;
use crate::fit;
use crate::growable::Growable;
use crate::ports::{InnerOrSelf, Input};
use crate::trace::Trace;

/// A parameter or running statistic.
#[derive(Debug, Clone)]
pub(crate) struct Weight {
    pub id: ParamId,
    pub data: TensorData,
}

/// All floats of a model, by their path in it.
pub(crate) type Weights = BTreeMap<String, Weight>;

/// Reads all floats of `model`.
pub(crate) fn collect<M: Module>(model: &M) -> Weights {
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
pub(crate) fn restore<M: Module>(model: &M, weights: &Weights) -> Result<M, String> {
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
    let restored = crate::surgery::detached(model).map(&mut restorer);
    let restored = checkpointing::as_in(restored, model);
    match restorer.problem {
        Some(problem) => Err(problem),
        None => match weights.keys().find(|name| !restorer.used.contains(*name)) {
            Some(name) => Err(format!("it holds `{name}`, which the model does not have")),
            None => Ok(restored),
        },
    }
}

/// Writes all floats of `model` to a safetensors file, under their paths in the
/// model. A grown model's widths are those of its weights, so nothing else is
/// needed to load it again.
///
/// # Errors
/// [`NnError::Io`] if the file cannot be written.
pub fn save_weights<M: Module>(model: &M, path: &Path) -> Result<(), NnError> {
    let bytes = encode(&collect(model), &[], None).map_err(|e| NnError::file(path, e))?;
    write_atomically(path, &bytes)
}

/// `model` with the weights of a file that [`save_weights`] wrote, in the model's types, at
/// whatever widths growing can have given them. `example` is an input of at least one row, by
/// which it is found out which widths belong together.
///
/// # Errors
/// [`NnError::Io`] if the file cannot be read, [`NnError::File`] if it does not hold
/// this model's weights: the message names the first parameter that is missing, unknown, of a
/// shape that the model or the other parameters do not allow, or too large for its type.
pub fn load_weights<M: Growable>(model: &M, path: &Path, example: &M::Input) -> Result<M, NnError> {
    let example = example.select_rows(&[0]);
    let trace = Trace::of(model, &example, |model: &M, input| {
        model.clone().rebuilt().predict(input)
    })?;
    let bytes = std::fs::read(path).map_err(NnError::io(path))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| NnError::file(path, format!("not a safetensors file: {error}")))?;
    let own = collect(model);
    let weights = fitted(&file, &own).map_err(|error| NnError::file(path, error))?;
    fit::check_shapes(trace.graph(), &weights).map_err(|error| NnError::file(path, error))?;
    let restored = restore(model, &weights).map_err(|error| NnError::file(path, error))?;
    Ok(restored.rebuilt())
}

/// The floats of a file with the ids and types of the model's `own`: files name parameters by
/// path.
fn fitted(file: &SafeTensors, own: &Weights) -> Result<Weights, String> {
    for (name, view) in file.tensors() {
        if own.contains_key(&name) && float(view.dtype()).is_none() {
            return Err(format!("`{name}` is in {:?}, not in floats", view.dtype()));
        }
    }
    let fit = |(name, mut weight): (String, Weight)| {
        if let Some(own) = own.get(&name) {
            weight.id = own.id;
            weight = fit::cast(&name, weight, own.data.dtype())?;
        }
        Ok((name, weight))
    };
    decode(file)?.into_iter().map(fit).collect()
}

/// Serialises weights, further byte strings and metadata as safetensors.
pub(crate) fn encode(
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
pub(crate) fn decode(file: &SafeTensors) -> Result<Weights, String> {
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
fn float(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        _ => return None,
    })
}

/// Writes `bytes` beside `path` and renames, so that the file is either old or new.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), NnError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    std::fs::write(&partial, bytes).map_err(NnError::io(&partial))?;
    std::fs::rename(&partial, path).map_err(NnError::io(path))
}
