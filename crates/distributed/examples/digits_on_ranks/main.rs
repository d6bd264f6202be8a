//! The digits' convolutional net, trained and grown three times by all processes that `mpiexec` starts:
//!
//!     cargo build --release --workspace --features burgeon-distributed/mpi --example digits_on_ranks
//!     mpiexec -n 2 target/release/examples/digits_on_ranks --checkpoint /shared/run
//!
//! The first rank prints hashes of the weights, the growths and the losses: the same on any number
//! of ranks. What it takes goes to standard error.

mod program;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    program::run(std::env::args().skip(1))
}
