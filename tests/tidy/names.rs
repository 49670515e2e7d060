//! One word per thing: names have the words of the glossary, each in one meaning.

use std::collections::BTreeSet;

use proc_macro2::Ident;
use syn::visit::{self, Visit};

use crate::layers;
use crate::tree::{self, Finding, Source, Tree};

/// The glossary.
const WORDS: &str = "docs/words.md";
/// Words that say nothing about a thing of ours, whatever it is.
const EMPTY: [(&str, &str); 6] = [
    ("manager", "the verb as a noun: Issuer, Persister"),
    ("helper", "what it does"),
    ("util", "what it does"),
    ("utils", "what it does"),
    ("common", "what its parts have in common"),
    ("info", "what it tells"),
];

/// A row of the glossary.
struct Row {
    line: usize,
    word: String,
    names: Vec<String>,
    retired: Vec<String>,
}

/// The rows of all tables of the glossary.
fn glossary(words: &Source) -> Vec<Row> {
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| word |");
    let lines = words.text.lines().zip(1..).filter(|(line, _)| is_row(line));
    let row = |(text, line): (&str, usize)| {
        let cells: Vec<&str> = text.trim_matches('|').split('|').map(str::trim).collect();
        let list = |at: usize| {
            let cell = cells.get(at).copied().unwrap_or_default();
            let parts = cell.split(',').map(|part| part.trim().trim_matches('`').to_owned());
            parts.filter(|part| !part.is_empty()).collect::<Vec<_>>()
        };
        let word = cells.first().copied().unwrap_or_default().to_owned();
        Row { line, word, names: list(2), retired: list(3) }
    };
    lines.map(row).collect()
}

/// Every word of the glossary is a name in the code; no name has a word that the glossary retired,
/// or one that says nothing.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(words) = tree.find(WORDS) else {
        return vec![Finding::at(WORDS, "write the glossary: one table row per word")];
    };
    let rows = glossary(words);
    let mut findings = Vec::new();
    let mut known = BTreeSet::new();
    for source in tree.under("src/", "rs") {
        let names = match names_of(source) {
            Ok(names) => names,
            Err(finding) => {
                findings.push(finding);
                continue;
            }
        };
        for (line, name) in names {
            if let Some(say) = retired(&rows, &name) {
                findings.push(source.finding(line, say));
            }
            known.insert(name);
        }
    }
    for row in &rows {
        if row.names.is_empty() {
            findings.push(words.finding(row.line, format!("say where `{}` is in code", row.word)));
        }
        for name in row.names.iter().filter(|name| !known.contains(*name)) {
            let say = format!("nothing in src/ is called `{name}`: mend the row of `{}`", row.word);
            findings.push(words.finding(row.line, say));
        }
    }
    findings
}

/// What to say instead of a name's word.
fn retired(rows: &[Row], name: &str) -> Option<String> {
    let words = words_of(name);
    let has = |retired: &str| words.iter().any(|word| word == retired);
    if let Some((word, instead)) = EMPTY.into_iter().find(|(word, _)| has(word)) {
        return Some(format!("`{name}`: `{word}` says nothing; say {instead}"));
    }
    let row = rows.iter().find(|row| row.retired.iter().any(|word| has(word)))?;
    Some(format!("`{name}`: the word for it is `{}` ({WORDS})", row.word))
}

fn names_of(source: &Source) -> Result<Vec<(usize, String)>, Finding> {
    let file = syn::parse_file(&source.text)
        .map_err(|error| source.finding(1, format!("does not parse: {error}")))?;
    let mut names = Names { found: Vec::new() };
    names.visit_file(&file);
    let module = layers::modules_of(&source.path).pop().unwrap_or_default();
    names.found.push((1, module));
    Ok(names.found)
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
fn every_name_has_the_words_of_the_glossary() {
    tree::none(check(&Tree::load()));
}

#[cfg(test)]
const GLOSSARY: &str = "# Words\n\n| word | meaning | in code | not |\n|---|---|---|---|\n\
    | ticket | one coupon of one user | `Ticket` | voucher, item |\n";

#[cfg(test)]
fn findings_of(text: &str) -> Vec<Finding> {
    let text = format!("{text} struct Ticket;");
    check(&Tree::of(&[(WORDS, GLOSSARY), ("src/issue/mod.rs", &text)]))
}

#[test]
fn a_retired_or_an_empty_word_is_found_in_every_kind_of_name() {
    for text in [
        "fn send_voucher() {}",
        "struct VoucherManager;",
        "struct X { item_id: u8 }",
        "enum X { Item }",
        "enum Voucher {}",
        "const ITEM_MAX: u8 = 1;",
        "mod helper {}",
        "trait T { fn info(&self); }",
        "type Item = u8;",
        "static ITEM: u8 = 1;",
    ] {
        assert!(!findings_of(text).is_empty(), "{text}");
    }
    tree::caught(findings_of("fn item() {}"), "the word for it is `ticket`");
    let common = [(WORDS, GLOSSARY), ("src/http/common.rs", "struct Ticket;")];
    tree::caught(check(&Tree::of(&common)), "`common` says nothing");
}

#[test]
fn a_word_of_the_glossary_that_no_code_has_is_found() {
    tree::none(findings_of("#[test] fn an_item_is_a_sentence_here() {} struct Itemised;"));
    let none = [(WORDS, GLOSSARY), ("src/issue/mod.rs", "struct Other;")];
    tree::caught(check(&Tree::of(&none)), "nothing in src/ is called `Ticket`");
    let silent = GLOSSARY.replace("`Ticket`", "");
    let silent = [(WORDS, silent.as_str()), ("src/issue/mod.rs", "struct Ticket;")];
    tree::caught(check(&Tree::of(&silent)), "say where `ticket` is in code");
}
