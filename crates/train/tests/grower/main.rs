//! The grower: growth on real data, checkpoints, journals, and what it refuses.

mod channels;
mod checkpointing;
mod checkpoints;
mod data;
mod depth;
mod ends;
mod faults;
mod first_order;
mod growth;
mod identity;
mod injected;
mod input;
mod kills;
mod mixed_precision;
mod network;
mod newborn;
mod objectives;
mod optimizer;
mod resolution;
mod sites;
mod types;
mod weights;
