//! Whether the database takes rows: a ticket is inserted and taken back, unless real ones were
//! committed lately.

use std::time::SystemTime;

use super::dialect::{Dialect, Statement, Transaction};
use super::error::Result;

/// The ticket that is inserted: of no coupon, because every real one has an id.
const INSERT: &str = "INSERT INTO tickets
     (coupon_id, serial, epoch, user_id, claim, issued_at_ms, source)
     VALUES ('', $1, 1, $2, 1, 0, 'rehearsal')";

/// Rehearses, unless tickets were committed lately. Of an `async fn` the compiler could not prove
/// here that its future is `Send`.
pub(super) fn rehearse<D: Dialect>(database: &D) -> impl Future<Output = Result<()>> + Send {
    let is_due = !database.last_commit().is_recent();
    async move {
        match is_due {
            true => database.call(|| rehearse_once(database)).await,
            false => Ok(()),
        }
    }
}

async fn rehearse_once<D: Dialect>(database: &D) -> Result<()> {
    insert_and_take_back::<D>(database.begin_rehearsal().await?).await
}

/// Rehearses in this transaction, which ends with it.
pub(super) async fn insert_and_take_back<D: Dialect>(
    mut transaction: Transaction<D>,
) -> Result<()> {
    let serial = serial();
    let user_id = serial.to_string();
    let statement = Statement::new(INSERT).bind(serial).bind(user_id.as_str());
    D::write_in(&mut transaction, &statement).await?;
    Ok(transaction.rollback().await?)
}

/// A serial that no other server rehearses with at this moment: nobody waits for the other.
fn serial() -> i64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    1 + i64::from(now.subsec_nanos()) + i64::from(std::process::id()) % 1_000 * 1_000_000_000
}
