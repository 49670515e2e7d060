//! The words of a script's replies: said by the script, told in its header, known to Rust.

use proc_macro2::TokenTree;

use crate::header::Header;
use crate::lua::{self, Code};
use crate::tokens::{self, Place};
use crate::tree::{self, Finding, Source, Tree};

/// The words that the scripts of acts share stand here; a file with [`SHARES`] knows them.
const SHARED: &str = "src/lua/mod.rs";
const SHARES: &str = "pub type Reply = ActReply;";

/// Every word of REPLY is said by the script and known to the Rust side, and every word that the
/// script returns stands in REPLY.
pub fn check(tree: &Tree, script: &Source, code: &Code, header: &Header) -> Vec<Finding> {
    let mut findings = Vec::new();
    let rust = format!("src/lua/{}.rs", script.stem());
    let known = tree.find(&rust).map(|source| known_words(tree, source));
    for word in &header.reply {
        let said = code.strings.iter().any(|string| string.split(' ').next() == Some(word));
        if !said {
            let say = format!("the script never says \"{word}\"; take it out of REPLY");
            findings.push(script.finding(1, say));
        }
        if known
            .as_ref()
            .is_some_and(|known| !known.contains(word) && !known.contains(&camel(word)))
        {
            let say =
                format!("give Reply a variant `{}` for \"{word}\" of {}", camel(word), script.path);
            findings.push(Finding::at(rust.clone(), say));
        }
    }
    for (line, word) in returned(code).filter(|(_, word)| !header.reply.contains(word)) {
        findings.push(script.finding(line, format!("\"{word}\" is returned: tell it in REPLY")));
    }
    findings
}

/// The first words of strings that stand right behind a `return`, in a table or not.
fn returned(code: &Code) -> impl Iterator<Item = (usize, String)> {
    lua::positions(&code.bare, "return").into_iter().filter_map(|at| {
        let value = code.text[at + "return".len()..].trim_start();
        let value = value.strip_prefix('{').unwrap_or(value).trim_start();
        let quote = value.chars().next().filter(|c| ['"', '\''].contains(c))?;
        let word = value[1..].split([quote, ' ']).next()?;
        Some((lua::line(&code.bare, at), word.to_owned()))
    })
}

fn known_words(tree: &Tree, source: &Source) -> Vec<String> {
    let mut words = words_in_rust(source);
    if source.text.contains(SHARES) {
        words.extend(tree.find(SHARED).map(words_in_rust).unwrap_or_default());
        // `applied` and `refused` are read by `ActResult::parse`.
        words.extend(tree.find("src/domain/act.rs").map(words_in_rust).unwrap_or_default());
    }
    words
}

/// All names, and the first words of all strings.
fn words_in_rust(source: &Source) -> Vec<String> {
    let mut words = Vec::new();
    tokens::walk(&tokens::of(source), Place::default(), &mut |tokens, i, place| {
        if place.in_test {
            return;
        }
        if let TokenTree::Ident(ident) = &tokens[i] {
            words.push(ident.to_string());
        }
        if let Some(text) = tokens::string(&tokens[i]) {
            words.push(text.split(' ').next().unwrap_or_default().to_owned());
        }
    });
    words
}

fn camel(word: &str) -> String {
    let capital = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
    word.split('_').filter(|part| !part.is_empty()).map(capital).collect()
}

#[cfg(test)]
const PAUSE: &str = "--! Pause.\n--! KEYS 1 coupon hash\n--! REPLY applied version | unknown\n\
    local coupon = KEYS[1]\n\
    if redis.call('HSETNX', coupon, 'a', 'b') == 0 then return 'unknown' end\n\
    return {'applied', 1}\n";

#[cfg(test)]
fn findings_of(script: &str, rust: &[(&str, &str)]) -> Vec<Finding> {
    let files = [&[("lua/pause.lua", script)], rust].concat();
    let tree = Tree::of(&files);
    let source = tree.find("lua/pause.lua").expect("it was just put there");
    check(&tree, source, &lua::code(script), &crate::header::read(source))
}

#[test]
fn a_word_that_rust_does_not_know_is_found() {
    let known = ("src/lua/pause.rs", "pub enum Reply { Applied(u64), Unknown }");
    tree::none(findings_of(PAUSE, &[known]));
    tree::none(findings_of(PAUSE, &[]));
    let less = ("src/lua/pause.rs", "pub enum Reply { Applied(u64) }");
    tree::caught(findings_of(PAUSE, &[less]), "a variant `Unknown`");
}

#[test]
fn the_words_of_all_acts_are_known_to_those_who_share_them_only() {
    let shared = (SHARED, "pub enum ActReply { Applied(u64), Unknown }");
    let act = ("src/lua/pause.rs", "/// Those of every act.\npub type Reply = ActReply;");
    tree::none(findings_of(PAUSE, &[shared, act]));
    let less = (SHARED, "pub enum ActReply { Applied(u64) }");
    tree::caught(findings_of(PAUSE, &[less, act]), "a variant `Unknown`");
    let other = ("src/lua/pause.rs", "pub type Reply = bool;");
    assert_eq!(findings_of(PAUSE, &[shared, other]).len(), 2);
}

#[test]
fn a_word_that_the_header_does_not_tell_is_found() {
    for (from, to) in [("return 'unknown'", "return 'closed'"), ("{'applied'", "{ 'closed 1'")] {
        let script = format!("{}\n-- 'unknown' 'applied'", PAUSE.replacen(from, to, 1));
        let says = ["return x or 'unknown'\n", "local y = 'applied'\n"].concat();
        tree::caught(findings_of(&(script + "\n" + &says), &[]), "\"closed\" is returned");
    }
}
