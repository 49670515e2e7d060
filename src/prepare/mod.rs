//! How an admin creates a coupon and changes it. Rows first, Redis second: every change is an act
//! with a number, intended in the database, applied by a script, recorded in the database (P9).

mod act;
mod act_body;
mod cancel;
mod dead_letters;
mod diverged;
mod first;
mod gathering;
mod refusal;
mod relay;
mod request;
mod restore;
mod restored;

use std::sync::Arc;

use crate::domain::act::{Applied, Change, LoggedAct};
use crate::domain::code::CodeKeys;
use crate::domain::coupon::{Coupon, CouponId, Definition, State};
use crate::domain::limits::TOTAL_MAX;
use crate::domain::ticket::TicketId;
use crate::domain::time::UnixMs;
use crate::domain::who::Who;
use crate::redis::Redis;
use crate::store::Store;
use crate::telemetry::health::Health;

use act::Acts;
pub use act_body::{ActBody, ActPage};
use cancel::Cancels;
pub use dead_letters::{DeadLetterBody, DeadLetterPage, DeadLetters};
pub use first::Stop;
use first::Stops;
pub use refusal::Refusal;
pub use relay::Relay;
pub use request::{Patch, Request};
pub use restore::ReceivedTicket;

/// Creates and changes coupons; cheap to clone.
#[derive(Clone)]
pub struct Preparer {
    store: Arc<dyn Store>,
    keys: Arc<CodeKeys>,
    now: fn() -> UnixMs,
    acts: Acts,
    stops: Stops,
    cancels: Cancels,
    /// Shows and decides dead letters.
    pub dead_letters: DeadLetters,
}

impl Preparer {
    pub fn new(
        redis: &Redis,
        store: Arc<dyn Store>,
        keys: Arc<CodeKeys>,
        now: fn() -> UnixMs,
    ) -> Self {
        let acts = Acts::new(redis.clone(), store.clone(), now);
        let (stops, cancels) = (Stops::new(&acts), Cancels::new(&acts));
        let dead_letters = DeadLetters::new(&acts);
        Self { store, keys, now, stops, cancels, dead_letters, acts }
    }

    /// Reports diverged coupons to this register.
    #[must_use]
    pub fn reporting_to(self, health: Health) -> Self {
        let acts = self.acts.reporting_to(health);
        let (stops, cancels) = (Stops::new(&acts), Cancels::new(&acts));
        Self { stops, cancels, dead_letters: DeadLetters::new(&acts), acts, ..self }
    }

    /// Creates a draft.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] or [`Refusal::Exists`]; nothing was changed.
    pub async fn create(&self, definition: Definition) -> Result<Coupon, Refusal> {
        check(&definition)?;
        let coupon = Coupon {
            shard: definition.id.shard(),
            definition,
            state: State::Draft,
            key_id: self.keys.newest().id().to_owned(),
            version: 0,
            act_no: 0,
            persisted: 0,
            created_at: (self.now)(),
        };
        match self.store.insert_coupon(&coupon).await? {
            true => Ok(coupon),
            false => Err(Refusal::Exists),
        }
    }

    ///
    /// # Errors
    /// [`Refusal::CouponNotFound`].
    pub async fn find(&self, id: &CouponId) -> Result<Coupon, Refusal> {
        self.store.find_coupon(id).await?.ok_or(Refusal::CouponNotFound)
    }

    /// Rows in the order of their ids, at most `limit_rows`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(
        &self,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<Coupon>, Refusal> {
        Ok(self.store.list_coupons(after, limit_rows).await?)
    }

    /// The coupon's acts after this number, in order, at most `limit_rows`.
    ///
    /// # Errors
    /// [`Refusal::CouponNotFound`], and those of the database.
    pub async fn acts(
        &self,
        id: &CouponId,
        after: u64,
        limit_rows: u32,
    ) -> Result<Vec<LoggedAct>, Refusal> {
        self.find(id).await?;
        Ok(self.store.list_acts(id, after, limit_rows).await?)
    }

    /// Deletes a draft.
    ///
    /// # Errors
    /// [`Refusal::CouponNotFound`] or [`Refusal::NotDraft`].
    pub async fn delete(&self, id: &CouponId) -> Result<(), Refusal> {
        if self.store.delete_draft(id).await? {
            return Ok(());
        }
        self.find(id).await?;
        Err(Refusal::NotDraft)
    }

