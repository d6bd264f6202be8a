//! What must hold of random models: chains, sums, gates, concatenations, shared and
//! depthwise layers, norms, pools and changes of shape, with random weights.

mod build;
mod costs;
mod draw;
mod hessian;
mod hostile;
mod kinds;
mod net;
mod optimizer;
mod order;
mod plans;
mod spectra;
mod stratified;
mod surgery;
