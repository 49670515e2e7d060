//! Every verb once, alone with the data directory and beside its living owner.

use std::path::Path;

use firstcome::embedded::LocalRedis;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::packed::Place;
use crate::support::redis::{PrivateRedis, connect, server_version};
use crate::support::server::{Server, command};

use super::{done, listed, made, run, run_with};

#[tokio::test]
async fn every_verb_works_alone_with_the_data_directory_and_leaves_no_process_behind() {
    let dir = made(&[]).await;
    every_verb(dir.path(), None);
    assert_eq!(LocalRedis::attach(dir.path()).await, None);
}

#[tokio::test]
async fn every_verb_works_beside_the_living_owner_of_the_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    every_verb(dir.path(), Some(&server));
    assert_eq!(server.issue("summer", "ada").await.code(), "closed");
    done(dir.path(), "coupon create rush --total 2");
    done(dir.path(), "coupon preload rush");
    let told = server.issue("rush", "ada").await;
    assert_eq!(told.status, StatusCode::OK, "{told:?}");
    done(dir.path(), "coupon pause rush --now");
    assert_eq!(server.issue("rush", "eve").await.code(), "paused", "I8");
    done(dir.path(), "coupon resume rush");

    crate::support::eventually::eventually_holds("the row", async || {
        server.stats("rush").await["rows"] == 1
    })
    .await;
    let ticket = told.json()["ticket"].clone();
    let winners = done(dir.path(), "coupon winners rush --format ndjson");
    let mut expected = ticket.clone();
    expected["status"] = "accepted".into();
    assert_eq!(winners.json(), expected, "I10");
    assert!(done(dir.path(), "coupon winners rush").out.contains(ticket["code"].as_str().unwrap()));
    for _ in 0..2 {
        assert_eq!(done(dir.path(), "ticket cancel rush.1").out, "rush.1 is cancelled\n");
    }
    assert_eq!(server.issue("rush", "ada").await.code(), "ticket_cancelled");
    assert_eq!(run(dir.path(), "ticket cancel rush.2").code, Some(1));
    assert_eq!(done(dir.path(), "coupon stats rush").json()["cancelled"], 1);
    a_broken_balance_is_found(dir.path(), &server).await;
}

/// One unit of stock too many, as no script would ever leave it.
async fn a_broken_balance_is_found(dir: &Path, server: &Server) {
    let audit = done(dir, "audit rush").json();
    assert_eq!((&audit["ok"], &audit["faults"]), (&json!(true), &json!([])));
    let mut redis = connect(&LocalRedis::attach(dir).await.unwrap()).await;
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("*:coupon:rush:holders").query_async(&mut redis).await.unwrap();
    let stock: String =
        redis::cmd("HGET").arg(&keys[0]).arg("").query_async(&mut redis).await.unwrap();
    let place = Place::of("remaining").unwrap();
    let more = place.word(&stock).parse::<u64>().unwrap() + 1;
    let stock = place.replaced(&stock, &more.to_string());
    let mut set = redis::cmd("HSET");
    let () = set.arg(&keys[0]).arg("").arg(stock).query_async(&mut redis).await.unwrap();
    let broken = run(dir, "audit rush");
    assert_eq!((broken.code, &broken.json()["ok"]), (Some(1), &json!(false)), "I1");
    assert!(broken.err.contains("I1"), "{broken:?}");
    assert_eq!(done(dir, "coupon stats rush").json()["ok"], false, "stats tell, audit judges");
    let public = server.get("/coupons/rush/audit").await;
    assert_eq!((public.status, &public.json()["ok"]), (StatusCode::OK, &json!(false)));
    assert_eq!(run(dir, "audit nothing").code, Some(1));
}

