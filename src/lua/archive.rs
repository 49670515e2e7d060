//! `lua/archive.lua`.

use std::sync::LazyLock;

use ::redis::Value;

use super::parts::GENERATION;
use super::{script, text};
use crate::domain::coupon::CouponId;
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> =
    LazyLock::new(|| script("archive", &[GENERATION], include_str!("../../lua/archive.lua")));

/// Which coupon leaves.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// `master_replid` of the accepted generation.
    pub replid: &'a str,
    pub coupon_id: &'a CouponId,
}

/// What the script replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Redis has no keys of the coupon.
    Left,
    /// Redis has another generation; nothing was written.
    OtherGeneration,
}

/// Deletes the keys of a coupon whose row says `archived`.
///
/// # Errors
/// Those of any call. Repeating it is harmless.
pub async fn archive(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let mut call = SCRIPT.call(&redis.keys().of_act(args.coupon_id));
    call.arg(args.replid);
    let mut connection = redis.pooled().await?;
    let Value::Array(reply) = SCRIPT.run(&mut connection, &call).await? else {
        return Err(Error::Malformed("archive"));
    };
    match reply.first().and_then(text) {
        Some("left") => Ok(Reply::Left),
        Some("other_generation") => Ok(Reply::OtherGeneration),
        _ => Err(Error::Malformed("archive")),
    }
}
