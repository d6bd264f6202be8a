//! Networks that other runtimes take and give. Without a Python that has them (`BURGEON_PYTHON`, or
//! else `python3`) tests say that they are skipped.

mod common;
mod onnx;
mod python;
mod pytorch;
#[path = "../../../nn/tests/zoo/mod.rs"]
mod zoo;