/// The life of a coupon without tickets.
fn every_verb(dir: &Path, server: Option<&Server>) {
    done(dir, "migrate");
    let all = "coupon create summer --total 10 --name Summer --per-user-limit 2 --valid-for P7D \
               --opens-at 2020-01-01T00:00:00Z --closes-at 2099-01-01T00:00:00Z";
    let created = done(dir, all).json();
    assert_eq!((&created["state"], &created["valid_for"]), (&json!("draft"), &json!("P7D")));
    assert_eq!(run(dir, all).code, Some(1), "it exists");
    let bare = done(dir, "coupon create winter --total 5").json();
    assert_eq!((&bare["name"], &bare["per_user_limit"]), (&json!("winter"), &json!(1)));
    assert_eq!(done(dir, "coupon delete winter").out, "winter is deleted\n");
    for _ in 0..2 {
        assert_eq!(done(dir, "coupon preload summer").json()["state"], "open");
    }
    assert_eq!(listed(dir), ["summer open 10 Summer"]);
    assert_eq!(done(dir, "coupon show summer").json()["total"], 10);
    let stats = done(dir, "coupon stats summer").json();
    assert_eq!((&stats["remaining"], &stats["ok"]), (&json!(10), &json!(true)));

    let moved = done(dir, "coupon window summer --opens-at none --per-user-limit 3").json();
    assert_eq!((&moved["opens_at"], &moved["per_user_limit"]), (&json!(null), &json!(3)));
    assert_eq!(moved["closes_at"], "2099-01-01T00:00:00.000Z", "left alone");
    let restocked = json!({ "coupon_id": "summer", "version": 3, "total": 15, "remaining": 15 });
    for _ in 0..2 {
        let words = "coupon restock summer 5 --idempotency-key k1";
        assert_eq!(done(dir, words).json(), restocked, "the same key is the same act");
    }
    let taken = done(dir, "coupon restock summer -5").json();
    assert_eq!((&taken["total"], &taken["remaining"]), (&json!(10), &json!(10)));
    assert_eq!(run(dir, "coupon restock summer -11").code, Some(1), "below what is out");
    done(dir, "coupon pause summer");
    assert_eq!(done(dir, "coupon show summer").json()["state"], "paused");
    done(dir, "coupon resume summer");
    let released = done(dir, "coupon release summer --yes").json();
    assert_eq!(released["remaining"], 10, "nothing was withheld");
    done(dir, "coupon pause summer --now");
    done(dir, "coupon resume summer");
    assert_eq!(done(dir, "coupon winners summer").out.lines().count(), 1, "a header");
    assert_eq!(done(dir, "coupon winners summer --format ndjson").out, "");
    done(dir, "coupon close summer --now");
    assert_eq!(run(dir, "coupon resume summer").code, Some(1), "closed is for good (I7)");
    assert_eq!(run(dir, "coupon delete summer").code, Some(1), "no draft");
    assert_eq!(run(dir, "ticket cancel summer.1").code, Some(1), "no ticket");
    assert_eq!(done(dir, "audit summer").json()["ok"], true);
    let doctor = done(dir, "doctor");
    let lines: Vec<&str> = doctor.out.lines().collect();
    let versions = format!("versions: {}, SQLite 3.", server_version());
    let told = ["Redis: ", "database: ", "durability: always", &versions, "backlog: 0 "];
    let last = match server {
        Some(_) => "all is well",
        None => "nothing wrong was seen; no server runs here",
    };
    let told = told.into_iter().chain([last]);
    assert!(lines.iter().zip(told).all(|(line, begin)| line.starts_with(begin)), "{lines:?}");
    assert_eq!(lines.len(), 6, "beside {}: {lines:?}", server.is_some());
}

#[tokio::test]
async fn the_doctor_makes_keys_and_refuses_what_could_lose_a_ticket() {
    let dir = tempfile::tempdir().unwrap();
    let made: Vec<String> = (0..2).map(|_| done(dir.path(), "doctor --new-key").out).collect();
    assert_ne!(made[0], made[1]);
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "and does nothing else");
    let redis = PrivateRedis::start().await;
    let variables = [("REDIS_URL", redis.url()), ("FIRSTCOME_CODE_KEYS", made[0].trim())];
    let dir = self::made(&variables).await;
    let healthy = run_with(command(dir.path(), &variables), "doctor");
    assert_eq!(healthy.code, Some(0), "the key is of use: {healthy:?}");
    for (name, value, sentence) in [
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
        ("no-appendfsync-on-rewrite", "yes", "no-appendfsync-on-rewrite"),
        ("appendonly", "no", "appendonly is off"),
    ] {
        let told: Vec<String> = redis.ask(redis::cmd("CONFIG").arg("GET").arg(name)).await;
        let () = redis.ask(redis::cmd("CONFIG").arg("SET").arg(name).arg(value)).await;
        let ended = run_with(command(dir.path(), &variables), "doctor");
        assert_eq!(ended.code, Some(1), "{name}: {ended:?}");
        assert!(ended.out.contains(sentence), "{name}: {ended:?}");
        let () = redis.ask(redis::cmd("CONFIG").arg("SET").arg(name).arg(&told[1])).await;
    }
}
