//! Builds the filters of sold-out coupons, beside the hot path and gently (P1 steps 8, 9 and 11).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::holders_filter::HoldersFilter;
use super::moment::Moment;
use super::verdicts::{Stock, Verdicts};
use crate::domain::coupon::CouponId;
use crate::domain::limits::HOLD_MS;
use crate::lua::holders_page::{Args, Reply, holders_page};
use crate::redis::Redis;

/// The time between two pages. A page of 200 holders costs Redis 0.2 ms, so a server that builds
/// takes a tenth of its time.
const PAGE_EVERY: Duration = Duration::from_millis(2);
/// Processes that notice a sold-out coupon in the same moment begin within this time of each other.
const JITTER_MAX_MS: u8 = 20;
/// A coupon whose filter has no room, or whose holders cannot be read, is left alone for this long.
const LATER: Duration = Duration::from_secs(1);
/// A coupon that could be won when its holders were read is looked at again after the hold.
const AFTER_HOLD: Duration = Duration::from_millis(HOLD_MS);

/// Builds one filter at a time; its loop is [`FilterBuilder::step`] repeated.
pub struct FilterBuilder {
    redis: Redis,
    verdicts: Arc<Verdicts>,
    /// Coupons that are left alone, and until when.
    later: HashMap<CouponId, Instant>,
}

impl FilterBuilder {
    /// A builder for the verdicts of this process.
    pub fn new(redis: &Redis, verdicts: Arc<Verdicts>) -> Self {
        Self { redis: redis.clone(), verdicts, later: HashMap::new() }
    }

    /// Repeats [`FilterBuilder::step`] until shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = self.step() => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Builds the filter of one coupon that needs one, or waits a while for such a coupon.
    pub async fn step(&mut self) {
        let now = Instant::now();
        self.later.retain(|_, until| *until > now);
        let wanted = self.verdicts.without_filter(Moment::now());
        let next = wanted.into_iter().find(|(coupon_id, _)| !self.later.contains_key(coupon_id));
        let Some((coupon_id, stock)) = next else {
            // Whatever comes first: a new verdict, or the end of somebody's pause.
            let until = self.later.values().min().copied().unwrap_or(now + LATER);
            let _ = timeout_at(until.min(now + LATER), self.verdicts.unfiltered()).await;
            return;
        };
        match self.build(&coupon_id, stock).await {
            Ok(holders) => self.verdicts.attach(&coupon_id, stock, holders),
            Err(pause) => {
                self.later.insert(coupon_id, Instant::now() + pause);
            }
        }
    }

    /// The holders at exactly this stock. When it is over, when the filter has no room, or when
    /// Redis does not answer: how long to leave the coupon alone. Until then everybody asks.
    async fn build(&self, coupon_id: &CouponId, stock: Stock) -> Result<HoldersFilter, Duration> {
        let accepted = self.redis.generation().current().map_err(|_| LATER)?;
        sleep(jitter()).await;
        let mut pace = interval(PAGE_EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut cursor, mut filter) = ("0".to_owned(), None);
        loop {
            pace.tick().await;
            let args = Args {
                accepted: &accepted,
                coupon_id,
                epoch: stock.epoch,
                stock_version: stock.version,
                cursor: &cursor,
            };
            let page = match holders_page(&self.redis, &args).await {
                Ok(Reply::Page(page)) => page,
                Ok(Reply::Stale) => return Err(AFTER_HOLD),
                Err(error) => {
                    tracing::debug!(%error, coupon.id = %coupon_id, "the holders cannot be read");
                    return Err(LATER);
                }
            };
            let bytes = HoldersFilter::bytes_for(page.holders);
            if filter.is_none() && !self.verdicts.make_room(Moment::now(), bytes) {
                tracing::debug!(coupon.id = %coupon_id, bytes, "its filter has no room");
                return Err(LATER);
            }
            let mut holders =
                filter.take().unwrap_or_else(|| HoldersFilter::for_holders(page.holders));
            page.fields.iter().for_each(|field| holders.insert(field));
            if page.next_cursor == "0" {
                return Ok(holders);
            }
            filter = Some(holders);
            cursor = page.next_cursor;
        }
    }
}

fn jitter() -> Duration {
    let mut byte = [0];
    // Without randomness processes begin together, which is no more than dearer.
    let _ = getrandom::fill(&mut byte);
    Duration::from_millis(u64::from(byte[0] % JITTER_MAX_MS))
}
