//! Sums over shards that are really sent.

use burgeon_core::Team;
use burgeon_distributed::threads;

/// Numbers of very different sizes, so that another order is another sum.
fn numbers(piece: usize, length: usize) -> Vec<f64> {
    let number = |place: usize| {
        let wave = ((piece * 7919 + place) as f64 * 12.9898).sin();
        wave * 10_f64.powi((piece % 7) as i32 * 3)
    };
    (0..length).map(number).collect()
}

/// Long sums are shared out among the ranks before they are added up, short ones are not.
#[test]
fn short_and_long_sums_are_the_same_bits_on_any_number_of_ranks() {
    for (pieces, length) in [(1, 3), (2, 5000), (7, 1), (13, 5001), (64, 10), (64, 4100)] {
        let work = |world| {
            let team = Team::new(world).expect("enough shards");
            let mut sum = team.sum(pieces);
            let own = team.own(pieces);
            own.for_each(|piece| sum.push(numbers(piece, length)));
            let sum = sum.finish().expect("whole");
            sum.into_iter().map(f64::to_bits).collect::<Vec<_>>()
        };
        let alone = threads::run(1, work).remove(0);
        assert_eq!(alone.len(), length);
        for ranks in 2..=5 {
            for found in threads::run(ranks, work) {
                assert!(
                    found == alone,
                    "{pieces} pieces of {length} on {ranks} ranks"
                );
            }
        }
    }
}

#[test]
fn what_the_first_rank_has_is_what_all_get() {
    let found = threads::run(3, |world| {
        let team = Team::new(world).expect("enough shards");
        let own = vec![team.rank() as u8; 2 + team.rank()];
        let decided = team.decided(own.clone()).expect("whole");
        (decided, team.all(own).expect("whole"))
    });
    let all = vec![vec![0, 0], vec![1; 3], vec![2; 4]];
    assert!(
        found
            .iter()
            .all(|(decided, own)| *decided == [0, 0] && *own == all)
    );
}
