//! Quicksort: a pass over one range, and the ranges on the stacks above it.

use super::Abstraction;
use crate::environment::flag;
use crate::program::{Call, Observation};
use crate::tasks::quicksort::{
    AFTER_PIVOT, BEFORE_PIVOT, CLEARED, DOWN, HI_PEEK, LO_PEEK, MOVE, P_HI, P_J, P_LO, P_PIVOT,
    P_STACK_HI, P_STACK_LO, QUICKSORT, SET_J_LO, SET_J_NULL, SET_PIVOT_LO, STACK_HI, STACK_LO,
    SWAP, UP, VALUE_HI, VALUE_LO, WITH_HI, WITH_J, WRITE,
};

/// Lists of any length from 1 on.
#[derive(Debug)]
pub(crate) struct QuickSortAbstraction;

/// What a range on the stacks is to the call that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Range {
    /// The one that the call sorts.
    Own,
    /// From its begin to before the pivot.
    Left,
    /// From after the pivot to its end.
    Right,
}

/// Where the pivot's place is while pj passes over the range. What lies between it and pj is larger
/// than the pivot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    AtJ,
    BeforeJ,
    AfterJ,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pass {
    /// Ranges on the stacks, the running call's own at the bottom, and whether they have more than
    /// one element. What lies below is the callers' and is not touched.
    ranges: Vec<(Range, bool)>,
    /// Where the tops of the two stacks differ: whether the lower bound at the top of one is below
    /// the upper bound at the top of the other.
    uneven: Option<bool>,
    /// What was written above the tops.
    written: [u8; 2],
    /// Whose bounds plo and phi are: a place in `ranges`, if it is known.
    bounds: [Option<usize>; 2],
    /// Whether pj is at an element.
    passing: bool,
    in_order: bool,
    at_end: bool,
    pivot: Place,
}

impl Pass {
    fn own(several: bool) -> Self {
        Self {
            ranges: vec![(Range::Own, several)],
            uneven: None,
            written: [0; 2],
            bounds: [Some(0); 2],
            passing: false,
            in_order: false,
            at_end: false,
            pivot: Place::AtJ,
        }
    }

    /// With what pj can meet: the pivot itself at the end of the range, anything before.
    fn met(&self, at_end: bool) -> Vec<Self> {
        let orders: &[bool] = if at_end { &[true] } else { &[false, true] };
        let met = |&in_order| Self {
            passing: true,
            at_end,
            in_order,
            ..self.clone()
        };
        orders.iter().map(met).collect()
    }

    /// The lower bound of `lo` below the upper bound of `hi`, for neighbours on the stacks. The own
    /// range has several elements, or nothing would lie above it.
    fn below(lo: (Range, bool), hi: (Range, bool)) -> Option<bool> {
        match (lo, hi) {
            ((Range::Right, several), (Range::Own, true)) => Some(several),
            ((Range::Left, _), (Range::Right, _)) => Some(true),
            ((Range::Right, _), (Range::Left, _)) => Some(false),
            ((Range::Own, true), (Range::Right, _)) => Some(true),
            _ => None,
        }
    }

    fn move_stack(&self, stack: u8, direction: u8) -> Option<Vec<Self>> {
        let mut next = self.clone();
        match (stack, direction, self.uneven) {
            (P_STACK_LO, UP, None) => {
                let range = match self.written {
                    [VALUE_LO, BEFORE_PIVOT] => Range::Left,
                    [AFTER_PIVOT, VALUE_HI] => Range::Right,
                    _ => return None,
                };
                let pushed = [false, true].map(|several| {
                    let mut next = next.clone();
                    let below = *next.ranges.last()?;
                    next.uneven = Some(Self::below((range, several), below)?);
                    next.ranges.push((range, several));
                    Some(next)
                });
                return pushed.into_iter().collect();
            }
            (P_STACK_LO, DOWN, None) if self.written == [CLEARED; 2] => {
                let [.., below, top] = self.ranges[..] else {
                    return None;
                };
                next.uneven = Some(Self::below(below, top)?);
            }
            (P_STACK_HI, UP, Some(_)) if self.written != [CLEARED; 2] => {
                next.uneven = None;
                next.written = [0; 2];
            }
            (P_STACK_HI, DOWN, Some(_)) if self.written == [CLEARED; 2] => {
                next.ranges.pop();
                next.uneven = None;
                next.written = [0; 2];
            }
            _ => return None,
        }
        Some(vec![next])
    }

