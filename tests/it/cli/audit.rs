//! `firstcome audit`: of one coupon, of all, once or again and again.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{done, run};
use crate::support::server::{Server, command};

#[tokio::test]
async fn all_coupons_but_drafts_are_audited_and_one_that_is_wrong_is_named_i1() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    done(dir.path(), "coupon create draft --total 5");
    for coupon in ["summer", "winter"] {
        server.prepare(coupon, 10).await;
    }
    let audits = done(dir.path(), "audit --all").json();
    let ids: Vec<&Value> =
        audits["audits"].as_array().unwrap().iter().map(|audit| &audit["coupon_id"]).collect();
    assert_eq!(ids, ["summer", "winter"]);
    let table = done(dir.path(), "audit --all -o table").out;
    assert!(table.starts_with("ID      OK   ISSUED"), "{table}");
    let audit = &audits["audits"][0];
    assert_eq!((&audit["contested"], &audit["epochs"]), (&0.into(), &Value::Array(Vec::new())));
    assert_eq!(run(dir.path(), "audit").code, Some(2), "a coupon or --all");
    assert_eq!(run(dir.path(), "audit summer --all").code, Some(2));
}

#[tokio::test]
async fn a_watch_goes_on_until_it_is_stopped_or_until_nobody_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 10).await;
    for is_stopped in [true, false] {
        let mut watch = command(dir.path(), &[]);
        watch.args(["audit", "--all", "--watch", "-o", "jsonl"]).stdout(Stdio::piped());
        let mut watch = watch.spawn().unwrap();
        let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        for _ in 0..2 {
            let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(line["ok"], true);
        }
        match is_stopped {
            true => kill_process(Pid::from_child(&watch), Signal::INT).unwrap(),
            false => drop(lines),
        }
        assert_eq!(watch.wait().unwrap().code(), Some(0));
    }
}
