//! Ids of coupons, tickets and users, and claims: bytes that are not what they should be.

use crate::support::raw;
use crate::support::server::Server;

use super::{assert_problem, changes_nothing};

const ADA: &[u8] = b"X-User-Id: ada\r\n";

#[tokio::test]
async fn an_id_outside_its_character_set_is_refused_everywhere_and_changes_nothing_i4() {
    changes_nothing(async |server| {
        coupon_ids(server).await;
        ticket_ids(server).await;
    })
    .await;
}

async fn coupon_ids(server: &Server) {
    let too_long = "x".repeat(65);
    let malformed = [
        too_long.as_str(),
        "{}",
        "%7B%7D",
        "a:b",
        "*",
        "%20",
        "summer%20",
        "..",
        "%2E%2E",
        "%2F",
        "..%2Fsummer",
        "%00",
        "summer%00",
        "summer%0A",
        "%FF",
        "%ED%95%9C",
        "summ%C3%A9r",
        "a.b",
    ];
    for id in malformed {
        for path in ["", "/issue", "/audit"] {
            let path = format!("/coupons/{id}{path}");
            let answer = raw::get(&server.public, &path, ADA).await;
            assert_problem(&path, &answer, 400, "invalid_coupon_id");
        }
        let path = format!("/admin/coupons/{id}/stats");
        let answer = raw::get(&server.admin, &path, &token()).await;
        assert_problem(&path, &answer, 400, "invalid_coupon_id");
    }
    let longest = "x".repeat(64);
    for id in [longest.as_str(), "SUMMER", "-", "__proto__", "winter"] {
        for path in ["", "/issue", "/audit"] {
            let path = format!("/coupons/{id}{path}");
            let answer = raw::get(&server.public, &path, ADA).await;
            assert_problem(&path, &answer, 404, "coupon_not_found");
        }
    }
    for path in ["/coupons//issue", "/coupons/a/b/issue", "/coupons/../../etc/passwd", "/COUPONS/x"]
    {
        let answer = raw::get(&server.public, path, ADA).await;
        assert_problem(path, &answer, 404, "not_found");
    }
}

async fn ticket_ids(server: &Server) {
    for id in [
        "summer",
        "summer.",
        "summer.0",
        "summer.01",
        "summer.-1",
        "summer.1e3",
        "summer.0x10",
        "summer.9007199254740993",
        "summer.1.1",
        "%00.1",
        "%2F.1",
        ".1",
    ] {
        let path = format!("/tickets/{id}");
        let answer = raw::get(&server.public, &path, ADA).await;
        assert_problem(&path, &answer, 400, "invalid_ticket_id");
        let path = format!("/admin/tickets/{id}/cancel");
        let answer = server.post_as_admin(&path).await;
        assert_problem(&path, &answer, 400, "invalid_ticket_id");
    }
    for id in ["summer.2", "winter.1", "nowhere.1", "summer.1099511627775"] {
        let answer = raw::get(&server.public, &format!("/tickets/{id}"), ADA).await;
        assert_problem(id, &answer, 404, "ticket_not_found");
        let answer = server.post_as_admin(&format!("/admin/tickets/{id}/cancel")).await;
        assert_problem(id, &answer, 404, "ticket_not_found");
    }
}

/// For a coupon that does not exist, so that an accepted user is told so and gets nothing.
#[tokio::test]
async fn a_user_id_is_1_to_128_bytes_of_utf_8_without_control_characters_i4() {
    changes_nothing(async |server| {
        for (value, is_user) in user_ids() {
            let line = [b"X-User-Id: ", value.as_slice(), b"\r\n"].concat();
            let answer = raw::get(&server.public, "/coupons/nowhere/issue", &line).await;
            let what = format!("the header {}", String::from_utf8_lossy(&value));
            match is_user {
                true => assert_problem(&what, &answer, 404, "coupon_not_found"),
                false => assert_problem(&what, &answer, 400, "invalid_user_id"),
            }
        }
        for control in 0..=31_u8 {
            if matches!(control, b'\t' | b'\n' | b'\r') {
                continue;
            }
            let line = [b"X-User-Id: a", [control].as_slice(), b"b\r\n"].concat();
            let answer = raw::get(&server.public, "/coupons/summer/issue", &line).await;
            assert_eq!(answer.status, 400, "{control}");
        }
        queries_that_name_users(server).await;
    })
    .await;
}

