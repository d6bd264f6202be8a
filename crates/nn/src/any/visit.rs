//! Visitors and mappers of parameters as trait objects.
//!
//! Burn's have methods that are generic over the number of axes, which trait objects cannot have:
//! a parameter goes through as [`Any`], with that number beside it.

use std::any::Any;

use burn::module::{Flag, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Int, Tensor};

/// Does something with `D` axes, where `$axes` says how many these are: at most [`MOST_AXES`].
macro_rules! with_axes {
    ($axes:expr, $name:ident => $work:expr) => {
        with_axes!(@ $axes, $name => $work, 0 1 2 3 4 5 6 7 8)
    };
    (@ $axes:expr, $name:ident => $work:expr, $($count:literal)+) => {
        match $axes {
            $($count => {
                const $name: usize = $count;
                $work
            })+
            other => unreachable!("a parameter of {other} axes was refused before"),
        }
    };
}

/// The most axes of a parameter that goes through.
const MOST_AXES: usize = 8;

/// A [`ModuleVisitor`].
pub(super) trait DynVisitor {
    fn visit_float(&mut self, axes: usize, param: &dyn Any);
    fn visit_int(&mut self, axes: usize, param: &dyn Any);
    fn visit_bool(&mut self, axes: usize, param: &dyn Any);
    fn visit_flag(&mut self, flag: &Param<Flag>);
    fn enter_module(&mut self, name: &str, container: &str);
    fn exit_module(&mut self, name: &str, container: &str);
}

/// A [`ModuleMapper`].
pub(super) trait DynMapper {
    fn map_float(&mut self, axes: usize, param: Box<dyn Any>) -> Box<dyn Any>;
    fn map_int(&mut self, axes: usize, param: Box<dyn Any>) -> Box<dyn Any>;
    fn map_bool(&mut self, axes: usize, param: Box<dyn Any>) -> Box<dyn Any>;
    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag>;
    fn enter_module(&mut self, name: &str, container: &str);
    fn exit_module(&mut self, name: &str, container: &str);
}

/// What the parameters of a model are handed to, one after the other.
pub(super) struct Erasing<'a, T: ?Sized>(pub(super) &'a mut T);

impl ModuleVisitor for Erasing<'_, dyn DynVisitor + '_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.visit_float(D, param);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.0.visit_int(D, param);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.0.visit_bool(D, param);
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.0.visit_flag(flag);
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter_module(name, container);
    }

    fn exit_module(&mut self, name: &str, container: &str) {
        self.0.exit_module(name, container);
    }
}

impl ModuleMapper for Erasing<'_, dyn DynMapper + '_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        restored(self.0.map_float(D, Box::new(param)))
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        restored(self.0.map_int(D, Box::new(param)))
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        restored(self.0.map_bool(D, Box::new(param)))
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        self.0.map_flag(flag)
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter_module(name, container);
    }

    fn exit_module(&mut self, name: &str, container: &str) {
        self.0.exit_module(name, container);
    }
}

/// A visitor or mapper of Burn's that is handed parameters as trait objects.
pub(super) struct Restoring<'a, T>(pub(super) &'a mut T);

impl<V: ModuleVisitor> DynVisitor for Restoring<'_, V> {
    fn visit_float(&mut self, axes: usize, param: &dyn Any) {
        with_axes!(axes, D => self.0.visit_float::<D>(borrowed(param)));
    }

    fn visit_int(&mut self, axes: usize, param: &dyn Any) {
        with_axes!(axes, D => self.0.visit_int::<D>(borrowed(param)));
    }

    fn visit_bool(&mut self, axes: usize, param: &dyn Any) {
        with_axes!(axes, D => self.0.visit_bool::<D>(borrowed(param)));
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.0.visit_flag(flag);
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter_module(name, container);
    }

    fn exit_module(&mut self, name: &str, container: &str) {
        self.0.exit_module(name, container);
    }
}

impl<M: ModuleMapper> DynMapper for Restoring<'_, M> {
    fn map_float(&mut self, axes: usize, param: Box<dyn Any>) -> Box<dyn Any> {
        with_axes!(axes, D => Box::new(self.0.map_float::<D>(restored(param))))
    }

    fn map_int(&mut self, axes: usize, param: Box<dyn Any>) -> Box<dyn Any> {
        with_axes!(axes, D => Box::new(self.0.map_int::<D>(restored(param))))
    }

    fn map_bool(&mut self, axes: usize, param: Box<dyn Any>) -> Box<dyn Any> {
        with_axes!(axes, D => Box::new(self.0.map_bool::<D>(restored(param))))
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        self.0.map_flag(flag)
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter_module(name, container);
    }

    fn exit_module(&mut self, name: &str, container: &str) {
        self.0.exit_module(name, container);
    }
}

/// The name and number of axes of a parameter that has too many to go through.
#[derive(Default)]
pub(super) struct TooManyAxes {
    path: Vec<String>,
    pub(super) found: Option<(String, usize)>,
}

impl TooManyAxes {
    fn see(&mut self, axes: usize) {
        if axes > MOST_AXES {
            let name = || (self.path.join("."), axes);
            self.found.get_or_insert_with(name);
        }
    }
}

impl ModuleVisitor for TooManyAxes {
    fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
        self.see(D);
    }

    fn visit_int<const D: usize>(&mut self, _param: &Param<Tensor<D, Int>>) {
        self.see(D);
    }

    fn visit_bool<const D: usize>(&mut self, _param: &Param<Tensor<D, Bool>>) {
        self.see(D);
    }

    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}

/// What was handed over as a `T`.
fn borrowed<T: Any>(param: &dyn Any) -> &T {
    match param.downcast_ref() {
        Some(param) => param,
        None => unreachable!("it went in with this kind and number of axes"),
    }
}

/// What was handed over as a `T`, owned.
fn restored<T: Any>(param: Box<dyn Any>) -> T {
    match param.downcast() {
        Ok(param) => *param,
        Err(_) => unreachable!("it went in with this kind and number of axes"),
    }
}
