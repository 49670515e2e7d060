//! Dead letters: shown, replayed, dropped (P5 step 9).

use std::time::Instant;

use serde::Serialize;

use super::act::Acts;
use super::refusal::Refusal;
use crate::domain::dead_letter::{DeadLetter, Decision, Verdict};
use crate::domain::limits::{GIVE_WAY, REASON_MAX_CHARS};
use crate::domain::ticket::TicketId;
use crate::domain::time::UnixMs;
use crate::domain::who::Who;
use crate::store::Decided;

/// Decides dead letters; cheap to clone.
#[derive(Clone)]
pub struct DeadLetters {
    acts: Acts,
}

impl DeadLetters {
    pub(super) fn new(acts: &Acts) -> Self {
        Self { acts: acts.clone() }
    }

    /// Dead letters in the order of their ids after this one (empty: from the beginning), with or
    /// without those that are decided.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(
        &self,
        after: &str,
        also_decided: bool,
        limit_rows: u32,
    ) -> Result<Vec<DeadLetter>, Refusal> {
        Ok(self.acts.store.list_dead_letters(after, also_decided, limit_rows).await?)
    }

    /// One dead letter.
    ///
    /// # Errors
    /// [`Refusal::DeadLetterNotFound`], and those of the database.
    pub async fn find(&self, id: &str) -> Result<DeadLetter, Refusal> {
        self.acts.store.find_dead_letter(id).await?.ok_or(Refusal::DeadLetterNotFound)
    }

    /// Inserts its tickets again. Replaying twice changes nothing.
    ///
    /// # Errors
    /// [`Refusal::StillRefused`], [`Refusal::AlreadyDecided`] and [`Refusal::DeadLetterNotFound`].
    pub async fn replay(&self, id: &str, who: Who) -> Result<DeadLetter, Refusal> {
        self.decide(id, Verdict::Replayed, None, who).await
    }

    /// Cancels its ticket and returns the stock, for this reason. Dropping twice changes nothing.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for the reason, [`Refusal::StillRefused`],
    /// [`Refusal::AlreadyDecided`], [`Refusal::DeadLetterNotFound`], and those of an act.
    pub async fn drop(&self, id: &str, reason: &str, who: Who) -> Result<DeadLetter, Refusal> {
        let fits = (1..=REASON_MAX_CHARS).contains(&reason.chars().count());
        if !fits || reason.chars().any(char::is_control) {
            let detail = format!("must be 1..={REASON_MAX_CHARS} characters on one line");
            return Err(Refusal::Invalid(vec![("/reason", detail)]));
        }
        self.decide(id, Verdict::Dropped, Some(reason.to_owned()), who).await
    }

    async fn decide(
        &self,
        id: &str,
        decision: Verdict,
        because: Option<String>,
        who: Who,
    ) -> Result<DeadLetter, Refusal> {
        let decision = Decision { decision, because, who, decided_at: (self.acts.now)() };
        if let Some(ticket_id) = self.find(id).await?.ticket_id {
            // As for a cancel: Redis could not apply the return of a diverged coupon.
            self.acts.diverged.check(&ticket_id.coupon_id).await?;
        }
        let since = Instant::now();
        while since.elapsed() < GIVE_WAY {
            match self.acts.store.decide_dead_letter(id, &decision).await? {
                Decided::Done { letter, act } => {
                    if let Some(act) = act {
                        self.acts.carry_out(&act).await?;
                    }
                    return Ok(letter);
                }
                Decided::Unknown => return Err(Refusal::DeadLetterNotFound),
                Decided::Otherwise(verdict) => return Err(Refusal::AlreadyDecided(verdict)),
                Decided::Refused(why) => return Err(Refusal::StillRefused(why)),
                Decided::Busy(other) => self.acts.give_way(&other).await?,
            }
        }
        Err(Refusal::ActInProgress)
    }
}

/// A page of dead letters.
#[derive(Serialize)]
pub struct DeadLetterPage {
    /// In the order of their ids.
    pub dead_letters: Vec<DeadLetterBody>,
    /// Where the next page begins; `None` after the last one.
    pub next_cursor: Option<String>,
}

/// The form of a dead letter over HTTP and on the command line.
#[derive(Serialize)]
pub struct DeadLetterBody {
    pub id: String,
    /// `None` for a whole record.
    pub ticket_id: Option<TicketId>,
    pub user_id: Option<String>,
    pub claim: Option<u8>,
    pub issued_at: Option<UnixMs>,
    pub class: String,
    pub reason: String,
    pub parked_at: UnixMs,
    /// The raw bytes as text; what is not UTF-8 is replaced.
    pub raw: String,
    /// The raw bytes.
    pub raw_base64: String,
    pub decision: Option<Verdict>,
    pub decided_because: Option<String>,
    pub decided_by: Option<Who>,
    pub decided_at: Option<UnixMs>,
}

impl DeadLetterBody {
    pub fn of(letter: &DeadLetter) -> Self {
        let ticket = letter.ticket();
        let decision = letter.decision.as_ref();
        Self {
            id: letter.id.clone(),
            ticket_id: letter.ticket_id.clone(),
            user_id: ticket.as_ref().map(|ticket| ticket.user_id.to_string()),
            claim: ticket.as_ref().map(|ticket| ticket.claim.number()),
            issued_at: ticket.as_ref().map(|ticket| ticket.issued_at),
            class: letter.class.clone(),
            reason: letter.reason.clone(),
            parked_at: letter.parked_at,
            raw: String::from_utf8_lossy(&letter.raw).into_owned(),
            raw_base64: data_encoding::BASE64.encode(&letter.raw),
            decision: decision.map(|decision| decision.decision),
            decided_because: decision.and_then(|decision| decision.because.clone()),
            decided_by: decision.map(|decision| decision.who),
            decided_at: decision.map(|decision| decision.decided_at),
        }
    }
}
