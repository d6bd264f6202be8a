//! Files that are not what they should be, and what fingerprints tell apart.

use std::path::{Path, PathBuf};

use burgeon_nn::hash::samples_hash;
use burgeon_nn::stored::collect;
use burgeon_nn::{Growable, NnError, Samples};
use burn::grad_clipping::GradientClippingConfig;
use burn::module::{Module, ParamGroup};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdamConfig, AdamWConfig, GradientsParams, LionConfig, ModuleOptimizer,
    RmsPropConfig, SgdConfig,
};
use burn::tensor::{Bytes, Device, Int, Tensor};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Checkpoint, Identity, Restored, file, optimizer_fingerprint, remove_checkpoint};

#[derive(Module, Debug)]
struct Net {
    first: Linear,
    norm: BatchNorm,
    second: Linear,
}

impl Growable for Net {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = self.norm.forward(self.first.forward(input));
        self.second.forward(hidden)
    }
}

fn net(width: usize) -> Net {
    let device = Device::flex().autodiff();
    Net {
        first: LinearConfig::new(3, width).init(&device),
        norm: BatchNormConfig::new(width).init(&device),
        second: LinearConfig::new(width, 2).init(&device),
    }
}

/// A net after a step of `optimizer`.
fn trained(width: usize, optimizer: &mut ModuleOptimizer) -> Net {
    let net = net(width);
    let x = Tensor::<2>::ones([4, 3], &Device::flex().autodiff());
    let y = net.second.forward(net.norm.forward(net.first.forward(x)));
    let gradients = GradientsParams::from_grads(y.powi_scalar(2).sum().backward(), &net);
    optimizer.step(0.1, net, gradients)
}

fn adam() -> ModuleOptimizer {
    AdamConfig::new().init()
}

/// What serde does by itself and by attributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Why {
    Nothing,
    Kind { of: Option<f64> },
    Other(Box<Why>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    why: Why,
    offsets: Vec<f64>,
    #[serde(default)]
    count: Option<usize>,
}

fn record(number: usize) -> Record {
    Record {
        why: match number % 3 {
            0 => Why::Nothing,
            1 => Why::Kind {
                of: (number > 2).then_some(0.1 + number as f64),
            },
            _ => Why::Other(Box::new(Why::Kind {
                of: Some(f64::INFINITY),
            })),
        },
        offsets: vec![1.0 / 3.0, f64::MIN_POSITIVE / 4.0, -0.0, 2.5, 1e300],
        count: (number > 0).then_some(usize::MAX - number),
    }
}

fn records(count: usize) -> Vec<Record> {
    (0..count).map(record).collect()
}

fn identity() -> Identity {
    Identity::new().with("criterion", "S3D c = 3")
}

fn open(path: &Path) -> Result<Checkpoint, NnError> {
    Checkpoint::open(path, identity())
}

type Loaded = Restored<Net, Record, Record, f64>;

fn load(path: &Path) -> Result<Option<Loaded>, NnError> {
    open(path)?.load(&net(2), &adam())
}

/// A folder with a checkpoint in it.
fn saved(epochs: usize, growths: &[f64]) -> (tempfile::TempDir, PathBuf, Net) {
    saved_of_width(5, epochs, growths)
}

fn saved_of_width(
    width: usize,
    epochs: usize,
    growths: &[f64],
) -> (tempfile::TempDir, PathBuf, Net) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let mut optimizer = adam();
    let net = trained(width, &mut optimizer);
    let mut checkpoint = open(&path).expect("new");
    checkpoint
        .save(
            &net,
            None,
            &optimizer,
            &record(1),
            &records(epochs),
            growths,
        )
        .expect("writable");
    (folder, path, net)
}

fn values(net: &Net) -> Vec<Vec<u8>> {
    let weights = collect(net);
    let data = weights.values().map(|weight| weight.data.as_bytes());
    data.map(<[u8]>::to_vec).collect()
}

fn refused<T>(result: Result<T, NnError>, expected: &str) {
    let error = result.err().expect("not what it should be").to_string();
    assert!(
        error.contains(expected),
        "`{error}` does not say `{expected}`"
    );
}

#[test]
fn everything_comes_back() {
    let (_folder, path, net) = saved(7, &[0.1, f64::MAX]);
    let restored = load(&path).expect("sound").expect("there");
    assert_eq!(values(&restored.model), values(&net));
    assert_eq!(restored.state, record(1));
    assert_eq!(restored.epochs, records(7));
    assert_eq!(restored.growths, [0.1, f64::MAX]);
    // Two moments for each of the six trained parameters.
    assert_eq!(restored.optimizer.to_record().len(), 12);
    assert!(
        load(&path.with_extension("none"))
            .expect("no file")
            .is_none()
    );
}

