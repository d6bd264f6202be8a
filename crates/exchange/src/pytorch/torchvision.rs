//! The zoo's residual networks under torchvision's names.

use burgeon_zoo::{Activation, ResNet, ResidualBlock, Stem};
use burn::nn::LinearConfig;
use burn::tensor::Device;

use super::layouts::{from_state_dict, to_state_dict};
use super::state_dict::StateDict;
use crate::error::ExchangeError;

/// `model` as a state dict with the names of torchvision's `ResNet`: at published widths its
/// `resnet18` or `resnet34` takes it as it is.
///
/// # Errors
/// None of a network of the zoo.
pub fn resnet_to_torchvision(model: &ResNet) -> Result<StateDict, ExchangeError> {
    to_state_dict(model, names(&stages(&model.blocks)))
}

/// The residual network of basic blocks (ResNet-18, ResNet-34, or others at any widths) whose state
/// dict has torchvision's names. Widths, blocks, channels and classes are those of the file; the
/// stem is torchvision's where its kernel is 7×7, and the one for small images where it is 3×3.
///
/// ```
/// use burgeon_exchange::{resnet_from_torchvision, resnet_to_torchvision};
/// use burgeon_zoo::{Activation, ResNet, Stem};
/// use burn::tensor::Device;
///
/// let device = Device::flex();
/// let (stem, relu) = (Stem::LargeImages, Activation::Relu);
/// let model = ResNet::resnet_18(4, stem, [3, 10], relu, &device)?;
/// let state = resnet_to_torchvision(&model)?;
/// assert_eq!(state.shape("layer2.0.downsample.0.weight"), Some(vec![8, 4, 1, 1]));
/// let same = resnet_from_torchvision(&state, &device)?;
/// assert_eq!(same.output.weight.to_data(), model.output.weight.to_data());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first tensor that is missing or of another shape than the others ask for; a network of
/// bottleneck blocks, or with another stem.
pub fn resnet_from_torchvision(
    state: &StateDict,
    device: &Device,
) -> Result<ResNet, ExchangeError> {
    if state.get("layer1.0.conv3.weight").is_some() {
        return Err(ExchangeError::file(
            state.path(),
            "its blocks are bottlenecks (`layer1.0.conv3.weight`), as of ResNet-50 and deeper ones: \
             only networks of basic blocks are known (ResNet-18, ResNet-34)",
        ));
    }
    let [first, channels, height, width] = state.axes("conv1.weight")?;
    let stem = match (height, width) {
        (7, 7) => Stem::LargeImages,
        (3, 3) => Stem::SmallImages,
        _ => {
            return Err(ExchangeError::file(
                state.path(),
                format!(
                    "the kernel of `conv1.weight` is {height}×{width}: 7×7 (with pooling behind it) \
                     and 3×3 (without) are known"
                ),
            ));
        }
    };
    let [classes, last] = state.axes("fc.weight")?;
    let mut counts = Vec::new();
    let mut blocks = Vec::new();
    let mut inputs = first;
    loop {
        let stage = counts.len() + 1;
        let mut count = 0;
        while state
            .get(&format!("layer{stage}.{count}.conv1.weight"))
            .is_some()
        {
            let layer = |name: &str| format!("layer{stage}.{count}.{name}.weight");
            // What is made must not be larger than what the file holds.
            let fits = |name: String, reads: usize| -> Result<usize, ExchangeError> {
                let [gives, own, height, width] = state.axes::<4>(&name)?;
                match own == reads {
                    true => Ok(gives),
                    false => Err(state.wrong_shape(&name, &[gives, reads, height, width])),
                }
            };
            let own = fits(layer("conv1"), inputs)?;
            let outputs = fits(layer("conv2"), own)?;
            let stride = if stage > 1 && count == 0 { 2 } else { 1 };
            let shortcut = layer("downsample.0");
            let changes = stride != 1 || inputs != outputs;
            if changes && fits(shortcut.clone(), inputs)? != outputs {
                return Err(state.wrong_shape(&shortcut, &[outputs, inputs, 1, 1]));
            }
            let shape = [inputs, own, outputs];
            blocks.push(ResidualBlock::new(shape, stride, Activation::Relu, device));
            inputs = outputs;
            count += 1;
        }
        if count == 0 {
            break;
        }
        counts.push(count);
    }
    if blocks.is_empty() {
        return Err(state.missing("layer1.0.conv1.weight"));
    }
    let ends = [channels, classes];
    let mut model = ResNet::new(&[first], 1, stem, ends, Activation::Relu, device)?;
    let rename = names(&counts);
    model.blocks = blocks;
    model.output = LinearConfig::new(last, classes).init(device);
    if last != inputs {
        return Err(state.wrong_shape("fc.weight", &[classes, inputs]));
    }
    from_state_dict(&model, state, rename)
}

/// The number of blocks in each stage: every stage but the first begins by halving the maps.
fn stages(blocks: &[ResidualBlock]) -> Vec<usize> {
    let mut counts: Vec<usize> = Vec::new();
    for block in blocks {
        let halves = block.first.conv.stride != [1, 1];
        match counts.last_mut() {
            Some(count) if !halves => *count += 1,
            _ => counts.push(1),
        }
    }
    counts
}

/// What torchvision calls the layer of a path.
fn names(stages: &[usize]) -> impl Fn(&str) -> String + use<> {
    let mut places = Vec::new();
    for (stage, &count) in stages.iter().enumerate() {
        places.extend((0..count).map(|block| format!("layer{}.{block}", stage + 1)));
    }
    move |layer: &str| {
        let parts: Vec<&str> = layer.split('.').collect();
        match parts[..] {
            ["stem", "conv"] => "conv1".to_owned(),
            ["stem", "norm"] => "bn1".to_owned(),
            ["output"] => "fc".to_owned(),
            ["blocks", number, part, kind] => {
                let number: usize = number.parse().unwrap_or_default();
                let place = places.get(number).map_or("", String::as_str);
                let own = match (part, kind) {
                    ("first", "conv") => "conv1",
                    ("first", _) => "bn1",
                    ("second", "conv") => "conv2",
                    ("second", _) => "bn2",
                    (_, "conv") => "downsample.0",
                    _ => "downsample.1",
                };
                format!("{place}.{own}")
            }
            _ => layer.to_owned(),
        }
    }
}
