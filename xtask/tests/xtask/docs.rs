//! What the documentation says of the repository is so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::succeeds;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pages of the book by their names.
fn chapters() -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join("docs/book/src")).expect("readable");
    let names = entries.map(|entry| entry.expect("readable").file_name());
    let names = names.map(|name| name.into_string().expect("a name"));
    let chapters = names.map(|name| {
        let text = read(Path::new("docs/book/src").join(&name));
        (name, text)
    });
    chapters.collect()
}

/// What stands between `start` and `end`, wherever that is in `text`.
fn between<'a>(text: &'a str, start: &str, end: &'a str) -> Vec<&'a str> {
    let parts = text.split(start).skip(1);
    parts.filter_map(|part| part.split(end).next()).collect()
}

#[test]
fn the_book_includes_files_that_are_tested_and_names_pages_that_are_there() {
    let chapters = chapters();
    let (_, summary) = chapters
        .iter()
        .find(|(name, _)| name == "SUMMARY.md")
        .expect("it");
    let mut listings = 0;
    for (name, text) in &chapters {
        assert!(
            name == "SUMMARY.md" || summary.contains(&format!("]({name})")),
            "{name}"
        );
        let mut links = between(text, "](", ")");
        let mut pages = Vec::new();
        for path in between(text, "{{#include ", "}}") {
            let included = read(Path::new("docs/book/src").join(path));
            if path.ends_with(".md") {
                pages.push(included);
            }
            let is_tested = ["/tests/", "/examples/"]
                .iter()
                .any(|part| path.contains(part));
            assert!(is_tested || path.ends_with(".md"), "{name}: {path}");
            listings += usize::from(is_tested);
        }
        links.extend(pages.iter().flat_map(|page| between(page, "](", ")")));
        for link in links {
            let (link, _) = link.split_once('#').unwrap_or((link, ""));
            // A place in the page itself has no page before its `#`.
            assert!(
                link.is_empty() || chapters.iter().any(|(other, _)| other == link),
                "{name}: {link}"
            );
        }
        // Rust that is not included is not tested.
        for listing in between(text, "```rust\n", "```") {
            assert!(listing.starts_with("{{#include "), "{name}: {listing}");
        }
    }
    assert!(listings >= 5);
}

#[test]
fn commands_of_the_book_are_ones_that_there_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut commands = 0;
    for (name, text) in chapters() {
        for listing in between(&text, "```console\n", "```") {
            let known = listing.lines().all(|line| line.starts_with("cargo "));
            assert!(known, "{name}: {listing}");
            for line in listing
                .lines()
                .filter_map(|line| line.strip_prefix("cargo xtask "))
            {
                let mut arguments: Vec<&str> = line.split(' ').collect();
                arguments.push("--help");
                succeeds(folder.path(), &arguments);
                commands += 1;
            }
        }
    }
    assert!(commands >= 3);
}

#[test]
fn every_dependency_is_named_with_its_reason_and_no_other() {
    let manifest = read("Cargo.toml");
    let table = manifest.split("[workspace.dependencies]").nth(1);
    let table = table
        .and_then(|rest| rest.split("\n[").next())
        .expect("a table");
    let asked: BTreeSet<&str> = table
        .lines()
        .filter(|line| !line.contains("path = "))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .collect();
    let docs = read("docs/dependencies.md");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|row| row.split_once("` | "));
    let named: BTreeSet<&str> = rows.map(|(name, _)| name).collect();
    assert!(asked.len() > 30, "{asked:?}");
    assert_eq!(asked, named);
}
