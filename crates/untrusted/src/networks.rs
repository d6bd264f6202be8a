//! Networks that come in: weights, state dicts of PyTorch, lists of layers, folders of runs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burgeon_backend_flex::FLEX;
use burgeon_core::SplitBackend;
use burgeon_data::own::{Cells, Column, LabelledImages, Records, Table};
use burgeon_exchange::{PlainNetwork, StateDict, from_state_dict, resnet_from_torchvision};
use burgeon_nn::stack::ResidualLinear;
use burgeon_nn::weights::load_weights;
use burgeon_nn::{Growable, Stack, Stacks};
use burgeon_ops::{FastBatchNorm, FastBatchNormConfig};
use burgeon_predictor::{FitData, FitSettings, NetworkFile, Predictor, Watch, fit, summary_of};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};

use crate::files::{halves, told, with_files};
use crate::tables::{MOST_INPUTS, two_rows};

/// Numbers that [`Net`] reads, and gives.
pub(crate) const ENDS: [usize; 2] = [3, 2];

/// The network that weights are read into.
#[derive(Module, Debug)]
pub(crate) struct Net {
    hidden: Linear,
    norm: FastBatchNorm,
    blocks: Stack<ResidualLinear>,
    output: Linear,
}

impl Net {
    pub fn new(device: &Device) -> Self {
        let [inputs, outputs] = ENDS;
        Self {
            hidden: LinearConfig::new(inputs, 2).init(device),
            norm: FastBatchNormConfig::new(2).init(device),
            blocks: Stack::new(vec![ResidualLinear::new(2, 2, device)]),
            output: LinearConfig::new(2, outputs).init(device),
        }
    }
}

impl Growable for Net {
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = silu(self.norm.forward(self.hidden.forward(input)));
        self.output.forward(self.blocks.forward(hidden))
    }

    fn stacks(&mut self) -> Stacks<'_> {
        Stacks::new().with("blocks", &mut self.blocks)
    }
}

/// A file of weights, and a prediction by them.
pub fn weights(bytes: &[u8]) {
    with_files(&[("net.safetensors", bytes)], |folder| {
        let device = FLEX.device();
        let example = Tensor::<2>::ones([1, ENDS[0]], &device);
        let path = folder.join("net.safetensors");
        if let Some(net) = told(load_weights(&Net::new(&device), &path, &example)) {
            net.predict(example).into_data();
        }
    });
}

/// A file of PyTorch or safetensors, and the networks that it may be.
pub fn state_dict(bytes: &[u8]) {
    with_files(&[("net.pt", bytes)], |folder| {
        let Some(state) = told(StateDict::read(&folder.join("net.pt"))) else {
            return;
        };
        told(PlainNetwork::of(&state));
        told(resnet_from_torchvision(&state, &FLEX.device()));
        let net = Net::new(&FLEX.device());
        told(from_state_dict(&net, &state, str::to_owned));
    });
}

/// A list of layers, and the first moments of a fit of them.
pub fn layers(bytes: &[u8]) {
    let Some((&told_how, text)) = bytes.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let Some(network) = told(NetworkFile::parse(Path::new("net.toml"), text)) else {
        return;
    };
    let records = match told_how % 2 {
        0 => table(),
        _ => images(),
    };
    let data = FitData {
        name: "numbers",
        records: &records,
        held: None,
        target: None,
        goal: None,
    };
    let settings = FitSettings {
        network: Some(network),
        batch_size: 8,
        epochs: Some(1),
        ..FitSettings::default()
    };
    let watch = Watch {
        interrupt: Some(Arc::new(AtomicBool::new(true))),
        ..Watch::default()
    };
    with_files(&[], |folder| {
        told(fit(&data, &settings, &folder.join("run"), &watch));
    });
}

fn table() -> Records {
    let numbers =
        |factor: usize| Cells::Numbers((0..16).map(|row| (row * factor % 7) as f64).collect());
    let classes = (0..16).map(|row| ["a", "b"][row % 2].to_owned()).collect();
    let column = |name: &str, cells| Column {
        name: name.to_owned(),
        cells,
    };
    Records::Table(Table {
        columns: vec![
            column("x", numbers(3)),
            column("y", numbers(5)),
            column("class", Cells::Texts(classes)),
        ],
    })
}

fn images() -> Records {
    Records::Images(LabelledImages {
        shape: [1, 6, 5],
        pixels: (0..16 * 30)
            .map(|pixel| (pixel % 11) as f32 / 10.0)
            .collect(),
        labels: (0..16).map(|row| ["a", "b"][row % 2].to_owned()).collect(),
    })
}

/// The folder of a run: its description, its weights and its summary, in two parts,
/// twice; and a prediction.
pub fn run_folder(bytes: &[u8]) {
    let (description, rest) = halves(bytes);
    let (weights, summary) = halves(rest);
    let files = [
        ("predictor.json", description),
        ("weights.safetensors", weights),
        ("summary.json", summary),
    ];
    with_files(&files, |folder| {
        told(summary_of(folder));
        let Some(predictor) = told(Predictor::load(folder, None)) else {
            return;
        };
        let inputs = &predictor.schema().inputs;
        if inputs.shape().iter().product::<usize>() <= MOST_INPUTS {
            told(predictor.predict(&two_rows(inputs)));
        }
    });
}
