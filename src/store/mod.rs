//! The database: definitions, acts and generations first; tickets as soon as they are persisted.
//!
//! One trait, one implementation per dialect, one test text over all of them. The folders of the
//! dialects match file by file.

mod batch;
mod decide;
mod error;
mod open;
mod pool;
pub mod postgres;
mod rehearsal;
mod rows;
mod settings;
pub mod sqlite;

use async_trait::async_trait;

use crate::domain::act::{Act, ActResult, NewAct};
use crate::domain::coupon::{Coupon, CouponId, Definition};
use crate::domain::generation::Generation;
use crate::domain::limits::{COUNT_PAGE_ROWS, COUNT_WAIT};
use crate::domain::record::Record;
use crate::domain::ticket::{Serial, Status, Ticket, TicketId};
use crate::domain::time::UnixMs;
use crate::domain::user::{Claim, UserId};

pub use error::{Error, Result};
pub use open::{new, open};
pub use settings::{Migrations, Settings};

/// What became of an act that was handed to the database (P9 step 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intended {
    /// It stands as the coupon's only intended act.
    New(Act),
    /// The same idempotency key brought the same change before: that act, settled or not.
    Repeated(Act),
    /// The same idempotency key was used for another change of this coupon.
    KeyReused,
    /// Another act of the coupon is intended; it must be settled first.
    Busy(Act),
    /// The coupon is at another version than the caller saw.
    VersionConflict(u64),
    /// There is no such coupon, or it is a draft (and the change is not its preload).
    Unknown,
    /// The coupon was preloaded before, by this act; only a preload meets this.
    AlreadyPreloaded(Act),
}

/// What became of the wish to cancel tickets of a coupon (P9 step 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// Every row that there is is cancelled.
    Done {
        /// The return of those that were not cancelled before, the coupon's only intended act;
        /// `None` when all of them were.
        act: Option<Act>,
        /// Serials without a row.
        unknown: Vec<Serial>,
    },
    /// Another act of the coupon is intended; it must be settled first. Nothing was written.
    Busy(Act),
}

/// What one transaction of the persister did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Persisted {
    /// Tickets that became rows.
    pub inserted: u64,
    /// Tickets whose row was there before, equal in every field (I9).
    pub replayed: u64,
    /// Tickets that met a different row; they stand in `contested` now.
    pub contested: Vec<TicketId>,
}

/// A ticket's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketRow {
    /// What was issued.
    pub ticket: Ticket,
    /// `accepted` or `cancelled`.
    pub status: Status,
}

/// Counts over a coupon's rows; they read all of them, so they are for admins and tests. That no
/// two rows have the same user and claim (I2) is the table's own constraint and not counted again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows.
    pub rows: u64,
    /// Rows that are cancelled.
    pub cancelled: u64,
    /// The greatest serial, 0 without rows.
    pub last_serial: u64,
    /// Contested tickets.
    pub contested: u64,
}

/// Where the next page of a user's tickets begins: after this coupon and claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCursor {
    /// The last coupon of the page before.
    pub coupon_id: CouponId,
    /// The last claim of the page before.
    pub claim: Claim,
}

/// What the house asks of a database. Every method is one transaction or one statement, bounded in
/// time; lists are bounded by their `limit_rows`.
#[async_trait]
pub trait Store: Send + Sync {
    /// `postgres` or `sqlite`.
    fn dialect(&self) -> &'static str;

    /// Its name and version.
    async fn version(&self) -> Result<String>;

    /// Connections of its pools: (in use, idle).
    fn pool_connections(&self) -> (usize, usize);

    /// Opens the database and brings its schema up to date, however long its migration takes.
    async fn migrate(&self) -> Result<()>;

    /// Fails when the database does not answer, or does not suit ([`Error::Open`]). As every other
    /// call it opens the database first where that was not done.
    async fn ping(&self) -> Result<()>;

    /// Fails when the database takes no rows, although it may answer: inserts a ticket and takes it
    /// back, unless this process committed tickets in the last 5 s.
    async fn rehearse(&self) -> Result<()>;

    /// Settings of the database that could lose a committed ticket, each in a sentence; empty when
    /// it is safe (for instance `synchronous_commit off`).
    async fn unsafe_settings(&self) -> Result<Vec<String>>;

    /// The version of TLS that protects its connections, such as `TLSv1.3`; `None` where they are
    /// not encrypted. Behind a pooler it is the version between the pooler and the database.
    async fn tls_version(&self) -> Result<Option<String>>;

    /// The hosts to which its password may go unencrypted, because its URL does not insist on TLS.
    fn hosts_told_in_the_clear(&self) -> Vec<String>;

    /// Inserts a draft. False when the id is taken.
    async fn insert_coupon(&self, coupon: &Coupon) -> Result<bool>;

    /// The coupon with this id.
    async fn find_coupon(&self, id: &CouponId) -> Result<Option<Coupon>>;

    /// Coupons in the order of their ids (bytewise), after this one.
    async fn list_coupons(&self, after: Option<&CouponId>, limit_rows: u32) -> Result<Vec<Coupon>>;

    /// Those of these coupons that have no row.
    async fn without_row(&self, ids: &[CouponId]) -> Result<Vec<CouponId>>;

    /// Whether any coupon has left the state draft.
    async fn has_preloaded_coupon(&self) -> Result<bool>;

    /// The ids of all keys that coupons are pinned to.
    async fn key_ids(&self) -> Result<Vec<String>>;

