//! An act: a change by an admin. Its row says that it is intended, a script applies it, and its
//! result is recorded in the row (P9).

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::act_refusal::ActRefusal;
use super::coupon::CouponId;
use super::idempotency_key::IdempotencyKey;
use super::ticket::Serial;
use super::time::UnixMs;
use super::who::Who;

/// One ticket whose stock is returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    pub serial: u64,
    /// The ticket's field in the holders hash.
    pub holder: String,
}

impl Return {
    /// The serial as its type.
    pub fn serial(&self) -> Serial {
        Serial(self.serial)
    }
}

/// What an act changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// Put the coupon into Redis; always act 1.
    Preload,
    /// Add stock or take it away, but never tickets that are out.
    Restock {
        /// Tickets to add; negative to take away.
        delta: i64,
    },
    /// Move the window, or the limit per user.
    Window {
        /// `None`: open at once.
        opens_at_ms: Option<i64>,
        /// `None`: open until an admin closes it.
        closes_at_ms: Option<i64>,
        /// 1..=100. Users keep tickets that they have above a new, lower limit.
        per_user_limit: u8,
    },
    /// Interrupt issuing.
    Pause,
    /// Continue issuing.
    Resume,
    /// End issuing; this cannot be undone.
    Close,
    /// Release the stock that a recovery withheld.
    Release,
    /// Give a user a lost ticket again, from the withheld stock.
    Restore { epoch: u32, serial: u64, user_id: String, claim: u8, issued_at_ms: i64 },
    /// Return the stock of cancelled tickets, at most 500.
    Return { returns: Vec<Return> },
}

impl Change {
    /// The word in the row.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Preload => "preload",
            Self::Restock { .. } => "restock",
            Self::Window { .. } => "window",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Close => "close",
            Self::Release => "release",
            Self::Restore { .. } => "restore",
            Self::Return { .. } => "return",
        }
    }

    /// How many tickets of stock it adds, negative when it takes them away; `None` for a change of
    /// something else.
    pub fn delta(&self) -> Option<i64> {
        match self {
            Self::Restock { delta } => Some(*delta),
            Self::Return { returns } => i64::try_from(returns.len()).ok(),
            _ => None,
        }
    }

    /// The arguments as strings without zero bytes.
    fn arguments(&self) -> Vec<String> {
        let ms_or_none =
            |ms: &Option<i64>| ms.map_or_else(|| "none".to_owned(), |ms| ms.to_string());
        match self {
            Self::Preload | Self::Pause | Self::Resume | Self::Close | Self::Release => Vec::new(),
            Self::Restock { delta } => vec![delta.to_string()],
            Self::Window { opens_at_ms, closes_at_ms, per_user_limit } => {
                vec![ms_or_none(opens_at_ms), ms_or_none(closes_at_ms), per_user_limit.to_string()]
            }
            Self::Restore { epoch, serial, user_id, claim, issued_at_ms } => vec![
                epoch.to_string(),
                serial.to_string(),
                user_id.clone(),
                claim.to_string(),
                issued_at_ms.to_string(),
            ],
            Self::Return { returns } => {
                let one = |one: &Return| [one.serial.to_string(), one.holder.clone()];
                returns.iter().flat_map(one).collect()
            }
        }
    }
}

/// An act as it is given to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAct {
    pub coupon_id: CouponId,
    pub change: Change,
    /// The `Idempotency-Key` of the request, if it had one.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The version that the caller saw (`If-Match`), if the request named one.
    pub if_version: Option<u64>,
    pub who: Who,
    /// When it was requested, by the clock of the server.
    pub at: UnixMs,
}

/// An act as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub coupon_id: CouponId,
    /// 1, 2, 3 … per coupon.
    pub act_no: u64,
    pub change: Change,
    pub who: Who,
    /// When its row was written, by the clock of the server that wrote it.
    pub intended_at: UnixMs,
    /// `None` while it is only intended.
    pub result: Option<ActResult>,
}

/// An act as the log of its coupon shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedAct {
    pub act: Act,
    /// When its result was recorded, by the clock of the database; `None` while it is only
    /// intended.
    pub recorded_at: Option<UnixMs>,
}

