//! Compares a coupon in Redis with its rows. A difference that an act or a ticket on its way can
//! explain is no fault.

use crate::domain::act::Act;
use crate::domain::coupon::{Coupon, CouponId};
use crate::lua::audit::Balance;
use crate::store::{Counts, Store};

use super::error::Error;

/// The rows of a coupon around the instant of its balance.
pub(super) struct Rows {
    pub(super) before: Coupon,
    /// The last act of the balance, read after the balance.
    act: Option<Act>,
    /// Its parked tickets, read before the last row, so that a replay hides none.
    pub(super) parked: u64,
    after: Coupon,
}

impl Rows {
    /// Reads the rows to compare with this balance; `before` was read earlier than the balance.
    pub(super) async fn around(
        store: &dyn Store,
        before: Coupon,
        balance: &Balance,
    ) -> Result<Self, Error> {
        let id: &CouponId = &before.definition.id;
        let act = store.find_act(id, balance.act_no).await?;
        let (parked, _) = store.count_parked(id).await?;
        let after = store.find_coupon(id).await?.ok_or(Error::CouponNotFound)?;
        Ok(Self { before, act, parked, after })
    }

    /// Differences of acts, state and tickets.
    pub(super) fn faults(&self, balance: &Balance) -> Vec<String> {
        let mut faults = self.diverged(balance);
        // A ticket that is no longer in a record was committed before.
        let written = self.after.persisted + self.parked;
        if balance.shard_records == 0 && written < balance.issued {
            faults.push(format!(
                "{} tickets were issued, {written} have rows or are dead letters, and none waits \
                 for the database (I3)",
                balance.issued
            ));
        }
        faults
    }

    /// Differences of acts and state.
    pub(super) fn diverged(&self, balance: &Balance) -> Vec<String> {
        let mut faults = Vec::new();
        let number = balance.act_no;
        // Rows come first: an act that Redis has applied has a row, whatever is on its way.
        match &self.act {
            None => faults.push(format!("Redis has act {number}, but the database lost it (I8)")),
            Some(act) if act.token() != balance.act_token => {
                faults.push(format!(
                    "act {number} in Redis is another one than in the database (I8)"
                ));
            }
            Some(_) => {}
        }
        // Redis comes second, and is behind by at most the one act that may be under way.
        let (acts, version) = (self.before.act_no, self.before.version);
        if acts > number + 1 || version > balance.version {
            faults.push(format!(
                "the database has act {acts} and version {version}, but Redis only act {number} \
                 and version {} (I8)",
                balance.version
            ));
        }
        if self.is_still(balance) && balance.unwritten.is_none() {
            let row = &self.after;
            let here = (row.state.word(), row.version, row.definition.total);
            let there = (balance.state.as_str(), balance.version, balance.total);
            if here != there && balance.state != "recovering" {
                faults.push(format!(
                    "state, version and total are {here:?} in the row, but {there:?} in Redis (I8)"
                ));
            }
        }
        faults
    }

    /// Differences of the rows, counted one by one between `before` and the balance.
    pub(super) fn count_faults(&self, balance: &Balance, counts: &Counts) -> Vec<String> {
        let mut faults = Vec::new();
        if !(self.before.persisted..=self.after.persisted).contains(&counts.rows) {
            faults.push(format!(
                "{} rows, but {} were counted when they were written (I3)",
                counts.rows, self.after.persisted
            ));
        }
        let is_still = self.is_still(balance) && self.before.act_no == balance.act_no;
        if is_still && counts.cancelled != balance.returned {
            faults.push(format!(
                "{} rows are cancelled, but the stock of {} was returned (I8)",
                counts.cancelled, balance.returned
            ));
        }
        faults
    }

