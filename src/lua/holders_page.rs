//! `lua/holders_page.lua`.

use std::sync::LazyLock;

use ::redis::Value;

use super::parts::{GENERATION, STOCK, TERMS};
use super::{number, script, text};
use crate::domain::coupon::CouponId;
use crate::redis::generation::Accepted;
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    script("holders_page", &[GENERATION, TERMS, STOCK], include_str!("../../lua/holders_page.lua"))
});

/// Which page of the holders of which coupon.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// The generation in which the verdict was given.
    pub accepted: &'a Accepted,
    /// The sold-out coupon.
    pub coupon_id: &'a CouponId,
    /// The epoch of the verdict.
    pub epoch: u32,
    /// The stock version of the verdict.
    pub stock_version: u64,
    /// Where the last page ended; `"0"` at the beginning.
    pub cursor: &'a str,
}

/// What the script replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Some of the holders. A later page may contain some of them again.
    Page(Page),
    /// There may be new holders since the verdict, or there soon can be.
    Stale,
}

/// A page of holders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where the next page begins; `"0"` when this one is the last.
    pub next_cursor: String,
    /// Number of fields in the whole hash.
    pub holders: usize,
    /// Fields of this page: a user, or a user, a line feed and the claim.
    pub fields: Vec<String>,
}

/// Reads a page of a coupon's holders.
///
/// # Errors
/// Those of any call.
pub async fn holders_page(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let keys = redis.keys();
    let mut call = SCRIPT.call(&keys.of_act(args.coupon_id));
    call.arg(&args.accepted.replid).arg(args.epoch).arg(args.stock_version).arg(args.cursor);
    let mut connection = redis.pooled().await?;
    let reply = SCRIPT.run(&mut connection, &call).await?;
    parse(&reply).ok_or(Error::Malformed("holders_page"))
}

fn parse(reply: &Value) -> Option<Reply> {
    let Value::Array(parts) = reply else { return None };
    match (text(parts.first()?)?, &parts[1..]) {
        ("stale", []) => Some(Reply::Stale),
        ("page", [next_cursor, holders, Value::Array(fields)]) => Some(Reply::Page(Page {
            next_cursor: text(next_cursor)?.to_owned(),
            holders: usize::try_from(number(holders)?).ok()?,
            fields: fields
                .iter()
                .map(|field| text(field).map(str::to_owned))
                .collect::<Option<_>>()?,
        })),
        _ => None,
    }
}
