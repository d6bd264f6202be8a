//! The stacks of a model, whatever their blocks are.

use std::collections::HashSet;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Device, Tensor};

use super::{Block, Stack, parameters_of};
use crate::error::{NnError, quietly};
use crate::ports::InnerOrSelf;

/// The stacks of a model, by their paths in it.
///
/// ```
/// use burgeon_nn::stack::{ResidualLinear, Stack, Stacks};
/// use burgeon_nn::Growable;
/// use burn::module::Module;
/// use burn::nn::Linear;
/// use burn::tensor::Tensor;
///
/// #[derive(Module, Debug)]
/// struct Mlp {
///     stem: Linear,
///     body: Stack<ResidualLinear>,
///     head: Linear,
/// }
///
/// impl Growable for Mlp {
///     type Input = Tensor<2>;
///     type Output = Tensor<2>;
///
///     fn predict(&self, input: Tensor<2>) -> Tensor<2> {
///         self.head.forward(self.body.forward(self.stem.forward(input)))
///     }
///
///     fn stacks(&mut self) -> Stacks<'_> {
///         let (device, width) = (self.stem.weight.device(), self.stem.weight.dims()[1]);
///         let front = move || ResidualLinear::new(width, width, &device);
///         Stacks::new().with_front("body", &mut self.body, front)
///     }
/// }
/// ```
#[derive(Default)]
pub struct Stacks<'a>(Vec<(String, Box<dyn Held + 'a>)>);

impl<'a> Stacks<'a> {
    /// No stack.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the stack at `path`, which takes a block behind each of its blocks.
    #[must_use]
    pub fn with<B: Block>(mut self, path: &str, stack: &'a mut Stack<B>) -> Self {
        let held = OneStack { stack, front: None };
        self.0.push((path.to_owned(), Box::new(held)));
        self
    }

    /// With the stack at `path`, which may be empty: it takes a block at its front too, as `front`
    /// makes it ([`Block::fresh`] says how). The width is to be read off the weights before it.
    #[must_use]
    pub fn with_front<B: Block>(
        mut self,
        path: &str,
        stack: &'a mut Stack<B>,
        front: impl Fn() -> B + 'a,
    ) -> Self {
        let front: Box<dyn Fn() -> B + 'a> = Box::new(front);
        let front = Some(front);
        self.0
            .push((path.to_owned(), Box::new(OneStack { stack, front })));
        self
    }

    /// The paths, with the blocks' numbers in the order in which they are used.
    pub(crate) fn orders(&self) -> Vec<(String, Vec<usize>)> {
        let stacks = self.0.iter();
        stacks
            .map(|(path, stack)| (path.clone(), stack.order()))
            .collect()
    }

    pub(crate) fn find(&mut self, path: &str) -> Option<&mut (dyn Held + 'a)> {
        let found = self.0.iter_mut().find(|(name, _)| name == path);
        found.map(|(_, stack)| stack.as_mut())
    }

    /// All places, stack by stack, front first.
    pub(crate) fn places(&self) -> Vec<(String, Vec<Option<usize>>)> {
        let stacks = self.0.iter();
        stacks
            .map(|(path, stack)| (path.clone(), stack.places()))
            .collect()
    }
}

/// How the floats of a new block are to be.
pub(crate) struct Kind {
    /// Off the graph.
    device: Device,
    dtype: DType,
}

impl Kind {
    /// As those of `model`, which is on a training device.
    pub fn of<M: Module>(model: &M) -> Result<Self, NnError> {
        struct First(Option<(Device, DType)>);
        impl ModuleVisitor for First {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if self.0.is_none() {
                    let value = param.val().inner_or_self();
                    self.0 = Some((value.device(), value.dtype()));
                }
            }
        }
        let mut first = First(None);
        model.visit(&mut first);
        let (device, dtype) = first
            .0
            .ok_or_else(|| NnError::Model("it has no parameter of floats".into()))?;
        Ok(Self { device, dtype })
    }
}

/// A stack whose blocks are of any type.
pub(crate) trait Held {
    fn order(&self) -> Vec<usize>;

    fn places(&self) -> Vec<Option<usize>>;

    /// Puts a block behind the one of number `after`, which answers what it reads.
    fn insert(&mut self, after: Option<usize>, kind: &Kind) -> Result<NewBlock, String>;

    /// Adds blocks, each at its place, until the stack is of this order.
    fn arrange(&mut self, order: &[usize], kind: &Kind) -> Result<(), String>;
}

struct OneStack<'a, B> {
    stack: &'a mut Stack<B>,
    front: Option<Box<dyn Fn() -> B + 'a>>,
}

impl<B: Block> OneStack<'_, B> {
    /// A block for a place. What a user's code panics with is told.
    fn made(&self, after: Option<usize>) -> Result<B, String> {
        let made = match after {
            Some(block) => {
                let block = self.stack.blocks.get(block);
                let block = block.ok_or_else(|| "there is no such block".to_owned())?;
                quietly(|| block.fresh())
            }
            None => {
                let front = self.front.as_ref();
                let front = front.ok_or_else(|| {
                    "nothing says what stands at its front: name it by `Stacks::with_front`"
                        .to_owned()
                })?;
                quietly(front)
            }
        };
        made.map_err(|said| format!("a new block cannot be made ({said})"))
    }
}

