//! What every launch needs of its tensors.

use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::{BufferArg, Client};

/// Whether the kernels take a tensor of this type and size.
pub(crate) fn fits(dtype: DType, numbers: usize) -> bool {
    dtype == DType::F32 && u32::try_from(numbers).is_ok()
}

/// A tensor of that shape beside `like`, its numbers undefined.
pub(super) fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), DType::F32)
}

/// The sizes of a tensor of rank D; missing ones are 1.
pub(super) fn dims<const D: usize>(tensor: &CubeTensor) -> [usize; D] {
    let shape = tensor.meta.shape();
    std::array::from_fn(|axis| shape.iter().nth(axis).copied().unwrap_or(1))
}

/// What a launch reads of a tensor.
pub(super) fn argument(tensor: CubeTensor) -> BufferArg {
    into_contiguous(tensor).into_buffer_arg()
}

/// `wanted` units for a cube with barriers, or one where a cube has not so many: CubeCL's CPU runtime runs
/// each unit on a thread that spins at barriers until all others are there, and one unit has none to wait for.
pub(super) fn units(client: &Client, wanted: u32) -> u32 {
    match client.properties().hardware.max_units_per_cube >= wanted {
        true => wanted,
        false => 1,
    }
}
