//! The spaces against what is published of them.

use burgeon_coexplore::chain::{ChainNet, ChainSpace};
use burgeon_coexplore::nasbench201::{CellSpace, Device, JointTable, Operation};
use burgeon_coexplore::{CoexploreError, Controller, ControllerConfig, Policy, Problem};
use burgeon_hardware::{Board, ConvLayer};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The three networks published with arXiv 1907.04650, with parameters (all, trained) of their
/// logs and multiply-accumulate operations of their
/// convolutions.
#[test]
fn published_chains_have_their_parameters() -> Result<(), CoexploreError> {
    let fixed_hw = [
        [5, 24, 1],
        [1, 64, 1],
        [5, 48, 1],
        [7, 24, 1],
        [5, 36, 1],
        [1, 24, 1],
        [5, 48, 1],
        [3, 24, 1],
        [7, 24, 1],
        [3, 36, 1],
    ];
    let strided_hw = [
        [3, 36, 1],
        [5, 36, 1],
        [1, 64, 1],
        [3, 48, 2],
        [7, 24, 1],
        [1, 64, 1],
    ];
    let strided_sw = [
        [1, 24, 1],
        [7, 64, 1],
        [1, 64, 1],
        [5, 48, 2],
        [5, 48, 1],
        [7, 24, 1],
        [7, 64, 1],
        [5, 24, 2],
        [1, 48, 1],
        [5, 36, 1],
        [1, 48, 1],
        [7, 24, 2],
        [1, 64, 1],
        [7, 36, 1],
    ];
    let cases = [
        (&fixed_hw[..], [604_626, 603_922], 239_837_184.0),
        (&strided_hw, [286_518, 285_974], 58_454_016.0),
        (&strided_sw, [609_754, 608_522], 157_603_840.0),
    ];
    for (layers, parameters, macs) in cases {
        let net = ChainNet::new(layers, [3, 32, 32], 10)?;
        assert_eq!(net.parameters(), parameters);
        let all = net.conv_layers()?;
        let convolutions = &all[..layers.len()];
        assert_eq!(convolutions.iter().map(ConvLayer::macs).sum::<f64>(), macs);
        assert_eq!(all.len(), layers.len() + 1);
    }
    assert!(ChainNet::new(&[], [3, 32, 32], 10).is_err());
    Ok(())
}

/// The front of 12-epoch validation accuracy and HW-NAS-Bench's FPGA milliseconds, as computed
/// independently.
#[test]
fn the_front_of_the_table_is_known() -> Result<(), CoexploreError> {
    let table = JointTable::embedded()?;
    let expected = [
        (1.13296, 73.754, 12286),
        (1.54256, 73.902, 12670),
        (1.64816, 78.006, 354),
        (2.16336, 78.792, 11207),
        (2.39056, 80.972, 804),
        (2.90576, 83.054, 4004),
        (3.42096, 83.404, 2369),
        (3.64816, 83.742, 11472),
        (4.16336, 84.090, 11692),
        (4.67856, 84.338, 14375),
        (4.90576, 84.530, 11465),
        (5.42096, 84.682, 14174),
        (6.67856, 84.892, 13714),
    ];
    let front = table.front(Device::Fpga);
    assert_eq!(front.points().len(), expected.len());
    for (point, (milliseconds, accuracy, number)) in front.points().iter().zip(expected) {
        assert_eq!(point.child, number);
        assert!((point.cost - milliseconds).abs() < 1e-9, "{point:?}");
        assert!((100.0 * point.value - accuracy).abs() < 1e-9, "{point:?}");
    }
    let space = CellSpace::new(Device::Fpga, 4.0)?;
    let mut feasible = 0;
    for (child, _) in table.all() {
        feasible += usize::from(space.measure(&child)?.is_feasible());
    }
    assert_eq!(feasible, 9306);
    Ok(())
}

