//! Who may import whom: nouns below machines, machines below verbs, verbs below faces, and no verb
//! beside another.

use crate::tokens::{self, Mention};
use crate::tree::{self, Finding, Source, Tree};

const VERBS: [&str; 11] = [
    "prepare",
    "admit",
    "issue",
    "persist",
    "settle",
    "distribute",
    "notify",
    "observe",
    "reconcile",
    "recover",
    "archive",
];
const APP: [&str; 9] =
    ["domain", "config", "embedded", "telemetry", "redis", "store", "auth", "lua", "http"];
const HTTP: [&str; 4] = ["domain", "config", "telemetry", "auth"];
const VERB: [&str; 8] =
    ["domain", "config", "lookups", "telemetry", "redis", "store", "auth", "lua"];
const MACHINE: [&str; 3] = ["domain", "config", "telemetry"];

/// What a module may import besides itself; `None` for a module that has no rank yet.
fn allowed(module: &str) -> Option<Vec<&'static str>> {
    let with_verbs = |others: &[&'static str]| [others, &VERBS[..]].concat();
    Some(match module {
        "lib" | "domain" => Vec::new(),
        "config" | "embedded" | "lookups" | "telemetry" => vec!["domain"],
        "redis" | "store" | "auth" => MACHINE.to_vec(),
        "lua" => vec!["domain", "redis"],
        verb if VERBS.contains(&verb) => VERB.to_vec(),
        "http" => with_verbs(&HTTP),
        "app" => with_verbs(&APP),
        "cli" => with_verbs(&["app", "domain", "config", "embedded", "telemetry", "auth"]),
        "main" => vec!["cli"],
        _ => return None,
    })
}

/// Imports and inline paths that go against the table.
pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.under("src/", "rs").into_iter().flat_map(check_file).collect()
}

fn check_file(source: &Source) -> Vec<Finding> {
    let modules = modules_of(&source.path);
    let own = if source.path == "src/main.rs" {
        "main".to_owned()
    } else {
        modules.first().cloned().unwrap_or_else(|| "lib".to_owned())
    };
    let Some(allowed) = allowed(&own) else {
        let say = format!("give the module `{own}` its rank in tests/tidy/layers.rs");
        return vec![source.finding(1, say)];
    };
    let mut findings = Vec::new();
    for mention in tokens::mentions(source) {
        let Some(target) = target_of(&mention, &modules, &own) else { continue };
        if target != own && !allowed.contains(&target.as_str()) {
            let say = format!(
                "`{own}` may not know `{target}`, only {}; hand it in from above, or move what \
                 both need down to `domain`",
                if allowed.is_empty() { "itself".to_owned() } else { allowed.join(", ") }
            );
            findings.push(source.finding(mention.line, say));
        }
    }
    findings
}

/// The modules that a path below src stands for: `src/http/issue.rs` is `http`, `issue`.
pub fn modules_of(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let parts = path.split('/').filter(|part| !["mod", "lib", "main"].contains(part));
    parts.map(str::to_owned).collect()
}

/// The module at the top of the crate that a path leads to; `None` when it stays below its own or
/// leads out of the crate.
fn target_of(mention: &Mention, modules: &[String], own: &str) -> Option<String> {
    let segments = &mention.segments;
    let supers = segments.iter().take_while(|name| *name == "super").count();
    let ours = if own == "main" { "firstcome" } else { "crate" };
    let at = if supers > 0 && supers == modules.len() + mention.place.mods {
        supers
    } else if segments.first().is_some_and(|name| name == ours) {
        1
    } else {
        return None;
    };
    segments.get(at).cloned()
}

#[test]
fn every_module_imports_only_what_lies_below_it() {
    tree::none(check(&Tree::load()));
}

#[test]
fn an_import_of_a_higher_layer_is_found_in_every_form() {
    for (path, text) in [
        ("src/domain/coupon.rs", "use crate::redis::Pool;"),
        ("src/domain/coupon.rs", "use super::super::store;"),
        ("src/store/open.rs", "fn f() { crate::lua::issue::run() }"),
        ("src/redis/mod.rs", "use crate::{domain::limits, store::Error};"),
        ("src/lua/issue.rs", "fn f() -> Vec<crate::store::Error> { vec![] }"),
        ("src/issue/mod.rs", "use crate::persist;"),
        ("src/observe.rs", "mod inner { use super::super::prepare::X; }"),
        ("src/http/issue.rs", "fn f() { format!(\"{}\", crate::lua::NAME) }"),
        ("src/app.rs", "#[cfg(test)] mod tests { use crate::cli; }"),
        ("src/app/serve.rs", "use crate::cli;"),
        ("src/main.rs", "use firstcome::app;"),
    ] {
        tree::caught(check(&Tree::of(&[(path, text)])), "may not know");
    }
}

#[test]
fn a_module_without_a_rank_is_found() {
    tree::caught(check(&Tree::of(&[("src/util.rs", "")])), "give the module `util` its rank");
}

#[test]
fn an_import_of_a_lower_layer_is_fine() {
    for (path, text) in [
        ("src/domain/coupon.rs", "use super::limits::X; use crate::domain::time;"),
        ("src/domain/coupon.rs", "mod tests { use super::super::limits; use super::*; }"),
        ("src/issue/mod.rs", "use crate::lua::issue::{self, Reply}; use ::redis::Value;"),
        ("src/app.rs", "use crate::{http, persist::Persister, store}; // crate::cli"),
        ("src/app/serve.rs", "use super::banner; use crate::{config::Settings, settle, prepare};"),
        ("src/main.rs", "fn main() { firstcome::cli::run(\"firstcome::app\") }"),
        ("src/http/mod.rs", "pub(crate) fn f() {} pub(in crate::http) struct X;"),
    ] {
        tree::none(check(&Tree::of(&[(path, text)])));
    }
}
