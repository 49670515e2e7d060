//! Contested tickets by their rows: also those that no running persister has seen.

use futures_util::stream::{self, StreamExt as _};

use crate::domain::limits::PAGE_DEFAULT_ROWS;
use crate::store::{self, Store};

/// How many coupons are counted at once: a distant database takes its time for each.
const COUNTS_AT_ONCE: usize = 4;

/// A sentence about contested tickets, if there are any; counted coupon by coupon.
///
/// # Errors
/// Those of any call to the database.
pub(super) async fn sentence(store: &dyn Store) -> store::Result<Option<String>> {
    let (mut tickets, mut first, mut after) = (0, None, None);
    loop {
        let page = store.list_coupons(after.as_ref(), PAGE_DEFAULT_ROWS).await?;
        let ids: Vec<_> = page.into_iter().map(|coupon| coupon.definition.id).collect();
        let Some(last) = ids.last() else { break };
        after = Some(last.clone());
        let counts = ids.iter().map(|id| store.contested(id));
        let mut counts = stream::iter(counts).buffered(COUNTS_AT_ONCE).zip(stream::iter(&ids));
        while let Some((count, id)) = counts.next().await {
            let count = count?;
            tickets += count;
            if count > 0 && first.is_none() {
                first = Some(id.clone());
            }
        }
    }
    let are = if tickets == 1 { "ticket is" } else { "tickets are" };
    Ok(first.map(|first| {
        format!(
            "{tickets} {are} contested: the row of another ticket exists instead; the \
             first one is of coupon {first}"
        )
    }))
}
