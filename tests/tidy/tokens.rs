//! Rust files as tokens: every path that they mention, also inside macros, and whether the place is
//! compiled only for tests. Tokens hold no comments, and a string stays a string.

use std::str::FromStr;

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

use crate::tree::Source;

/// Words that may stand before a path without being part of it.
const KEYWORDS: [&str; 20] = [
    "use", "return", "as", "in", "dyn", "impl", "for", "match", "if", "while", "let", "mut", "ref",
    "move", "else", "where", "break", "const", "static", "type",
];

/// Where a token stands.
#[derive(Clone, Copy, Default)]
pub struct Place {
    /// Compiled only for tests.
    pub in_test: bool,
    /// Inline modules around it.
    pub mods: usize,
}

/// A path that a file mentions; a tree of imports gives one for each of its leaves.
pub struct Mention {
    /// Begins with `::`.
    pub leading: bool,
    /// Its names.
    pub segments: Vec<String>,
    /// The name that an import binds.
    pub binds: Option<String>,
    /// Where it stands.
    pub line: usize,
    /// Where it stands.
    pub place: Place,
}

/// The tokens of a file.
pub fn of(source: &Source) -> Vec<TokenTree> {
    match TokenStream::from_str(&source.text) {
        Ok(stream) => stream.into_iter().collect(),
        Err(error) => panic!("{}: these are no Rust tokens: {error}", source.path),
    }
}

/// Calls `visit` for every token with its neighbours. Does not enter the braces of an import.
pub fn walk(
    tokens: &[TokenTree],
    mut place: Place,
    visit: &mut dyn FnMut(&[TokenTree], usize, Place),
) {
    let mut only_next = false;
    for (i, token) in tokens.iter().enumerate() {
        let here = Place { in_test: place.in_test || only_next, ..place };
        visit(tokens, i, here);
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ';' => only_next = false,
            TokenTree::Group(group) => {
                let brace = group.delimiter() == Delimiter::Brace;
                if brace && after_colons(tokens, i) {
                    continue;
                }
                let inner = inside(group);
                let mods = here.mods + usize::from(brace && is_ident(tokens, i, 2, "mod"));
                walk(&inner, Place { mods, ..here }, visit);
                if is_attribute(tokens, i) && says_test(&inner) {
                    only_next = true;
                    place.in_test |= is_punct(tokens, i, 1, '!');
                } else if brace {
                    only_next = false;
                }
            }
            _ => {}
        }
    }
}

/// The tokens of a group.
pub fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

/// The line of a token.
pub fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

/// Whether the token at `i - back` is this name.
pub fn is_ident(tokens: &[TokenTree], i: usize, back: usize, name: &str) -> bool {
    let token = i.checked_sub(back).and_then(|at| tokens.get(at));
    matches!(token, Some(TokenTree::Ident(ident)) if ident == name)
}

