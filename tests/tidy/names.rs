//! One word per thing: what the house does not call anything.

use proc_macro2::Ident;
use syn::visit::{self, Visit};

use crate::layers;
use crate::tree::{self, Finding, Source, Tree};

/// A word that is no name here, and what to say instead.
const BANNED: [(&str, &str); 14] = [
    ("voucher", "coupon or ticket"),
    ("promo", "coupon"),
    ("campaign", "coupon"),
    ("order", "serial, or the thing that is sorted"),
    ("message", "record, event, or text"),
    ("item", "ticket, recipient, or what it is"),
    ("task", "act, distribution, or loop"),
    ("data", "what it holds"),
    ("info", "what it tells"),
    ("manager", "the verb as a noun: Issuer, Persister"),
    ("helper", "what it does"),
    ("util", "what it does"),
    ("utils", "what it does"),
    ("common", "what its parts have in common"),
];
/// Names that may hold a banned word, and why.
const EXCEPTIONS: [(&str, &str); 4] = [
    ("data_dir", "the data directory is called so in every server"),
    ("DataDir", "the data directory is called so in every server"),
    ("Data", "SQL calls class 22 a data exception; store::Error::Data is that class"),
    ("OutOfOrder", "`out_of_order` is a word of the protocol: an act that is not the next one"),
];

/// Names of functions, types, variants, constants, fields and modules with a banned word.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let files = ["src/", "bench/"].into_iter().flat_map(|folder| tree.under(folder, "rs"));
    files.flat_map(check_file).collect()
}

fn check_file(source: &Source) -> Vec<Finding> {
    let file = match syn::parse_file(&source.text) {
        Ok(file) => file,
        Err(error) => return vec![source.finding(1, format!("does not parse: {error}"))],
    };
    let mut names = Names { found: Vec::new() };
    names.visit_file(&file);
    let module = layers::modules_of(&source.path).pop().unwrap_or_default();
    names.found.push((1, module));
    let judged = names.found.iter().filter_map(|(line, name)| {
        let (word, instead) = banned(name)?;
        let say = format!("`{name}`: the house does not say `{word}`; say {instead}");
        Some(source.finding(*line, say))
    });
    judged.collect()
}

fn banned(name: &str) -> Option<(&'static str, &'static str)> {
    if EXCEPTIONS.iter().any(|(excepted, _)| *excepted == name) {
        return None;
    }
    let words = words_of(name);
    let is = |word: &str, banned: &str| word == banned || word.strip_suffix('s') == Some(banned);
    BANNED.into_iter().find(|(banned, _)| words.iter().any(|word| is(word, banned)))
}

/// The words of a name, small: `TicketId` and `ticket_id` are both `ticket`, `id`.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let shouts = !name.chars().any(char::is_lowercase);
    for letter in name.chars() {
        if letter == '_' || (letter.is_uppercase() && !shouts) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (letter != '_', words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

struct Names {
    found: Vec<(usize, String)>,
}

impl Names {
    fn add(&mut self, ident: &Ident) {
        self.found.push((ident.span().start().line, ident.to_string()));
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        let last = |attribute: &syn::Attribute| {
            attribute.path().segments.last().map(|s| &s.ident == "test")
        };
        if node.attrs.iter().any(|attribute| last(attribute) == Some(true)) {
            return visit::visit_block(self, &node.block); // a test is named by a sentence
        }
        visit::visit_item_fn(self, node);
    }
    fn visit_signature(&mut self, node: &'ast syn::Signature) {
        self.add(&node.ident);
        visit::visit_signature(self, node);
    }
    fn visit_item_struct(&mut self, node: &'ast syn::ItemStruct) {
        self.add(&node.ident);
        visit::visit_item_struct(self, node);
    }
    fn visit_item_enum(&mut self, node: &'ast syn::ItemEnum) {
        self.add(&node.ident);
        visit::visit_item_enum(self, node);
    }
    fn visit_variant(&mut self, node: &'ast syn::Variant) {
        self.add(&node.ident);
        visit::visit_variant(self, node);
    }
    fn visit_item_trait(&mut self, node: &'ast syn::ItemTrait) {
        self.add(&node.ident);
        visit::visit_item_trait(self, node);
    }
    fn visit_item_type(&mut self, node: &'ast syn::ItemType) {
        self.add(&node.ident);
        visit::visit_item_type(self, node);
    }
    fn visit_item_const(&mut self, node: &'ast syn::ItemConst) {
        self.add(&node.ident);
        visit::visit_item_const(self, node);
    }
    fn visit_item_static(&mut self, node: &'ast syn::ItemStatic) {
        self.add(&node.ident);
        visit::visit_item_static(self, node);
    }
    fn visit_item_mod(&mut self, node: &'ast syn::ItemMod) {
        self.add(&node.ident);
        visit::visit_item_mod(self, node);
    }
    fn visit_field(&mut self, node: &'ast syn::Field) {
        if let Some(ident) = &node.ident {
            self.add(ident);
        }
        visit::visit_field(self, node);
    }
}

#[test]
fn nothing_has_a_name_that_the_house_does_not_use() {
    tree::none(check(&Tree::load()));
}

#[test]
fn a_banned_word_is_found_in_every_kind_of_name() {
    for text in [
        "fn send_message() {}",
        "struct OrderManager;",
        "struct X { campaign_id: u8 }",
        "enum X { Promo }",
        "enum Voucher {}",
        "const MAX_ITEMS: u8 = 1;",
        "mod helpers {}",
        "trait T { fn info(&self); }",
        "type Task = u8;",
        "static DATA: u8 = 1;",
    ] {
        let findings = check(&Tree::of(&[("src/issue/mod.rs", text)]));
        assert!(!findings.is_empty(), "{text}");
    }
    tree::caught(check(&Tree::of(&[("src/http/common.rs", "")])), "does not say `common`");
    tree::caught(check(&Tree::of(&[("bench/naive/take.rs", "fn order() {}")])), "`order`");
}

#[test]
fn a_word_that_only_resembles_a_banned_one_is_fine() {
    let text = "#[test] fn serials_rise_in_the_order_of_stock() {}
        use tokio::task::JoinSet; struct X { data_dir: u8, ordering: u8, database: u8 }
        impl X { fn reorder() { let task = tokio::task::spawn(f()); } }
        enum E { Data, OutOfOrder }";
    tree::none(check(&Tree::of(&[("src/app.rs", text)])));
}
