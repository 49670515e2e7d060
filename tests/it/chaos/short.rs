//! Each fault of each part once, so that a change that breaks a promise is caught by `make test`.

use super::part::Part;
use super::{check, random};

async fn each_once(part: Part) {
    check(part, random::seed(), async |faults| faults.run_each().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stops_or_dies_breaks_no_promise_i1_i2_i5_i10() {
    each_once(Part::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_dies_or_ends_breaks_no_promise_i1_i2_i3_i5_i10() {
    each_once(Part::Server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_stops_or_dies_breaks_no_promise_i2_i3_i9() {
    each_once(Part::Database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_break_no_promise_i2_i3_i9_i10() {
    each_once(Part::Network).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_loses_data_breaks_no_promise_after_its_recovery_i1_i2_i5_i10() {
    each_once(Part::Recovery).await;
}
