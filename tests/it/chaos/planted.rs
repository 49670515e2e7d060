//! The checker finds each kind of violation, and raises no alarm about what may happen.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::checker::{Broken, broken};
use super::history::{Asked, Call, Told};
use super::kept::Kept;

const ISSUED_AT: &str = "2026-12-01T00:00:00.000Z";

/// A call from this second to the next one.
fn call(at_s: u64, asked: Asked, told: Told) -> Call {
    let sent = Duration::from_secs(at_s);
    Call { asked, sent, answered: sent + Duration::from_millis(900), told }
}

fn issue(at_s: u64, user: &str, told: Told) -> Call {
    call(at_s, Asked::Issue { user: user.to_owned() }, told)
}

fn ticket(user: &str, serial: u64) -> Value {
    let id = format!("summer.{serial}");
    json!({
        "id": id,
        "user_id": user,
        "serial": serial,
        "code": format!("code-{serial}"),
        "issued_at": ISSUED_AT,
    })
}

fn restock(delta: u64) -> Asked {
    Asked::Restock { key: "once".to_owned(), delta }
}

fn cancel(serial: u64) -> Asked {
    Asked::Cancel { ticket_id: format!("summer.{serial}") }
}

fn refused(status: StatusCode, code: &str) -> Told {
    Told::Refused(status, code.to_owned())
}

fn sold_out() -> Told {
    refused(StatusCode::CONFLICT, "sold_out")
}

/// Two of two tickets are told; then it is sold out, and one more comes and goes.
fn history() -> Vec<Call> {
    vec![
        issue(1, "ann", Told::Ticket(ticket("ann", 1))),
        issue(2, "bob", Told::Unknown),
        issue(3, "bob", Told::Ticket(ticket("bob", 2))),
        issue(5, "cid", sold_out()),
        issue(6, "ann", Told::Ticket(ticket("ann", 1))),
        call(7, restock(1), Told::Unknown),
        call(8, restock(1), Told::Done),
        issue(9, "dan", Told::Ticket(ticket("dan", 3))),
        call(10, cancel(3), Told::Done),
        issue(11, "dan", refused(StatusCode::CONFLICT, "ticket_cancelled")),
        call(12, Asked::Pause, Told::Done),
        issue(13, "eve", refused(StatusCode::CONFLICT, "paused")),
        call(14, Asked::Resume, Told::Done),
        issue(15, "eve", Told::Ticket(ticket("eve", 4))),
        call(16, Asked::Close, Told::Done),
        issue(17, "ann", Told::Ticket(ticket("ann", 1))),
        issue(18, "bob", refused(StatusCode::SERVICE_UNAVAILABLE, "recovering")),
        issue(19, "cid", refused(StatusCode::CONFLICT, "closed")),
    ]
}

fn row(user: &str, serial: u64, status: &str) -> Value {
    let mut row = ticket(user, serial);
    row["status"] = json!(status);
    row
}

fn kept() -> Kept {
    let held = [("ann", 1), ("bob", 2), ("dan", 3), ("eve", 4)];
    Kept {
        rows: vec![
            row("ann", 1, "accepted"),
            row("bob", 2, "accepted"),
            row("dan", 3, "cancelled"),
            row("eve", 4, "accepted"),
        ],
        held: held.map(|(user, serial)| (user.to_owned(), (serial, ISSUED_AT.to_owned()))).into(),
        may_have_gaps: false,
        total_at_first: 2,
        total: 3,
        issued: 4,
        returned: 1,
        withheld: 0,
    }
}

/// What the checker finds when the calls and the stores are changed like this.
fn found(change: impl FnOnce(&mut Vec<Call>, &mut Kept)) -> Vec<Broken> {
    let (mut calls, mut kept) = (history(), kept());
    change(&mut calls, &mut kept);
    let mut found: Vec<_> = broken(&calls, &kept).into_iter().map(|(broken, _)| broken).collect();
    found.dedup();
    found
}

#[test]
fn a_run_without_a_violation_raises_no_alarm() {
    assert_eq!(found(|_, _| ()), []);
}

#[test]
fn a_told_ticket_that_is_no_row_or_another_one_is_found_i3_i10() {
    assert_eq!(found(|_, kept| kept.rows[1]["code"] = json!("other")), [Broken::Lost]);
    let lost = found(|_, kept| {
        kept.rows.pop();
        kept.issued = 3;
    });
    assert_eq!(lost, [Broken::Lost]);
}

#[test]
fn a_told_ticket_that_redis_forgot_is_found_i10() {
    let gone = found(|_, kept| kept.held.retain(|user, _| user != "bob"));
    assert_eq!(gone, [Broken::Forgotten]);
    let other = found(|_, kept| kept.held.extend([("bob".to_owned(), (9, ISSUED_AT.to_owned()))]));
    assert_eq!(other, [Broken::Forgotten]);
    let late = (2, "2026-12-01T00:00:00.001Z".to_owned());
    let later = found(|_, kept| kept.held.extend([("bob".to_owned(), late)]));
    assert_eq!(later, [Broken::Forgotten], "another time");
}

#[test]
fn a_second_row_of_a_user_is_found_i2() {
    let doubled = found(|calls, kept| {
        calls.push(issue(20, "bob", Told::Unknown));
        kept.rows.push(row("bob", 5, "accepted"));
        (kept.issued, kept.total) = (5, 4);
    });
    assert!(doubled.contains(&Broken::Doubled), "{doubled:?}");
}

