//! Convolutions of torchvision's networks for 224×224 images.

use burgeon_hardware::ConvLayer;

use crate::networks::conv;

pub fn alexnet() -> Vec<ConvLayer> {
    vec![
        conv([3, 64], 11, 4, [224, 55]),
        conv([64, 192], 5, 1, [27, 27]),
        conv([192, 384], 3, 1, [13, 13]),
        conv([384, 256], 3, 1, [13, 13]),
        conv([256, 256], 3, 1, [13, 13]),
    ]
}

pub fn vgg(stages: [usize; 5]) -> Vec<ConvLayer> {
    let (mut layers, mut inputs, mut side) = (Vec::new(), 3, 224);
    for (count, outputs) in stages.into_iter().zip([64, 128, 256, 512, 512]) {
        for _ in 0..count {
            layers.push(conv([inputs, outputs], 3, 1, [side, side]));
            inputs = outputs;
        }
        side /= 2;
    }
    layers
}

pub fn squeezenet1_1() -> Vec<ConvLayer> {
    let mut layers = vec![conv([3, 64], 3, 2, [224, 111])];
    let fires = [
        (55, 16, 64),
        (55, 16, 64),
        (27, 32, 128),
        (27, 32, 128),
        (13, 48, 192),
        (13, 48, 192),
        (13, 64, 256),
        (13, 64, 256),
    ];
    let mut inputs = 64;
    for (side, squeezed, expanded) in fires {
        layers.push(conv([inputs, squeezed], 1, 1, [side, side]));
        for kernel in [1, 3] {
            layers.push(conv([squeezed, expanded], kernel, 1, [side, side]));
        }
        inputs = 2 * expanded;
    }
    layers.push(conv([512, 1000], 1, 1, [13, 13]));
    layers
}

/// Inverted residuals: kernel, expansion, outputs, blocks, stride of the first.
fn inverted(layers: &mut Vec<ConvLayer>, mut inputs: usize, stages: &[[usize; 5]]) -> usize {
    let mut side = 112;
    for [kernel, expansion, outputs, blocks, first] in stages {
        for block in 0..*blocks {
            let stride = if block == 0 { *first } else { 1 };
            let hidden = inputs * expansion;
            if *expansion > 1 {
                layers.push(conv([inputs, hidden], 1, 1, [side, side]));
            }
            let out = side / stride;
            layers.push(conv([hidden, hidden], *kernel, stride, [side, out]).depthwise());
            layers.push(conv([hidden, *outputs], 1, 1, [out, out]));
            (inputs, side) = (*outputs, out);
        }
    }
    inputs
}

pub fn mobilenet_v2() -> Vec<ConvLayer> {
    let mut layers = vec![conv([3, 32], 3, 2, [224, 112])];
    let stages = [
        [3, 1, 16, 1, 1],
        [3, 6, 24, 2, 2],
        [3, 6, 32, 3, 2],
        [3, 6, 64, 4, 2],
        [3, 6, 96, 3, 1],
        [3, 6, 160, 3, 2],
        [3, 6, 320, 1, 1],
    ];
    let last = inverted(&mut layers, 32, &stages);
    layers.push(conv([last, 1280], 1, 1, [7, 7]));
    layers
}

pub fn mnasnet(widths: [usize; 8]) -> Vec<ConvLayer> {
    let [stem, first, rest @ ..] = widths;
    let mut layers = vec![
        conv([3, stem], 3, 2, [224, 112]),
        conv([stem, stem], 3, 1, [112, 112]).depthwise(),
        conv([stem, first], 1, 1, [112, 112]),
    ];
    let shapes = [
        [3, 3, 3, 2],
        [5, 3, 3, 2],
        [5, 6, 3, 2],
        [3, 6, 2, 1],
        [5, 6, 4, 2],
        [3, 6, 1, 1],
    ];
    let stages: Vec<[usize; 5]> = shapes
        .into_iter()
        .zip(rest)
        .map(|([kernel, expansion, blocks, stride], width)| {
            [kernel, expansion, width, blocks, stride]
        })
        .collect();
    let last = inverted(&mut layers, first, &stages);
    layers.push(conv([last, 1280], 1, 1, [7, 7]));
    layers
}
