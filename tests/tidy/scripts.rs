//! A script against its header, and the traps of Lua in Redis.

use crate::header;
use crate::lua::{self, Code};
use crate::parts;
use crate::replies;
use crate::tree::{self, Finding, Source, Tree};

/// Commands that write nothing. Every other command counts as a write.
const READS: [&str; 30] = [
    "EXISTS",
    "GET",
    "GETRANGE",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HLEN",
    "HMGET",
    "HSCAN",
    "HSTRLEN",
    "INFO",
    "LINDEX",
    "LLEN",
    "LRANGE",
    "MGET",
    "PING",
    "PTTL",
    "SCARD",
    "SISMEMBER",
    "SMISMEMBER",
    "STRLEN",
    "TIME",
    "TTL",
    "TYPE",
    "XINFO",
    "XLEN",
    "XPENDING",
    "XRANGE",
    "XREVRANGE",
    "ZSCORE",
];

/// What is wrong with the scripts.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut scripts = tree.under("lua/", "lua");
    scripts.retain(|script| !script.path.starts_with("lua/parts/"));
    if scripts.is_empty() {
        return vec![Finding::at("lua/", "there is no script here")];
    }
    scripts.into_iter().flat_map(|script| check_script(tree, script)).collect()
}

fn check_script(tree: &Tree, own: &Source) -> Vec<Finding> {
    let joined = parts::joined(tree, own);
    let script = &joined.source;
    let code = lua::code(&script.text);
    let mut header = header::read(own);
    let mut findings = std::mem::take(&mut header.findings);
    findings.extend(indexes(script, &code, "KEYS", &header.keys, None));
    findings.extend(indexes(script, &code, "ARGV", &header.argv, header.tail));
    findings.extend(replies::check(tree, script, &code, &header));
    findings.extend(numbers(script, &code));
    findings.extend(commands(script, &code));
    // Told where they stand in the script's own file; those in its parts come first.
    findings.into_iter().map(|finding| finding.up(joined.before)).collect()
}

/// `KEYS[n]` or `ARGV[n]` in the code are those of the header, each bound once to a local.
fn indexes(
    script: &Source,
    code: &Code,
    name: &str,
    declared: &[usize],
    tail: Option<usize>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = Vec::new();
    let mut listed = code.bare.contains(&format!("unpack({name}"));
    for at in lua::positions(&code.bare, name) {
        let line = lua::line(&code.bare, at);
        let Some((index, _)) = lua::bracket(&code.bare, at + name.len(), '[', ']') else {
            continue;
        };
        let Ok(n) = index.trim().parse::<usize>() else {
            listed = true;
            if tail.is_none() {
                let say = format!(
                    "{name}[{}]: write a number, or `n.. name` in the header",
                    index.trim()
                );
                findings.push(script.finding(line, say));
            }
            continue;
        };
        let from_tail = tail.is_some_and(|tail| n >= tail);
        listed |= from_tail;
        if !declared.contains(&n) && !from_tail {
            findings.push(
                script.finding(line, format!("{name}[{n}] is not in the header; declare it")),
            );
        }
        let before = code.bare[..at].rsplit('\n').next().unwrap_or_default();
        if !before.trim_start().starts_with("local ") {
            let say = format!("bind {name}[{n}] to a local at the top, and use that");
            findings.push(script.finding(line, say));
        } else if seen.contains(&n) {
            let say = format!("{name}[{n}] has a name already; use that");
            findings.push(script.finding(line, say));
        }
        seen.push(n);
    }
    for n in declared.iter().filter(|n| !seen.contains(n)) {
        let say = format!("{name}[{n}] of the header is not used; delete it there and in Rust");
        findings.push(script.finding(1, say));
    }
    if let (Some(tail), false) = (tail, listed) {
        findings.push(script.finding(1, format!("{name} {tail}.. of the header is not used")));
    }
    findings
}

/// No number loses digits on its way into a text.
fn numbers(script: &Source, code: &Code) -> Vec<Finding> {
    let mut findings = Vec::new();
    let say = "numbers from 1e14 on lose digits so: string.format(\"%.0f\", n)";
    for at in lua::positions(&code.bare, "tostring") {
        findings.push(script.finding(lua::line(&code.bare, at), say));
    }
    for at in lua::positions(&code.bare, "tonumber") {
        let before = code.bare[..at].trim_end().ends_with("..");
        let end = lua::bracket(&code.bare, at + "tonumber".len(), '(', ')').map(|(_, end)| end);
        let after = end.is_some_and(|end| code.bare[end..].trim_start().starts_with(".."));
        if before || after {
            findings.push(script.finding(lua::line(&code.bare, at), say));
        }
    }
    findings
}

