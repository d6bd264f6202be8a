//! Ranks as threads: what they share out, sum and decide.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use burgeon_core::eigen::{Directions, SplittingOperator, TeamOperator};
use burgeon_core::world::{Alone, Team, World, WorldError};
use burn::tensor::DType;
use nalgebra::DMatrix;
use proptest::prelude::*;

use crate::matrices::{Written, whole};

type Post = (usize, Vec<u8>);

/// One rank of several threads, with a letter box.
struct Threads {
    rank: usize,
    to: Vec<Sender<Post>>,
    /// What came, and what came too early.
    from: Mutex<(Receiver<Post>, Vec<Post>)>,
    sent: Mutex<Vec<usize>>,
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} of {}", self.rank, self.to.len())
    }
}

impl World for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn exchange(&self, parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, WorldError> {
        let lost = || WorldError::Lost("a thread is gone".into());
        assert_eq!(parts.len(), self.to.len(), "a part for each");
        let sizes = parts.iter().map(Vec::len);
        self.sent.lock().expect("no panic").extend(sizes);
        for (to, part) in self.to.iter().zip(parts) {
            to.send((self.rank, part)).map_err(|_| lost())?;
        }
        let mut own = self.from.lock().expect("no panic");
        let mut found = vec![None; self.to.len()];
        while found.iter().any(Option::is_none) {
            let early = own.1.iter().position(|(rank, _)| found[*rank].is_none());
            let (rank, part) = match early {
                Some(place) => own.1.remove(place),
                None => own.0.recv().map_err(|_| lost())?,
            };
            match found[rank] {
                None => found[rank] = Some(part),
                Some(_) => own.1.push((rank, part)),
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}

/// What each of so many ranks gives, and the sizes of what it has sent.
fn on<T: Send>(ranks: usize, work: impl Fn(&Team) -> T + Sync) -> Vec<(T, Vec<usize>)> {
    let (to, from): (Vec<_>, Vec<_>) = (0..ranks).map(|_| channel()).unzip();
    std::thread::scope(|scope| {
        let started: Vec<_> = from
            .into_iter()
            .enumerate()
            .map(|(rank, from)| {
                let (to, work) = (to.clone(), &work);
                scope.spawn(move || {
                    let world = Arc::new(Threads {
                        rank,
                        to,
                        from: Mutex::new((from, Vec::new())),
                        sent: Mutex::default(),
                    });
                    let team = Team::new(world.clone()).expect("enough shards");
                    let found = work(&team);
                    let sent = world.sent.lock().expect("no panic").clone();
                    (found, sent)
                })
            })
            .collect();
        let ended = started.into_iter().map(|one| one.join().expect("no panic"));
        ended.collect()
    })
}

fn alone() -> Team {
    Team::new(Arc::new(Alone)).expect("enough shards")
}

/// What a piece has: numbers whose sum depends on its order.
fn numbers(piece: usize, length: usize) -> Vec<f64> {
    let value =
        |place: usize| ((piece * 31 + place) as f64 * 0.7).sin() * 10_f64.powi(piece as i32 % 7);
    (0..length).map(value).collect()
}

fn summed(team: &Team, pieces: usize, length: usize) -> Vec<f64> {
    let mut sum = team.sum(pieces);
    team.own(pieces)
        .for_each(|piece| sum.push(numbers(piece, length)));
    sum.finish().expect("nobody is gone")
}

#[test]
fn sums_are_the_same_on_all_ranks_long_ones_too() {
    // One more than are sent to all at once, and a length that ranks do not divide.
    for length in [1, 3, 4096, 4097, 5003] {
        let expected = summed(&alone(), 13, length);
        for ranks in [2, 3, 5] {
            let found = on(ranks, |team| summed(team, 13, length));
            for (found, sent) in found {
                assert_eq!(found, expected, "{length} on {ranks}");
                assert!(!sent.is_empty());
                // Long sums are shared out: nobody sends all numbers of all nodes to all.
                let most = sent.iter().max().copied().unwrap_or(0);
                if length > 4096 {
                    assert!(most < 8 * length * 4 / ranks + 64, "{most}");
                    assert_eq!(sent.len(), 2 * ranks);
                } else {
                    assert_eq!(sent.len(), ranks);
                }
            }
        }
    }
    assert!(summed(&alone(), 0, 3).is_empty());
}

#[test]
fn ranks_that_sum_other_lengths_are_told_apart() {
    let found = on(2, |team| {
        let mut sum = team.sum(2);
        team.own(2).for_each(|piece| sum.push(vec![1.0; piece + 1]));
        sum.finish()
    });
    for ((found, _), rank) in found.into_iter().zip([1, 0]) {
        let expected = 8 * (2 - rank);
        let size = WorldError::Size {
            rank,
            expected,
            found: 8 * (rank + 1),
        };
        assert_eq!(found, Err(size));
    }
}

#[test]
fn fewer_pieces_than_ranks_are_everybodys() {
    let found = on(3, |team| (summed(team, 2, 4), team.shares(2), team.own(2)));
    for ((sum, shares, own), sent) in found {
        assert_eq!(sum, summed(&alone(), 2, 4));
        assert_eq!((shares, own, sent), (false, 0..2, Vec::new()));
    }
    let found = on(3, |team| (team.shares(3), team.own(3)));
    for (rank, ((shares, own), _)) in found.into_iter().enumerate() {
        assert_eq!((shares, own), (true, rank..rank + 1));
    }
    assert!(!alone().shares(5));
}

#[test]
fn the_first_rank_decides() {
    let found = on(3, |team| {
        let own = vec![team.rank() as u8; 2];
        let all = team.all(own.clone()).expect("nobody is gone");
        let decided = team.decided(own).expect("nobody is gone");
        (all, decided, team.decides(), team.rank(), team.ranks())
    });
    for (rank, ((all, decided, decides, own, ranks), sent)) in found.into_iter().enumerate() {
        assert_eq!(all, [[0, 0], [1, 1], [2, 2]]);
        assert_eq!((decided, decides), (vec![0, 0], rank == 0));
        assert_eq!((own, ranks), (rank, 3));
        // Only the first has something to say.
        assert_eq!(sent[3..], [if rank == 0 { 2 } else { 0 }; 3]);
    }
    let alone = alone();
    assert_eq!(alone.all(vec![1, 2]), Ok(vec![vec![1, 2]]));
    assert_eq!(alone.decided(vec![3]), Ok(vec![3]));
    assert!(alone.decides());
    assert_eq!((alone.rank(), alone.ranks(), alone.shards()), (0, 1, 64));
    let more = alone.with_shards(7).expect("enough");
    assert_eq!(more.shards(), 7);
    assert!(more.with_shards(0).is_err());
    assert_eq!((Alone.rank(), Alone.size()), (0, 1));
    assert_eq!(Alone.exchange(vec![vec![5]]), Ok(vec![vec![5]]));
}

/// A world that says that it has no ranks, or gives nothing back.
#[derive(Debug)]
struct Empty(usize);

impl World for Empty {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        self.0
    }

    fn exchange(&self, _parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, WorldError> {
        Ok(Vec::new())
    }
}

#[test]
fn worlds_that_are_none_do_no_harm() {
    let team = Team::new(Arc::new(Empty(0))).expect("one rank");
    assert_eq!((team.ranks(), team.own(4)), (1, 0..4));
    assert!(Team::of(Arc::new(Empty(0)), 0).is_err());
    assert!(Team::of(Arc::new(Empty(3)), 3).is_ok());
    assert!(Team::of(Arc::new(Empty(4)), 3).is_err());
    let silent = Team::new(Arc::new(Empty(2))).expect("two ranks");
    assert!(matches!(silent.decided(vec![1]), Err(WorldError::Lost(_))));
}

proptest! {
    /// Pieces cover all samples in order, evenly, none of them larger than it may be.
    #[test]
    fn pieces_are_even(samples in 0_usize..400, most in 0_usize..50, shards in 1_usize..80) {
        let team = alone().with_shards(shards).expect("enough");
        let pieces = team.pieces(samples, most);
        let mut next = 0;
        for piece in &pieces {
            prop_assert_eq!(piece.start, next);
            prop_assert!(piece.len() <= most.max(1) && !piece.is_empty());
            next = piece.end;
        }
        prop_assert_eq!(next, samples);
        let sizes = pieces.iter().map(|piece| piece.len());
        if let (Some(least), Some(largest)) = (sizes.clone().min(), sizes.max()) {
            prop_assert!(largest - least <= 1);
        }
        let needed = samples.div_ceil(most.max(1));
        prop_assert_eq!(pieces.len(), needed.max(shards.min(samples)));
    }
}

#[test]
fn matrices_of_all_ranks_are_one_operator() {
    // Five pieces of two sites, whose entries are whole.
    let piece = |number: usize| {
        let sites = vec![
            vec![whole(3, number), whole(3, number + 1)],
            vec![whole(2, number + 2)],
        ];
        Written::new(vec![sites])
    };
    let asked = || {
        let vectors = vec![
            DMatrix::from_fn(3, 2, |i, j| (i + j) as f64),
            DMatrix::from_fn(3, 2, |i, j| (2 * i + 5 * j) as f64),
        ];
        let one = vec![DMatrix::from_fn(2, 1, |i, _| 1.0 + i as f64)];
        [vectors, one].map(|vectors| Directions {
            vectors,
            dtype: DType::F64,
        })
    };
    let sum = |site: usize, neuron: usize| -> DMatrix<f64> {
        let pieces = (0..5).map(|number| piece(number).matrices[0][site][neuron].clone());
        pieces.reduce(|a, b| a + b).expect("five")
    };
    for ranks in [1, 2, 3] {
        let found = on(ranks, |team| {
            let own = team.own(5).map(piece).collect();
            let operator = TeamOperator::new(team, 5, own);
            assert_eq!(operator.batches(), 1);
            let dims: Vec<_> = operator
                .sites()
                .iter()
                .map(|s| (s.neurons, s.dim))
                .collect();
            assert_eq!(dims, [(2, 3), (1, 2)]);
            let products = operator.apply_batch(0, &asked()).expect("summed");
            let dense = [0, 1].map(|site| operator.dense(site, DType::F64).expect("summed"));
            (products, dense)
        });
        for ((products, dense), _) in found {
            for (site, asked) in asked().iter().enumerate() {
                for (neuron, found) in dense[site].iter().enumerate() {
                    let expected = sum(site, neuron);
                    assert_eq!(*found, expected);
                    for (product, v) in products[site].iter().zip(&asked.vectors) {
                        assert_eq!(product.column(neuron), &expected * v.column(neuron));
                    }
                }
                assert_eq!(products[site].len(), asked.vectors.len());
            }
        }
    }
}
