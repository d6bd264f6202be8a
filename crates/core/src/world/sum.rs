//! Sums over shards whose order does not depend on the ranks.
//!
//! The pieces are the leaves of a binary tree, and each of its nodes is the sum of its two halves:
//! `(0 + 1) + (2 + 3)` for four. A rank adds up the largest whole nodes that its run of pieces
//! covers, at most two of each size, and only those are sent: one sum where the number of ranks
//! is a power of two, and never all its pieces.

use std::ops::Range;

use super::{Team, WorldError};

/// Numbers up to which all ranks get all nodes; longer sums are shared out among the ranks first.
const SHORT: usize = 1 << 12;

/// The sum over pieces of vectors of numbers, the same bits on any number of ranks.
#[derive(Debug)]
pub struct ShardSum<'a> {
    team: &'a Team,
    pieces: usize,
    next: usize,
    nodes: Vec<Node<Vec<f64>>>,
}

/// The pieces from `index << level` on, `1 << level` of them or as many as there are.
#[derive(Debug, Clone, PartialEq)]
struct Node<T> {
    level: u32,
    index: usize,
    value: T,
}

impl<'a> ShardSum<'a> {
    pub(super) fn new(team: &'a Team, pieces: usize) -> Self {
        Self {
            next: team.own(pieces).start,
            team,
            pieces,
            nodes: Vec::new(),
        }
    }

    /// Adds what the next of this rank's pieces has, in their order; all are of one length.
    pub fn push(&mut self, values: Vec<f64>) {
        let leaf = Node {
            level: 0,
            index: self.next,
            value: values,
        };
        self.next += 1;
        push(&mut self.nodes, leaf, &mut add);
    }

    /// The sum over all pieces.
    ///
    /// # Errors
    /// [`WorldError::Lost`] if a rank is gone, [`WorldError::Size`] if one sums something else.
    pub fn finish(self) -> Result<Vec<f64>, WorldError> {
        let Self {
            team,
            pieces,
            nodes,
            ..
        } = self;
        if !team.shares(pieces) {
            return Ok(folded(nodes));
        }
        let (ranks, world) = (team.ranks(), team.world());
        let length = nodes.first().map_or(0, |node| node.value.len());
        if length <= SHORT {
            let own = bytes_of(nodes.iter().map(|node| &node.value[..]));
            let found = world.all_gather(own)?;
            return summed(team, pieces, &found, length);
        }
        let chunk = |rank: usize| rank * length / ranks..(rank + 1) * length / ranks;
        let part = |rank: usize| bytes_of(nodes.iter().map(|node| &node.value[chunk(rank)]));
        let found = world.exchange((0..ranks).map(part).collect())?;
        let own = summed(team, pieces, &found, chunk(team.rank()).len())?;
        let found = world.all_gather(bytes_of([&own[..]]))?;
        let mut sum = Vec::with_capacity(length);
        for (rank, bytes) in found.iter().enumerate() {
            check(rank, bytes, chunk(rank).len())?;
            sum.extend(numbers(bytes));
        }
        Ok(sum)
    }
}

/// The sum of the nodes that all ranks have sent, of vectors of `length`.
fn summed(
    team: &Team,
    pieces: usize,
    found: &[Vec<u8>],
    length: usize,
) -> Result<Vec<f64>, WorldError> {
    let mut nodes = Vec::new();
    for (rank, bytes) in found.iter().enumerate() {
        let cover = cover(team.of_rank(rank, pieces));
        check(rank, bytes, cover.len() * length)?;
        let mut values = numbers(bytes);
        for Node { level, index, .. } in cover {
            let value = values.by_ref().take(length).collect();
            let node = Node {
                level,
                index,
                value,
            };
            push(&mut nodes, node, &mut add);
        }
    }
    Ok(folded(nodes))
}

fn check(rank: usize, bytes: &[u8], count: usize) -> Result<(), WorldError> {
    let (expected, found) = (count * size_of::<f64>(), bytes.len());
    match found == expected {
        true => Ok(()),
        false => Err(WorldError::Size {
            rank,
            expected,
            found,
        }),
    }
}

/// The nodes of a run of pieces.
fn cover(run: Range<usize>) -> Vec<Node<()>> {
    let mut nodes = Vec::new();
    for index in run {
        let leaf = Node {
            level: 0,
            index,
            value: (),
        };
        push(&mut nodes, leaf, &mut |(), ()| ());
    }
    nodes
}

