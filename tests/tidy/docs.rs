//! Every file says what it is for, and so does every item that other modules can import. Fields,
//! variants and methods need a sentence only where their names do not say it: no rule can tell.

use syn::visit::{self, Visit};

use crate::tree::{self, Finding, Source, Tree};

/// Items of a file that have no doc comment, with their lines.
#[derive(Default)]
struct Undocumented(Vec<(usize, String)>);

impl Undocumented {
    fn look(
        &mut self,
        visibility: &syn::Visibility,
        attributes: &[syn::Attribute],
        name: &syn::Ident,
    ) {
        let is_public = matches!(visibility, syn::Visibility::Public(_));
        let is_documented = attributes.iter().any(|one| one.path().is_ident("doc"));
        if is_public && !is_documented {
            self.0.push((name.span().start().line, name.to_string()));
        }
    }
}

impl<'ast> Visit<'ast> for Undocumented {
    fn visit_item(&mut self, node: &'ast syn::Item) {
        match node {
            syn::Item::Fn(item) => self.look(&item.vis, &item.attrs, &item.sig.ident),
            syn::Item::Struct(item) => self.look(&item.vis, &item.attrs, &item.ident),
            syn::Item::Enum(item) => self.look(&item.vis, &item.attrs, &item.ident),
            syn::Item::Trait(item) => self.look(&item.vis, &item.attrs, &item.ident),
            syn::Item::Type(item) => self.look(&item.vis, &item.attrs, &item.ident),
            syn::Item::Const(item) => self.look(&item.vis, &item.attrs, &item.ident),
            syn::Item::Static(item) => self.look(&item.vis, &item.attrs, &item.ident),
            _ => {}
        }
        visit::visit_item(self, node);
    }

    fn visit_item_mod(&mut self, node: &'ast syn::ItemMod) {
        let is_test = node.attrs.iter().any(|one| one.path().is_ident("cfg"));
        if !is_test {
            visit::visit_item_mod(self, node);
        }
    }
}

/// Files and public items without a sentence.
fn check(tree: &Tree) -> Vec<Finding> {
    tree.under("src/", "rs").into_iter().flat_map(check_file).collect()
}

fn check_file(source: &Source) -> Vec<Finding> {
    let file = match syn::parse_file(&source.text) {
        Ok(file) => file,
        Err(error) => return vec![source.finding(error.span().start().line, "does not parse")],
    };
    let mut findings = Vec::new();
    if !source.text.starts_with("//!") {
        findings.push(source.finding(1, "say with //! what this file is for"));
    }
    let mut undocumented = Undocumented::default();
    undocumented.visit_file(&file);
    let finding = |(line, name): (usize, String)| {
        source.finding(line, format!("say with /// what `{name}` is for"))
    };
    findings.extend(undocumented.0.into_iter().map(finding));
    findings
}

#[test]
fn every_file_and_every_public_item_says_what_it_is_for() {
    tree::none(check(&Tree::load()));
}

#[test]
fn an_item_without_a_sentence_is_found() {
    let findings_of = |text: &str| check(&Tree::of(&[("src/a.rs", text)]));
    tree::none(findings_of("//! A.\n/// B.\npub struct B { pub c: u8 }\nfn d() {}"));
    for item in [
        "pub struct B;",
        "pub enum B { C }",
        "pub fn b() {}",
        "pub trait B {}",
        "pub const B: u8 = 1;",
        "pub type B = u8;",
    ] {
        tree::caught(findings_of(&format!("//! A.\n{item}")), "say with ///");
    }
    tree::caught(findings_of("fn b() {}"), "say with //!");
}
