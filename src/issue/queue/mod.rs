//! The queue of one actix worker, bounded by count and by time: requests are grouped by coupon, and
//! coupons take turns. Anybody can invent ids, and each costs a call. So ids of which this process
//! does not know whether Redis has such a coupon are *strangers*: they may use only a part of the
//! queue and of each round.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use tokio::sync::{Notify, oneshot};

use crate::domain::coupon::CouponId;
use crate::domain::limits::{
    KNOWN_COUPONS_MAX, ROUND_MAX_GROUPS, ROUND_MAX_STRANGERS, STRANGERS_MAX, STRANGERS_PART,
};
use crate::domain::outcome::Outcome;
use crate::domain::user::{Claim, UserId};
use crate::lookups::Moment;
use crate::telemetry::metrics::IssueMetrics;

/// The queue is at its bound; the request was not taken.
#[derive(Debug)]
pub(super) struct Full;

/// A request that waits for its answer.
pub(super) struct Waiting {
    /// When it arrived.
    pub(super) since: Moment,
    /// Whether it was sent before, to a Redis with another generation: a request is sent again only
    /// once.
    was_sent_back: bool,
    reply: oneshot::Sender<Outcome>,
}

impl Waiting {
    /// Answers the handler, if it still waits.
    pub(super) fn answer(self, outcome: Outcome) {
        let _ = self.reply.send(outcome);
    }

    fn is_gone(&self) -> bool {
        self.reply.is_closed()
    }
}

/// The requests that one script call answers.
pub(super) struct Group {
    pub(super) coupon_id: CouponId,
    /// Users and claims; a pair may occur more than once.
    pub(super) holders: Vec<(UserId, Claim)>,
    /// Their requests, in the same order.
    pub(super) waiting: Vec<Waiting>,
    /// Whether Redis is known to have the coupon.
    pub(super) is_known: bool,
}

/// How large a round may be, and which requests are too old for it.
pub(super) struct RoundBounds {
    /// Requests of one coupon.
    pub(super) group_max_requests: usize,
    /// Requests of all coupons.
    pub(super) max_requests: usize,
    /// Requests that arrived earlier get `overloaded`: they were not sent, and nothing happened.
    pub(super) since: Moment,
}

/// The waiting requests, by coupon.
pub(super) struct Queue {
    inner: RefCell<Inner>,
    max_requests: usize,
    arrivals: Rc<Notify>,
    metrics: Rc<IssueMetrics>,
}

type Request = ((UserId, Claim), Waiting);

/// The waiting requests for one coupon.
struct Line {
    requests: VecDeque<Request>,
    is_known: bool,
}

#[derive(Default)]
struct Inner {
    /// Known coupons, with or without waiting requests, and strangers with waiting requests.
    by_coupon: HashMap<CouponId, Line>,
    known: usize,
    /// Known coupons with waiting requests, in the order of their turns.
    turns: VecDeque<CouponId>,
    strangers: VecDeque<CouponId>,
    requests: usize,
    /// The number of waiting requests for strangers.
    stranger_requests: usize,
    is_closed: bool,
    /// A recycled buffer, so that the queue of the next coupon need not allocate.
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

