//! Engines against a slow count of their loops, and what must hold of every best design.

use std::sync::Arc;

use burgeon_core::{CostModel, Geometry, LayerKind, LayerShape};
use burgeon_hardware::engine::{ConvolutionEngine, DepthwiseEngine, Edges, Ports, Tiling, Word};
use burgeon_hardware::{
    BOARDS, BestDesignCycles, Board, Bottleneck, ConvLayer, DesignSpace, Engine, EngineCycles,
    EngineEnergy, HardwareError, InputTiles, NetworkCycles, PipelinePeriod, Pool, Resources,
};
use proptest::prelude::*;

use crate::networks::conv;

/// The loops of a convolution engine, one tile after the other.
fn counted(layer: &ConvLayer, [tm, tn, tr, tc]: [usize; 4], [w, i, o]: [usize; 3]) -> usize {
    let taps = layer.kernel[0] * layer.kernel[1];
    let reach = |tile: usize| ((tile - 1) * layer.stride[0] + layer.kernel[0]).min(layer.input[0]);
    let tiles = |length: usize, tile: usize| {
        (0..length)
            .step_by(tile)
            .map(move |at| tile.min(length - at))
    };
    let (mut total, mut first, mut longest) = (0, None, 0);
    for _ in 0..layer.groups {
        for rows in tiles(layer.output[0], tr) {
            for columns in tiles(layer.output[1], tc) {
                for outputs in tiles(layer.outputs, tm) {
                    let mut work = 0;
                    for inputs in tiles(layer.inputs, tn) {
                        let load_inputs = (inputs * reach(rows) * reach(columns)).div_ceil(i);
                        let load_weights = (outputs * inputs * taps).div_ceil(w);
                        first.get_or_insert(load_inputs.max(load_weights));
                        work += (taps * rows * columns).max(load_inputs).max(load_weights);
                    }
                    let store = (outputs * rows * columns).div_ceil(o);
                    longest = longest.max(store);
                    total += work.max(store);
                }
            }
        }
    }
    total + first.unwrap_or(0) + longest
}

fn layers() -> impl Strategy<Value = ConvLayer> {
    let sizes = (
        1_usize..40,
        1_usize..40,
        1_usize..20,
        0_usize..3,
        1_usize..3,
        1_usize..4,
    );
    sizes.prop_map(|(inputs, outputs, side, half, stride, groups)| {
        let input = side * stride;
        let mut layer = conv([inputs, outputs], 2 * half + 1, stride, [input, side]);
        layer.groups = groups;
        layer
    })
}

fn small_space() -> DesignSpace {
    DesignSpace {
        outputs: vec![1, 3, 8, 20],
        inputs: InputTiles::Each(vec![1, 4, 7]),
        tiles: vec![[4, 4], [9, 5]],
        ports: vec![2, 6],
        depthwise: vec![4, 16],
        word: Word::Fixed16,
        published: None,
    }
}

