//! The exact rights that a user of Redis needs: the ACL line in the docs is enough, and if any part
//! of it is left out, an error names that part.

use std::path::Path;

use firstcome::domain::generation::Durability;
use firstcome::lua::dry_run::{Outcome, dry_run};
use firstcome::redis::facts;
use firstcome::redis::generation::Accepted;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::eventually::{eventually, eventually_holds};
use crate::support::plain_redis::PlainRedis;
use crate::support::redis::handle;
use crate::support::server::{Server, command, send};

/// The commands of the line in docs/operate.md, `+time` and so on.
fn documented() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operate.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, line) = page.split_once("ACL SETUSER firstcome ").unwrap();
    let line = line.split("```").next().unwrap().replace("\\\n", " ");
    line.split_whitespace().filter(|word| word.starts_with('+')).map(str::to_owned).collect()
}

/// A Redis that lets `m3` run this, and the URL by which `m3` uses it.
async fn narrow(rules: &[String]) -> (PlainRedis, String) {
    let redis = PlainRedis::start(&[]).await;
    let () = redis.ask(&format!("ACL SETUSER m3 on >pw ~fc:* {}", rules.join(" "))).await;
    let url = redis.url_of("m3", "pw");
    (redis, url)
}

/// A server with this prefix of keys, on a SQLite file of its own.
async fn with_prefix(dir: &Path, url: &str, prefix: &str) -> Server {
    let variables = [("REDIS_URL", url), ("FIRSTCOME_KEY_PREFIX", prefix)];
    Server::start(dir, &variables).await.ready().await
}

async fn accepted(redis: &PlainRedis) -> Accepted {
    let facts = facts::read(&handle(&redis.url)).await.unwrap();
    Accepted {
        generation_no: 1,
        epoch: 1,
        run_id: facts.run_id,
        replid: facts.replid,
        durability: Durability::Always,
        installation_id: "a".repeat(32),
    }
}

