//! The files of the project, and what a checker says about them.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

/// Folders that are not ours to judge.
const SKIPPED: [&str; 4] = ["target", ".git", "firstcome-data", "node_modules"];
/// Endings of the files that are read; of all others only the path is known.
const READ: [&str; 8] = ["rs", "lua", "md", "toml", "yml", "js", "sql", "sh"];
/// Files without an ending that are read.
const READ_BY_NAME: [&str; 3] = ["Dockerfile", "Makefile", "LICENSE"];

/// A file of the project.
pub struct Source {
    /// Relative to the project's folder, with `/` between.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl Source {
    /// The path without folders and ending.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }

    /// A finding in this file.
    pub fn finding(&self, line: usize, say: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, say: say.into() }
    }
}

/// What a checker found: where, and what to write instead.
pub struct Finding {
    path: String,
    line: usize,
    say: String,
}

impl Finding {
    /// A finding about a file that is not there, or about a whole file.
    pub fn at(path: impl Into<String>, say: impl Into<String>) -> Self {
        Self { path: path.into(), line: 1, say: say.into() }
    }
}

impl Finding {
    /// The finding so many lines further up, but not above the first.
    pub fn up(self, lines: usize) -> Self {
        Self { line: self.line.saturating_sub(lines).max(1), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.say)
    }
}

/// The project, or the few files of a fixture.
#[derive(Default)]
pub struct Tree {
    sources: Vec<Source>,
    paths: BTreeSet<String>,
}

impl Tree {
    /// The project's own files.
    pub fn load() -> Self {
        let mut tree = Self::default();
        tree.read_folder(Path::new(env!("CARGO_MANIFEST_DIR")), "");
        tree.sources.sort_by(|a, b| a.path.cmp(&b.path));
        tree
    }

    /// A tree for a test: pairs of path and text.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.paths.insert((*path).to_owned());
            tree.sources.push(Source { path: (*path).to_owned(), text: (*text).to_owned() });
        }
        tree
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) {
        let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if SKIPPED.contains(&name.as_str()) {
                continue;
            }
            let path = format!("{prefix}{name}");
            self.paths.insert(path.clone());
            if entry.path().is_dir() {
                self.read_folder(&entry.path(), &format!("{path}/"));
                continue;
            }
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            if !READ.contains(&ending) && !READ_BY_NAME.contains(&name.as_str()) {
                continue;
            }
            if let Ok(text) = fs::read_to_string(entry.path()) {
                self.sources.push(Source { path, text });
            }
        }
    }

    /// Files below a folder (or the file itself) with this ending, in the order of their paths.
    pub fn under(&self, folder: &str, ending: &str) -> Vec<&Source> {
        let fits = |source: &&Source| {
            source.path.starts_with(folder) && source.path.ends_with(&format!(".{ending}"))
        };
        self.sources.iter().filter(fits).collect()
    }

    /// The file at this path.
    pub fn find(&self, path: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.path == path)
    }

    /// Whether a file or folder is at this path.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty() || self.paths.contains(path)
    }

    /// Paths of all files and folders.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }
}

/// Fails with all findings, one a line.
#[track_caller]
pub fn none(findings: Vec<Finding>) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} findings\n{}", lines.len(), lines.join("\n"));
}

/// Fails unless exactly one finding is there and says this; for the tests of the checkers.
#[track_caller]
pub fn caught(findings: Vec<Finding>, say: &str) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 1, "one finding with {say:?}, not {lines:?}");
    assert!(lines[0].contains(say), "{say:?} is not in {lines:?}");
}

/// Words of a text with their lines: runs of letters, digits and underscores.
pub fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().flat_map(|(index, line)| {
        line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .map(move |word| (index + 1, word))
    })
}

/// Whether a text is `snake_case`: words of small letters and digits with `_` between.
pub fn is_snake(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('_').all(word)
}
