//! Bubble sort with the encoder that compares: where the pointers are, coarsely, and what is known
//! of the elements there.

use super::Abstraction;
use crate::environment::flag;
use crate::program::{Call, Observation};
use crate::tasks::bubble::{LEFT, PTR, RIGHT, SWAP};

/// Lists of any length from `least` on.
#[derive(Debug)]
pub(crate) struct BubbleAbstraction {
    pub least: usize,
}

/// Distances count to "two or more".
const MANY: u8 = 2;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pointers {
    /// p1.
    left: u8,
    /// n − p1.
    right: u8,
    /// p2 − p1.
    offset: u8,
    /// n − p3.
    rounds: u8,
    /// A[p1] ≤ A[p2].
    ordered: bool,
    /// Where p2 is two ahead and in the list: A[p1 + 1] ≤ A[p2].
    following: Option<bool>,
    /// The larger of the elements at the pointers is known to be the largest up to the second one
    /// (where p2 is two ahead and past the end: A[p1 + 1] is the largest of all).
    largest: bool,
}

/// What a distance can be after one step less.
fn less(distance: u8) -> &'static [u8] {
    match distance {
        0 => &[],
        1 => &[0],
        _ => &[1, MANY],
    }
}

fn more(distance: u8) -> u8 {
    (distance + 1).min(MANY)
}

impl Pointers {
    fn inside1(&self) -> bool {
        self.left > 0
    }

    fn inside2(&self) -> bool {
        self.left + self.offset > 0 && self.offset <= self.right
    }

    /// This state with every order that its elements can have. What is outside compares as more
    /// than any digit.
    fn compared(self) -> Vec<Self> {
        let orders: &[bool] = match (self.inside1(), self.inside2()) {
            (true, true) if self.offset > 0 => &[false, true],
            (false, true) => &[false],
            _ => &[true],
        };
        let ordered = |&ordered| Self {
            ordered,
            ..self.clone()
        };
        orders.iter().map(ordered).collect()
    }

    /// p1 goes right, to where p2 is.
    fn first_right(&self) -> Option<Vec<Self>> {
        if self.offset != 1 || self.right == 0 {
            return None;
        }
        let moved = less(self.right).iter().map(|&right| Self {
            left: more(self.left),
            right,
            offset: 0,
            ordered: true,
            following: None,
            // A single element is the largest of itself.
            largest: self.left == 0 || (self.largest && self.ordered),
            ..self.clone()
        });
        Some(moved.collect())
    }

    /// p1 goes left, away from p2.
    fn first_left(&self) -> Option<Vec<Self>> {
        if self.offset != 1 || self.left == 0 {
            return None;
        }
        let moved = less(self.left).iter().flat_map(|&left| {
            let moved = Self {
                left,
                right: more(self.right),
                offset: 2,
                following: self.inside2().then_some(self.ordered),
                largest: self.largest && self.right == 0,
                ..self.clone()
            };
            moved.compared()
        });
        Some(moved.collect())
    }

    /// p2 goes left, to beside p1.
    fn second_left(&self) -> Option<Vec<Self>> {
        if self.offset != 2 {
            return None;
        }
        let moved = Self {
            offset: 1,
            following: None,
            largest: false,
            ..self.clone()
        };
        let possible = |next: &Self| {
            if !(next.inside1() && next.inside2()) {
                return true;
            }
            // With a ≤ c known, and b ≤ c: the order of a and b, where it follows.
            let follows = match (self.following, self.ordered) {
                _ if self.largest => Some(true),
                (Some(true), false) => Some(false),
                (Some(false), true) => Some(true),
                _ => None,
            };
            follows.is_none_or(|ordered| ordered == next.ordered)
        };
        let mut next = moved.compared();
        next.retain(possible);
        Some(next)
    }
}

impl Abstraction for BubbleAbstraction {
    type State = Pointers;

    fn starts(&self) -> Vec<Pointers> {
        let start = |right: u8| Pointers {
            left: 1,
            right,
            offset: 0,
            rounds: more(right),
            ordered: true,
            following: None,
            largest: true,
        };
        let shortest = u8::try_from(self.least).unwrap_or(MANY).clamp(1, MANY);
        (shortest - 1..=MANY).map(start).collect()
    }

    fn observe(&self, state: &Pointers) -> Observation {
        [
            flag(state.ordered),
            flag(state.inside1()),
            flag(state.inside2()),
            flag(state.rounds == 0),
        ]
    }

    fn apply(&self, state: &Pointers, call: Call) -> Option<Vec<Pointers>> {
        match (call.program, call.arguments) {
            (PTR, [1, RIGHT, _]) => state.first_right(),
            (PTR, [1, LEFT, _]) => state.first_left(),
            (PTR, [2, LEFT, _]) => state.second_left(),
            (PTR, [2, RIGHT, _]) if state.offset == 0 => {
                let moved = Pointers {
                    offset: 1,
                    ..state.clone()
                };
                Some(moved.compared())
            }
            (PTR, [3, RIGHT, _]) if state.rounds > 0 => {
                let rounds = less(state.rounds).iter();
                let counted = rounds.map(|&rounds| Pointers {
                    rounds,
                    ..state.clone()
                });
                Some(counted.collect())
            }
            // Equal elements are in order: these differ, and are in order once swapped.
            (SWAP, _) if !state.ordered && state.inside1() && state.offset == 1 => {
                Some(vec![Pointers {
                    ordered: true,
                    ..state.clone()
                }])
            }
            _ => None,
        }
    }
}
