//! The licences of all dependencies, on every platform, allow what ours allows.

use std::process::Command;

use serde_json::Value;

use crate::tree::{self, Finding};

/// Licences that ask for nothing that the MIT licence does not ask for, or nearly so.
const ACCEPTED: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages whose licence cannot be satisfied from the accepted ones.
pub fn check(metadata: &Value) -> Vec<Finding> {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let mut findings = Vec::new();
    for package in packages {
        let name = format!("{} {}", package["name"], package["version"]).replace('"', "");
        let licence = package["license"].as_str();
        if !licence.is_some_and(satisfied) {
            let licence = licence.unwrap_or("unknown");
            let say = format!("the licence of {name} is {licence}; take another crate");
            findings.push(Finding::at("Cargo.toml", say));
        }
    }
    if packages.is_empty() {
        findings.push(Finding::at("Cargo.toml", "cargo names no packages"));
    }
    findings
}

/// Whether an SPDX expression (`OR`, `AND`, `WITH`, brackets, and the old `/` for `OR`) allows a
/// choice of accepted licences only.
fn satisfied(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(&mut rest) && rest.is_empty()
}

fn any(words: &mut &[&str]) -> bool {
    let mut good = all(words);
    while take(words, "OR") {
        good |= all(words);
    }
    good
}

fn all(words: &mut &[&str]) -> bool {
    let mut good = one(words);
    while take(words, "AND") {
        good &= one(words);
    }
    good
}

fn one(words: &mut &[&str]) -> bool {
    if take(words, "(") {
        let good = any(words);
        return take(words, ")") && good;
    }
    let Some((first, rest)) = words.split_first() else { return false };
    *words = rest;
    let mut licence = (*first).to_owned();
    if take(words, "WITH") {
        let Some((exception, rest)) = words.split_first() else { return false };
        *words = rest;
        licence = format!("{licence} WITH {exception}");
    }
    ACCEPTED.contains(&licence.as_str())
}

fn take(words: &mut &[&str], word: &str) -> bool {
    match words.split_first() {
        Some((first, rest)) if *first == word => {
            *words = rest;
            true
        }
        _ => false,
    }
}

/// What cargo knows of all packages: first from what is on this machine, then from the registry,
/// and without either of this platform's packages, which the build has fetched.
fn metadata() -> Value {
    let host = format!("--filter-platform={}", host());
    let ways = [vec!["--offline"], vec![], vec!["--offline", host.as_str()]];
    for way in ways {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.args(["metadata", "--format-version", "1", "--locked"]).args(way);
        let Ok(output) = cargo.output() else { continue };
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).unwrap_or_default();
        }
    }
    Value::Null
}

fn host() -> String {
    let output = Command::new("rustc").args(["-vV"]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.unwrap_or_default().to_owned()
}

#[test]
fn every_dependency_has_a_licence_that_ours_can_live_with() {
    tree::none(check(&metadata()));
}

#[test]
fn an_expression_of_licences_is_understood() {
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "Apache-2.0 / MIT",
        "MIT OR Apache-2.0 OR LGPL-2.1-or-later",
        "GPL-3.0 OR (MIT AND Zlib)",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
    ] {
        assert!(satisfied(good), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR Apache-2.0) AND MPL-2.0",
        "GPL-2.0 WITH Classpath-exception-2.0",
        "MIT MIT",
        "(MIT",
    ] {
        assert!(!satisfied(bad), "{bad}");
    }
}

#[test]
fn a_package_with_another_licence_is_found() {
    let packages = |licence: &str| {
        let text = format!(
            "{{\"packages\":[{{\"name\":\"x\",\"version\":\"1\",\"license\":{licence}}}]}}"
        );
        serde_json::from_str::<Value>(&text).unwrap_or_default()
    };
    tree::none(check(&packages("\"MIT\"")));
    tree::caught(check(&packages("\"AGPL-3.0\"")), "x 1 is AGPL-3.0");
    tree::caught(check(&packages("null")), "x 1 is unknown");
    tree::caught(check(&Value::Null), "no packages");
}
