//! The epochs of a coupon: serials of a recovered coupon begin above all that can have been issued
//! before (P2 step 7).

use super::act::{Act, ActResult, Change};
use super::ticket::Serial;

/// How an epoch of a coupon began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochStart {
    pub epoch: u32,
    /// The first serial that this epoch could issue.
    pub first_serial: Serial,
    /// The stock that it began with.
    pub stock: u64,
    /// Stock that nobody gets until it is released: a process that is gone may have told it.
    pub withheld: u64,
    /// The last act that this stock includes.
    pub act_no: u64,
}

impl EpochStart {
    /// The greatest serial that can have been issued since this start. A serial costs a unit of
    /// stock, and the acts that add stock are rows before Redis hears of them (P9 step 1). So it is
    /// the stock of the start, what was withheld, and all that these acts may have added, whether
    /// their result is known or not. Stock that was taken away is not subtracted: it may have been
    /// issued before.
    pub fn ceiling(&self, acts: &[Act]) -> Serial {
        let later = acts.iter().filter(|act| act.act_no > self.act_no);
        let added: u64 = later.map(added).sum();
        Serial(
            (self.first_serial.0.saturating_sub(1))
                .saturating_add(self.stock + self.withheld + added),
        )
    }
}

/// The stock that an act may have added.
fn added(act: &Act) -> u64 {
    match (&act.result, &act.change) {
        (Some(ActResult::Refused(_)), _) => 0,
        (_, Change::Restock { delta }) => u64::try_from(*delta).unwrap_or(0),
        (_, Change::Return { returns }) => returns.len() as u64,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::act::Return;
    use crate::domain::coupon::CouponId;
    use crate::domain::time::UnixMs;
    use crate::domain::who::Who;

    #[test]
    fn no_serial_can_lie_above_the_stock_of_the_epoch_and_all_that_was_added_since_i5() {
        let act = |act_no, change, result: Option<&str>| Act {
            coupon_id: CouponId::parse("summer").unwrap(),
            act_no,
            change,
            who: Who::Admin,
            intended_at: UnixMs(0),
            result: result.and_then(ActResult::parse),
        };
        let returns = vec![Return { serial: 1, holder: "ada".to_owned() }; 3];
        let acts = [
            act(2, Change::Restock { delta: 1_000 }, Some("applied 2 1100 1100")),
            act(3, Change::Restock { delta: 7 }, Some("applied 3 1107 7")),
            act(4, Change::Restock { delta: -7 }, Some("applied 4 1100 0")),
            act(5, Change::Restock { delta: 90 }, Some("refused total_too_large 1190")),
            act(6, Change::Return { returns }, Some("applied 5 1100 3")),
            act(7, Change::Restock { delta: 20 }, None),
            act(8, Change::Close, None),
        ];
        let start =
            EpochStart { epoch: 2, first_serial: Serial(51), stock: 90, withheld: 10, act_no: 2 };
        assert_eq!(start.ceiling(&[]), Serial(150));
        assert_eq!(start.ceiling(&acts), Serial(150 + 7 + 3 + 20));
    }
}
