//! A model of any type.

use std::any::Any;
use std::fmt::{self, Debug};

use burn::module::{Module, ModuleMapper, ModuleVisitor};
use burn::tensor::{Device, Tensor};

use super::ports::{AnyInput, AnyOutput};
use super::visit::{DynMapper, DynVisitor, Erasing, Restoring, TooManyAxes};
use crate::error::NnError;
use crate::growable::Growable;
use crate::stack::Stacks;

/// A model of any type: it is visited, mapped and asked as the model in it.
///
/// ```
/// use burgeon_backend_flex::FLEX;
/// use burgeon_core::SplitBackend;
/// use burgeon_nn::{AnyInput, AnyModel, Growable, Output};
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Tensor;
///
/// #[derive(Module, Debug)]
/// struct Net {
///     output: Linear,
/// }
///
/// impl Growable for Net {
///     type Input = Tensor<2>;
///     type Output = Tensor<2>;
///
///     fn predict(&self, input: Tensor<2>) -> Tensor<2> {
///         self.output.forward(input)
///     }
/// }
///
/// # fn main() -> Result<(), burgeon_nn::NnError> {
/// let net = Net {
///     output: LinearConfig::new(3, 2).init(&FLEX.device()),
/// };
/// let any = AnyModel::new(net)?;
/// let rows = AnyInput::new(Tensor::<2>::ones([5, 3], &FLEX.device()));
/// assert_eq!(any.predict(rows).into_rows().dims(), [5, 2]);
/// assert_eq!(any.num_params(), 8);
/// assert!(any.downcast_ref::<Net>().is_some());
/// # Ok(())
/// # }
/// ```
pub struct AnyModel(Box<dyn DynModel>);

impl AnyModel {
    /// `model`, whose type the code that handles it need not know. One of any type already stays as
    /// it is.
    ///
    /// # Errors
    /// [`NnError::Model`] if it has a parameter of more than eight axes.
    pub fn new<M: Growable>(model: M) -> Result<Self, NnError> {
        if let Some(any) = (&model as &dyn Any).downcast_ref::<Self>() {
            return Ok(any.clone());
        }
        let mut visitor = TooManyAxes::default();
        model.visit(&mut visitor);
        if let Some((name, axes)) = visitor.found {
            return Err(NnError::Model(format!(
                "`{name}` has {axes} axes: parameters have at most eight"
            )));
        }
        Ok(Self(Box::new(model)))
    }

    /// The model, if it is an `M`, or itself, if that is what `M` is.
    pub fn downcast_ref<M: Growable>(&self) -> Option<&M> {
        let own = (self as &dyn Any).downcast_ref();
        own.or_else(|| self.0.as_any().downcast_ref())
    }

    /// The model, if it is an `M`, or itself, if that is what `M` is.
    ///
    /// # Errors
    /// Itself.
    pub fn downcast<M: Growable>(self) -> Result<M, Self> {
        let mut own = Some(self);
        let asked = (&mut own as &mut dyn Any).downcast_mut::<Option<M>>();
        if let Some(model) = asked.and_then(Option::take) {
            return Ok(model);
        }
        match own {
            Some(own) if !own.0.as_any().is::<M>() => Err(own),
            own => match own.map(|own| own.0.into_any().downcast()) {
                Some(Ok(model)) => Ok(*model),
                _ => unreachable!("its type was just asked for"),
            },
        }
    }
}

/// A [`Growable`] as a trait object.
trait DynModel: Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    fn cloned(&self) -> Box<dyn DynModel>;
    fn devices_with(&self, devices: Vec<Device>) -> Vec<Device>;
    fn forked(self: Box<Self>, device: &Device) -> Box<dyn DynModel>;
    fn moved(self: Box<Self>, device: &Device) -> Box<dyn DynModel>;
    fn trained(self: Box<Self>) -> Box<dyn DynModel>;
    fn inner(&self) -> Box<dyn DynModel>;
    fn made(self: Box<Self>) -> Box<dyn DynModel>;
    fn visited(&self, visitor: &mut dyn DynVisitor);
    fn mapped(self: Box<Self>, mapper: &mut dyn DynMapper) -> Box<dyn DynModel>;
    fn answer(&self, input: AnyInput) -> AnyOutput;
    fn built_anew(self: Box<Self>) -> Box<dyn DynModel>;
    fn all_stacks(&mut self) -> Stacks<'_>;
    fn regulariser(&self) -> Option<Tensor<1>>;
}

impl<M: Growable> DynModel for M {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn cloned(&self) -> Box<dyn DynModel> {
        Box::new(self.clone())
    }

    fn devices_with(&self, devices: Vec<Device>) -> Vec<Device> {
        self.collect_devices(devices)
    }

    fn forked(self: Box<Self>, device: &Device) -> Box<dyn DynModel> {
        Box::new(self.fork(device))
    }

    fn moved(self: Box<Self>, device: &Device) -> Box<dyn DynModel> {
        Box::new(self.to_device(device))
    }

    fn trained(self: Box<Self>) -> Box<dyn DynModel> {
        Box::new(self.train())
    }

    fn inner(&self) -> Box<dyn DynModel> {
        Box::new(self.valid())
    }

    fn made(self: Box<Self>) -> Box<dyn DynModel> {
        Box::new(self.materialize())
    }

    fn visited(&self, visitor: &mut dyn DynVisitor) {
        self.visit(&mut Erasing(visitor));
    }

    fn mapped(self: Box<Self>, mapper: &mut dyn DynMapper) -> Box<dyn DynModel> {
        Box::new(self.map(&mut Erasing(mapper)))
    }

    fn answer(&self, input: AnyInput) -> AnyOutput {
        match input.into_inner() {
            Some(input) => AnyOutput::new(self.predict(input)),
            None => panic!(
                "the model reads another type of input: {}",
                std::any::type_name::<M::Input>()
            ),
        }
    }

    fn built_anew(self: Box<Self>) -> Box<dyn DynModel> {
        Box::new(self.rebuilt())
    }

    fn all_stacks(&mut self) -> Stacks<'_> {
        self.stacks()
    }

    fn regulariser(&self) -> Option<Tensor<1>> {
        self.penalty()
    }
}

impl Clone for AnyModel {
    fn clone(&self) -> Self {
        Self(self.0.cloned())
    }
}

impl Debug for AnyModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Module for AnyModel {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.0.devices_with(devices)
    }

    fn fork(self, device: &Device) -> Self {
        Self(self.0.forked(device))
    }

    fn to_device(self, device: &Device) -> Self {
        Self(self.0.moved(device))
    }

    fn train(self) -> Self {
        Self(self.0.trained())
    }

    fn valid(&self) -> Self {
        Self(self.0.inner())
    }

    fn materialize(self) -> Self {
        Self(self.0.made())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.0.visited(&mut Restoring(visitor));
    }

    fn map<T: ModuleMapper>(self, mapper: &mut T) -> Self {
        Self(self.0.mapped(&mut Restoring(mapper)))
    }
}

impl Growable for AnyModel {
    type Input = AnyInput;
    type Output = AnyOutput;

    /// # Panics
    /// If `input` is not of the model's type, as a model does whose input has another shape.
    fn predict(&self, input: AnyInput) -> AnyOutput {
        self.0.answer(input)
    }

    fn rebuilt(self) -> Self {
        Self(self.0.built_anew())
    }

    fn stacks(&mut self) -> Stacks<'_> {
        self.0.all_stacks()
    }

    fn penalty(&self) -> Option<Tensor<1>> {
        self.0.regulariser()
    }
}
