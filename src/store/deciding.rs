//! What becomes of a dead letter: replayed or dropped, in one transaction (P5 step 9).

use async_trait::async_trait;

use super::acts::{Acts, cancel_in};
use super::batch;
use super::decide::Cancelled;
use super::dialect::{Dialect, Statement, Transaction};
use super::error::{Error, Result};
use super::letter_row::{LETTER_COLUMNS, StoredLetter};
use super::records::write_in;
use crate::domain::act::Act;
use crate::domain::dead_letter::{DeadLetter, Decision, Verdict};
use crate::domain::record::Record;
use crate::domain::ticket::Serial;

/// Decisions about dead letters.
#[async_trait]
pub trait Decisions: Acts {
    /// Carries out a decision about a dead letter in one transaction (P5 step 9). Replayed: its
    /// tickets are inserted as the persister does. Dropped: its ticket becomes a row, the row is
    /// cancelled, and the return of its stock is written as one intended act, as for a cancel.
    /// Deciding the same again changes nothing.
    async fn decide_dead_letter(&self, id: &str, decision: &Decision) -> Result<Decided>;
}

#[async_trait]
impl<D: Dialect> Decisions for D {
    async fn decide_dead_letter(&self, id: &str, decision: &Decision) -> Result<Decided> {
        self.call(|| decide(self, id, decision)).await
    }
}

/// The result of a decision about a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// The dead letter is decided like this, now or before.
    Done {
        letter: DeadLetter,
        /// The return of its stock, as the coupon's only intended act.
        act: Option<Act>,
    },
    Unknown,
    /// It was decided otherwise before.
    Otherwise(Verdict),
    /// Its ticket cannot be a row, for this reason. Nothing was written.
    Refused(String),
    /// Another act of the coupon is intended; it must be recorded first. Nothing was written.
    Busy(Act),
}

async fn decide<D: Dialect>(database: &D, id: &str, decision: &Decision) -> Result<Decided> {
    let mut transaction = database.begin_checking().await?;
    let Some(letter) = lock::<D>(&mut transaction, id).await? else {
        return Ok(Decided::Unknown);
    };
    if let Some(before) = &letter.decision {
        return Ok(match before.decision == decision.decision {
            true => Decided::Done { letter, act: None },
            false => Decided::Otherwise(before.decision),
        });
    }
    let carried_out = match decision.decision {
        Verdict::Replayed => replay::<D>(&mut transaction, &letter).await,
        Verdict::Dropped => drop_ticket::<D>(&mut transaction, &letter, decision).await,
    };
    let act = match carried_out {
        Ok(Carried::Out(act)) => act,
        Ok(Carried::Not(why)) => return Ok(why),
        Err(error) if error.is_away() => return Err(error),
        Err(error) => return Ok(Decided::Refused(error.to_string())),
    };
    mark::<D>(&mut transaction, id, decision).await?;
    match transaction.commit().await.map_err(Error::from) {
        Ok(()) => Ok(Decided::Done {
            letter: DeadLetter { decision: Some(decision.clone()), ..letter },
            act,
        }),
        Err(error) if error.is_away() => Err(error),
        Err(error) => Ok(Decided::Refused(error.to_string())),
    }
}

/// Whether a decision was carried out.
enum Carried {
    /// With the return of the stock.
    Out(Option<Act>),
    Not(Decided),
}

impl Carried {
    fn refused(sentence: impl Into<String>) -> Self {
        Self::Not(Decided::Refused(sentence.into()))
    }
}

/// Another ticket's row makes its ticket contested.
async fn replay<D: Dialect>(
    transaction: &mut Transaction<D>,
    letter: &DeadLetter,
) -> Result<Carried> {
    let text = std::str::from_utf8(&letter.raw).unwrap_or_default();
    match Record::decode(text) {
        Ok(record) if batch::fits(&record) => {
            write_in::<D>(transaction, &[record]).await.map(|_| Carried::Out(None))
        }
        Ok(_) => Ok(Carried::refused("a number fits no column")),
        Err(malformed) => Ok(Carried::refused(malformed.to_string())),
    }
}

/// The row comes first, as the persister inserts it, and the lock of the coupon second: the
/// persister takes them in this order too. A whole record has no ticket to return.
async fn drop_ticket<D: Dialect>(
    transaction: &mut Transaction<D>,
    letter: &DeadLetter,
    decision: &Decision,
) -> Result<Carried> {
    let Some(record) = letter.record() else { return Ok(Carried::Out(None)) };
    let serials: [Serial; 1] = [record.first_serial];
    let id = record.coupon_id.clone();
    if !write_in::<D>(transaction, &[record]).await?.contested.is_empty() {
        return Ok(Carried::refused("another ticket has its serial or its claim"));
    }
    let Decision { who, decided_at, .. } = decision;
    match cancel_in::<D>(transaction, &id, &serials, *who, *decided_at).await? {
        Cancelled::Busy(act) => Ok(Carried::Not(Decided::Busy(act))),
        Cancelled::Done { unknown, .. } if !unknown.is_empty() => {
            Ok(Carried::refused("its coupon does not exist, or is a draft"))
        }
        Cancelled::Archived => Ok(Carried::refused("its coupon is archived")),
        Cancelled::Done { act, .. } => Ok(Carried::Out(act)),
    }
}

async fn lock<D: Dialect>(
    transaction: &mut Transaction<D>,
    id: &str,
) -> Result<Option<DeadLetter>> {
    let lock = D::FOR_UPDATE;
    let sql = format!("SELECT {LETTER_COLUMNS} FROM dead_letters WHERE id = $1{lock}");
    let statement = Statement::new(sql).bind(id);
    let rows: Vec<StoredLetter> = D::read_in(transaction, &statement).await?;
    rows.into_iter().next().map(DeadLetter::try_from).transpose()
}

async fn mark<D: Dialect>(
    transaction: &mut Transaction<D>,
    id: &str,
    decision: &Decision,
) -> Result<()> {
    let statement = Statement::new(
        "UPDATE dead_letters
         SET decision = $2, decided_because = $3, decided_by = $4, decided_at_ms = $5
         WHERE id = $1",
    )
    .bind(id)
    .bind(decision.decision.word())
    .bind(decision.because.as_deref())
    .bind(decision.who.word())
    .bind(decision.decided_at.0);
    D::write_in(transaction, &statement).await.map(|_| ())
}
