//! Compares a closed coupon in Redis with its rows, ticket by ticket, and computes what is kept.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::error::Result;
use crate::domain::coupon::Coupon;
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::ticket::{Serial, Status};
use crate::lua::audit::{Balance, Reply, audit};
use crate::redis::holders::{HeldTicket, held_tickets};
use crate::redis::{Error, Redis};
use crate::store::{Archive, Store, TicketRow};

/// What is kept of a closed coupon; `None` unless each ticket in Redis is a row, each row is a
/// ticket in Redis, and both have the same acts. There are as many rows as holders, and each row
/// has its holder, so no holder is without a row.
pub(super) async fn archive_of(
    redis: &Redis,
    store: &dyn Store,
    coupon: &Coupon,
) -> Result<Option<Archive>> {
    let balance = match audit(redis, &coupon.definition.id).await {
        Ok(Reply::Balance(balance)) => balance,
        Ok(Reply::Unknown) | Err(Error::Malformed(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let act = store.find_act(&coupon.definition.id, coupon.act_no).await?;
    let has_same_act = act.is_some_and(|act| {
        (act.act_no, act.token()) == (balance.act_no, balance.act_token.clone())
    });
    if !has_same_act || !is_finished(&balance, coupon) {
        return Ok(None);
    }
    let mut kept = Kept::default();
    loop {
        let after = kept.last_serial;
        let page = store.tickets_of_coupon(&coupon.definition.id, after, PAGE_MAX_ROWS).await?;
        if page.is_empty() {
            let is_whole = kept.tickets == balance.holders && kept.cancelled == balance.returned;
            return Ok(is_whole.then(|| kept.archive()));
        }
        let asked: Vec<_> =
            page.iter().map(|row| (&row.ticket.user_id, row.ticket.claim)).collect();
        let held = held_tickets(redis, &coupon.definition.id, &asked).await?;
        if page.iter().zip(held).any(|(row, held)| held != Some(held_of(row))) {
            return Ok(None);
        }
        page.iter().for_each(|row| kept.add(row));
    }
}

fn is_finished(balance: &Balance, coupon: &Coupon) -> bool {
    balance.state == "closed"
        && balance.unwritten.is_none()
        && balance.withheld == 0
        && balance.holders == coupon.persisted
        && balance.issued == coupon.persisted
}

fn held_of(row: &TicketRow) -> HeldTicket {
    HeldTicket {
        serial: row.ticket.serial,
        issued_at: row.ticket.issued_at,
        epoch: row.ticket.epoch,
        is_cancelled: row.status == Status::Cancelled,
    }
}

/// What was read so far.
struct Kept {
    tickets: u64,
    cancelled: u64,
    last_serial: Serial,
    digest: Sha256,
}

impl Default for Kept {
    fn default() -> Self {
        Self { tickets: 0, cancelled: 0, last_serial: Serial(0), digest: Sha256::new() }
    }
}

impl Kept {
    /// One line per ticket, in the order of the serials. No field but the last can have a space.
    fn add(&mut self, row: &TicketRow) {
        let TicketRow { ticket, status } = row;
        let line = format!(
            "{} {} {} {} {} {}\n",
            ticket.serial,
            ticket.epoch,
            ticket.claim.number(),
            ticket.issued_at.0,
            status.word(),
            ticket.user_id.as_str()
        );
        self.digest.update(line);
        self.tickets += 1;
        self.cancelled += u64::from(*status == Status::Cancelled);
        self.last_serial = ticket.serial;
    }

    fn archive(self) -> Archive {
        let Self { tickets, cancelled, last_serial, digest } = self;
        Archive { tickets, cancelled, last_serial, sha256: HEXLOWER.encode(&digest.finalize()) }
    }
}