    /// Whether no act was under way at the instant of the balance.
    fn is_still(&self, balance: &Balance) -> bool {
        let is_recorded = self.act.as_ref().is_some_and(|act| act.result.is_some());
        is_recorded && self.after.act_no == balance.act_no
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::act::{ActResult, Change};
    use crate::domain::coupon::{Definition, Kind, State, Supply};
    use crate::domain::time::UnixMs;
    use crate::domain::who::Who;
    use crate::observe::balance::tests::balance;

    pub(in crate::observe) fn coupon() -> Coupon {
        let id = CouponId::parse("summer").unwrap();
        Coupon {
            shard: id.shard(),
            definition: Definition {
                id,
                name: "Summer".to_owned(),
                total: 100,
                per_user_limit: 1,
                opens_at: None,
                closes_at: None,
                valid_for: None,
                kind: Kind::FirstCome,
                supply: Supply::Counter,
            },
            state: State::Open,
            key_id: "k1".to_owned(),
            version: 2,
            act_no: 2,
            persisted: 40,
            created_at: UnixMs(0),
        }
    }

    fn act() -> Act {
        Act {
            coupon_id: CouponId::parse("summer").unwrap(),
            act_no: 2,
            change: Change::Restock { delta: 5 },
            who: Who::Admin,
            intended_at: UnixMs(7),
            result: ActResult::parse("applied 2 100 61"),
        }
    }

    fn rows() -> Rows {
        Rows { before: coupon(), act: Some(act()), parked: 0, after: coupon() }
    }

    fn told() -> Balance {
        Balance { act_token: act().token(), ..balance() }
    }

    #[test]
    fn what_is_under_way_is_no_fault() {
        let none: [String; 0] = [];
        assert_eq!(rows().faults(&told()), none);
        // Intended and not applied; applied and not recorded; recorded after Redis was asked.
        let ahead = Coupon { act_no: 3, ..coupon() };
        let before = Rows { before: ahead.clone(), after: ahead.clone(), ..rows() };
        assert_eq!(before.faults(&told()), none);
        let unrecorded = Rows { act: Some(Act { result: None, ..act() }), ..rows() };
        let applied = Balance { version: 3, total: 105, ..told() };
        assert_eq!(unrecorded.faults(&applied), none);
        let after = Coupon { version: 3, ..ahead };
        assert_eq!(Rows { after, ..rows() }.faults(&told()), none);
        // A pause whose act is not written yet; tickets that wait for the database.
        let first = Balance {
            state: "paused".to_owned(),
            version: 3,
            unwritten: Some(Change::Pause),
            ..told()
        };
        assert_eq!(rows().faults(&first), none);
        let waiting = Balance { shard_records: 1, issued: 41, ..told() };
        assert_eq!(rows().faults(&waiting), none);
    }

    #[test]
    fn what_nothing_under_way_explains_is_a_fault() {
        let other = Act { intended_at: UnixMs(8), ..act() };
        let behind = Coupon { persisted: 39, ..coupon() };
        let ahead = Coupon { act_no: 4, ..coupon() };
        for (rows, balance) in [
            (Rows { act: None, ..rows() }, told()),
            (Rows { act: Some(other), ..rows() }, told()),
            (Rows { before: ahead, ..rows() }, told()),
            (Rows { before: Coupon { version: 3, ..coupon() }, ..rows() }, told()),
            (rows(), Balance { state: "paused".to_owned(), ..told() }),
            (rows(), Balance { total: 101, ..told() }),
            (rows(), Balance { version: 3, ..told() }),
            (Rows { after: behind, ..rows() }, told()),
        ] {
            assert_eq!(rows.faults(&balance).len(), 1, "{balance:?}");
        }
    }

    #[test]
    fn rows_that_are_not_those_that_were_written_or_returned_are_a_fault() {
        let counts = Counts { rows: 40, cancelled: 1, ..Counts::default() };
        let faults = |rows: &Rows, counts: Counts| rows.count_faults(&told(), &counts).len();
        assert_eq!(faults(&rows(), counts), 0);
        assert_eq!(faults(&rows(), Counts { rows: 39, ..counts }), 1);
        assert_eq!(faults(&rows(), Counts { rows: 41, ..counts }), 1);
        assert_eq!(faults(&rows(), Counts { cancelled: 2, ..counts }), 1);
        assert_eq!(faults(&rows(), Counts { cancelled: 0, ..counts }), 1);
        let later = Rows { after: Coupon { persisted: 41, act_no: 3, ..coupon() }, ..rows() };
        assert_eq!(faults(&later, Counts { rows: 41, cancelled: 2, ..counts }), 0);
    }
}
