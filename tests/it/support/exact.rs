//! Checks the promises about a coupon at a running server: the answers equal what is stored.

use reqwest::StatusCode;
use serde_json::Value;

use super::crowd::Told;
use super::eventually::eventually_holds;
use super::server::Server;

/// Exactly `total` tickets were issued and answered, serials have no holes, all are rows (I1 I2 I3
/// I5 I10).
pub async fn assert_exactly(server: &Server, coupon: &str, total: usize, told: &Told) {
    assert_eq!(told.tickets.len(), total, "tickets told (I1)");
    assert_kept(server, coupon, told).await;
    let stats = server.stats(coupon).await;
    for (name, expected) in [
        ("total", total),
        ("issued", total),
        ("rows", total),
        ("holders", total),
        ("persisted", total),
        ("last_serial", total),
        ("remaining", 0),
        ("backlog", 0),
        ("returned", 0),
        ("cancelled", 0),
        ("contested", 0),
        ("dead_letters", 0),
    ] {
        assert_eq!(stats[name], expected, "{name} of {stats}");
    }
    let late = server.issue(coupon, "too-late").await;
    assert_eq!((late.status, late.code().as_str()), (StatusCode::CONFLICT, "sold_out"));
}

/// Every ticket in an answer is a row, every row was in an answer, serials are 1, 2, 3 … without
/// holes, and the balance is right (I2 I3 I5 I10).
pub async fn assert_kept(server: &Server, coupon: &str, told: &Told) {
    let is_persisted = async || {
        let stats = server.stats(coupon).await;
        stats["issued"] == told.tickets.len() && stats["backlog"] == 0
    };
    eventually_holds("every ticket told, and no other, is a row", is_persisted).await;
    let audit = server.get(&format!("/coupons/{coupon}/audit")).await;
    assert_eq!(audit.json()["ok"], true, "{}", audit.body);
    let stats = server.stats(coupon).await;
    assert_eq!(stats["ok"], true, "{stats}");
    let winners = winners(server, coupon).await;
    assert_eq!(winners.len(), told.tickets.len(), "rows");
    for (mut row, serial) in winners.into_iter().zip(1_u64..) {
        assert_eq!(row["serial"], serial, "serials have no holes (I5)");
        assert_eq!(row.as_object_mut().unwrap().remove("status").unwrap(), "accepted");
        let user = row["user_id"].as_str().unwrap();
        let body = told.tickets.get(user).unwrap_or_else(|| panic!("nobody told {user}: {row}"));
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"], Value::Null);
        assert_eq!(body["ticket"], row, "the ticket told is the row (I10)");
        assert!(!told.sold_out.contains(user), "{user} holds a ticket and was told sold_out (I10)");
    }
}

/// The export of the winners.
pub async fn winners(server: &Server, coupon: &str) -> Vec<Value> {
    let path = format!("/admin/coupons/{coupon}/winners?format=ndjson");
    let export = server.get_as_admin(&path).await;
    assert_eq!(export.status, StatusCode::OK, "{}", export.body);
    export.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
