//! The order in which samples are drawn. It is fixed by a seed, so that a run that is resumed goes
//! on with the samples that it would have had.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The indices below `count` in the order that `seed` draws.
pub fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order
}

/// The indices below `count` in batches of at most `size`, in the order that `seed` draws. A last
/// index that would be alone joins the batch before it: batch statistics of one sample are no
/// statistics.
pub fn shuffled_batches(
    count: usize,
    size: usize,
    seed: u64,
) -> impl Iterator<Item = Vec<usize>> + Send {
    let (order, size) = (shuffled(count, seed), size.max(1));
    let lone = count > size && count % size == 1;
    let end = if lone { count - 1 } else { count };
    (0..end).step_by(size).map(move |start| {
        let stop = start + size;
        let stop = if stop >= end { count } else { stop };
        order[start..stop].to_vec()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(count: usize, size: usize) -> Vec<Vec<usize>> {
        shuffled_batches(count, size, 7).collect()
    }

    /// An order that changes makes every run another one.
    #[test]
    fn the_order_of_a_seed_is_fixed() {
        assert_eq!(shuffled(10, 7), [0, 7, 5, 2, 9, 1, 6, 8, 3, 4]);
        assert_eq!(batches(10, 4).concat(), shuffled(10, 7));
    }

    #[test]
    fn batches_are_full_but_for_the_last() {
        let sizes =
            |count, size| -> Vec<usize> { batches(count, size).iter().map(Vec::len).collect() };
        assert_eq!(sizes(8, 4), [4, 4]);
        assert_eq!(sizes(10, 4), [4, 4, 2]);
        assert_eq!(sizes(9, 4), [4, 5]);
        assert_eq!(sizes(1, 4), [1]);
        assert_eq!(sizes(3, 1), [1, 1, 1]);
        assert_eq!(sizes(2, 0), [1, 1]);
        assert_eq!(batches(9, 4).concat(), shuffled(9, 7));
    }
}
