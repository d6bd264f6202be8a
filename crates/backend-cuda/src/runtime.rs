//! The runtimes of CubeCL by name.

use std::fmt;

/// A runtime of CubeCL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// NVIDIA's, by feature `cuda`.
    Cuda,
    /// Vulkan, Metal or DirectX through wgpu, by feature `wgpu`.
    Wgpu,
    /// The host's processors, by feature `cpu`.
    Cpu,
}

impl Runtime {
    /// All runtimes.
    pub const ALL: [Self; 3] = [Self::Cuda, Self::Wgpu, Self::Cpu];

    /// The name on the command line, and of the feature that compiles it in.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
            Self::Cpu => "cpu",
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
