//! The kernels as PTX for NVIDIA's GPUs, by the compiler that the runtime has there; no GPU or driver is
//! needed. Where `BURGEON_PTXAS` names NVIDIA's assembler, it must take each.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use cubecl::Compiler;
use cubecl::cuda::{CudaCompilationOptions, CudaCompiler, CudaRepresentation};
use cubecl::ir::features::Features;
use cubecl::ir::nvidia::SmArch;
use cubecl::ir::{DeviceIdentity, HardwareProperties, MemoryDeviceProperties};
use cubecl::prelude::*;
use cubecl::profile::TimingMethod;

use super::curvature_weights::Curve;
use super::curvature_weights::curvature_weights_kernel::CurvatureWeightsKernel;
use super::eigen::symmetric_eigen_kernel::SymmetricEigenKernel;
use super::gram::weighted_gram_kernel::WeightedGramKernel;
use super::products::weighted_products_kernel::WeightedProductsKernel;
use super::{eigen, gram, products};

/// Compute capabilities of Turing, Ampere and Hopper.
const ARCHITECTURES: [u32; 3] = [75, 80, 90];

/// What the kernels' expansion may ask of a GPU.
fn device() -> Arc<DeviceProperties> {
    let hardware = HardwareProperties {
        load_width: 128,
        vector_register_count: None,
        plane_size_min: 32,
        plane_size_max: 32,
        max_bindings: 64,
        max_shared_memory_size: 48 * 1024,
        max_cube_count: (i32::MAX as u32, 65_535, 65_535),
        max_units_per_cube: 1024,
        max_cube_dim: (1024, 1024, 64),
        num_streaming_multiprocessors: None,
        num_tensor_cores: None,
        min_tensor_cores_dim: None,
        num_cpu_cores: None,
        last_level_cache_size: None,
        max_vector_size: VectorSize::MAX,
        cube_mma_reserved_shared_memory: 0,
    };
    let identity = DeviceIdentity {
        name: "none".into(),
        fingerprint: "none".into(),
        physical: None,
    };
    let memory = MemoryDeviceProperties::new(1 << 32, 512);
    let timing = TimingMethod::System;
    Arc::new(DeviceProperties::new(
        Features::default(),
        memory,
        hardware,
        timing,
        identity,
    ))
}

fn settings(cube: CubeDim) -> KernelSettings {
    KernelSettings::new(cube.into(), ExecutionMode::Checked, AddressType::U32)
}

const fn buffer() -> BufferCompilationArg {
    BufferCompilationArg { inplace: None }
}

fn ptx(kernel: &dyn CubeKernel, architecture: u32) -> Result<String, String> {
    let options = CudaCompilationOptions {
        arch: Some(SmArch::new(architecture, true)),
        ..Default::default()
    };
    let compiled = CudaCompiler::default().compile(kernel.define(), &options);
    match compiled.map_err(|error| error.to_string())? {
        CudaRepresentation::Llvm(module) => {
            // It ends with a NUL, for the driver.
            let bytes = module.ptx.iter().map(|byte| *byte as u8);
            let text = bytes.take_while(|byte| *byte != 0).collect();
            String::from_utf8(text).map_err(|error| error.to_string())
        }
        CudaRepresentation::Cpp(_) => Err("CubeCL's default is C++ now".into()),
    }
}

/// Hands `ptx` to the assembler, if there is one.
fn assemble(ptx: &str, architecture: u32) {
    let Some(assembler) = std::env::var_os("BURGEON_PTXAS") else {
        return;
    };
    // As CubeCL names them: Hopper's kernels are for it alone.
    let target = ptx.lines().find_map(|line| line.strip_prefix(".target "));
    let target = target.expect("PTX names its target");
    assert!(
        target.starts_with(&format!("sm_{architecture}")),
        "{target}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let code = folder.path().join("kernel.cubin");
    let mut child = Command::new(&assembler)
        .arg(format!("-arch={}", target.trim_end_matches(',')))
        .arg("-o")
        .args([code.as_os_str(), "-".as_ref()])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("BURGEON_PTXAS is a program");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(ptx.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{ptx}");
    assert!(code.is_file());
}

fn check(kernel: &dyn CubeKernel, instructions: &[&str]) {
    for architecture in ARCHITECTURES {
        let ptx = ptx(kernel, architecture).expect("it compiles");
        for instruction in instructions.iter().chain(&[".entry", "st.global"]) {
            assert!(ptx.contains(instruction), "no {instruction}:\n{ptx}");
        }
        assemble(&ptx, architecture);
    }
}

#[test]
fn the_gram_kernel_is_ptx() {
    let kernel = WeightedGramKernel::new(
        settings(CubeDim::new_2d(gram::UNITS, gram::UNITS)),
        device(),
        Arc::default(),
        buffer(),
        buffer(),
        buffer(),
        (),
        (),
        (),
        (),
        (),
        (),
        gram::UNITS,
    );
    check(&kernel, &["bar.sync", "ld.shared", "fma.rn.f32"]);
}

#[test]
fn the_products_kernel_is_ptx() {
    let kernel = WeightedProductsKernel::new(
        settings(CubeDim::new_2d(products::UNITS, products::UNITS)),
        device(),
        Arc::default(),
        buffer(),
        buffer(),
        buffer(),
        buffer(),
        (),
        (),
        (),
        (),
        products::UNITS,
    );
    check(&kernel, &["bar.sync", "ld.shared", "fma.rn.f32"]);
}

#[test]
fn the_eigen_kernel_is_ptx() {
    let kernel = SymmetricEigenKernel::new(
        settings(CubeDim::new_1d(eigen::UNITS)),
        device(),
        Arc::default(),
        buffer(),
        buffer(),
        buffer(),
        (),
        eigen::UNITS,
    );
    check(&kernel, &["bar.sync", "ld.shared", "sqrt."]);
}

/// Its exponential is libdevice's: without that file, CubeCL's error names it.
#[test]
fn the_curvature_kernels_are_ptx_where_libdevice_is() {
    for curve in [
        Curve::Softplus,
        Curve::Tanh,
        Curve::Sigmoid,
        Curve::Silu,
        Curve::Gelu,
        Curve::Rbf,
    ] {
        let kernel = CurvatureWeightsKernel::new(
            settings(CubeDim::new_1d(256)),
            device(),
            Arc::default(),
            buffer(),
            buffer(),
            buffer(),
            buffer(),
            (),
            curve,
        );
        match crate::nvidia::libdevice() {
            Ok(_) => check(&kernel, &["ex2.approx"]),
            Err(_) => {
                let error = ptx(&kernel, 80).expect_err("it has an exponential");
                assert!(error.contains("libdevice"), "{error}");
            }
        }
    }
}
