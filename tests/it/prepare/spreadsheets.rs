//! The export for spreadsheets: nothing is run, nothing is changed, no two users become one.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _};

use futures_util::StreamExt as _;
use reqwest::{Method, StatusCode};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, raw_sql};
use tempfile::TempDir;

use crate::support::eventually::eventually_holds;
use crate::support::postgres::fresh_database;
use crate::support::server::{Server, command, send};

use super::{rows_are_there, server};

/// What a spreadsheet would run or change, and what comes through as it is.
const USERS: [&str; 29] = [
    "=1+1",
    "'=1+1",
    "+821012345678",
    "-5",
    "@SUM(A1)",
    "＝1+1",
    "＋1",
    "－1",
    "＠A1",
    "\u{3000}=1",
    "\u{feff}=1",
    "\u{a0}=1",
    "\u{200b}=1",
    "|cmd",
    "'",
    "''",
    "0012345",
    "12345",
    "1234567890123456789",
    "1E5",
    "3-1",
    "MAR1",
    "TRUE",
    "_x0041_",
    "a,\"b\"",
    "<b>&amp;",
    "홍길동",
    "👒",
    "ada",
];
const SAME: [&str; 3] = ["a,\"b\"", "홍길동", "ada"];

/// A server whose coupon `-1` each of these users has a ticket of.
async fn with_winners() -> (TempDir, Server) {
    let (dir, server) = server(&[]).await;
    server.prepare("-1", 100).await;
    futures_util::stream::iter(USERS)
        .for_each_concurrent(16, async |user| {
            let request = server.ask(Method::POST, "/coupons/-1/issue");
            let answer = send(request.query(&[("user_id", user)])).await.unwrap();
            assert_eq!(answer.status, StatusCode::OK, "{user}: {answer:?}");
        })
        .await;
    rows_are_there(&server, "-1").await;
    (dir, server)
}

/// The users of `format=csv`, which is exact, by serial.
async fn exact(server: &Server) -> Vec<csv::StringRecord> {
    let answer = server.get_as_admin("/admin/coupons/-1/winners?format=csv").await;
    let mut reader = csv::Reader::from_reader(answer.body.as_bytes());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let users: BTreeSet<&str> = rows.iter().map(|row| &row[2]).collect();
    assert_eq!(users, BTreeSet::from(USERS));
    rows
}

#[tokio::test]
async fn csv_for_spreadsheets_guards_every_text_and_can_be_read_back_i10() {
    let (_dir, server) = with_winners().await;
    let exact = exact(&server).await;
    let answer = server.get_as_admin("/admin/coupons/-1/winners?format=csv-excel").await;
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    let disposition = "attachment; filename=\"-1-winners.csv\"";
    assert_eq!(answer.headers["content-disposition"], disposition);
    let text = answer.body.strip_prefix('\u{feff}').expect("the mark that says UTF-8");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), USERS.len());
    for (row, exact) in rows.iter().zip(&exact) {
        assert!(row[0].starts_with("'-1.") && &row[1] == "'-1", "{row:?}");
        assert_eq!(SAME.contains(&&exact[2]), row[2] == exact[2], "{row:?}");
        for (cell, value) in row.iter().zip(exact) {
            assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), value, "{row:?}");
        }
    }
}

#[tokio::test]
async fn a_workbook_holds_every_text_as_a_text_and_nothing_is_left_of_it_i10() {
    let (dir, server) = with_winners().await;
    let exact = exact(&server).await;
    let before = entries();
    let path = "/admin/coupons/-1/winners?format=xlsx";
    let answer = server.ask_as_admin(Method::GET, path).send().await.unwrap();
    let type_of = answer.headers()["content-type"].to_str().unwrap();
    assert_eq!(type_of, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
    let disposition = "attachment; filename=\"-1-winners.xlsx\"";
    assert_eq!(answer.headers()["content-disposition"], disposition);
    let sheet = sheet(answer.bytes().await.unwrap().to_vec());
    for row in &exact {
        for (at, value) in row.iter().enumerate() {
            let value = match at {
                3 | 4 => format!("<v>{value}</v>"),
                // An empty cell is not written.
                _ if value.is_empty() => String::new(),
                _ => format!(">{}</t>", escaped(value)),
            };
            assert!(sheet.contains(&value), "{value} of {row:?}");
        }
    }
    assert!(!sheet.contains("<f>"), "no formula");
    assert_eq!(sheet.matches("<row ").count(), USERS.len() + 1);
    assert_eq!(entries(), before, "no file is left");

    let mut by_hand = command(dir.path(), &[]);
    by_hand.args(["coupon", "winners", "--format", "xlsx", "--", "-1"]);
    let done = by_hand.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(self::sheet(done.stdout), sheet, "the same by the command line");
}

/// The first sheet of a workbook.
fn sheet(workbook: Vec<u8>) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(workbook)).unwrap();
    let mut text = String::new();
    archive.by_name("xl/worksheets/sheet1.xml").unwrap().read_to_string(&mut text).unwrap();
    text
}

fn escaped(value: &str) -> String {
    let text = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace("_x0041_", "_x005F_x0041_")
}

/// Files of this server's user where temporary files are made, by the names that ours would have.
fn entries() -> BTreeSet<String> {
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".xlsx") || name.ends_with(".xml")).collect()
}

#[tokio::test]
async fn of_three_workbooks_at_once_one_is_overloaded_and_whoever_hangs_up_leaves_no_file() {
    let url = fresh_database().await;
    let (_dir, server) = server(&[("DATABASE_URL", &url)]).await;
    server.prepare("summer", 10).await;
    assert_eq!(server.issue("summer", "ada").await.status, StatusCode::OK);
    rows_are_there(&server, "summer").await;
    let before = entries();
    let path = "/admin/coupons/summer/winners?format=xlsx";
    let mut owner = PgConnection::connect(&url).await.unwrap();
    // Whoever writes a workbook has its room, and waits for the rows.
    let lock = "BEGIN; LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE";
    raw_sql(lock).execute(&mut owner).await.unwrap();
    let begin = || tokio::spawn(server.ask_as_admin(Method::GET, path).send());
    let (hangs_up, waits) = (begin(), begin());
    eventually_holds("two begun workbooks", async || server.nameless_files() == 2).await;
    let third = server.get_as_admin(path).await;
    assert_eq!((third.status.as_u16(), third.code().as_str()), (503, "overloaded"));
    hangs_up.abort();
    raw_sql("COMMIT").execute(&mut owner).await.unwrap();
    let finished = waits.await.unwrap().unwrap();
    assert_eq!(finished.status(), StatusCode::OK);
    // One of them hung up while it was written, this one is cut off while it is sent.
    drop(finished);
    eventually_holds("no file", async || server.nameless_files() == 0).await;
    assert_eq!(entries(), before);
    let (one, two) = tokio::join!(server.get_as_admin(path), server.get_as_admin(path));
    assert_eq!((one.status, two.status), (StatusCode::OK, StatusCode::OK), "there is room again");
}
