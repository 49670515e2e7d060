//! No file imports what, over any other files, imports it: each can be read before those that need
//! it. A name that a `mod.rs` only hands on counts for the file that it comes from.
//!
//! What this does not see is a circle through a trait: a file that calls a method of a trait knows
//! the trait, and not the files that implement it, one of which may need this file.

use std::collections::{BTreeMap, BTreeSet};

use crate::layers;
use crate::tokens::{self, Mention};
use crate::tree::{self, Finding, Source, Tree};

/// Longer chains of names that are handed on would be a circle of their own.
const HANDED_ON_MAX: usize = 8;

type Module = Vec<String>;

struct File<'a> {
    source: &'a Source,
    mentions: Vec<Mention>,
}

/// The files of the crate by their modules.
struct Files<'a>(BTreeMap<Module, File<'a>>);

impl<'a> Files<'a> {
    fn of(tree: &'a Tree) -> Self {
        let file = |source: &'a Source| {
            let mentions = tokens::mentions(source).into_iter();
            let mentions = mentions.filter(|mention| !mention.place.in_test).collect();
            (layers::modules_of(&source.path), File { source, mentions })
        };
        Self(tree.under("src/", "rs").into_iter().map(file).collect())
    }

    /// The path from the crate's root of what is mentioned in this module.
    fn absolute(&self, module: &Module, mention: &Mention) -> Option<Vec<String>> {
        let (first, rest) = mention.segments.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" | "super" => {
                let above = mention.segments.iter().take_while(|name| *name == "super").count();
                let from = usize::from(first == "self");
                let kept = (module.len() + mention.place.mods).checked_sub(above)?;
                let base = &module[..kept.min(module.len())];
                Some([base, &mention.segments[above + from..]].concat())
            }
            _ => {
                let path = [&module[..], &mention.segments].concat();
                let is_path = mention.binds.is_some() || !rest.is_empty();
                (is_path && self.0.contains_key(&path[..=module.len()])).then_some(path)
            }
        }
    }

    /// The module that a path leads to, by way of those that only hand it on.
    fn module_at(&self, path: &[String], handed_on: usize) -> Option<Module> {
        let end = (0..=path.len()).rev().find(|end| self.0.contains_key(&path[..*end]))?;
        let (module, rest) = (path[..end].to_vec(), &path[end..]);
        let handed_on = handed_on.checked_sub(1)?;
        let next = rest.first().and_then(|name| {
            let from = self.0[&module].mentions.iter();
            let from = from.filter(|mention| mention.binds.as_ref() == Some(name));
            from.filter_map(|mention| self.absolute(&module, mention)).next()
        });
        next.and_then(|next| self.module_at(&next, handed_on)).or(Some(module))
    }

    /// The modules that a module needs.
    fn needs(&self, module: &Module) -> BTreeSet<Module> {
        let file = &self.0[module];
        let declared = tokens::modules(file.source);
        let is_used = |name: &String| {
            let others = file.mentions.iter().filter(|mention| mention.binds.is_none());
            let named = others.filter(|mention| mention.segments.first() == Some(name)).count();
            named > usize::from(declared.contains(name))
        };
        let hands_on = |mention: &&Mention| {
            file.source.stem() == "mod" && mention.binds.as_ref().is_some_and(|name| !is_used(name))
        };
        let needed = file.mentions.iter().filter(|mention| !hands_on(mention));
        let needed = needed.filter_map(|mention| {
            let path = self.absolute(module, mention)?;
            // A module by itself is said of what is visible in it.
            (mention.binds.is_some() || !self.0.contains_key(&path)).then_some(path)
        });
        let needed = needed.filter_map(|path| self.module_at(&path, HANDED_ON_MAX));
        needed.filter(|needed| needed != module).collect()
    }
}

/// Circles of imports, each at one of its files.
fn check(tree: &Tree) -> Vec<Finding> {
    let files = Files::of(tree);
    let needs: BTreeMap<&Module, BTreeSet<Module>> =
        files.0.keys().map(|module| (module, files.needs(module))).collect();
    let reached = |from: &Module| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&Module> = needs[from].iter().collect();
        while let Some(module) = next.pop() {
            if reached.insert(module) {
                next.extend(&needs[module]);
            }
        }
        reached
    };
    let reached: BTreeMap<&Module, _> = needs.keys().map(|from| (*from, reached(from))).collect();
    let mut findings = Vec::new();
    for (module, all) in &reached {
        let circle: Vec<&Module> =
            all.iter().copied().filter(|other| reached[other].contains(module)).collect();
        if circle.first() == Some(module) {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            let say = format!("these import each other: {}", names.join(", "));
            findings.push(files.0[*module].source.finding(1, say));
        }
    }
    findings
}

#[test]
fn no_imports_go_in_a_circle() {
    tree::none(check(&Tree::load()));
}

#[test]
fn a_circle_is_found_once_and_names_its_files() {
    for back in [
        "use super::a::A;",
        "use crate::store::a::A;",
        "use crate::store::A;",
        "fn f() { super::a::f() }",
        "mod inner { use super::super::a; }",
    ] {
        let files = [
            ("src/store/mod.rs", "mod a; mod b; mod c; pub use a::A;"),
            ("src/store/a.rs", "use super::b;"),
            ("src/store/b.rs", "use super::{c::C};"),
            ("src/store/c.rs", back),
        ];
        let say = "these import each other: store::a, store::b, store::c";
        tree::caught(check(&Tree::of(&files)), say);
    }
}

#[test]
fn a_folder_that_uses_its_own_files_is_found_when_they_use_it() {
    let files = |child: &'static str| {
        check(&Tree::of(&[
            ("src/store/mod.rs", "mod lite;"),
            ("src/store/lite/mod.rs", "mod connect; pub struct Lite; fn f() { connect::f() }"),
            ("src/store/lite/connect.rs", child),
        ]))
    };
    tree::caught(files("use super::Lite;"), "store::lite, store::lite::connect");
    tree::none(files("use crate::store::other::Lite;"));
}

#[test]
fn what_is_handed_on_or_only_for_tests_makes_no_circle() {
    let b = "pub(super) fn f() {} #[cfg(test)] mod tests { use super::super::a; }";
    tree::none(check(&Tree::of(&[
        ("src/store/mod.rs", "mod a; mod b; mod c; pub use a::A; pub use c::{B, c}; trait S: A {}"),
        ("src/store/a.rs", "use super::b;"),
        ("src/store/b.rs", b),
        ("src/store/c.rs", "use super::{A, S};"),
    ])));
}
