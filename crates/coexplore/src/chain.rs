//! The space of arXiv 1907.04650: chains of convolutions, cut into the stages of a pipeline, each
//! stage with an accelerator of its own.

use std::ops::Range;

use burgeon_hardware::engine::{ConvolutionEngine, Ports, Tiling};
use burgeon_hardware::{Accelerator, Board, ConvLayer, Engine, Pipeline, PipelineStage, Pool};
use serde::{Deserialize, Serialize};

use crate::error::CoexploreError;
use crate::problem::{Measured, Problem, check_child};

/// Filter sizes of the space.
pub const KERNELS: [usize; 4] = [1, 3, 5, 7];
/// Numbers of filters of the space.
pub const FILTERS: [usize; 4] = [24, 36, 48, 64];
/// Strides of the space, where they are searched.
pub const STRIDES: [usize; 2] = [1, 2];

/// A convolution of a chain, with "same" padding, a bias, an activation and batch normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChainLayer {
    /// Rows and columns of a filter.
    pub kernel: usize,
    /// Filters.
    pub filters: usize,
    /// Step.
    pub stride: usize,
}

/// Convolutions one after the other, then all positions of the last maps to a linear layer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChainNet {
    layers: Vec<ChainLayer>,
    input: [usize; 3],
    classes: usize,
}

impl ChainNet {
    /// A chain of `[filter size, filters, stride]` for images of `[channels, rows, columns]`.
    ///
    /// # Errors
    /// [`CoexploreError::Parameter`] for no layer, or where a number is 0.
    pub fn new(
        layers: &[[usize; 3]],
        input: [usize; 3],
        classes: usize,
    ) -> Result<Self, CoexploreError> {
        if layers.is_empty() || layers.concat().contains(&0) || input.contains(&0) || classes == 0 {
            return CoexploreError::parameter("chain", 0, "at least one layer, and no 0");
        }
        let layer = |[kernel, filters, stride]: &[usize; 3]| ChainLayer {
            kernel: *kernel,
            filters: *filters,
            stride: *stride,
        };
        Ok(Self {
            layers: layers.iter().map(layer).collect(),
            input,
            classes,
        })
    }

    /// Its convolutions.
    pub fn layers(&self) -> &[ChainLayer] {
        &self.layers
    }

    /// Channels, rows and columns of its images.
    pub fn input(&self) -> [usize; 3] {
        self.input
    }

    /// Classes that it tells apart.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Rows and columns of the maps behind the last convolution.
    pub fn last_map(&self) -> [usize; 2] {
        let halved =
            |map: [usize; 2], layer: &ChainLayer| map.map(|side| side.div_ceil(layer.stride));
        let [_, rows, columns] = self.input;
        self.layers.iter().fold([rows, columns], halved)
    }

    /// Its convolutions and its linear layer, as engines see them.
    ///
    /// # Errors
    /// [`CoexploreError::Hardware`] for sizes that cannot be.
    pub fn conv_layers(&self) -> Result<Vec<ConvLayer>, CoexploreError> {
        let [mut channels, rows, columns] = self.input;
        let mut map = [rows, columns];
        let mut all = Vec::with_capacity(self.layers.len() + 1);
        for (index, layer) in self.layers.iter().enumerate() {
            let output = map.map(|side| side.div_ceil(layer.stride));
            let name = format!("conv{}", index + 1);
            let own = ConvLayer::new(name, [channels, layer.filters], output, layer.kernel)?;
            all.push(own.strided(layer.stride, map)?);
            (channels, map) = (layer.filters, output);
        }
        let features = channels * map[0] * map[1];
        all.push(ConvLayer::new(
            "linear",
            [features, self.classes],
            [1, 1],
            1,
        )?);
        Ok(all)
    }

    /// Its parameters: all, and those that are trained (a batch normalisation's mean and variance
    /// are not).
    pub fn parameters(&self) -> [u64; 2] {
        let mut channels = self.input[0];
        let (mut trained, mut others) = (0, 0);
        for layer in &self.layers {
            let weights = layer.kernel * layer.kernel * channels * layer.filters;
            trained += weights + layer.filters + 2 * layer.filters;
            others += 2 * layer.filters;
            channels = layer.filters;
        }
        let [rows, columns] = self.last_map();
        trained += (channels * rows * columns + 1) * self.classes;
        [trained + others, trained].map(|count| count as u64)
    }
}