/// TIME is read once, and a script that writes nothing says so.
fn commands(script: &Source, code: &Code) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut times = 0;
    let mut writes = false;
    for (at, command) in lua::commands(code) {
        let line = lua::line(&code.bare, at);
        let Some(command) = command else {
            findings.push(script.finding(line, "write the command out, in quotes"));
            writes = true;
            continue;
        };
        writes |= !READS.contains(&command.as_str());
        times += usize::from(command == "TIME");
        if command == "TIME" && times == 2 {
            let say = "TIME moves inside a script: read it once, at the top, into a local";
            findings.push(script.finding(line, say));
        }
    }
    let first = script.text.lines().next().unwrap_or_default();
    let promises = first.starts_with("#!lua") && first.contains("no-writes");
    if !writes && first != "#!lua flags=no-writes" {
        findings
            .push(script.finding(1, "begin with #!lua flags=no-writes: nothing is written here"));
    } else if writes && promises {
        findings
            .push(script.finding(1, "this script writes: take no-writes out of its first line"));
    }
    findings
}

#[test]
fn every_script_does_what_its_header_says() {
    tree::none(check(&Tree::load()));
}

#[cfg(test)]
const ISSUE: &str = "--! Give one ticket to each user.
--! KEYS 1 coupon hash   2 holders hash
--! ARGV 1 epoch number   2.. user_ids
--! REPLY issued serial | sold_out
--! KEEPS I1 I4
local coupon, holders = KEYS[1], KEYS[2]
local epoch = tonumber(ARGV[1])
local now = redis.call('TIME')
for i = 2, #ARGV do redis.call('HSET', holders, ARGV[i], epoch) end
if redis.call('HINCRBY', coupon, 'remaining', -1) < 0 then return {'sold_out'} end
return {'issued', string.format('%.0f', epoch)} -- not tostring(KEYS[7])
";

#[cfg(test)]
const RUST: &str = "pub enum Reply { Issued(u64), SoldOut }";

#[cfg(test)]
fn findings_of(script: &str, rust: &str) -> Vec<Finding> {
    check(&Tree::of(&[("lua/issue.lua", script), ("src/lua/issue.rs", rust)]))
}

#[test]
fn a_script_that_keeps_to_its_header_is_fine() {
    tree::none(findings_of(ISSUE, RUST));
    tree::none(findings_of(
        ISSUE,
        "fn f(w: &[u8]) { match w { b\"issued\" | b\"sold_out\" => 1 } }",
    ));
}

#[test]
fn a_script_that_strays_from_its_header_is_found() {
    for (from, to, say) in [
        ("2 holders hash", "2 holders hash 3 records stream", "KEYS[3] of the header is not used"),
        ("  2 holders hash", "", "KEYS[2] is not in the header"),
        ("'TIME')", "'TIME')\nredis.call('DEL', KEYS[1])", "bind KEYS[1] to a local"),
        ("'TIME')", "'TIME')\nlocal again = KEYS[1]", "KEYS[1] has a name already"),
        ("'TIME')", "'TIME')\nlocal key = KEYS[epoch]", "KEYS[epoch]: write a number"),
        ("1 epoch number   2.. user_ids", "1 epoch number", "ARGV[i]: write a number"),
        ("HSET', holders, ARGV[i]", "HSET', holders, epoch", "ARGV 2.. of the header is not used"),
        ("| sold_out", "| sold_out | closed", "never says \"closed\""),
        ("string.format('%.0f', epoch)", "tostring(epoch)", "lose digits"),
        ("string.format('%.0f', epoch)", "'n' .. tonumber(epoch)", "lose digits"),
        ("string.format('%.0f', epoch)", "tonumber(epoch) .. 'n'", "lose digits"),
        ("'TIME')", "'TIME')\nlocal later = redis.call(\"time\")", "TIME moves"),
        ("redis.call('HSET'", "redis.call(epoch", "write the command out"),
        ("--! Give", "#!lua flags=no-writes\n--! Give", "this script writes"),
    ] {
        let script = ISSUE.replacen(from, to, 1);
        assert_ne!(script, ISSUE, "{from}");
        let rust = "enum Reply { Issued, SoldOut, Closed }";
        tree::caught(findings_of(&script, rust), say);
    }
}

#[test]
fn a_script_that_writes_nothing_must_say_so() {
    let audit = "--! Count.\n--! KEYS 1 coupon hash\n--! REPLY balance n\n\
        local coupon = KEYS[1]\nreturn {'balance', redis.call('HLEN', coupon)}\n";
    tree::caught(check(&Tree::of(&[("lua/audit.lua", audit)])), "begin with #!lua");
    let audit = format!("#!lua flags=no-writes\n{audit}");
    tree::none(check(&Tree::of(&[("lua/audit.lua", &audit)])));
}