proptest! {
    #[test]
    fn cycles_are_those_of_the_loops(
        layer in layers(),
        tiles in [1_usize..24, 1_usize..24, 1_usize..12, 1_usize..12],
        ports in [1_usize..9, 1_usize..9, 1_usize..9],
    ) {
        let engine = ConvolutionEngine::new(
            Tiling::new(tiles).expect("tiles"), Ports::new(ports).expect("ports"), 5,
        ).expect("an engine");
        let cycles = engine.cycles(&layer).expect("runs");
        prop_assert_eq!(cycles.total, counted(&layer, tiles, ports) as f64);
        // No term is longer than all of it, and all of it no longer than their sum.
        let longest = cycles.terms.iter().copied().fold(0.0, f64::max);
        prop_assert!(longest <= cycles.total);
        prop_assert!(cycles.total <= cycles.terms.iter().sum::<f64>() + cycles.fill);
        prop_assert!(engine.utilisation(&layer, &cycles) <= 1.0);
        // Whole tiles are never faster.
        let whole = engine.clone().with_edges(Edges::Whole).cycles(&layer).expect("runs");
        prop_assert!(whole.total >= cycles.total);
        // Nor is a wider layer.
        for wider in [[1, 0], [0, 1]] {
            let mut wide = layer.clone();
            wide.inputs += wider[0];
            wide.outputs += wider[1];
            prop_assert!(engine.cycles(&wide).expect("runs").total >= cycles.total);
        }
    }

    #[test]
    fn a_depthwise_engine_is_a_convolution_engine_of_single_channels(
        channels in 1_usize..50, side in 1_usize..20, stride in 1_usize..3,
    ) {
        prop_assume!(channels > 1);
        let layer = conv([channels, channels], 3, stride, [side * stride, side]).depthwise();
        let ports = Ports::new([3, 4, 5]).expect("ports");
        let single = DepthwiseEngine::new([1, 6, 6], ports, 3).expect("an engine");
        let general = ConvolutionEngine::new(Tiling::new([1, 1, 6, 6]).expect("tiles"), ports, 3)
            .expect("an engine");
        let [a, b] = [&single as &dyn Engine, &general].map(|engine| engine.cycles(&layer));
        prop_assert_eq!(a.expect("runs"), b.expect("runs"));
    }

    #[test]
    fn a_larger_board_is_never_slower(
        layers in prop::collection::vec(layers(), 1..4),
        [dsp, bram18] in [4_u64..200, 200_u64..1000],
        [more_dsp, more_bram, more_bits] in [0_u64..200, 0_u64..500, 0_u64..200],
    ) {
        let small = Board {
            name: "small".into(), dsp, bram18, port_bits: 192, megahertz: 100.0, watts: 1.0,
        };
        let large = Board {
            name: "large".into(),
            dsp: dsp + more_dsp,
            bram18: bram18 + more_bram,
            port_bits: 192 + more_bits,
            ..small.clone()
        };
        let space = small_space();
        for design in space.designs(&small, &layers).expect("a space") {
            prop_assert!(large.fits(&design.resources()).is_ok());
        }
        let best = |board: &Board| space.best(board, &layers).map(|best| best.cycles.total);
        if let Ok(cycles) = best(&small) {
            prop_assert!(best(&large).expect("fits") <= cycles);
        }
    }

    #[test]
    fn the_best_design_is_the_best_of_all(layers in prop::collection::vec(layers(), 1..3)) {
        let board = Board::named("pynq-z1").expect("known");
        let space = small_space();
        let best = space.best(&board, &layers).expect("fits");
        let all = space.designs(&board, &layers).expect("a space");
        prop_assert_eq!(best.tried, all.len());
        for design in all {
            let cycles = NetworkCycles::of(&design, &layers).expect("runs").total;
            prop_assert!(best.cycles.total <= cycles);
        }
    }
}

#[test]
fn bottlenecks_are_named() -> Result<(), HardwareError> {
    let layer = conv([16, 16], 3, 1, [14, 14]);
    let with = |ports| {
        let engine = ConvolutionEngine::new(Tiling::new([16, 16, 14, 14])?, Ports::new(ports)?, 3)?;
        Ok::<_, HardwareError>(engine.cycles(&layer)?.bottleneck)
    };
    assert_eq!(with([1000, 1000, 1000])?, Bottleneck::Compute);
    assert_eq!(with([1, 1000, 1000])?, Bottleneck::Weights);
    assert_eq!(with([1000, 1, 1000])?, Bottleneck::Inputs);
    assert_eq!(with([1000, 1000, 1])?, Bottleneck::Outputs);
    Ok(())
}

#[test]
fn what_cannot_be_is_refused() -> Result<(), HardwareError> {
    assert!(Tiling::new([0, 1, 1, 1]).is_err() && Ports::new([1, 0, 1]).is_err());
    assert!(ConvLayer::new("conv", [3, 0], [8, 8], 3).is_err());
    let ports = Ports::new([4, 4, 4])?;
    let engine = ConvolutionEngine::new(Tiling::new([4, 4, 4, 4])?, ports, 3)?;
    let error = engine
        .cycles(&conv([3, 4], 5, 1, [8, 8]))
        .expect_err("too large");
    assert!(error.to_string().contains("larger kernel"), "{error}");
    let error = engine
        .cycles(&conv([3, 4], 3, 4, [32, 8]))
        .expect_err("too far");
    assert!(error.to_string().contains("larger stride"), "{error}");
    let depthwise = DepthwiseEngine::new([4, 4, 4], ports, 3)?;
    assert!(depthwise.cycles(&conv([3, 4], 3, 1, [8, 8])).is_err());
    let error = Board::named("zcu103").expect_err("unknown").to_string();
    assert!(BOARDS.iter().all(|name| error.contains(name)), "{error}");
    let board = Board::named("pynq-z1")?;
    let needed = Resources {
        dsp: 221,
        ..Resources::default()
    };
    let error = board.fits(&needed).expect_err("too small").to_string();
    assert!(error.contains("221 DSP slices, there are 220"), "{error}");
    let tiny = Board {
        dsp: 0,
        ..board.clone()
    };
    let error = small_space().best(&tiny, &[conv([3, 4], 3, 1, [8, 8])]);
    assert!(matches!(error, Err(HardwareError::NoDesign { .. })));
    assert!(
        Board {
            megahertz: 0.0,
            ..board
        }
        .check()
        .is_err()
    );
    Ok(())
}

