//! The queue of one actix worker, bounded by count and by time: requests grouped by coupon, coupons
//! in turn.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use tokio::sync::{Notify, oneshot};

use super::moment::Moment;
use super::outcome::Outcome;
use crate::domain::coupon::CouponId;
use crate::domain::limits::ROUND_MAX_GROUPS;
use crate::domain::user::{Claim, UserId};
use crate::telemetry::metrics::IssueMetrics;

/// The queue is at its bound; the request was not taken.
#[derive(Debug)]
pub(super) struct Full;

/// A request that waits for its answer.
pub(super) struct Waiting {
    /// Since when.
    pub(super) since: Moment,
    /// Whether it met another generation before: it is sent again once, not for ever.
    was_sent_back: bool,
    reply: oneshot::Sender<Outcome>,
}

impl Waiting {
    /// Tells the handler; one that has gone does not mind.
    pub(super) fn answer(self, outcome: Outcome) {
        let _ = self.reply.send(outcome);
    }

    fn is_gone(&self) -> bool {
        self.reply.is_closed()
    }
}

/// The requests that one script call answers.
pub(super) struct Group {
    /// The coupon of all of them.
    pub(super) coupon_id: CouponId,
    /// Who asks; several may be the same.
    pub(super) holders: Vec<(UserId, Claim)>,
    /// Their requests, in the same order.
    pub(super) waiting: Vec<Waiting>,
}

/// How large a round may be, and whom it may still carry.
pub(super) struct RoundBounds {
    /// Requests of one coupon.
    pub(super) group_max_requests: usize,
    /// Requests of all coupons.
    pub(super) max_requests: usize,
    /// Who waits since before this is `overloaded`: it was not sent, and nothing happened.
    pub(super) since: Moment,
}

/// What waits, by coupon.
pub(super) struct Queue {
    inner: RefCell<Inner>,
    max_requests: usize,
    arrivals: Rc<Notify>,
    metrics: Rc<IssueMetrics>,
}

type Request = ((UserId, Claim), Waiting);

#[derive(Default)]
struct Inner {
    by_coupon: HashMap<CouponId, VecDeque<Request>>,
    turns: VecDeque<CouponId>,
    requests: usize,
    is_closed: bool,
    /// The place of the last coupon that waits no more: the next one need not grow its own.
    spare: VecDeque<Request>,
}

impl Queue {
    /// An empty queue for at most this many requests.
    pub(super) fn new(max_requests: usize, metrics: Rc<IssueMetrics>) -> Self {
        let arrivals = Rc::new(Notify::new());
        Self { inner: RefCell::default(), max_requests, arrivals, metrics }
    }

    /// Signals every arrival, and the end of the queue.
    pub(super) fn arrivals(&self) -> Rc<Notify> {
        self.arrivals.clone()
    }

    /// Takes a request in; at the bound it is refused at once and nothing happened.
    pub(super) fn push(
        &self,
        since: Moment,
        coupon_id: CouponId,
        holder: (UserId, Claim),
        reply: oneshot::Sender<Outcome>,
    ) -> Result<(), Full> {
        let mut inner = self.inner.borrow_mut();
        if inner.is_closed || inner.requests >= self.max_requests {
            return Err(Full);
        }
        inner.append(coupon_id, (holder, Waiting { since, was_sent_back: false, reply }));
        self.metrics.queued(1);
        self.arrivals.notify_one();
        Ok(())
    }

    /// Puts requests back that Redis certainly did not serve; they were inside the bound before.
    /// One that was put back before is told `recovering`.
    pub(super) fn put_back(&self, group: Group) {
        let mut inner = self.inner.borrow_mut();
        for (holder, mut waiting) in group.holders.into_iter().zip(group.waiting) {
            if waiting.was_sent_back {
                waiting.answer(Outcome::Recovering);
                continue;
            }
            waiting.was_sent_back = true;
            self.metrics.queued(1);
            inner.append(group.coupon_id.clone(), (holder, waiting));
        }
        self.arrivals.notify_one();
    }

    /// Nobody takes from it any more: whoever waits is let go, and nobody is taken in.
    pub(super) fn close(&self) {
        let mut inner = self.inner.borrow_mut();
        self.metrics.queued(-(inner.requests as i64));
        *inner = Inner { is_closed: true, ..Inner::default() };
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.inner.borrow().requests == 0
    }

    /// The next round: the longest waiting requests of each coupon in turn. Requests whose handler
    /// has gone are dropped: they were never sent.
    pub(super) fn take_round(&self, bounds: &RoundBounds) -> Vec<Group> {
        let mut inner = self.inner.borrow_mut();
        let (mut round, mut room) = (Vec::new(), bounds.max_requests);
        for _ in 0..inner.turns.len().min(ROUND_MAX_GROUPS) {
            if room == 0 {
                break;
            }
            let Some(coupon_id) = inner.turns.pop_front() else { break };
            let Some(requests) = inner.by_coupon.get_mut(&coupon_id) else { continue };
            let is_late = |request: &Request| request.1.since < bounds.since;
            let late = requests.iter().take_while(|request| is_late(request)).count();
            requests.drain(..late).for_each(|(_, waiting)| waiting.answer(Outcome::Overloaded));
            let taken = requests.len().min(bounds.group_max_requests).min(room);
            let (holders, waiting): (Vec<_>, Vec<_>) =
                requests.drain(..taken).filter(|(_, waiting)| !waiting.is_gone()).unzip();
            if requests.is_empty() {
                inner.spare = inner.by_coupon.remove(&coupon_id).unwrap_or_default();
            } else {
                inner.turns.push_back(coupon_id.clone());
            }
            room -= taken;
            inner.requests -= late + taken;
            self.metrics.queued(-((late + taken) as i64));
            if !waiting.is_empty() {
                round.push(Group { coupon_id, holders, waiting });
            }
        }
        round
    }
}

