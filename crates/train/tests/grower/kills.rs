//! Runs that are killed at any moment go on to the same result, bit for bit.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use burgeon_backend_flex::FLEX;
use burgeon_nn::weights::save_weights;
use burgeon_train::{Grower, Outcome};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::network::{Mlp, adam, config, task};

/// Where the process that is killed finds its folder.
const FOLDER: &str = "BURGEON_KILLED_RUN";

const KILLS: usize = 50;

fn checkpoint(folder: &Path) -> PathBuf {
    folder.join("run.checkpoint")
}

/// The run: nine epochs and four growths. The model's weights are the same in every process.
fn run(folder: &Path) {
    let grower = Grower::new(config(), FLEX, task(600), Mlp::fixed(2), adam()).expect("sound");
    let grower = grower.checkpoint_at(checkpoint(folder));
    let mut grower = grower.expect("its own checkpoint, which no kill has damaged");
    let outcome = grower.run().expect("runs");
    assert!(matches!(outcome, Outcome::Stopped(_)));
    save_weights(grower.model(), &folder.join("model.safetensors")).expect("writable");
    let state = grower.state();
    // All but the wall time, which is not the same twice.
    let mut journal = state.journal.clone();
    journal.iter_mut().for_each(|record| record.seconds = 0.0);
    let told = format!("{:#?}\n{journal:#?}", state.epochs);
    std::fs::write(folder.join("state.txt"), told).expect("writable");
}

/// What is run in a process of its own: nothing, unless it is told a folder.
#[test]
fn a_run_in_its_own_process() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        run(Path::new(&folder));
    }
}

fn start(folder: &Path) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().expect("known"));
    command
        .args(["--exact", "kills::a_run_in_its_own_process"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("starts")
}

#[test]
fn fifty_kills_change_nothing() {
    let whole = tempfile::tempdir().expect("a folder");
    let begun = Instant::now();
    assert!(start(whole.path()).wait().expect("ends").success());
    let length = begun.elapsed();
    let killed = tempfile::tempdir().expect("a folder");
    let mut rng = ChaCha8Rng::seed_from_u64(50);
    let (mut kills, mut ends) = (0, 0);
    while kills < KILLS {
        let mut child = start(killed.path());
        // Anywhere from before the first epoch to about the end of what a process gets through.
        std::thread::sleep(Duration::from_secs_f64(
            length.as_secs_f64() * rng.random_range(0.0..1.0),
        ));
        if child.try_wait().expect("known").is_some() {
            // It came to its end before it could be killed: begin another run.
            compare(whole.path(), killed.path());
            ends += 1;
            for file in std::fs::read_dir(killed.path()).expect("readable") {
                std::fs::remove_file(file.expect("there").path()).expect("removable");
            }
            continue;
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        kills += 1;
    }
    assert!(start(killed.path()).wait().expect("ends").success());
    compare(whole.path(), killed.path());
    println!("{kills} kills, {} runs that came to their end", ends + 1);
}

fn compare(whole: &Path, killed: &Path) {
    for file in ["model.safetensors", "state.txt"] {
        let [a, b] = [whole, killed].map(|folder| std::fs::read(folder.join(file)).expect("there"));
        assert!(a == b, "{file} differs");
    }
}