#[test]
fn a_serial_that_is_missing_or_twice_there_is_found_i5() {
    let hole = found(|_, kept| kept.rows[3]["serial"] = json!(5));
    assert!(hole.contains(&Broken::Serials), "{hole:?}");
    let twice = found(|_, kept| kept.rows[3]["serial"] = json!(3));
    assert!(twice.contains(&Broken::Serials), "{twice:?}");
    let twice = found(|_, kept| {
        kept.rows[3]["serial"] = json!(3);
        kept.may_have_gaps = true;
    });
    assert!(twice.contains(&Broken::Serials), "{twice:?}");
}

#[test]
fn more_tickets_than_there_are_or_were_is_found_i1() {
    assert_eq!(found(|_, kept| kept.total = 2), [Broken::OverIssued]);
    // At the end all is right, but the third was told before there was a third.
    let early = found(|calls, _| calls[7].answered = Duration::from_millis(4_000));
    assert!(early.contains(&Broken::OverIssued), "{early:?}");
    // A win at the instant at which stock was asked for is no violation.
    let tie = found(|calls, _| calls[7].answered = Duration::from_secs(7));
    assert_eq!(tie, []);
    // The restock was repeated with its key, so there are three before the cancel, and not four.
    let repeated = found(|calls, _| calls[13] = issue(9, "eve", Told::Ticket(ticket("eve", 4))));
    assert!(repeated.contains(&Broken::OverIssued), "{repeated:?}");
}

#[test]
fn a_row_of_nobody_is_found() {
    let invented = found(|calls, _| {
        calls.retain(|call| call.asked != Asked::Issue { user: "bob".to_owned() });
    });
    assert_eq!(invented, [Broken::Invented]);
    assert_eq!(found(|_, kept| kept.issued = 3), [Broken::Invented]);
}

#[test]
fn two_tickets_told_to_one_user_are_found_i10() {
    let changed = found(|calls, _| calls[4].told = Told::Ticket(ticket("ann", 7)));
    assert_eq!(changed, [Broken::Changed]);
}

#[test]
fn a_winner_who_is_refused_is_found_i10() {
    assert_eq!(found(|calls, _| calls[4].told = sold_out()), [Broken::Refused]);
    let cancelled = refused(StatusCode::CONFLICT, "ticket_cancelled");
    assert_eq!(found(|calls, _| calls[4].told = cancelled), [Broken::Refused]);
    let late = refused(StatusCode::REQUEST_TIMEOUT, "request_timeout");
    assert_eq!(found(|calls, _| calls[4].told = late), []);
}

#[test]
fn a_win_after_sold_out_without_new_stock_is_found_i8() {
    let after = found(|calls, kept| {
        calls.retain(|call| call.asked != restock(1));
        kept.total_at_first = 3;
    });
    assert_eq!(after, [Broken::AfterSoldOut]);
    let asked_before = found(|calls, kept| {
        calls.retain(|call| call.asked != restock(1));
        kept.total_at_first = 3;
        calls.insert(0, issue(0, "dan", refused(StatusCode::CONFLICT, "not_open")));
        calls.retain(|call| call.asked != Asked::Issue { user: "eve".to_owned() });
        kept.rows.pop();
        kept.issued = 3;
    });
    assert_eq!(asked_before, [Broken::AfterSoldOut], "a refusal gave nothing");
    // An act whose outcome nobody knows may be done at any later time.
    let unknown = found(|calls, _| {
        calls.retain(|call| call.asked != restock(1));
        calls.push(call(0, restock(1), Told::Unknown));
    });
    assert_eq!(unknown, []);
    // A user who asked before may have won before.
    let before = found(|calls, kept| {
        calls.retain(|call| call.asked != restock(1));
        kept.total_at_first = 3;
        calls.insert(0, issue(0, "dan", Told::Unknown));
        calls.insert(0, issue(0, "eve", Told::Unknown));
    });
    assert_eq!(before, []);
}

#[test]
fn a_win_after_a_told_pause_or_close_is_found_i8() {
    let paused = found(|calls, _| calls.retain(|call| call.asked != Asked::Resume));
    assert_eq!(paused, [Broken::WhileStopped]);
    let asked_before = found(|calls, _| {
        calls.retain(|call| call.asked != Asked::Resume);
        calls.insert(0, issue(0, "eve", refused(StatusCode::CONFLICT, "not_open")));
    });
    assert_eq!(asked_before, [Broken::WhileStopped], "a refusal gave nothing");
    let closed = found(|calls, kept| {
        calls.push(issue(20, "fay", Told::Ticket(ticket("fay", 5))));
        kept.rows.push(row("fay", 5, "accepted"));
        kept.held.insert("fay".to_owned(), (5, ISSUED_AT.to_owned()));
        (kept.issued, kept.total, kept.total_at_first) = (5, 4, 3);
    });
    assert_eq!(closed, [Broken::WhileStopped]);
}

#[test]
fn a_cancelled_ticket_is_cancelled_in_its_row_and_no_other_is() {
    assert_eq!(found(|_, kept| kept.rows[2]["status"] = json!("accepted")), [Broken::Cancelled]);
    let nobody = found(|_, kept| kept.rows[0]["status"] = json!("cancelled"));
    assert_eq!(nobody, [Broken::Cancelled]);
}
