//! Interrupting, resuming, replaying, and files that are not what they should be.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use burgeon_backend_flex::FLEX;
use burgeon_core::criterion::RandomSplit;
use burgeon_core::select::TopK;
use burgeon_nn::weights::{load_weights, save_weights};
use burgeon_nn::{CrossEntropy, NnError, Objective, Targets};
use burgeon_train::observer::{Event, Journal, Observer, read_journal};
use burgeon_train::{
    EpochRecord, Grower, GrowerConfig, GrowthRecord, Outcome, RateSchedule, Task, Trigger,
};
use burn::module::ParamGroup;
use burn::optim::SgdConfig;
use burn::tensor::Tensor;

use crate::network::{Mlp, adam, bits, committed, config, digits, grower, refused, task};

/// Interrupts a run after a number of epochs, or in the middle of the next one.
struct InterruptAfter {
    epochs: usize,
    flag: Arc<AtomicBool>,
}

impl Observer for InterruptAfter {
    fn notify(&mut self, event: Event<'_>) -> Result<(), NnError> {
        if let Event::Epoch(EpochRecord { epoch, .. }) = event
            && *epoch >= self.epochs
        {
            self.flag.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[test]
fn an_interrupted_run_resumes_to_the_same_result() {
    let mut whole = grower(config());
    whole.run().expect("runs");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let journal = folder.path().join("journal.jsonl");
    let mut resumed = 0;
    // Another start network each time: everything comes from the checkpoint.
    for (epochs, width) in [(1, 2), (3, 5), (4, 3), (6, 1), (usize::MAX, 4)] {
        let flag = Arc::new(AtomicBool::new(false));
        let mut grower = Grower::new(config(), FLEX, task(600), Mlp::fixed(width), adam())
            .expect("sound")
            .observe(InterruptAfter {
                epochs,
                flag: flag.clone(),
            })
            .observe(Journal::new(&journal))
            .interrupt_by(flag)
            .checkpoint_at(&path)
            .expect("the checkpoint is this run's");
        match grower.run().expect("runs") {
            Outcome::Interrupted => resumed += 1,
            Outcome::Stopped(_) => {
                assert!(
                    bits(grower.model()) == bits(whole.model()),
                    "the networks differ"
                );
                let without_time = |records: &[GrowthRecord]| -> Vec<GrowthRecord> {
                    let same = |r: &GrowthRecord| GrowthRecord {
                        seconds: 0.0,
                        ..r.clone()
                    };
                    records.iter().map(same).collect()
                };
                let written = read_journal(&journal).expect("a journal");
                assert_eq!(without_time(&written), without_time(&whole.state().journal));
                assert_eq!(grower.state().epochs, whole.state().epochs);
            }
        }
    }
    assert_eq!(resumed, 4);
}

#[test]
fn a_journal_replays_to_the_same_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    let mut first = grower(config()).observe(Journal::new(&path));
    first.run().expect("runs");
    assert!(committed(&first) >= 2);
    let journal = read_journal(&path).expect("a journal");
    // Another criterion would choose other growths: the replay does not ask it.
    let other = GrowerConfig::new(RandomSplit, TopK::new(1).expect("in range"))
        .with_trigger(Trigger::Every { epochs: 2 })
        .with_learning_rate(RateSchedule::constant(0.02).expect("a rate"))
        .with_max_epochs(9)
        .with_batch_size(64)
        .with_max_refusals(10)
        .with_seed(5);
    let mut second = grower(other).replay(journal);
    second.run().expect("runs");
    assert!(
        bits(first.model()) == bits(second.model()),
        "the networks differ"
    );
}

#[test]
fn grown_weights_load_into_a_fresh_model() {
    let mut grower = grower(config());
    grower.run().expect("runs");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    save_weights(grower.model(), &path).expect("writable");
    let loaded =
        load_weights(&Mlp::fixed(2), &path, digits(1).inputs()).expect("this model's weights");
    assert!(bits(&loaded) == bits(grower.model()), "the weights differ");
}

#[test]
fn a_foreign_or_damaged_checkpoint_is_refused_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let mut run = grower(config().with_max_epochs(2))
        .checkpoint_at(&path)
        .expect("new");
    run.run().expect("runs");
    refused(
        grower(config().with_max_epochs(2)).checkpoint_at(&path),
        "another run keeps its checkpoint here",
    );
    drop(run);
    let good = std::fs::read(&path).expect("written");
    let resume = |config| grower(config).checkpoint_at(&path);

    let try_bytes = |bytes: &[u8], expected: &str| {
        std::fs::write(&path, bytes).expect("writable");
        refused(resume(config().with_max_epochs(2)), expected);
        assert_eq!(std::fs::read(&path).expect("still there"), bytes);
    };
    try_bytes(b"not a checkpoint", "not a checkpoint");
    try_bytes(&good[..good.len() - 7], "damaged");
    let mut flipped = good.clone();
    let last = flipped.len() - 3;
    flipped[last] ^= 1;
    try_bytes(&flipped, "damaged");
    let foreign = folder.path().join("weights.safetensors");
    save_weights(&Mlp::fixed(2), &foreign).expect("writable");
    try_bytes(
        &std::fs::read(&foreign).expect("readable"),
        "not a checkpoint",
    );
    let nowhere = Path::new("/proc/none/run.checkpoint");
    refused(grower(config()).checkpoint_at(nowhere), "/proc/none");
}

/// Sets a flag in the middle of an epoch: at a forward pass in training, of which there is one for
/// each batch.
#[derive(Debug)]
struct InterruptAt {
    pass: usize,
    passes: Arc<AtomicUsize>,
    flag: Arc<AtomicBool>,
}

impl Objective for InterruptAt {
    fn name(&self) -> &'static str {
        CrossEntropy.name()
    }

