//! The dialects of the store match file by file, so that two folders can be read side by side.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{self, Finding, Tree};

const STORE: &str = "src/store/";
/// Files that one dialect alone needs: its folder, the file, and why.
const ALONE: [(&str, &str, &str); 6] = [
    (
        "sqlite",
        "bulk.rs",
        "PostgreSQL binds arrays (UNNEST); only SQLite spells VALUES of many rows",
    ),
    ("postgres", "hosts.rs", "a file has no host"),
    ("postgres", "opening.rs", "a file is there, or is made; a server is waited for"),
    ("postgres", "migrating.rs", "a file is migrated by whoever opens it"),
    ("postgres", "migrations.rs", "a file has no other who could migrate it"),
    ("postgres", "pooler.rs", "no pooler stands before a file"),
];

/// Files that one dialect has and another has not.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut dialects: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for path in tree.paths().filter_map(|path| path.strip_prefix(STORE)) {
        let Some((dialect, file)) = path.split_once('/') else { continue };
        let alone = ALONE.iter().any(|(one, own, _)| (*one, *own) == (dialect, file));
        let files = dialects.entry(dialect).or_default();
        if !alone {
            files.insert(file);
        }
    }
    let all: BTreeSet<&str> = dialects.values().flatten().copied().collect();
    let mut findings = Vec::new();
    for (dialect, files) in &dialects {
        for file in all.difference(files) {
            let say = "write it: the other dialects have a file of this name";
            findings.push(Finding::at(format!("{STORE}{dialect}/{file}"), say));
        }
    }
    findings
}

#[test]
fn the_dialects_match_file_by_file() {
    tree::none(check(&Tree::load()));
}

#[test]
fn a_file_that_one_dialect_lacks_is_found() {
    let files = [
        ("src/store/mod.rs", ""),
        ("src/store/sqlite/mod.rs", ""),
        ("src/store/sqlite/tickets.rs", ""),
        ("src/store/postgres/mod.rs", ""),
    ];
    tree::caught(check(&Tree::of(&files)), "src/store/postgres/tickets.rs");
}

#[test]
fn a_file_that_one_dialect_alone_needs_is_fine_there_and_nowhere_else() {
    let with_bulk = |dialect: &str| {
        let path = format!("src/store/{dialect}/bulk.rs");
        let files = [("src/store/sqlite/mod.rs", ""), ("src/store/postgres/mod.rs", "")];
        check(&Tree::of(&[&files[..], &[(&path, "")]].concat()))
    };
    tree::none(with_bulk("sqlite"));
    tree::caught(with_bulk("postgres"), "src/store/sqlite/bulk.rs");
}