/// Architecture 0 of HW-NAS-Bench's documentation.
#[test]
fn milliseconds_are_sums_over_edges() {
    use Operation::{Average3x3, Conv1x1, Conv3x3, None, Skip};
    let cell = [Average3x3, Conv1x1, Skip, Conv1x1, Skip, Skip];
    let [fpga, eyeriss] = [Device::Fpga, Device::Eyeriss].map(|d| d.milliseconds(cell));
    assert!((fpga - (1.13296 + 2.0 * 0.5152 + 0.4096)).abs() < 1e-12);
    assert!((eyeriss - (1.67954 + 2.0 * 0.24576 + 1.47456)).abs() < 1e-12);
    let longest = Device::Fpga.milliseconds([Conv3x3; 6]);
    assert!((longest - 8.67856).abs() < 1e-12);
    assert!(Device::Fpga.milliseconds([None; 6]) < fpga);
}

#[test]
fn tables_that_are_none_are_refused() {
    let line = "0,|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,50.0,50.0";
    let parse = |lines: &[&str]| {
        let text = [&["heading"], lines].concat().join("\n");
        JointTable::parse(&text).expect_err("refused").to_string()
    };
    assert!(parse(&[line]).contains("missing"));
    assert!(parse(&[line, line]).contains("line 3: this cell came before"));
    assert!(parse(&["0,|none~0|,50.0,50.0"]).contains("no cell of six edges"));
    assert!(parse(&[&line.replace("50.0", "150")]).contains("no accuracy"));
    assert!(parse(&["0"]).contains("fewer than four"));
}

fn space() -> Result<ChainSpace, CoexploreError> {
    let boards = vec![Board::named("zc706")?, Board::named("pynq-z1")?];
    Ok(ChainSpace::new(boards, 1e9, 3, 5e-3)?.with_strides())
}

#[test]
fn chains_are_placed_on_boards() -> Result<(), CoexploreError> {
    let space = space()?;
    // Depth, three layers of kernel, filters and stride, then tiles and ports: for each board.
    let first = [1, 1, 0, 0, 2, 1, 1, 3, 3, 1, 2, 2, 1, 0];
    let second = [0, 3, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1];
    let child = [first, second].concat();
    let decoded = space.decode(&child)?;
    let layers: Vec<[usize; 3]> = decoded
        .net
        .layers()
        .iter()
        .map(|layer| [layer.kernel, layer.filters, layer.stride])
        .collect();
    assert_eq!(layers, [[3, 24, 1], [5, 36, 2], [7, 48, 1]]);
    assert_eq!(space.architecture(&child)?, layers.concat());
    assert_eq!(decoded.cuts, [0..2, 2..3]);
    let pipeline = space.pipeline(&child)?.expect("fits");
    // The linear layer is with the last convolutions.
    assert_eq!(pipeline.stages[1].layers, 2..4);
    let measured = space.measure(&child)?;
    assert_eq!(measured.time, pipeline.period);
    assert_eq!(measured.utilisation, pipeline.utilisation(5e-3));
    // 64 × 24 multipliers are more than the small board has: its stage alone is infeasible.
    let large = [first, [0, 3, 2, 0, 0, 0, 0, 0, 0, 0, 6, 5, 0, 1]].concat();
    assert_eq!(space.pipeline(&large)?, None);
    let alone = space.measure(&large)?.utilisation;
    assert_eq!((alone[0], alone[1]), (measured.utilisation[0], None));
    for wrong in [vec![0; 3], vec![9; 28]] {
        assert!(matches!(
            space.measure(&wrong),
            Err(CoexploreError::Child { .. })
        ));
    }
    Ok(())
}

/// Whatever a policy proposes is a child, and the fast level raises utilisation without a judge.
#[test]
fn stage_policies_learn_to_use_their_hardware() -> Result<(), CoexploreError> {
    let space = space()?;
    let config = ControllerConfig {
        hidden: 12,
        learning_rate: 0.02,
        ..ControllerConfig::default()
    };
    let mut controller = Controller::new(&space, config, 3)?;
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut shares = Vec::new();
    for _ in 0..600 {
        let child = controller.propose_stages(&mut rng).expect("has stages");
        let found = space.measure(&child)?.utilisation;
        let rewards: Vec<f64> = found.iter().map(|share| share.unwrap_or(-1.0)).collect();
        controller.learn_stages(&child, &rewards);
        shares.push(rewards.iter().sum::<f64>() / 2.0);
    }
    let mean = |shares: &[f64]| shares.iter().sum::<f64>() / shares.len() as f64;
    let (early, late) = (mean(&shares[..100]), mean(&shares[500..]));
    assert!(late > early + 0.3, "{early} at first, {late} at last");
    Ok(())
}
