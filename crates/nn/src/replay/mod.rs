//! The replay of captured operations on any device, free of static ranks.
//!
//! Burn's capture device records what a model's `forward` does; [`evaluate()`] does one recorded
//! operation again, at another batch size, with other widths or in another float type.

mod evaluate;
mod jet;
mod kind;
mod known;
mod network;
#[cfg(test)]
mod tests;

use burgeon_core::SlopeAtZero;
use burn::backend::ir::{OperationIr, SliceAssignOpIr, SliceOpIr, TensorId, TensorIr};
use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::backend::{
    Dispatch, DispatchDevice, DispatchTensor, TensorMetadata, get_or_init_device_settings,
};
use burn::tensor::{BoolDType, DType, FloatDType, IntDType, Shape, Slice, TensorData};
use thiserror::Error;

pub(crate) use evaluate::evaluate;
pub(crate) use jet::{Jet, jet};
pub(crate) use kind::kind;
pub(crate) use known::worth_keeping;
pub use network::Network;
pub(crate) use network::{NoProbe, Parameters, Probes, Values, output_of};

/// A tensor on its device, its rank known at run time only.
pub(crate) type Value = DispatchTensor;

/// An operation that no replay repeats.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "operation {operation} cannot be replayed: it draws random numbers, has several results, \
     reads gradients or is not Burn's own; write the model's forward without it"
)]
pub(crate) struct Unsupported {
    /// Its name, as [`kind()`] gives it.
    pub(crate) operation: String,
}

/// What differs between a trace and this replay of it.
///
/// Tensors are made in the types of this replay, whatever the trace says: floats in `float`,
/// integers and booleans in the device's own. So leaves must be in them too; see
/// [`constant`](Self::constant) and [`adopt`](Self::adopt).
pub(crate) struct Frame<'a> {
    pub(crate) device: &'a DispatchDevice,
    pub(crate) float: DType,
    /// The shape that a traced tensor has in this replay.
    pub(crate) shapes: &'a dyn Fn(&TensorIr) -> Vec<usize>,
    /// The ranges that a slice takes in this replay.
    pub(crate) ranges: &'a dyn Fn(&SliceOpIr) -> Vec<Slice>,
    /// The ranges that a slice is written to in this replay.
    pub(crate) assigned: &'a dyn Fn(&SliceAssignOpIr) -> Vec<Slice>,
    /// Whether a convolution with this weight is one of our layers', whose kernels are ours.
    pub(crate) fast: &'a dyn Fn(TensorId) -> bool,
    /// The derivative of a ReLU at 0.
    pub(crate) slope_at_zero: SlopeAtZero,
}

impl Frame<'_> {
    /// Data of the trace on this replay's device.
    pub(crate) fn constant(&self, data: &TensorData) -> Value {
        let data = data.clone();
        match data.dtype() {
            dtype if dtype.is_float() => {
                Dispatch::float_from_data(data.convert_dtype(self.float), self.device)
            }
            dtype if dtype.is_bool() => {
                let data = data.convert_dtype(DType::Bool(self.bools()));
                Dispatch::bool_from_data(data, self.device)
            }
            _ => Dispatch::int_from_data(data.convert_dtype(self.ints().into()), self.device),
        }
    }

    /// A tensor on this replay's device in the type that the replay works in.
    pub(crate) fn adopt(&self, value: Value) -> Value {
        match value.dtype() {
            dtype if dtype.is_float() => self.float(value),
            dtype if dtype.is_int() || dtype.is_uint() => self.int(value),
            _ => value,
        }
    }

    fn float(&self, value: Value) -> Value {
        if value.dtype() == self.float {
            return value;
        }
        Dispatch::float_cast(value, self.floats())
    }

    fn int(&self, value: Value) -> Value {
        if value.dtype() == self.ints().into() {
            return value;
        }
        Dispatch::int_cast(value, self.ints())
    }

    fn floats(&self) -> FloatDType {
        self.float.into()
    }

    fn ints(&self) -> IntDType {
        get_or_init_device_settings::<Dispatch>(self.device).int_dtype
    }

    fn bools(&self) -> BoolDType {
        get_or_init_device_settings::<Dispatch>(self.device).bool_dtype
    }

    fn shape(&self, tensor: &TensorIr) -> Shape {
        Shape::from((self.shapes)(tensor))
    }
}

/// How exact the curvature through an operation is.
pub(crate) fn smoothness(operation: &OperationIr) -> burgeon_graph::Smoothness {
    use burgeon_graph::Smoothness;
    match jet::smoothness(operation) {
        jet::Smoothness::Exact => Smoothness::Exact,
        jet::Smoothness::Selection => Smoothness::Selection,
        jet::Smoothness::Surrogate => Smoothness::Surrogate,
    }
}