impl Inner {
    fn append(&mut self, coupon_id: CouponId, request: Request) {
        self.requests += 1;
        if let Some(queue) = self.by_coupon.get_mut(&coupon_id) {
            queue.push_back(request);
            return;
        }
        self.turns.push_back(coupon_id.clone());
        let mut requests = std::mem::take(&mut self.spare);
        requests.push_back(request);
        self.by_coupon.insert(coupon_id, requests);
    }
}

impl Drop for Queue {
    /// Wakes the batcher, so that it sees the end.
    fn drop(&mut self) {
        self.arrivals.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(max_requests: usize) -> Queue {
        Queue::new(max_requests, Rc::new(IssueMetrics::new()))
    }

    fn push(queue: &Queue, coupon: &str, user: &str) -> Result<oneshot::Receiver<Outcome>, Full> {
        let (reply, answer) = oneshot::channel();
        let coupon_id = CouponId::parse(coupon).unwrap();
        let holder = (UserId::parse(user).unwrap(), Claim::FIRST);
        queue.push(Moment::now(), coupon_id, holder, reply)?;
        Ok(answer)
    }

    fn round_of(queue: &Queue, group_max_requests: usize) -> Vec<Group> {
        let since = Moment(0);
        queue.take_round(&RoundBounds { group_max_requests, max_requests: 100, since })
    }

    #[test]
    fn who_waited_for_too_long_is_overloaded_and_was_not_sent_i4() {
        let queue = queue(10);
        let mut late = push(&queue, "a", "u1").unwrap();
        let since = Moment(Moment::now().0 + 1);
        while Moment::now() < since {}
        let mut early = push(&queue, "a", "u2").unwrap();
        let bounds = RoundBounds { group_max_requests: 5, max_requests: 5, since };
        let round = queue.take_round(&bounds);
        assert_eq!(late.try_recv(), Ok(Outcome::Overloaded));
        assert_eq!((round.len(), round[0].holders.len()), (1, 1));
        assert!(early.try_recv().is_err() && queue.is_empty());
    }

    #[test]
    fn a_round_has_a_bound_over_all_coupons_and_who_is_left_comes_next() {
        let queue = queue(10);
        let users = [("a", "u1"), ("a", "u2"), ("b", "u3"), ("c", "u4")];
        let answers: Vec<_> =
            users.iter().map(|(coupon, user)| push(&queue, coupon, user)).collect();
        let bounds = RoundBounds { group_max_requests: 5, max_requests: 3, since: Moment(0) };
        let first = queue.take_round(&bounds);
        assert_eq!(first.iter().map(|group| group.holders.len()).collect::<Vec<_>>(), [2, 1]);
        let second = queue.take_round(&bounds);
        assert_eq!(second[0].coupon_id.to_string(), "c");
        drop(answers);
    }

    #[test]
    fn a_full_queue_refuses_at_once() {
        let queue = queue(2);
        let _answers = (push(&queue, "a", "u1").unwrap(), push(&queue, "b", "u2").unwrap());
        assert!(push(&queue, "a", "u3").is_err());
        assert_eq!(round_of(&queue, 512).len(), 2);
        assert!(push(&queue, "a", "u3").is_ok());
    }

    #[test]
    fn a_closed_queue_lets_nobody_wait() {
        let queue = queue(2);
        let mut answer = push(&queue, "a", "u1").unwrap();
        queue.close();
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert!(push(&queue, "a", "u2").is_err());
        assert!(queue.is_empty());
    }

    #[test]
    fn coupons_take_turns_and_users_keep_their_order() {
        let queue = queue(100);
        let answers: Vec<_> = (0..5).map(|n| push(&queue, "hot", &format!("u{n}"))).collect();
        let cold = push(&queue, "cold", "u9");
        let names = |round: &[Group]| -> Vec<String> {
            let users = |group: &Group| {
                let users = group.holders.iter().map(|(user_id, _)| user_id.to_string());
                format!("{}: {}", group.coupon_id, users.collect::<Vec<_>>().join(" "))
            };
            round.iter().map(users).collect()
        };
        assert_eq!(names(&round_of(&queue, 2)), ["hot: u0 u1", "cold: u9"]);
        assert_eq!(names(&round_of(&queue, 2)), ["hot: u2 u3"]);
        drop((answers, cold));
        assert_eq!(names(&round_of(&queue, 2)).len(), 0, "u4 has gone and was never sent");
        assert!(queue.is_empty());
    }
}
