//! A persister is killed at each moment between reading a record and acknowledging it.
//!
//! `make chaos PART=persister KILLS=1000` kills as many.

use super::history::{Asked, History};
use super::points::{Leads, Point, Request};
use super::random::{self, Random};
use super::{judge, number_from};
use crate::support::eventually::eventually_holds;
use crate::support::proxy::Moment;
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};

const COUPON: &str = "winter";
/// Never sold out.
const TOTAL: u64 = 1_000_000;
/// Users who ask before each kill.
const USERS_MAX: u64 = 20;
/// How often nobody asks, so that only what the dead one left behind is written, in percent.
const QUIET_PERCENT: u64 = 10;

const ACKNOWLEDGE: Request = Request::Script("acknowledge");
/// The last point leaves nothing behind.
const POINTS: [Point; 5] = [
    Point(Moment::Before, Request::Statement("WITH inserted AS")),
    // The tickets are inserted, and nothing is committed.
    Point(Moment::Before, Request::Statement("AS grown (id, n)")),
    // Nobody tells that it is committed.
    Point(Moment::After, Request::Statement("COMMIT")),
    Point(Moment::Before, ACKNOWLEDGE),
    Point(Moment::After, ACKNOWLEDGE),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persister_killed_at_any_moment_loses_and_doubles_nothing_i3_i9() {
    let kills = number_from("FIRSTCOME_CHAOS_KILLS").unwrap_or(POINTS.len() as u64 + 1);
    let seed = number_from("FIRSTCOME_CHAOS_SEED").unwrap_or_else(random::seed);
    println!("FIRSTCOME_CHAOS_SEED={seed} Persister");
    let mut random = Random::new(seed);
    let site = Site::start(Dialect::Postgres).await;
    let server = site.server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    server.prepare(COUPON, TOTAL).await;
    let history = History::begin();
    let (mut takeovers, mut is_left) = (0, false);
    for number in 0..kills {
        let point = POINTS[number as usize % POINTS.len()];
        let leads = Leads::to(&site);
        let mut worker = site.worker(&leads.variables());
        leads.trap(point);
        // Among the other tests exactly once.
        let is_quiet = is_left && (number == 1 || random.is(QUIET_PERCENT) && number > 5);
        takeovers += u64::from(is_quiet);
        for _ in 0..if is_quiet { 0 } else { 1 + random.below(USERS_MAX) } {
            let (user, sent) = (history.new_user(), history.now());
            let answer = server.issue(COUPON, &user).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            history.add(Asked::Issue { user }, sent, Some(&answer));
        }
        leads.sprung(point).await;
        worker.kill();
        is_left = point != POINTS[4];
    }
    let _persister = site.worker(&[]);
    let parked = replay_all(&server).await;
    let line = format!(
        "part=Persister seed={seed} persister_kills={kills} takeovers={takeovers} parked={parked}"
    );
    judge(&line, &history, &server, &site.redis, (COUPON, TOTAL)).await;
}

/// Replays what was parked, as an operator does: a record that three persisters had in hand when
/// they were killed looks like one that kills them. Returns how many tickets those were.
async fn replay_all(server: &Server) -> usize {
    eventually_holds("an empty stream", async || server.stats(COUPON).await["shard_records"] == 0)
        .await;
    let mut replayed = 0;
    loop {
        let page = server.get_as_admin("/admin/dead-letters").await.json();
        let letters = page["dead_letters"].as_array().unwrap();
        if letters.is_empty() {
            return replayed;
        }
        for letter in letters {
            let id = letter["id"].as_str().unwrap();
            let answer = server.post_as_admin(&format!("/admin/dead-letters/{id}/replay")).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        replayed += letters.len();
    }
}
