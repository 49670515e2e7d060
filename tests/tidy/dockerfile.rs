//! `Dockerfile`: it parses, copies what is there, speaks only of our variables, and what it builds
//! does not run as root, and has a first process that collects what others leave behind.

use crate::compose;
use crate::tree::{self, Finding, Tree};

const PATH: &str = "Dockerfile";
const INSTRUCTIONS: [&str; 17] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Begins what an image starts: an init, as it is installed and with the end of its own words.
const INIT: &str = "[\"tini\", \"--\", ";

/// An instruction: its line, its name and the rest.
struct Instruction {
    line: usize,
    name: String,
    rest: String,
}

/// What is wrong with the file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(source) = tree.find(PATH) else { return vec![Finding::at(PATH, "write it")] };
    let instructions = parse(&source.text);
    let mut findings = compose::variables(tree, source);
    for instruction in &instructions {
        if !INSTRUCTIONS.contains(&instruction.name.as_str()) {
            let say = format!("{} is no instruction of a Dockerfile", instruction.name);
            findings.push(source.finding(instruction.line, say));
        }
        for path in copied(instruction).filter(|path| !tree.has(path)) {
            findings.push(source.finding(instruction.line, format!("there is no {path} to copy")));
        }
    }
    let first = instructions.iter().find(|instruction| instruction.name != "ARG");
    if first.is_none_or(|instruction| instruction.name != "FROM") {
        findings.push(source.finding(1, "begin with FROM"));
    }
    let stage = instructions.iter().rposition(|i| i.name == "FROM").unwrap_or_default();
    let last = &instructions[stage.min(instructions.len())..];
    let user = last.iter().rev().find(|instruction| instruction.name == "USER");
    if user.is_none_or(|user| user.rest.starts_with("root") || user.rest.starts_with('0')) {
        findings.push(source.finding(1, "end with a USER that is not root"));
    }
    if last.iter().all(|instruction| instruction.name != "HEALTHCHECK") {
        findings.push(source.finding(1, "say with HEALTHCHECK how to see that it lives"));
    }
    // The first process of a container inherits what a health check leaves behind when it runs out
    // of time, and no server collects it.
    let entry = last.iter().rev().find(|instruction| instruction.name == "ENTRYPOINT");
    if entry.is_none_or(|entry| !entry.rest.starts_with(INIT)) {
        let line = entry.map_or(1, |entry| entry.line);
        findings.push(source.finding(line, format!("begin the ENTRYPOINT with an init: {INIT}…")));
    }
    let installs = |instruction: &Instruction| {
        instruction.name == "RUN" && instruction.rest.split_whitespace().any(|word| word == "tini")
    };
    if !last.iter().any(installs) {
        findings.push(source.finding(1, "install tini in the image that is started"));
    }
    findings
}

fn parse(text: &str) -> Vec<Instruction> {
    let mut instructions: Vec<Instruction> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (body, continued) = line.strip_suffix('\\').map_or((line, false), |body| (body, true));
        match instructions.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.rest.push(' ');
                last.rest.push_str(body.trim());
            }
            None => {
                let (name, rest) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
                let (name, rest) = (name.to_ascii_uppercase(), rest.trim().to_owned());
                instructions.push(Instruction { line: index + 1, name, rest });
            }
        }
        goes_on = continued;
    }
    instructions
}

/// What an instruction copies out of the project's folder.
fn copied(instruction: &Instruction) -> impl Iterator<Item = &str> {
    let words: Vec<&str> = instruction.rest.split_whitespace().collect();
    let ours = ["COPY", "ADD"].contains(&instruction.name.as_str())
        && !words.iter().any(|word| word.starts_with("--from"));
    let paths: Vec<&str> = words.into_iter().filter(|word| !word.starts_with("--")).collect();
    let sources = if ours { paths.len().saturating_sub(1) } else { 0 };
    paths.into_iter().take(sources).map(|path| path.trim_start_matches("./"))
}

#[test]
fn the_dockerfile_builds_from_what_is_there() {
    tree::none(check(&Tree::load()));
}

#[test]
fn a_dockerfile_that_cannot_be_right_is_found() {
    let good = "# build\nFROM rust AS build\nCOPY src src\nRUN cargo build \\\n  # why\n  \
        --release\nFROM debian\nRUN apt-get install \\\n tini\nCOPY --from=build /x /y\n\
        USER 10001\nENV REDIS_URL=\"\"\nHEALTHCHECK CMD [\"true\"]\n\
        ENTRYPOINT [\"tini\", \"--\", \"firstcome\"]\n";
    let config = ("src/config/mod.rs", "#[arg(env = \"REDIS_URL\")] struct X;");
    let check = |text: &str| check(&Tree::of(&[config, ("src", ""), (PATH, text)]));
    tree::none(check(good));
    for (from, to, say) in [
        ("FROM rust", "USER rust\nFROM rust", "begin with FROM"),
        ("COPY src", "COPI src", "no instruction"),
        ("COPY src", "COPY source", "no source to copy"),
        ("USER 10001", "USER root", "not root"),
        ("USER 10001\n", "", "not root"),
        ("HEALTHCHECK CMD [\"true\"]\n", "", "HEALTHCHECK"),
        ("ENTRYPOINT [\"tini\", \"--\", \"firstcome\"]\n", "", "begin the ENTRYPOINT"),
        ("\"tini\", \"--\", ", "", "begin the ENTRYPOINT"),
        ("[\"tini\", \"--\", \"firstcome\"]", "tini -- firstcome", "begin the ENTRYPOINT"),
        ("install \\\n tini", "update", "install tini"),
        ("REDIS_URL", "FIRSTCOME_URL", "there is no variable FIRSTCOME_URL"),
    ] {
        tree::caught(check(&good.replacen(from, to, 1)), say);
    }
}
