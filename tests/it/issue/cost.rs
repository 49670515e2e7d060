//! The cost of a ticket for Redis: at most one call, and far less under load.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use crate::support::crowd::Crowd;
use crate::support::eventually::{eventually, eventually_holds};
use crate::support::exact::assert_exactly;
use crate::support::line::Line;
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};

/// The script as the program joins it.
const ISSUE: &str = concat!(
    include_str!("../../../lua/parts/generation.lua"),
    include_str!("../../../lua/parts/stock.lua"),
    include_str!("../../../lua/issue.lua"),
);
const END: &str = "end-of-the-watch";

/// What clients sent while something happened; what scripts do inside is not counted.
#[derive(Debug, Default)]
struct Sent {
    /// Calls of issue.lua by its SHA.
    issue_calls: usize,
    /// Everything else: heartbeat, gauges, pings.
    others: usize,
    /// How long it took.
    seconds: f64,
}

/// Watches by MONITOR.
async fn watch(site: &Site, during: impl Future<Output = ()>) -> Sent {
    let path = site.redis.url().strip_prefix("redis+unix://").unwrap();
    let mut lines = BufReader::new(UnixStream::connect(path).await.unwrap());
    lines.write_all(b"MONITOR\r\n").await.unwrap();
    let mut line = String::new();
    lines.read_line(&mut line).await.unwrap();
    assert_eq!(line, "+OK\r\n");

    let sha = redis::Script::new(ISSUE).get_hash().to_owned();
    let since = Instant::now();
    let end = async {
        during.await;
        let seconds = since.elapsed().as_secs_f64();
        site.redis.ask::<String>(redis::cmd("ECHO").arg(END)).await;
        seconds
    };
    let count = async {
        let mut sent = Sent::default();
        loop {
            line.clear();
            lines.read_line(&mut line).await.unwrap();
            let text = line.to_lowercase();
            if text.contains(END) {
                return sent;
            }
            if text.contains(" lua] ") {
                continue;
            }
            match text.contains("\"evalsha\"") && text.contains(&sha) {
                true => sent.issue_calls += 1,
                false => sent.others += 1,
            }
        }
    };
    let (seconds, sent) = tokio::join!(end, count);
    Sent { seconds, ..sent }
}

/// A server that only issues, and the idle rate of its other commands.
async fn quiet_site() -> (Site, Server, f64) {
    let site = Site::start(Dialect::Sqlite).await;
    let variables = [("FIRSTCOME_PERSISTER", "off"), ("FIRSTCOME_WORKERS", "1")];
    let server = site.server(&variables).await;
    let idle = watch(&site, async {
        let since = Instant::now();
        let is_over = async || since.elapsed() > Duration::from_secs(3);
        eventually_holds("three quiet seconds", is_over).await;
    })
    .await;
    assert_eq!(idle.issue_calls, 0);
    let per_second = idle.others as f64 / idle.seconds;
    (site, server, per_second)
}

/// What happens by the clock may happen once more or less; nothing happens by the request.
fn assert_by_the_clock(sent: &Sent, per_second: f64, requests: usize) {
    let expected = per_second * (sent.seconds + 2.0);
    assert!((sent.others as f64) < expected + requests as f64 * 0.05, "{sent:?}, {per_second}/s");
}

#[tokio::test]
async fn a_ticket_is_one_call_of_one_script_and_nothing_else() {
    let (site, server, per_second) = quiet_site().await;
    server.prepare("summer", 1_000).await;
    let sent = watch(&site, async {
        let mut line = Line::open(&server.public).await.unwrap();
        for number in 0..1_000 {
            let told = line.issue("summer", &format!("u{number}")).await.unwrap();
            assert_eq!(told.status, StatusCode::OK);
        }
    })
    .await;
    // One more: the first call finds out that Redis does not know the script yet.
    assert!((1_000..=1_001).contains(&sent.issue_calls), "{sent:?}");
    assert_by_the_clock(&sent, per_second, 1_000);
}

#[tokio::test]
async fn in_a_rush_a_call_answers_many() {
    let (site, server, per_second) = quiet_site().await;
    server.prepare("summer", 2_000).await;
    let crowd = Crowd::new(&[&server.public], "summer");
    let sent = watch(&site, crowd.rush(0..2_000)).await;
    assert_eq!(crowd.winners(), 2_000);
    assert!((1..2_000 / 2).contains(&sent.issue_calls), "{sent:?}");
    assert_by_the_clock(&sent, per_second, 2_000);
}

#[tokio::test]
async fn script_flush_under_load_fails_no_request() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 1_000).await;
    let crowd = Crowd::new(&[&server.public], "summer");
    let mut flushes = 0;
    let flush = async {
        let mut connection = crate::support::redis::connect(site.redis.url()).await;
        eventually("the last winner", async || {
            for _ in 0..10 {
                let flush = redis::cmd("SCRIPT").arg("FLUSH").arg("SYNC").to_owned();
                flush.query_async::<()>(&mut connection).await.unwrap();
                flushes += 1;
            }
            (crowd.winners() == 1_000).then_some(())
        })
        .await;
    };
    tokio::join!(crowd.rush(0..1_500), flush);
    let told = crowd.told();
    assert!(told.interruptions.is_empty(), "{flushes} flushes: {:?}", told.interruptions);
    assert_exactly(&server, "summer", 1_000, &told).await;
}
