//! Before a coupon is preloaded.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::server::send;

use super::{act, assert_balance, create, patch, patch_if, server};

#[tokio::test]
async fn a_draft_is_created_listed_changed_at_will_and_deleted_and_nobody_sees_it() {
    let (_dir, server) = server(&[]).await;
    let definition = json!({ "id": "summer", "name": "Sommer 여름 👒", "total": 10 });
    let created = create(&server, &definition).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.headers["location"], "/admin/coupons/summer");
    let body = created.json();
    assert_eq!((&body["state"], &body["per_user_limit"]), (&json!("draft"), &json!(1)));
    assert_eq!((&body["opens_at"], &body["valid_for"]), (&json!(null), &json!(null)));
    let found = server.get_as_admin("/admin/coupons/summer").await;
    assert_eq!(found.json(), body, "what was answered is what stands");
    assert_eq!(found.headers["etag"], created.headers["etag"]);
    let again = create(&server, &definition).await;
    assert_eq!((again.status, again.code()), (StatusCode::CONFLICT, "coupon_exists".into()));

    for path in ["", "/issue", "/audit"] {
        let answer = server.get(&format!("/coupons/summer{path}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::NOT_FOUND, "coupon_not_found".into())
        );
    }
    for path in ["stats", "nothing/stats"] {
        let answer = server.get_as_admin(&format!("/admin/coupons/summer/{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    for word in ["pause", "resume", "close"] {
        assert_eq!(act(&server, "summer", word).await.code(), "coupon_not_found");
        assert_eq!(act(&server, "nothing", word).await.code(), "coupon_not_found");
    }
    assert_eq!(server.restock("summer", 5, "k").await.code(), "coupon_not_found");

    let all = json!({
        "name": "Winter", "total": 20, "per_user_limit": 3, "valid_for": "P1DT2H",
        "opens_at": "2030-01-01T09:00:00+09:00", "closes_at": "2030-01-02T00:00:00.5Z",
    });
    let etag = &created.headers["etag"];
    let patched = patch_if(&server, "summer", etag, &all).await;
    assert_eq!(patched.status, StatusCode::OK, "{patched:?}");
    let body = patched.json();
    assert_eq!((&body["name"], &body["total"]), (&json!("Winter"), &json!(20)));
    assert_eq!(
        (&body["per_user_limit"], &body["opens_at"]),
        (&json!(3), &json!("2030-01-01T00:00:00.000Z"))
    );
    assert_eq!(body["closes_at"], "2030-01-02T00:00:00.500Z");
    assert_eq!(body["valid_for"], "P1DT2H0M0S");
    assert_ne!(&patched.headers["etag"], etag);
    let stale = patch_if(&server, "summer", etag, &json!({ "total": 1 })).await;
    assert_eq!((stale.status.as_u16(), stale.code()), (412, "version_conflict".into()));
    let nulls = json!({ "valid_for": null, "opens_at": null, "closes_at": null });
    let body = patch(&server, "summer", &nulls).await.json();
    for field in ["valid_for", "opens_at", "closes_at"] {
        assert_eq!(body[field], json!(null), "null removes {field}");
    }
    assert_eq!((&body["name"], &body["total"]), (&json!("Winter"), &json!(20)));

    let delete = async |id: &str| {
        send(server.ask_as_admin(Method::DELETE, &format!("/admin/coupons/{id}"))).await.unwrap()
    };
    assert_eq!(delete("summer").await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete("summer").await.code(), "coupon_not_found");
    assert_eq!(create(&server, &definition).await.status, StatusCode::CREATED, "the id is free");
    assert_eq!(act(&server, "summer", "preload").await.json()["state"], "open");
    assert_eq!(delete("summer").await.code(), "not_draft");
    assert_balance(&server, "summer", &json!({ "total": 10, "remaining": 10 })).await;
}

#[tokio::test]
async fn a_list_of_coupons_comes_page_by_page_in_the_sequence_of_ids() {
    let (_dir, server) = server(&[]).await;
    let ids = ["A", "Z", "_", "a", "b-1", "b-10", "b-2"];
    for id in ids.iter().rev() {
        let created = create(&server, &json!({ "id": id, "name": id, "total": 1 })).await;
        assert_eq!(created.status, StatusCode::CREATED);
    }
    act(&server, "a", "preload").await;
    for limit in [1, 2, 3, 7, 100] {
        let (mut told, mut cursor) = (Vec::new(), String::new());
        loop {
            let page =
                server.get_as_admin(&format!("/admin/coupons?limit={limit}{cursor}")).await.json();
            let coupons = page["coupons"].as_array().unwrap();
            assert!(coupons.len() <= limit);
            for coupon in coupons {
                let state = if coupon["id"] == "a" { "open" } else { "draft" };
                assert_eq!(coupon["state"], state);
                told.push(coupon["id"].as_str().unwrap().to_owned());
            }
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(told, ids, "limit {limit}: bytewise, each once");
    }
}

#[tokio::test]
async fn a_preload_happens_once_however_often_and_from_how_many_sides_it_is_asked_for_i1() {
    let (_dir, server) = server(&[]).await;
    let definition = json!({ "id": "summer", "name": "Summer", "total": 100 });
    create(&server, &definition).await;
    let racing = (0..20).map(|_| act(&server, "summer", "preload"));
    for answer in futures_util::future::join_all(racing).await {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(
            (&answer.json()["state"], &answer.json()["total"]),
            (&json!("open"), &json!(100))
        );
    }
    assert_balance(&server, "summer", &json!({ "total": 100, "remaining": 100 })).await;
    server.issue("summer", "ada").await;
    server.restock("summer", 50, "more").await;
    act(&server, "summer", "pause").await;
    let again = act(&server, "summer", "preload").await;
    assert_eq!((again.status, &again.json()["state"]), (StatusCode::OK, &json!("paused")));
    assert_balance(&server, "summer", &json!({ "total": 150, "remaining": 149, "issued": 1 }))
        .await;
    assert_eq!(act(&server, "nothing", "preload").await.code(), "coupon_not_found");
}
