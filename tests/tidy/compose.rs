//! `docker-compose.yml`: it parses, speaks only of our variables, keeps the admin port at home,
//! sends no password in the clear, and gives Redis the settings without which a told ticket could
//! be lost.

use yaml_rust2::{Yaml, YamlLoader};

use crate::tables;
use crate::tree::{self, Finding, Source, Tree};

const PATH: &str = "docker-compose.yml";
/// The port of the admin listener.
const ADMIN_PORT: &str = "8081";
/// What the command of Redis says, word after word.
const REDIS: [&str; 3] =
    ["--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"];

/// URLs that do not say by themselves that they are encrypted.
const CLEAR: [&str; 3] = ["postgres://", "postgresql://", "redis://"];

/// What is wrong with the file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(source) = tree.find(PATH) else { return vec![Finding::at(PATH, "write it")] };
    let documents = match YamlLoader::load_from_str(&source.text) {
        Ok(documents) if documents.len() == 1 => documents,
        Ok(_) => return vec![source.finding(1, "write one YAML document")],
        Err(error) => return vec![source.finding(error.marker().line(), format!("{error}"))],
    };
    let Some(services) = documents[0]["services"].as_hash() else {
        return vec![source.finding(1, "name the services below `services`")];
    };
    let mut findings = variables(tree, source);
    findings.extend(passwords(source));
    for (name, service) in services {
        let name = name.as_str().unwrap_or_default();
        findings.extend(ports(source, name, service));
        if name == "redis" {
            findings.extend(redis(source, service));
        }
    }
    if services.keys().all(|name| name.as_str() != Some("redis")) {
        findings.push(source.finding(1, "name the service of Redis `redis`"));
    }
    findings
}

/// Variables of ours in the file are declared by clap.
pub fn variables(tree: &Tree, source: &Source) -> Vec<Finding> {
    let declared = tables::variables(tree);
    if declared.is_empty() {
        return vec![Finding::at("src/config", "no variable found; did its form change?")];
    }
    let strange = tree::words(&source.text)
        .filter(|(_, word)| tables::is_variable(word) && !declared.contains_key(*word));
    strange
        .map(|(line, word)| source.finding(line, format!("there is no variable {word}")))
        .collect()
}

/// Passwords that would go to another container in the clear: the doctor would warn of them.
fn passwords(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let url = CLEAR.iter().find_map(|scheme| line.split_once(scheme));
        let Some((user, place)) = url.and_then(|(_, rest)| rest.rsplit_once('@')) else { continue };
        let by_socket = place.starts_with('/');
        let insists = ["sslmode=require", "sslmode=verify-full"].iter().any(|m| place.contains(m));
        if user.contains(':') && !by_socket && !insists {
            let say = "a password goes through the network in the clear: use a socket, or TLS";
            findings.push(source.finding(index + 1, say));
        }
    }
    findings
}

fn ports(source: &Source, name: &str, service: &Yaml) -> Vec<Finding> {
    let ports = service["ports"].as_vec().map_or(&[][..], Vec::as_slice);
    let mut findings = Vec::new();
    for port in ports {
        let Some(port) = port.as_str() else {
            let say = format!("{name}: write a port as a string, \"127.0.0.1:8081:8081\"");
            findings.push(source.finding(1, say));
            continue;
        };
        let inner = port.rsplit(':').next().unwrap_or_default();
        if inner.split('/').next() == Some(ADMIN_PORT) && !port.starts_with("127.0.0.1:") {
            let say = format!("{name}: publish the admin port as \"127.0.0.1:…:{ADMIN_PORT}\"");
            findings.push(source.finding(line_of(source, port), say));
        }
    }
    findings
}

fn redis(source: &Source, service: &Yaml) -> Vec<Finding> {
    let command = match &service["command"] {
        Yaml::String(text) => text.clone(),
        Yaml::Array(words) => words.iter().filter_map(Yaml::as_str).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    };
    let missing = REDIS.into_iter().filter(|setting| !command.contains(setting));
    missing.map(|setting| source.finding(1, format!("start redis with {setting}"))).collect()
}

fn line_of(source: &Source, part: &str) -> usize {
    source.text.lines().position(|line| line.contains(part)).map_or(1, |index| index + 1)
}

#[test]
fn the_compose_file_starts_what_the_documents_promise() {
    tree::none(check(&Tree::load()));
}

#[cfg(test)]
const COMPOSE: &str = "services:
  redis:
    command: redis-server --appendonly yes --appendfsync always --maxmemory-policy noeviction
  server:
    environment:
      REDIS_URL: redis://redis:6379
      DATABASE_URL: postgres://me:${PASSWORD:?set it}@/shop?host=/run
    ports: [\"8080:8080\", \"127.0.0.1:9081:8081\"]
";

#[test]
fn a_compose_file_that_leaks_or_loses_is_found() {
    let variables = "#[arg(env = \"REDIS_URL\")] #[arg(env = \"DATABASE_URL\")] struct X;";
    let config = ("src/config/mod.rs", variables);
    tree::none(check(&Tree::of(&[config, (PATH, COMPOSE)])));
    let encrypted = COMPOSE.replace("@/shop?host=/run", "@postgres/shop?sslmode=require");
    tree::none(check(&Tree::of(&[config, (PATH, &encrypted)])));
    for (from, to, say) in [
        ("appendfsync always", "appendfsync everysec", "--appendfsync always"),
        ("noeviction", "allkeys-lru", "--maxmemory-policy noeviction"),
        ("--appendonly yes ", "", "--appendonly yes"),
        ("127.0.0.1:9081", "9081", "publish the admin port"),
        ("127.0.0.1:9081", "0.0.0.0:9081", "publish the admin port"),
        ("@/shop?host=/run", "@postgres/shop", "a password goes through the network"),
        ("redis://redis", "redis://:secret@redis", "a password goes through the network"),
        ("REDIS_URL", "FIRSTCOME_REDIS", "there is no variable FIRSTCOME_REDIS"),
        ("  redis:", "  cache:", "name the service of Redis"),
        ("\"8080:8080\"", "8080", "write a port as a string"),
        ("  server:", " server:", ""),
    ] {
        let text = COMPOSE.replacen(from, to, 1);
        tree::caught(check(&Tree::of(&[config, (PATH, &text)])), say);
    }
}