async fn assert_not_ready(server: &Server, sentence: &str) {
    eventually(&format!("/readyz to say {sentence:?}"), async || {
        let answer = server.get("/readyz").await;
        let is_refused = answer.status == StatusCode::SERVICE_UNAVAILABLE;
        (is_refused && answer.body.contains(sentence)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_user_of_the_docs_goes_the_whole_journey_on_a_database_with_a_number() {
    let (_redis, url) = narrow(&[documented(), vec!["+select".to_owned()]].concat()).await;
    let dir = tempfile::tempdir().unwrap();
    let url = format!("{url}/3");
    let variables = [("REDIS_URL", url.as_str())];
    let server = Server::start(dir.path(), &variables).await.ready().await;
    server.prepare("summer", 2).await;
    for user in ["ada", "bob"] {
        assert_eq!(server.issue("summer", user).await.status, StatusCode::OK);
    }
    assert_eq!(server.issue("summer", "eve").await.code(), "sold_out");
    assert_eq!(server.restock("summer", 3, "more").await.status, StatusCode::OK);
    for act in ["pause", "resume"] {
        let told = server.post_as_admin(&format!("/admin/coupons/summer/{act}")).await;
        assert_eq!(told.status, StatusCode::OK, "{act}: {}", told.body);
    }
    eventually_holds("rows", async || server.stats("summer").await["rows"] == 2).await;
    let cancelled = server.post_as_admin("/admin/tickets/summer.1/cancel").await;
    assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.body);
    let mine = server.ask(Method::GET, "/me/tickets").header("X-User-Id", "bob");
    assert_eq!(send(mine).await.unwrap().status, StatusCode::OK);
    let winners = server.get_as_admin("/admin/coupons/summer/winners").await;
    assert!(winners.body.contains("bob"), "{}", winners.body);

    // Another server takes over what the first one leaves behind.
    let issued = async || server.issue("summer", "carol").await.status == StatusCode::OK;
    eventually_holds("the held stock", issued).await;
    drop(server);
    let server = Server::start(dir.path(), &variables).await.ready().await;
    eventually_holds("carol's row", async || server.stats("summer").await["rows"] == 3).await;
    let closed = server.post_as_admin("/admin/coupons/summer/close").await;
    assert_eq!(closed.status, StatusCode::OK, "{}", closed.body);
    let audit = server.get("/coupons/summer/audit").await;
    assert_eq!(audit.json()["ok"], true, "{}", audit.body);
    let answer = server.issue("summer", "bob").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["firstcome-durability"], "everysec", "CONFIG is refused");
    assert_eq!(server.get("/readyz").await.json()["warnings"], json!([]));
}

#[tokio::test]
async fn every_right_of_the_docs_is_needed_and_named_when_it_is_missing() {
    let rights = documented();
    assert!(rights.len() > 20, "{rights:?}");
    let (redis, url) = narrow(&rights).await;
    let accepted = accepted(&redis).await;
    let user = handle(&url);
    assert_eq!(dry_run(&user, &accepted).await.unwrap(), Outcome::Ran);
    for right in &rights {
        let () = redis.ask(&format!("ACL SETUSER m3 -{}", &right[1..])).await;
        let Outcome::Denied(told) = dry_run(&user, &accepted).await.unwrap() else {
            panic!("{right} is not needed")
        };
        let named = right[1..].to_uppercase().replace('|', " ");
        assert_eq!(told.to_string(), format!("Redis user m3 may not run {named}: grant {right}"));
        let () = redis.ask(&format!("ACL SETUSER m3 {right}")).await;
    }
    let () = redis.ask("ACL SETUSER m3 resetkeys ~other:*").await;
    let Outcome::Denied(told) = dry_run(&user, &accepted).await.unwrap() else {
        panic!("its keys are not needed")
    };
    assert!(told.to_string().ends_with("grant ~fc:*"), "{told}");
    assert_eq!(redis.ask::<u64>("DBSIZE").await, 0, "nothing of it stays");
}

#[tokio::test]
async fn a_dry_run_notices_another_life_and_leaves_nothing_i4() {
    let redis = PlainRedis::start(&[]).await;
    let other = Accepted { replid: "0".repeat(40), ..accepted(&redis).await };
    let handle = handle(&redis.url);
    assert_eq!(dry_run(&handle, &other).await.unwrap(), Outcome::OtherGeneration);
    let () = redis.ask("CONFIG SET maxmemory 1").await;
    let full = dry_run(&handle, &accepted(&redis).await).await.unwrap_err();
    assert!(full.is_definite(), "{full}");
    assert_eq!(redis.ask::<u64>("DBSIZE").await, 0);
}

#[tokio::test]
async fn a_user_without_time_is_recovering_and_well_at_once_when_it_is_granted_i4() {
    let rights: Vec<String> = documented().into_iter().filter(|right| right != "+time").collect();
    let (redis, url) = narrow(&rights).await;
    let dir = tempfile::tempdir().unwrap();
    let variables = [("REDIS_URL", url.as_str())];
    let server = Server::start(dir.path(), &variables).await;
    assert_not_ready(&server, "Redis user m3 may not run TIME: grant +time").await;
    let doctor = command(dir.path(), &variables).arg("doctor").output().unwrap();
    assert_eq!(doctor.status.code(), Some(1));
    assert!(String::from_utf8(doctor.stdout).unwrap().contains("grant +time"));
    let new = json!({ "id": "summer", "name": "summer", "total": 5 });
    server.send_as_admin(Method::POST, "/admin/coupons", &new).await;
    let preload = server.post_as_admin("/admin/coupons/summer/preload").await;
    assert_eq!(preload.code(), "recovering", "{}", preload.body);
    let () = redis.ask("ACL SETUSER m3 +time").await;
    let server = server.ready().await;
    server.post_as_admin("/admin/coupons/summer/preload").await;
    assert_eq!(server.issue("summer", "ada").await.status, StatusCode::OK);

    // Rights change while it runs: refused users get an answer, and the reason is found.
    let () = redis.ask("ACL SETUSER m3 -time").await;
    let bob = server.issue("summer", "bob").await;
    assert_eq!(bob.code(), "recovering", "nothing happened, and that is known: {}", bob.body);
    assert_not_ready(&server, "Redis user m3 may not run TIME: grant +time").await;
    let () = redis.ask("ACL SETUSER m3 +time").await;
    let server = server.ready().await;
    let serial = server.issue("summer", "bob").await.json()["ticket"]["serial"].clone();
    assert_eq!(serial, 2);
}

#[tokio::test]
async fn a_redis_whose_config_was_renamed_away_counts_as_everysec() {
    let redis = PlainRedis::start(&["--rename-command", "CONFIG", ""]).await;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[("REDIS_URL", &redis.url)]).await.ready().await;
    assert_eq!(server.get("/readyz").await.json()["durability"], "everysec");
}

#[tokio::test]
async fn a_user_who_may_read_settings_is_told_the_level_that_is_in_force() {
    let (_redis, url) = narrow(&[documented(), vec!["+config|get".to_owned()]].concat()).await;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[("REDIS_URL", &url)]).await.ready().await;
    assert_eq!(server.get("/readyz").await.json()["durability"], "always");
    server.prepare("summer", 1).await;
    let answer = server.issue("summer", "ada").await;
    assert_eq!(answer.headers["firstcome-durability"], "always");
}

