//! `lua/issue.lua`.

use std::sync::LazyLock;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, Value};

use super::parts::{GENERATION, STOCK};
use super::{number, script, text};
use crate::domain::coupon::CouponId;
use crate::domain::ticket::Serial;
use crate::domain::time::{UnixMs, ValidFor};
use crate::domain::user::{Claim, UserId};
use crate::redis::generation::Accepted;
use crate::redis::holders::HeldTicket;
use crate::redis::keys::Keys;
use crate::redis::script::Script;
use crate::redis::terms::Terms;
use crate::redis::{Error, Result};

pub(super) static SCRIPT: LazyLock<Script> =
    LazyLock::new(|| script("issue", &[GENERATION, STOCK], include_str!("../../lua/issue.lua")));

/// Who asks for which coupon.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// The generation and the epoch in which the script may write.
    pub accepted: &'a Accepted,
    /// No ticket is issued beyond this many unpersisted tickets of the shard.
    pub backlog_max_tickets: u64,
    /// What issues the tickets, as one word.
    pub source: &'a str,
    /// The ids of the code keys that the caller has, separated by commas.
    pub key_ids: &'a str,
    pub coupon_id: &'a CouponId,
    /// 1..=512 users with their claims.
    pub group: &'a [(UserId, Claim)],
}

/// What the script replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An answer to every user.
    Answered(Answered),
    /// The coupon waits for its recovery, Redis lost a part of it, or the caller lacks its key.
    Recovering,
    /// Redis has another generation than the proven one; nothing was written.
    OtherGeneration,
    /// The coupon has this other epoch; nothing was written.
    StaleEpoch(u32),
    /// Redis does not have the coupon.
    Unknown,
}

/// The answers of one call, and the data that they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub epoch: u32,
    pub version: u64,
    /// Only acts that change the stock raise it. So while it stays the same, a sold-out coupon gets
    /// no new holders.
    pub stock_version: u64,
    /// How long a refusal may be repeated from memory (P1 step 4).
    pub lease_ms: u64,
    /// The key that the coupon's codes and receipts are made with.
    pub key_id: String,
    pub valid_for: Option<ValidFor>,
    pub opens_at: Option<UnixMs>,
    pub total: u64,
    pub per_user_limit: u8,
    /// Whether no ticket of the coupon was issued before this call.
    pub is_untouched: bool,
    /// The time of Redis.
    pub now: UnixMs,
    /// One answer per user, in the order of the arguments.
    pub answers: Vec<Answer>,
}

impl Answered {
    /// When the coupon opens, and in how many milliseconds by the clock of Redis; for
    /// [`Answer::NotOpen`].
    pub fn opening(&self) -> (UnixMs, u64) {
        let opens_at = self.opens_at.unwrap_or(self.now);
        (opens_at, opens_at.0.saturating_sub(self.now.0).max(0).unsigned_abs())
    }
}

/// The answer to one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A new ticket.
    Issued(HeldTicket),
    /// The ticket that the user got before.
    Replayed(HeldTicket),
    /// The user's ticket was cancelled; its claim cannot be used again.
    Cancelled(HeldTicket),
    SoldOut,
    /// The window is not open yet.
    NotOpen,
    /// The window is over, or the coupon was closed.
    Closed,
    /// Issuing is interrupted.
    Paused,
    /// The claim is above the limit per user.
    Limit,
    /// Too many tickets wait for the database.
    BacklogFull,
}

/// Issues tickets to a group, over this connection.
///
/// # Errors
/// [`Error::Refused`]: nothing happened. Everything else: the outcome is unknown.
pub async fn issue(
    connection: &mut MultiplexedConnection,
    keys: &Keys,
    args: &Args<'_>,
) -> Result<Reply> {
    let call = call(keys, args);
    let reply = SCRIPT.run(connection, &call).await?;
    parse(&reply, args.group.len()).ok_or(Error::Malformed("issue"))
}

fn call(keys: &Keys, args: &Args<'_>) -> Cmd {
    let mut call = SCRIPT.call(&keys.of_coupon(args.coupon_id));
    call.arg(&args.accepted.replid)
        .arg(args.accepted.epoch)
        .arg(args.backlog_max_tickets)
        .arg(args.source)
        .arg(args.key_ids);
    if args.group.iter().all(|(_, claim)| *claim == Claim::FIRST) {
        call.arg("");
    } else {
        let claims: Vec<String> =
            args.group.iter().map(|(_, claim)| claim.number().to_string()).collect();
        call.arg(claims.join(","));
    }
    for (user_id, _) in args.group {
        call.arg(user_id.as_str());
    }
    call
}

fn parse(reply: &Value, users: usize) -> Option<Reply> {
    let parts = match reply {
        Value::Array(parts) if parts.len() == 5 => parts,
        word => return refusal(text(word)?),
    };
    let words = text(&parts[0])?;
    let count = |position: usize| number(&parts[position]).map(i64::unsigned_abs);
    let first_serial = count(2)?;
    let now = UnixMs(number(&parts[3])?);
    let terms = Terms::parse(text(&parts[4])?)?;
    let epoch = terms.epoch;
    let mut next_serial = first_serial;
    let lines = words.split('\n').count();
    (lines == users || lines == 1).then_some(())?;
    let mut answers = Vec::with_capacity(users);
    for line in words.split('\n').cycle().take(users) {
        let held =
            HeldTicket { serial: Serial(next_serial), issued_at: now, epoch, is_cancelled: false };
        let answer = answer(line, held)?;
        next_serial += u64::from(matches!(answer, Answer::Issued(_)));
        answers.push(answer);
    }
    Some(Reply::Answered(Answered {
        epoch,
        version: terms.version,
        stock_version: terms.stock_version,
        lease_ms: count(1)?,
        key_id: terms.key_id.to_owned(),
        valid_for: terms.valid_for_ms.and_then(ValidFor::from_ms),
        opens_at: terms.opens_at,
        total: terms.total,
        per_user_limit: terms.per_user_limit,
        is_untouched: first_serial == 1,
        now,
        answers,
    }))
}

/// The reply to a call that was refused as a whole; `None` for other words.
fn refusal(words: &str) -> Option<Reply> {
    match words.split_once(' ').unwrap_or((words, "")) {
        ("recovering", "") => Some(Reply::Recovering),
        ("other_generation", "") => Some(Reply::OtherGeneration),
        ("unknown", "") => Some(Reply::Unknown),
        ("stale_epoch", epoch) => Some(Reply::StaleEpoch(epoch.parse().ok()?)),
        _ => None,
    }
}

fn answer(line: &str, next: HeldTicket) -> Option<Answer> {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("issued", "") => Some(Answer::Issued(next)),
        ("replayed", held) => Some(Answer::Replayed(HeldTicket::parse(held)?)),
        ("cancelled", held) => Some(Answer::Cancelled(HeldTicket::parse(held)?)),
        ("sold_out", "") => Some(Answer::SoldOut),
        ("not_open", "") => Some(Answer::NotOpen),
        ("closed", "") => Some(Answer::Closed),
        ("paused", "") => Some(Answer::Paused),
        ("limit", "") => Some(Answer::Limit),
        ("backlog_full", "") => Some(Answer::BacklogFull),
        _ => None,
    }
}
