//! Links between documents lead somewhere: to a file, and to a heading in it.

use crate::tree::{self, Finding, Source, Tree};

/// A document's links that lead nowhere.
pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.under("", "md").into_iter().flat_map(|source| check_file(tree, source)).collect()
}

fn check_file(tree: &Tree, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in prose(&source.text) {
        for target in targets(text).filter(|target| !leads_out(target)) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = resolve(&source.path, path);
            if !tree.has(&path) {
                findings.push(source.finding(line, format!("there is no {path} to link to")));
            } else if !anchor.is_empty()
                && !tree.find(&path).is_some_and(|file| anchors(file).contains(&anchor.to_owned()))
            {
                findings.push(source.finding(line, format!("{path} has no heading #{anchor}")));
            }
        }
    }
    findings
}

/// Lines outside of fenced code, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// The targets of `[text](target)` in a line.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

fn leads_out(target: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
}

/// A path relative to the folder of a document, as a path of the project.
fn resolve(document: &str, path: &str) -> String {
    if path.is_empty() {
        return document.to_owned();
    }
    let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchors of a document's headings, made as GitHub makes them.
fn anchors(source: &Source) -> Vec<String> {
    let headings = prose(&source.text).into_iter().filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then(|| title.trim().to_lowercase())
    });
    let anchor = |title: String| {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    tree::none(check(&Tree::load()));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let errors =
        ("docs/errors.md", "# Errors\n## What to do, now?\n### sold_out\n[up](../README.md)");
    let check = |text: &str| check(&Tree::of(&[errors, ("docs", ""), ("README.md", text)]));
    tree::none(check(
        "# Top\n[a](docs/errors.md#sold_out) [b](docs/) [c](https://example.org/x) [d](#top)\n\
         [e](./docs/errors.md#what-to-do-now)\n```\n[f](nowhere.md)\n```\n",
    ));
    tree::caught(check("[a](docs/error.md)"), "no docs/error.md");
    tree::caught(check("[a](docs/errors.md#sold-out)"), "no heading #sold-out");
    tree::caught(check("[a](../secret.md)"), "no ../secret.md");
    tree::caught(check("[a](#top)"), "README.md has no heading #top");
}
