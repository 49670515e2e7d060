//! The body of a ticket that was just issued or replayed.
//!
//! Every winner gets one, so it is built from pieces, which costs less than `serde`. The test
//! compares it with what `serde` writes everywhere else.

use itoa::Buffer;

use crate::domain::issued_ticket::IssuedTicket;

/// `error` is always present, and null: `JSON.parse(body).error === null` recognizes a ticket.
pub(super) fn ticket_body(issued: &IssuedTicket) -> String {
    let ticket = &issued.ticket;
    let coupon_id = ticket.coupon_id.as_str();
    // The only field that may need escapes. Writing text to memory cannot fail.
    let user_id = serde_json::to_string(ticket.user_id.as_str()).unwrap_or_default();
    let (mut serial, mut claim) = (Buffer::new(), Buffer::new());
    let serial = serial.format(ticket.serial.0);
    let expires_at = match issued.expires_at {
        Some(at) => format!("\"{at}\""),
        None => "null".to_owned(),
    };
    [
        r#"{"error":null,"ticket":{"id":""#,
        coupon_id,
        ".",
        serial,
        r#"","coupon_id":""#,
        coupon_id,
        r#"","user_id":"#,
        &user_id,
        r#","serial":"#,
        serial,
        r#","claim":"#,
        claim.format(ticket.claim.number()),
        r#","code":""#,
        &issued.code_and_receipt.code,
        r#"","receipt":""#,
        &issued.code_and_receipt.receipt,
        r#"","issued_at":""#,
        &ticket.issued_at.to_string(),
        r#"","expires_at":"#,
        &expires_at,
        "}}",
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;
    use crate::domain::code::CodeAndReceipt;
    use crate::domain::coupon::CouponId;
    use crate::domain::issued_ticket::TicketBody;
    use crate::domain::ticket::{Serial, Ticket};
    use crate::domain::time::UnixMs;
    use crate::domain::user::{Claim, UserId};

    #[derive(Serialize)]
    struct Body<'a> {
        error: Option<&'static str>,
        ticket: TicketBody<'a>,
    }

    proptest! {
        #[test]
        fn a_ticket_is_told_as_it_is_shown_except_where_it_stands_i10(
            coupon_id in "[A-Za-z0-9_-]{1,64}",
            user_id in "[^\\p{Cc}]{1,30}",
            serial in 1_u64..1 << 40,
            claim in 1_u8..=100,
            issued_at in 0_i64..=253_402_300_799_999,
            expires_at in proptest::option::of(0_i64..=253_402_300_799_999),
        ) {
            let ticket = Ticket {
                coupon_id: CouponId::parse(&coupon_id).unwrap(),
                epoch: 1,
                serial: Serial(serial),
                user_id: UserId::parse(&user_id).unwrap(),
                claim: Claim::new(claim).unwrap(),
                issued_at: UnixMs(issued_at),
            };
            let code_and_receipt = CodeAndReceipt {
                code: "7QK4-M2XD-9TPA-3HZE-C".to_owned(),
                receipt: "000102030405060708090a0b0c0d0e0f".to_owned(),
            };
            let expires_at = expires_at.map(UnixMs);
            let issued = IssuedTicket { ticket, code_and_receipt, expires_at, status: None };
            let expected = Body { error: None, ticket: issued.body() };
            let expected = serde_json::to_string(&expected).unwrap();
            prop_assert_eq!(ticket_body(&issued), expected);
        }
    }
}
