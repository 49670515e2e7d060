//! A statement of the store is written once: a dialect holds only what differs, in files of the
//! same names, and no words that one database alone knows stand outside of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::tokens;
use crate::tree::{self, Finding, Source, Tree};

const STORE: &str = "src/store/";
/// Files that one dialect alone needs: its folder, the file, and why.
const ALONE: [(&str, &str, &str); 6] = [
    ("postgres", "hosts.rs", "a file has no host"),
    ("postgres", "opening.rs", "a file is there, or is made; a server is waited for"),
    ("postgres", "migrating.rs", "a file is migrated by whoever opens it"),
    ("postgres", "migrations.rs", "a file has no other who could migrate it"),
    ("postgres", "pooler.rs", "no pooler stands before a file"),
    ("postgres", "suited.rs", "SQLite is of the release that the program was built with"),
];
/// Words of SQL that not every database knows, however they are spaced and in whatever case.
const FOREIGN: [&str; 9] = [
    "ON CONFLICT",
    "RETURNING",
    "FILTER (",
    "IS DISTINCT FROM",
    "IS NOT DISTINCT FROM",
    "= ANY (",
    "json_each",
    "UNNEST",
    "::",
];
/// So many lines in two dialects are no accident.
const PASSAGE_LINES: usize = 20;

/// The folder of a dialect and the path in it; `None` for what all dialects share.
fn in_dialect(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix(STORE)?.split_once('/')
}

/// Files that one dialect has and another has not.
fn unmatched(tree: &Tree) -> Vec<Finding> {
    let mut dialects: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (dialect, file) in tree.paths().filter_map(in_dialect) {
        let alone = ALONE.iter().any(|(one, own, _)| (*one, *own) == (dialect, file));
        let files = dialects.entry(dialect).or_default();
        if !alone {
            files.insert(file);
        }
    }
    let all: BTreeSet<&str> = dialects.values().flatten().copied().collect();
    let mut findings = Vec::new();
    for (dialect, files) in &dialects {
        for file in all.difference(files) {
            let say = "write it: the other dialects have a file of this name";
            findings.push(Finding::at(format!("{STORE}{dialect}/{file}"), say));
        }
    }
    findings
}

/// Words of one dialect in what all dialects share.
fn foreign(tree: &Tree) -> Vec<Finding> {
    let shared = tree.under(STORE, "rs").into_iter();
    shared.filter(|source| in_dialect(&source.path).is_none()).flat_map(foreign_in).collect()
}

fn foreign_in(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in tokens::strings(source) {
        let text = folded(&text);
        for word in FOREIGN.iter().filter(|word| text.contains(&folded(word))) {
            let say = format!("`{word}` is not known everywhere; let the dialect say it");
            findings.push(source.finding(line, say));
        }
    }
    findings
}

/// In lower case, with one space between words and none beside a sign. Escapes are as they are
/// written, so a line that goes on below ends with a backslash.
fn folded(sql: &str) -> String {
    let is_of_word = |sign: char| sign.is_alphanumeric() || sign == '_';
    let sql = sql.replace("\\n", " ").replace("\\t", " ").replace('\\', " ").to_lowercase();
    let mut folded = String::new();
    for part in sql.split_whitespace() {
        if folded.ends_with(is_of_word) && part.starts_with(is_of_word) {
            folded.push(' ');
        }
        folded.push_str(part);
    }
    folded
}

/// Passages that stand in two dialects: the first line of each.
fn repeated(tree: &Tree) -> Vec<Finding> {
    let mut seen: HashMap<Vec<&str>, (&str, &str)> = HashMap::new();
    let mut findings = Vec::new();
    for source in tree.under(STORE, "rs") {
        let Some((dialect, _)) = in_dialect(&source.path) else { continue };
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        let mut last = None;
        for (index, passage) in lines.windows(PASSAGE_LINES).enumerate() {
            let (first, path) =
                *seen.entry(passage.to_vec()).or_insert((dialect, source.path.as_str()));
            if first == dialect {
                continue;
            }
            // A longer passage is one finding.
            if last.is_none_or(|last| last + 1 < index) {
                let say = format!("{PASSAGE_LINES} lines stand in {path} too; write them once");
                findings.push(source.finding(index + 1, say));
            }
            last = Some(index);
        }
    }
    findings
}

