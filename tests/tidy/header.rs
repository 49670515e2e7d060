//! The header of a script: its signature, in a form that can be compared with the code.
//!
//! ```lua
//! --! Give one ticket of a coupon to each user, or say why not.
//! --! PARTS generation
//! --! KEYS 1 coupon hash   2 holders hash   3 records stream
//! --! ARGV 1 epoch number   2 claim number   3.. user_ids
//! --! REPLY issued serial | replayed serial issued_at_ms | sold_out
//! --! KEEPS I1 I2 I4
//! ```
//! A line without a keyword of its own continues the one above it.

use crate::tree::{Finding, Source};

/// Types of keys.
const TYPES: [&str; 6] = ["hash", "stream", "string", "list", "set", "zset"];
const KEYWORDS: [&str; 5] = ["PARTS", "KEYS", "ARGV", "REPLY", "KEEPS"];

/// A script's signature.
#[derive(Default)]
pub struct Header {
    /// The parts that are joined in front of it.
    pub parts: Vec<String>,
    /// Keyword, number and words of each key and argument.
    pub names: Vec<(String, String, String)>,
    /// Numbers of the keys.
    pub keys: Vec<usize>,
    /// Numbers of the arguments.
    pub argv: Vec<usize>,
    /// The argument from which on all the rest is one list.
    pub tail: Option<usize>,
    /// Words with which a reply begins.
    pub reply: Vec<String>,
    /// Invariants that the script keeps.
    pub keeps: Vec<String>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// Reads the `--!` lines at the top of a script.
pub fn read(source: &Source) -> Header {
    let mut header = Header::default();
    let lines = source.text.lines().skip_while(|line| line.starts_with("#!"));
    let lines: Vec<&str> =
        lines.map_while(|line| line.strip_prefix("--!")).map(str::trim).collect();
    let mut parts: Vec<(&str, String)> = Vec::new();
    let mut says = false;
    for line in lines {
        let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        if KEYWORDS.contains(&first) {
            parts.push((first, rest.to_owned()));
        } else if let Some((_, part)) = parts.last_mut() {
            part.push(' ');
            part.push_str(line);
        } else {
            says |= !line.is_empty();
        }
    }
    if !says {
        header.add(source, "begin with a sentence: --! what this transition does");
    }
    for keyword in KEYWORDS {
        let of: Vec<&str> =
            parts.iter().filter(|(of, _)| *of == keyword).map(|(_, rest)| rest.as_str()).collect();
        let between = if keyword == "REPLY" { " | " } else { " " };
        header.take(source, keyword, of.first().map(|_| of.join(between)));
    }
    header
}

impl Header {
    fn add(&mut self, source: &Source, say: &str) {
        self.findings.push(source.finding(1, say));
    }

    fn take(&mut self, source: &Source, keyword: &str, rest: Option<String>) {
        let Some(rest) = rest else {
            if ["KEYS", "REPLY"].contains(&keyword) {
                self.add(source, &format!("say --! {keyword} … in the header"));
            }
            return;
        };
        if ["KEYS", "ARGV"].contains(&keyword) {
            let named = numbered(&rest).into_iter();
            let named = named.map(|(number, words)| (keyword.to_owned(), number, words.join(" ")));
            self.names.extend(named);
        }
        match keyword {
            "PARTS" => self.parts = rest.split_whitespace().map(str::to_owned).collect(),
            "KEYS" => self.take_keys(source, &rest),
            "ARGV" => self.take_argv(source, &rest),
            "REPLY" => {
                let words = rest.split('|').map(|form| form.split_whitespace().next());
                self.reply = words.map(|word| word.unwrap_or_default().to_owned()).collect();
                if self.reply.iter().any(|word| !crate::tree::is_snake(word)) {
                    self.add(source, "write --! REPLY word args | word args, words in snake_case");
                }
            }
            _ => self.keeps = rest.split_whitespace().map(str::to_owned).collect(),
        }
    }

    fn take_keys(&mut self, source: &Source, rest: &str) {
        for (number, words) in numbered(rest) {
            let typed = words.len() == 2 && TYPES.contains(&words[1].as_str());
            match number.parse() {
                Ok(n) if typed && n == self.keys.len() + 1 => self.keys.push(n),
                _ => {
                    self.add(source, "write --! KEYS 1 name type 2 name type, with a type of Redis")
                }
            }
        }
    }

    fn take_argv(&mut self, source: &Source, rest: &str) {
        for (number, words) in numbered(rest) {
            let tail = number.strip_suffix("..");
            let named = if tail.is_some() { !words.is_empty() } else { words.len() >= 2 };
            match tail.unwrap_or(&number).parse() {
                Ok(n) if named && self.tail.is_none() && n == self.argv.len() + 1 => match tail {
                    Some(_) => self.tail = Some(n),
                    None => self.argv.push(n),
                },
                _ => self.add(source, "write --! ARGV 1 name unit 2 name unit 3.. name"),
            }
        }
    }
}

/// `1 a b 2.. c` as `(1, [a, b])`, `(2.., [c])`.
fn numbered(rest: &str) -> Vec<(String, Vec<String>)> {
    let mut parts: Vec<(String, Vec<String>)> = Vec::new();
    for word in rest.split_whitespace() {
        let digits = word.strip_suffix("..").unwrap_or(word);
        if digits.parse::<usize>().is_ok() || parts.is_empty() {
            parts.push((word.to_owned(), Vec::new()));
        } else if let Some((_, words)) = parts.last_mut() {
            words.push(word.to_owned());
        }
    }
    parts
}

#[cfg(test)]
fn header_of(text: &str) -> Header {
    read(&Source { path: "lua/issue.lua".to_owned(), text: text.to_owned() })
}

#[test]
fn a_header_is_read_in_one_line_or_in_many() {
    let header = header_of(
        "#!lua flags=no-writes\n--! Say what is there.\n--! KEYS 1 coupon hash\n\
         --! 2 records stream\n--! ARGV 1 epoch number\n--! ARGV 2.. user_ids\n\
         --! REPLY found n | unknown\n--!   | stale\n--! REPLY gone\n--! KEEPS I1 I4\n\
         local x = 1\n--! REPLY late",
    );
    assert_eq!((header.keys, header.argv, header.tail), (vec![1, 2], vec![1], Some(2)));
    assert_eq!(header.reply, ["found", "unknown", "stale", "gone"]);
    assert_eq!(header.keeps, ["I1", "I4"]);
    crate::tree::none(header.findings);
}

#[test]
fn a_header_that_cannot_be_read_is_found() {
    let good = "--! Say it.\n--! KEYS 1 coupon hash\n--! ARGV 1 epoch number\n--! REPLY ok\n";
    crate::tree::none(header_of(good).findings);
    for (from, to, say) in [
        ("--! Say it.\n", "", "begin with a sentence"),
        ("1 coupon hash", "1 coupon", "--! KEYS"),
        ("1 coupon hash", "1 coupon table", "--! KEYS"),
        ("1 coupon hash", "2 coupon hash", "--! KEYS"),
        ("--! KEYS 1 coupon hash\n", "", "say --! KEYS"),
        ("1 epoch number", "1 epoch", "--! ARGV"),
        ("1 epoch number", "1.. epochs 2 last number", "--! ARGV"),
        ("REPLY ok", "REPLY Ok", "--! REPLY"),
        ("REPLY ok", "REPLY ok | ", "--! REPLY"),
        ("--! REPLY ok\n", "", "say --! REPLY"),
    ] {
        crate::tree::caught(header_of(&good.replace(from, to)).findings, say);
    }
}
