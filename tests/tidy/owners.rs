//! Crates of others have owners: one or two modules that know them, so that the rest need not.

use crate::layers;
use crate::tokens::{self, Mention};
use crate::tree::{self, Finding, Source, Tree};

/// A crate (with `*`: all that begin so), and the modules that may know it.
const OWNERS: [(&str, &[&str]); 9] = [
    ("actix*", &["http", "app"]),
    ("pulldown_cmark", &["http"]),
    ("sqlx", &["store"]),
    ("redis", &["redis", "lua"]),
    ("rustls*", &["redis"]),
    ("deadpool_redis", &["redis", "lua"]),
    ("deadpool", &["redis", "lua"]),
    ("clap", &["cli", "config"]),
    ("indicatif", &["cli", "config"]),
];
/// What the nouns may not know at all: they do no IO and never wait.
const NOT_PURE: [&str; 5] = ["tokio", "tracing", "reqwest", "futures_util", "metrics"];
/// Parts of the standard library that the nouns may not know.
const NOT_PURE_STD: [&str; 5] = ["fs", "net", "process", "env", "thread"];
/// Exceptions: a path, a crate, and the reason.
const EXCEPTIONS: [(&str, &str, &str); 0] = [];

/// Mentions of a crate outside the modules that own it, tests excepted.
pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.under("src/", "rs").into_iter().flat_map(check_file).collect()
}

fn check_file(source: &Source) -> Vec<Finding> {
    let own = layers::modules_of(&source.path).first().cloned().unwrap_or_default();
    let mentions = tokens::mentions(source);
    let ours = ours(source, &mentions);
    let mut findings = Vec::new();
    for mention in mentions.iter().filter(|mention| !mention.place.in_test) {
        let Some(name) = crate_of(mention, &ours) else { continue };
        if excepted(&source.path, name) {
            continue;
        }
        let strange = OWNERS
            .iter()
            .find(|(owned, owners)| covers(owned, name) && !owners.contains(&own.as_str()));
        if let Some((_, owners)) = strange {
            let owners = owners.join(" and ");
            let say =
                format!("`{name}` belongs to {owners}; ask that module for a type of its own");
            findings.push(source.finding(mention.line, say));
        }
        let std_part =
            if name == "std" { mention.segments.get(1).map(String::as_str) } else { None };
        let impure =
            NOT_PURE.contains(&name) || std_part.is_some_and(|p| NOT_PURE_STD.contains(&p));
        if own == "domain" && impure {
            let say = format!("`domain` is pure: `{name}` belongs in a machine or a verb");
            findings.push(source.finding(mention.line, say));
        }
    }
    findings
}

/// Names in this file that mean a module of ours, such as `redis` after `use crate::redis`.
fn ours(source: &Source, mentions: &[Mention]) -> Vec<String> {
    let inside = |first: &str| ["crate", "super", "self"].contains(&first);
    let imported = mentions.iter().filter(|mention| inside(&mention.segments[0]));
    let imported = imported.filter_map(|mention| mention.binds.clone());
    imported.chain(tokens::modules(source)).collect()
}

fn crate_of<'a>(mention: &'a Mention, ours: &[String]) -> Option<&'a str> {
    let first = mention.segments.first()?;
    let path = mention.segments.len() > 1 || mention.binds.is_some() || mention.leading;
    (path && (mention.leading || !ours.contains(first))).then_some(first)
}

fn covers(owned: &str, name: &str) -> bool {
    match owned.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => owned == name,
    }
}

fn excepted(path: &str, name: &str) -> bool {
    EXCEPTIONS.iter().any(|(at, of, _)| path.starts_with(at) && *of == name)
}

#[test]
fn every_crate_is_known_only_to_its_owners() {
    tree::none(check(&Tree::load()));
}

#[test]
fn a_crate_in_a_strange_module_is_found_in_every_form() {
    for (path, text) in [
        ("src/issue/mod.rs", "use actix_web::web;"),
        ("src/persist/mod.rs", "fn f(e: sqlx::Error) {}"),
        ("src/http/tickets.rs", "use ::redis::Value;"),
        ("src/prepare/mod.rs", "fn f() { redis::cmd(\"PING\"); }"),
        ("src/app.rs", "use crate::redis; fn f(e: ::redis::RedisError) {}"),
        ("src/observe/mod.rs", "use deadpool_redis::{Pool, redis};"),
        ("src/app.rs", "#[derive(clap::Args)] struct X;"),
        ("src/domain/record.rs", "fn f() { tokio::spawn(x); }"),
        ("src/domain/record.rs", "use std::fs;"),
    ] {
        let findings = check(&Tree::of(&[(path, text)]));
        assert!(!findings.is_empty(), "{path}: {text}");
    }
}

#[test]
fn our_own_redis_is_not_the_crate_and_tests_may_use_any_crate() {
    for (path, text) in [
        ("src/app.rs", "use crate::redis; fn f() -> redis::Handle { redis::open() }"),
        ("src/app.rs", "use crate::{redis::{self, Pool}, store}; fn f() { redis::open() }"),
        ("src/lib.rs", "pub mod redis; pub use redis::Handle;"),
        ("src/redis/mod.rs", "use ::redis::aio::MultiplexedConnection;"),
        ("src/config/mod.rs", "#[derive(clap::Args)] struct X;"),
        ("src/issue/mod.rs", "#[cfg(test)] mod tests { use ::redis::Value; }"),
        ("src/issue/mod.rs", "fn f() { self.redis.call(redis) } // sqlx::Error"),
    ] {
        tree::none(check(&Tree::of(&[(path, text)])));
    }
}