/// Whether the token at `i - back` is this sign.
pub fn is_punct(tokens: &[TokenTree], i: usize, back: usize, sign: char) -> bool {
    let token = i.checked_sub(back).and_then(|at| tokens.get(at));
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// Whether the group at `i` is the inside of `#[…]` or `#![…]`.
pub fn is_attribute(tokens: &[TokenTree], i: usize) -> bool {
    let bracket = matches!(&tokens[i], TokenTree::Group(g) if g.delimiter() == Delimiter::Bracket);
    let inner = is_punct(tokens, i, 1, '!') && is_punct(tokens, i, 2, '#');
    bracket && (is_punct(tokens, i, 1, '#') || inner)
}

/// The text of a token that is a string, without quotes; escapes stay as they are written.
pub fn string(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else { return None };
    let text = literal.to_string();
    let body = text.trim_start_matches(['b', 'c', 'r']).trim_matches('#');
    let body = body.strip_prefix('"')?.strip_suffix('"')?;
    Some(body.to_owned())
}

/// All strings of a file outside its tests, with their lines. Documentation is none.
pub fn strings(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    walk(&of(source), Place::default(), &mut |tokens, i, place| {
        let documents = is_punct(tokens, i, 1, '=') && is_ident(tokens, i, 2, "doc");
        if !place.in_test && !documents {
            found.extend(string(&tokens[i]).map(|text| (line(&tokens[i]), text)));
        }
    });
    found
}

/// All paths of a file.
pub fn mentions(source: &Source) -> Vec<Mention> {
    let mut found = Vec::new();
    walk(&of(source), Place::default(), &mut |tokens, i, place| {
        let TokenTree::Ident(first) = &tokens[i] else { return };
        let colons = after_colons(tokens, i);
        let inner = colons && i >= 3 && ends_path(&tokens[i - 3]);
        if inner || KEYWORDS.contains(&first.to_string().as_str()) {
            return;
        }
        let imported = is_ident(tokens, i, if colons { 3 } else { 1 }, "use");
        let mut leaves = Vec::new();
        leaves_of(tokens, i, Vec::new(), &mut leaves);
        found.extend(leaves.into_iter().map(|(segments, binds, line)| Mention {
            leading: colons,
            binds: imported.then_some(binds),
            segments,
            line,
            place,
        }));
    });
    found
}

/// The modules that a file declares, inline or not.
pub fn modules(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    walk(&of(source), Place::default(), &mut |tokens, i, _| {
        if let (true, TokenTree::Ident(name)) = (is_ident(tokens, i, 1, "mod"), &tokens[i]) {
            found.push(name.to_string());
        }
    });
    found
}

fn after_colons(tokens: &[TokenTree], i: usize) -> bool {
    let joint =
        |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.spacing() == Spacing::Joint);
    i >= 2
        && is_punct(tokens, i, 1, ':')
        && is_punct(tokens, i, 2, ':')
        && tokens.get(i - 2).is_some_and(joint)
}

fn ends_path(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(ident) => !KEYWORDS.contains(&ident.to_string().as_str()),
        TokenTree::Punct(punct) => punct.as_char() == '>',
        _ => false,
    }
}

fn says_test(attribute: &[TokenTree]) -> bool {
    let named =
        |name: &str| attribute.iter().enumerate().any(|(i, _)| is_ident(attribute, i, 0, name));
    let tokens: Vec<TokenTree> = match attribute.get(1) {
        Some(TokenTree::Group(group)) if is_ident(attribute, 0, 0, "cfg") => inside(group),
        _ => return named("test"),
    };
    let mut test = false;
    let mut not = false;
    walk(&tokens, Place::default(), &mut |tokens, i, _| {
        test |= is_ident(tokens, i, 0, "test");
        not |= is_ident(tokens, i, 0, "not");
    });
    test && !not
}

type Leaf = (Vec<String>, String, usize);

fn leaves_of(tokens: &[TokenTree], i: usize, mut path: Vec<String>, leaves: &mut Vec<Leaf>) {
    match tokens.get(i) {
        Some(TokenTree::Ident(ident)) => {
            if ident != "self" || path.is_empty() {
                path.push(ident.to_string());
            }
            let goes_on = match tokens.get(i + 3) {
                Some(TokenTree::Ident(_)) => true,
                Some(TokenTree::Punct(punct)) => punct.as_char() == '*',
                Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Brace,
                _ => false,
            };
            if goes_on && after_colons(tokens, i + 3) {
                return leaves_of(tokens, i + 3, path, leaves);
            }
            let mut binds = path.last().cloned().unwrap_or_default();
            if let (true, Some(TokenTree::Ident(alias))) =
                (is_ident(tokens, i + 1, 0, "as"), tokens.get(i + 2))
            {
                binds = alias.to_string();
            }
            leaves.push((path, binds, line(&tokens[i])));
        }
        Some(TokenTree::Group(group)) => {
            let inner = inside(group);
            let comma = |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == ',');
            for part in inner.split(comma) {
                leaves_of(part, 0, path.clone(), leaves);
            }
        }
        Some(TokenTree::Punct(punct)) if punct.as_char() == '*' => {
            path.push("*".to_owned());
            leaves.push((path, "*".to_owned(), line(&tokens[i])));
        }
        _ => {}
    }
}
