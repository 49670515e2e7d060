//! Compares each ticket of a coupon in Redis with its row, both ways. It only reads, so it also
//! works on a Redis that is not proven (P2 step 7).

use serde::{Serialize, Serializer};

use super::error::Error;
use super::rows::Rows;
use super::serials::Serials;
use super::state::{balance, preloaded};
use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::ticket::Serial;
use crate::domain::user::{Claim, UserId, holder_field, of_holder_field};
use crate::lua::audit::Balance;
use crate::redis::holders::HeldTicket;
use crate::redis::{Redis, facts, holders, stream};
use crate::store::Store;

/// How Redis and the database differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Tickets in Redis without a row; those that wait in the stream are not counted.
    MissingInDb,
    /// Rows without a holder in Redis.
    MissingInRedis,
    /// (user, claim) pairs that have one ticket in Redis and another one in the database.
    DuplicateUser,
    /// Serials of this epoch that were given, and that no ticket has.
    SerialGap,
    /// Units by which total + returned and remaining + issued + withheld differ.
    StockMismatch,
    /// Acts that only one side has, and state or total that differ.
    DivergedAct,
    /// Units of stock that a recovery withheld, because a server that is gone may have told them.
    Withheld,
}

impl Kind {
    /// Its word, as programs and people read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::MissingInDb => "MISSING_IN_DB",
            Self::MissingInRedis => "MISSING_IN_REDIS",
            Self::DuplicateUser => "DUPLICATE_USER",
            Self::SerialGap => "SERIAL_GAP",
            Self::StockMismatch => "STOCK_MISMATCH",
            Self::DivergedAct => "DIVERGED_ACT",
            Self::Withheld => "WITHHELD",
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// One kind of difference of one coupon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub coupon_id: CouponId,
    pub kind: Kind,
    pub count: u64,
    /// The first one that was found.
    pub example: String,
}

/// The differences of one coupon, as far as they are known.
struct Found<'a> {
    coupon_id: &'a CouponId,
    differences: Vec<Difference>,
}

impl Found<'_> {
    fn add(&mut self, kind: Kind, count: u64, example: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        match self.differences.iter_mut().find(|known| known.kind == kind) {
            Some(known) => known.count += count,
            None => self.differences.push(Difference {
                coupon_id: self.coupon_id.clone(),
                kind,
                count,
                example: example(),
            }),
        }
    }
}

/// The differences of a preloaded coupon; an archived one has none, because Redis does not have it.
/// Tickets that are issued meanwhile, and tickets and acts that are on their way to the database,
/// are none. Memory: one bit per serial, and some bytes per record in the stream.
///
/// # Errors
/// Those of any call; [`Error::CouponNotFound`], also for drafts.
pub(super) async fn differences(
    redis: &Redis,
    store: &dyn Store,
    id: &CouponId,
) -> Result<Vec<Difference>, Error> {
    let mut found = Found { coupon_id: id, differences: Vec::new() };
    let before = preloaded(store, id).await?;
    if before.state == State::Archived {
        return Ok(Vec::new());
    }
    let replid = facts::read(redis).await?.replid;
    let balance = match balance(redis, id).await {
        Ok(balance) => balance,
        Err(Error::Recovering) => {
            missing(store, &before, &mut found).await?;
            return Ok(found.differences);
        }
        Err(error) => return Err(error),
    };
    let compared = Compared { redis, store, id, replid: &replid };
    let mut serials = Serials::up_to(balance.last_serial);
    // The records first: a ticket that is no longer in a record then has a row.
    let mut waiting = compared.waiting(balance.last_serial).await?;
    compared.parked(&mut waiting).await?;
    compared.holders(&waiting, &mut serials, &mut found).await?;
    compared.rows(&mut serials, &mut found).await?;
    let start = store.last_epoch(id).await?.filter(|start| start.epoch == balance.epoch);
    let first = start.map_or(Serial(1), |start| start.first_serial);
    let (gaps, gap) = serials.unseen_from(first);
    found.add(Kind::SerialGap, gaps, || format!("no ticket has serial {gap}"));
    add_balance(&balance, &mut found);
    let rows = Rows::around(store, before, &balance).await?;
    for sentence in rows.diverged(&balance) {
        found.add(Kind::DivergedAct, 1, || sentence);
    }
    Ok(found.differences)
}

fn add_balance(balance: &Balance, found: &mut Found<'_>) {
    let granted = balance.total + balance.returned;
    let out = balance.remaining + balance.issued + balance.withheld;
    found.add(Kind::StockMismatch, granted.abs_diff(out), || {
        format!("total + returned = {granted}, but remaining + issued + withheld = {out}")
    });
    found.add(Kind::Withheld, balance.withheld, || {
        "`firstcome coupon release` gives it back".to_owned()
    });
}

