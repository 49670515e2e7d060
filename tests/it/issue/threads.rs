//! The number of threads depends on cores, not on users. Checked only on Linux, where a file lists
//! the threads.

#![cfg(target_os = "linux")]

use futures_util::future::join_all;
use reqwest::StatusCode;

use crate::support::line::Line;
use crate::support::site::{Dialect, Site};

const USERS: usize = 500;

#[tokio::test]
async fn five_hundred_users_add_no_thread_and_there_are_at_most_sixteen_beside_the_cores() {
    let cores = std::thread::available_parallelism().unwrap().get();
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let site = Site::start(dialect).await;
        // SQLite has a thread for each connection, and opens the second when it needs it.
        let server = site.server(&[("FIRSTCOME_DATABASE_POOL_MAX_CONNECTIONS", "2")]).await;
        server.prepare("summer", USERS as u64).await;
        server.issue("summer", "first").await;
        let before = server.threads();
        let lines = join_all((0..USERS).map(|_| Line::open(&server.public))).await;
        let answers = lines.into_iter().enumerate().map(async |(number, line)| {
            let mut line = line.unwrap();
            let told = line.issue("summer", &format!("u{number}")).await.unwrap();
            assert!([StatusCode::OK, StatusCode::CONFLICT].contains(&told.status));
            line
        });
        let connected = join_all(answers).await;
        let after = server.threads();
        assert!(after <= before + 1, "{before} threads, then {after}, {dialect:?}");
        assert!(after <= cores + 16, "{after} threads on {cores} cores, {dialect:?}");
        drop(connected);
    }
}
