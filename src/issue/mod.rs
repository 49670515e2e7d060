//! The hot path: a request gets a ticket, or the reason why not.
//!
//! A verdict in force refuses at once. All other requests go into the queue of their actix worker.
//! The batcher of that worker takes the requests that gathered while its last round was in flight,
//! one group per coupon, and sends one script call per group. No timers, no lock across an await,
//! no database, no second round trip to Redis. The workers share only the verdicts.

mod answer;
mod archived;
mod batcher;
mod bounds;
mod filter_builder;
mod holders_filter;
mod queue;
mod round_limit;
mod unknown;
mod verdicts;
mod witnessed;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::DropGuard;

use crate::auth::Caller;
use crate::domain::code::CodeKeys;
use crate::domain::coupon::CouponId;
use crate::domain::outcome::{Outcome, OutcomeWord};
use crate::domain::user::Claim;
use crate::domain::witnesses::Witnesses;
use crate::lookups::Moment;
use crate::redis::Redis;
use crate::redis::hot;
use crate::store::Store;
use crate::telemetry::health::Health;
use crate::telemetry::metrics::IssueMetrics;

use batcher::Batcher;
pub use bounds::Bounds;
pub use filter_builder::FilterBuilder;
use queue::Queue;
use round_limit::RoundLimit;
pub use unknown::UnknownIds;
pub use verdicts::Verdicts;

/// The state that the issuers of a process share; cheap to clone.
#[derive(Clone, Default)]
pub struct Shared {
    pub verdicts: Arc<Verdicts>,
    pub unknown_ids: UnknownIds,
    /// Where failed calls are reported.
    pub health: Health,
    /// What this process told lately.
    pub witnesses: Witnesses,
}

/// The hot path of one actix worker; cheap to clone on its thread.
#[derive(Clone)]
pub struct Issuer {
    queue: Rc<Queue>,
    verdicts: Arc<Verdicts>,
    metrics: Rc<IssueMetrics>,
}

impl Issuer {
    /// Starts the batcher and the supervisor of the connection on this thread. They end when the
    /// last clone of the issuer is gone and every request is answered. `alive` is dropped when they
    /// end for any reason, so that the process notices: without them every request would wait for
    /// ever.
    pub fn start(
        redis: &Redis,
        store: Arc<dyn Store>,
        shared: Shared,
        keys: Arc<CodeKeys>,
        bounds: &Bounds,
        alive: DropGuard,
    ) -> Self {
        let Shared { verdicts, unknown_ids, health, witnesses } = shared;
        let metrics = Rc::new(IssueMetrics::new());
        let queue = Rc::new(Queue::new(bounds.queue_max_requests, metrics.clone()));
        let (connection, mut supervisor) = hot::supervised(redis.clone());
        let mut batcher = Batcher {
            queue: Rc::downgrade(&queue),
            arrivals: queue.arrivals(),
            connection,
            redis: redis.clone(),
            store,
            unknown_ids,
            verdicts: verdicts.clone(),
            key_ids: keys.ids(),
            keys,
            metrics: metrics.clone(),
            bounds: bounds.clone(),
            limit: RoundLimit::new(bounds.queue_max_wait / 2),
            health,
            witnesses,
            complained: Cell::new(None),
        };
        tokio::task::spawn_local(async move {
            let _alive = alive;
            let supervise = async {
                loop {
                    supervisor.step().await;
                }
            };
            let batch = async { while batcher.step().await.is_continue() {} };
            tokio::select! {
                () = batch => {}
                () = supervise => {}
            }
        });
        Self { queue, verdicts, metrics }
    }

    /// Issues one ticket to one user, or returns why not. The same (coupon, user, claim) always
    /// gets the same ticket again (I2, I10).
    pub async fn issue(&self, coupon_id: &CouponId, caller: Caller, claim: Claim) -> Outcome {
        let now = Moment::now();
        let outcome = match self.verdicts.refusal(now, coupon_id, &caller, claim) {
            Some(refusal) => {
                self.metrics.refused_by_verdict();
                refusal
            }
            None => self.asked(now, coupon_id.clone(), caller, claim).await,
        };
        self.metrics.ended(OutcomeWord::from(&outcome));
        outcome
    }

    async fn asked(
        &self,
        since: Moment,
        coupon_id: CouponId,
        caller: Caller,
        claim: Claim,
    ) -> Outcome {
        let (reply, answer) = oneshot::channel();
        match self.queue.push(since, coupon_id, (caller.user_id, claim), reply) {
            // The default is only for safety: the batcher answers everything that it took, and
            // closes the queue when it ends.
            Ok(()) => answer.await.unwrap_or(Outcome::OutcomeUnknown),
            Err(queue::Full) => Outcome::Overloaded,
        }
    }
}
