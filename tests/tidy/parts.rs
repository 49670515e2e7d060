//! Parts of scripts: `lua/parts/*.lua`, which the program joins in front of a script. A script's
//! header names its parts, and `src/lua/<script>.rs` joins the same ones.

use crate::header;
use crate::lua;
use crate::tree::{self, Finding, Source, Tree};

/// Where the parts are.
const FOLDER: &str = "lua/parts/";

/// A script as Redis gets it.
pub struct Joined {
    /// The script with its parts in front of it.
    pub source: Source,
    /// How many lines of it stand in front of the script's own.
    pub before: usize,
}

/// Joins the parts that a script's header names, behind its first line when that sets flags.
pub fn joined(tree: &Tree, script: &Source) -> Joined {
    let names = header::read(script).parts;
    let parts = names.iter().filter_map(|name| tree.find(&format!("{FOLDER}{name}.lua")));
    let parts: String = parts.map(|part| part.text.as_str()).collect();
    let flags = match script.text.starts_with("#!") {
        true => script.text.find('\n').map_or(script.text.len(), |end| end + 1),
        false => 0,
    };
    let (flags, text) = script.text.split_at(flags);
    let before = parts.matches('\n').count();
    let source = Source { path: script.path.clone(), text: [flags, &parts, text].concat() };
    Joined { source, before }
}

/// What is wrong with the parts themselves, and with who joins them.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let (parts, scripts): (Vec<&Source>, Vec<&Source>) =
        tree.under("lua/", "lua").into_iter().partition(|source| source.path.starts_with(FOLDER));
    let mut findings: Vec<Finding> = parts.iter().flat_map(|part| check_part(part)).collect();
    let mut used = Vec::new();
    for script in scripts {
        let names = header::read(script).parts;
        for name in &names {
            let Some(part) = parts.iter().find(|part| part.stem() == name) else {
                findings.push(script.finding(1, format!("there is no part `{name}`")));
                continue;
            };
            findings.extend(other_arguments(script, part));
        }
        let rust = format!("src/lua/{}.rs", script.stem());
        if let Some(source) = tree.find(&rust) {
            let said = names_in_rust(&source.text);
            if said != names {
                let say = format!("join {names:?}, as the header of {} says", script.path);
                findings.push(source.finding(1, say));
            }
        }
        used.extend(names);
    }
    let unused = parts.iter().filter(|part| !used.iter().any(|name| name == part.stem()));
    findings.extend(unused.map(|part| part.finding(1, "no script has this part; delete it")));
    findings
}

/// A part says what it is, and writes nothing: what failed before the first write of a script must
/// have changed nothing.
fn check_part(part: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let first = part.text.lines().next().unwrap_or_default();
    if !first.strip_prefix("--! ").is_some_and(|says| says.ends_with('.')) {
        findings
            .push(part.finding(1, "begin with a sentence: --! what scripts get from this part"));
    }
    let code = lua::code(&part.text);
    for (at, command) in lua::commands(&code) {
        let reads = command.is_some_and(|command| ["INFO", "HGET", "HMGET"].contains(&&*command));
        if !reads {
            let line = lua::line(&code.bare, at);
            findings.push(part.finding(line, "a part only reads; write in the script"));
        }
    }
    findings
}

/// Keys and arguments that a part takes have the same numbers and names in the script's header.
fn other_arguments(script: &Source, part: &Source) -> Vec<Finding> {
    let of = |source: &Source| header::read(source);
    let (own, taken) = (of(script), of(part));
    let missing = taken.names.iter().filter(|name| !own.names.contains(name));
    missing
        .map(|(keyword, number, words)| {
            let say = format!("the part `{}` takes {keyword} {number} {words}", part.stem());
            script.finding(1, say)
        })
        .collect()
}

/// The parts between `&[` and `]` of the call of `script(`, or of `let parts = [`.
fn names_in_rust(text: &str) -> Vec<String> {
    let list = text
        .split_once("let parts = [")
        .or_else(|| text.split_once("script(").and_then(|(_, rest)| rest.split_once("&[")));
    let list = list.and_then(|(_, rest)| rest.split_once(']')).map_or("", |(list, _)| list);
    let names = list.split(',').map(|name| name.trim().to_lowercase());
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_part_is_named_joined_and_only_reads() {
    tree::none(check(&Tree::load()));
}

#[cfg(test)]
const PART: &str = "--! Ask.\n--! ARGV 1 epoch number\nlocal epoch = ARGV[1]\n";
#[cfg(test)]
const SCRIPT: &str =
    "--! Do.\n--! PARTS ask\n--! KEYS 1 coupon hash\n--! ARGV 1 epoch number\n--! REPLY ok\n";

#[cfg(test)]
fn findings_of(part: &str, script: &str, rust: &str) -> Vec<Finding> {
    let files = [("lua/parts/ask.lua", part), ("lua/do.lua", script), ("src/lua/do.rs", rust)];
    check(&Tree::of(&files))
}

#[test]
fn a_part_that_strays_is_found() {
    let rust = "script(\"do\", &[ASK], text)";
    tree::none(findings_of(PART, SCRIPT, rust));
    tree::none(findings_of(PART, SCRIPT, "let parts = [ASK];"));
    tree::caught(findings_of(PART, SCRIPT, "script(\"do\", &[], text)"), "join [\"ask\"]");
    let silent = PART.replace("--! Ask.", "-- Ask.");
    tree::caught(findings_of(&silent, SCRIPT, rust), "begin with a sentence");
    let writes = format!("{PART}redis.call('HSET', epoch, 'a', 'b')\n");
    tree::caught(findings_of(&writes, SCRIPT, rust), "a part only reads");
    let other = SCRIPT.replace("ARGV 1 epoch number", "ARGV 1 version number");
    tree::caught(findings_of(PART, &other, rust), "takes ARGV 1 epoch number");
    let without = SCRIPT.replace("--! PARTS ask\n", "");
    tree::caught(findings_of(PART, &without, ""), "no script has this part");
    let unknown = SCRIPT.replace("PARTS ask", "PARTS ask say");
    let both = "script(\"do\", &[ASK, SAY], text)";
    tree::caught(findings_of(PART, &unknown, both), "there is no part");
}
