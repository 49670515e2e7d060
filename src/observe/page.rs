//! The public page of a coupon, which everybody reloads before an opening: all readers of a process
//! share one look-up.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::error::Error;
use super::page_rows::PageRows;
use super::state::{self, balance_of, preloaded};
use crate::domain::coupon::{Coupon, CouponId};
use crate::domain::limits::DEFINITIONS_MAX;
use crate::domain::time::UnixMs;
use crate::lookups::{Lookups, Moment};
use crate::lua::audit::Balance;
use crate::redis::Redis;
use crate::store::Store;

/// How long a balance is shown, counted from the beginning of its look-up.
const LIFE: Duration = Duration::from_millis(200);
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

/// The pages of all coupons.
pub(super) struct Pages {
    redis: Redis,
    store: Arc<dyn Store>,
    pages: Lookups<Arc<Page>, Arc<Error>>,
    rows: PageRows,
}

impl Pages {
    pub(super) fn new(redis: Redis, store: Arc<dyn Store>) -> Self {
        let pages = Lookups::new(DEFINITIONS_MAX, LIFE);
        Self { redis, store, pages, rows: PageRows::new() }
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
        let (store, asked_id) = (self.store.clone(), id.clone());
        let query = async move { preloaded(&*store, &asked_id).await };
        let coupon = self.rows.find(id, query).await?;
        let balance = balance_of(&self.redis, &*self.store, &coupon).await?;
        Ok(Arc::new(Page { coupon, balance, known_at: Moment::now() }))
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
