//! Gradients as one list of numbers, which ranks can sum.

use burgeon_nn::NnError;
use burgeon_nn::growable::scalar;
use burgeon_nn::ports::InnerOrSelf;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

/// The gradients of the trained parameters of `model`, in its order: of each whether it has one, 0
/// or 1, and the numbers, 0 where it has none.
///
/// # Errors
/// [`NnError::Core`] if the device fails.
pub(super) fn flattened<M: Module>(
    gradients: &GradientsParams,
    model: &M,
) -> Result<Vec<f64>, NnError> {
    struct Flatten<'a> {
        gradients: &'a GradientsParams,
        numbers: Vec<f64>,
        problem: Option<NnError>,
    }
    impl ModuleVisitor for Flatten<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if !param.is_require_grad() {
                return;
            }
            let count = param.shape().num_elements();
            match self.gradients.get::<D>(param.id) {
                None => self.numbers.extend(std::iter::repeat_n(0.0, 1 + count)),
                Some(gradient) => match scalar(gradient.try_into_vec_as::<f64>()) {
                    Ok(values) => {
                        self.numbers.push(1.0);
                        self.numbers.extend(values);
                    }
                    Err(error) => self.problem = Some(error),
                },
            }
        }
    }
    let mut flatten = Flatten {
        gradients,
        numbers: Vec::new(),
        problem: None,
    };
    model.visit(&mut flatten);
    match flatten.problem {
        None => Ok(flatten.numbers),
        Some(problem) => Err(problem),
    }
}

/// The gradients of which `numbers` are the sum of [`flattened`] ones, and `penalty`'s added to
/// them.
pub(super) fn gathered<M: Module>(
    numbers: &[f64],
    model: &M,
    penalty: Option<GradientsParams>,
) -> GradientsParams {
    struct Gather<'a> {
        numbers: &'a [f64],
        penalty: Option<GradientsParams>,
        gradients: GradientsParams,
    }
    impl ModuleVisitor for Gather<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if !param.is_require_grad() {
                return;
            }
            let value = param.val().inner_or_self();
            let (dims, dtype, device) = (value.dims(), value.dtype(), value.device());
            let count = dims.iter().product::<usize>();
            let own = self.numbers.split_at_checked(1 + count);
            let (own, rest) = own.unwrap_or((&[0.0], &[]));
            self.numbers = rest;
            let found = (own[0] > 0.0).then(|| {
                let data = TensorData::new(own[1..].to_vec(), dims).convert_dtype(dtype);
                Tensor::<D>::from_data(data, (&device, dtype))
            });
            let penalty = self.penalty.as_mut();
            let penalty = penalty.and_then(|gradients| gradients.remove::<D>(param.id));
            let gradient = match (found, penalty) {
                (Some(found), Some(penalty)) => Some(found + penalty),
                (found, penalty) => found.or(penalty),
            };
            if let Some(gradient) = gradient {
                self.gradients.register(param.id, gradient);
            }
        }
    }
    let mut gather = Gather {
        numbers,
        penalty,
        gradients: GradientsParams::new(),
    };
    model.visit(&mut gather);
    gather.gradients
}

/// Whether a float is a running statistic of a [`FastBatchNorm`](burgeon_ops::FastBatchNorm), by
/// its place in a model as Burn names it.
fn is_running(path: &[(String, bool)]) -> bool {
    let normalises = path.iter().any(|(_, normalises)| *normalises);
    let name = path.last().map(|(name, _)| name.as_str());
    normalises && matches!(name, Some("running_mean" | "running_var"))
}

fn is_norm(container: &str) -> bool {
    container.ends_with("FastBatchNorm")
}

/// The floats of a model in their order, its running statistics apart.
#[derive(Default)]
pub(super) struct Floats {
    path: Vec<(String, bool)>,
    /// Of the batch normalisations whose statistics are those of all parts of a batch.
    pub running: Vec<TensorData>,
    /// All others, with their paths.
    pub others: Vec<(String, TensorData)>,
}

impl Floats {
    pub fn of<M: Module>(model: &M) -> Self {
        let mut floats = Self::default();
        model.visit(&mut floats);
        floats
    }

    /// The running statistics alone.
    pub fn running<M: Module>(model: &M) -> Vec<TensorData> {
        struct Running(Floats);
        impl ModuleVisitor for Running {
            fn enter_module(&mut self, name: &str, container: &str) {
                self.0.enter_module(name, container);
            }

            fn exit_module(&mut self, name: &str, container: &str) {
                self.0.exit_module(name, container);
            }

            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if is_running(&self.0.path) {
                    self.0.visit_float(param);
                }
            }
        }
        let mut running = Running(Self::default());
        model.visit(&mut running);
        running.0.running
    }
}

impl ModuleVisitor for Floats {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push((name.to_owned(), is_norm(container)));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().inner_or_self().into_data();
        match is_running(&self.path) {
            true => self.running.push(data),
            false => {
                let names: Vec<&str> = self.path.iter().map(|(name, _)| name.as_str()).collect();
                self.others.push((names.join("."), data));
            }
        }
    }
}

/// `model` with the [running statistics](Floats::running) of a copy.
pub(super) fn with_running<M: Module>(model: M, running: Vec<TensorData>) -> M {
    struct Put {
        path: Vec<(String, bool)>,
        running: std::vec::IntoIter<TensorData>,
    }
    impl ModuleMapper for Put {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.push((name.to_owned(), is_norm(container)));
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if !is_running(&self.path) {
                return param;
            }
            let Some(data) = self.running.next() else {
                return param;
            };
            param.map(|tensor| {
                let (is_autodiff, requires_grad) = (tensor.is_autodiff(), tensor.is_require_grad());
                let plain = tensor.inner_or_self();
                let value = Tensor::<D>::from_data(data, (&plain.device(), plain.dtype()));
                match is_autodiff {
                    true => Tensor::from_inner(value).set_require_grad(requires_grad),
                    false => value,
                }
            })
        }
    }
    if running.is_empty() {
        return model;
    }
    model.map(&mut Put {
        path: Vec::new(),
        running: running.into_iter(),
    })
}
