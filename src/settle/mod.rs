//! Tickets after they were issued: one by its id, and a user's own.

mod error;
mod export;

use std::sync::Arc;

use crate::domain::code::CodeKeys;
use crate::domain::coupon::{Coupon, State};
use crate::domain::issued_ticket::IssuedTicket;
use crate::domain::ticket::{Serial, Status, Ticket, TicketId};
use crate::domain::time::UnixMs;
use crate::domain::user::{Claim, UserId};
use crate::redis::{Redis, holders, presence};
use crate::store::{Store, TicketRow};

pub use crate::store::UserCursor;
pub use error::Error;
pub use export::{Export, FORMATS, Format};

/// A ticket, and its place among all tickets of its coupon; `None` as long as that is not known.
#[derive(Debug)]
pub struct Ranked {
    pub issued: IssuedTicket,
    pub rank: Option<u64>,
}

/// Looks tickets up; cheap to clone.
#[derive(Clone)]
pub struct Settler {
    redis: Redis,
    store: Arc<dyn Store>,
    keys: Arc<CodeKeys>,
    now: fn() -> UnixMs,
}

impl Settler {
    pub fn new(
        redis: &Redis,
        store: Arc<dyn Store>,
        keys: Arc<CodeKeys>,
        now: fn() -> UnixMs,
    ) -> Self {
        Self { redis: redis.clone(), store, keys, now }
    }

    /// A user's ticket: `in_progress` until the row is there, then as the row says (I10).
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another user's ticket.
    pub async fn find(&self, id: &TicketId, user_id: &UserId) -> Result<Ranked, Error> {
        let issued = self.find_issued(id, user_id).await?;
        self.ranked(issued).await
    }

    async fn find_issued(&self, id: &TicketId, user_id: &UserId) -> Result<IssuedTicket, Error> {
        let coupon = self.store.find_coupon(&id.coupon_id).await?.ok_or(Error::NotFound)?;
        match self.store.find_ticket(id).await? {
            Some(row) if row.ticket.user_id == *user_id => self.show(row, &coupon),
            Some(_) => Err(Error::NotFound),
            None if coupon.state == State::Archived => Err(Error::NotFound),
            None => self.find_in_progress(id, user_id, &coupon).await,
        }
    }

    /// A user's tickets that have rows, in the order of (coupon, claim), after the cursor.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn of_user(
        &self,
        user_id: &UserId,
        after: Option<&UserCursor>,
        limit_rows: u32,
    ) -> Result<Vec<Ranked>, Error> {
        let rows = self.store.tickets_of_user(user_id, after, limit_rows).await?;
        let mut shown = Vec::with_capacity(rows.len());
        let mut known: Option<Coupon> = None;
        for row in rows {
            let id = &row.ticket.coupon_id;
            let coupon = match known.take().filter(|coupon| coupon.definition.id == *id) {
                Some(coupon) => coupon,
                None => self.store.find_coupon(id).await?.ok_or(Error::NotFound)?,
            };
            shown.push(self.ranked(self.show(row, &coupon)?).await?);
            known = Some(coupon);
        }
        Ok(shown)
    }

    /// A coupon's tickets that have rows, in the order of their serials, after this one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn of_coupon(
        &self,
        coupon: &Coupon,
        after: Serial,
        limit_rows: u32,
    ) -> Result<Vec<IssuedTicket>, Error> {
        let rows = self.store.tickets_of_coupon(&coupon.definition.id, after, limit_rows).await?;
        rows.into_iter().map(|row| self.show(row, coupon)).collect()
    }

    /// While a ticket has no row, those before it may be lost with it.
    async fn ranked(&self, issued: IssuedTicket) -> Result<Ranked, Error> {
        let rank = match issued.status {
            Some(Status::InProgress) => None,
            _ => self.store.rank(&issued.ticket).await?,
        };
        Ok(Ranked { issued, rank })
    }

    /// A row with everything that is derived from it.
    fn show(&self, row: TicketRow, coupon: &Coupon) -> Result<IssuedTicket, Error> {
        let key = self.keys.find(&coupon.key_id);
        let key = key.ok_or_else(|| Error::MissingKey(coupon.key_id.clone()))?;
        let expires_at = row.ticket.expires_at(coupon.definition.valid_for);
        let is_over = expires_at.is_some_and(|at| at <= (self.now)());
        let status = match row.status {
            Status::Accepted if is_over => Status::Expired,
            status => status,
        };
        let code_and_receipt = key.code_and_receipt(&row.ticket);
        Ok(IssuedTicket { ticket: row.ticket, code_and_receipt, expires_at, status: Some(status) })
    }

    async fn find_in_progress(
        &self,
        id: &TicketId,
        user_id: &UserId,
        coupon: &Coupon,
    ) -> Result<IssuedTicket, Error> {
        let claims: Vec<Claim> =
            (1..=crate::domain::limits::PER_USER_LIMIT_MAX).filter_map(Claim::new).collect();
        let asked: Vec<_> = claims.iter().map(|claim| (user_id, *claim)).collect();
        let held_tickets = holders::held_tickets(&self.redis, &id.coupon_id, &asked).await?;
        let found = claims.iter().zip(held_tickets).find_map(|(claim, held)| {
            held.filter(|held| held.serial == id.serial).map(|held| (*claim, held))
        });
        let Some((claim, held)) = found else {
            let is_preloaded = coupon.state != State::Draft;
            if is_preloaded && presence::may_lack_tickets(&self.redis, &id.coupon_id).await? {
                return Err(Error::Recovering);
            }
            // A recovery may have ended since the row was looked for.
            let row = self.store.find_ticket(id).await?;
            let row = row.filter(|row| row.ticket.user_id == *user_id).ok_or(Error::NotFound)?;
            return self.show(row, coupon);
        };
        // The row may have been written between the looks at the database and at Redis.
        if let Some(row) = self.store.find_ticket(id).await? {
            return self.show(row, coupon);
        }
        let ticket = Ticket {
            coupon_id: id.coupon_id.clone(),
            epoch: held.epoch,
            serial: held.serial,
            user_id: user_id.clone(),
            claim,
            issued_at: held.issued_at,
        };
        self.show(TicketRow { ticket, status: Status::InProgress }, coupon)
    }
}
