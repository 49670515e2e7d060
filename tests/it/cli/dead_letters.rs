//! `firstcome dead-letters`: list, show, replay, drop.

use serde_json::json;

use crate::support::eventually::eventually_holds;
use crate::support::server::command;
use crate::support::site::{Dialect, Site};
use crate::support::store::{accept, refuse};

use super::{Ended, run_with};

#[tokio::test]
async fn dead_letters_are_listed_replayed_and_dropped_and_each_form_has_them_i1_i3() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 10).await;
    let variables = [("REDIS_URL", site.redis.url()), ("DATABASE_URL", &*site.database_url)];
    let run = |words: &str| -> Ended {
        run_with(command(site.data_dir(), &variables), &format!("dead-letters {words}"))
    };
    assert_eq!(run("list -o table").out, "no dead letters\n");
    refuse(&site.database_url, "tickets", "user_id LIKE 'bad%'").await;
    for user in ["bad1", "good", "bad2"] {
        assert_eq!(server.issue("summer", user).await.status, 200);
    }
    let are_parked = async || server.stats("summer").await["dead_letters"] == 2;
    eventually_holds("both are dead letters", are_parked).await;
    let listed = run("list").json();
    let letters = listed["dead_letters"].as_array().unwrap();
    assert_eq!((letters.len(), &listed["next_cursor"]), (2, &json!(null)));
    let of = |user: &str| {
        let found = letters.iter().find(|letter| letter["user_id"] == user).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    let (one, two) = (of("bad1"), of("bad2"));
    // In CSV each record has its three lines.
    for (form, lines) in [("table", 3), ("jsonl", 2), ("csv", 7)] {
        let listed = run(&format!("list -o {form}"));
        assert_eq!(listed.out.lines().count(), lines, "{listed:?}");
        assert!(listed.out.contains(&one) && listed.out.contains("summer.1"), "{listed:?}");
    }
    let shown = run(&format!("show {one}")).json();
    assert!(shown["raw"].as_str().unwrap().ends_with("\nbad1"), "{shown}");
    let refused = run(&format!("replay {one}"));
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("it still cannot be a row: "), "{refused:?}");
    accept(&site.database_url, "tickets").await;
    assert_eq!(run(&format!("replay {one}")).json()["decision"], "replayed");
    let words = format!("drop {two}");
    assert_eq!(run(&words).code, Some(2), "a drop needs a reason");
    let dropped = run(&format!("{words} --reason doubled")).json();
    assert_eq!((&dropped["decision"], &dropped["decided_by"]), (&json!("dropped"), &json!("cli")));
    assert_eq!(run("list -o table").out, "no dead letters\n");
    assert_eq!(run("list --all").json()["dead_letters"].as_array().unwrap().len(), 2);
    assert_eq!(run("show nothing").code, Some(1));
    let stats = server.stats("summer").await;
    assert_eq!(
        (&stats["ok"], &stats["rows"], &stats["returned"]),
        (&json!(true), &json!(3), &json!(1))
    );
}
