//! `serve` with nothing set: what it makes, what it prints, and what a second start finds.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::support::server::{Server, TOKEN, command, send};

use super::{done, listed, made};

/// `serve` without a token and keys given, as on a new machine.
fn bare(dir: &Path, words: &[&str]) -> Command {
    let mut command = command(dir, &[]);
    command.env_remove("FIRSTCOME_ADMIN_TOKEN").env_remove("FIRSTCOME_CODE_KEYS");
    command.arg("serve").args(words);
    command
}

/// The commands that a server prints, one a line.
fn commands(server: &mut Server) -> Vec<String> {
    let text = server.says("/coupons/summer/issue").join("\n").replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("curl "));
    lines.map(str::to_owned).collect()
}

/// What a person gets who pastes this command into a shell.
async fn pasted(command: &str) -> Value {
    let said = match Command::new("curl").arg("--version").output() {
        Ok(_) => shell(&format!("{command} -sS")),
        Err(_) => without_curl(command).await,
    };
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {command}: {said}"))
}

fn shell(script: &str) -> String {
    let output =
        Command::new("sh").args(["-c", script]).env("FIRSTCOME_ADMIN_TOKEN", TOKEN).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// The shell splits the command into words, and the test sends what curl would.
async fn without_curl(command: &str) -> String {
    let split = shell(&format!("curl() {{ printf '%s\\n' \"$@\"; }}; {command}"));
    let mut words = split.lines();
    let (mut post, mut headers, mut body, mut url) = (false, Vec::new(), String::new(), "");
    while let Some(word) = words.next() {
        match word {
            "-H" => headers.push(words.next().unwrap().split_once(": ").unwrap()),
            "-X" => post = words.next() == Some("POST"),
            "-d" => (post, body) = (true, words.next().unwrap().to_owned()),
            _ => url = word,
        }
    }
    let client = reqwest::Client::new();
    let mut request = if post { client.post(url).body(body) } else { client.get(url) };
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request = request.header(name, HeaderValue::from_str(value).unwrap());
    }
    send(request).await.unwrap().body
}

#[tokio::test]
async fn the_printed_commands_lead_to_a_first_ticket_and_nothing_is_created_unasked() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut given = command(dirs[0].path(), &[]);
    given.arg("serve");
    for (dir, command) in dirs.iter().zip([given, bare(dirs[1].path(), &[])]) {
        let mut server = Server::start_from(command).ready().await;
        assert!(listed(dir.path()).is_empty(), "nothing unasked");
        let commands = commands(&mut server);
        assert_eq!(commands.len(), 3, "{commands:?}");
        assert_eq!(pasted(&commands[0]).await["state"], "draft");
        assert_eq!(pasted(&commands[1]).await["state"], "open");
        let told = pasted(&commands[2]).await;
        assert_eq!((&told["error"], &told["ticket"]["serial"]), (&json!(null), &json!(1)));
        assert_eq!(pasted(&commands[2]).await, told, "I10");
    }
}

#[tokio::test]
async fn the_demo_is_one_coupon_made_once_in_an_empty_database_and_one_command() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    for _ in 0..2 {
        let mut server = Server::start_from(bare(dir.path(), &["--demo"])).ready().await;
        let commands = commands(&mut server);
        assert_eq!(commands.len(), 4, "{commands:?}");
        assert_eq!(listed(dir.path()), ["welcome open 100 Welcome"]);
        told.push(pasted(&commands[0]).await);
        server.terminate();
        assert!(server.ended().await.success());
    }
    assert_eq!((&told[0]["error"], &told[0]["ticket"]["id"]), (&json!(null), &json!("welcome.1")));
    assert_eq!(told[0], told[1], "the same after a restart (I10)");

    let large = tempfile::tempdir().unwrap();
    let server = Server::start_from(bare(large.path(), &["--demo=100000"])).ready().await;
    assert_eq!(listed(large.path()), ["welcome open 100000 Welcome"]);
    drop(server);

    let other = made(&[]).await;
    done(other.path(), "coupon create own --total 5");
    let mut server = Server::start_from(bare(other.path(), &["--demo"])).ready().await;
    assert_eq!(commands(&mut server).len(), 3, "no demo where a coupon is");
    assert_eq!(listed(other.path()), ["own draft 5 own"]);
}

#[tokio::test]
async fn a_second_start_finds_everything_as_it_was_also_after_kill_9_i3_i10() {
    let dir = tempfile::tempdir().unwrap();
    let kept = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let mut server = Server::start_from(bare(dir.path(), &[])).ready().await;
    let token = String::from_utf8(kept("admin-token")).unwrap();
    let said = server.says("/coupons/summer/issue").join("\n");
    assert!(said.contains(token.trim()), "the token is printed where it was made");
    assert_eq!(said.contains("This is the quick build; `make release`"), cfg!(debug_assertions));
    let secrets = (kept("admin-token"), kept("code-keys"));
    done(dir.path(), "coupon create summer --total 100");
    done(dir.path(), "coupon preload summer");
    let mut told = Vec::new();
    for user in ["ada", "eve", "홍길동"].map(str::to_owned) {
        told.push((user.clone(), server.issue("summer", &user).await.body));
    }
    for is_orderly in [true, false, true] {
        match is_orderly {
            true => {
                server.terminate();
                assert!(server.ended().await.success());
            }
            false => server.kill(),
        }
        server = Server::start_from(bare(dir.path(), &[])).ready().await;
        assert_eq!((kept("admin-token"), kept("code-keys")), secrets);
        for name in ["admin-token", "code-keys"] {
            let mode = dir.path().join(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        for (user, body) in &told {
            let again = server.issue("summer", user).await;
            assert_eq!(&again.body, body, "byte for byte");
            assert_eq!(again.headers["idempotency-replayed"], "true");
        }
        let user = format!("new-{}", told.len());
        let fresh = server.issue("summer", &user).await;
        assert_eq!(fresh.json()["ticket"]["serial"], told.len() + 1, "I5");
        told.push((user, fresh.body));
    }
    assert_eq!(done(dir.path(), "audit summer").json()["issued"], told.len());
}
