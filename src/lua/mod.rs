//! The scripts of `lua/`. Each is one atomic transition; the arguments and replies of its header
//! are types here. An unknown reply is an error.

pub mod acknowledge;
pub mod archive;
pub mod audit;
pub mod dry_run;
pub mod heartbeat;
pub mod holders_page;
pub mod issue;
mod parts;
pub mod preload;
pub mod recover;
pub mod refill;
pub mod release;
pub mod reopen;
pub mod restock;
pub mod restore;
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

/// The arguments that the scripts of all acts have in common.
#[derive(Debug, Clone, Copy)]
pub struct ActArgs<'a> {
    /// The generation and the epoch in which the script may write.
    pub accepted: &'a Accepted,
    pub coupon_id: &'a CouponId,
    pub act_no: u64,
    /// Distinguishes it from another act with the same number (`Act::token`).
    pub token: &'a str,
}

/// The replies of the script of an act. All acts have these words in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActReply {
    /// `applied` or `refused`; the same result again when the act is repeated.
    Decided(ActResult),
    /// Redis has a different act of this number; nothing was written.
    Diverged(u64),
    /// The last act of the coupon has this number, so the act is not the next one.
    OutOfOrder(u64),
    /// The coupon waits for its recovery, or Redis lost a part of it.
    Recovering,
    /// Redis has another generation than the proven one; nothing was written.
    OtherGeneration,
    /// The coupon has this other epoch; nothing was written.
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

/// Begins the call of an act's script with the common arguments: generation, epoch, act number,
/// token.
fn act_call(script: &Script, redis: &Redis, args: &ActArgs<'_>) -> Cmd {
    let mut call = script.call(&redis.keys().of_act(args.coupon_id));
    call.arg(&args.accepted.replid).arg(args.accepted.epoch);
    call.arg(args.act_no).arg(args.token);
    call
}

/// Runs an act's script on a pooled connection.
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

/// An optional number of milliseconds as a script argument: empty when there is none.
fn ms_or_empty(ms: Option<i64>) -> String {
    ms.map(|ms| ms.to_string()).unwrap_or_default()
}
