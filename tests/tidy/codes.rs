//! The codes of errors: every one has its section in `docs/errors.md`, with the status and the
//! `Retry-After` that are sent.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenTree};

use crate::tables::{self, Places};
use crate::tokens::{self, Place};
use crate::tree::{self, Finding, Source, Tree, is_snake};

const CODES: &str = "docs/errors.md";

/// A row of the code's table: where it stands, and the line that the document says of it.
type Rows<'a> = BTreeMap<String, (&'a Source, usize, String)>;

/// What the code and the document do not agree on.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let rows = rows(tree);
    let places: Places =
        rows.iter().map(|(code, (source, line, _))| (code.clone(), (*source, *line))).collect();
    let text = tree.find(CODES).map_or("", |source| &source.text);
    let lines: Vec<&str> = text.lines().collect();
    let headings: Vec<(usize, &str)> = lines
        .iter()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, line.strip_prefix("### ")?.trim())))
        .collect();
    let mut findings = tables::compare(tree, "error code", &places, CODES, &headings);
    for (line, code) in headings {
        let said = lines[line..].iter().find(|line| !line.is_empty()).unwrap_or(&"");
        let (Some((_, _, say)), Some(document)) = (rows.get(code), tree.find(CODES)) else {
            continue;
        };
        if !said.starts_with(say.as_str()) {
            findings.push(document.finding(line, format!("{code}: write {say:?} below it")));
        }
    }
    findings
}

/// The rows of functions named `row` in `src`: `("code", status, "Title", Some(seconds))`, without
/// those that are no errors.
fn rows(tree: &Tree) -> Rows<'_> {
    let mut found = Rows::new();
    for source in tree.under("src", "rs") {
        tokens::walk(&tokens::of(source), Place::default(), &mut |tokens, i, place| {
            let begins =
                tokens::is_ident(tokens, i, 0, "row") && tokens::is_ident(tokens, i, 1, "fn");
            if !begins || place.in_test {
                return;
            }
            let body = tokens[i..].iter().position(is_body).map_or(tokens.len(), |at| i + at + 1);
            tokens::walk(&tokens[i..body], place, &mut |inner, at, _| {
                if let Some((code, say)) = row(&inner[at]) {
                    found.insert(code, (source, tokens::line(&inner[at]), say));
                }
            });
        });
    }
    found
}

fn is_body(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

/// The code of a tuple, and what the document says of its status and its `Retry-After`.
fn row(token: &TokenTree) -> Option<(String, String)> {
    let TokenTree::Group(group) = token else { return None };
    let parts = tokens::inside(group);
    let code = tokens::string(parts.first()?).filter(|code| is_snake(code))?;
    let status = parts.get(2).map(ToString::to_string).filter(|status| status != "200")?;
    let seconds = parts.iter().skip(5).find_map(|part| match part {
        TokenTree::Group(seconds) => Some(seconds.stream().to_string()),
        _ => None,
    });
    Some((
        code,
        match seconds {
            None => format!("Status {status} · retryable: no"),
            Some(seconds) => format!("Status {status} · retryable: yes · Retry-After: {seconds}"),
        },
    ))
}

#[test]
fn every_error_code_is_told_and_every_told_one_exists() {
    tree::none(check(&Tree::load()));
}

#[test]
fn a_code_a_status_or_a_pause_that_only_one_side_has_is_found() {
    let text = "impl Code { fn title() -> &str { \"not_a_code\" }
        fn row(self) -> (&'static str, u16) { match self {
            Self::SoldOut => (\"sold_out\", 409, \"Sold out\", None),
            Self::Paused => { (\"paused\", 409, \"Paused\", Some(5)) } } } }";
    let problem = ("src/http/problem.rs", text);
    let document = "# Errors\n\n### sold_out\n\nStatus 409 · retryable: no\n\n### paused\n\n\
        Status 409 · retryable: yes · Retry-After: 5\n";
    let check = |document: &str| check(&Tree::of(&[problem, (CODES, document)]));
    tree::none(check(document));
    for (from, to, say) in [
        ("### paused\n\nStatus 409 · retryable: yes", "", "tell the error code paused"),
        ("### paused", "### closed\n\n### paused", "no error code closed"),
        ("Status 409 · retryable: no", "Status 410 · retryable: no", "sold_out: write"),
        ("Retry-After: 5", "Retry-After: 1", "paused: write"),
    ] {
        tree::caught(check(&document.replacen(from, to, 1)), say);
    }
}
