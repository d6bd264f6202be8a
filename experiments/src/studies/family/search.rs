//! The smallest network that is accurate enough: one run, against a sweep of widths.

use super::super::seed_count;
use super::run::{Family, Member};
use super::{SIZES, Way};
use crate::report::Table;
use crate::statistics::Mean;

/// Accuracies on held samples that are asked for.
const ASKED: [f64; 3] = [0.96, 0.97, 0.98];

/// What a run that stops as soon as it knows the smallest such size found.
struct Found<'a> {
    member: Option<&'a Member>,
    /// What it cost to know, in epochs of the largest.
    spent: f64,
}

fn found(way: Way, run: &Family, asked: f64) -> Found<'_> {
    let enough = |member: &&Member| member.held_accuracy >= asked;
    let all = run.members.iter();
    match way {
        // From the smallest on, until one is good enough.
        Way::Apart | Way::Grown => {
            let member = all.clone().find(enough);
            let last = member.or(run.members.last());
            Found {
                member,
                spent: last.map_or(0.0, |member| member.spent),
            }
        }
        // From the largest on, until one is not.
        Way::Pruned => {
            let member = all.clone().rev().take_while(enough).last();
            let failed = all.rev().find(|member| !enough(member));
            let last = failed.or(run.members.first());
            Found {
                member,
                spent: last.map_or(0.0, |member| member.spent),
            }
        }
    }
}

pub(super) fn table(ways: &[(Way, Vec<Family>)]) -> Table {
    let seeds = ways.first().map_or(0, |(_, runs)| runs.len());
    let mut rows = Vec::new();
    for asked in ASKED {
        for (way, runs) in ways {
            let all: Vec<Found<'_>> = runs.iter().map(|run| found(*way, run, asked)).collect();
            let members = || all.iter().filter_map(|found| found.member);
            let mean = |of: &dyn Fn(&Member) -> f64, digits| {
                let values: Vec<f64> = members().map(of).collect();
                match values.is_empty() {
                    true => "–".to_owned(),
                    false => Mean::of(&values).text_with_error(digits),
                }
            };
            let spent: Vec<f64> = all.iter().map(|found| found.spent).collect();
            rows.push(vec![
                format!("{:.0} %", 100.0 * asked),
                way.label().to_owned(),
                format!("{} of {}", members().count(), runs.len()),
                mean(&|member| member.width as f64, 1),
                mean(&|member| member.parameters as f64, 0),
                mean(&|member| 100.0 * member.test_accuracy, 2),
                Mean::of(&spent).text_with_error(1),
            ]);
        }
    }
    let columns = [
        "held accuracy asked for",
        "way",
        "found in",
        "its width",
        "its parameters",
        "its test accuracy %",
        "cost until it is known, epochs at full width",
    ];
    Table {
        name: "no-width-search".into(),
        title: format!(
            "optdigits, MLP 64-h-h-10: the smallest of the widths {} that is accurate enough, without \
             knowing it before ({}{})",
            SIZES.map(|width| width.to_string()).join(", "),
            seed_count(seeds),
            if seeds > 1 { ", mean ± standard error" } else { "" }
        ),
        columns: columns.map(str::to_owned).into(),
        rows,
        notes: vec![
            "The runs of the table before. Growing and the sweep from scratch go from the smallest width \
             up and stop at the first that is accurate enough on held samples; the run that is pruned \
             goes from the largest down and stops at the first that is not. The cost is that of all \
             widths tried until then, those without success too."
                .into(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run whose sizes have these held accuracies, the smallest first.
    fn run(way: Way, held: [f64; 4]) -> Family {
        let member = |size: usize| Member {
            width: SIZES[size],
            parameters: 100,
            held_accuracy: held[size],
            test_accuracy: 0.9,
            test_loss: 0.1,
            spent: match way {
                Way::Pruned => 30.0 * (4 - size) as f64,
                _ => 30.0 * (size + 1) as f64,
            },
        };
        Family {
            members: [0, 1, 2, 3].map(member).into(),
            cost: 120.0,
        }
    }

    #[test]
    fn a_search_ends_when_it_knows() {
        let held = [0.90, 0.95, 0.97, 0.96];
        for (way, asked, width, spent) in [
            (Way::Apart, 0.95, Some(16), 60.0),
            (Way::Grown, 0.97, Some(24), 90.0),
            (Way::Grown, 0.99, None, 120.0),
            (Way::Pruned, 0.96, Some(24), 90.0),
            (Way::Pruned, 0.97, None, 30.0),
            (Way::Pruned, 0.5, Some(8), 120.0),
        ] {
            let run = run(way, held);
            let found = found(way, &run, asked);
            assert_eq!(
                found.member.map(|member| member.width),
                width,
                "{way:?} {asked}"
            );
            assert_eq!(found.spent, spent, "{way:?} {asked}");
        }
    }
}
