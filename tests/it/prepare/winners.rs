//! The export of winners: what was told, in the sequence of serials, whole.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::server::{Answer, Server, send};

use super::{cancel, rows_are_there, server};

/// More than two pages of the export.
const WINNERS: usize = 2_500;
const COLUMNS: [&str; 10] = [
    "id",
    "coupon_id",
    "user_id",
    "serial",
    "claim",
    "code",
    "receipt",
    "issued_at",
    "expires_at",
    "status",
];
/// What a spreadsheet would run, and what would break a line of CSV.
const ODD: [&str; 8] = [
    "=cmd|'/c calc'!A1",
    "+1",
    "-1",
    "@SUM(A1)",
    "a,\"b\"",
    "홍길동 👒",
    "'=already quoted",
    "a\\nb; <b>",
];

#[tokio::test]
async fn an_export_holds_every_ticket_exactly_as_it_was_told_in_csv_and_ndjson_i5_i10() {
    let (_dir, server) = server(&[]).await;
    server.prepare("summer", 10_000).await;
    let users = (ODD.len()..WINNERS).map(|number| format!("u{number}"));
    let users: Vec<String> = ODD.iter().map(ToString::to_string).chain(users).collect();
    let told: BTreeMap<u64, Value> = futures_util::stream::iter(&users)
        .map(|user| async { named(&server, user).await.json()["ticket"].clone() })
        .buffer_unordered(64)
        .map(|ticket| (ticket["serial"].as_u64().unwrap(), ticket))
        .collect()
        .await;
    assert_eq!(told.len(), WINNERS, "I5");
    rows_are_there(&server, "summer").await;
    assert_eq!(cancel(&server, "summer.7").await.status, StatusCode::OK);

    let export = async |format: &str| {
        let path = format!("/admin/coupons/summer/winners{format}");
        let answer = server.get_as_admin(&path).await;
        assert_eq!(
            (answer.status, answer.headers["cache-control"].as_str()),
            (StatusCode::OK, "no-store")
        );
        answer
    };
    let ndjson = export("?format=ndjson").await;
    assert_eq!(ndjson.headers["content-type"], "application/x-ndjson");
    let mut lines = ndjson.body.lines();
    for (serial, ticket) in &told {
        let mut line: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        let status = line.as_object_mut().unwrap().remove("status").unwrap();
        assert_eq!(status, if *serial == 7 { "cancelled" } else { "accepted" });
        assert_eq!(&line, ticket);
    }
    assert_eq!(lines.next(), None);

    let answer = export("?format=csv").await;
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    let disposition = "attachment; filename=\"summer-winners.csv\"";
    assert_eq!(answer.headers["content-disposition"], disposition);
    assert_eq!(export("").await.body, answer.body, "csv unless something else is asked for");
    let mut reader = csv::Reader::from_reader(answer.body.as_bytes());
    assert_eq!(reader.headers().unwrap(), COLUMNS.as_slice());
    let mut rows = reader.records().map(Result::unwrap);
    for (serial, ticket) in &told {
        let row = rows.next().unwrap();
        for (column, cell) in COLUMNS.iter().zip(row.iter()) {
            let expected = match (*column, &ticket[*column]) {
                ("status", _) => if *serial == 7 { "cancelled" } else { "accepted" }.to_owned(),
                (_, Value::String(text)) => text.clone(),
                (_, Value::Null) => String::new(),
                (_, value) => value.to_string(),
            };
            assert_eq!(cell, expected, "{column} of {serial}");
        }
    }
    assert_eq!(rows.count(), 0);
}

#[tokio::test]
async fn an_export_without_winners_is_a_header_or_nothing() {
    let (_dir, server) = server(&[]).await;
    server.prepare("summer", 5).await;
    let csv = server.get_as_admin("/admin/coupons/summer/winners").await;
    assert_eq!(csv.body.trim_end(), COLUMNS.join(","));
    let ndjson = server.get_as_admin("/admin/coupons/summer/winners?format=ndjson").await;
    assert_eq!((ndjson.status, ndjson.body.as_str()), (StatusCode::OK, ""));
    let none = server.get_as_admin("/admin/coupons/nothing/winners").await;
    assert_eq!((none.status, none.code()), (StatusCode::NOT_FOUND, "coupon_not_found".into()));
}

/// A ticket for a user whose id may hold anything: in a header some of it would not come through.
async fn named(server: &Server, user: &str) -> Answer {
    let request = server.ask(Method::POST, "/coupons/summer/issue");
    send(request.query(&[("user_id", user)])).await.unwrap()
}
