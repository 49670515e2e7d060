//! `lua/restore.lua`.

use std::sync::LazyLock;

use super::parts::{ACT, GENERATION, STOCK, TERMS};
use super::{ActArgs, ActReply, run_act, script};
use crate::domain::record::{SOURCE_ISSUE, VERSION};
use crate::domain::ticket::Ticket;
use crate::domain::user::{Claim, holder_field};
use crate::redis::holders::HeldTicket;
use crate::redis::script::Script;
use crate::redis::{Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    script("restore", &[GENERATION, TERMS, STOCK, ACT], include_str!("../../lua/restore.lua"))
});

/// What to restore.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    pub act: ActArgs<'a>,
    pub ticket: &'a Ticket,
}

/// The replies of every act; a refusal is `not_restored`.
pub type Reply = ActReply;

/// Gives a user a lost ticket again (I1, I2, I3, I10).
///
/// # Errors
/// Those of any call. Repeating the same act is harmless.
pub async fn restore(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let Args { act, ticket } = args;
    let Ticket { coupon_id, epoch, serial, user_id, claim, issued_at } = ticket;
    let held =
        HeldTicket { serial: *serial, issued_at: *issued_at, epoch: *epoch, is_cancelled: false };
    // The record says what the first one said: another source would be another ticket.
    let claims = if *claim == Claim::FIRST { String::new() } else { claim.number().to_string() };
    let record = format!(
        "{VERSION} {coupon_id} {epoch} {serial} {} {SOURCE_ISSUE}\n{claims}\n{user_id}",
        issued_at.0
    );
    let mut call = SCRIPT.call(&redis.keys().of_coupon(act.coupon_id));
    call.arg(&act.accepted.replid).arg(act.accepted.epoch).arg(act.act_no).arg(act.token);
    call.arg(holder_field(user_id, *claim)).arg(held.to_string()).arg(record);
    run_act(redis, &SCRIPT, &call).await
}
