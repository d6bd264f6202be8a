//! What rounding may change.

use burgeon_nn::Growable;
use burn::module::{ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};

/// Rounding that a right surgery may show at ε = 0.
pub(crate) fn zero_bound<M: Growable>(model: &M) -> f64 {
    struct Single(bool);
    impl ModuleVisitor for Single {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 |= param.val().dtype() != DType::F64;
        }
    }
    let mut single = Single(false);
    model.visit(&mut single);
    if single.0 { 1e-5 } else { 1e-12 }
}
