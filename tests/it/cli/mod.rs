//! The command line: every verb, every exit code.

mod archive;
mod audit;
mod closed_pipe;
mod dead_letters;
mod doctor;
mod exits;
mod help;
mod output;
mod secret_files;
mod serve;
mod verbs;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::server::{Server, command};

/// How a command ended, and what it said.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A data directory in which a server has run.
async fn made(variables: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(dir.path(), variables).await.ready().await;
    server.terminate();
    assert!(server.ended().await.success());
    dir
}

/// `firstcome` with these words, in this data directory.
fn run(dir: &Path, words: &str) -> Ended {
    run_with(command(dir, &[]), words)
}

fn run_with(mut command: Command, words: &str) -> Ended {
    command.args(words.split_whitespace()).output().unwrap().into()
}

/// As [`run`]; fails unless it ends with 0.
#[track_caller]
fn done(dir: &Path, words: &str) -> Ended {
    let ended = run(dir, words);
    assert_eq!(ended.code, Some(0), "{words}: {ended:?}");
    ended
}

/// Every coupon as `id state total name`.
fn listed(dir: &Path) -> Vec<String> {
    let list = done(dir, "coupon list").json();
    let coupons = list["coupons"].as_array().unwrap();
    let text = |coupon: &Value, name: &str| coupon[name].as_str().unwrap().to_owned();
    let line = |coupon: &Value| {
        let (id, state, name) = (text(coupon, "id"), text(coupon, "state"), text(coupon, "name"));
        format!("{id} {state} {} {name}", coupon["total"])
    };
    coupons.iter().map(line).collect()
}