    fn move_pivot(&self) -> Option<Vec<Self>> {
        // A swap came before: what lay at the pivot's place is behind it now.
        let places: &[Place] = match self.pivot {
            Place::AtJ => &[Place::AfterJ],
            Place::BeforeJ => &[Place::BeforeJ, Place::AtJ],
            Place::AfterJ => return None,
        };
        let moved = |&pivot| Self {
            pivot,
            ..self.clone()
        };
        Some(places.iter().map(moved).collect())
    }

    fn move_j(&self) -> Option<Vec<Self>> {
        if !self.passing || self.at_end {
            return None;
        }
        let mut next = self.clone();
        next.pivot = match (self.pivot, self.in_order) {
            (Place::AfterJ, true) => Place::AtJ,
            (Place::AtJ | Place::BeforeJ, false) => Place::BeforeJ,
            _ => return None,
        };
        let ends = [false, true].into_iter();
        Some(ends.flat_map(|at_end| next.met(at_end)).collect())
    }
}

impl Abstraction for QuickSortAbstraction {
    type State = Pass;

    fn starts(&self) -> Vec<Pass> {
        vec![Pass::own(false), Pass::own(true)]
    }

    fn observe(&self, state: &Pass) -> Observation {
        let several = state
            .uneven
            .or_else(|| state.ranges.last().map(|range| range.1));
        [
            flag(state.in_order),
            flag(state.at_end),
            flag(several == Some(true)),
            // The running call's own range is never popped.
            0,
        ]
    }

    fn apply(&self, state: &Pass, call: Call) -> Option<Vec<Pass>> {
        let mut next = state.clone();
        let top = state.ranges.len().checked_sub(1);
        let [first, second, _] = call.arguments;
        let own_bounds = state.bounds == [Some(0); 2];
        match (call.program, first, second) {
            (SET_PIVOT_LO, ..) if own_bounds => next.pivot = Place::AtJ,
            (SET_J_LO, ..) if own_bounds && state.ranges == [(Range::Own, true)] => {
                return Some(next.met(false));
            }
            (SET_J_NULL, ..) => {
                next = Pass {
                    passing: false,
                    in_order: false,
                    at_end: false,
                    pivot: Place::AtJ,
                    ..next
                };
            }
            // The element swapped to pj is larger than the pivot, or the one that is there.
            (SWAP, P_PIVOT, WITH_J) if state.in_order && state.pivot != Place::AfterJ => {
                next.in_order = state.pivot == Place::AtJ;
            }
            // pj is where phi is, and sees whatever comes there on both sides.
            (SWAP, P_PIVOT, WITH_HI) if state.at_end => {}
            (MOVE, P_PIVOT, UP) => return state.move_pivot(),
            (MOVE, P_J, UP) => return state.move_j(),
            (MOVE, P_STACK_LO | P_STACK_HI, _) => return state.move_stack(first, second),
            (WRITE, P_LO, LO_PEEK) if !state.passing => next.bounds[0] = top,
            (WRITE, P_HI, HI_PEEK) if !state.passing => next.bounds[1] = top,
            // Bounds pushed are those of the own range, and of nothing else.
            (WRITE, STACK_LO, VALUE_LO) if state.bounds[0] != Some(0) => return None,
            (WRITE, STACK_HI, VALUE_HI) if state.bounds[1] != Some(0) => return None,
            (WRITE, STACK_LO, _) => next.written[0] = second,
            (WRITE, STACK_HI, _) => next.written[1] = second,
            _ => return None,
        }
        Some(vec![next])
    }

    /// A recursive call sorts the range at the top, whose bounds plo and phi are.
    fn enter(&self, call: Call, state: &Pass) -> Option<Pass> {
        if call.program != QUICKSORT {
            return Some(state.clone());
        }
        let top = state.ranges.len().checked_sub(1)?;
        let own = Pass::own(state.ranges[top].1);
        let entered = Pass {
            ranges: own.ranges.clone(),
            bounds: own.bounds,
            ..state.clone()
        };
        (entered == own && state.bounds == [Some(top); 2]).then_some(own)
    }

    /// It leaves the stacks as they were, and plo and phi anywhere.
    fn leave(&self, call: Call, before: &Pass, after: &Pass) -> Option<Pass> {
        if call.program != QUICKSORT {
            return Some(after.clone());
        }
        let left = Pass {
            bounds: [Some(0); 2],
            ..after.clone()
        };
        let several = before.ranges.last()?.1;
        (left == Pass::own(several)).then(|| Pass {
            bounds: [None; 2],
            ..before.clone()
        })
    }
}
