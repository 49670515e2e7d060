//! Three of a kind: a script, its signature in Rust and its test; and all of them are run dry.

use std::collections::BTreeSet;

use crate::tree::{self, Finding, Tree};

/// Files beside the scripts' own, by stem, and why they are there.
const OTHERS: [(&str, &str); 3] = [
    ("mod", "the list of the scripts"),
    ("dry_run", "all of them, to see whether they may run"),
    ("parts", "what they share"),
];

/// The folders and endings of the three.
const KINDS: [(&str, &str); 3] = [("lua/", "lua"), ("src/lua/", "rs"), ("tests/it/lua/", "rs")];

/// Scripts of which one of the three is missing.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let stems = |folder: &str, ending: &str| -> BTreeSet<String> {
        let files = tree.under(folder, ending).into_iter();
        let own = files.filter(|file| file.path == format!("{folder}{}.{ending}", file.stem()));
        let own = own.filter(|file| OTHERS.iter().all(|(other, _)| *other != file.stem()));
        own.map(|file| file.stem().to_owned()).collect()
    };
    let found = KINDS.map(|(folder, ending)| stems(folder, ending));
    let all: BTreeSet<String> = found.iter().flatten().cloned().collect();
    let mut findings = Vec::new();
    for (stems, (folder, ending)) in found.iter().zip(KINDS) {
        for stem in all.difference(stems) {
            let say = format!("write it: the script `{stem}` has three files of this name");
            findings.push(Finding::at(format!("{folder}{stem}.{ending}"), say));
        }
    }
    if let Some(dry_run) = tree.find("src/lua/dry_run.rs") {
        for stem in
            found[0].iter().filter(|stem| !dry_run.text.contains(&format!("{stem}::SCRIPT")))
        {
            let say = format!("run the script `{stem}` dry too, to its end");
            findings.push(Finding::at(&dry_run.path, say));
        }
    }
    findings
}

#[test]
fn every_script_has_its_signature_and_its_test() {
    tree::none(check(&Tree::load()));
}

#[test]
fn a_missing_third_is_found() {
    let two = [("lua/issue.lua", ""), ("src/lua/issue.rs", ""), ("src/lua/mod.rs", "")];
    tree::caught(check(&Tree::of(&two)), "tests/it/lua/issue.rs");
    let two = [("tests/it/lua/issue.rs", ""), ("src/lua/issue.rs", "")];
    tree::caught(check(&Tree::of(&two)), "lua/issue.lua");
}

#[test]
fn a_script_that_is_not_run_dry_is_found() {
    let files = [
        ("lua/issue.lua", ""),
        ("src/lua/issue.rs", ""),
        ("tests/it/lua/issue.rs", ""),
        ("src/lua/dry_run.rs", "preload::SCRIPT"),
    ];
    tree::caught(check(&Tree::of(&files)), "`issue` dry");
}
