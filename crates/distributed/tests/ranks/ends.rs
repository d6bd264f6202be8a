//! How a run on several ranks ends, and goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burgeon_core::World;
use burgeon_distributed::threads;
use burgeon_nn::NnError;
use burgeon_train::observer::{Event, Observer};
use burgeon_train::{Advance, Outcome};

use crate::digits::result;
use crate::grower;

/// A run is stopped on three ranks and goes on on two, from the first rank's file alone.
#[test]
fn a_run_goes_on_from_its_checkpoint_on_another_number_of_ranks() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |rank: usize| folder.path().join(format!("{rank}")).join("run");
    std::fs::create_dir(folder.path().join("0")).expect("a folder");
    let expected = threads::run(1, |world| {
        let mut grower = grower(world, 240).expect("sound");
        grower.run().expect("grows");
        result(&grower).expect("written")
    });
    threads::run(3, |world: Arc<dyn World>| {
        let at = path(world.rank());
        let mut grower = grower(world, 240)
            .expect("sound")
            .checkpoint_at(at)
            .expect("writable");
        for _ in 0..4 {
            grower.advance().expect("grows");
        }
        assert_eq!(grower.state().journal.len(), 2);
    });
    assert!(path(0).exists());
    let found = threads::run(2, |world: Arc<dyn World>| {
        let at = path(world.rank());
        let grower = grower(world, 240).expect("sound").checkpoint_at(at);
        let mut grower = grower.expect("readable");
        assert_eq!(grower.state().journal.len(), 2);
        grower.run().expect("grows");
        result(&grower).expect("written")
    });
    assert!(!path(1).exists());
    assert_eq!(found, [expected[0].clone(), expected[0].clone()]);
}

#[test]
fn an_interrupt_of_one_rank_ends_all_of_them_alike() {
    let interrupt = Arc::new(AtomicBool::new(false));
    let found = threads::run(3, |world: Arc<dyn World>| {
        let rank = world.rank();
        let mut grower = grower(world, 240).expect("sound");
        if rank == 1 {
            grower = grower.interrupt_by(interrupt.clone());
        }
        assert_eq!(grower.advance().expect("trains"), Advance::Epoch);
        assert_eq!(grower.advance().expect("grows"), Advance::GrowthStep);
        if rank == 1 {
            interrupt.store(true, Ordering::Relaxed);
        }
        let outcome = grower.run().expect("ends");
        (outcome, result(&grower).expect("written"))
    });
    for (outcome, result) in &found {
        assert_eq!(*outcome, Outcome::Interrupted);
        assert_eq!(*result, found[0].1);
    }
}

/// Fails when it is told of the second epoch.
struct Failing;

impl Observer for Failing {
    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        match event {
            Event::Epoch(record) if record.epoch == 2 => Err(NnError::Data("no more".into())),
            _ => Ok(()),
        }
    }
}

#[test]
fn what_fails_on_one_rank_ends_the_others() {
    let found = threads::run(3, |world: Arc<dyn World>| {
        let rank = world.rank();
        let mut grower = grower(world, 240).expect("sound");
        if rank == 2 {
            grower = grower.observe(Failing);
        }
        grower.run().expect_err("fails").to_string()
    });
    let others = "the ranks have lost each other: rank 2 has ended";
    assert_eq!(found, [others, others, "data: no more"]);
}
