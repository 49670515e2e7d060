//! Checks whether the database accepts rows: inserts a ticket and rolls back, unless real tickets
//! were committed in the last 5 s.

use std::time::SystemTime;

use super::dialect::{Dialect, Statement, Transaction};
use super::error::Result;

/// The ticket belongs to no coupon: every real one has an id, and this one's is empty.
const INSERT: &str = "INSERT INTO tickets
     (coupon_id, serial, epoch, user_id, claim, issued_at_ms, source)
     VALUES ('', $1, 1, $2, 1, 0, 'rehearsal')";

/// Rehearses, unless tickets were committed lately. This is no `async fn`, because the compiler
/// could then not prove that its future is `Send`.
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

/// Rehearses in this transaction, and ends it.
pub(super) async fn insert_and_take_back<D: Dialect>(
    mut transaction: Transaction<D>,
) -> Result<()> {
    let serial = serial();
    let user_id = serial.to_string();
    let statement = Statement::new(INSERT).bind(serial).bind(user_id.as_str());
    D::write_in(&mut transaction, &statement).await?;
    Ok(transaction.rollback().await?)
}

/// A serial that no other server uses for its rehearsal at this moment, so that none waits for
/// another.
fn serial() -> i64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    1 + i64::from(now.subsec_nanos()) + i64::from(std::process::id()) % 1_000 * 1_000_000_000
}
