//! How many channels a convolution has, and which belong together.

use std::ops::Range;

/// Channels of a convolution; weights are `[outputs, inputs / groups, taps]`.
#[derive(Debug, Clone, Copy)]
pub struct Channels {
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Groups, each of which reads its own inputs.
    pub groups: usize,
}

impl Channels {
    pub(super) fn group_inputs(&self) -> usize {
        self.inputs / self.groups
    }

    pub(super) fn group_outputs(&self) -> usize {
        self.outputs / self.groups
    }

    pub(super) fn inputs_of(&self, group: usize) -> Range<usize> {
        group * self.group_inputs()..(group + 1) * self.group_inputs()
    }

    pub(super) fn outputs_of(&self, group: usize) -> Range<usize> {
        group * self.group_outputs()..(group + 1) * self.group_outputs()
    }
}
