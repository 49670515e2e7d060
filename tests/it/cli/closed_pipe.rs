//! A reader that has left before a verb writes to it: `firstcome coupon list | head -0`.

use std::path::Path;
use std::process::Stdio;

use crate::support::server::command;

use super::made;

/// How a verb ends to whom nobody listens, and what it says on standard error.
fn unheard(dir: &Path, words: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = command(dir, variables);
    command.args(words.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut verb = command.spawn().unwrap();
    drop(verb.stdout.take());
    let ended = verb.wait_with_output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[tokio::test]
async fn no_verb_panics_or_grumbles_when_nobody_reads_what_it_says() {
    let dir = made(&[]).await;
    for words in [
        "migrate",
        "doctor --new-key",
        "coupon create summer --total 10",
        "coupon create winter --total 10",
        "coupon delete winter",
        "coupon preload summer",
        "coupon list",
        "coupon list -o table",
        "coupon list -o jsonl",
        "coupon list -o csv",
        "coupon log summer",
        "coupon log summer -o table",
        "coupon show summer",
        "coupon stats summer",
        "coupon window summer --per-user-limit 2",
        "coupon restock summer 5",
        "coupon pause summer",
        "coupon resume summer",
        "coupon pause summer --now",
        "coupon winners summer",
        "coupon winners summer --format xlsx",
        "coupon close summer",
        "audit summer",
        "doctor",
        "settings",
        "--help",
        "--version",
    ] {
        assert_eq!(unheard(dir.path(), words, &[]), (Some(0), String::new()), "{words}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let told = unheard(dir.path(), "", &[("COMPLETE", shell)]);
        assert_eq!(told, (Some(0), String::new()), "{shell}");
    }
    // Whoever does not read is still told by the exit code.
    assert_eq!(unheard(dir.path(), "audit winter", &[]).0, Some(1));
}
