//! Numbers that others published, or that their programs give.

use burgeon_hardware::engine::{
    ConvolutionEngine, Dataflow, DepthwiseEngine, Edges, Ports, Published, SystolicArray, Tiling,
    Word,
};
use burgeon_hardware::{
    Accelerator, Board, ConvLayer, DesignSpace, Engine, HardwareError, NetworkCycles,
};

use crate::networks::conv;
use crate::torchvision::{alexnet, mnasnet, mobilenet_v2, squeezenet1_1, vgg};

/// A design as HotNAS writes it: Tm, Tn, Tr, Tc, largest kernel, and ports for weights, inputs and
/// outputs.
fn design(
    [tm, tn, tr, tc, kernel, w, i, o]: [usize; 8],
    form: Published,
    depthwise: Option<[usize; 8]>,
) -> Result<Accelerator, HardwareError> {
    let ports = Ports::new([w, i, o])?;
    let depthwise = match depthwise {
        Some([channels, _, rows, columns, kernel, w, i, o]) => {
            let ports = Ports::new([w, i, o])?;
            let engine = DepthwiseEngine::new([channels, rows, columns], ports, kernel)?;
            Some(engine.published())
        }
        None => None,
    };
    Ok(Accelerator {
        convolution: ConvolutionEngine::new(Tiling::new([tm, tn, tr, tc])?, ports, kernel)?
            .published(form),
        depthwise,
    })
}

/// Latencies at 100 MHz in the results of HotNAS (arXiv 2007.09087), each in the state of its cycle
/// model that gives it.
#[test]
fn nine_latencies_are_those_of_hotnas() -> Result<(), HardwareError> {
    use Published::{HotNas, HotNasPadded, HotNasUnclipped};
    let deep = [70, 36, 256, 32, 3, 10, 6, 10];
    let cases = [
        (
            "alexnet",
            alexnet(),
            4.0483,
            [70, 36, 64, 32, 11, 18, 6, 2],
            HotNas,
            None,
        ),
        (
            "vgg11",
            vgg([1, 1, 2, 2, 2]),
            42.96028571428571,
            [130, 19, 64, 64, 3, 10, 6, 14],
            HotNasUnclipped,
            None,
        ),
        (
            "vgg13",
            vgg([2, 2, 2, 2, 2]),
            67.84992,
            deep,
            HotNasPadded,
            None,
        ),
        (
            "vgg16",
            vgg([2, 2, 3, 3, 3]),
            91.02528,
            deep,
            HotNasPadded,
            None,
        ),
        (
            "vgg19",
            vgg([2, 2, 4, 4, 4]),
            114.20064,
            deep,
            HotNasPadded,
            None,
        ),
        (
            "squeezenet1_1",
            squeezenet1_1(),
            5.081707142857143,
            [70, 36, 64, 64, 3, 6, 14, 10],
            HotNasUnclipped,
            None,
        ),
        (
            "mobilenet_v2",
            mobilenet_v2(),
            12.585792,
            [160, 12, 32, 32, 3, 10, 10, 10],
            HotNas,
            Some([576, 1, 32, 32, 3, 10, 10, 10]),
        ),
        (
            "mnasnet1_0",
            mnasnet([32, 16, 24, 40, 80, 96, 192, 320]),
            11.885112,
            [100, 18, 32, 32, 3, 10, 10, 10],
            HotNas,
            Some([704, 1, 32, 32, 5, 10, 10, 10]),
        ),
        (
            "mnasnet0_5",
            mnasnet([32, 16, 16, 24, 40, 48, 96, 160]),
            7.982816,
            [100, 16, 32, 32, 3, 6, 10, 14],
            HotNas,
            Some([832, 1, 32, 32, 5, 6, 10, 14]),
        ),
    ];
    for (name, layers, expected, parameters, form, depthwise) in cases {
        let design = design(parameters, form, depthwise)?;
        let milliseconds = NetworkCycles::of(&design, &layers)?.total / 1e5;
        assert!(
            (milliseconds - expected).abs() < 1e-9,
            "{name}: {milliseconds} ms, published {expected} ms"
        );
    }
    Ok(())
}

/// AlexNet's states agree with each other: none of its tiles is cut off.
#[test]
fn forms_agree_where_nothing_is_clipped() -> Result<(), HardwareError> {
    for form in [
        Published::HotNas,
        Published::HotNasUnclipped,
        Published::HotNasPadded,
    ] {
        let design = design([70, 36, 64, 32, 11, 18, 6, 2], form, None)?;
        let cycles = NetworkCycles::of(&design, &alexnet())?.total;
        assert!((cycles - 404_830.0).abs() < 1e-6, "{form:?}: {cycles}");
    }
    Ok(())
}

