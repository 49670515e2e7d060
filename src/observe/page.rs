//! The public page of a coupon, which everybody reloads before an opening: all readers of a process
//! share one look-up.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use serde::Serialize;

use super::error::Error;
use super::state::{self, balance, preloaded};
use crate::domain::coupon::{Coupon, CouponId};
use crate::domain::limits::DEFINITIONS_MAX;
use crate::domain::time::UnixMs;
use crate::lookups::{Lookups, Moment};
use crate::lua::audit::Balance;
use crate::redis::Redis;
use crate::store::Store;

/// How long a balance is shown, counted from the beginning of its look-up.
const LIFE: Duration = Duration::from_millis(200);
/// How long a row is used before the database is asked again. Only the name is taken from it, which
/// hardly ever changes; everything else comes from Redis.
const ROW_LIFE: Duration = Duration::from_secs(1);
/// How long a look-up waits for a newer row before it uses the old one.
const ROW_PATIENCE: Duration = Duration::from_millis(50);

/// The public data of a coupon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicView<'a> {
    pub id: &'a CouponId,
    /// Its display name.
    pub name: &'a str,
    /// `scheduled`, `open`, `sold_out`, `paused`, `closed` or `recovering`.
    pub state: &'static str,
    pub total: u64,
    /// Stock that nobody has.
    pub remaining: u64,
    /// Tickets that one user may have.
    pub per_user_limit: u8,
    /// First instant at which tickets are issued.
    pub opens_at: Option<UnixMs>,
    /// First instant at which no ticket is issued any more.
    pub closes_at: Option<UnixMs>,
    /// The time of Redis, for countdowns.
    pub server_time: UnixMs,
}

/// A row and a balance that were looked up.
#[derive(Debug)]
pub struct Page {
    coupon: Arc<Coupon>,
    balance: Box<Balance>,
    /// When the reply of Redis arrived. Redis read its clock before that, so `server_time` never
    /// runs ahead of Redis: a reader who sees `open` is not told `not_open`.
    known_at: Moment,
}

impl Page {
    /// The time of Redis now: the time in its reply, plus the time since then on this machine.
    pub fn server_time(&self) -> UnixMs {
        let since = Moment::now() - self.known_at;
        self.balance.now.plus_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// The page at this time of Redis. Its state follows the window without a look-up.
    pub fn at(&self, server_time: UnixMs) -> PublicView<'_> {
        let (definition, balance) = (&self.coupon.definition, &self.balance);
        PublicView {
            id: &definition.id,
            name: &definition.name,
            state: state::at(balance, server_time),
            total: balance.total,
            remaining: balance.remaining,
            per_user_limit: balance.per_user_limit,
            opens_at: balance.opens_at,
            closes_at: balance.closes_at,
            server_time,
        }
    }
}

/// A row, and when its look-up began.
type Row = (Moment, Arc<Coupon>);

/// The pages of all coupons.
pub(super) struct Pages {
    redis: Redis,
    store: Arc<dyn Store>,
    pages: Lookups<Arc<Page>, Arc<Error>>,
    rows: Arc<Cache<CouponId, Row>>,
}

impl Pages {
    pub(super) fn new(redis: Redis, store: Arc<dyn Store>) -> Self {
        let rows = Arc::new(Cache::new(DEFINITIONS_MAX));
        Self { redis, store, pages: Lookups::new(DEFINITIONS_MAX, LIFE), rows }
    }

    /// The page of a coupon. Its balance is never older than [`LIFE`] plus one look-up.
    pub(super) async fn find(&self, id: &CouponId) -> Result<Arc<Page>, Arc<Error>> {
        if let Some(page) = self.pages.remembered(id) {
            return Ok(page);
        }
        // Boxed: this future is large, and every request of the public listener carries the room
        // for it, also one that never comes here.
        Box::pin(self.pages.get(id, self.look_up(id))).await
    }

    async fn look_up(&self, id: &CouponId) -> Result<Arc<Page>, Arc<Error>> {
        let coupon = self.row(id).await?;
        let balance = balance(&self.redis, id).await?;
        Ok(Arc::new(Page { coupon, balance, known_at: Moment::now() }))
    }

    /// The row, at most [`ROW_LIFE`] old if the database answers within [`ROW_PATIENCE`]. If it
    /// does not, this look-up uses the old row, and a later one the new row.
    async fn row(&self, id: &CouponId) -> Result<Arc<Coupon>, Error> {
        let asked_at = Moment::now();
        let remembered = self.rows.get(id);
        let (store, rows, id) = (self.store.clone(), self.rows.clone(), id.clone());
        let keep = id.clone();
        let look = async move {
            let found = preloaded(&*store, &id).await.map(Arc::new);
            // A look that ends late must not undo what a newer one found.
            let is_newest = rows.get(&id).is_none_or(|(since, _)| since <= asked_at);
            match &found {
                Ok(coupon) if is_newest => rows.insert(id, (asked_at, coupon.clone())),
                Err(Error::CouponNotFound) if is_newest => drop(rows.remove(&id)),
                _ => {}
            }
            found
        };
        let Some((since, stale)) = remembered else { return look.await };
        if asked_at - since < ROW_LIFE {
            return Ok(stale);
        }
        // Counts as new for one more life, so that a database that hangs is asked once a second.
        self.rows.insert(keep, (asked_at, stale.clone()));
        // Spawned, because a query that is cancelled would keep its connection busy.
        match tokio::time::timeout(ROW_PATIENCE, tokio::spawn(look)).await {
            Ok(Ok(Err(Error::CouponNotFound))) => Err(Error::CouponNotFound),
            Ok(Ok(Ok(fresh))) => Ok(fresh),
            _ => Ok(stale),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::balance::tests::balance;
    use super::super::rows::tests::coupon;
    use super::*;

    fn page(balance: Balance) -> Page {
        Page { coupon: Arc::new(coupon()), balance: Box::new(balance), known_at: Moment::now() }
    }

    #[test]
    fn a_page_opens_and_closes_at_its_instants_whenever_its_balance_was_looked_up() {
        let window = (Some(UnixMs(1_000)), Some(UnixMs(2_000)));
        for (state, available, seen) in [
            ("open", 61, ["scheduled", "open", "open", "closed"]),
            ("open", 0, ["scheduled", "sold_out", "sold_out", "closed"]),
            ("paused", 61, ["scheduled", "paused", "paused", "closed"]),
            ("closed", 61, ["closed"; 4]),
            ("recovering", 61, ["recovering"; 4]),
        ] {
            let (opens_at, closes_at) = window;
            let state = state.to_owned();
            let page = page(Balance { state, available, opens_at, closes_at, ..balance() });
            let told = [999, 1_000, 1_999, 2_000].map(|ms| page.at(UnixMs(ms)).state);
            assert_eq!(told, seen);
        }
    }

    #[test]
    fn the_time_of_redis_goes_on_while_a_balance_is_remembered() {
        let mut page = page(balance());
        page.known_at = page.known_at.minus_ms(150);
        assert!(page.server_time() >= page.balance.now.plus_ms(150));
    }
}
