//! What the code has, the documents tell, and nothing else: variables and metrics here, codes of
//! errors in `codes.rs`.

use std::collections::BTreeMap;

use crate::tokens::{self, Place};
use crate::tree::{self, Finding, Source, Tree, is_snake};

/// Where something stands in the code: its file and line.
pub type Places<'a> = BTreeMap<String, (&'a Source, usize)>;

const VARIABLES: &str = "docs/configuration.md";
const METRICS: &str = "docs/metrics.md";
/// Endings that Prometheus appends to the name of a histogram.
const SERIES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// The variables that clap declares: `env = "X"` in `src/config` and `src/cli`.
pub fn variables(tree: &Tree) -> Places<'_> {
    let mut found = Places::new();
    for source in tree.under("src/config", "rs").into_iter().chain(tree.under("src/cli", "rs")) {
        tokens::walk(&tokens::of(source), Place::default(), &mut |tokens, i, place| {
            let named =
                tokens::is_ident(tokens, i, 2, "env") && tokens::is_punct(tokens, i, 1, '=');
            if let (true, false, Some(name)) = (named, place.in_test, tokens::string(&tokens[i])) {
                found.insert(name, (source, tokens::line(&tokens[i])));
            }
        });
    }
    found
}

/// Whether a word is the name of a variable of ours.
pub fn is_variable(word: &str) -> bool {
    let named = word.strip_prefix("FIRSTCOME_").is_some_and(|rest| {
        !rest.is_empty() && !rest.bytes().any(|byte| byte.is_ascii_lowercase())
    });
    let urls = [
        "REDIS_URL",
        "REDIS_URL_FILE",
        "DATABASE_URL",
        "DATABASE_URL_FILE",
        "DATABASE_MIGRATE_URL",
        "DATABASE_MIGRATE_URL_FILE",
    ];
    named || urls.contains(&word)
}

/// The names of metrics: strings that begin with `firstcome_`.
fn metrics(tree: &Tree) -> Places<'_> {
    let mut found = Places::new();
    for source in tree.under("src/", "rs") {
        for (line, text) in tokens::strings(source) {
            if text.starts_with("firstcome_") && is_snake(&text) {
                found.insert(text, (source, line));
            }
        }
    }
    found
}

/// Compares what the code has with what a document tells, both ways.
pub fn compare(
    tree: &Tree,
    what: &str,
    code: &Places,
    path: &str,
    told: &[(usize, &str)],
) -> Vec<Finding> {
    if code.is_empty() {
        return vec![Finding::at("src/", format!("no {what} found; did its form change?"))];
    }
    let Some(document) = tree.find(path) else {
        return vec![Finding::at(path, format!("write it: it tells every {what}"))];
    };
    let mut findings = Vec::new();
    for (name, (source, line)) in code {
        if told.iter().all(|(_, told)| told != name) {
            findings.push(source.finding(*line, format!("tell the {what} {name} in {path}")));
        }
    }
    for (line, name) in told.iter().filter(|(_, name)| !code.contains_key(*name)) {
        findings.push(
            document.finding(*line, format!("the code has no {what} {name}; delete it here")),
        );
    }
    findings
}

fn check_variables(tree: &Tree) -> Vec<Finding> {
    let declared = variables(tree);
    let text = tree.find(VARIABLES).map_or("", |source| &source.text);
    let told: Vec<(usize, &str)> =
        first_cells(text).filter(|(_, word)| is_variable(word)).collect();
    let mut findings = compare(tree, "variable", &declared, VARIABLES, &told);
    if declared.is_empty() {
        return findings;
    }
    for source in tree.under("src/", "rs") {
        for (line, text) in tokens::strings(source) {
            if is_variable(&text) && !declared.contains_key(&text) {
                let say = format!("{text} is read past clap: declare it with env = \"{text}\"");
                findings.push(source.finding(line, say));
            }
        }
    }
    for source in tree.under("", "md").into_iter().filter(|source| source.path != VARIABLES) {
        for (line, word) in tree::words(&source.text).filter(|(_, word)| is_variable(word)) {
            if !declared.contains_key(word) {
                findings.push(source.finding(line, format!("there is no variable {word}")));
            }
        }
    }
    findings
}

fn check_metrics(tree: &Tree) -> Vec<Finding> {
    let code = metrics(tree);
    let text = tree.find(METRICS).map_or("", |source| &source.text);
    let base = |name: &'_ str| -> bool {
        SERIES.iter().any(|end| name.strip_suffix(end).is_some_and(|base| code.contains_key(base)))
    };
    let told = tree::words(text)
        .filter(|(_, word)| word.starts_with("firstcome_") && is_snake(word) && !base(word));
    compare(tree, "metric", &code, METRICS, &told.collect::<Vec<_>>())
}

/// The first cell of every row of a table, without its quotes.
fn first_cells(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let cell = line.strip_prefix('|')?.split('|').next()?;
        Some((index + 1, cell.trim().trim_matches('`')))
    })
}

#[test]
fn every_variable_is_told_and_every_told_one_exists() {
    tree::none(check_variables(&Tree::load()));
}

#[test]
fn every_metric_is_told_and_every_told_one_exists() {
    tree::none(check_metrics(&Tree::load()));
}

#[test]
fn a_variable_that_only_one_side_has_is_found() {
    let config =
        ("src/config/mod.rs", "struct C { #[arg(long, env = \"FIRSTCOME_LISTEN\")] l: u8 }");
    let document = (VARIABLES, "| `FIRSTCOME_LISTEN` | x |\n");
    tree::none(check_variables(&Tree::of(&[config, document])));
    for (path, text, say) in [
        ("src/cli/mod.rs", "#[arg(env = \"REDIS_URL\")] struct X;", "tell the variable REDIS_URL"),
        ("src/app.rs", "fn f() { var(\"FIRSTCOME_X\") }", "FIRSTCOME_X is read past clap"),
        ("README.md", "set FIRSTCOME_PORT=1", "there is no variable FIRSTCOME_PORT"),
    ] {
        tree::caught(check_variables(&Tree::of(&[config, document, (path, text)])), say);
    }
    let more = (VARIABLES, "| `FIRSTCOME_LISTEN` | x |\n| `DATABASE_URL` | y |\n");
    tree::caught(check_variables(&Tree::of(&[config, more])), "no variable DATABASE_URL");
}

#[test]
fn a_metric_that_only_one_side_has_is_found() {
    let text = "const LAG: &str = \"firstcome_persist_lag_seconds\"; // firstcome_not_this";
    let code = ("src/telemetry/metrics.rs", text);
    let document = "| `firstcome_persist_lag_seconds{x}` | all of `firstcome_…`, and
        `firstcome_persist_lag_seconds_count` |";
    tree::none(check_metrics(&Tree::of(&[code, (METRICS, document)])));
    tree::caught(check_metrics(&Tree::of(&[code, (METRICS, "")])), "tell the metric");
    let more = format!("{document}\n`firstcome_queue`");
    tree::caught(check_metrics(&Tree::of(&[code, (METRICS, &more)])), "no metric firstcome_queue");
}
