//! A test that a document names exists, as `module::file` or `module::file::name`.

use crate::tree::{self, Finding, Tree};

/// The document whose tables say from which test they know.
const DOCUMENT: &str = "docs/operate.md";

/// The tests that are named and do not exist.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(document) = tree.find(DOCUMENT) else {
        return vec![Finding::at(DOCUMENT, "there is no such document")];
    };
    let mut findings = Vec::new();
    for (index, line) in document.text.lines().enumerate() {
        let spans = line.split('`').skip(1).step_by(2);
        for name in spans.filter(|span| is_name(span) && !exists(tree, span)) {
            let say = format!("there is no test {name} in tests/it");
            findings.push(document.finding(index + 1, say));
        }
    }
    findings
}

fn is_name(span: &str) -> bool {
    span.contains("::") && span.split("::").all(tree::is_snake)
}

fn exists(tree: &Tree, name: &str) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let (module, function) = match parts.as_slice() {
        [folder, file] => (format!("{folder}/{file}"), None),
        [folder, file, function] => (format!("{folder}/{file}"), Some(function)),
        _ => return false,
    };
    tree.find(&format!("tests/it/{module}.rs")).is_some_and(|source| {
        let is_there = |function| source.text.contains(&format!("fn {function}("));
        source.text.contains("test]\n") && function.is_none_or(is_there)
    })
}

#[test]
fn every_test_that_is_named_exists() {
    tree::none(check(&Tree::load()));
}

#[test]
fn a_name_of_no_test_is_found() {
    let check = |line: &str| {
        let test = ("tests/it/redis/tls.rs", "#[test]\nfn a_ticket() {}\n");
        check(&Tree::of(&[(DOCUMENT, line), test]))
    };
    tree::none(check("| TLS | `redis::tls`, `redis::tls::a_ticket`, `[::1]` |"));
    for name in ["redis::rights", "redis::tls::a_ticke", "redis::tls::a::ticket"] {
        tree::caught(check(&format!("| `{name}` |")), name);
    }
}
