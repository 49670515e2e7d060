//! How a file may look, and what no line of it may do.

use proc_macro2::TokenTree;

use crate::tokens::{self, Place};
use crate::tree::{self, Finding, Source, Tree};

/// Columns of a line of Rust or Lua.
const LINE_MAX_COLUMNS: usize = 100;
/// Lines of a file of Rust or Lua.
const FILE_MAX_LINES: usize = 300;
/// Lints that must stand in Cargo.toml, because they hold rules that are then not checked here.
const LINTS: [&str; 6] =
    ["unsafe_code", "unwrap_used", "expect_used", "todo", "dbg_macro", "too_many_lines"];

/// Files and lines that are too long.
pub fn check_size(tree: &Tree) -> Vec<Finding> {
    let files = ["src/", "tests/", "lua/", "bench/"].into_iter().flat_map(|folder| {
        ["rs", "lua"].into_iter().flat_map(move |ending| tree.under(folder, ending))
    });
    files.flat_map(sizes_of).collect()
}

fn sizes_of(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_MAX_LINES {
        let say =
            format!("{lines} lines: give what hangs together a file of its own (at most 300)");
        findings.push(source.finding(FILE_MAX_LINES + 1, say));
    }
    for (index, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > LINE_MAX_COLUMNS {
            let say = format!("{columns} columns: break the line (at most 100)");
            findings.push(source.finding(index + 1, say));
        }
    }
    findings
}

/// Words in code that are not for a finished line.
pub fn check_words(tree: &Tree) -> Vec<Finding> {
    let folders = ["src/", "tests/", "bench/"].into_iter();
    folders.flat_map(|folder| tree.under(folder, "rs")).flat_map(words_of).collect()
}

fn words_of(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    tokens::walk(&tokens::of(source), Place::default(), &mut |tokens, i, _| {
        let line = tokens::line(&tokens[i]);
        if let Some(say) = attribute(tokens, i).or_else(|| call(&source.path, tokens, i)) {
            findings.push(source.finding(line, say));
        }
    });
    findings
}

fn attribute(tokens: &[TokenTree], i: usize) -> Option<&'static str> {
    let TokenTree::Group(group) = &tokens[i] else { return None };
    if !tokens::is_attribute(tokens, i) {
        return None;
    }
    let mut found = None;
    tokens::walk(&tokens::inside(group), Place::default(), &mut |inner, at, _| {
        let called = matches!(inner.get(at + 1), Some(TokenTree::Group(_)));
        if at == 0 && tokens::is_ident(inner, at, 0, "ignore") {
            found = Some("a test that does not run proves nothing: mend it or delete it");
        } else if called && tokens::is_ident(inner, at, 0, "allow") {
            found = Some("write #[expect(…, reason = \"…\")] instead of allow");
        } else if called && tokens::is_ident(inner, at, 0, "expect") && !has_reason(inner, at + 1) {
            found = Some("say why: #[expect(…, reason = \"…\")]");
        }
    });
    found
}

fn has_reason(tokens: &[TokenTree], i: usize) -> bool {
    let Some(TokenTree::Group(group)) = tokens.get(i) else { return false };
    let inner = tokens::inside(group);
    (0..inner.len()).any(|at| tokens::is_ident(&inner, at, 0, "reason"))
}

fn call(path: &str, tokens: &[TokenTree], i: usize) -> Option<&'static str> {
    let bang = |name: &str| {
        tokens::is_ident(tokens, i, 0, name) && tokens::is_punct(tokens, i + 1, 0, '!')
    };
    if bang("todo") || bang("unimplemented") {
        return Some("build it now, or leave it out");
    }
    let called = matches!(tokens.get(i + 1), Some(TokenTree::Group(_)));
    let defined = tokens::is_ident(tokens, i, 1, "fn");
    let waits = tokens::is_ident(tokens, i, 0, "sleep") && called && !defined;
    let may_wait = path.starts_with("tests/it/support/") || !path.starts_with("tests/it/");
    (waits && !may_wait).then_some("wait for what should happen with `eventually`, not for a time")
}

/// Lints that are missing from Cargo.toml.
pub fn check_lints(tree: &Tree) -> Vec<Finding> {
    let Some(source) = tree.find("Cargo.toml") else {
        return vec![Finding::at("Cargo.toml", "is missing")];
    };
    let mut set = Vec::new();
    let mut in_lints = false;
    for line in source.text.lines() {
        if line.starts_with('[') {
            in_lints = line.starts_with("[lints");
        } else if let (true, Some((name, level))) = (in_lints, line.split_once('=')) {
            let level = level.trim().trim_start_matches("{ level =").trim();
            let on = ["\"warn\"", "\"deny\"", "\"forbid\""].iter().any(|l| level.starts_with(l));
            set.extend(on.then(|| name.trim()));
        }
    }
    let missing = LINTS.into_iter().filter(|lint| !set.contains(lint));
    let say = |lint| {
        source.finding(1, format!("set the lint `{lint}` below [lints.rust] or [lints.clippy]"))
    };
    missing.map(say).collect()
}

#[test]
fn every_file_and_every_line_fits_on_a_screen() {
    tree::none(check_size(&Tree::load()));
}

#[test]
fn no_line_puts_work_off_hides_a_lint_or_waits_for_a_time() {
    tree::none(check_words(&Tree::load()));
}

#[test]
fn the_lints_that_hold_rules_of_the_house_are_on() {
    tree::none(check_lints(&Tree::load()));
}

#[test]
fn a_long_file_and_a_long_line_are_found() {
    let long = "\n".repeat(301);
    tree::caught(check_size(&Tree::of(&[("src/lib.rs", &long)])), "301 lines");
    let wide = format!("-- {}", "é".repeat(98));
    tree::caught(check_size(&Tree::of(&[("lua/issue.lua", &wide)])), "101 columns");
}

#[test]
fn a_word_of_unfinished_work_is_found() {
    for text in [
        "fn f() { todo!() }",
        "#[test] #[ignore] fn f() {}",
        "#[test] #[ignore = \"slow\"] fn f() {}",
        "#[allow(dead_code)] fn f() {}",
        "#![allow(clippy::all)]",
        "#[cfg_attr(test, allow(dead_code))] fn f() {}",
        "#[expect(dead_code)] fn f() {}",
        "async fn f() { tokio::time::sleep(X).await }",
        "fn f() { assert!({ std::thread::sleep(X); true }) }",
    ] {
        let findings = check_words(&Tree::of(&[("tests/it/issue.rs", text)]));
        assert_eq!(findings.len(), 1, "{text}");
    }
    let bench = ("bench/naive/main.rs", "fn f() { todo!() }");
    tree::caught(check_words(&Tree::of(&[bench])), "build it now");
}

#[test]
fn a_reason_a_string_and_a_waiting_loop_are_fine() {
    let text = "#[expect(dead_code, reason = \"the wire format has it\")] fn f() { g(\"todo!()\") }
        // #[ignore] todo!()
        fn h() { x.expect(\"no reason needed\") }";
    tree::none(check_words(&Tree::of(&[("tests/it/issue.rs", text)])));
    let text = "async fn wait() { sleep(STEP).await }";
    tree::none(check_words(&Tree::of(&[("tests/it/support/eventually.rs", text)])));
}

#[test]
fn a_missing_lint_is_found() {
    let all = LINTS.map(|lint| format!("{lint} = \"deny\"\n")).concat();
    let cargo = format!("[lints.clippy]\n{}[dependencies]\n", all.replace("todo = \"deny\"\n", ""));
    tree::caught(check_lints(&Tree::of(&[("Cargo.toml", &cargo)])), "`todo`");
}
