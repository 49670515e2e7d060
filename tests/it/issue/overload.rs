//! A Redis that is too slow for the load: requests that wait too long are refused, and requests
//! that are sent get their answers in time.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::issue::verdict::later;
use crate::support::line::Line;
use crate::support::proxy::Proxy;
use crate::support::site::{Dialect, Site};

const CALLERS: usize = 300;
const COUPONS: usize = 6;
/// Of all requests to Redis. A user takes about 130 of them, and all callers more than a second.
const BYTES_PER_SECOND: u64 = 30_000;

#[tokio::test]
async fn a_redis_that_cannot_keep_up_is_asked_for_what_it_can_do_i4() {
    let site = Site::start(Dialect::Sqlite).await;
    let proxy = Proxy::before(site.redis.url());
    let server = site
        .server(&[
            ("REDIS_URL", proxy.url()),
            ("FIRSTCOME_WORKERS", "1"),
            ("FIRSTCOME_PERSISTER", "off"),
            ("FIRSTCOME_REDIS_TIMEOUT_MS", "600"),
        ])
        .await;
    for coupon in 0..COUPONS {
        server.prepare(&format!("c{coupon}"), 1_000_000).await;
    }
    let lines = join_all((0..CALLERS).map(|_| Line::open(&server.public))).await;
    proxy.slow_down(BYTES_PER_SECOND);
    // At first nobody knows how slow it is.
    let (counts_from, until) = (Instant::now() + Duration::from_secs(4), Cell::new(None));
    let answers = RefCell::new(HashMap::<String, usize>::new());
    join_all(lines.into_iter().enumerate().map(async |(caller, line)| {
        let mut line = line.unwrap();
        for turn in 0.. {
            let (user, coupon) = (format!("{turn:0>90}-{caller}"), caller % COUPONS);
            let told = line.issue(&format!("c{coupon}"), &user).await.unwrap();
            if Instant::now() > counts_from {
                until.set(until.get().or(Some(Instant::now() + Duration::from_secs(4))));
                *answers.borrow_mut().entry(told.code()).or_default() += 1;
            }
            if until.get().is_some_and(|until| Instant::now() > until) {
                return;
            }
            later(20).await;
        }
    }))
    .await;
    let answers = answers.into_inner();
    let told = |code: &str| answers.get(code).copied().unwrap_or_default();
    let all: usize = answers.values().sum();
    assert!(told("") > 100, "tickets: {answers:?}");
    assert!(told("overloaded") > 100, "{answers:?}");
    // Without a bound of the rounds it is a third. A machine that stands still may cost a round
    // its answer, and those who wait behind it.
    assert!((told("outcome_unknown") + told("recovering")) * 4 < all, "{answers:?}");
}
