//! Redis is emptied, and the server that recovers it is killed at each step of the recovery. The
//! next server goes on.
//!
//! `make chaos PART=recoverer KILLS=200` kills as many.

use std::time::Duration;

use super::history::{Asked, History};
use super::points::{Leads, Point, Request};
use super::random::{self, Random};
use super::{judge, number_from};
use crate::support::eventually::{eventually_holds, let_pass};
use crate::support::proxy::Moment;
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};

const COUPON: &str = "winter";
/// Never sold out.
const TOTAL: u64 = 1_000_000;
/// Users who ask before each loss.
const USERS_MAX: u64 = 20;

/// How many `make test` kills: at the first of the points.
const KILLS: u64 = 4;

const POINTS: [Point; 10] = [
    // The epoch has risen.
    Point(Moment::After, Request::Statement("INSERT INTO generations")),
    Point(Moment::After, Request::Script("recover")),
    Point(Moment::After, Request::Script("refill")),
    // The first serial of the epoch and its stock are in the database.
    Point(Moment::Before, Request::Script("reopen")),
    Point(Moment::After, Request::Script("reopen")),
    Point(Moment::Before, Request::Script("recover")),
    Point(Moment::Before, Request::Statement("INSERT INTO generations")),
    // What this server told becomes rows.
    Point(Moment::Before, Request::Statement("WITH inserted AS")),
    Point(Moment::After, Request::Statement("COMMIT")),
    Point(Moment::Before, Request::Script("refill")),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_at_any_step_of_a_recovery_breaks_no_promise_i1_i2_i3_i5_i10() {
    let kills = number_from("FIRSTCOME_CHAOS_KILLS").unwrap_or(KILLS);
    let seed = number_from("FIRSTCOME_CHAOS_SEED").unwrap_or_else(random::seed);
    println!("FIRSTCOME_CHAOS_SEED={seed} Recoverer");
    let mut random = Random::new(seed);
    let site = Site::start(Dialect::Postgres).await;
    // The level allows the loss of what a dead server told last, so nothing is withheld; but all of
    // it is in rows.
    let level = redis::cmd("CONFIG").arg(&["SET", "appendfsync", "everysec"]).to_owned();
    let () = site.redis.ask(&level).await;
    let _persister = site.worker(&[]);
    site.server(&[]).await.prepare(COUPON, TOTAL).await;
    let history = History::begin();
    for number in 0..kills {
        let point = POINTS[number as usize % POINTS.len()];
        let leads = Leads::to(&site);
        let mut server = recovered(&site, &leads).await;
        for _ in 0..=random.below(USERS_MAX) {
            ask(&history, &server, history.new_user()).await;
        }
        eventually_holds("rows", async || server.stats(COUPON).await["backlog"] == 0).await;
        let () = site.redis.ask(&redis::cmd("FLUSHALL")).await;
        leads.trap(point);
        leads.sprung(point).await;
        // What it had begun on other connections goes on for a while.
        let_pass(Duration::from_millis(random.below(30))).await;
        server.kill();
    }
    let leads = Leads::to(&site);
    let server = recovered(&site, &leads).await;
    for number in 0..20 {
        let again = history.user_again(random.below(u64::MAX)).filter(|_| number % 2 == 0);
        ask(&history, &server, again.unwrap_or_else(|| history.new_user())).await;
    }
    let line = format!("part=Recoverer seed={seed} server_kills={kills}");
    judge(&line, &history, &server, &site.redis, (COUPON, TOTAL)).await;
}

/// A server that goes on with the recovery, if there is one.
async fn recovered(site: &Site, leads: &Leads) -> Server {
    let variables = [&leads.variables()[..], &[("FIRSTCOME_RECOVERY", "auto")]].concat();
    let server = site.server(&variables).await;
    eventually_holds("the recovered coupon", async || {
        let page = server.get(&format!("/coupons/{COUPON}")).await;
        page.status == 200 && page.json()["state"] != "recovering"
    })
    .await;
    server
}

async fn ask(history: &History, server: &Server, user: String) {
    let sent = history.now();
    let answer = server.issue(COUPON, &user).await;
    history.add(Asked::Issue { user }, sent, Some(&answer));
}