#[test]
fn a_save_appends_what_is_new_and_the_file_does_not_grow_with_it() {
    let (_folder, path, net) = saved(1, &[]);
    let history = path.with_added_extension("history");
    let read = |path: &Path| std::fs::read(path).expect("readable");
    let (file, before) = (read(&path), read(&history));
    let mut checkpoint = open(&path).expect("free");
    let _: Option<Loaded> = checkpoint.load(&net, &adam()).expect("sound");
    // A file that was written anew would lose the mark.
    let mut marked = before.clone();
    marked[20] ^= 1;
    std::fs::write(&history, &marked).expect("writable");
    let growths = vec![0.3; 10_000];
    checkpoint
        .save(&net, None, &adam(), &record(1), &records(500), &growths)
        .expect("writable");
    assert!(read(&path).len() < file.len() + 100);
    assert_eq!(read(&history)[..before.len()], marked);
    assert!(read(&history).len() > 100_000);
}

/// A kill between the two writes leaves a history that is longer than the checkpoint says.
#[test]
fn a_kill_between_the_writes_loses_nothing() {
    let (_folder, path, net) = saved(3, &[1.0]);
    let before = std::fs::read(&path).expect("readable");
    let mut checkpoint = open(&path).expect("free");
    let _: Option<Loaded> = checkpoint.load(&net, &adam()).expect("sound");
    checkpoint
        .save(&net, None, &adam(), &record(2), &records(4), &[1.0, 2.0])
        .expect("writable");
    drop(checkpoint);
    std::fs::write(&path, &before).expect("writable");
    let mut checkpoint = open(&path).expect("free");
    let restored: Loaded = checkpoint
        .load(&net, &adam())
        .expect("sound")
        .expect("there");
    assert_eq!((restored.epochs, restored.growths), (records(3), vec![1.0]));
    checkpoint
        .save(&net, None, &adam(), &record(2), &records(5), &[1.0, 3.0])
        .expect("writable");
    drop(checkpoint);
    let restored = load(&path).expect("sound").expect("there");
    assert_eq!(restored.growths, [1.0, 3.0]);
    assert_eq!(restored.epochs, records(5));
}

#[test]
fn one_run_at_a_time() {
    let (_folder, path, _) = saved(1, &[]);
    let first = open(&path).expect("free");
    refused(open(&path), "another run keeps its checkpoint here");
    refused(
        remove_checkpoint(&path),
        "another run keeps its checkpoint here",
    );
    drop(first);
    open(&path).expect("free again");
}

#[test]
fn nothing_is_left_of_a_removed_checkpoint() {
    let (folder, path, _) = saved(1, &[]);
    let files = || std::fs::read_dir(folder.path()).expect("readable").count();
    assert_eq!(files(), 3);
    remove_checkpoint(&path).expect("free");
    assert_eq!(files(), 0);
    remove_checkpoint(&path).expect("nothing is no error");
}

#[test]
fn other_versions_and_other_runs_are_named() {
    let (_folder, path, _) = saved(1, &[]);
    let other = Identity::new().with("criterion", "S3D c = 2");
    let mut checkpoint = Checkpoint::open(&path, other).expect("free");
    let loaded: Result<Option<Loaded>, _> = checkpoint.load(&net(2), &adam());
    refused(loaded, "criterion: S3D c = 3 -> S3D c = 2");
    drop(checkpoint);
    let mut bytes = std::fs::read(&path).expect("readable");
    let version = b"burgeon checkpoint 2";
    let place = bytes.windows(version.len()).position(|w| w == version);
    bytes[place.expect("named") + version.len() - 1] = b'1';
    std::fs::write(&path, bytes).expect("writable");
    refused(load(&path), "a checkpoint of format 1");
}

