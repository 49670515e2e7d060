//! The scripts of `lua/`: one atomic transition each, with the arguments and replies of its header
//! as types. An unknown reply is an error, never a guess.

pub mod acknowledge;
pub mod audit;
pub mod dry_run;
pub mod heartbeat;
pub mod holders_page;
pub mod issue;
mod parts;
pub mod preload;
pub mod restock;
pub mod retire;
pub mod r#return;
pub mod state;
pub mod take_over;
pub mod turn;
pub mod window;

use ::redis::{Cmd, Value};

use crate::domain::act::ActResult;
use crate::domain::coupon::CouponId;
use crate::redis::generation::Accepted;
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result, text};
use parts::{Part, joined};

/// What every act's script is told besides its change.
#[derive(Debug, Clone, Copy)]
pub struct ActArgs<'a> {
    /// The generation and the epoch that it may write in.
    pub accepted: &'a Accepted,
    pub coupon_id: &'a CouponId,
    pub act_no: u64,
    /// Its token: what tells it from another act with this number (`Act::token`).
    pub token: &'a str,
}

/// What an act's script replies. All acts share these words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActReply {
    /// `applied` or `refused`; the same words again when the act is repeated.
    Decided(ActResult),
    /// The coupon's act of this number is another one; nothing was written.
    Diverged(u64),
    /// The coupon's last act is this one, so this number cannot be the next.
    OutOfOrder(u64),
    /// The coupon waits for its recovery.
    Recovering,
    /// Redis lives another life than the one that was proven; nothing was written.
    OtherGeneration,
    /// The coupon is in this epoch; nothing was written.
    StaleEpoch(u32),
    /// Redis does not have the coupon.
    Unknown,
}

impl ActReply {
    fn parse(text: &str) -> Option<Self> {
        if let Some(result) = ActResult::parse(text) {
            return Some(Self::Decided(result));
        }
        match text.split_once(' ').unwrap_or((text, "")) {
            ("diverged", act_no) => Some(Self::Diverged(act_no.parse().ok()?)),
            ("out_of_order", act_no) => Some(Self::OutOfOrder(act_no.parse().ok()?)),
            ("stale_epoch", epoch) => Some(Self::StaleEpoch(epoch.parse().ok()?)),
            ("recovering", "") => Some(Self::Recovering),
            ("other_generation", "") => Some(Self::OtherGeneration),
            ("unknown", "") => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// The script of this name with its parts in front of it.
fn script(name: &'static str, parts: &[Part], text: &str) -> Script {
    Script::new(name, joined(parts, text))
}

/// Begins the call of an act's script: generation, epoch, act number, token.
fn act_call(script: &Script, redis: &Redis, args: &ActArgs<'_>) -> Cmd {
    let mut call = script.call(&redis.keys().of_act(args.coupon_id));
    call.arg(&args.accepted.replid).arg(args.accepted.epoch);
    call.arg(args.act_no).arg(args.token);
    call
}

/// Runs an act's script over the pool.
async fn run_act(redis: &Redis, script: &Script, call: &Cmd) -> Result<ActReply> {
    let mut connection = redis.pooled().await?;
    let reply = script.run(&mut connection, call).await?;
    text(&reply).and_then(ActReply::parse).ok_or(Error::Malformed("act reply"))
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        other => text(other)?.parse().ok(),
    }
}

/// An optional number of milliseconds as the scripts take it: empty when there is none.
fn ms_or_empty(ms: Option<i64>) -> String {
    ms.map(|ms| ms.to_string()).unwrap_or_default()
}