/// Redis does not have the coupon: all of its rows and all of its stock are missing there.
async fn missing(store: &dyn Store, row: &Coupon, found: &mut Found<'_>) -> Result<(), Error> {
    let counts = store.counts(&row.definition.id).await?;
    let held = counts.rows + counts.parked;
    found.add(Kind::MissingInRedis, held, || "Redis does not have the coupon".to_owned());
    let stock = row.definition.total.saturating_sub(counts.out());
    found.add(Kind::StockMismatch, stock, || "Redis does not have the coupon".to_owned());
    Ok(())
}

/// What is compared with what.
struct Compared<'a> {
    redis: &'a Redis,
    store: &'a dyn Store,
    id: &'a CouponId,
    /// Every page of Redis is from the master of this data.
    replid: &'a str,
}

impl Compared<'_> {
    /// The serials that wait in the stream for the database, up to this one.
    async fn waiting(&self, last: u64) -> Result<Serials, Error> {
        let mut waiting = Serials::up_to(last);
        let mut after = "-".to_owned();
        let count = PAGE_MAX_ROWS as usize;
        loop {
            let shard = self.id.shard();
            let page = stream::entries_after(self.redis, self.replid, shard, &after, count).await?;
            let Some(entry) = page.last() else { return Ok(waiting) };
            after.clone_from(&entry.id);
            let records = page.iter().filter_map(|entry| entry.record.as_ref().ok());
            for record in records.filter(|record| record.coupon_id == *self.id) {
                let first = record.first_serial.0;
                (first..first + record.holders.len() as u64).for_each(|serial| waiting.see(serial));
            }
        }
    }

    /// Adds the serials that are dead letters.
    async fn parked(&self, waiting: &mut Serials) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let page = self.store.parked_tickets(self.id, &after, PAGE_MAX_ROWS).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.id);
            let ids = page.iter().filter_map(|letter| letter.ticket_id.as_ref());
            ids.for_each(|id| waiting.see(id.serial.0));
        }
    }

    /// Looks for the row of each holder.
    async fn holders(
        &self,
        waiting: &Serials,
        serials: &mut Serials,
        found: &mut Found<'_>,
    ) -> Result<(), Error> {
        let mut cursor = 0;
        loop {
            let (next, page) =
                holders::page_of_holders(self.redis, self.replid, self.id, cursor).await?;
            let held: Vec<_> =
                page.iter().filter_map(|(field, value)| held(field, value)).collect();
            for page in held.chunks(PAGE_MAX_ROWS as usize) {
                self.rows_of(page, waiting, serials, found).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    async fn rows_of(
        &self,
        page: &[(UserId, Claim, HeldTicket)],
        waiting: &Serials,
        serials: &mut Serials,
        found: &mut Found<'_>,
    ) -> Result<(), Error> {
        let sought: Vec<Serial> = page.iter().map(|(_, _, held)| held.serial).collect();
        let rows = self.store.tickets_with(self.id, &sought).await?;
        for (user, claim, held) in page {
            let serial = held.serial.0;
            // A ticket that was issued since, or that a later page has again, is not looked at.
            if !serials.reach(serial) || serials.have(serial) {
                continue;
            }
            serials.see(serial);
            let is_row = rows.iter().any(|row| {
                let ticket = &row.ticket;
                (&ticket.user_id, ticket.claim, ticket.serial) == (user, *claim, held.serial)
            });
            if !is_row && !waiting.have(serial) {
                let holder = holder_field(user, *claim);
                found.add(Kind::MissingInDb, 1, || format!("serial {serial} of {holder:?}"));
            }
        }
        Ok(())
    }

    /// Looks for the holder of each row.
    async fn rows(&self, serials: &mut Serials, found: &mut Found<'_>) -> Result<(), Error> {
        let mut after = Serial(0);
        loop {
            let page = self.store.tickets_of_coupon(self.id, after, PAGE_MAX_ROWS).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.ticket.serial;
            let asked: Vec<_> =
                page.iter().map(|row| (&row.ticket.user_id, row.ticket.claim)).collect();
            let held = holders::held_tickets(self.redis, self.id, &asked).await?;
            for (row, held) in page.iter().zip(held) {
                let (serial, user) = (row.ticket.serial, &row.ticket.user_id);
                serials.see(serial.0);
                match held {
                    Some(held) if held.serial == serial => {}
                    None => found.add(Kind::MissingInRedis, 1, || {
                        format!("serial {serial} of {:?}", user.as_str())
                    }),
                    Some(held) => found.add(Kind::DuplicateUser, 1, || {
                        format!(
                            "{:?} has serial {serial} in the database and {} in Redis",
                            user.as_str(),
                            held.serial
                        )
                    }),
                }
            }
        }
    }
}

fn held(field: &str, value: &str) -> Option<(UserId, Claim, HeldTicket)> {
    let (user, claim) = of_holder_field(field)?;
    Some((user, claim, HeldTicket::parse(value)?))
}
