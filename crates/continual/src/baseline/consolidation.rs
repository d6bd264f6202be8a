//! Elastic weight consolidation: what earlier tasks say of shared parameters.

use burgeon_core::CoreError;
use burgeon_nn::growable::copy;
use burgeon_nn::{Growable, Input, NnError};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Tensor, TensorData};

use crate::error::ContinualError;
use crate::layer::plain;

/// What earlier tasks say of the parameters that tasks share: for each number a mean and a
/// precision, both `[n]` in the order of parameters (Kirkpatrick et al., arXiv 1612.00796). Tasks
/// are joined exactly: the sum of quadratic terms around several means is one around their weighted
/// mean, but for a constant.
#[derive(Debug, Clone)]
pub struct Consolidation {
    means: Vec<Tensor<1>>,
    precisions: Vec<Tensor<1>>,
}

impl Consolidation {
    /// Of one task, whose parameters ended as those of `part`, with the Fisher information
    /// `fisher`.
    ///
    /// # Errors
    /// [`ContinualError::Settings`] where the two are of different sizes.
    pub fn new<P: Module>(part: &P, fisher: Vec<Tensor<1>>) -> Result<Self, ContinualError> {
        let means = flat(part).into_iter().map(plain).collect();
        let joined = Self {
            means,
            precisions: fisher,
        };
        joined.check(&joined.means)?;
        Ok(joined)
    }

    /// With one more task.
    ///
    /// # Errors
    /// [`ContinualError::Settings`] where it is of other parameters.
    pub fn with<P: Module>(self, part: &P, fisher: Vec<Tensor<1>>) -> Result<Self, ContinualError> {
        let other = Self::new(part, fisher)?;
        self.check(&other.means)?;
        let old = self.means.into_iter().zip(self.precisions);
        let joined = old.zip(other.means.into_iter().zip(other.precisions));
        let (means, precisions) = joined
            .map(|((mean, precision), (end, fisher))| {
                let sum = precision + fisher.clone();
                // Where nothing is known of a number, its mean does not matter.
                let share = fisher / sum.clone().clamp_min(f64::from(f32::MIN_POSITIVE));
                (mean.clone() + share * (end - mean), sum)
            })
            .unzip();
        Ok(Self { means, precisions })
    }

    /// `Σ F (θ − θ*)²` for the parameters of `part`, `[1]`.
    pub fn distance<P: Module>(&self, part: &P) -> Option<Tensor<1>> {
        let terms = flat(part)
            .into_iter()
            .zip(self.means.iter().zip(&self.precisions));
        let terms = terms.map(|(theta, (mean, precision))| {
            let (mean, precision) = match theta.is_autodiff() {
                true => (
                    Tensor::from_inner(mean.clone()),
                    Tensor::from_inner(precision.clone()),
                ),
                false => (mean.clone(), precision.clone()),
            };
            ((theta - mean).square() * precision).sum()
        });
        terms.reduce(|sum, term| sum + term)
    }

    fn check(&self, others: &[Tensor<1>]) -> Result<(), ContinualError> {
        let sizes = |tensors: &[Tensor<1>]| -> Vec<usize> {
            tensors.iter().map(|tensor| tensor.dims()[0]).collect()
        };
        if sizes(&self.precisions) == sizes(others) {
            return Ok(());
        }
        Err(ContinualError::Settings(
            "consolidation joins tasks of the same shared parameters only".into(),
        ))
    }
}

/// The diagonal of the Fisher information of the parameters of `part(model)`, `[n]` for each in
/// their order: `E_x Σ_y p(y|x) (∂ log p(y|x) / ∂θ)²`, exact over the classes, a mean over the
/// samples `inputs`. It takes a forward and a backward pass for each sample and class.
///
/// # Errors
/// [`ContinualError`] where the model does not answer, or a gradient is not finite.
pub fn fisher_diagonal<M, P>(
    model: &M,
    part: impl Fn(&M) -> &P,
    inputs: &M::Input,
) -> Result<Vec<Tensor<1>>, ContinualError>
where
    M: Growable<Output = Tensor<2>>,
    P: Module,
{
    let model = copy(model);
    let shared = part(&model);
    let ids = Ids::of(shared);
    let sizes: Vec<usize> = flat(shared).iter().map(|theta| theta.dims()[0]).collect();
    let mut sums: Vec<Vec<f64>> = sizes.iter().map(|size| vec![0.0; *size]).collect();
    for row in 0..inputs.len() {
        let input = inputs.select_rows(&[row]).to_autodiff();
        let classes = model.predict(input.clone()).dims()[1];
        for class in 0..classes {
            let log = log_softmax(model.predict(input.clone()), 1)
                .narrow(1, class, 1)
                .sum();
            let probability: f64 = log
                .clone()
                .inner()
                .into_data()
                .iter::<f64>()
                .next()
                .unwrap_or(0.0)
                .exp();
            let gradients = GradientsParams::from_grads(log.backward(), shared);
            for (sum, found) in sums.iter_mut().zip(ids.read(&gradients)) {
                for (sum, slope) in sum.iter_mut().zip(found) {
                    *sum += probability * slope * slope / inputs.len() as f64;
                }
            }
        }
    }
    if !sums.iter().flatten().all(|value| value.is_finite()) {
        return Err(ContinualError::Nn(NnError::Core(CoreError::NonFinite {
            site: "shared parameters".into(),
            quantity: "the Fisher information",
        })));
    }
    let of_device = flat(shared).into_iter().map(|theta| {
        let dtype = theta.dtype();
        (plain(theta).device(), dtype)
    });
    let tensors = sums
        .into_iter()
        .zip(of_device)
        .map(|(sum, (device, dtype))| {
            let count = sum.len();
            let data = TensorData::new(sum, [count]).convert_dtype(dtype);
            Tensor::from_data(data, (&device, dtype))
        });
    Ok(tensors.collect())
}

/// All floats of a module, each as one row of numbers.
fn flat<P: Module>(module: &P) -> Vec<Tensor<1>> {
    struct Flat(Vec<Tensor<1>>);
    impl ModuleVisitor for Flat {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            let count = value.shape().num_elements();
            self.0.push(value.reshape([count]));
        }
    }
    let mut flat = Flat(Vec::new());
    module.visit(&mut flat);
    flat.0
}

/// The parameters of a module, with their ranks.
struct Ids(Vec<(ParamId, usize)>);

impl Ids {
    fn of<P: Module>(module: &P) -> Self {
        struct Visitor(Vec<(ParamId, usize)>);
        impl ModuleVisitor for Visitor {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0.push((param.id, D));
            }
        }
        let mut visitor = Visitor(Vec::new());
        module.visit(&mut visitor);
        Self(visitor.0)
    }

    /// The gradients of each, nothing where the answer does not depend on it.
    fn read(&self, gradients: &GradientsParams) -> Vec<Vec<f64>> {
        fn values<const D: usize>(gradients: &GradientsParams, id: ParamId) -> Vec<f64> {
            let found = gradients.get::<D>(id).map(|found| found.into_data());
            let found = found.map(|data| data.convert_dtype(DType::F64).iter::<f64>().collect());
            found.unwrap_or_default()
        }
        let read = self.0.iter().map(|&(id, rank)| match rank {
            1 => values::<1>(gradients, id),
            2 => values::<2>(gradients, id),
            3 => values::<3>(gradients, id),
            4 => values::<4>(gradients, id),
            _ => values::<5>(gradients, id),
        });
        read.collect()
    }
}