    /// Replaces a draft's definition (not its id) if it is still at this version; its version grows
    /// by one. The row after it, or `None` when it is no draft at that version.
    async fn update_draft(&self, definition: &Definition, version: u64) -> Result<Option<Coupon>>;

    /// Changes a coupon's name in any state; the version does not grow. False when there is none.
    async fn rename_coupon(&self, id: &CouponId, name: &str) -> Result<bool>;

    /// Deletes a draft. False when it is no draft (any more).
    async fn delete_draft(&self, id: &CouponId) -> Result<bool>;

    /// Writes an act as intended, with the coupon's next act number, under the coupon's row lock
    /// (I1). At most one act of a coupon is intended at any time. A preload moves the coupon from
    /// draft to open in the same transaction (P9 step 6); its act number is 1.
    async fn intend_act(&self, act: &NewAct) -> Result<Intended>;

    /// Writes what came of an act, and what it means for the coupon's row: total, window, limit,
    /// state and version. Settling twice changes nothing.
    async fn settle_act(&self, act: &Act, result: &ActResult) -> Result<()>;

    /// The act of a coupon with this number.
    async fn find_act(&self, id: &CouponId, act_no: u64) -> Result<Option<Act>>;

    /// Acts that are not settled, at most one of each coupon, in the order of the coupons' ids
    /// after this one: a crash left them. Those intended within half a second of `now` are left
    /// out, because they are still in their callers' hands; a clock that is far ahead hides none.
    async fn unsettled_acts(
        &self,
        now: UnixMs,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<Act>>;

    /// Moves rows of a coupon from accepted to cancelled and writes the return of their stock as
    /// one intended act, in one transaction (I7, P9 step 4); at most 500 serials.
    async fn cancel_tickets(
        &self,
        id: &CouponId,
        serials: &[Serial],
        who: &str,
        at: UnixMs,
    ) -> Result<Cancelled>;

    /// The last accepted generation.
    async fn last_generation(&self) -> Result<Option<Generation>>;

    /// The generations from this number on, in their order.
    async fn generations_from(
        &self,
        generation_no: u64,
        limit_rows: u32,
    ) -> Result<Vec<Generation>>;

    /// Appends a generation. False when its number is taken: another server was first.
    async fn append_generation(&self, generation: &Generation) -> Result<bool>;

    /// Takes the greater heartbeat into the row of this generation and sets when it was seen (P2
    /// step 8). False when it is no longer the last generation, or its process was refused since.
    async fn beat(&self, generation_no: u64, heartbeat: u64, seen_at: UnixMs) -> Result<bool>;

    /// Writes into the row of a generation that no server may accept this process of Redis: what
    /// shows it now may be gone when it is looked at again.
    async fn refuse_life(&self, generation_no: u64, run_id: &str) -> Result<()>;

    /// Coupons that Redis must have, with the greatest serial of their rows, in the order of their
    /// ids after this one (P2 step 6): no drafts, and none without a row whose preload is only
    /// intended.
    async fn last_serials(
        &self,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<(CouponId, Serial)>>;

    /// Writes the tickets of these records in one transaction: the rows, sorted by key, by bulk
    /// insert; a `records` row each; `persisted` of their coupons. When fewer rows went in than
    /// came, compares: an equal row is a replay, a different one makes the ticket contested, in the
    /// same transaction (I3, I9; P5 step 3).
    async fn persist(&self, records: &[Record]) -> Result<Persisted>;

    /// The row of a ticket.
    async fn find_ticket(&self, id: &TicketId) -> Result<Option<TicketRow>>;

    /// A user's rows in the order of (coupon, claim), after the cursor.
    async fn tickets_of_user(
        &self,
        user_id: &UserId,
        after: Option<&UserCursor>,
        limit_rows: u32,
    ) -> Result<Vec<TicketRow>>;

    /// A coupon's rows in the order of their serials, after this one (0: from the beginning).
    async fn tickets_of_coupon(
        &self,
        coupon_id: &CouponId,
        after: Serial,
        limit_rows: u32,
    ) -> Result<Vec<TicketRow>>;

    /// Counts over a coupon's rows after this serial, in their order; none of them contested.
    async fn count_page(
        &self,
        coupon_id: &CouponId,
        after: Serial,
        limit_rows: u32,
    ) -> Result<Counts>;

    /// How many tickets of this coupon are contested.
    async fn contested(&self, coupon_id: &CouponId) -> Result<u64>;

    /// Counts over a coupon's rows, page by page, so that no statement is long however many there
    /// are. Rows that are written meanwhile may be counted or not: it is at least what stood
    /// before, and at most what stands after.
    ///
    /// # Errors
    /// [`Error::Unavailable`] after [`COUNT_WAIT`].
    async fn counts(&self, coupon_id: &CouponId) -> Result<Counts> {
        let counted = async {
            let mut counts = Counts::default();
            loop {
                let after = Serial(counts.last_serial);
                let page = self.count_page(coupon_id, after, COUNT_PAGE_ROWS).await?;
                counts.rows += page.rows;
                counts.cancelled += page.cancelled;
                counts.last_serial = counts.last_serial.max(page.last_serial);
                if page.rows < u64::from(COUNT_PAGE_ROWS) {
                    break;
                }
            }
            counts.contested = self.contested(coupon_id).await?;
            Ok(counts)
        };
        tokio::time::timeout(COUNT_WAIT, counted).await.unwrap_or_else(|_| Err(Error::late()))
    }

    /// Waits for running statements and closes the connections.
    async fn close(&self);
}
