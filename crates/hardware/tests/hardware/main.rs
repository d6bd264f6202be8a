//! Accelerators against published numbers, slow counts and brute force.

mod designs;
mod networks;
mod partitions;
mod published;
mod tile_filling;
mod torchvision;