impl<B: Block> Held for OneStack<'_, B> {
    fn order(&self) -> Vec<usize> {
        self.stack.order.clone()
    }

    fn places(&self) -> Vec<Option<usize>> {
        let front = self.front.iter().map(|_| None);
        front
            .chain(self.stack.order.iter().map(|block| Some(*block)))
            .collect()
    }

    fn insert(&mut self, after: Option<usize>, kind: &Kind) -> Result<NewBlock, String> {
        let place = match after {
            None => 0,
            Some(block) => {
                let place = self.stack.order.iter().position(|other| *other == block);
                1 + place.ok_or_else(|| format!("it has no block {block}"))?
            }
        };
        let (block, parameters) = prepared(self.made(after)?, kind)?;
        let known = parameters_of(&self.stack.blocks);
        if parameters.iter().any(|new| known.contains(&new.id)) {
            return Err("a new block must not be a clone, which shares statistics".to_owned());
        }
        let number = self.stack.blocks.len();
        self.stack.blocks.push(block);
        self.stack.order.insert(place, number);
        Ok(NewBlock { number, parameters })
    }

    fn arrange(&mut self, order: &[usize], kind: &Kind) -> Result<(), String> {
        let own = self.stack.order.len();
        let distinct: HashSet<usize> = order.iter().copied().collect();
        if distinct.len() != order.len() || distinct.iter().any(|block| *block >= order.len()) {
            return Err(format!("{order:?} is no order of {} blocks", order.len()));
        }
        let first: Vec<usize> = order.iter().copied().filter(|block| *block < own).collect();
        if first != self.stack.order {
            return Err(format!(
                "its blocks are {order:?}, the model begins with {:?}: start from a model of as \
                 many blocks as it was begun with",
                self.stack.order
            ));
        }
        for number in own..order.len() {
            // As they came: each behind the one that it was put behind.
            let known = order.iter().copied().filter(|block| *block <= number);
            let after = known.take_while(|block| *block != number).last();
            self.insert(after, kind)?;
        }
        Ok(())
    }
}

/// A block that was put into a stack.
pub(crate) struct NewBlock {
    /// Its number in the stack's path.
    pub number: usize,
    /// Its floats, in their order.
    pub parameters: Vec<NewParameter>,
}

/// A float of a new block.
pub(crate) struct NewParameter {
    pub id: ParamId,
    pub shape: Vec<usize>,
    pub part: Part,
}

/// What a float of a new block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A weight that is to be chosen.
    Opening,
    /// What ε multiplies.
    Closing,
    /// What starts as the block says.
    Other,
}

/// `block` as the model's other floats are, and such that it answers what it reads.
fn prepared<B: Block>(block: B, kind: &Kind) -> Result<(B, Vec<NewParameter>), String> {
    let on_tape = block.devices().iter().all(|device| device.is_autodiff());
    let block = if on_tape { block } else { block.train() };
    let own = parameters_of(&block);
    let closing: HashSet<ParamId> = block.closing().into_iter().collect();
    if closing.is_empty() || !closing.iter().all(|id| own.contains(id)) {
        return Err(
            "`Block::closing` must name parameters of the block itself, at least one".to_owned(),
        );
    }
    let mut settle = Settle {
        closing,
        kind,
        path: Vec::new(),
        parameters: Vec::new(),
    };
    let block = block.map(&mut settle);
    // Running statistics keep their ids.
    let ids = parameters_of(&block).into_iter();
    let parameters = ids
        .zip(settle.parameters)
        .map(|(id, (shape, part))| NewParameter { id, shape, part });
    let parameters = parameters.collect();
    Ok((block, parameters))
}

struct Settle<'a> {
    closing: HashSet<ParamId>,
    kind: &'a Kind,
    path: Vec<String>,
    /// The shape of each float, and what it is.
    parameters: Vec<(Vec<usize>, Part)>,
}

impl ModuleMapper for Settle<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Asking a parameter that is not initialised yet would draw it, and so move what the
        // device draws next. Initialisers make trained parameters.
        let is_trained = !param.is_initialized() || param.is_require_grad();
        let shape: Vec<usize> = param.lazy_shape().iter().copied().collect();
        let part = match self.closing.contains(&param.id) {
            true => Part::Closing,
            false if is_trained && D >= 2 => Part::Opening,
            false => Part::Other,
        };
        let is_bias = self.path.last().is_some_and(|name| name == "bias");
        let (device, dtype) = (&self.kind.device, self.kind.dtype);
        // A block may have been made of clones.
        let id = ParamId::new();
        self.parameters.push((shape, part));
        if part != Part::Other || is_bias {
            let zeros = Tensor::<D>::zeros(param.lazy_shape(), (device, dtype));
            let zeros = Tensor::from_inner(zeros).set_require_grad(is_trained);
            return Param::initialized(id, zeros);
        }
        let (_, value, mapper) = param.consume();
        let value = value.inner_or_self().to_device(device).cast(dtype);
        let value = Tensor::from_inner(value).set_require_grad(is_trained);
        Param::from_mapped_value(id, value, mapper)
    }
}