/// Puts `node` behind those before it, and joins the halves of larger ones.
fn push<T>(nodes: &mut Vec<Node<T>>, mut node: Node<T>, join: &mut impl FnMut(T, T) -> T) {
    while let Some(before) = nodes.pop_if(|before| {
        before.level == node.level
            && before.index.is_multiple_of(2)
            && before.index + 1 == node.index
    }) {
        node = Node {
            level: node.level + 1,
            index: node.index / 2,
            value: join(before.value, node.value),
        };
    }
    nodes.push(node);
}

/// The sum of the nodes of all pieces: those at the end lack halves.
fn folded(nodes: Vec<Node<Vec<f64>>>) -> Vec<f64> {
    let values = nodes.into_iter().map(|node| node.value);
    values
        .rev()
        .reduce(|end, node| add(node, end))
        .unwrap_or_default()
}

fn add(mut left: Vec<f64>, right: Vec<f64>) -> Vec<f64> {
    for (sum, own) in left.iter_mut().zip(right) {
        *sum += own;
    }
    left
}

fn bytes_of<'a>(parts: impl IntoIterator<Item = &'a [f64]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.reserve(size_of_val(part));
        for value in part {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = f64> + '_ {
    let (numbers, _) = bytes.as_chunks::<{ size_of::<f64>() }>();
    numbers.iter().map(|bytes| f64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::World;
    use super::*;

    /// A rank of a world in which nothing is sent.
    #[derive(Debug)]
    struct Silent {
        rank: usize,
        size: usize,
    }

    impl World for Silent {
        fn rank(&self) -> usize {
            self.rank
        }

        fn size(&self) -> usize {
            self.size
        }

        fn exchange(&self, _parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, WorldError> {
            Err(WorldError::Lost("silent".into()))
        }
    }

    fn values(piece: usize) -> Vec<f64> {
        let value = |place: usize| {
            ((piece * 7 + place) as f64 * 12.9898).sin() * 1e3_f64.powi(piece as i32 % 5)
        };
        (0..3).map(value).collect()
    }

    /// What `rank` of `size` sends of `pieces`.
    fn sent(team: &Team, pieces: usize) -> Vec<u8> {
        let mut sum = team.sum(pieces);
        team.own(pieces).for_each(|piece| sum.push(values(piece)));
        bytes_of(sum.nodes.iter().map(|node| &node.value[..]))
    }

    fn team(rank: usize, size: usize) -> Team {
        Team::new(Arc::new(Silent { rank, size })).expect("enough shards")
    }

    #[test]
    fn sums_are_the_same_bits_on_any_number_of_ranks() {
        for pieces in 1..70 {
            let alone = team(0, 1);
            let mut sum = alone.sum(pieces);
            (0..pieces).for_each(|piece| sum.push(values(piece)));
            let expected = sum.finish().expect("nothing is sent");
            for size in 2..=pieces.min(9) {
                let found: Vec<Vec<u8>> = (0..size)
                    .map(|rank| sent(&team(rank, size), pieces))
                    .collect();
                let found = summed(&team(0, size), pieces, &found, 3);
                let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(
                    bits(&found.expect("whole")),
                    bits(&expected),
                    "{pieces} on {size}"
                );
            }
        }
    }

    /// The tree is the documented one, and not the sum in order.
    #[test]
    fn halves_are_summed_first() {
        let team = team(0, 1);
        let mut sum = team.sum(5);
        [1e16, 1.0, 1.0, 1.0, 1.0]
            .iter()
            .for_each(|value| sum.push(vec![*value]));
        assert_eq!(sum.finish(), Ok(vec![((1e16 + 1.0) + (1.0 + 1.0)) + 1.0]));
    }

    #[test]
    fn few_sums_are_sent() {
        let sizes = |run| {
            cover(run)
                .iter()
                .map(|node| 1 << node.level)
                .collect::<Vec<usize>>()
        };
        assert_eq!(sizes(32..64), [32]);
        assert_eq!(sizes(21..42), [1, 2, 8, 8, 2]);
    }

    #[test]
    fn a_message_of_another_size_is_named() {
        let found = vec![vec![0; 24], vec![0; 16]];
        let error = summed(&team(0, 2), 2, &found, 3).expect_err("too short");
        let (rank, expected, found) = (1, 24, 16);
        assert_eq!(
            error,
            WorldError::Size {
                rank,
                expected,
                found
            }
        );
    }

    #[test]
    fn every_rank_has_a_shard() {
        let error = Team::of(Arc::new(Silent { rank: 0, size: 9 }), 8).expect_err("too few");
        assert!(
            error.to_string().contains("8 logical shards for 9 ranks"),
            "{error}"
        );
        // Fewer pieces than ranks are nobody's own.
        assert_eq!(team(2, 4).own(3), 0..3);
        assert_eq!(team(2, 3).own(64), 42..64);
    }
}