#[test]
fn the_dialects_match_file_by_file() {
    tree::none(unmatched(&Tree::load()));
}

#[test]
fn what_all_dialects_share_speaks_to_every_database() {
    tree::none(foreign(&Tree::load()));
}

#[test]
fn no_passage_stands_in_two_dialects() {
    tree::none(repeated(&Tree::load()));
}

#[test]
fn a_file_that_one_dialect_lacks_is_found() {
    let files = [
        ("src/store/mod.rs", ""),
        ("src/store/sqlite/mod.rs", ""),
        ("src/store/sqlite/bulk.rs", ""),
        ("src/store/postgres/mod.rs", ""),
    ];
    tree::caught(unmatched(&Tree::of(&files)), "src/store/postgres/bulk.rs");
}

#[test]
fn a_file_that_one_dialect_alone_needs_is_fine_there_and_nowhere_else() {
    let with_hosts = |dialect: &str| {
        let path = format!("src/store/{dialect}/hosts.rs");
        let files = [("src/store/sqlite/mod.rs", ""), ("src/store/postgres/mod.rs", "")];
        unmatched(&Tree::of(&[&files[..], &[(&path, "")]].concat()))
    };
    tree::none(with_hosts("postgres"));
    tree::caught(with_hosts("sqlite"), "src/store/postgres/hosts.rs");
}

#[test]
fn a_word_of_one_dialect_is_found_in_what_all_share_and_nowhere_else() {
    let sql = "const A: &str = \"INSERT INTO a VALUES ($1) ON CONFLICT DO NOTHING\";";
    tree::caught(foreign(&Tree::of(&[("src/store/acts.rs", sql)])), "`ON CONFLICT`");
    tree::none(foreign(&Tree::of(&[("src/store/sqlite/bulk.rs", sql)])));
    tree::none(foreign(&Tree::of(&[("src/store/acts.rs", "// ON CONFLICT")])));
    tree::none(foreign(&Tree::of(&[("src/store/acts.rs", "/// On [`a::B`].\nfn a() { a::b() }")])));
}

#[test]
fn a_word_of_one_dialect_is_found_in_every_case_and_however_it_is_spaced() {
    for sql in [
        "insert into a values ($1) on\n    conflict do nothing",
        "INSERT INTO a VALUES ($1) ON \\\n    CONFLICT DO NOTHING",
        "SELECT COUNT(*) FILTER(WHERE a > 1) FROM b",
        "SELECT a FROM b WHERE a is  not distinct  from $1",
        "SELECT a FROM b WHERE a=any($1)",
        "SELECT a FROM b WHERE a = ANY ($1)",
        "SELECT value FROM JSON_EACH($1)",
        "SELECT * FROM unnest($1)",
        "SELECT a::bigint FROM b",
    ] {
        let source = format!("const A: &str = \"{sql}\";");
        let found = foreign(&Tree::of(&[("src/store/acts.rs", &source)]));
        assert_eq!(found.len(), 1, "{sql}");
    }
}

#[test]
fn a_passage_that_two_dialects_have_is_found_once_however_long_it_is() {
    let passage = |lines: usize| (0..lines).map(|n| format!("line {n}\n")).collect::<String>();
    let check = |text: &str| {
        let (one, other) = (format!("fn a() {{\n{text}"), format!("// Other\n{text}"));
        let files = [("src/store/postgres/a.rs", one), ("src/store/sqlite/b.rs", other)];
        repeated(&Tree::of(&files.each_ref().map(|(path, text)| (*path, text.as_str()))))
    };
    tree::none(check(&passage(PASSAGE_LINES - 1)));
    tree::caught(check(&passage(PASSAGE_LINES)), "src/store/postgres/a.rs");
    tree::caught(check(&passage(PASSAGE_LINES + 7)), "src/store/sqlite/b.rs:2");
}
