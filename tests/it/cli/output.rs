//! What a verb shows: tables to people, the bodies of HTTP to programs.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::eventually::eventually_holds;
use crate::support::server::{Server, command};
use crate::support::terminal::on_terminal;

use super::{Ended, done, made, run};

fn words(dir: &Path, words: &str) -> Command {
    let mut command = command(dir, &[]);
    command.args(words.split_whitespace());
    command
}

/// What a verb that ends with 0 shows on a terminal.
#[track_caller]
fn seen(dir: &Path, said: &str) -> String {
    let (code, shown) = on_terminal(words(dir, said), "");
    assert_eq!(code, Some(0), "{said}: {shown}");
    shown
}

/// The body without what differs from instant to instant.
fn timeless(mut body: Value) -> Value {
    body.as_object_mut().unwrap().remove("as_of");
    body
}

#[tokio::test]
async fn a_program_is_told_the_body_that_http_answers_field_by_field() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    done(dir.path(), "coupon create winter --total 5");
    done(dir.path(), "coupon create summer --total 10 --opens-at 2020-01-01T00:00:00Z --open");
    assert_eq!(server.issue("summer", "ada").await.status, 200);
    let is_written = async || server.stats("summer").await["persisted"] == 1;
    eventually_holds("the row", is_written).await;
    for (words, path) in [
        ("coupon log summer", "/admin/coupons/summer/acts"),
        ("coupon show summer", "/admin/coupons/summer"),
        ("coupon list", "/admin/coupons"),
        ("coupon stats summer", "/admin/coupons/summer/stats"),
        ("audit summer", "/coupons/summer/audit"),
    ] {
        let answer = server.get_as_admin(path).await;
        let answer = if answer.status == 200 { answer } else { server.get(path).await };
        let told = done(dir.path(), words);
        assert_eq!(timeless(told.json()), timeless(answer.json()), "{words}");
        let line = done(dir.path(), &format!("{words} -o jsonl")).out;
        let names = |text: &str| -> Vec<String> {
            let quoted = text.split('"').skip(1).step_by(2);
            quoted.filter(|text| !text.contains(':')).map(str::to_owned).collect()
        };
        if !["coupon list", "coupon log summer"].contains(&words) {
            assert_eq!(line.lines().count(), 1, "{words}");
            assert_eq!(names(&line), names(&answer.body), "in the same sequence: {words}");
        }
    }
    assert!(done(dir.path(), "coupon show summer").out.starts_with("{\n  \"id\": \"summer\""));
    let paused = done(dir.path(), "coupon pause summer").json();
    let resumed = server.post_as_admin("/admin/coupons/summer/resume").await.json();
    let fields = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&paused), fields(&resumed));
    assert_eq!((&paused["coupon_id"], &paused["remaining"]), (&"summer".into(), &9.into()));
    let lines = done(dir.path(), "coupon list --output csv").out;
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0].split(',').next(), Some("id"));
    assert!(lines[1].starts_with("summer,summer,10,1,2020-01-01T00:00:00.000Z,,"), "{lines:?}");
    assert!(lines[2].starts_with("winter,winter,5,1,,,,"), "{lines:?}");
    assert_eq!(lines.len(), 3);
    let of_audit = done(dir.path(), "audit summer -o csv").out;
    assert!(of_audit.starts_with("coupon_id,as_of,ok,faults,total,"), "{of_audit}");
    let bodies = done(dir.path(), "coupon list -o jsonl").out;
    let ids: Vec<Value> =
        bodies.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    assert_eq!((&ids[0]["id"], &ids[1]["id"]), (&"summer".into(), &"winter".into()));
}

#[tokio::test]
async fn a_person_is_shown_a_table_with_the_stock_and_told_acts_in_sentences() {
    let dir = made(&[]).await;
    let dir = dir.path();
    assert_eq!(done(dir, "coupon list -o csv").out, "");
    assert_eq!(done(dir, "coupon list").json(), json!({ "coupons": [], "next_cursor": null }));
    assert!(seen(dir, "coupon list").contains("coupon create ID --total N --open"));
    let created = seen(dir, "coupon create summer --total 514 --name Summer --open");
    let lines: Vec<Vec<&str>> = created
        .lines()
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(lines[0][..5], ["ID", "STATE", "ISSUED", "REMAINING", "TOTAL"], "{created}");
    assert_eq!(lines[1][..2], ["summer", "open"], "{created}");
    done(dir, "coupon create winter --total 5");
    let list = seen(dir, "coupon list");
    assert_eq!(list.lines().count(), 3, "{list}");
    assert!(list.lines().all(|line| line.len() > 50), "aligned: {list}");
    for (words, sentence) in [
        ("coupon pause summer", "summer is paused (version 2); 514 of 514 remain\n"),
        ("coupon pause summer", "summer was paused already (version 2); 514 of 514 remain\n"),
        ("coupon resume summer", "summer is resumed (version 3); 514 of 514 remain\n"),
        ("coupon resume summer", "summer was not paused (version 3); 514 of 514 remain\n"),
        ("coupon restock summer -4", "summer is restocked (version 4); 510 of 510 remain\n"),
        ("coupon close summer --yes", "summer is closed (version 5); 510 of 510 remain\n"),
        ("coupon close summer -y", "summer was closed already (version 5); 510 of 510 remain\n"),
    ] {
        assert_eq!(seen(dir, words), sentence);
    }
    let audit = seen(dir, "audit summer");
    assert!(audit.lines().any(|line| line.split_whitespace().eq(["remaining", "510"])), "{audit}");
    assert!(seen(dir, "coupon show summer -o json").starts_with('{'), "as it was asked for");
    assert!(done(dir, "coupon show summer -o table").out.starts_with("ID"));
}