    fn loss(&self, output: Tensor<2>, targets: &Targets) -> Tensor<1> {
        let in_training = output.is_autodiff();
        if in_training && self.passes.fetch_add(1, Ordering::Relaxed) + 1 == self.pass {
            self.flag.store(true, Ordering::Relaxed);
        }
        CrossEntropy.loss(output, targets)
    }

    fn check(&self, outputs: usize, targets: &Targets) -> Result<(), NnError> {
        CrossEntropy.check(outputs, targets)
    }
}

/// The model has batch normalisations, whose statistics an epoch changes without a step of the
/// optimizer.
#[test]
fn an_interrupt_within_an_epoch_takes_it_back() {
    let mut whole = grower(config());
    whole.run().expect("runs");
    let start = bits(&Mlp::fixed(2));
    // In the first epoch's second batch of eight, and before and after growths.
    for pass in [2, 13, 22, 61] {
        let flag = Arc::new(AtomicBool::new(false));
        let passes = Arc::new(AtomicUsize::new(0));
        let objective = InterruptAt {
            pass,
            passes: passes.clone(),
            flag: flag.clone(),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.checkpoint");
        let task = Task {
            objective: Box::new(objective),
            ..task(600)
        };
        let mut grower = Grower::new(config(), FLEX, task, Mlp::fixed(2), adam())
            .expect("sound")
            .interrupt_by(flag.clone())
            .checkpoint_at(&path)
            .expect("new");
        // Checks before the run have passes of their own.
        passes.store(0, Ordering::Relaxed);
        flag.store(false, Ordering::Relaxed);
        assert_eq!(grower.run().expect("runs"), Outcome::Interrupted);
        assert_eq!(bits(grower.model()) == start, pass == 2, "pass {pass}");
        flag.store(false, Ordering::Relaxed);
        assert!(matches!(grower.run().expect("runs"), Outcome::Stopped(_)));
        assert!(bits(grower.model()) == bits(whole.model()), "pass {pass}");
        assert_eq!(grower.state().epochs, whole.state().epochs, "pass {pass}");
    }
}

/// Parameters of a fresh model have other ids, by which groups know them.
#[test]
fn groups_of_parameters_survive() {
    let run = |path: &Path, epochs| {
        let model = Mlp::fixed(2);
        let hidden = ParamGroup::ids_from_module(model.hidden1.clone());
        let optimizer = adam().with_group(hidden, SgdConfig::new().build(), None);
        let config = config().with_max_epochs(epochs);
        let grower = Grower::new(config, FLEX, task(300), model, optimizer).expect("sound");
        let mut grower = grower.checkpoint_at(path).expect("its own");
        grower.run().expect("runs");
        bits(grower.model())
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let whole = run(&one, 5);
    run(&two, 3);
    assert!(run(&two, 5) == whole, "the networks differ");
}
