//! An optimizer's state out of a file, and what its settings are.

use std::collections::HashMap;

use burgeon_nn::error::quietly;
use burgeon_nn::growable::copy;
use burgeon_nn::hash::hex;
use burgeon_nn::ports::InnerOrSelf;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::{GradientsParams, ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Bytes, DType, Device, Shape, Tensor, TensorData};
use burn_pack::{Reader, Writer};
use sha2::{Digest, Sha256};

/// `optimizer` with the state in `bytes`, whose parameters have other ids by now, as `ids` says.
///
/// # Errors
/// What does not fit. Burn itself would panic, at once or in the next step.
pub(super) fn restored<M: Module>(
    optimizer: &ModuleOptimizer,
    bytes: Vec<u8>,
    ids: &HashMap<u64, ParamId>,
    model: &M,
) -> Result<ModuleOptimizer, String> {
    let stepped = || {
        let record = renamed(bytes, ids)?;
        let optimizer = optimizer.clone().load_record(record);
        let (shapes, gradients) = zeros(model);
        let (after, _) = zeros(&optimizer.clone().step(0.0, copy(model), gradients));
        match shapes == after {
            true => Ok(optimizer),
            false => Err("a step changes the shape of a parameter".to_owned()),
        }
    };
    let result = quietly(stepped).and_then(|result| result);
    result.map_err(|problem| {
        format!("its optimizer's state does not fit this optimizer or model: {problem}")
    })
}

/// The record in `bytes` for parameters of other ids.
fn renamed(bytes: Vec<u8>, ids: &HashMap<u64, ParamId>) -> Result<OptimizerRecord, String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let new = |id: u64| {
        let found = ids.get(&id).map(|id| id.val());
        found.ok_or_else(|| format!("it keeps something for parameter {id}, which is not there"))
    };
    // Names are `id.field`.
    let named = |name: &str| {
        let (id, field) = name.split_once('.').unwrap_or((name, ""));
        let id = id
            .parse()
            .map_err(|_| format!("`{name}` names no parameter"))?;
        Ok::<_, String>(format!("{}.{field}", new(id)?))
    };
    let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(|e| failed(&e))?;
    let (scalars, paths) = (reader.scalars().clone(), reader.metadata().clone());
    let mut tensors = Vec::new();
    for tensor in reader.into_tensors().map_err(|e| failed(&e))? {
        let (name, dtype, shape, id, bytes) = tensor.into_parts().map_err(|e| failed(&e))?;
        let id = id.ok_or_else(|| format!("`{name}` is of no parameter"))?;
        let (name, id) = (named(&name)?, Some(new(id)?));
        tensors.push(burn_pack::Tensor::new(name, dtype, shape, id, bytes));
    }
    let mut writer = Writer::new(tensors);
    for (name, value) in &scalars {
        writer = writer.with_scalar(&named(name)?, *value);
    }
    for (id, path) in &paths {
        let id = id
            .parse()
            .map_err(|_| format!("`{id}` names no parameter"))?;
        writer = writer.with_metadata(&new(id)?.to_string(), path);
    }
    let bytes = writer.into_bytes().map_err(|e| failed(&e))?;
    OptimizerRecord::from_bytes(bytes).map_err(|e| failed(&e))
}

/// The shapes of all floats of `model`, and gradients of 0 for those that are trained.
fn zeros<M: Module>(model: &M) -> (Vec<Shape>, GradientsParams) {
    struct Zeros(Vec<Shape>, GradientsParams);
    impl ModuleVisitor for Zeros {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val().inner_or_self();
            self.0.push(value.shape());
            if param.is_require_grad() {
                self.1.register(param.id, value.zeros_like());
            }
        }
    }
    let mut zeros = Zeros(Vec::new(), GradientsParams::new());
    model.visit(&mut zeros);
    (zeros.0, zeros.1)
}

/// Places along each axis of a probe.
const PLACES: usize = 3;

/// The gradients of a probe's steps, one after the other. They rise from below what a weight decay
/// adds, so that it shows where only ratios of gradients matter, as ε does; they fall far in between,
/// which shows a maximum of moments; the last one shows clipping.
const SIZES: [f64; 7] = [1e-7, 1e-3, 0.1, 5.0, 0.01, 0.5, 3e4];

/// A fingerprint of what an optimizer does to each trained parameter of a model: its kind, its
/// settings, its groups. Burn gives none of these back, so a fresh copy of it makes a few steps
/// with fixed gradients on fixed numbers in place of the parameters, always in f32 on Burn's Flex
/// backend. Neither the state that it has, nor values and widths of the model matter.
///
/// # Errors
/// What Burn says where the optimizer refuses the step.
pub fn optimizer_fingerprint<M: Module>(
    optimizer: &ModuleOptimizer,
    model: &M,
) -> Result<String, String> {
    quietly(|| {
        let mut optimizer = optimizer.clone().load_record(OptimizerRecord::default());
        let mut probe = copy(model).map(&mut Probe);
        let mut found = Found(Vec::new(), Sha256::new());
        for size in SIZES {
            let mut gradients = Gradients(size, GradientsParams::new());
            probe.visit(&mut gradients);
            probe = optimizer.step(0.5, probe, gradients.1);
            probe.visit(&mut found);
        }
        format!("sha256:{}", hex(&found.1.finalize()))
    })
}

/// Numbers of either sign, none of them 0; the sign changes after `run` of them.
fn pattern<const D: usize>(size: f64, step: f64, run: usize) -> TensorData {
    let count = PLACES.pow(u32::try_from(D).unwrap_or(u32::MAX));
    let values = (0..count).map(|place| {
        let sign = if (place / run).is_multiple_of(2) {
            1.0
        } else {
            -1.0
        };
        (sign * size * (1.0 + step * place as f64)) as f32
    });
    TensorData::new(values.collect::<Vec<f32>>(), [PLACES; D])
}

struct Probe;

impl ModuleMapper for Probe {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let device = Device::flex();
        let value = Tensor::<D>::from_data(pattern::<D>(0.7, 0.3, 1), (&device, DType::F32));
        let value = match tensor.is_autodiff() {
            true => Tensor::from_inner(value).set_require_grad(tensor.is_require_grad()),
            false => value,
        };
        Param::from_mapped_value(id, value, mapper)
    }
}

struct Gradients(f64, GradientsParams);

impl ModuleVisitor for Gradients {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            let device = Device::flex();
            let value = pattern::<D>(self.0, 0.1, 2);
            let value = Tensor::<D>::from_data(value, (&device, DType::F32));
            self.1.register(param.id, value);
        }
    }
}

struct Found(Vec<String>, Sha256);

impl ModuleVisitor for Found {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.0.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.0.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.1.update(self.0.join("."));
            let data = param.val().inner_or_self().into_data();
            self.1.update(data.as_bytes());
        }
    }
}