fn user_ids() -> Vec<(Vec<u8>, bool)> {
    let mut ids: Vec<(Vec<u8>, bool)> = vec![
        (b"x".to_vec(), true),
        (b"x".repeat(128), true),
        (b"x".repeat(129), false),
        (b"x".repeat(10_000), false),
        (Vec::new(), false),
        (b"a\tb".to_vec(), false),
        (b"\xff\xfe".to_vec(), false),
        (b"a\xc3".to_vec(), false),
        (b"\xed\xa0\x80".to_vec(), false),
        (b"\xc0\x80".to_vec(), false),
        (b"ada\r\nX-User-Id: eve".to_vec(), false),
    ];
    ids.extend(
        ["é".repeat(64), "👩‍👩‍👧".to_owned(), "a\u{202e}b".to_owned()].map(|id| (id.into(), true)),
    );
    ids.extend(["é".repeat(65), "a\u{85}b".to_owned()].map(|id| (id.into(), false)));
    ids
}

async fn queries_that_name_users(server: &Server) {
    let (longest, too_long) = ("x".repeat(128), "x".repeat(129));
    for (query, status, code) in [
        ("user_id=x", 404, "coupon_not_found"),
        (&format!("user_id={longest}"), 404, "coupon_not_found"),
        ("user_id=%F0%9F%91%92", 404, "coupon_not_found"),
        ("user_id=a%E2%80%AEb", 404, "coupon_not_found"),
        ("user_id=", 400, "invalid_user_id"),
        (&format!("user_id={too_long}"), 400, "invalid_user_id"),
        ("user_id=a%0D%0Ab", 400, "invalid_user_id"),
        ("user_id=a%00b", 400, "invalid_user_id"),
        ("user_id=a%7Fb", 400, "invalid_user_id"),
        ("user_id=a%C2%85b", 400, "invalid_user_id"),
        ("user_id=%FF", 400, "invalid_query"),
        ("user_id=%ED%A0%80", 400, "invalid_query"),
        ("user_id=ada&user_id=eve", 400, "invalid_query"),
    ] {
        let answer =
            raw::get(&server.public, &format!("/coupons/nowhere/issue?{query}"), b"").await;
        assert_problem(query, &answer, status, code);
        let answer = raw::get(&server.public, &format!("/tickets/nowhere.1?{query}"), b"").await;
        let code = if status == 404 { "ticket_not_found" } else { code };
        assert_problem(query, &answer, status, code);
    }
}

#[tokio::test]
async fn a_claim_is_a_plain_number_from_1_to_100_named_once_i2_i4() {
    changes_nothing(async |server| {
        for claim in [
            "",
            "0",
            "-1",
            "101",
            "256",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551617",
            "1e3",
            "1e0",
            "0x10",
            "0x1",
            "1.0",
            "%201",
            "+1",
            "%2B1",
            "1%00",
            "NaN",
            "null",
            "%D9%A1",
        ] {
            let path = format!("/coupons/summer/issue?claim={claim}");
            let answer = raw::get(&server.public, &path, ADA).await;
            assert_problem(&path, &answer, 400, "invalid_claim");
        }
        for query in ["claim=1&claim=1", "claim=1&claim=2", "claim=%FF", "claim=1&claim"] {
            let path = format!("/coupons/summer/issue?{query}");
            let answer = raw::get(&server.public, &path, ADA).await;
            assert_problem(&path, &answer, 400, "invalid_query");
        }
        let answer = raw::get(&server.public, "/coupons/summer/issue?claim=3", ADA).await;
        assert_problem("above the limit", &answer, 409, "user_limit_reached");
    })
    .await;
}

fn token() -> Vec<u8> {
    format!("Authorization: Bearer {}\r\n", crate::support::server::TOKEN).into_bytes()
}

#[tokio::test]
async fn an_escaped_id_is_the_same_coupon_and_a_retry_by_it_the_same_ticket_i10() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 10).await;
    let mut bodies = Vec::new();
    for path in ["/coupons/summer/issue", "/coupons/%73umme%72/issue", "/coupons/summer/%69ssue"] {
        let answer = raw::get(&server.public, path, ADA).await;
        assert_eq!(answer.status, 200, "{path}");
        bodies.push(answer.body);
    }
    assert_eq!((&bodies[1], &bodies[2]), (&bodies[0], &bodies[0]));
    assert_eq!(server.stats("summer").await["issued"], 1);
}
