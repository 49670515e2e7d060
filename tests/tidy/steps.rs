//! A verb takes steps. Who repeats them, with which pause and until when, is known to the one
//! runner in `src/app/repeat.rs` only; and how they ended is counted under words that the page of
//! the metrics has.

use std::collections::BTreeMap;

use crate::tables::{self, Places};
use crate::tokens::{self, Place};
use crate::tree::{self, Finding, Source, Tree};

/// The rooms of the verbs.
const VERBS: [&str; 7] = [
    "src/issue/",
    "src/observe/",
    "src/persist/",
    "src/prepare/",
    "src/reconcile/",
    "src/recover/",
    "src/settle/",
];
/// What only a runner needs.
const OF_RUNNERS: [&str; 4] = ["interval", "select", "spawn", "spawn_local"];
/// Files that need it for something else, and why.
const EXCEPTIONS: [(&str, &str); 4] = [
    ("src/issue/mod.rs", "the batcher and its connection end with the actix worker they serve"),
    ("src/issue/verdicts/simulation.rs", "it is a test"),
    ("src/issue/batcher.rs", "a slow look-up of an unknown id must not hold up the rounds"),
    ("src/observe/page_rows.rs", "a look that was given up would keep its connection"),
];
/// Where the words of the labels are.
const WORDS: &str = "src/telemetry/loops.rs";
const METRICS: &str = "docs/metrics.md";

/// Loops of verbs.
fn check_loops(tree: &Tree) -> Vec<Finding> {
    let files = VERBS.into_iter().flat_map(|verb| tree.under(verb, "rs"));
    let is_excepted = |source: &&Source| EXCEPTIONS.iter().any(|(path, _)| *path == source.path);
    files.filter(|source| !is_excepted(source)).flat_map(check_file).collect()
}

fn check_file(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for mention in tokens::mentions(source).iter().filter(|mention| !mention.place.in_test) {
        let of_runner = mention.segments.iter().find(|name| OF_RUNNERS.contains(&name.as_str()));
        if let (Some(name), true) = (of_runner, mention.segments[0] == "tokio") {
            let say = format!("`{name}` belongs to the runner: let the step return instead");
            findings.push(source.finding(mention.line, say));
        }
    }
    tokens::walk(&tokens::of(source), Place::default(), &mut |tokens, i, place| {
        let is_run = tokens::is_ident(tokens, i, 0, "run") && tokens::is_ident(tokens, i, 1, "fn");
        if is_run && !place.in_test {
            let say = "a verb has a `step`, which src/app/repeat.rs repeats, and no `run`";
            findings.push(source.finding(tokens::line(&tokens[i]), say));
        }
    });
    findings
}

/// Compares the words of the labels with those that the page of the metrics tells.
fn check_words(tree: &Tree) -> Vec<Finding> {
    let mut code = Places::new();
    for source in tree.under(WORDS, "rs") {
        for (line, text) in tokens::strings(source) {
            let is_label = ["loop", "outcome"].contains(&text.as_str());
            if tree::is_snake(&text) && !text.starts_with("firstcome_") && !is_label {
                code.insert(text, (source, line));
            }
        }
    }
    let text = tree.find(METRICS).map_or("", |source| &source.text);
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    let mut is_section = false;
    for (index, line) in text.lines().enumerate() {
        is_section = line.starts_with("`loop` is one of") || is_section && !line.is_empty();
        let words = line.split('`').skip(1).step_by(2).filter(|_| is_section);
        told.extend(
            words.filter(|word| !["loop", "outcome"].contains(word)).map(|w| (w, index + 1)),
        );
    }
    let told: Vec<(usize, &str)> = told.into_iter().map(|(word, line)| (line, word)).collect();
    tables::compare(tree, "loop or outcome", &code, METRICS, &told)
}

#[test]
fn verbs_take_steps_and_repeat_none() {
    tree::none(check_loops(&Tree::load()));
}

#[test]
fn every_loop_and_outcome_is_told_and_every_told_one_exists() {
    tree::none(check_words(&Tree::load()));
}

#[test]
fn a_loop_in_a_verb_is_found_in_every_form() {
    for text in [
        "pub async fn run(self) {}",
        "fn f() { tokio::select! { () = a => {} } }",
        "use tokio::{spawn, time};",
        "fn f() { tokio::task::spawn_local(a) }",
        "use tokio::time::interval;",
    ] {
        let findings = check_loops(&Tree::of(&[("src/persist/mod.rs", text)]));
        assert_eq!(findings.len(), 1, "{text}");
    }
    for (path, text) in [
        ("src/app/repeat.rs", "fn run() { tokio::select! {} }"),
        ("src/persist/mod.rs", "fn f() { spawn_blocking(a); runs() } fn step() {}"),
        ("src/persist/mod.rs", "#[cfg(test)] mod tests { fn f() { tokio::spawn(a) } }"),
    ] {
        tree::none(check_loops(&Tree::of(&[(path, text)])));
    }
}

#[test]
fn a_word_of_a_label_that_only_one_side_has_is_found() {
    let code = (WORDS, "fn w() { \"relay\"; \"loop\"; \"firstcome_loop_steps_total\" }");
    let check = |text: &str| check_words(&Tree::of(&[code, (METRICS, text)]));
    tree::none(check("`loop` is one of `relay`\n(a); its `outcome`\n\n`other`"));
    tree::caught(check("`relay`\n\n`loop` is one of none"), "tell the loop or outcome relay");
    tree::caught(check("`loop` is one of `relay`, `sweep`"), "no loop or outcome sweep");
}
