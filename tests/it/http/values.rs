//! Values that the database refuses.

use reqwest::Method;
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, raw_sql};

use super::assert_problem;
use crate::support::eventually::eventually_holds;
use crate::support::postgres::fresh_database;
use crate::support::server::{Server, send};

#[tokio::test]
async fn a_value_that_the_database_refuses_is_422_and_no_outage() {
    let url = fresh_database().await;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[("DATABASE_URL", &url)]).await.ready().await;
    // The house refuses first what no database can hold; this one has a rule of its own.
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let rule = "ALTER TABLE coupons ADD CONSTRAINT no_winter CHECK (name <> 'Winter')";
    raw_sql(rule).execute(&mut owner).await.unwrap();
    let winter = json!({ "id": "summer", "name": "Winter", "total": 1 });
    let refused = server.send_as_admin(Method::POST, "/admin/coupons", &winter).await;
    assert_problem("create", &refused, 422, "validation_failed");
    assert!(refused.body.contains("no_winter"), "{}", refused.body);
    server.prepare("summer", 1).await;
    let name = json!({ "name": "Winter" });
    let refused = server.send_as_admin(Method::PATCH, "/admin/coupons/summer", &name).await;
    assert_problem("rename", &refused, 422, "validation_failed");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_500_and_no_outage_and_others_are_shown() {
    let url = fresh_database().await;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[("DATABASE_URL", &url)]).await.ready().await;
    for coupon in ["summer", "winter"] {
        server.prepare(coupon, 1).await;
        assert_eq!(server.issue(coupon, "ada").await.status, 200);
        let is_row = async || server.stats(coupon).await["rows"] == 1;
        eventually_holds("the row", is_row).await;
    }
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let damage = "UPDATE coupons SET kind = 'lottery' WHERE id = 'summer';
                  UPDATE tickets SET epoch = -1 WHERE coupon_id = 'winter'";
    raw_sql(damage).execute(&mut owner).await.unwrap();
    for path in [
        "/admin/coupons/summer",
        "/admin/coupons/summer/stats",
        "/admin/coupons/summer/winners",
        "/admin/coupons/winter/winners",
    ] {
        assert_problem(path, &server.get_as_admin(path).await, 500, "internal");
    }
    let restock = server.restock("summer", 1, "more").await;
    assert_problem("restock", &restock, 500, "internal");
    let mine = server.ask(Method::GET, "/tickets/winter.1").header("X-User-Id", "ada");
    assert_problem("a ticket", &send(mine).await.unwrap(), 500, "internal");
    assert_eq!(server.get_as_admin("/admin/coupons/winter").await.status, 200);
    // No row is read for it.
    assert_eq!(server.issue("summer", "ada").await.status, 200);
}