    /// Adds a request. At the bound of the queue, or of strangers, it is refused at once, and
    /// nothing happened.
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
        let is_full_of_strangers = inner.strangers.len() >= STRANGERS_MAX
            || inner.stranger_requests >= self.max_requests.div_ceil(STRANGERS_PART);
        if is_full_of_strangers && !inner.knows(&coupon_id) {
            return Err(Full);
        }
        inner.append(coupon_id, (holder, Waiting { since, was_sent_back: false, reply }));
        self.metrics.queued(1);
        self.arrivals.notify_one();
        Ok(())
    }

    /// Puts back requests that Redis certainly did not serve; they fit the bound before. One that
    /// was put back before gets `recovering`.
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

    /// Ends the queue: drops all waiting requests, and refuses new ones.
    pub(super) fn close(&self) {
        let mut inner = self.inner.borrow_mut();
        self.metrics.queued(-(inner.requests as i64));
        *inner = Inner { is_closed: true, ..Inner::default() };
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.inner.borrow().requests == 0
    }

    /// Redis has this coupon: from now on it comes before strangers. At the bound, known coupons
    /// without waiting requests become strangers again.
    pub(super) fn know(&self, coupon_id: &CouponId) {
        let inner = &mut *self.inner.borrow_mut();
        if inner.known >= KNOWN_COUPONS_MAX {
            inner.by_coupon.retain(|_, line| !line.requests.is_empty());
            inner.known = inner.by_coupon.values().filter(|line| line.is_known).count();
        }
        let requests = VecDeque::new();
        let line = inner.by_coupon.entry(coupon_id.clone());
        let line = line.or_insert(Line { requests, is_known: false });
        if std::mem::replace(&mut line.is_known, true) {
            return;
        }
        inner.known += 1;
        inner.stranger_requests -= line.requests.len();
        if !line.requests.is_empty() {
            inner.strangers.retain(|stranger| stranger != coupon_id);
            inner.turns.push_back(coupon_id.clone());
        }
    }

    /// The next round: the oldest requests of each coupon in turn, known coupons first. Requests
    /// whose handler is gone are dropped, because they were never sent.
    pub(super) fn take_round(&self, bounds: &RoundBounds) -> Vec<Group> {
        let inner = &mut *self.inner.borrow_mut();
        let before = inner.requests;
        let mut round = Vec::new();
        let has_strangers = !inner.strangers.is_empty();
        let for_strangers = if has_strangers { bounds.max_requests / STRANGERS_PART } else { 0 };
        let has_known = !inner.turns.is_empty();
        let room = bounds.max_requests - for_strangers;
        let room = inner.take_turns(true, ROUND_MAX_GROUPS, room, bounds, &mut round);
        let most = if has_known { ROUND_MAX_STRANGERS } else { ROUND_MAX_GROUPS };
        inner.take_turns(false, most, room + for_strangers, bounds, &mut round);
        self.metrics.queued(inner.requests as i64 - before as i64);
        round
    }
}

impl Inner {
    fn knows(&self, coupon_id: &CouponId) -> bool {
        self.by_coupon.get(coupon_id).is_some_and(|line| line.is_known)
    }

    fn append(&mut self, coupon_id: CouponId, request: Request) {
        self.requests += 1;
        if let Some(line) = self.by_coupon.get_mut(&coupon_id) {
            if line.requests.is_empty() {
                std::mem::swap(&mut line.requests, &mut self.spare);
                self.turns.push_back(coupon_id);
            }
            line.requests.push_back(request);
            self.stranger_requests += usize::from(!line.is_known);
            return;
        }
        self.stranger_requests += 1;
        self.strangers.push_back(coupon_id.clone());
        let mut requests = std::mem::take(&mut self.spare);
        requests.push_back(request);
        self.by_coupon.insert(coupon_id, Line { requests, is_known: false });
    }

    fn turns_of(&mut self, are_known: bool) -> &mut VecDeque<CouponId> {
        if are_known { &mut self.turns } else { &mut self.strangers }
    }

    /// Takes at most this many groups, while there is room, and returns the room that is left.
    fn take_turns(
        &mut self,
        are_known: bool,
        groups_max: usize,
        mut room: usize,
        bounds: &RoundBounds,
        round: &mut Vec<Group>,
    ) -> usize {
        for _ in 0..self.turns_of(are_known).len().min(groups_max) {
            if room == 0 {
                break;
            }
            let Some(coupon_id) = self.turns_of(are_known).pop_front() else { break };
            let Some(line) = self.by_coupon.get_mut(&coupon_id) else { continue };
            let requests = &mut line.requests;
            let is_late = |request: &Request| request.1.since < bounds.since;
            let late = requests.iter().take_while(|request| is_late(request)).count();
            requests.drain(..late).for_each(|(_, waiting)| waiting.answer(Outcome::Overloaded));
            let taken = requests.len().min(bounds.group_max_requests).min(room);
            let (holders, waiting): (Vec<_>, Vec<_>) =
                requests.drain(..taken).filter(|(_, waiting)| !waiting.is_gone()).unzip();
            room -= taken;
            self.requests -= late + taken;
            self.stranger_requests -= if are_known { 0 } else { late + taken };
            if !requests.is_empty() {
                self.turns_of(are_known).push_back(coupon_id.clone());
            } else {
                self.spare = std::mem::take(requests);
                if !are_known {
                    self.by_coupon.remove(&coupon_id);
                }
            }
            if !waiting.is_empty() {
                round.push(Group { coupon_id, holders, waiting, is_known: are_known });
            }
        }
        room
    }
}

impl Drop for Queue {
    /// Wakes the batcher, so that it sees the end.
    fn drop(&mut self) {
        self.arrivals.notify_one();
    }
}

#[cfg(test)]
mod tests;
