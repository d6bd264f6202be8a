//! What layers cost, recounted.

use burgeon_core::cost::{
    ActivationMemory, BytesMoved, CostModel, Energy, Geometry, Latency, LayerKind, LayerShape,
    LayerTiming, Macs, Parameters, Precision,
};
use proptest::prelude::*;

fn layer(name: &str, kind: LayerKind, inputs: usize, outputs: usize) -> LayerShape {
    LayerShape {
        name: name.into(),
        kind,
        inputs,
        outputs,
        taps: 5,
        extra: 2,
        input_positions: 7,
        output_positions: 3,
        geometry: Geometry::default(),
    }
}

#[test]
fn numbers_of_a_layer_are_those_of_its_shape() {
    let mixing = layer("a", LayerKind::Mixing, 11, 13);
    assert_eq!(mixing.weights(), 11 * 13 * 5);
    assert_eq!(mixing.parameters(), 11 * 13 * 5 + 13 * 2);
    assert_eq!(mixing.macs(), 11 * 13 * 5 * 3);
    assert_eq!(mixing.input_size(), 11 * 7);
    assert_eq!(mixing.output_size(), 13 * 3);
    let channelwise = layer("a", LayerKind::ChannelWise, 11, 13);
    assert_eq!(channelwise.weights(), 13 * 5);
    assert_eq!(channelwise.macs(), 13 * 5 * 3);
}

#[test]
fn costs_are_in_their_units() {
    let mixing = layer("a", LayerKind::Mixing, 11, 13);
    let (macs, weights, read, given) = (2145, 741, 77, 39);
    // Energies in femtojoule: 4.6, 1.5 and 0.3 pJ an operation; 640 pJ and 5 pJ for 32 bits.
    let energy = |of: u64, share: u64| {
        of * macs + 640_000 / share * weights + 5_000 / share * (read + given)
    };
    let models: [(&dyn CostModel, &str, &str, u64); 9] = [
        (&Macs, "macs", "MACs", macs),
        (&Parameters, "parameters", "parameters", weights),
        (
            &ActivationMemory::default(),
            "activation-memory",
            "bytes",
            4 * given,
        ),
        (
            &ActivationMemory::new(2),
            "activation-memory",
            "bytes",
            2 * given,
        ),
        (
            &BytesMoved::default(),
            "bytes-moved",
            "bytes",
            4 * (read + weights + given),
        ),
        (
            &BytesMoved::new(1),
            "bytes-moved",
            "bytes",
            read + weights + given,
        ),
        (
            &Energy::new(Precision::Float32),
            "energy-f32",
            "fJ",
            energy(4_600, 1),
        ),
        (
            &Energy::new(Precision::Float16),
            "energy-f16",
            "fJ",
            energy(1_500, 2),
        ),
        (
            &Energy::new(Precision::Int8),
            "energy-int8",
            "fJ",
            energy(300, 4),
        ),
    ];
    for (model, name, unit, cost) in models {
        assert_eq!((model.name(), model.unit()), (name, unit));
        assert_eq!(model.layer_cost(&mixing), cost, "{name}");
        let other = layer("b", LayerKind::ChannelWise, 2, 2);
        let both = cost + model.layer_cost(&other);
        assert_eq!(model.cost(&[mixing.clone(), other]), both, "{name}");
        assert_eq!(model.cost(&[]), 0);
    }
}

fn timed(name: &str, kind: LayerKind, widths: [usize; 2], nanoseconds: u64) -> LayerTiming {
    let [inputs, outputs] = widths;
    LayerTiming {
        layer: layer(name, kind, inputs, outputs),
        nanoseconds,
    }
}

/// Bilinear in the widths.
fn time(inputs: usize, outputs: usize) -> u64 {
    (40 + 3 * inputs + 5 * outputs + 2 * inputs * outputs) as u64
}

proptest! {
    /// Whatever is bilinear is found everywhere: at the points, between them and beyond.
    #[test]
    fn bilinear_times_are_found_at_any_widths(
        inputs in prop::collection::btree_set(1_usize..60, 2..5),
        outputs in prop::collection::btree_set(1_usize..60, 2..5),
        asked in (0_usize..90, 0_usize..90),
    ) {
        let kind = LayerKind::Mixing;
        let mut timings = Vec::new();
        for &i in &inputs {
            for &o in outputs.iter().rev() {
                timings.push(timed("a", kind, [i, o], time(i, o)));
            }
        }
        // Another layer's times do not matter.
        timings.push(timed("b", kind, [asked.0, asked.1], 1));
        let latency = Latency::new("cpu", timings).expect("a full grid");
        let found = latency.layer_cost(&layer("a", kind, asked.0, asked.1));
        prop_assert_eq!(found, time(asked.0, asked.1));
        prop_assert_eq!(latency.layer_cost(&layer("c", kind, 4, 4)), 0);
    }

    /// A channel-wise layer has one width.
    #[test]
    fn channel_wise_times_are_linear(
        widths in prop::collection::btree_set(1_usize..60, 2..5),
        asked in 0_usize..90,
    ) {
        let kind = LayerKind::ChannelWise;
        let timings = widths.iter().map(|&w| timed("a", kind, [w, w], 30 + 7 * w as u64));
        let latency = Latency::new("cpu", timings.collect()).expect("a full grid");
        let found = latency.layer_cost(&layer("a", kind, asked, asked));
        prop_assert_eq!(found, 30 + 7 * asked as u64);
    }
}

#[test]
fn one_timing_stands_for_all_widths_and_no_time_is_negative() {
    let kind = LayerKind::Mixing;
    let one = Latency::new("gpu", vec![timed("a", kind, [8, 8], 50)]).expect("full");
    for widths in [[8, 8], [1, 8], [90, 2]] {
        let [inputs, outputs] = widths;
        assert_eq!(one.layer_cost(&layer("a", kind, inputs, outputs)), 50);
    }
    assert_eq!(one.device(), "gpu");
    assert_eq!(one.timings(), [timed("a", kind, [8, 8], 50)]);
    assert_eq!((one.name(), one.unit()), ("latency", "ns"));
    let steep = vec![timed("a", kind, [8, 8], 10), timed("a", kind, [8, 16], 100)];
    let steep = Latency::new("cpu", steep).expect("full");
    assert_eq!(steep.layer_cost(&layer("a", kind, 8, 4)), 0);
    // Halves are rounded away from 0.
    let half = vec![timed("a", kind, [8, 8], 0), timed("a", kind, [8, 10], 3)];
    let half = Latency::new("cpu", half).expect("full");
    assert_eq!(half.layer_cost(&layer("a", kind, 8, 9)), 2);
}

#[test]
fn a_grid_with_a_hole_is_refused_by_its_layer() {
    let kind = LayerKind::Mixing;
    let whole = timed("whole", kind, [8, 8], 1);
    let corners = [[1, 1], [1, 2], [2, 1]].map(|widths| timed("hollow", kind, widths, 1));
    let timings = [vec![whole], corners.to_vec()].concat();
    let error = Latency::new("cpu", timings).expect_err("a hole");
    assert!(error.to_string().contains("`hollow`"), "{error}");
}
