//! The form of an act in the log of its coupon, over HTTP and on the command line.

use serde::Serialize;

use super::refusal::Refusal;
use crate::domain::act::{Act, ActResult, Applied, Change, LoggedAct, state_word};
use crate::domain::ticket::Serial;
use crate::domain::time::UnixMs;
use crate::domain::who::Who;

/// A page of a coupon's acts.
#[derive(Serialize)]
pub struct ActPage {
    /// In the order of their numbers.
    pub acts: Vec<ActBody>,
    /// Where the next page begins; `None` after the last one.
    pub next_cursor: Option<String>,
}

/// One act.
#[derive(Serialize)]
pub struct ActBody {
    act_no: u64,
    kind: &'static str,
    who: Who,
    change: ChangeBody,
    /// `intended`, `applied` or `refused`.
    state: &'static str,
    intended_at: UnixMs,
    recorded_at: Option<UnixMs>,
    #[serde(flatten)]
    result: ResultBody,
}

/// The change that it asked for.
#[derive(Serialize)]
#[serde(untagged)]
enum ChangeBody {
    Restock { delta: i64 },
    Window { opens_at: Option<UnixMs>, closes_at: Option<UnixMs>, per_user_limit: u8 },
    Return { serials: Vec<Serial> },
    Restore { serial: u64, user_id: String, claim: u8 },
    OfState {},
}

/// Its result.
#[derive(Serialize)]
#[serde(untagged)]
enum ResultBody {
    Applied(Applied),
    Refused { reason: &'static str, detail: String },
    Unknown {},
}

impl ActBody {
    pub fn of(logged: &LoggedAct) -> Self {
        let LoggedAct { act, recorded_at } = logged;
        Self {
            act_no: act.act_no,
            kind: act.change.word(),
            who: act.who,
            change: ChangeBody::of(act),
            state: state_word(act.result.as_ref()),
            intended_at: act.intended_at,
            recorded_at: *recorded_at,
            result: match &act.result {
                None => ResultBody::Unknown {},
                Some(ActResult::Applied(applied)) => ResultBody::Applied(*applied),
                Some(ActResult::Refused(refusal)) => ResultBody::Refused {
                    reason: refusal.word(),
                    detail: Refusal::from(*refusal).to_string(),
                },
            },
        }
    }
}

impl ChangeBody {
    fn of(act: &Act) -> Self {
        match &act.change {
            Change::Restock { delta } => Self::Restock { delta: *delta },
            Change::Window { opens_at_ms, closes_at_ms, per_user_limit } => Self::Window {
                opens_at: opens_at_ms.map(UnixMs),
                closes_at: closes_at_ms.map(UnixMs),
                per_user_limit: *per_user_limit,
            },
            Change::Return { returns } => {
                Self::Return { serials: returns.iter().map(|one| one.serial()).collect() }
            }
            Change::Restore { serial, user_id, claim, .. } => {
                Self::Restore { serial: *serial, user_id: user_id.clone(), claim: *claim }
            }
            Change::Preload | Change::Pause | Change::Resume | Change::Close | Change::Release => {
                Self::OfState {}
            }
        }
    }
}
