//! The networks that descriptions describe.

use burgeon_ops::{DepthwiseConv2dConfig, FastBatchNormConfig, FastConv2dConfig};
use burn::nn::conv::Conv2dConfig;
use burn::nn::{BatchNormConfig, LinearConfig, PaddingConfig2d};
use burn::tensor::Device;

use crate::draw::{Block, Description, INPUTS, Kind, OUTPUTS};
use crate::net::{Function, Layer, Operation, RandomNet, Step};

/// The network of `description` with Burn's initial weights.
pub fn built(description: &Description, device: &Device) -> RandomNet {
    let mut builder = Builder {
        device: device.clone(),
        layers: Vec::new(),
        program: Vec::new(),
        last: 0,
        shape: Shape::Maps(INPUTS, description.size),
    };
    for block in &description.blocks {
        builder.block(block);
    }
    if let (Shape::Maps(..), Some(block)) = (builder.shape, description.blocks.last()) {
        builder.push(block.rows);
    }
    builder.linear(OUTPUTS, true);
    RandomNet {
        layers: builder.layers,
        program: builder.program,
    }
}

/// The shape of a value, without the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Rows(usize),
    /// Channels, and height and width.
    Maps(usize, [usize; 2]),
}

impl Shape {
    fn channels(self) -> usize {
        match self {
            Self::Rows(channels) | Self::Maps(channels, _) => channels,
        }
    }
}

struct Builder {
    device: Device,
    layers: Vec<Layer>,
    program: Vec<Step>,
    /// The number of the last value.
    last: usize,
    shape: Shape,
}

impl Builder {
    fn step(&mut self, operation: Operation, from: Vec<usize>) {
        self.program.push(Step { operation, from });
        self.last = self.program.len();
    }

    /// An operation on the last value.
    fn push(&mut self, operation: Operation) {
        self.shape = match (operation, self.shape) {
            (Operation::MaxPool | Operation::MeanPool, Shape::Maps(c, size)) => {
                Shape::Maps(c, size.map(|length| length - 1))
            }
            (Operation::GlobalMean, Shape::Maps(c, _)) => Shape::Rows(c),
            (Operation::Flatten | Operation::FlattenLast, Shape::Maps(c, [h, w])) => {
                Shape::Rows(c * h * w)
            }
            (Operation::Maps(side), Shape::Rows(n)) => Shape::Maps(n / (side * side), [side; 2]),
            (_, shape) => shape,
        };
        self.step(operation, vec![self.last]);
    }

    fn layer(&mut self, layer: Layer) -> usize {
        self.layers.push(layer);
        let number = self.layers.len() - 1;
        self.push(Operation::Layer(number));
        number
    }

    fn linear(&mut self, outputs: usize, bias: bool) -> usize {
        let config = LinearConfig::new(self.shape.channels(), outputs).with_bias(bias);
        let linear = config.init(&self.device);
        self.shape = Shape::Rows(outputs);
        self.layer(Layer::Linear(linear))
    }

    /// A convolution that keeps the size of maps.
    fn even(&mut self, block: &Block, outputs: usize) -> usize {
        let even = Block {
            kernel: [3, 3],
            stride: [1, 1],
            dilation: [1, 1],
            padding: [1; 4],
            ..block.clone()
        };
        self.convolution(&even, outputs, false)
    }

    fn convolution(&mut self, block: &Block, outputs: usize, depthwise: bool) -> usize {
        let Shape::Maps(inputs, size) = self.shape else {
            panic!("maps are convolved");
        };
        let [top, left, bottom, right] = block.padding;
        let padded = [size[0] + top + bottom, size[1] + left + right];
        let window: Vec<usize> = (0..2)
            .map(|axis| (block.kernel[axis] - 1) * block.dilation[axis] + 1)
            .collect();
        // A window that does not fit becomes one place.
        let fits = (0..2).all(|axis| window[axis] <= padded[axis]);
        let kernel = if fits { block.kernel } else { [1, 1] };
        let window = if fits { window } else { vec![1, 1] };
        let after = [0, 1].map(|axis| (padded[axis] - window[axis]) / block.stride[axis] + 1);
        self.shape = Shape::Maps(outputs, after);
        let padding = PaddingConfig2d::Explicit(top, left, bottom, right);
        let device = self.device.clone();
        let layer = if depthwise {
            let config = DepthwiseConv2dConfig::new(inputs, kernel)
                .with_stride(block.stride)
                .with_dilation(block.dilation)
                .with_padding(padding)
                .with_bias(block.bias);
            Layer::Depthwise(config.init(&device))
        } else if block.fast {
            let config = FastConv2dConfig::new([inputs, outputs], kernel)
                .with_stride(block.stride)
                .with_dilation(block.dilation)
                .with_padding(padding)
                .with_bias(block.bias);
            Layer::FastConv(config.init(&device))
        } else {
            let config = Conv2dConfig::new([inputs, outputs], kernel)
                .with_stride(block.stride)
                .with_dilation(block.dilation)
                .with_padding(padding)
                .with_bias(block.bias);
            Layer::Conv(config.init(&device))
        };
        self.layer(layer)
    }

