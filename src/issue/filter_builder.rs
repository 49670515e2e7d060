//! Builds the filters of sold-out coupons, outside the hot path and with little load (P1 steps 8, 9
//! and 11): one page of holders at a time, coupons in turn, and one server at a time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use tokio::time::Instant;

use super::holders_filter::HoldersFilter;
use super::verdicts::{Stock, Verdicts};
use crate::domain::coupon::CouponId;
use crate::domain::limits::{
    EMBARGO_MS, PAGE_PAUSE_FACTOR, PAGE_PAUSE_MAX, PAGE_PAUSE_MIN, TURN, TURN_ASK_AGAIN,
    TURN_ASK_AGAIN_MAX,
};
use crate::lookups::Moment;
use crate::lua::holders_page::{Args, Page, Reply, holders_page};
use crate::lua::turn::{self, Step, turn};
use crate::redis::Redis;
use crate::redis::generation::Accepted;
use crate::telemetry::loops::Stepped;

/// A coupon whose filter has no room, or whose holders cannot be read, is left alone for this long.
const LATER: Duration = Duration::from_secs(1);
/// How long a coupon is left alone that could still be won when its holders were read: until the
/// embargo of its stock is over.
const AFTER_EMBARGO: Duration = Duration::from_millis(EMBARGO_MS);
/// The shortest time between two searches of all verdicts for coupons without a filter.
const GATHER_EVERY: Duration = Duration::from_millis(100);

/// Builds filters, coupons in turn; its loop is [`FilterBuilder::step`] repeated.
pub struct FilterBuilder {
    redis: Redis,
    verdicts: Arc<Verdicts>,
    /// The name of this process among those that want to read holders.
    token: String,
    place: Place,
    /// Filters that still get a page in this round, the next one in front.
    round: VecDeque<Build>,
    /// Filters that had their page in this round, and need more pages.
    begun: VecDeque<Build>,
    gather_from: Instant,
    /// Coupons that are left alone, and until when.
    later: HashMap<CouponId, Instant>,
}

/// The place of this process among those that want to read holders.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Away,
    Waiting,
    /// It has the turn until this instant.
    Turn(Instant),
}

/// A filter that is being built.
struct Build {
    coupon_id: CouponId,
    stock: Stock,
    cursor: String,
    holders: Option<HoldersFilter>,
}

impl FilterBuilder {
    /// A builder for the verdicts of this process.
    pub fn new(redis: &Redis, verdicts: Arc<Verdicts>) -> Self {
        let mut token = [0; 8];
        // Without randomness two servers may have the same name and read at once, which only costs
        // more.
        let _ = getrandom::fill(&mut token);
        Self {
            redis: redis.clone(),
            verdicts,
            token: HEXLOWER.encode(&token),
            place: Place::Away,
            round: VecDeque::new(),
            begun: VecDeque::new(),
            gather_from: Instant::now(),
            later: HashMap::new(),
        }
    }

    /// Reads one page for the filter of a coupon that needs one, or asks for the turn: two calls at
    /// most, each with a time-out. Returns how the step ended and how long to wait after it: at
    /// least the start of the range, and up to its end unless a coupon needs a filter.
    pub async fn step(&mut self) -> (Stepped, RangeInclusive<Duration>) {
        if self.round.is_empty() {
            self.gather();
        }
        let Some(mut build) = self.round.pop_front() else { return self.rest().await };
        if build.holders.is_none()
            && !self.verdicts.wants(Moment::now(), &build.coupon_id, build.stock)
        {
            return (Stepped::Idle, exactly(Duration::ZERO));
        }
        let Ok(accepted) = self.redis.generation().proven() else {
            self.round.push_front(build);
            return (Stepped::Failed, exactly(LATER));
        };
        if let Err((stepped, pause)) = self.take_turn(&accepted).await {
            self.round.push_front(build);
            return (stepped, exactly(pause));
        }
        let since = Instant::now();
        let mut stepped = Stepped::Done;
        match self.read(&accepted, &mut build).await {
            Ok(true) => self.complete(build),
            Ok(false) => self.begun.push_back(build),
            Err(pause) => {
                stepped = Stepped::Failed;
                self.later.insert(build.coupon_id, Instant::now() + pause);
            }
        }
        // However expensive a page is, Redis has nine times its duration for other work before the
        // next one.
        let pause = (since.elapsed() * PAGE_PAUSE_FACTOR).clamp(PAGE_PAUSE_MIN, PAGE_PAUSE_MAX);
        (stepped, exactly(pause))
    }