#[tokio::test]
async fn a_close_and_a_cancel_ask_on_a_terminal_only_and_do_nothing_without_a_yes() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 3).await;
    for user in ["ada", "eve"] {
        assert_eq!(server.issue("summer", user).await.status, 200);
    }
    let is_written = async || server.stats("summer").await["rows"] == 2;
    eventually_holds("the rows", is_written).await;
    for (verb, question) in
        [("coupon close summer", "Close summer?"), ("ticket cancel summer.1", "Cancel summer.1?")]
    {
        for answer in ["\n", "n\n", "no\n"] {
            let (code, shown) = on_terminal(words(dir.path(), verb), answer);
            assert_eq!(code, Some(1), "{shown}");
            assert!(shown.contains(question) && shown.contains("nothing was changed"), "{shown}");
        }
    }
    let before = server.stats("summer").await;
    assert_eq!((&before["cancelled"], &before["version"]), (&0.into(), &1.into()));
    let (code, shown) = on_terminal(words(dir.path(), "ticket cancel summer.1"), "y\n");
    assert!(code == Some(0) && shown.contains("summer.1 is cancelled"), "{shown}");
    let (code, shown) = on_terminal(words(dir.path(), "ticket cancel summer.2 --yes"), "");
    assert!(code == Some(0) && !shown.contains('?'), "{shown}");
    done(dir.path(), "coupon close summer");
    assert_eq!(server.issue("summer", "bob").await.code(), "closed");
}

#[tokio::test]
async fn commands_log_warnings_only_and_in_colour_only_where_it_is_wanted() {
    let dir = made(&[]).await;
    let mut quiet = words(dir.path(), "coupon list");
    let ended: Ended = quiet.env_remove("FIRSTCOME_LOG").output().unwrap().into();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    for (no_color, is_colourful) in [("", true), ("1", false)] {
        let mut talking = words(dir.path(), "coupon list");
        talking.env("FIRSTCOME_LOG", "info").env("NO_COLOR", no_color);
        let (_, shown) = on_terminal(talking, "");
        assert!(shown.contains("redis-server answers"), "{shown}");
        assert_eq!(shown.contains("\u{1b}["), is_colourful, "{shown}");
    }
}

#[tokio::test]
async fn the_log_of_a_coupon_tells_who_changed_what_and_when() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 10).await;
    assert_eq!(server.restock("summer", 5, "k").await.status, 200);
    done(dir.path(), "coupon pause summer");
    assert_eq!(run(dir.path(), "coupon restock summer -16").code, Some(1));
    done(dir.path(), "coupon window summer --per-user-limit 2");
    let log = done(dir.path(), "coupon log summer").json();
    let told: Vec<String> = log["acts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| {
            let (no, version) = (&act["act_no"], &act["version"]);
            let text = |name: &str| act[name].as_str().unwrap_or("-").to_owned();
            format!("{no} {} {} {} {version}", text("kind"), text("who"), text("state"))
        })
        .collect();
    let expected = [
        "1 preload admin applied 1",
        "2 restock admin applied 2",
        "3 pause cli applied 3",
        "4 restock cli refused null",
        "5 window cli applied 4",
    ];
    assert_eq!(told, expected);
    assert_eq!(
        (&log["acts"][1]["change"]["delta"], &log["acts"][3]["reason"]),
        (&5.into(), &"below_issued".into())
    );
    assert!(log["acts"][0]["intended_at"].as_str().unwrap().ends_with('Z'));
    let shown = seen(dir.path(), "coupon log summer");
    assert!(shown.starts_with("NO") && shown.contains("restock +5"), "{shown}");
    assert_eq!(shown.lines().count(), 6, "{shown}");
    done(dir.path(), "coupon create winter --total 1");
    assert!(seen(dir.path(), "coupon log winter").contains("winter is a draft"));
    assert_eq!(run(dir.path(), "coupon log nothing").code, Some(1));
}
