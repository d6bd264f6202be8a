//! Where a model may become deeper.

use burgeon_graph::{Graph, GraphError, Overgrown, Place};

use crate::net::Net;

fn graph() -> Graph {
    let mut net = Net::new();
    let input = net.input(&[3]);
    let x = net.linear("a", input, 3, 4);
    net.read(x, 4)
}

fn place(stack: &str, after: Option<usize>) -> Place {
    Place {
        stack: stack.into(),
        after,
        block: format!("{stack}.1"),
        ids: Vec::new(),
        opening: Vec::new(),
        closing: Vec::new(),
    }
}

fn deep() -> Graph {
    let mut graph = graph();
    let places = vec![
        place("body", None),
        place("body", Some(0)),
        place("tail", Some(2)),
    ];
    let overgrown = Overgrown {
        graph: graph.clone(),
        places,
    };
    let refused = vec![("side".to_owned(), "it is read twice".to_owned())];
    graph.set_depth(Some(overgrown), refused);
    graph
}

#[test]
fn places_are_found_by_stack_and_block() {
    let graph = deep();
    for (stack, after) in [("body", None), ("body", Some(0)), ("tail", Some(2))] {
        let (overgrown, found) = graph.place(stack, after).expect("a place");
        assert_eq!(*found, place(stack, after));
        assert_eq!(overgrown.nodes().len(), 2);
    }
    assert_eq!(graph.places().len(), 3);
    assert_eq!(graph.stacks(), ["body", "tail"]);
    assert_eq!(graph.overgrown().map(|own| own.sites().len()), Some(2));
    let refused = ("side".to_owned(), "it is read twice".to_owned());
    assert_eq!(graph.refused_stacks(), [refused]);
}

#[test]
fn a_place_that_is_not_there_is_explained() {
    let graph = deep();
    let problem = |stack: &str, after| graph.place(stack, after).expect_err("no place");
    let refused = GraphError::RefusedStack {
        stack: "side".into(),
        reason: "it is read twice".into(),
    };
    assert_eq!(problem("side", None), refused);
    for (after, place) in [(Some(1), "behind block 1"), (Some(7), "behind block 7")] {
        let unknown = GraphError::UnknownPlace {
            stack: "body".into(),
            place: place.into(),
        };
        assert_eq!(problem("body", after), unknown);
    }
    let unknown = GraphError::UnknownPlace {
        stack: "tail".into(),
        place: "at the front".into(),
    };
    assert_eq!(problem("tail", None), unknown);
    let unknown = |known: &str| GraphError::UnknownStack {
        stack: "head".into(),
        known: known.into(),
    };
    assert_eq!(problem("head", None), unknown("body, tail"));
    let shallow = self::graph();
    let found = shallow.place("head", None).expect_err("no place");
    assert_eq!(found, unknown("none"));
    assert!(shallow.places().is_empty() && shallow.overgrown().is_none());
}

#[test]
fn the_summary_says_where_layers_may_come() {
    let text = deep().to_string();
    let expected = "\n`body` takes new layers: at the front, behind block 0\n\
                    `tail` takes new layers: behind block 2\n\
                    `side` takes no new layers: it is read twice";
    assert!(text.ends_with(expected), "{text}");
    assert!(!graph().to_string().contains("takes"));
}

#[test]
fn a_place_holds_what_lies_in_its_block() {
    let own = place("body", None);
    assert!(own.holds("body.1") && own.holds("body.1.weight"));
    for other in ["body.10", "body.10.weight", "body", "body.0", "1.body.1"] {
        assert!(!own.holds(other), "{other}");
    }
}
