//! The batcher of one actix worker. While a round is in flight, and until the thread has run its
//! other ready tasks, requests gather for the next round: a call answers one user when there is
//! little load and up to 512 under high load, and no request ever waits for a timer.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::Notify;

use super::answer::of_answer;
use super::archived;
use super::bounds::Bounds;
use super::queue::{Group, Queue, RoundBounds};
use super::round_limit::RoundLimit;
use super::unknown::{Absent, UnknownIds};
use super::verdicts::Verdicts;
use super::witnessed::witness;
use crate::domain::code::CodeKeys;
use crate::domain::generation::Durability;
use crate::domain::outcome::Outcome;
use crate::domain::record::SOURCE_ISSUE;
use crate::domain::witnesses::Witnesses;
use crate::lookups::Moment;
use crate::lua::issue::{Answered, Args, Reply, issue};
use crate::redis::hot::{HotConnection, Open};
use crate::redis::{Error, Redis};
use crate::store::Store;
use crate::telemetry::health::{Health, Part, Report};
use crate::telemetry::metrics::IssueMetrics;

/// Failed calls are reported once per this time, in the log and in `/readyz`: a line for each call
/// would make an outage worse.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// What is wrong with a coupon for which the script replies `recovering`.
const LACKS: &str = "gives no tickets: Redis lost a part of it, or this server lacks its code key";

/// Takes rounds from the queue and answers them; its loop is [`Batcher::step`] repeated.
pub(super) struct Batcher {
    pub(super) queue: Weak<Queue>,
    pub(super) arrivals: Rc<Notify>,
    pub(super) connection: HotConnection,
    pub(super) redis: Redis,
    pub(super) store: Arc<dyn Store>,
    pub(super) unknown_ids: UnknownIds,
    pub(super) verdicts: Arc<Verdicts>,
    pub(super) keys: Arc<CodeKeys>,
    pub(super) key_ids: String,
    pub(super) metrics: Rc<IssueMetrics>,
    pub(super) bounds: Bounds,
    pub(super) limit: RoundLimit,
    pub(super) health: Health,
    pub(super) witnesses: Witnesses,
    /// When a failed call was last reported.
    pub(super) complained: Cell<Option<Instant>>,
}

impl Batcher {
    /// Serves one round. Breaks when the queue is gone, because then no handler is left.
    pub(super) async fn step(&mut self) -> ControlFlow<()> {
        if self.queue.upgrade().is_none_or(|queue| queue.is_empty()) {
            if self.queue.strong_count() == 0 {
                return ControlFlow::Break(());
            }
            self.arrivals.notified().await;
        }
        // Every handler that is ready to run on this thread joins the round.
        tokio::task::yield_now().await;
        let Some(open) = self.open().await else {
            self.refuse_round();
            return ControlFlow::Continue(());
        };
        let Some(queue) = self.queue.upgrade() else { return ControlFlow::Break(()) };
        let taken = Moment::now();
        let round = queue.take_round(&RoundBounds {
            group_max_requests: self.bounds.group_max_requests,
            max_requests: self.limit.max_requests(),
            since: taken.minus_ms(self.bounds.longest_wait().as_millis() as u64),
        });
        drop(queue);
        let requests = round.iter().map(|group| group.waiting.len()).sum();
        join_all(round.into_iter().map(|group| self.serve(group, open.clone()))).await;
        self.limit.learn(requests, Moment::now() - taken);
        ControlFlow::Continue(())
    }

    /// The open connection. Waits during a short interruption, so that users do not notice it;
    /// after a longer one the round is refused.
    async fn open(&mut self) -> Option<Open> {
        match self.connection.open() {
            Some(open) => Some(open),
            None => self.connection.open_within(self.bounds.reopen_wait).await,
        }
    }

    /// Nothing of the round was sent, so nothing happened (I4). All waiting requests are refused,
    /// so that none waits twice for the same outage.
    fn refuse_round(&self) {
        let Some(queue) = self.queue.upgrade() else { return };
        let group_max_requests = self.bounds.group_max_requests;
        let all = RoundBounds { group_max_requests, max_requests: usize::MAX, since: Moment(0) };
        while !queue.is_empty() {
            for group in queue.take_round(&all) {
                answer_each(group, &Outcome::Recovering);
            }
        }
    }

