//! Several persisters at once, in one process and in many (I9).

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Ground;
use crate::support::eventually::eventually_holds;
use crate::support::site::Dialect;

#[tokio::test]
async fn several_persisters_write_every_ticket_once_whoever_takes_over_from_whom_i3_i9() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let ground = Ground::start(dialect).await;
        let shutdown = CancellationToken::new();
        let run = |consumer: &'static str| {
            // So eager that they take records out of each other's hands.
            let eager = super::Bounds {
                take_over_idle: Duration::ZERO,
                take_over_every: Duration::from_millis(1),
                batch_max_tickets: 40,
                ..super::BOUNDS
            };
            let persister = ground.persister_with(consumer, eager);
            super::run(persister, shutdown.clone())
        };
        let issue = async {
            for call in 0..200 {
                ground.issue(call * 10..(call + 1) * 10).await;
            }
            let all = async || ground.counts().await.rows == 2_000;
            eventually_holds("all rows", all).await;
            shutdown.cancel();
        };
        tokio::join!(run("one"), run("two"), run("three"), issue);
        ground.assert_rows(2_000).await;
    }
}