    /// The next round: one page for each filter that needs more pages, and for each new one. So a
    /// large coupon does not delay a small one.
    fn gather(&mut self) {
        std::mem::swap(&mut self.round, &mut self.begun);
        let now = Instant::now();
        if now < self.gather_from {
            return;
        }
        self.gather_from = now + GATHER_EVERY;
        self.later.retain(|_, until| *until > now);
        self.verdicts.forget(Moment::now());
        let begun: HashSet<_> = self.round.iter().map(|build| build.coupon_id.clone()).collect();
        let wanted = self.verdicts.without_filter(Moment::now()).into_iter();
        let new = wanted.filter(|(coupon_id, _)| {
            !begun.contains(coupon_id) && !self.later.contains_key(coupon_id)
        });
        self.round.extend(new.map(|(coupon_id, stock)| {
            let cursor = "0".to_owned();
            Build { coupon_id, stock, cursor, holders: None }
        }));
    }

    /// There is nothing to build: gives up the turn. Returns how long to wait: until a new verdict,
    /// or until the first coupon in `later` may be tried again.
    async fn rest(&mut self) -> (Stepped, RangeInclusive<Duration>) {
        if self.place != Place::Away
            && let Ok(accepted) = self.redis.generation().proven()
        {
            self.place = Place::Away;
            let args = turn::Args { accepted: &accepted, token: &self.token, step: Step::Leave };
            if let Err(error) = turn(&self.redis, &args).await {
                tracing::debug!(%error, "the turn to read holders ends by itself");
            }
        }
        let now = Instant::now();
        let until = self.later.values().min().map_or(LATER, |until| *until - now);
        let at_least = self.gather_from - now;
        (Stepped::Idle, at_least..=until.min(LATER).max(at_least))
    }

    /// Succeeds if this process has the turn to read, and asks for it if not.
    ///
    /// # Errors
    /// How the step ended without the turn, and how long to wait before asking again: longer if
    /// more servers come first.
    async fn take_turn(&mut self, accepted: &Accepted) -> Result<(), (Stepped, Duration)> {
        let now = Instant::now();
        let step = match self.place {
            Place::Turn(until) if now < until => return Ok(()),
            Place::Turn(_) => Step::Pass,
            Place::Away | Place::Waiting => Step::Ask,
        };
        let args = turn::Args { accepted, token: &self.token, step };
        self.place = Place::Waiting;
        match turn(&self.redis, &args).await {
            Ok(turn::Reply::Turn) => {
                self.place = Place::Turn(now + TURN);
                Ok(())
            }
            Ok(turn::Reply::Wait(before)) => {
                Err((Stepped::Idle, (TURN_ASK_AGAIN * before).min(TURN_ASK_AGAIN_MAX)))
            }
            Ok(turn::Reply::Left | turn::Reply::OtherGeneration) => Err((Stepped::Failed, LATER)),
            Err(error) => {
                tracing::debug!(%error, "no turn to read holders");
                Err((Stepped::Failed, LATER))
            }
        }
    }

    /// Reads the next page, and returns whether it was the last one. If the stock has changed,
    /// there is no room for the filter, or Redis does not answer, returns how long to leave the
    /// coupon alone; until then its requests go to Redis.
    async fn read(&self, accepted: &Accepted, build: &mut Build) -> Result<bool, Duration> {
        let Build { coupon_id, stock, cursor, holders } = build;
        let (epoch, stock_version) = (stock.epoch, stock.version);
        let args = Args { accepted, coupon_id, epoch, stock_version, cursor };
        let page: Page = match holders_page(&self.redis, &args).await {
            Ok(Reply::Page(page)) => page,
            Ok(Reply::Stale) => return Err(AFTER_EMBARGO),
            Err(error) => {
                tracing::debug!(%error, coupon.id = %coupon_id, "the holders cannot be read");
                return Err(LATER);
            }
        };
        if holders.is_none() {
            *holders = self.verdicts.filter_for(page.holders);
        }
        let Some(holders) = holders else {
            tracing::debug!(coupon.id = %coupon_id, page.holders, "its filter has no room");
            return Err(LATER);
        };
        page.fields.iter().for_each(|field| holders.insert(field));
        *cursor = page.next_cursor;
        Ok(cursor == "0")
    }

    fn complete(&self, build: Build) {
        if let Some(holders) = build.holders {
            self.verdicts.attach(&build.coupon_id, build.stock, holders);
        }
    }
}

fn exactly(pause: Duration) -> RangeInclusive<Duration> {
    pause..=pause
}