    /// Serves one group: one script call, one answer per request.
    async fn serve(&self, group: Group, mut open: Open) {
        let sent = Moment::now();
        if let Some(first) = group.waiting.first() {
            self.metrics.waited(sent - first.since);
        }
        let accepted = open.accepted.clone();
        let args = Args {
            accepted: &accepted,
            backlog_max_tickets: self.bounds.backlog_max_tickets,
            source: SOURCE_ISSUE,
            key_ids: &self.key_ids,
            coupon_id: &group.coupon_id,
            group: &group.holders,
        };
        let reply = issue(&mut open.connection, self.redis.keys(), &args).await;
        self.metrics.called(group.holders.len(), Moment::now() - sent);
        if let Ok(Reply::Answered(_)) = reply
            && !group.is_known
            && let Some(queue) = self.queue.upgrade()
        {
            queue.know(&group.coupon_id);
        }
        match reply {
            Ok(Reply::Answered(answered)) => {
                // Learn nothing from a connection that was dropped meanwhile (P1 step 5).
                if self.connection.is_open(&open) {
                    self.verdicts.learn(&group.coupon_id, sent, &answered);
                }
                self.answer_all(group, &answered, accepted.durability);
            }
            Ok(Reply::Recovering) => {
                self.complain(|| format!("coupon {} {LACKS}", group.coupon_id));
                answer_each(group, &Outcome::Recovering);
            }
            Ok(Reply::StaleEpoch(_)) => {
                self.redis.generation().outdated();
                self.send_again(group);
            }
            Ok(Reply::OtherGeneration) => self.send_again(group),
            Ok(Reply::Unknown) => self.look_up(group, accepted.durability),
            Err(error) => self.fail(group, &error),
        }
    }

    fn answer_all(&self, group: Group, answered: &Answered, durability: Durability) {
        let Some(key) = self.keys.find(&answered.key_id) else {
            // Cannot happen: the script got the ids of our keys, and issues only with one of them.
            tracing::error!(coupon.id = %group.coupon_id, key.id = %answered.key_id, "no such key");
            answer_each(group, &Outcome::Recovering);
            return;
        };
        // Before anybody is told: a recovery must find every ticket that was.
        witness(&self.witnesses, &group.coupon_id, &group.holders, answered);
        let requests = group.holders.into_iter().zip(group.waiting);
        for (answer, (holder, waiting)) in answered.answers.iter().zip(requests) {
            let coupon_id = &group.coupon_id;
            waiting.answer(of_answer(*answer, answered, key, coupon_id, holder, durability));
        }
    }

    /// Asks the database about an id that Redis does not have, in a task of its own: a slow
    /// database must not delay coupons that are in Redis.
    fn look_up(&self, group: Group, durability: Durability) {
        let (unknown_ids, store) = (self.unknown_ids.clone(), self.store.clone());
        let (suspects, keys) = (self.redis.suspects().clone(), self.keys.clone());
        tokio::task::spawn_local(async move {
            match unknown_ids.find(&*store, &suspects, &group.coupon_id).await {
                Ok(Absent::NotFound) => answer_each(group, &Outcome::CouponNotFound),
                Ok(Absent::Archived(coupon)) => match unknown_ids.permit() {
                    Ok(_permit) => {
                        archived::answer(group, &coupon, &*store, &keys, durability).await
                    }
                    Err(outcome) => answer_each(group, &outcome),
                },
                Err(outcome) => answer_each(group, &outcome),
            }
        });
    }

    /// Nothing was written, so the group is sent once more after the probe, and users do not notice
    /// a benign change (P2 step 2).
    fn send_again(&self, group: Group) {
        self.redis.generation().doubt();
        self.connection.lose();
        match self.queue.upgrade() {
            Some(queue) => queue.put_back(group),
            None => answer_each(group, &Outcome::Recovering),
        }
    }

    /// Reports what keeps users from getting tickets, as long as it lasts. A success is not
    /// reported, so that it costs nothing.
    fn complain(&self, sentence: impl FnOnce() -> String) {
        if self.complained.get().is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            self.complained.set(Some(Instant::now()));
            let report = Report { reasons: Vec::new(), warnings: vec![sentence()] };
            self.health.report_for(Part::Issuer, report, 2 * COMPLAIN_EVERY);
        }
    }

    /// After a definite refusal nothing has changed. After any other error the outcome is unknown,
    /// and a retry by the user gives the exact answer.
    fn fail(&self, group: Group, error: &Error) {
        self.complain(|| format!("calls of the issue script fail: {error}"));
        let outcome = match error {
            Error::Refused(_) => {
                self.redis.generation().refused();
                Outcome::Recovering
            }
            error if error.is_definite() => Outcome::Overloaded,
            error => {
                // A right that the script needs later than at its start was taken away: the dry run
                // names it.
                if error.is_reply() {
                    self.redis.generation().refused();
                    self.redis.generation().doubt();
                }
                Outcome::OutcomeUnknown
            }
        };
        if error.doubts_connection() {
            self.connection.lose();
        }
        answer_each(group, &outcome);
    }
}

impl Drop for Batcher {
    /// Runs after a panic too: without it handlers would wait for ever.
    fn drop(&mut self) {
        if let Some(queue) = self.queue.upgrade() {
            queue.close();
        }
    }
}

fn answer_each(group: Group, outcome: &Outcome) {
    for waiting in group.waiting {
        waiting.answer(outcome.clone());
    }
}