fn shape(name: &str, kind: LayerKind, inputs: usize, outputs: usize) -> LayerShape {
    LayerShape {
        name: name.into(),
        kind,
        inputs,
        outputs,
        taps: 9,
        extra: 3,
        input_positions: 64,
        output_positions: 64,
        geometry: Geometry {
            kernel: [3, 3],
            input: [8, 8],
            output: [8, 8],
            ..Geometry::default()
        },
    }
}

#[test]
fn shapes_become_layers() -> Result<(), HardwareError> {
    let mixing = shape("conv", LayerKind::Mixing, 3, 8);
    let layer = ConvLayer::of(&mixing)?.expect("multiplies");
    assert_eq!(
        layer,
        ConvLayer {
            name: "conv".into(),
            ..conv([3, 8], 3, 1, [8, 8])
        }
    );
    assert_eq!(layer.macs(), mixing.macs() as f64);
    assert_eq!(layer.padding(), [1, 1]);
    let filters = shape("filters", LayerKind::ChannelWise, 8, 8);
    let layer = ConvLayer::of(&filters)?.expect("multiplies");
    assert!(layer.is_depthwise() && layer.macs() == filters.macs() as f64);
    // Twice as many positions as its map has: used twice.
    let shared = LayerShape {
        output_positions: 128,
        ..mixing.clone()
    };
    assert_eq!(
        ConvLayer::of(&shared)?.expect("multiplies").macs(),
        shared.macs() as f64
    );
    let norm = LayerShape { taps: 0, ..filters };
    assert_eq!(ConvLayer::of(&norm)?, None);
    let unknown = LayerShape {
        geometry: Geometry::default(),
        ..mixing
    };
    assert!(ConvLayer::of(&unknown).is_err());
    Ok(())
}

#[test]
fn engines_and_pipelines_are_cost_models() -> Result<(), HardwareError> {
    let ports = Ports::new([8, 8, 8])?;
    let engine: Arc<dyn Engine> = Arc::new(ConvolutionEngine::new(
        Tiling::new([8, 8, 8, 8])?,
        ports,
        3,
    )?);
    let cycles = EngineCycles::new(engine.clone());
    let cost = |outputs| cycles.layer_cost(&shape("conv", LayerKind::Mixing, 8, outputs));
    // Up to a whole tile a channel costs no more than a longer store; the next one costs the
    // products of a tile.
    let (products, store) = (9 * 64, 8 * 64 / 8);
    assert!(cost(8) - cost(7) <= store && cost(9) - cost(8) == products);
    let large = LayerShape {
        taps: 25,
        geometry: Geometry {
            kernel: [5, 5],
            ..Geometry::default()
        },
        ..shape("conv", LayerKind::Mixing, 8, 8)
    };
    assert_eq!(cycles.cost(&[large.clone(), large.clone()]), u64::MAX);

    let board = Board::named("pynq-z1")?;
    let energy = EngineEnergy::new(engine, &board)?;
    let one = [shape("conv", LayerKind::Mixing, 8, 8)];
    // 2.5 W at 100 MHz: 25 nJ a cycle.
    assert_eq!(energy.cost(&one), 25 * cycles.cost(&one));

    let shapes = [
        shape("a", LayerKind::Mixing, 3, 16),
        shape("b", LayerKind::Mixing, 16, 16),
        shape("c", LayerKind::Mixing, 16, 4),
    ];
    let layers = ConvLayer::all(&shapes)?;
    // What trying all finds, for each network anew.
    let space = small_space();
    let best = BestDesignCycles::new(space.designs(&board, &layers)?)?;
    for own in [&shapes[..], &shapes[..1], &shapes[2..]] {
        let found = space.best(&board, &ConvLayer::all(own)?)?;
        assert_eq!(best.cost(own), found.cycles.total as u64);
    }
    let apart: u64 = shapes.iter().map(|shape| best.layer_cost(shape)).sum();
    assert!(apart <= best.cost(&shapes) && best.cost(&shapes) < u64::MAX);
    assert_eq!(best.cost(&[large]), u64::MAX);
    assert!(BestDesignCycles::new(Vec::new()).is_err());

    let pipeline = Pool::new(vec![(board, 2)], f64::INFINITY)?.pipeline(&layers, &small_space())?;
    assert_eq!(pipeline.stages.len(), 2);
    let period = PipelinePeriod::new(&pipeline, &layers);
    assert_eq!(period.cost(&shapes), (pipeline.period * 1e9).round() as u64);
    let slowest = shapes
        .iter()
        .map(|shape| period.layer_cost(shape))
        .sum::<u64>();
    assert!(period.cost(&shapes) < slowest);
    Ok(())
}
