//! The audit: does the balance of a coupon hold at this instant?

use serde::Serialize;

use crate::domain::coupon::CouponId;
use crate::domain::epoch::EpochStart;
use crate::domain::ticket::Serial;
use crate::domain::time::UnixMs;
use crate::lua::audit::Balance;
use crate::store::Counts;

/// A coupon's balance. `total = remaining + withheld + issued - returned` and `holders = issued`
/// are true at any instant, under any load (I1, I2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    pub coupon_id: CouponId,
    /// The time of Redis.
    pub as_of: UnixMs,
    pub ok: bool,
    /// What does not balance, one sentence each.
    pub faults: Vec<String>,
    pub total: u64,
    /// Tickets ever issued.
    pub issued: u64,
    /// Tickets whose stock was returned.
    pub returned: u64,
    /// Stock that nobody has, including the stock under embargo.
    pub remaining: u64,
    /// Returned stock that nobody can get yet, for 150 ms.
    pub embargoed: u64,
    /// Stock that nobody gets until it is released: a recovery could not know whether a server
    /// that ended had told it.
    pub withheld: u64,
    /// (user, claim) pairs that ever got a ticket.
    pub holders: u64,
    pub last_serial: u64,
    /// Tickets that have rows.
    pub persisted: u64,
    /// Tickets that have no rows yet and are no dead letters.
    pub backlog: u64,
    /// Parked tickets: undecided dead letters, which have no rows.
    pub dead_letters: u64,
    /// Tickets instead of which the row of another ticket exists.
    pub contested: u64,
    pub epoch: u32,
    /// The epochs that began with a recovery, the last one first; serials go on behind a gap.
    pub epochs: Vec<Epoch>,
    pub version: u64,
}

/// An epoch that began with a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Epoch {
    pub epoch: u32,
    pub first_serial: Serial,
}

impl Audit {
    /// The audit of what Redis has, and of how many rows the persister counted.
    pub(super) fn of(id: &CouponId, balance: &Balance, persisted: u64) -> Self {
        let mut faults = Vec::new();
        let granted = balance.total + balance.returned;
        let out = balance.remaining + balance.withheld + balance.issued;
        if granted != out {
            faults.push(format!(
                "total + returned = {granted}, but remaining + withheld + issued = {out} (I1)"
            ));
        }
        if balance.holders != balance.issued {
            faults.push(format!(
                "{} tickets were issued, but there are {} holders (I2)",
                balance.issued, balance.holders
            ));
        }
        if balance.last_serial < balance.issued {
            faults.push(format!(
                "the last serial {} is below the number of issued tickets, {} (I5)",
                balance.last_serial, balance.issued
            ));
        }
        if persisted > balance.issued {
            faults.push(format!(
                "{persisted} tickets have rows, but only {} were issued (I3)",
                balance.issued
            ));
        }
        Self {
            coupon_id: id.clone(),
            as_of: balance.now,
            ok: faults.is_empty(),
            faults,
            total: balance.total,
            issued: balance.issued,
            returned: balance.returned,
            remaining: balance.remaining,
            embargoed: balance.embargoed,
            withheld: balance.withheld,
            holders: balance.holders,
            last_serial: balance.last_serial,
            persisted,
            backlog: balance.issued.saturating_sub(persisted),
            dead_letters: 0,
            contested: 0,
            epoch: balance.epoch,
            epochs: Vec::new(),
            version: balance.version,
        }
    }

    /// Compares with the rows, counted one by one. They were read before Redis, so there may be
    /// fewer of them, but never more.
    pub(super) fn compare_rows(&mut self, counts: &Counts) {
        if counts.last_serial > self.last_serial {
            self.faults.push(format!(
                "a row has serial {}, but Redis gave only {} (I5)",
                counts.last_serial, self.last_serial
            ));
        }
        if counts.issued() > self.issued {
            self.faults.push(format!(
                "{} rows, {} contested and {} parked, but only {} issued (I1)",
                counts.rows, counts.contested, counts.parked, self.issued
            ));
        }
        self.ok = self.faults.is_empty();
    }

    /// Adds what recoveries and persisters wrote down about the coupon.
    pub(super) fn with(self, epochs: &[EpochStart], contested: u64, dead_letters: u64) -> Self {
        let epoch =
            |start: &EpochStart| Epoch { epoch: start.epoch, first_serial: start.first_serial };
        Self {
            epochs: epochs.iter().map(epoch).collect(),
            backlog: self.backlog.saturating_sub(dead_letters),
            dead_letters,
            contested,
            ..self
        }
    }

    /// Adds other faults.
    pub(super) fn add(&mut self, faults: Vec<String>) {
        self.faults.extend(faults);
        self.ok = self.faults.is_empty();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::observe) fn balance() -> Balance {
        Balance {
            now: UnixMs(1),
            state: "open".to_owned(),
            epoch: 1,
            version: 2,
            total: 100,
            available: 61,
            remaining: 61,
            embargoed: 0,
            withheld: 0,
            issued: 40,
            returned: 1,
            last_serial: 40,
            holders: 40,
            per_user_limit: 1,
            opens_at: None,
            closes_at: None,
            act_no: 2,
            act_token: String::new(),
            unwritten: None,
            shard_records: 0,
            shard_pending: 0,
            shard_unpersisted: 0,
        }
    }

    #[test]
    fn a_balance_that_holds_is_ok_and_any_stolen_unit_is_a_fault() {
        let id = CouponId::parse("summer").unwrap();
        assert!(Audit::of(&id, &balance(), 40).ok);
        for broken in [
            Balance { remaining: 62, ..balance() },
            Balance { total: 99, ..balance() },
            Balance { withheld: 1, ..balance() },
            Balance { holders: 39, ..balance() },
            Balance { last_serial: 39, ..balance() },
        ] {
            assert!(!Audit::of(&id, &broken, 40).ok, "{broken:?}");
        }
        assert!(!Audit::of(&id, &balance(), 41).ok, "more rows than tickets");
    }

    #[test]
    fn rows_that_redis_never_gave_are_a_fault() {
        let id = CouponId::parse("summer").unwrap();
        let counts = Counts { rows: 40, last_serial: 40, ..Counts::default() };
        let compared = |counts: Counts| {
            let mut audit = Audit::of(&id, &balance(), 40);
            audit.compare_rows(&counts);
            audit.ok
        };
        assert!(compared(counts));
        assert!(!compared(Counts { last_serial: 41, ..counts }));
        assert!(!compared(Counts { contested: 1, ..counts }));
    }
}
