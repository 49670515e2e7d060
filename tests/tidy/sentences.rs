//! The sentences of `/readyz` that the operators' page explains: the code says each of them. That
//! the page explains each that is said is seen by `tests/it`, wherever a test asks `/readyz`.

use crate::tokens;
use crate::tree::{self, Finding, Tree};

const DOCUMENT: &str = "docs/operate.md";
/// The section with the tables of sentences.
const SECTION: &str = "## /readyz is 503";
/// A piece of a sentence that is as long as this is nobody else's.
const PIECE_MIN_BYTES: usize = 10;
/// Stands in a sentence for what differs.
const ANYTHING: char = '…';

/// The sentences that nothing in the code says.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(document) = tree.find(DOCUMENT) else {
        return vec![Finding::at(DOCUMENT, "there is no such document")];
    };
    let said: Vec<String> = tree.under("src", "rs").into_iter().flat_map(said).collect();
    let mut findings = Vec::new();
    let mut is_section = false;
    for (index, line) in document.text.lines().enumerate() {
        if line.starts_with("## ") {
            is_section = line == SECTION;
        }
        let Some(cell) = line.strip_prefix("| ").filter(|_| is_section) else { continue };
        let cell = cell.split(" | ").next().unwrap_or_default();
        if cell.ends_with(" says") {
            continue;
        }
        for sentence in cell.split('`').skip(1).step_by(2) {
            let own = longest_piece(sentence);
            let says = |text: &String| {
                text.contains(&own) || own.contains(text) && text.len() * 2 >= own.len()
            };
            if !said.iter().any(says) {
                let say = format!("nothing in src says {own:?}");
                findings.push(document.finding(index + 1, say));
            }
        }
    }
    findings
}

/// What a file says between the values that it puts in; short pieces prove nothing.
fn said(source: &tree::Source) -> Vec<String> {
    let one_line = |text: String| {
        let mut lines = text.split("\\\n");
        let first = lines.next().unwrap_or_default().to_owned();
        lines.fold(first, |text, line| text + line.trim_start())
    };
    let pieces = |text: String| {
        let pieces = text.split(['{', '}']).map(words);
        pieces.filter(|piece| piece.len() >= PIECE_MIN_BYTES).collect::<Vec<_>>()
    };
    let strings = tokens::strings(source).into_iter();
    strings.flat_map(|(_, text)| pieces(one_line(text))).collect()
}

/// What no value stands in.
fn longest_piece(sentence: &str) -> String {
    let pieces = sentence.trim_start_matches("recovering: ").split(ANYTHING).map(words);
    pieces.max_by_key(|piece| piece.len()).unwrap_or_default()
}

fn words(piece: &str) -> String {
    piece.trim_matches(|letter: char| !letter.is_alphanumeric()).to_owned()
}

#[test]
fn every_sentence_that_is_explained_is_said() {
    tree::none(check(&Tree::load()));
}

#[test]
fn a_sentence_that_nobody_says_is_found() {
    let source =
        ("src/a.rs", "fn a() { say(\"the shard {shard} is too \\\n    full now: {error}\") }");
    let check = |line: &str| {
        let document = format!("# Operate\n\n{SECTION}\n\n{line}\n\n## Else\n\n| `never said` |\n");
        check(&Tree::of(&[(DOCUMENT, &document), source]))
    };
    tree::none(check("| `the shard … is too full now: …` | `anything` |"));
    tree::none(check("| any other `recovering: your shard is too full now` | |"));
    tree::caught(check("| `the shard … is too empty: …` | x |"), "is too empty");
    tree::caught(check("| `a thing is too full`, `full` | x |"), "a thing");
}
