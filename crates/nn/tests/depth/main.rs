//! New layers in stacks of blocks: surgery, replay, gradients, prices, files and refusals.

mod criterion;
mod files;
mod gradients;
mod models;
mod refusals;
mod surgery;
