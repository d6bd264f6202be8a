//! Operations behind a post-activation through which its curvature is not bent.

use burn::backend::ir::{BaseOperationIr, ModuleOperationIr, NumericOperationIr, OperationIr};

/// Whether an operation is linear in each channel, as copies need it: sums, means and moves.
pub(super) fn is_linear(operation: &OperationIr) -> bool {
    use BaseOperationIr as Base;
    use ModuleOperationIr as Module;
    use NumericOperationIr as Numeric;
    match operation {
        OperationIr::BaseFloat(base) => matches!(
            base,
            Base::Reshape(_)
                | Base::SwapDims(_)
                | Base::Permute(_)
                | Base::Flip(_)
                | Base::Expand(_)
                | Base::Slice(_)
                | Base::RepeatDim(_)
                | Base::Cat(_)
        ),
        OperationIr::NumericFloat(_, numeric) => matches!(
            numeric,
            Numeric::MeanDim(_) | Numeric::SumDim(_) | Numeric::SumDims(_)
        ),
        OperationIr::Module(module) => matches!(
            module,
            Module::AvgPool1d(_)
                | Module::AvgPool2d(_)
                | Module::AdaptiveAvgPool1d(_)
                | Module::AdaptiveAvgPool2d(_)
                | Module::Interpolate(_)
        ),
        _ => false,
    }
}

/// Whether an operation takes numbers from channels as they are, those it chooses or with others
/// of its own beside them: where the choice stays, it is linear in each channel.
pub(super) fn selects(operation: &OperationIr) -> bool {
    matches!(
        operation,
        OperationIr::NumericFloat(_, NumericOperationIr::Pad(_))
            | OperationIr::Module(
                ModuleOperationIr::MaxPool1d(_) | ModuleOperationIr::MaxPool2d(_)
            )
    )
}