/// Accelerators that a stage may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageDesigns {
    /// Output channels at a time.
    pub outputs: Vec<usize>,
    /// Input channels at a time.
    pub inputs: Vec<usize>,
    /// Rows and columns at a time.
    pub tiles: Vec<usize>,
    /// Words a cycle of weights, inputs and outputs.
    pub ports: Vec<[usize; 3]>,
}

impl Default for StageDesigns {
    fn default() -> Self {
        Self {
            outputs: vec![8, 12, 16, 24, 36, 48, 64],
            inputs: vec![3, 6, 8, 12, 16, 24],
            tiles: vec![8, 16, 32],
            ports: vec![[18, 6, 6], [10, 10, 10], [6, 14, 10], [6, 10, 14]],
        }
    }
}

/// Chains and the accelerators of their stages, one for each board of a row. How many convolutions
/// a stage has is decided too, so that depth and cuts are one.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainSpace {
    boards: Vec<Board>,
    pool: Pool,
    longest: usize,
    strided: bool,
    filters: [usize; 4],
    input: [usize; 3],
    classes: usize,
    designs: StageDesigns,
    period: f64,
}

/// What a child stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The network.
    pub net: ChainNet,
    /// The convolutions of each stage; the last one has the linear layer besides.
    pub cuts: Vec<Range<usize>>,
    /// The accelerator of each stage.
    pub accelerators: Vec<Accelerator>,
}

impl ChainSpace {
    /// Chains of at most `longest` convolutions on each of `boards`, joined by links of `link`
    /// words a second, that have to give a sample every `period` seconds.
    ///
    /// # Errors
    /// [`CoexploreError::Parameter`] for no board, no layer or no period.
    pub fn new(
        boards: Vec<Board>,
        link: f64,
        longest: usize,
        period: f64,
    ) -> Result<Self, CoexploreError> {
        if longest == 0 {
            return CoexploreError::parameter("layers of a stage", longest, "at least 1");
        }
        if !(period.is_finite() && period > 0.0) {
            return CoexploreError::parameter("period", period, "above 0 seconds");
        }
        let pool = Pool::new(
            boards.iter().map(|board| (board.clone(), 1)).collect(),
            link,
        )?;
        Ok(Self {
            boards,
            pool,
            longest,
            strided: false,
            filters: FILTERS,
            input: [3, 32, 32],
            classes: 10,
            designs: StageDesigns::default(),
            period,
        })
    }

    /// With strides searched too.
    #[must_use]
    pub fn with_strides(mut self) -> Self {
        self.strided = true;
        self
    }

    /// With other numbers of filters than [`FILTERS`].
    ///
    /// # Errors
    /// [`CoexploreError::Parameter`] where one is 0.
    pub fn with_filters(mut self, filters: [usize; 4]) -> Result<Self, CoexploreError> {
        if filters.contains(&0) {
            return CoexploreError::parameter("filters", 0, "at least 1");
        }
        self.filters = filters;
        Ok(self)
    }

    /// For images of `[channels, rows, columns]` of so many classes.
    ///
    /// # Errors
    /// [`CoexploreError::Parameter`] where a number is 0.
    pub fn with_images(
        mut self,
        input: [usize; 3],
        classes: usize,
    ) -> Result<Self, CoexploreError> {
        if input.contains(&0) || classes == 0 {
            return CoexploreError::parameter("images", 0, "at least 1 of everything");
        }
        self.input = input;
        self.classes = classes;
        Ok(self)
    }

    /// With other accelerators.
    #[must_use]
    pub fn with_designs(mut self, designs: StageDesigns) -> Self {
        self.designs = designs;
        self
    }

    /// The decisions of one stage.
    fn decisions(&self) -> Vec<usize> {
        let mut all = vec![self.longest];
        for _ in 0..self.longest {
            all.extend([KERNELS.len(), self.filters.len()]);
            all.extend(self.strided.then_some(STRIDES.len()));
        }
        let designs = &self.designs;
        all.extend([designs.outputs.len(), designs.inputs.len()]);
        all.extend([designs.tiles.len(), designs.ports.len()]);
        all
    }

