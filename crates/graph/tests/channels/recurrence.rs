//! States that start at a number and are carried from step to step.

use burgeon_graph::{Operation, Role};

use crate::net::{Net, grown, named, roles, told};

#[test]
fn a_state_is_as_wide_as_what_is_added_to_it() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let reads = net.parameter("in.weight", &[3, 4]);
    let carries = net.parameter("state.weight", &[4, 4]);
    let mut state = net.node("zeros", Operation::Fill, &[], &[4]);
    for _ in 0..2 {
        let fresh = net.node("in", Operation::Linear, &[input, reads], &[4]);
        let kept = net.node("state", Operation::Linear, &[state, carries], &[4]);
        state = net.sum(fresh, kept, &[4]);
    }
    let graph = net.read(state, 4);
    // The state of zeros is read, but no layer makes it.
    assert_eq!(
        told(&graph, "in"),
        "4 of in.weight 1×3 + state.weight 1×4, by state + head"
    );
    assert_eq!(roles(&graph, "state.weight"), "RP");
    assert_eq!(grown(&graph, "state.weight", "in", 6), [6, 6]);
    assert_eq!(named(&graph, "in").producers(), ["in", "state"]);
    let state = &graph.parameters()[1];
    assert_eq!(state.roles, [Some(Role::Reader), Some(Role::Producer)]);
}

#[test]
fn what_is_made_of_a_first_state_is_data() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let state = net.node("zeros", Operation::Fill, &[], &[4]);
    let inner = net.linear("inner", state, 4, 5);
    let kept = net.linear("outer", inner, 5, 4);
    let fresh = net.linear("in", input, 3, 4);
    let x = net.sum(fresh, kept, &[4]);
    let graph = net.read(x, 4);
    assert_eq!(told(&graph, "inner"), "5 of inner.weight 1×4, by outer");
}

#[test]
fn a_number_for_all_samples_is_no_data() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let weight = net.parameter("a.weight", &[3, 4]);
    let x = net.node("a", Operation::Linear, &[input, weight], &[4]);
    let ones = net.of_parameters("ones", Operation::Fill, &[], &[4]);
    let x = net.sum(x, ones, &[4]);
    let graph = net.read(x, 4);
    assert_eq!(told(&graph, "a"), "4 of a.weight 1×3, by head");
}

#[test]
fn one_layer_makes_several_sites_where_it_is_cut() {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let x = net.linear("fused", input, 3, 8);
    let part = |net: &mut Net, start, end| {
        let ranges = vec![(0, 2, 1), (start, end, 1)];
        net.node("part", Operation::Slice { ranges }, &[x], &[end - start])
    };
    let (gate, value) = (part(&mut net, 0, 3), part(&mut net, 3, 6));
    let rest = part(&mut net, 6, 8);
    let times = Operation::Elementwise { adds: false };
    let gated = net.node("times", times, &[gate, value], &[3]);
    let both = Operation::Concatenate { axis: 1 };
    let x = net.node("both", both, &[gated, rest], &[5]);
    let graph = net.read(x, 5);
    assert_eq!(told(&graph, "fused"), "3 of fused.weight 1×6, by head");
    assert_eq!(told(&graph, "fused#2"), "2 of fused.weight 1×3, by head");
    assert_eq!(grown(&graph, "fused.weight", "fused", 5), [3, 12]);
    assert_eq!(grown(&graph, "head.weight", "fused", 5), [7, 2]);
    assert_eq!(grown(&graph, "head.weight", "fused#2", 5), [8, 2]);
    let (first, second) = (named(&graph, "fused"), named(&graph, "fused#2"));
    let [axis] = [&graph.parameters()[0].axes[1]];
    assert_eq!(axis.places(first.group(), 1), [1, 4]);
    assert_eq!(axis.places(second.group(), 1), [7]);
}