    /// Changes any field of a draft. Of a live coupon it changes the name, and by an act the
    /// window and the limit per user (P9 step 5).
    ///
    /// # Errors
    /// [`Refusal::UseRestock`] for a live coupon's total or validity, [`Refusal::Invalid`],
    /// [`Refusal::VersionConflict`], and those of an act.
    pub async fn patch(
        &self,
        id: &CouponId,
        patch: &Patch,
        request: &Request,
    ) -> Result<Coupon, Refusal> {
        let coupon = self.find(id).await?;
        if let Some(version) = request.if_version.filter(|version| *version != coupon.version) {
            return Err(Refusal::VersionConflict { seen: version, current: coupon.version });
        }
        let definition = patched(&coupon.definition, patch);
        check(&definition)?;
        if definition == coupon.definition {
            return Ok(coupon);
        }
        if coupon.state == State::Draft {
            return match self.store.update_draft(&definition, coupon.version).await? {
                Some(updated) => Ok(updated),
                None => {
                    let current = self.find(id).await?.version;
                    Err(Refusal::VersionConflict { seen: coupon.version, current })
                }
            };
        }
        let before = &coupon.definition;
        if (definition.total, definition.valid_for) != (before.total, before.valid_for) {
            return Err(Refusal::UseRestock);
        }
        if (definition.window(), definition.per_user_limit)
            != (before.window(), before.per_user_limit)
        {
            let change = Change::Window {
                opens_at_ms: definition.opens_at.map(|at| at.0),
                closes_at_ms: definition.closes_at.map(|at| at.0),
                per_user_limit: definition.per_user_limit,
            };
            // The window was read at this version; a change of another version would lose an act
            // in between.
            let if_version = Some(request.if_version.unwrap_or(coupon.version));
            self.acts.act(id, change, &Request { if_version, ..request.clone() }).await?;
        }
        if definition.name != before.name {
            self.store.rename_coupon(id, &definition.name).await?;
        }
        self.find(id).await
    }

    /// Loads a draft into Redis with all its stock; a preloaded coupon stays as it is.
    ///
    /// # Errors
    /// Those of an act.
    pub async fn preload(&self, id: &CouponId, who: Who) -> Result<Coupon, Refusal> {
        // If Redis was never proven, it must be proven before the database has a coupon:
        // afterwards an empty Redis would look like lost data.
        self.acts.redis.generation().proven().map_err(Refusal::Unproven)?;
        self.acts.act(id, Change::Preload, &Request::by(who)).await?;
        self.find(id).await
    }

    /// Adds stock or removes it.
    ///
    /// # Errors
    /// [`Refusal::BelowIssued`], [`Refusal::TotalTooLarge`], and those of an act.
    pub async fn restock(
        &self,
        id: &CouponId,
        delta: i64,
        request: &Request,
    ) -> Result<Applied, Refusal> {
        if delta == 0 || delta.unsigned_abs() > TOTAL_MAX {
            let detail = format!("must be -{TOTAL_MAX}..={TOTAL_MAX} and not 0");
            return Err(Refusal::Invalid(vec![("/delta", detail)]));
        }
        self.acts.act(id, Change::Restock { delta }, request).await
    }

    /// Releases the stock that a recovery withheld; without any it changes nothing.
    ///
    /// # Errors
    /// Those of an act.
    pub async fn release(&self, id: &CouponId, request: &Request) -> Result<Applied, Refusal> {
        self.acts.act(id, Change::Release, request).await
    }

    /// Pauses, resumes or closes. A pause or close goes to Redis first when its row cannot be
    /// written within half a second, when Redis and the database have diverged, or when
    /// `redis_first` asks for it; its act is written afterwards (P9 step 7).
    ///
    /// # Errors
    /// [`Refusal::AlreadyClosed`], [`Refusal::Superseded`] and those of an act.
    pub async fn change_state(
        &self,
        id: &CouponId,
        change: Change,
        request: &Request,
        redis_first: bool,
    ) -> Result<Applied, Refusal> {
        self.stops.change_state(id, change, request, redis_first).await
    }

    /// Cancels a ticket; cancelling a cancelled one changes nothing (P9 step 4).
    ///
    /// # Errors
    /// [`Refusal::TicketNotFound`], [`Refusal::InProgress`] while there is no row yet, and those
    /// of an act.
    pub async fn cancel(&self, id: &TicketId, who: Who) -> Result<(), Refusal> {
        self.cancels.cancel(id, who).await
    }

    /// Gives a user a lost ticket again that the user shows, from the withheld stock.
    ///
    /// # Errors
    /// [`Refusal::TicketNotFound`] when its receipt does not prove it, [`Refusal::NotRestored`],
    /// and those of an act.
    pub async fn restore(&self, received: &ReceivedTicket, who: Who) -> Result<TicketId, Refusal> {
        restore::restore(&self.acts, &self.keys, received, who).await
    }

    /// Checks every coupon once for acts that the database lost; they are reported in the relay's
    /// words. It writes nothing, and finishes nothing.
    ///
    /// # Errors
    /// When Redis or the database is away. Faults of a single coupon are reported elsewhere.
    pub async fn look_for_diverged(&self) -> Result<(), Refusal> {
        self.acts.diverged.look_at_all().await
    }
}

fn check(definition: &Definition) -> Result<(), Refusal> {
    let faults = definition.faults();
    if faults.is_empty() { Ok(()) } else { Err(Refusal::Invalid(faults)) }
}

fn patched(before: &Definition, patch: &Patch) -> Definition {
    Definition {
        id: before.id.clone(),
        name: patch.name.clone().unwrap_or_else(|| before.name.clone()),
        total: patch.total.unwrap_or(before.total),
        per_user_limit: patch.per_user_limit.unwrap_or(before.per_user_limit),
        opens_at: patch.opens_at.unwrap_or(before.opens_at),
        closes_at: patch.closes_at.unwrap_or(before.closes_at),
        valid_for: patch.valid_for.unwrap_or(before.valid_for),
        kind: before.kind,
        supply: before.supply,
    }
}