    /// What `child` stands for.
    ///
    /// # Errors
    /// [`CoexploreError::Child`] for what is no child of the space.
    pub fn decode(&self, child: &[usize]) -> Result<Decoded, CoexploreError> {
        let decisions = self.decisions();
        check_child(child, &decisions.repeat(self.boards.len()))?;
        let each = 2 + usize::from(self.strided);
        let (mut layers, mut cuts, mut hardware) = (Vec::new(), Vec::new(), Vec::new());
        for stage in child.chunks(decisions.len()) {
            let from = layers.len();
            let (convolutions, design) = stage[1..].split_at(each * self.longest);
            for layer in convolutions.chunks(each).take(stage[0] + 1) {
                let stride = layer.get(2).map_or(1, |choice| STRIDES[*choice]);
                layers.push([KERNELS[layer[0]], self.filters[layer[1]], stride]);
            }
            cuts.push(from..layers.len());
            hardware.push(design);
        }
        let net = ChainNet::new(&layers, self.input, self.classes)?;
        let accelerators = cuts.iter().zip(hardware).map(|(cut, design)| {
            let own = &net.layers[cut.clone()];
            let kernel = own.iter().map(|layer| layer.kernel).max().unwrap_or(1);
            let stride = own.iter().map(|layer| layer.stride).max().unwrap_or(1);
            let designs = &self.designs;
            let tile = designs.tiles[design[2]];
            let tiling = Tiling::new([
                designs.outputs[design[0]],
                designs.inputs[design[1]],
                tile,
                tile,
            ])?;
            let ports = Ports::new(designs.ports[design[3]])?;
            let convolution = ConvolutionEngine::new(tiling, ports, kernel)?.with_stride(stride)?;
            Ok::<_, CoexploreError>(Accelerator {
                convolution,
                depthwise: None,
            })
        });
        Ok(Decoded {
            accelerators: accelerators.collect::<Result<_, _>>()?,
            net,
            cuts,
        })
    }

    /// The pipeline that `child` stands for; `None` where an accelerator does not fit its board.
    ///
    /// # Errors
    /// [`CoexploreError::Child`] for what is no child of the space.
    pub fn pipeline(&self, child: &[usize]) -> Result<Option<Pipeline>, CoexploreError> {
        let stages: Option<Vec<PipelineStage>> = self.placed(child)?.into_iter().collect();
        Ok(stages.map(Pipeline::of))
    }

    /// Each stage of `child`, if its accelerator fits its board.
    fn placed(&self, child: &[usize]) -> Result<Vec<Option<PipelineStage>>, CoexploreError> {
        let Decoded {
            net,
            cuts,
            accelerators,
        } = self.decode(child)?;
        let layers = net.conv_layers()?;
        let stages = cuts.into_iter().zip(accelerators).enumerate();
        let placed = stages.map(|(board, (cut, accelerator))| {
            if self.boards[board].fits(&accelerator.resources()).is_err() {
                return Ok(None);
            }
            let end = match board + 1 == self.boards.len() {
                true => layers.len(),
                false => cut.end,
            };
            let stage = self
                .pool
                .stage(&layers, cut.start..end, board, accelerator)?;
            Ok(Some(stage))
        });
        placed.collect()
    }
}

impl Problem for ChainSpace {
    fn stages(&self) -> Vec<Vec<usize>> {
        vec![self.decisions(); self.boards.len()]
    }

    fn measure(&self, child: &[usize]) -> Result<Measured, CoexploreError> {
        let placed = self.placed(child)?;
        let times: Vec<f64> = placed
            .iter()
            .map(|stage| stage.as_ref().map_or(f64::INFINITY, |stage| stage.seconds))
            .collect();
        Ok(Measured::new(&times, self.period))
    }

    /// Filter size, filters and stride of each convolution.
    fn architecture(&self, child: &[usize]) -> Result<Vec<usize>, CoexploreError> {
        let layers = self.decode(child)?.net.layers;
        let numbers = layers
            .iter()
            .flat_map(|layer| [layer.kernel, layer.filters, layer.stride]);
        Ok(numbers.collect())
    }
}
