//! What runs are told and leave: plans, journals, checkpoints, files of studies, boards.

use burgeon_backend_flex::FLEX;
use burgeon_core::Plan;
use burgeon_core::SplitBackend;
use burgeon_core::criterion::SteepestDescent;
use burgeon_core::select::Fraction;
use burgeon_experiments::{Scale, StudySettings, studies};
use burgeon_hardware::{Board, ConvLayer, DesignSpace};
use burgeon_nn::surgery::apply_plan;
use burgeon_nn::{CrossEntropy, NnError, Samples, trace};
use burgeon_train::observer::read_journal;
use burgeon_train::{Grower, GrowerConfig, RateSchedule, Task, Trigger};
use burn::optim::AdamConfig;
use burn::tensor::{Tensor, TensorData};
use sha2::{Digest, Sha256};

use crate::files::{halves, told, with_files};
use crate::networks::{ENDS, Net};

/// Epochs of the run that checkpoints are of.
const EPOCHS: usize = 4;

fn samples(count: usize) -> Samples<Tensor<2>> {
    let [inputs, outputs] = ENDS;
    let device = FLEX.device();
    let values = (0..count * inputs).map(|at| ((at * 37 % 19) as f32 - 9.0) / 5.0);
    let values = TensorData::new(values.collect::<Vec<f32>>(), [count, inputs]);
    let classes: Vec<usize> = (0..count).map(|row| row * 7 % 3 % outputs).collect();
    let values = Tensor::from_data(values, &device);
    Samples::classification(values, &classes, outputs, &device).expect("sound samples")
}

/// `net` with the same weights every time.
pub(crate) fn fixed_net() -> Net {
    let device = FLEX.device().autodiff();
    crate::random::filled(Net::new(&device))
}

/// A run of a few epochs that grows after every second one.
pub(crate) fn grower() -> Grower<Net> {
    let config = GrowerConfig::new(SteepestDescent, Fraction::new(0.5).expect("a share"))
        .with_trigger(Trigger::Every { epochs: 2 })
        .with_max_epochs(EPOCHS)
        .with_learning_rate(RateSchedule::constant(0.02).expect("a rate"))
        .with_batch_size(8)
        .with_seed(5);
    let task = Task::new(CrossEntropy, samples(24), samples(8));
    Grower::new(config, FLEX, task, fixed_net(), AdamConfig::new().init()).expect("sound settings")
}

/// A checkpoint and its history, in two parts, and the run that goes on from them. The
/// checksum is made right first: it keeps damage out, and not intent.
pub fn checkpoint(bytes: &[u8]) {
    let (checkpoint, history) = halves(bytes);
    let mut checkpoint = checkpoint.to_vec();
    sign(&mut checkpoint);
    let files = [("run", &checkpoint[..]), ("run.history", history)];
    with_files(&files, |folder| {
        if let Some(mut grower) = told(grower().checkpoint_at(folder.join("run"))) {
            told(grower.run());
        }
    });
}

/// Puts the right hash into a checkpoint, if it has a place for one.
fn sign(bytes: &mut [u8]) {
    const KEY: &[u8] = b"\"sha256\":\"";
    const DIGITS: usize = 64;
    let place = bytes.windows(KEY.len()).position(|window| window == KEY);
    let Some(place) = place.map(|place| place + KEY.len()) else {
        return;
    };
    let Some(own) = bytes.get_mut(place..place + DIGITS) else {
        return;
    };
    own.fill(b'0');
    let hash = Sha256::digest(&*bytes);
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes[place..place + DIGITS].copy_from_slice(digits.as_bytes());
}

/// A growth journal, and a run that replays it.
pub fn journal(bytes: &[u8]) {
    with_files(&[("journal.jsonl", bytes)], |folder| {
        let Some(journal) = told(read_journal(&folder.join("journal.jsonl"))) else {
            return;
        };
        told(grower().replay(journal).run());
    });
}

/// A plan of growths as JSON, applied to a network.
pub fn plan(bytes: &[u8]) {
    let Some(plan) = told(serde_json::from_slice::<Plan>(bytes)) else {
        return;
    };
    let is_sound = told(plan.validate()).is_some();
    plan.to_string();
    plan.by_site();
    plan.added_neurons();
    plan.predicted_decrease(0.1);
    let net = fixed_net();
    let grown =
        trace(&net, &samples(4)).and_then(|trace| apply_plan(&net, trace.graph(), &plan, 0.1));
    match grown {
        Ok(_) if !is_sound => panic!("a plan that is not sound was applied"),
        grown => told::<_, NnError>(grown),
    };
}

/// The file of a study of one's own, at every scale.
pub fn study(bytes: &[u8]) {
    with_files(&[("own.toml", bytes)], |folder| {
        let path = folder.join("own.toml").to_string_lossy().into_owned();
        let Some(study) = told(studies::named(&path)) else {
            return;
        };
        for scale in Scale::ALL {
            let mut settings = StudySettings::at(scale);
            settings.data = folder.to_owned();
            settings.seeds = Some(2);
            told(burgeon_experiments::fits(&*study, &settings));
            told(study.recipe(&settings));
            let Some(units) = told(study.units(&settings)) else {
                continue;
            };
            if let Some(unit) = units.get(0) {
                assert_eq!(units.index(&unit), Some(0));
                told(study.unit_recipe(&settings, &unit));
            }
        }
    });
}

/// A board as JSON, and the best design of a small network on it.
pub fn board(bytes: &[u8]) {
    let Some(board) = told(serde_json::from_slice::<Board>(bytes)) else {
        return;
    };
    if told(board.check()).is_none() {
        return;
    }
    let layer = ConvLayer::new("conv", [3, 8], [8, 8], 3).expect("a layer");
    told(DesignSpace::standard().best(&board, &[layer]));
}
