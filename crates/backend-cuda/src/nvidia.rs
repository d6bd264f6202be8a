//! What a `cuda` device needs of a machine, looked for without a driver and in every build.
//!
//! CubeCL translates kernels to PTX by an LLVM of its own, which the driver compiles: neither NVRTC nor
//! the rest of a CUDA toolkit is asked for, but libdevice, which has the exponentials and logarithms.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One need, and whether this build or machine meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What is needed.
    pub what: &'static str,
    /// Where or which it is, or what to do to have it.
    pub found: Result<String, String>,
}

/// What `cuda` devices need: this build's feature, the driver's two halves, and libdevice.
///
/// The driver is looked for where Linux's loader would. Elsewhere [`Runtime::devices`] tells.
///
/// [`Runtime::devices`]: crate::Runtime::devices
pub fn needs() -> Vec<Need> {
    Machine::seen().needs(cfg!(feature = "cuda"))
}

/// The file that libdevice is read from, or what to do to have it.
#[cfg(feature = "cuda")]
pub(crate) fn libdevice() -> Result<String, String> {
    Machine::seen().libdevice()
}

/// The driver's library by the names that CubeCL loads it by.
const DRIVER: [&str; 2] = ["libcuda.so", "libcuda.so.1"];

/// Where CubeCL looks for a CUDA toolkit unless `CUDA_PATH` says where it is.
const TOOLKITS: [&str; 4] = ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda", "/usr"];

/// Of libdevice, within a toolkit.
const LIBDEVICE: [&str; 3] = ["nvvm", "libdevice", "libdevice.10.bc"];

/// What is looked at of a machine.
struct Machine<'a> {
    cuda_path: Option<PathBuf>,
    /// `LD_LIBRARY_PATH`.
    library_path: Option<OsString>,
    /// The loader's cache, as `ldconfig -p` prints it.
    cache: String,
    /// `/proc/driver/nvidia/version`.
    module: Option<String>,
    is_file: &'a dyn Fn(&Path) -> bool,
}

