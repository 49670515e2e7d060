//! The promises are numbered; whoever cites one cites a real one, and those that are held are held
//! in two places and proven in a test.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{self, Finding, Tree};

/// How many there are: I1..=I10.
const COUNT: u32 = 10;
/// The promises that this release holds.
const HELD: [u32; 9] = [1, 2, 3, 4, 5, 7, 8, 9, 10];
/// The promises that a later release holds, and why not this one.
#[cfg(test)]
const LATER: [(u32, &str); 1] =
    [(6, "codes of a pool come with the supply `codes`; derived codes are unique by construction")];

/// Citations of promises that do not exist, and promises that are cited too seldom.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_code: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    let mut in_tests: BTreeSet<u32> = BTreeSet::new();
    for source in ["rs", "lua", "md", "sql"].into_iter().flat_map(|ending| tree.under("", ending)) {
        if source.path.starts_with("tests/tidy") {
            continue;
        }
        for (line, word) in tree::words(&source.text) {
            let Some(number) = cited(word) else { continue };
            if !(1..=COUNT).contains(&number) {
                findings.push(source.finding(line, format!("there is no I{number}, only I1..I10")));
            } else if source.path.starts_with("src/") || source.path.starts_with("lua/") {
                in_code.entry(number).or_default().insert(&source.path);
            } else if source.path.starts_with("tests/") {
                in_tests.insert(number);
            }
        }
    }
    for number in HELD {
        let files = in_code.get(&number).map_or(0, BTreeSet::len);
        if files < 2 {
            let say =
                format!("I{number} is cited in {files} files; cite it where it is held twice");
            findings.push(Finding::at("src/", say));
        }
        if !in_tests.contains(&number) {
            let say = format!("cite I{number} at the test that would fail without it");
            findings.push(Finding::at("tests/it/", say));
        }
    }
    findings
}

fn cited(word: &str) -> Option<u32> {
    let digits = word.strip_prefix('I')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[test]
fn every_cited_promise_exists_and_every_held_one_is_cited() {
    tree::none(check(&Tree::load()));
}

#[test]
fn every_promise_is_held_now_or_has_a_reason_to_wait() {
    let later = LATER.map(|(number, _)| number);
    let all: BTreeSet<u32> = HELD.into_iter().chain(later).collect();
    assert_eq!(all, (1..=COUNT).collect());
}

#[test]
fn a_promise_that_is_not_there_or_not_cited_is_found() {
    let all = HELD.map(|number| format!("// I{number}\n")).concat();
    let files = |last: &'static str| {
        let (all, test) = (all.clone(), format!("{all}{last}"));
        [("src/a.rs", all.clone()), ("lua/b.lua", all), ("tests/it/c.rs", test)]
    };
    let check = |files: &[(&str, String)]| {
        let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (*p, t.as_str())).collect();
        check(&Tree::of(&files))
    };
    tree::none(check(&files("struct I; // I6")));
    tree::caught(check(&files("// I11")), "there is no I11");
    let mut once = files("");
    once[0].1 = once[0].1.replace("// I4\n", "");
    tree::caught(check(&once), "I4 is cited in 1 files");
    let mut unproven = files("");
    unproven[2].1 = unproven[2].1.replace("// I4\n", "");
    tree::caught(check(&unproven), "cite I4 at the test");
}