#[test]
fn a_history_that_is_gone_is_named() {
    let (_folder, path, _) = saved(1, &[]);
    std::fs::remove_file(path.with_added_extension("history")).expect("there");
    refused(load(&path), "run.checkpoint.history");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever byte is another one, of the file or of the history, and wherever they end.
    #[test]
    fn damage_is_refused(
        place in any::<prop::sample::Index>(), flip in 1..=255_u8, cut in any::<bool>(),
        of_history in any::<bool>(),
    ) {
        let (_folder, path, _) = saved(3, &[0.5]);
        let target = match of_history {
            true => path.with_added_extension("history"),
            false => path.clone(),
        };
        let mut bytes = std::fs::read(&target).expect("readable");
        let place = place.index(bytes.len());
        match cut {
            true => bytes.truncate(place),
            false => bytes[place] ^= flip,
        }
        std::fs::write(&target, bytes).expect("writable");
        prop_assert!(load(&path).is_err());
    }

    #[test]
    fn foreign_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (_folder, path, _) = saved(3, &[0.5]);
        std::fs::write(&path, &bytes).expect("writable");
        prop_assert!(load(&path).is_err());
    }

    /// A hash that fits is no reason to trust: no panic, whatever is found.
    #[test]
    fn altered_and_signed_again(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (_folder, path, _) = saved(3, &[0.5]);
        let mut bytes = std::fs::read(&path).expect("readable");
        for (place, value) in places {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        file::sign(&mut bytes);
        std::fs::write(&path, bytes).expect("writable");
        let _ = load(&path);
    }
}

/// Burn panics at each of these, at once or in the next step.
#[test]
fn an_altered_optimizer_is_refused() {
    // One neuron, since what has one number takes the shape of what it is added to.
    let (_folder, path, _) = saved_of_width(1, 1, &[]);
    let good = std::fs::read(&path).expect("readable");
    type Parts = (String, burn::tensor::Shape, Option<u64>, Vec<u8>);
    let alter = |change: &dyn Fn(&mut Parts), rank: Option<u64>| {
        let mut parts = file::read(&path, &good).expect("sound");
        let bytes = Bytes::from_bytes_vec(parts.optimizer);
        let reader = burn_pack::Reader::from_bytes(bytes).expect("sound");
        let (scalars, paths) = (reader.scalars().clone(), reader.metadata().clone());
        let tensors = reader.into_tensors().expect("sound").into_iter();
        let tensors = tensors.map(|tensor| {
            let (name, dtype, shape, id, bytes) = tensor.into_parts().expect("in memory");
            let mut parts = (name, shape, id, bytes.to_vec());
            change(&mut parts);
            let (name, shape, id, bytes) = parts;
            let bytes = Bytes::from_bytes_vec(bytes);
            burn_pack::Tensor::new(name, dtype, shape, id, bytes)
        });
        let mut writer = burn_pack::Writer::new(tensors.collect());
        for (name, value) in scalars {
            let rank = rank.filter(|_| name.ends_with("__rank"));
            writer = writer.with_scalar(&name, rank.map_or(value, burn_pack::Scalar::from));
        }
        for (id, path) in paths {
            writer = writer.with_metadata(&id, &path);
        }
        parts.optimizer = writer.into_bytes().expect("sound").to_vec();
        let bytes = file::write(&parts.weights, &parts.optimizer, &parts.contents);
        std::fs::write(&path, bytes.expect("sound")).expect("writable");
        load(&path)
    };
    assert!(alter(&|_| (), None).is_ok());
    let problem = "optimizer's state does not fit";
    refused(alter(&|parts| parts.2 = None, None), problem);
    refused(alter(&|parts| parts.2 = Some(7), None), problem);
    refused(alter(&|_| (), Some(40)), problem);
    refused(alter(&|_| (), Some(4)), problem);
    let resized = |from: usize, to: usize| {
        move |parts: &mut Parts| {
            let last = parts.1.len() - 1;
            if parts.1[last] == from {
                parts.1[last] = to;
                parts.3 = 0.5_f32.to_le_bytes().repeat(parts.1.num_elements());
            }
        }
    };
    refused(alter(&resized(2, 3), None), problem);
    refused(alter(&resized(1, 2), None), problem);
}

