//! The digits' convolutional net on one, two and three processes of MPI: this program starts itself
//! by `mpiexec`, or what `BURGEON_MPIEXEC` names.

#[path = "../../examples/digits_on_ranks/program.rs"]
mod program;

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::{Command, Output};

/// The first argument of a rank.
const RANK: &str = "rank";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() == Some(RANK) {
        return program::run(arguments);
    }
    the_grown_network_is_the_same_bits_on_any_number_of_ranks()?;
    a_rank_that_fails_ends_the_job_and_says_why()?;
    a_job_whose_rank_is_killed_ends_and_goes_on_on_other_ranks()?;
    println!("mpi: 3 tests passed");
    Ok(())
}

/// The program on so many ranks of so many threads each.
fn on(ranks: usize, threads: usize, options: &[&str]) -> Result<Output, Box<dyn Error>> {
    let launcher = env::var("BURGEON_MPIEXEC").unwrap_or_else(|_| "mpiexec".into());
    let found = Command::new(&launcher)
        .args(["-n", &ranks.to_string()])
        .arg(env::current_exe()?)
        .arg(RANK)
        .args(["--samples", "240"])
        .args(options)
        .env("RAYON_NUM_THREADS", threads.to_string())
        // Open MPI asks for these in containers and on small machines.
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .env("OMPI_MCA_rmaps_base_oversubscribe", "1")
        .env("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe")
        .output();
    found.map_err(|problem| format!("`{launcher}` cannot be run: {problem}").into())
}

/// What a run that ends well says.
fn said(found: &Output) -> Result<String, Box<dyn Error>> {
    let errors = String::from_utf8_lossy(&found.stderr);
    match found.status.success() {
        true => Ok(String::from_utf8(found.stdout.clone())?),
        false => Err(format!("a run that should end well says: {errors}").into()),
    }
}

fn the_grown_network_is_the_same_bits_on_any_number_of_ranks() -> Result<(), Box<dyn Error>> {
    let alone = said(&on(1, 2, &[])?)?;
    let made = alone.matches("\"verdict\":\"committed\"").count();
    assert!(made >= 2 && alone.contains("conv1.weight"), "{alone}");
    for ranks in [2, 3] {
        assert_eq!(said(&on(ranks, 1, &[])?)?, alone, "{ranks} ranks");
    }
    Ok(())
}

fn a_rank_that_fails_ends_the_job_and_says_why() -> Result<(), Box<dyn Error>> {
    let found = on(2, 1, &["--fail", "1"])?;
    let errors = String::from_utf8_lossy(&found.stderr);
    assert!(!found.status.success(), "{errors}");
    assert!(
        errors.contains("rank 1: data: this rank was told to fail"),
        "{errors}"
    );
    Ok(())
}

fn a_job_whose_rank_is_killed_ends_and_goes_on_on_other_ranks() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("run");
    let at = path.to_string_lossy();
    let found = on(2, 1, &["--checkpoint", &at, "--kill", "1"])?;
    assert!(!found.status.success());
    assert!(Path::new(&path).exists());
    let whole = said(&on(1, 2, &[])?)?;
    let rest = on(3, 1, &["--checkpoint", &at])?;
    assert_eq!(said(&rest)?, whole);
    // Three growths and five epochs, of which the first and a growth were made before.
    let steps = String::from_utf8_lossy(&rest.stderr).lines().count();
    assert!((4..7).contains(&steps), "{steps}");
    Ok(())
}
