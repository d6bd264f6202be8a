//! Training steps in a narrower type than the parameters are kept in.
//!
//! A step of mixed precision runs forward and backward through a [`narrowed`] copy of the model on
//! narrowed inputs, takes the loss of outputs that are cast back, and gives the [`widened`]
//! gradients to the optimizer of the model itself, whose parameters are never rounded.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};

/// A copy of `model` with its float parameters in `dtype`, each still what a gradient is asked
/// for. Batch normalisations stay as they are and share their running statistics with `model`;
/// in such a copy [`FastBatchNorm`](crate::FastBatchNorm) takes inputs of `dtype`, Burn's own
/// does not.
///
/// ```
/// use burgeon_ops::precision::{narrowed, widened};
/// use burn::nn::LinearConfig;
/// use burn::optim::GradientsParams;
/// use burn::tensor::{DType, Device, Tensor};
///
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let narrow = narrowed(&model, DType::BF16);
/// let output = narrow.forward(Tensor::<2>::ones([8, 4], (&device, DType::BF16)));
/// let loss = output.cast(DType::F32).sum();
/// let gradients = GradientsParams::from_grads(loss.backward(), &narrow);
/// let gradients = widened(gradients, &model);
/// let gradient = gradients.get::<2>(model.weight.id).expect("asked for");
/// assert_eq!(gradient.dtype(), DType::F32);
/// ```
pub fn narrowed<M: Module>(model: &M, dtype: DType) -> M {
    model.clone().map(&mut Narrow { dtype, norms: 0 })
}

/// Gradients of a [`narrowed`] copy, in the types of `model`'s own parameters.
pub fn widened<M: Module>(gradients: GradientsParams, model: &M) -> GradientsParams {
    let mut widen = Widen(gradients);
    model.visit(&mut widen);
    widen.0
}

struct Narrow {
    dtype: DType,
    /// Normalisations that the mapper is in.
    norms: usize,
}

/// Whether a container, as Burn names it, is a batch normalisation.
fn is_norm(container: &str) -> bool {
    container.ends_with("BatchNorm")
}

impl ModuleMapper for Narrow {
    fn enter_module(&mut self, _name: &str, container: &str) {
        self.norms += usize::from(is_norm(container));
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.norms -= usize::from(is_norm(container));
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.norms > 0 {
            return param;
        }
        param.map(|tensor| {
            let trained = tensor.is_require_grad();
            // A leaf of its own: the gradient is asked for at the narrow value.
            tensor.cast(self.dtype).detach().set_require_grad(trained)
        })
    }
}

struct Widen(GradientsParams);

impl ModuleVisitor for Widen {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.0.remove::<D>(param.id) {
            self.0
                .register(param.id, gradient.cast(param.val().dtype()));
        }
    }
}