#[test]
fn the_optimizers_fingerprint_tells_settings_apart() {
    let momentum = |momentum| MomentumConfig::new().with_momentum(momentum);
    let decay = |penalty| Some(WeightDecayConfig::new(penalty));
    let sgd = SgdConfig::new;
    let adam = AdamConfig::new;
    let clipped = |clipping| adam().with_grad_clipping(Some(clipping)).init();
    let grouped = |layer: &str, group: SgdConfig| {
        let layer = ParamGroup::from_predicate(layer);
        adam().init().with_group(layer, group.build(), None)
    };
    let optimizers: Vec<ModuleOptimizer> = vec![
        sgd().init(),
        sgd().with_weight_decay(decay(1e-4)).init(),
        sgd().with_weight_decay(decay(2e-4)).init(),
        sgd().with_momentum(Some(momentum(0.9))).init(),
        sgd().with_momentum(Some(momentum(0.91))).init(),
        sgd()
            .with_momentum(Some(momentum(0.9).with_dampening(0.0)))
            .init(),
        sgd()
            .with_momentum(Some(momentum(0.9).with_nesterov(true)))
            .init(),
        adam().init(),
        adam().with_beta_1(0.89).init(),
        adam().with_beta_2(0.998).init(),
        adam().with_beta_2(0.9995).init(),
        adam().with_epsilon(1e-6).init(),
        adam().with_epsilon(1e-8).init(),
        adam().with_amsgrad(true).init(),
        adam().with_weight_decay(decay(1e-4)).init(),
        clipped(GradientClippingConfig::Norm(1.0)),
        clipped(GradientClippingConfig::Norm(5.0)),
        clipped(GradientClippingConfig::Value(1.0)),
        AdamWConfig::new().with_weight_decay(1e-3).init(),
        AdamWConfig::new().with_weight_decay(1e-2).init(),
        RmsPropConfig::new().init(),
        AdaGradConfig::new().init(),
        LionConfig::new().init(),
        grouped("first", sgd()),
        grouped("second", sgd()),
        grouped("first", sgd().with_momentum(Some(momentum(0.9)))),
    ];
    let print = |optimizer: &ModuleOptimizer, width| {
        optimizer_fingerprint(optimizer, &net(width)).expect("steps")
    };
    let prints: Vec<String> = optimizers.iter().map(|o| print(o, 3)).collect();
    for (index, own) in prints.iter().enumerate() {
        let same = prints.iter().position(|other| other == own);
        assert_eq!(same, Some(index), "optimizers of the same fingerprint");
    }
    // Neither widths, nor weights, nor the optimizer's state make a difference.
    for optimizer in &optimizers {
        let mut used = optimizer.clone();
        let net = trained(9, &mut used);
        let of_used = optimizer_fingerprint(&used, &net).expect("steps");
        assert_eq!(print(optimizer, 3), of_used);
    }
}

#[test]
fn differences_are_told() {
    let lines = |middle: &str| format!("first\n{middle}\nlast");
    let before = Identity::new()
        .with("criterion", "S3D c = 3")
        .with("graph", lines("silu"))
        .with_hashed("training samples", "abc")
        .with("gone", "1");
    let now = Identity::new()
        .with("criterion", "S3D c = 2")
        .with("graph", lines("tanh"))
        .with_hashed("training samples", "abd")
        .with("new", "2");
    let told = before.differences(&now);
    let told: Vec<String> = told.iter().map(|d| d.to_string()).collect();
    let expected = [
        "criterion: S3D c = 3 -> S3D c = 2",
        "graph: silu -> tanh",
        "training samples",
        "gone: 1 -> none",
        "new: none -> 2",
    ];
    assert_eq!(told, expected);
    assert!(before.differences(&before.clone()).is_empty());
}

#[test]
fn the_hash_of_samples_sees_every_number() {
    let device = Device::flex();
    let pixels = |change: usize, by: f32| {
        let mut numbers: Vec<f32> = (0..700_000).map(|n| n as f32 * 0.5).collect();
        numbers[change] += by;
        numbers
    };
    let hash = |pixels: Vec<f32>, rows: usize, labels: &[usize]| {
        let columns = pixels.len() / rows;
        let inputs = Tensor::<1>::from_floats(&pixels[..], &device).reshape([rows, columns]);
        let samples = Samples::classification(inputs, labels, 10, &device).expect("sound");
        samples_hash(&samples)
    };
    let one = hash(pixels(0, 0.0), 4, &[1, 2, 3, 4]);
    assert_eq!(one, hash(pixels(0, 0.0), 4, &[1, 2, 3, 4]));
    let others = [
        hash(pixels(0, 0.0), 4, &[1, 3, 2, 4]),
        hash(pixels(3, 0.5), 4, &[1, 2, 3, 4]),
        hash(pixels(699_999, 1.0), 4, &[1, 2, 3, 4]),
        hash(pixels(0, 0.0), 2, &[1, 2]),
    ];
    assert!(others.iter().all(|other| *other != one));
    // Tokens are integers.
    let tokens = |last: i64| {
        let tokens = Tensor::<2, Int>::from_ints([[1, 2], [3, last]], &device);
        samples_hash(&Samples::classification(tokens, &[0, 1], 2, &device).expect("sound"))
    };
    assert_ne!(tokens(4), tokens(5));
}
