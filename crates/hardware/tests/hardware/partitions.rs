//! Partitions and pipelines against all that there are.

use std::ops::Range;

use burgeon_hardware::{
    Board, ConvLayer, DesignSpace, HardwareError, InputTiles, NetworkCycles, Pool,
    optimal_partition,
};
use proptest::prelude::*;

use crate::networks::conv;

/// Period and latency of the best of all partitions, by trying each cut and each board.
fn brute_force(
    layers: usize,
    counts: &mut [usize],
    from: usize,
    time: &dyn Fn(Range<usize>, usize) -> Option<f64>,
) -> Vec<(f64, f64)> {
    if from == layers {
        return vec![(0.0, 0.0)];
    }
    let mut all = Vec::new();
    for to in from + 1..=layers {
        for board in 0..counts.len() {
            let Some(own) = time(from..to, board).filter(|_| counts[board] > 0) else {
                continue;
            };
            counts[board] -= 1;
            for (period, latency) in brute_force(layers, counts, to, time) {
                all.push((own.max(period), own + latency));
            }
            counts[board] += 1;
        }
    }
    all
}

/// Multiples of 2⁻²⁰, so that sums are exact in any order.
fn times(layers: usize, types: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0_u32..1 << 24, layers * types).prop_map(|times| {
        times
            .into_iter()
            .map(|t| f64::from(t) / f64::from(1 << 20))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn partitions_are_the_best_of_all(
        (layers, counts, times, refused) in (1_usize..=12, prop::collection::vec(0_usize..3, 1..4))
            .prop_flat_map(|(layers, counts)| {
                let types = counts.len();
                (Just(layers), Just(counts), times(layers, types), 0_usize..8)
            }),
    ) {
        let types = counts.len();
        prop_assume!(counts.iter().sum::<usize>() <= 4);
        // Long stages do not fit boards of the first type.
        let time = |range: Range<usize>, board: usize| {
            let fits = board > 0 || range.len() <= 12 - refused;
            fits.then(|| range.map(|layer| times[layer * types + board]).sum())
        };
        let all = brute_force(layers, &mut counts.clone(), 0, &time);
        let best = all.into_iter().min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        match (best, optimal_partition(layers, &counts, &time)) {
            (None, Err(HardwareError::NoPartition { .. })) => {}
            (Some((period, latency)), Ok(found)) => {
                prop_assert_eq!((found.period, found.latency), (period, latency));
                let mut left = counts.clone();
                let mut at = 0;
                for stage in &found.stages {
                    prop_assert_eq!(stage.layers.start, at);
                    at = stage.layers.end;
                    prop_assert_eq!(time(stage.layers.clone(), stage.board), Some(stage.time));
                    prop_assert!(left[stage.board] > 0);
                    left[stage.board] -= 1;
                }
                prop_assert_eq!(at, layers);
            }
            (best, found) => prop_assert!(false, "{best:?} against {found:?}"),
        }
    }
}

fn space() -> DesignSpace {
    DesignSpace {
        outputs: vec![4, 12, 24],
        inputs: InputTiles::Each(vec![3, 8]),
        tiles: vec![[8, 8]],
        ports: vec![4, 8],
        ..DesignSpace::standard()
    }
}

fn network() -> Vec<ConvLayer> {
    vec![
        conv([3, 24], 3, 1, [32, 32]),
        conv([24, 36], 5, 1, [32, 32]),
        conv([36, 48], 1, 1, [32, 32]),
        conv([48, 64], 3, 2, [32, 16]),
        conv([64, 24], 3, 1, [16, 16]),
        conv([24, 64], 7, 1, [16, 16]),
    ]
}

#[test]
fn pipelines_are_the_best_of_all() -> Result<(), HardwareError> {
    let layers = network();
    let boards = [("zc706", 150.0), ("pynq-z1", 100.0)]
        .map(|(name, megahertz)| Board::named(name).map(|board| Board { megahertz, ..board }));
    let [large, small] = boards;
    let (large, small) = (large?, small?);
    for link in [f64::INFINITY, 2e7] {
        let counts = [1, 2];
        let pool = Pool::new(vec![(large.clone(), 1), (small.clone(), 2)], link)?;
        let found = pool.pipeline(&layers, &space())?;
        let boards = [&large, &small];
        let time = |range: Range<usize>, board: usize| {
            let designs = space().designs(boards[board], &layers).ok()?;
            let own = &layers[range.clone()];
            let cycles = designs
                .iter()
                .filter_map(|design| NetworkCycles::of(design, own).ok())
                .map(|cycles| cycles.total);
            let last = &layers[range.end - 1];
            let sent = if range.end < layers.len() {
                last.output_size() / link
            } else {
                0.0
            };
            Some(
                boards[board]
                    .seconds(cycles.fold(f64::INFINITY, f64::min))
                    .max(sent),
            )
        };
        let all = brute_force(layers.len(), &mut counts.clone(), 0, &time);
        let least = all
            .iter()
            .map(|found| found.0)
            .fold(f64::INFINITY, f64::min);
        assert_eq!(found.period, least);
        let seconds: Vec<f64> = found.stages.iter().map(|stage| stage.seconds).collect();
        assert_eq!(found.latency, seconds.iter().sum::<f64>());
        assert!(found.efficiency() <= 1.0 && found.efficiency() > 0.5);
        let own = found.utilisation(found.period);
        assert!(own.iter().flatten().all(|share| *share <= 1.0) && own.contains(&Some(1.0)));
        assert!(found.utilisation(0.5 * found.period).contains(&None));
        assert!(found.multiplier_efficiency(&layers) < 1.0);
        if link.is_finite() {
            assert!(found.stages.iter().any(|stage| stage.transfer > 0.0));
        }
    }
    Ok(())
}

#[test]
fn pools_that_cannot_be_are_refused() -> Result<(), HardwareError> {
    let board = Board::named("pynq-z1")?;
    assert!(Pool::new(Vec::new(), 1.0).is_err());
    assert!(Pool::new(vec![(board.clone(), 0)], 1.0).is_err());
    assert!(Pool::new(vec![(board.clone(), 1)], 0.0).is_err());
    let many = (0..40).map(|_| (board.clone(), 3)).collect();
    let pool = Pool::new(many, 1.0)?;
    let error = pool
        .pipeline(&network(), &space())
        .expect_err("too many")
        .to_string();
    assert!(error.contains("fewer types"), "{error}");
    let tiny = Board { dsp: 1, ..board };
    let error = Pool::new(vec![(tiny, 2)], 1.0)?.pipeline(&network(), &space());
    assert!(matches!(
        error,
        Err(HardwareError::NoPartition {
            layers: 6,
            boards: 2
        })
    ));
    Ok(())
}