/// With the tiles of the reported designs, no channels and ports of HotNAS' space are faster in its
/// model than the reported ones. Larger tiles would be (the space has them), and BRAM is not looked
/// at there.
#[test]
fn channels_and_ports_of_hotnas_are_the_best_of_its_space() -> Result<(), HardwareError> {
    let board = Board {
        bram18: u64::MAX,
        ..Board::named("zcu102")?
    };
    let cases = [
        (mobilenet_v2(), [32, 32], 12.585792),
        (
            mnasnet([32, 16, 24, 40, 80, 96, 192, 320]),
            [32, 32],
            11.885112,
        ),
        (alexnet(), [64, 32], 4.0483),
    ];
    for (layers, tile, expected) in cases {
        let space = DesignSpace {
            tiles: vec![tile],
            ..DesignSpace::hot_nas(Published::HotNas)
        };
        let found = space.best(&board, &layers)?;
        let milliseconds = found.cycles.total / 1e5;
        let design = found.accelerator.describe();
        assert!(
            (milliseconds - expected).abs() < 1e-9,
            "{milliseconds}: {design}"
        );
    }
    Ok(())
}

/// Zhang et al. (FPGA 2015): AlexNet's convolutions, one of the two halves, on 64 × 7 multipliers.
fn zhang() -> [ConvLayer; 5] {
    [
        conv([3, 48], 11, 4, [224, 55]),
        conv([48, 128], 5, 1, [27, 27]),
        conv([256, 192], 3, 1, [13, 13]),
        conv([192, 192], 3, 1, [13, 13]),
        conv([192, 128], 3, 1, [13, 13]),
    ]
}

#[test]
fn cycles_of_zhang_are_counted() -> Result<(), HardwareError> {
    let wide = Ports::new([1 << 40; 3])?;
    let engine = ConvolutionEngine::new(Tiling::new([64, 7, 13, 13])?, wide, 11)?
        .with_word(Word::Float32)
        .with_stride(4)?;
    let expected = [366_025.0, 255_150.0, 168_831.0, 127_764.0, 85_176.0];
    let mut sum = 0.0;
    for (layer, expected) in zhang().iter().zip(expected) {
        for edges in [Edges::Exact, Edges::Whole] {
            let cycles = engine.clone().with_edges(edges).cycles(layer)?;
            // Whole tiles of 13 rows are 65 and 39 rows of the first two layers.
            if edges == Edges::Exact {
                assert_eq!(cycles.total - cycles.fill, expected);
                assert_eq!(cycles.terms[0], expected);
                sum += cycles.total - cycles.fill;
            } else {
                assert!(cycles.total - cycles.fill >= expected);
            }
        }
    }
    assert_eq!(sum, 1_002_946.0);
    // 5 DSP slices for each of 448 multipliers: 2240, as reported.
    assert_eq!(engine.resources().dsp, 2240);
    Ok(())
}

/// "Total cycles" of SCALE-Sim 3.0.0 on a 32×32 array; it reports one less than it takes
/// (its issue 125).
#[test]
fn systolic_cycles_are_those_of_scale_sim() -> Result<(), HardwareError> {
    let layers = [
        conv([8, 40], 3, 1, [16, 14]),
        conv([64, 33], 1, 1, [14, 14]),
        conv([32, 64], 3, 1, [9, 7]),
    ];
    let reported = [
        (Dataflow::OutputStationary, [1875.0, 1763.0, 1399.0]),
        (Dataflow::WeightStationary, [1739.0, 1159.0, 2573.0]),
        (Dataflow::InputStationary, [2813.0, 1777.0, 2843.0]),
    ];
    for (dataflow, expected) in reported {
        let array = SystolicArray::new([32, 32], dataflow)?;
        for (layer, expected) in layers.iter().zip(expected) {
            assert_eq!(array.cycles(layer)?.total - 1.0, expected, "{dataflow:?}");
        }
    }
    Ok(())
}

/// FNAS counts whole tiles of whatever it is given: one layer by hand.
#[test]
fn fnas_counts_whole_tiles() -> Result<(), HardwareError> {
    let ports = Ports::new([4, 2, 8])?;
    let engine =
        ConvolutionEngine::new(Tiling::new([10, 3, 20, 20])?, ports, 3)?.published(Published::Fnas);
    let cycles = engine.cycles(&conv([8, 16], 3, 1, [32, 32]))?;
    // Loads of 3·400 words by 2, 600, against 9·400 products and 270 words by 4.
    let step = 3600.0;
    assert_eq!(cycles.total, 4.0 * 2.0 * 3.0 * step);
    assert_eq!(engine.resources().dsp, 30);
    // 2·3·1 + 2·10·1 + 30·1 memories.
    assert_eq!(engine.resources().bram18, 56);
    Ok(())
}
