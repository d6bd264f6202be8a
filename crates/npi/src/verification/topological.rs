//! Topological sort: the colours in sight, and how deep the search is.

use super::Abstraction;
use crate::environment::flag;
use crate::program::{Call, Observation};
use crate::tasks::topological::{
    ACTIVE_NEIGHB, ACTIVE_STACK, ACTIVE_START, BLACK, CHILD_SAVED, CHILD_V, COLOR_CURR, COLOR_NEXT,
    DOWN, GREY, INVALID, MOVE, P_RESULT, P_STACK, P_START, RESULT, SAVE, STACK_POP, STACK_PUSH,
    TO_BLACK, TO_GREY, UP, WHITE, WRITE,
};

/// Graphs without cycles of any size from 1 on.
#[derive(Debug)]
pub(crate) struct TopologicalAbstraction;

/// Depths count to "two or more".
const MANY: u8 = 2;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Search {
    /// The colour at p_start.
    start: u8,
    /// The colour of the active vertex's child.
    child: u8,
    /// Vertices on the stack.
    depth: u8,
    /// Whether the active vertex is that at p_start.
    at_start: bool,
    /// Whether a white vertex was seen since p_start moved: vertices before p_start are black, so
    /// it comes after.
    later: bool,
}

impl Search {
    /// With the colours that the next child of the active vertex can have: grey vertices are those
    /// on the way down to here, and there are no cycles.
    fn next_child(&self) -> Vec<Self> {
        let child = |child| Self {
            child,
            later: self.later || child == WHITE,
            ..self.clone()
        };
        [WHITE, BLACK, INVALID].map(child).into()
    }
}

impl Abstraction for TopologicalAbstraction {
    type State = Search;

    fn starts(&self) -> Vec<Search> {
        vec![Search {
            start: WHITE,
            child: INVALID,
            depth: 0,
            at_start: false,
            later: false,
        }]
    }

    fn observe(&self, state: &Search) -> Observation {
        [state.start, state.child, flag(state.depth == 0), 0]
    }

    fn apply(&self, state: &Search, call: Call) -> Option<Vec<Search>> {
        let mut next = state.clone();
        let [first, second, _] = call.arguments;
        match (call.program, first, second) {
            (WRITE, ACTIVE_START, _) if state.start == WHITE => {
                next.at_start = true;
                return Some(next.next_child());
            }
            (WRITE, COLOR_CURR, TO_GREY) if state.at_start => next.start = GREY,
            (WRITE, COLOR_CURR, TO_BLACK) if state.at_start => next.start = BLACK,
            (WRITE, COLOR_NEXT, TO_GREY) if state.child == WHITE => next.child = GREY,
            (WRITE, ACTIVE_NEIGHB, _) if state.child == GREY => {
                next.at_start = false;
                return Some(next.next_child());
            }
            (WRITE, ACTIVE_STACK, _) if state.depth > 0 => {
                // The lowest vertex on the stack is that at p_start.
                let lowest: &[bool] = match state.depth {
                    1 => &[true],
                    _ => &[false],
                };
                let at_start = |&at_start| Search {
                    at_start,
                    ..next.clone()
                };
                return Some(
                    lowest
                        .iter()
                        .map(at_start)
                        .flat_map(|s| s.next_child())
                        .collect(),
                );
            }
            (MOVE, CHILD_V, UP) if state.child == BLACK => return Some(next.next_child()),
            (MOVE, P_STACK, UP) => next.depth = (state.depth + 1).min(MANY),
            (MOVE, P_STACK, DOWN) => {
                // A search that was two or more deep is one or more deep now.
                let depths: &[u8] = match state.depth {
                    0 => return None,
                    1 => &[0],
                    _ => &[1, MANY],
                };
                let depth = |&depth| Search {
                    depth,
                    ..next.clone()
                };
                return Some(depths.iter().map(depth).collect());
            }
            (MOVE, P_START, UP) if state.start == BLACK && state.depth == 0 => {
                let colours: &[u8] = match state.later {
                    true => &[WHITE, BLACK],
                    false => &[WHITE, BLACK, INVALID],
                };
                let start = |&start| Search {
                    start,
                    at_start: false,
                    later: false,
                    ..next.clone()
                };
                return Some(colours.iter().map(start).collect());
            }
            // The active vertex is not at p_start; its colour is not in sight.
            (WRITE, COLOR_CURR, TO_GREY | TO_BLACK) => {}
            // Nothing of it is in sight: the vertex that was saved is not the active one.
            (WRITE, SAVE | RESULT | STACK_PUSH | STACK_POP, _) | (MOVE, P_RESULT, UP) => {}
            (MOVE, CHILD_SAVED, UP) if !state.at_start => {}
            _ => return None,
        }
        Some(vec![next])
    }
}