#[tokio::test]
async fn two_prefixes_in_one_redis_do_not_see_each_other_and_need_their_own_keys_only_i1_i3() {
    let redis = PlainRedis::start(&[]).await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let prefixes = ["a-b", "a"];
    let mut servers = Vec::new();
    for (dir, prefix) in dirs.iter().zip(prefixes) {
        let rules = documented().join(" ");
        let () = redis.ask(&format!("ACL SETUSER {prefix} on >pw ~{prefix}:* {rules}")).await;
        servers.push(with_prefix(dir.path(), &redis.url_of(prefix, "pw"), prefix).await);
    }
    // Before the other one has any coupon, and with the same id.
    for (server, total) in servers.iter().zip([2, 3]) {
        server.prepare("summer", total).await;
    }
    for (server, total) in servers.iter().zip([2, 3]) {
        for serial in 1..=total {
            let answer = server.issue("summer", &format!("u{serial}")).await;
            assert_eq!(answer.json()["ticket"]["serial"], serial, "{}", answer.body);
        }
        assert_eq!(server.issue("summer", "late").await.code(), "sold_out");
        let is_row = async || server.stats("summer").await["rows"] == total;
        eventually_holds("the rows", is_row).await;
    }
    let [one, two] = servers.as_slice() else { unreachable!() };
    for act in ["pause", "resume", "release", "close"] {
        let told = one.post_as_admin(&format!("/admin/coupons/summer/{act}")).await;
        assert_eq!(told.status, StatusCode::OK, "{act}: {}", told.body);
    }
    assert_eq!(two.restock("summer", 1, "more").await.status, StatusCode::OK);
    let issued = async || two.issue("summer", "late").await.status == StatusCode::OK;
    eventually_holds("the stock that came back", issued).await;
    for (server, state) in servers.iter().zip(["closed", "sold_out"]) {
        assert_eq!(server.get("/coupons/summer").await.json()["state"], state);
        let audit = server.get("/coupons/summer/audit").await;
        assert_eq!(audit.json()["ok"], true, "{}", audit.body);
        let readiness = server.get("/readyz").await;
        assert_eq!(readiness.json()["warnings"], json!([]), "{}", readiness.body);
    }
    let keys = redis.ask::<Vec<String>>("KEYS *").await;
    let of = |prefix: &str| keys.iter().filter(|key| key.starts_with(prefix)).count();
    assert_eq!(of("a-b:") + of("a:"), keys.len(), "{keys:?}");
    assert!(of("a-b:") > 4 && of("a:") > 4, "{keys:?}");
}
