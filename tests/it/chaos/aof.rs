//! The append-only file ends anywhere, as after a power cut with a disk that lies: the same server
//! goes on, and nothing told is lost (I3 I5 I10).
//!
//! `make chaos PART=aof CUTS=2048` cuts as often. Behind the last write that was answered every cut
//! is proven to be harmless; before it the server recovers from what it remembers.

use std::fs::File;
use std::time::Duration;

use reqwest::StatusCode;
use tokio::task::JoinSet;

use super::history::{Asked, History};
use super::kept::Kept;
use super::random::{self, Random};
use super::{judge, number_from};
use crate::support::eventually::{eventually, eventually_holds, let_pass};
use crate::support::proxy::{Mode, Proxy};
use crate::support::redis::newest_file;
use crate::support::server::{Answer, Server, send};
use crate::support::site::{Dialect, Site};

const COUPON: &str = "winter";
/// Never sold out.
const TOTAL: u64 = 1_000_000;
/// Users whose writes are in the file, and were never answered.
const UNANSWERED: u64 = 6;
/// How often `make test` cuts behind the last answered write.
const CUTS: u64 = 6;
/// A cut before it costs a recovery, so this is one for so many of those.
const CUTS_PER_EARLIER: u64 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_cut_behind_the_last_answered_write_loses_nothing_told_i3_i5_i10() {
    let mut cutting = Cutting::start(&[]).await;
    for _ in 0..number_from("FIRSTCOME_CHAOS_CUTS").unwrap_or(CUTS) {
        cutting.cut_behind().await;
    }
    assert!(!cutting.judge().await.may_have_gaps, "every cut was proven to be harmless");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_cut_before_an_answered_write_is_completed_by_a_living_server_i2_i3_i5_i10() {
    // Nothing is a row before the server has to know it.
    let mut cutting = Cutting::start(&[("FIRSTCOME_PERSISTER", "off")]).await;
    for _ in 0..number_from("FIRSTCOME_CHAOS_CUTS").unwrap_or(CUTS).div_ceil(CUTS_PER_EARLIER) {
        cutting.cut_before().await;
    }
    let _persister = cutting.site.worker(&[]);
    cutting.judge().await;
}

struct Cutting {
    site: Site,
    proxy: Proxy,
    server: Server,
    history: History,
    seed: u64,
    random: Random,
    cuts: u64,
    bytes_cut: u64,
}

impl Cutting {
    async fn start(variables: &[(&str, &str)]) -> Self {
        let seed = number_from("FIRSTCOME_CHAOS_SEED").unwrap_or_else(random::seed);
        println!("FIRSTCOME_CHAOS_SEED={seed} Aof");
        let site = Site::start(Dialect::Postgres).await;
        let proxy = Proxy::before(site.redis.url());
        let ours = [("REDIS_URL", proxy.url()), ("FIRSTCOME_RECOVERY", "auto")];
        let server = site.server(&[&ours, variables].concat()).await;
        server.prepare(COUPON, TOTAL).await;
        let (history, random) = (History::begin(), Random::new(seed));
        Self { site, proxy, server, history, seed, random, cuts: 0, bytes_cut: 0 }
    }

    /// One user is told a ticket, others get no answer, and the file ends behind the first write.
    async fn cut_behind(&mut self) {
        let user = self.history.new_user();
        self.told(&user).await;
        // The answered write is in the file, and everything that comes now has no answer.
        self.proxy.set(Mode::Lost);
        let answered = self.file_bytes();
        let mut asking = JoinSet::new();
        let unanswered: Vec<String> = (0..UNANSWERED).map(|_| self.history.new_user()).collect();
        for user in unanswered.iter().cloned() {
            let (sent, request) = (self.history.now(), self.server.ask_to_issue(COUPON, &user));
            asking.spawn(async move { (user, sent, send(request).await) });
        }
        let is_written = async || self.file_bytes() > answered;
        eventually_holds("writes behind the answered one", is_written).await;
        let_pass(Duration::from_millis(self.random.below(20))).await;
        self.cut_from(answered).await;
        self.proxy.set(Mode::Open);
        // One that still waited in the server's queue gets a ticket of the next life.
        for (user, sent, answer) in asking.join_all().await {
            self.history.add(Asked::Issue { user }, sent, answer.as_ref().ok());
        }
        for user in [unanswered, vec![user]].iter().flatten() {
            self.told(user).await;
        }
    }

    /// Several users are told a ticket, and the file ends behind none or some of them.
    async fn cut_before(&mut self) {
        let nobody = self.file_bytes();
        let users: Vec<String> = (0..UNANSWERED).map(|_| self.history.new_user()).collect();
        for user in &users {
            self.told(user).await;
        }
        self.cut_from(nobody).await;
        for user in &users {
            self.told(user).await;
        }
    }

    /// Kills Redis, lets its file end anywhere from here on, and starts Redis again.
    async fn cut_from(&mut self, from: u64) {
        let Self { site, random, cuts, bytes_cut, .. } = self;
        let cut = |files: &_| {
            let file = File::options().write(true).open(newest_file(files)).unwrap();
            let all = file.metadata().unwrap().len();
            let kept = from + random.below(all - from + 1);
            file.set_len(kept).unwrap();
            (*cuts, *bytes_cut) = (*cuts + 1, *bytes_cut + all - kept);
        };
        site.redis.crash_and_restart_with(cut).await;
    }

    /// Asks until there is a ticket.
    async fn told(&self, user: &str) {
        eventually("a ticket", async || {
            let sent = self.history.now();
            let answer: Option<Answer> = self.server.try_issue(COUPON, user).await.ok();
            self.history.add(Asked::Issue { user: user.to_owned() }, sent, answer.as_ref());
            answer.is_some_and(|answer| answer.status == StatusCode::OK).then_some(())
        })
        .await;
    }

    fn file_bytes(&self) -> u64 {
        newest_file(&self.site.redis.files()).metadata().unwrap().len()
    }

    /// Compares what was told with both stores.
    async fn judge(&self) -> Kept {
        let Self { history, server, site, seed, cuts, bytes_cut, .. } = self;
        let line = format!("part=Aof seed={seed} cuts={cuts} bytes_cut={bytes_cut}");
        judge(&line, history, server, &site.redis, (COUPON, TOTAL)).await
    }
}