    fn norm(&mut self, fast: bool) {
        let channels = self.shape.channels();
        let layer = match fast {
            true => Layer::FastNorm(FastBatchNormConfig::new(channels).init(&self.device)),
            false => Layer::Norm(BatchNormConfig::new(channels).init(&self.device)),
        };
        self.layer(layer);
    }

    /// A layer that keeps the size of maps, its norm and its function.
    fn unit(&mut self, block: &Block, outputs: usize) -> usize {
        let layer = match self.shape {
            Shape::Rows(_) => self.linear(outputs, block.bias),
            Shape::Maps(..) => self.even(block, outputs),
        };
        self.finish(block);
        layer
    }

    fn finish(&mut self, block: &Block) {
        if block.norm {
            self.norm(block.fast);
        }
        self.push(Operation::Apply(block.function));
    }

    /// Maps, if there are rows.
    fn maps(&mut self, block: &Block) {
        if let Shape::Rows(_) = self.shape {
            self.linear(4 * block.width, block.bias);
            self.push(Operation::Maps(2));
        }
    }

    fn block(&mut self, block: &Block) {
        let (before, shape) = (self.last, self.shape);
        let channels = shape.channels();
        match block.kind {
            Kind::Plain => match shape {
                Shape::Rows(_) => {
                    self.unit(block, block.width);
                }
                Shape::Maps(..) => {
                    self.convolution(block, block.width, false);
                    self.finish(block);
                }
            },
            Kind::Residual => {
                self.unit(block, block.width);
                self.unit(block, channels);
                self.step(Operation::Add, vec![before, self.last]);
            }
            Kind::Dense => {
                self.unit(block, block.width);
                self.step(Operation::Concatenate, vec![before, self.last]);
                self.shape = match shape {
                    Shape::Rows(n) => Shape::Rows(n + block.width),
                    Shape::Maps(c, size) => Shape::Maps(c + block.width, size),
                };
            }
            Kind::Gate => {
                self.unit(block, block.width);
                let first = self.last;
                (self.last, self.shape) = (before, shape);
                self.unit(block, block.width);
                self.step(Operation::Multiply, vec![first, self.last]);
            }
            Kind::Twice => {
                let layer = self.unit(block, channels);
                self.push(Operation::Layer(layer));
                self.push(Operation::Apply(block.function));
            }
            Kind::Branches => {
                self.unit(block, block.width);
                let (first, of_first) = (self.last, self.shape);
                (self.last, self.shape) = (before, shape);
                self.unit(block, block.width);
                let second = self.last;
                (self.last, self.shape) = (first, of_first);
                let layer = self.unit(block, block.width);
                let (first, shape) = (self.last, self.shape);
                self.step(Operation::Layer(layer), vec![second]);
                self.step(Operation::Add, vec![first, self.last]);
                self.shape = shape;
            }
            Kind::Norm => self.norm(block.fast),
            Kind::Depthwise => {
                self.maps(block);
                let channels = self.shape.channels();
                self.convolution(block, channels, true);
                self.finish(block);
            }
            Kind::Excite => {
                self.maps(block);
                let (maps, of_maps) = (self.last, self.shape);
                self.push(Operation::GlobalMean);
                self.linear(block.width, true);
                self.push(Operation::Apply(block.function));
                self.linear(of_maps.channels(), true);
                self.push(Operation::Apply(Function::Sigmoid));
                self.step(Operation::Multiply, vec![maps, self.last]);
                self.shape = of_maps;
            }
            Kind::MaxPool | Kind::MeanPool => {
                self.maps(block);
                if matches!(self.shape, Shape::Maps(_, [h, w]) if h > 1 && w > 1) {
                    self.push(match block.kind {
                        Kind::MaxPool => Operation::MaxPool,
                        _ => Operation::MeanPool,
                    });
                }
            }
            Kind::Reshape => match shape {
                Shape::Rows(_) => self.maps(block),
                Shape::Maps(..) => self.push(block.rows),
            },
        }
    }
}
