//! Checks that the operators' page explains every sentence that a test gets from `/readyz`.

use std::sync::LazyLock;

use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/operate.md");

/// The sentences of the tables of two sections; `…` stands for what differs.
static EXPLAINED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let says = sentences("/readyz is 503").map(str::to_owned);
    says.chain(sentences("recovering").map(|why| format!("recovering: {why}"))).collect()
});

fn sentences(title: &str) -> impl Iterator<Item = &'static str> {
    let begins = format!("{title}\n");
    let section = PAGE.split("\n## ").find(|section| section.starts_with(&begins)).unwrap();
    let rows = section.lines().filter_map(|line| line.trim_start().strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let cells = cells.filter(|cell| !cell.ends_with(" says") && !cell.starts_with("any other"));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2))
}

/// Fails when an answer of `/readyz` has a sentence that the page does not explain.
///
/// # Panics
/// With that sentence.
pub fn explains(readiness: &Value) {
    for list in ["reasons", "warnings"] {
        for sentence in readiness[list].as_array().unwrap() {
            let sentence = sentence.as_str().unwrap();
            let is_explained = EXPLAINED.iter().any(|pattern| has_form(sentence, pattern));
            assert!(is_explained, "docs/operate.md does not explain {list} {sentence:?}");
        }
    }
}

fn has_form(sentence: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('…').map(str::trim_end);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = sentence.strip_prefix(first) else { return false };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

#[test]
fn a_sentence_is_known_by_its_words_and_not_by_its_numbers() {
    assert!(has_form("Redis has not answered for 12 s: timed out", &EXPLAINED[0]));
    assert!(has_form("the code key k7 is not in FIRSTCOME_CODE_KEYS", "the code key … is not in"));
    assert!(!has_form("the code key k7 is lost", "the code key … is not in FIRSTCOME_CODE_KEYS"));
    assert!(!has_form("Valkey has not answered", &EXPLAINED[0]));
}
