//! The scripts of `lua/`, as Redis knows them.

use std::fs::read_to_string;
use std::path::Path;

/// The SHA by which this script is called, its parts included.
pub fn sha(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua");
    let script = read_to_string(folder.join(name).with_extension("lua")).unwrap();
    let parts = script.lines().find_map(|line| line.strip_prefix("--! PARTS "));
    let parts = parts.into_iter().flat_map(str::split_whitespace);
    let parts = parts.map(|part| read_to_string(folder.join(format!("parts/{part}.lua"))).unwrap());
    let flags = if script.starts_with("#!") { script.find('\n').unwrap() + 1 } else { 0 };
    let (flags, rest) = script.split_at(flags);
    redis::Script::new(&[flags, &parts.collect::<String>(), rest].concat()).get_hash().to_owned()
}