impl Machine<'_> {
    fn seen() -> Self {
        let cache = |program: &str| Command::new(program).arg("-p").output().ok();
        let cache = cache("ldconfig").or_else(|| cache("/sbin/ldconfig"));
        Self {
            cuda_path: std::env::var_os("CUDA_PATH").map(PathBuf::from),
            library_path: std::env::var_os("LD_LIBRARY_PATH"),
            cache: cache.map_or_else(String::new, |output| {
                String::from_utf8_lossy(&output.stdout).into_owned()
            }),
            module: std::fs::read_to_string("/proc/driver/nvidia/version").ok(),
            is_file: &|path| path.is_file(),
        }
    }

    fn needs(&self, built: bool) -> Vec<Need> {
        let feature = match built {
            true => Ok("built with it".to_owned()),
            false => Err("build with `--features cuda`, on any machine".to_owned()),
        };
        vec![
            Need {
                what: "feature `cuda`",
                found: feature,
            },
            Need {
                what: "kernel module",
                found: self.module(),
            },
            Need {
                what: "libcuda",
                found: self.driver(),
            },
            Need {
                what: "libdevice",
                found: self.libdevice(),
            },
        ]
    }

    /// The version of the driver's half in the kernel.
    fn module(&self) -> Result<String, String> {
        let version = self.module.as_deref().and_then(|text| text.lines().next());
        let version = version.and_then(|line| {
            let mut words = line.split_whitespace();
            words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        });
        version.map(|version| format!("driver {version}")).ok_or_else(|| {
            "no NVIDIA driver is loaded: install the GPU's driver, and in a container ask for the GPU \
             (`--gpus all`); under WSL there is none, and none is needed"
                .to_owned()
        })
    }

    /// Where the driver's library is.
    fn driver(&self) -> Result<String, String> {
        let given = self.library_path.iter().flat_map(std::env::split_paths);
        let mut given = given.flat_map(|folder| DRIVER.map(|name| folder.join(name)));
        let given = given.find(|path| (self.is_file)(path));
        // `	libcuda.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libcuda.so.1`
        let mut cached = self.cache.lines().filter_map(|line| {
            let (name, path) = line.trim().split_once(" => ")?;
            let name = name.split_whitespace().next()?;
            DRIVER.contains(&name).then(|| PathBuf::from(path))
        });
        let found = given.or_else(|| cached.next());
        found.map(|path| path.display().to_string()).ok_or_else(|| {
            "the driver's library is neither in the loader's cache nor in LD_LIBRARY_PATH: it comes with \
             the driver (Debian: libcuda1), not with a CUDA toolkit"
                .to_owned()
        })
    }

    fn libdevice(&self) -> Result<String, String> {
        let within = |toolkit: &Path| {
            let mut path = toolkit.to_owned();
            path.extend(LIBDEVICE);
            path
        };
        let (looked_in, found) = match &self.cuda_path {
            Some(toolkit) => (
                format!("CUDA_PATH, {}", toolkit.display()),
                Some(within(toolkit)),
            ),
            None => (
                TOOLKITS.join(", "),
                TOOLKITS
                    .iter()
                    .map(|toolkit| within(Path::new(toolkit)))
                    .find(|path| (self.is_file)(path)),
            ),
        };
        let found = found.filter(|path| (self.is_file)(path));
        found.map(|path| path.display().to_string()).ok_or_else(|| {
            format!(
                "there is no {} in {looked_in}: set CUDA_PATH to a folder that has it, of a CUDA toolkit or \
                 of PyPI's nvidia-cuda-nvcc-cu12 (site-packages/nvidia/cuda_nvcc)",
                LIBDEVICE.join("/")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CACHE: &str = "2 libs found in cache `/etc/ld.so.cache'\n\
        \tlibcudart.so.12 (libc6,x86-64) => /usr/lib/libcudart.so.12\n\
        \tlibcuda.so.1 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libcuda.so.1\n";

    fn bare(is_file: &dyn Fn(&Path) -> bool) -> Machine<'_> {
        Machine {
            cuda_path: None,
            library_path: None,
            cache: String::new(),
            module: None,
            is_file,
        }
    }

    #[test]
    fn a_bare_machine_is_told_what_to_do_about_each_need() {
        let needs = bare(&|_| false).needs(false);
        let said = needs
            .iter()
            .map(|need| (need.what, need.found.as_ref().unwrap_err().as_str()));
        let said: Vec<_> = said.collect();
        for (at, what, todo) in [
            (0, "feature `cuda`", "--features cuda"),
            (1, "kernel module", "--gpus all"),
            (2, "libcuda", "LD_LIBRARY_PATH"),
            (3, "libdevice", "CUDA_PATH"),
        ] {
            assert_eq!(said[at].0, what);
            assert!(said[at].1.contains(todo), "{}", said[at].1);
        }
        assert_eq!(said.len(), 4);
    }

    #[test]
    fn a_machine_that_has_all_says_where() {
        let there = Path::new("/opt/cuda/nvvm/libdevice/libdevice.10.bc");
        let is_file = |path: &Path| path == there;
        let machine = Machine {
            cache: CACHE.to_owned(),
            module: Some(
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n\
                 GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n"
                    .to_owned(),
            ),
            ..bare(&is_file)
        };
        let found: Vec<_> = machine
            .needs(true)
            .into_iter()
            .map(|need| need.found)
            .collect();
        let expected = [
            "built with it",
            "driver 550.54.15",
            "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
            "/opt/cuda/nvvm/libdevice/libdevice.10.bc",
        ];
        assert_eq!(found, expected.map(|text| Ok(text.to_owned())));
    }

    #[test]
    fn the_open_kernel_modules_line_is_read_too() {
        let machine = Machine {
            module: Some(
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build\n".to_owned(),
            ),
            ..bare(&|_| false)
        };
        assert_eq!(machine.module(), Ok("driver 575.57.08".to_owned()));
        let machine = Machine {
            module: Some(String::new()),
            ..bare(&|_| false)
        };
        assert!(machine.module().is_err());
    }

    #[test]
    fn the_library_path_goes_before_the_cache() {
        let is_file = |path: &Path| path == Path::new("/b/libcuda.so.1");
        let machine = Machine {
            library_path: Some("/a:/b".into()),
            cache: CACHE.to_owned(),
            ..bare(&is_file)
        };
        assert_eq!(machine.driver(), Ok("/b/libcuda.so.1".to_owned()));
    }

    /// As CubeCL does: a `CUDA_PATH` without libdevice hides a toolkit that has it.
    #[test]
    fn cuda_path_alone_is_looked_in_if_it_is_set() {
        let is_file = |path: &Path| path.starts_with("/usr/local/cuda");
        let machine = Machine {
            cuda_path: Some("/elsewhere".into()),
            ..bare(&is_file)
        };
        let error = machine.libdevice().unwrap_err();
        assert!(error.contains("/elsewhere"), "{error}");
        let found = bare(&is_file).libdevice().expect("there");
        assert!(found.starts_with("/usr/local/cuda/nvvm"), "{found}");
    }
}
