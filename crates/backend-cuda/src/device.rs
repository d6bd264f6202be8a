//! Devices of CubeCL: finding them, and opening one without a panic.

#[cfg(feature = "kernels")]
use burn::tensor::Device;

use crate::error::DeviceError;
use crate::runtime::Runtime;

impl Runtime {
    /// The devices there are, described, in the order of their indices.
    ///
    /// # Errors
    /// [`DeviceError::NotBuilt`], or [`DeviceError::None`] with what is missing.
    pub fn devices(self) -> Result<Vec<String>, DeviceError> {
        #[cfg(feature = "kernels")]
        return Ok(self.enumerate()?.iter().map(describe).collect());
        #[cfg(not(feature = "kernels"))]
        Err(self.not_built())
    }

    #[cfg(not(all(feature = "cuda", feature = "wgpu", feature = "cpu")))]
    pub(crate) const fn not_built(self) -> DeviceError {
        DeviceError::NotBuilt {
            runtime: self,
            feature: self.name(),
        }
    }
}

#[cfg(feature = "kernels")]
impl Runtime {
    const fn needs(self) -> &'static str {
        match self {
            Self::Cuda => {
                "it needs an NVIDIA GPU and its driver's libcuda (`burgeon doctor` says what is missing)"
            }
            Self::Wgpu => {
                "it needs a Vulkan, Metal or DirectX 12 driver (on Linux libvulkan and, without \
                 a GPU, Mesa's lavapipe)"
            }
            Self::Cpu => "CubeCL finds none of this machine's processors",
        }
    }

    fn enumerate(self) -> Result<Vec<Device>, DeviceError> {
        let devices = match self {
            #[cfg(feature = "cuda")]
            Self::Cuda => Device::enumerate(burn::tensor::DeviceType::Cuda),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Device::enumerate(burn::tensor::DeviceType::Wgpu),
            #[cfg(feature = "cpu")]
            Self::Cpu => Device::enumerate(burn::tensor::DeviceType::Cpu),
            #[cfg(not(all(feature = "cuda", feature = "wgpu", feature = "cpu")))]
            _ => return Err(self.not_built()),
        };
        let devices: Vec<Device> = devices.into_iter().collect();
        if devices.is_empty() {
            return Err(DeviceError::None {
                runtime: self,
                needs: self.needs(),
            });
        }
        Ok(devices)
    }

    /// The device of that index, once it has computed something.
    pub(crate) fn open(self, index: usize) -> Result<Device, DeviceError> {
        let devices = self.enumerate()?;
        let found = devices.len();
        let device = devices.into_iter().nth(index).ok_or(DeviceError::Index {
            runtime: self,
            index,
            found,
        })?;
        #[cfg(feature = "cuda")]
        if self == Self::Cuda {
            // Without it the first exponential would fail, in the midst of a training.
            crate::nvidia::libdevice().map_err(DeviceError::Libdevice)?;
        }
        starts(&device).map_err(|reason| DeviceError::Start {
            runtime: self,
            index,
            reason,
        })?;
        Ok(device)
    }
}

#[cfg(feature = "kernels")]
fn describe(device: &Device) -> String {
    let identity = device.identity();
    identity.map_or_else(|| format!("{device:?}"), |identity| identity.name)
}

/// Adds one and one. Drivers that do not fit make the runtimes panic, at their first use.
#[cfg(feature = "kernels")]
fn starts(device: &Device) -> Result<(), String> {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use burn::tensor::{DType, Tensor};

    // Nothing of the device is used again if this fails.
    let tried = catch_unwind(AssertUnwindSafe(|| {
        let ones = Tensor::<1>::ones([1], (device, DType::F32));
        (ones.clone() + ones).try_into_vec_as::<f32>()
    }));
    match tried {
        Ok(Ok(two)) if two == [2.0] => Ok(()),
        Ok(Ok(other)) => Err(format!("1 + 1 came out as {other:?}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            Err(text.unwrap_or("the runtime panicked").to_owned())
        }
    }
}
