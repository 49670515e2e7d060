//! What a struct or an enum can do stands in one file, the one that defines it: several files with
//! one `impl` would all see and change all of its fields. Impls of traits may stand elsewhere.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};

use crate::tree::{self, Finding, Source, Tree};

/// Rooms in which this does not hold yet.
const NOT_YET: [&str; 0] = [];

/// The types that a file defines, and those that it gives functions, with their lines.
#[derive(Default)]
struct Types {
    defined: BTreeSet<String>,
    given: Vec<(usize, String)>,
}

impl<'ast> Visit<'ast> for Types {
    fn visit_item_struct(&mut self, node: &'ast syn::ItemStruct) {
        self.defined.insert(node.ident.to_string());
    }

    fn visit_item_enum(&mut self, node: &'ast syn::ItemEnum) {
        self.defined.insert(node.ident.to_string());
        // The enum of an enum's variants alone, which `strum` makes: `name(OutcomeWord)`.
        for attribute in node.attrs.iter().filter(|one| one.path().is_ident("strum_discriminants"))
        {
            let _ = attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    let content;
                    syn::parenthesized!(content in meta.input);
                    self.defined.insert(content.parse::<syn::Ident>()?.to_string());
                }
                Ok(())
            });
        }
    }

    fn visit_item_impl(&mut self, node: &'ast syn::ItemImpl) {
        if let (None, syn::Type::Path(path)) = (&node.trait_, &*node.self_ty)
            && let Some(last) = path.path.segments.last()
        {
            self.given.push((last.ident.span().start().line, last.ident.to_string()));
        }
        visit::visit_item_impl(self, node);
    }
}

/// Types that are given functions in a file that does not define them.
fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.under("src/", "rs").into_iter();
    let is_held = |source: &&Source| !NOT_YET.iter().any(|room| source.path.starts_with(room));
    files.filter(is_held).flat_map(check_file).collect()
}

fn check_file(source: &Source) -> Vec<Finding> {
    let file = match syn::parse_file(&source.text) {
        Ok(file) => file,
        Err(error) => return vec![source.finding(1, format!("does not parse: {error}"))],
    };
    let mut types = Types::default();
    types.visit_file(&file);
    let strange = types.given.iter().filter(|(_, name)| !types.defined.contains(name));
    let finding = |(line, name): &(usize, String)| {
        let say = format!(
            "`{name}` is defined in another file: put this impl there, or make it a function or a \
             type of its own"
        );
        source.finding(*line, say)
    };
    strange.map(finding).collect()
}

#[test]
fn every_struct_has_its_functions_in_its_own_file() {
    tree::none(check(&Tree::load()));
}

#[test]
fn functions_of_a_struct_of_another_file_are_found() {
    let check = |text: &str| check(&Tree::of(&[("src/store/a.rs", text)]));
    for text in [
        "use super::A; impl A { fn f() {} }",
        "use super::A; impl<T> super::A<T> { fn f() {} }",
        "mod inner { use super::super::A; impl A { fn f() {} } }",
    ] {
        tree::caught(check(text), "`A` is defined in another file");
    }
    for text in [
        "struct A; impl A { fn f() {} } impl A { fn g() {} }",
        "enum A<T> { B(T) } impl<T> A<T> { fn f() {} }",
        "use super::A; impl Clone for A {} impl From<A> for super::B {}",
        "fn f() { struct A; impl A { fn g() {} } }",
    ] {
        tree::none(check(text));
    }
}
