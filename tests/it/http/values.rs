//! Values that the database refuses.

use reqwest::Method;
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, raw_sql};

use super::assert_problem;
use crate::support::postgres::fresh_database;
use crate::support::server::Server;

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
