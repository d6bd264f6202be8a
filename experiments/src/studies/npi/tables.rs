//! The paper's tables, its figures beside ours, and the table of proofs.

use super::seeds;
use super::setups::Setup;
use super::unit::{Outcome, PROBLEMS};
use crate::report::Table;
use crate::statistics::{Mean, range};
use crate::studies::seed_count;
use crate::study::StudySettings;

/// The outcomes of each setup.
pub(super) type Outcomes = [(&'static Setup, Vec<Outcome>)];

/// A table of the paper: its name, heading, and setups with the heads of their columns.
struct Layout {
    name: &'static str,
    title: &'static str,
    columns: &'static [(&'static str, &'static str)],
    notes: &'static [&'static str],
}

const LAYOUTS: [Layout; 6] = [
    Layout {
        name: "table-1",
        title: "Table 1: bubble sort that sees the digits, trained on all 100 pairs",
        columns: &[
            ("bubble-raw-none", "loops"),
            ("bubble-raw-partial", "partly recursive"),
            ("bubble-raw-full", "recursive"),
        ],
        notes: &["The paper says 100 traces of length 2; that they are all pairs is our reading."],
    },
    Layout {
        name: "table-2",
        title: "Table 2: topological sort, trained on one graph of 5 vertices",
        columns: &[("one-graph-none", "loops"), ("one-graph-full", "recursive")],
        notes: &[],
    },
    Layout {
        name: "table-3",
        title: "Table 3: quicksort, trained on four lists of 5",
        columns: &[("quicksort-none", "loops"), ("quicksort-full", "recursive")],
        notes: &[
            "Our lists were chosen so that the recursive program's 32 calls are among theirs.",
        ],
    },
    Layout {
        name: "table-4",
        title: "Table 4: bubble sort that sees comparisons, trained on two lists of 7 and one of 6",
        columns: &[("bubble-none", "loops"), ("bubble-full", "recursive")],
        notes: &[
            "Our lists were chosen so that 29 of the recursive program's 31 calls are among \
                  theirs: the other two are those of a single element.",
        ],
    },
    Layout {
        name: "graphs",
        title: "Topological sort, trained on one graph of 5 and five of 7 vertices",
        columns: &[
            ("topological-none", "loops"),
            ("topological-full", "recursive"),
        ],
        notes: &["The paper has no table of these: it says that both work to 120 vertices."],
    },
    Layout {
        name: "sums",
        title: "Addition, trained on 200 sums, of the longest of which one number is 199",
        columns: &[("addition-none", "loops"), ("addition-full", "recursive")],
        notes: &[
            "The paper has no table of these: it says that both work to 5,000 digits. A dash \
                  is a size that was not tried.",
        ],
    },
];

/// All tables.
pub(super) fn all(settings: &StudySettings, outcomes: &Outcomes) -> Vec<Table> {
    let tables = LAYOUTS
        .iter()
        .map(|layout| solved(layout, settings, outcomes));
    let mut tables: Vec<Table> = tables.collect();
    tables.push(proofs(outcomes));
    tables
}

fn solved(layout: &Layout, settings: &StudySettings, outcomes: &Outcomes) -> Table {
    let found: Vec<_> = layout
        .columns
        .iter()
        .filter_map(|(method, head)| {
            let (setup, outcomes) = outcomes.iter().find(|(setup, _)| setup.method == *method)?;
            Some((*head, *setup, outcomes))
        })
        .collect();
    let heads = found.iter().flat_map(|(head, setup, _)| {
        let seeds = seed_count(seeds(settings, setup));
        [format!("{head}, paper"), format!("{head}, ours ({seeds})")]
    });
    let all_sizes = found.iter().map(|(_, setup, _)| setup.sizes);
    let sizes = all_sizes.max_by_key(|sizes| sizes.len()).unwrap_or(&[]);
    let rows = sizes.iter().enumerate().map(|(index, size)| {
        let cells = found.iter().flat_map(|(_, setup, outcomes)| {
            let paper = setup.paper.get(index).copied().flatten();
            let shares = outcomes.iter().filter_map(|o| o.solved.get(index).copied());
            [
                paper.map_or("–".into(), |percent| format!("{percent}")),
                Mean::of(&shares.collect::<Vec<_>>()).text(1),
            ]
        });
        std::iter::once(size.to_string()).chain(cells).collect()
    });
    let mut notes = vec![format!(
        "Percent of {PROBLEMS} random problems of each size and seed that are solved, within four \
         times the oracle's steps."
    )];
    notes.extend(layout.notes.iter().map(|note| (*note).to_owned()));
    Table {
        name: layout.name.into(),
        title: layout.title.into(),
        columns: std::iter::once("size".to_owned()).chain(heads).collect(),
        rows: rows.collect(),
        notes,
    }
}

fn proofs(outcomes: &Outcomes) -> Table {
    let proved = outcomes.iter().filter(|(setup, _)| setup.has_proof());
    let rows = proved.map(|(setup, outcomes)| {
        let first: Vec<_> = outcomes.iter().filter_map(|o| o.proof).collect();
        let after: Vec<_> = outcomes.iter().filter_map(|o| o.after).collect();
        let of = |proved: usize| format!("{proved} of {}", outcomes.len());
        let wrong = first.iter().map(|proof| proof.wrong).max().unwrap_or(0);
        let exact = outcomes.iter().filter_map(|o| o.exact_at);
        let exact: Vec<f64> = exact.map(|step| step as f64).collect();
        vec![
            setup.method.to_owned(),
            setup.hidden.to_string(),
            outcomes.first().map_or(0, |o| o.calls).to_string(),
            range(&exact, 0),
            size_text(first.first().map(|p| (p.sequences, p.prefixes))),
            of(first.iter().filter(|proof| proof.wrong == 0).count()),
            wrong.to_string(),
            size_text(after.first().map(|(p, _)| (p.sequences, p.prefixes))),
            of(after.iter().filter(|(proof, _)| proof.wrong == 0).count()),
        ]
    });
    let columns = [
        "network",
        "units",
        "calls trained on",
        "steps to exact",
        "calls (prefixes)",
        "seeds proved",
        "most wrong",
        "all calls (prefixes)",
        "proved after counter-examples",
    ];
    Table {
        name: "proofs".into(),
        title: "Recursive networks compared with their oracles on every call there can be".into(),
        columns: columns.map(str::to_owned).into(),
        rows: rows.collect(),
        notes: vec![
            "A network that is right at every prefix of every call solves every problem of every \
             size. Bubble sort's first proof is for two elements and more, as its training; the \
             second for one and more."
                .into(),
            "Counter-examples are the calls of the proof in which the network is wrong; training \
             goes on with them, three times at most."
                .into(),
        ],
    }
}

fn size_text(size: Option<(usize, usize)>) -> String {
    size.map_or("–".into(), |(sequences, prefixes)| {
        format!("{sequences} ({prefixes})")
    })
}
