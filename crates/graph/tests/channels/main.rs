//! Which channels belong together, operation by operation, in graphs written out by hand.

mod depth;
mod graphs;
mod mixing;
mod net;
mod recurrence;
mod shapes;
mod summary;