impl Act {
    /// Distinguishes this act from another act with the same number: 16 hexadecimal digits of a
    /// SHA-256 over everything that its row says of the intention, so that every process computes
    /// the same token. Redis keeps it beside the number. A database that lost acts assigns their
    /// numbers again, so an equal number alone does not mean the same act.
    pub fn token(&self) -> String {
        let mut hash = Sha256::new();
        let act_no = self.act_no.to_string();
        let intended_at_ms = self.intended_at.0.to_string();
        for part in [self.coupon_id.as_str(), &act_no, self.change.word(), &intended_at_ms] {
            hash.update(part);
            hash.update([0]);
        }
        for part in self.change.arguments() {
            hash.update(part);
            hash.update([0]);
        }
        HEXLOWER.encode(&hash.finalize()[..8])
    }
}

/// The result of an act. It is stored in the coupon's hash and in the act's row, so that repeating
/// the act is harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActResult {
    /// It is in force.
    Applied(Applied),
    /// It was refused; only the number of the coupon's last act changed.
    Refused(ActRefusal),
}

/// The coupon after an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Applied {
    pub version: u64,
    /// All tickets of the coupon, issued or not.
    pub total: u64,
    /// Its stock, including stock under an embargo.
    pub remaining: u64,
}

impl fmt::Display for ActResult {
    /// The words that the scripts store: `applied <version> <total> <remaining>` or `refused
    /// <reason>`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied(Applied { version, total, remaining }) => {
                write!(out, "applied {version} {total} {remaining}")
            }
            Self::Refused(reason) => write!(out, "refused {reason}"),
        }
    }
}

/// The state of an act with this result.
pub fn state_word(result: Option<&ActResult>) -> &'static str {
    match result {
        None => "intended",
        Some(ActResult::Applied(_)) => "applied",
        Some(ActResult::Refused(_)) => "refused",
    }
}

impl ActResult {
    /// Reads the words that a script stored.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["applied", version, total, remaining] => Some(Self::Applied(Applied {
                version: version.parse().ok()?,
                total: total.parse().ok()?,
                remaining: remaining.parse().ok()?,
            })),
            ["refused", reason @ ..] => ActRefusal::parse(reason).map(Self::Refused),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_result_survives_being_stored_by_a_script() {
        for text in ["applied 3 1000 500", "refused below_issued 512", "refused superseded"] {
            assert_eq!(ActResult::parse(text).unwrap().to_string(), text);
        }
        for text in ["applied 3", "refused", "refused below_issued", "refused lost"] {
            assert_eq!(ActResult::parse(text), None, "{text}");
        }
    }

    #[test]
    fn acts_that_differ_in_anything_have_different_tokens_and_the_same_act_has_one() {
        let act = Act {
            coupon_id: CouponId::parse("summer").unwrap(),
            act_no: 2,
            change: Change::Restock { delta: 5 },
            who: Who::Admin,
            intended_at: UnixMs(1_700_000_000_000),
            result: None,
        };
        let returns = |serial, holder: &str| Change::Return {
            returns: vec![Return { serial, holder: holder.to_owned() }],
        };
        let restore = |serial| Change::Restore {
            epoch: 1,
            serial,
            user_id: "ada".to_owned(),
            claim: 1,
            issued_at_ms: 7,
        };
        let window = |opens_at_ms, closes_at_ms| Change::Window {
            opens_at_ms,
            closes_at_ms,
            per_user_limit: 1,
        };
        let changes = [
            Change::Restock { delta: -5 },
            Change::Pause,
            Change::Resume,
            Change::Close,
            Change::Release,
            restore(1),
            restore(2),
            Change::Preload,
            window(Some(1), None),
            window(None, Some(1)),
            returns(1, "2"),
            returns(12, ""),
        ];
        let mut acts: Vec<Act> =
            changes.into_iter().map(|change| Act { change, ..act.clone() }).collect();
        acts.push(Act { coupon_id: CouponId::parse("winter").unwrap(), ..act.clone() });
        acts.push(Act { act_no: 3, ..act.clone() });
        acts.push(Act { intended_at: UnixMs(1_700_000_000_001), ..act.clone() });
        acts.push(act.clone());
        let tokens: HashSet<String> = acts.iter().map(Act::token).collect();
        assert_eq!(tokens.len(), acts.len());
        assert!(tokens.iter().all(|token| token.len() == 16));
        let result = ActResult::parse("refused below_issued 5");
        assert_eq!(Act { result, ..act.clone() }.token(), act.token(), "recorded or not");
    }
}
