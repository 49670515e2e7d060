//! The rows of the coupons whose pages are read. A database that is slow or away delays no page: a
//! row that is remembered is used until a newer one comes.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use super::error::Error;
use crate::domain::coupon::{Coupon, CouponId};
use crate::domain::limits::DEFINITIONS_MAX;
use crate::lookups::Moment;

/// How long a row is used before the database is asked again. Only the name is taken from it, which
/// hardly ever changes; everything else comes from Redis.
const ROW_LIFE: Duration = Duration::from_secs(1);
/// How long a look-up waits for a newer row before it uses the old one.
const ROW_PATIENCE: Duration = Duration::from_millis(50);
/// Queries for newer rows at one time. A database that hangs keeps each until its time-out.
const QUERIES_MAX: usize = 4;

/// What the database said last, when it was asked at this moment; `None` when there was no row.
#[derive(Clone)]
struct Known {
    asked_at: Moment,
    coupon: Option<Arc<Coupon>>,
}

/// The rows that are remembered.
#[derive(Clone)]
pub(super) struct PageRows {
    known: Arc<Cache<CouponId, Known>>,
    queries: Arc<Semaphore>,
}

impl PageRows {
    pub(super) fn new() -> Self {
        let known = Arc::new(Cache::new(DEFINITIONS_MAX));
        Self { known, queries: Arc::new(Semaphore::new(QUERIES_MAX)) }
    }

    /// The row, at most [`ROW_LIFE`] old if the database answers within [`ROW_PATIENCE`]. If it
    /// does not, or [`QUERIES_MAX`] are under way, this page has the old row.
    ///
    /// # Errors
    /// [`Error::CouponNotFound`], and those of the database when no row is remembered.
    pub(super) async fn find(
        &self,
        id: &CouponId,
        query: impl Future<Output = Result<Coupon, Error>> + Send + 'static,
    ) -> Result<Arc<Coupon>, Error> {
        let asked_at = Moment::now();
        let known = self.known.get(id);
        let Some((since, old)) = known.and_then(|known| Some((known.asked_at, known.coupon?)))
        else {
            let found = query.await.map(Arc::new);
            self.learn(id, asked_at, &found);
            return found;
        };
        if asked_at - since < ROW_LIFE {
            return Ok(old);
        }
        let Ok(permit) = self.queries.clone().try_acquire_owned() else { return Ok(old) };
        // Counts as new for one more life, so that a database that hangs is asked once a second.
        self.known.insert(id.clone(), Known { asked_at, coupon: Some(old.clone()) });
        let (rows, asked_id) = (self.clone(), id.clone());
        // Spawned, because a query that is cancelled would keep its connection busy.
        let query = tokio::spawn(async move {
            let found = query.await.map(Arc::new);
            rows.learn(&asked_id, asked_at, &found);
            drop(permit);
            found
        });
        match tokio::time::timeout(ROW_PATIENCE, query).await {
            Ok(Ok(Err(Error::CouponNotFound))) => Err(Error::CouponNotFound),
            Ok(Ok(Ok(new))) => Ok(new),
            _ => Ok(old),
        }
    }

    /// Remembers what the database said. That a row is gone is remembered too: a query that was
    /// asked earlier and ends later must not undo it. Ids that never had a row take no room.
    fn learn(&self, id: &CouponId, asked_at: Moment, found: &Result<Arc<Coupon>, Error>) {
        let known = self.known.get(id);
        let coupon = match found {
            Ok(coupon) => Some(coupon.clone()),
            Err(Error::CouponNotFound) if known.is_some() => None,
            Err(_) => return,
        };
        if known.is_none_or(|known| known.asked_at <= asked_at) {
            self.known.insert(id.clone(), Known { asked_at, coupon });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::super::rows::tests::coupon;
    use super::*;

    /// Makes the row older than its life.
    fn grow_old(rows: &PageRows, id: &CouponId) {
        let known = rows.known.get(id).unwrap();
        let asked_at = known.asked_at.minus_ms(2_000);
        rows.known.insert(id.clone(), Known { asked_at, ..known });
    }

    fn id() -> CouponId {
        coupon().definition.id
    }

    #[tokio::test]
    async fn a_row_that_is_gone_stays_gone() {
        let (rows, id) = (PageRows::new(), id());
        rows.find(&id, ready(Ok(coupon()))).await.unwrap();
        grow_old(&rows, &id);
        for _ in 0..3 {
            let found = rows.find(&id, ready(Err(Error::CouponNotFound))).await;
            assert!(matches!(found, Err(Error::CouponNotFound)), "{found:?}");
        }
    }

    #[tokio::test]
    async fn a_query_that_ends_late_does_not_undo_a_newer_one() {
        let (rows, id) = (PageRows::new(), id());
        rows.find(&id, ready(Ok(coupon()))).await.unwrap();
        grow_old(&rows, &id);
        let asked_at = Moment::now();
        rows.find(&id, ready(Err(Error::CouponNotFound))).await.unwrap_err();
        rows.learn(&id, asked_at.minus_ms(10), &Ok(Arc::new(coupon())));
        let found = rows.find(&id, ready(Err(Error::CouponNotFound))).await;
        assert!(matches!(found, Err(Error::CouponNotFound)), "{found:?}");
    }

    #[tokio::test]
    async fn a_database_that_hangs_is_asked_by_a_few_pages_and_delays_none() {
        let rows = PageRows::new();
        let ids: Vec<_> =
            (0..20).map(|number| CouponId::parse(&format!("c{number}")).unwrap()).collect();
        for id in &ids {
            rows.find(id, ready(Ok(coupon()))).await.unwrap();
            grow_old(&rows, id);
        }
        for id in &ids {
            rows.find(id, pending()).await.unwrap();
        }
        assert_eq!(rows.queries.available_permits(), 0);
        // Those that found no room ask at the next page.
        let is_old =
            |id: &&CouponId| Moment::now() - rows.known.get(*id).unwrap().asked_at >= ROW_LIFE;
        let waiting = ids.iter().filter(is_old);
        assert_eq!(waiting.count(), ids.len() - QUERIES_MAX);
    }
}
