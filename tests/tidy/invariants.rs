//! The promises are numbered; whoever cites one cites a real one, and those that are held are held
//! in two places and proven in a test. The steps of the protocols are numbered too; whoever cites
//! one cites a heading of their page.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{self, Finding, Source, Tree};

/// How many there are: I1..=I10.
const COUNT: u32 = 10;
/// The promises that this release holds.
const HELD: [u32; 9] = [1, 2, 3, 4, 5, 7, 8, 9, 10];
/// The promises that a later release holds, and why not this one.
#[cfg(test)]
const LATER: [(u32, &str); 1] =
    [(6, "codes of a pool come with the supply `codes`; derived codes are unique by construction")];
/// The page whose headings are the steps of the protocols.
const PROTOCOLS: &str = "docs/protocols.md";
/// Documents that are not part of the project, so that no reader can look up what is cited.
const ABSENT: [&str; 2] = ["DESIGN", "PROTOCOLS"];
/// The beginning of a line of a comment.
const COMMENT_MARKS: [&str; 5] = ["//", "///", "//!", "--", "--!"];

/// A step of a protocol: (2, 6) is P2 step 6.
type Step = (u32, u32);

/// Citations of promises that do not exist, and promises that are cited too seldom.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_code: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    let mut in_tests: BTreeSet<u32> = BTreeSet::new();
    for source in citing(tree) {
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

/// Citations of steps that the page of the protocols does not have, and of documents that the
/// project does not have.
pub fn check_steps(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.find(PROTOCOLS) else {
        return vec![Finding::at(PROTOCOLS, "there is no such document")];
    };
    let headings = page.text.lines().filter(|line| line.starts_with("### P"));
    let defined: BTreeSet<Step> = headings.flat_map(cited_steps).map(|(_, step)| step).collect();
    let mut findings = Vec::new();
    for source in citing(tree) {
        for (line, step) in cited_steps(&source.text) {
            if !defined.contains(&step) {
                let (protocol, number) = step;
                let say = format!("{PROTOCOLS} has no heading `### P{protocol} step {number}: …`");
                findings.push(source.finding(line, say));
            }
        }
        for (line, word) in tree::words(&source.text).filter(|(_, word)| ABSENT.contains(word)) {
            let say = format!("the project has no document {word}: cite a page that it has");
            findings.push(source.finding(line, say));
        }
    }
    findings
}

/// The files in which something may be cited.
fn citing(tree: &Tree) -> impl Iterator<Item = &Source> {
    let files =
        ["rs", "lua", "md", "sql"].into_iter().flat_map(move |ending| tree.under("", ending));
    files.filter(|source| !source.path.starts_with("tests/tidy"))
}

fn cited(word: &str) -> Option<u32> {
    let digits = word.strip_prefix('I')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The steps that a text cites, with their lines: `P2 step 6`, `P1 steps 5 to 7 and 12`,
/// `P2 steps 4-8`, also across the lines of a comment.
fn cited_steps(text: &str) -> Vec<(usize, Step)> {
    let lines = text.lines().enumerate();
    let pieces: Vec<(usize, &str)> = lines
        .flat_map(|(index, line)| line.split_whitespace().map(move |piece| (index + 1, piece)))
        .filter(|(_, piece)| !COMMENT_MARKS.contains(piece))
        .collect();
    let mut steps = Vec::new();
    for (at, pair) in pieces.windows(2).enumerate() {
        let [(line, name), (_, word)] = pair else { continue };
        let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let protocol = name.strip_prefix('P').and_then(|digits| digits.parse::<u32>().ok());
        let (Some(protocol), "step" | "steps") = (protocol, *word) else { continue };
        let rest = pieces[at + 2..].iter().map(|(_, piece)| *piece);
        let numbers = numbers(rest, *word == "steps");
        steps.extend(numbers.into_iter().map(|number| (*line, (protocol, number))));
    }
    steps
}

/// The numbers at the beginning of these pieces, with all numbers of a range; only the first one
/// unless they are a list.
fn numbers<'a>(pieces: impl Iterator<Item = &'a str>, is_list: bool) -> Vec<u32> {
    let mut numbers: Vec<u32> = Vec::new();
    let mut is_range = false;
    for piece in pieces {
        if piece == "and" || piece == "to" {
            is_range = piece == "to";
            continue;
        }
        let (first, mut rest) = split_digits(piece);
        let Ok(mut last) = first.parse::<u32>() else { break };
        let before = numbers.last().copied().filter(|_| is_range);
        let first = before.map_or(last, |before| before + 1);
        if let Some((digits, after)) = rest.strip_prefix('-').map(split_digits) {
            (last, rest) = (digits.parse().unwrap_or(last), after);
        }
        numbers.extend(first..=last);
        is_range = false;
        if !is_list || !["", ","].contains(&rest) {
            break;
        }
    }
    numbers
}

/// The digits that a text begins with, and the rest of it.
fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
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

#[test]
fn every_cited_step_is_a_heading_of_the_protocols() {
    tree::none(check_steps(&Tree::load()));
}

#[test]
fn a_step_that_is_not_there_and_a_document_that_is_not_there_are_found() {
    let headings = [(2, 4), (2, 5), (2, 6), (5, 1)];
    let page = headings.map(|(protocol, step)| format!("### P{protocol} step {step}: a\n"));
    let page = format!("# Protocols\n## P2: b\n{}", page.concat());
    let check = |text: &str| check_steps(&Tree::of(&[(PROTOCOLS, &page), ("src/a.rs", text)]));
    tree::none(check(
        "//! As a design (P2\n//! step 6; I3), P2 steps 4 and 5. P2 steps 4,\n/// 5 and 6: P2 steps
        4-6). P2 steps 4 to 6, P5 step 1's, [P2 step 5](#a), P2 step 5, 150 ms, P2, PT step 7",
    ));
    for (text, say) in [
        ("// (I3; P2 step 7).", "no heading `### P2 step 7:"),
        ("//! a (P2\n//! step 3) b", "no heading `### P2 step 3:"),
        ("// P2 steps 4, 5 and 8", "no heading `### P2 step 8:"),
        ("/// (P2 steps\n/// 5-7)", "no heading `### P2 step 7:"),
        ("// P2 steps 5 to 7 do it", "no heading `### P2 step 7:"),
        ("// \"P3 step 4\"", "no heading `### P3 step 4:"),
        ("// no index (DESIGN section 9)", "no document DESIGN"),
    ] {
        tree::caught(check(text), say);
    }
    tree::caught(check_steps(&Tree::default()), "there is no such document");
}
