//! The page of a coupon, which everybody reloads before an opening.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use firstcome::domain::time::UnixMs;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::eventually::eventually_holds;
use crate::support::raw;
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};

/// How long a balance is shown.
const LIFE: Duration = Duration::from_millis(200);
const PAGE: &str = "/coupons/summer";

/// How often Redis looked a balance up so far: no other script asks for a whole hash.
async fn look_ups(site: &Site) -> u128 {
    let figures = site.redis.info("cmdstat_hgetall").await;
    figures.strip_prefix("calls=").unwrap().split(',').next().unwrap().parse().unwrap()
}

/// The most look-ups that may begin within this time.
fn most_look_ups(time: Duration) -> u128 {
    time.as_millis() / LIFE.as_millis() + 2
}

fn instant(page: &Value, name: &str) -> UnixMs {
    UnixMs::parse(page[name].as_str().unwrap()).unwrap()
}

/// Reads the page until it says this of its state, and returns all that was read.
async fn read_until(server: &Server, state: &str) -> Vec<Value> {
    let mut pages = Vec::new();
    eventually_holds(state, async || {
        let page = server.get(PAGE).await.json();
        pages.push(page.clone());
        page["state"] == state
    })
    .await;
    pages
}

#[tokio::test]
async fn five_hundred_readers_at_one_time_cost_redis_a_few_look_ups() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[("FIRSTCOME_WORKERS", "2")]).await;
    server.prepare("summer", 10).await;
    server.get(PAGE).await;
    let (before, since) = (look_ups(&site).await, Instant::now());
    for answer in join_all((0..500).map(|_| server.get(PAGE))).await {
        assert_eq!((answer.status.as_u16(), &answer.json()["remaining"]), (200, &json!(10)));
    }
    let most = most_look_ups(since.elapsed());
    let seen = look_ups(&site).await - before;
    assert!(seen <= most, "{seen} look-ups, and not {most}");
}

#[tokio::test]
async fn the_page_opens_and_closes_at_its_instants_without_a_look_up() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let from_now = |ms: u64| UnixMs(i64::try_from(now).unwrap()).plus_ms(ms).to_string();
    let window = json!({ "id": "summer", "name": "S", "total": 10,
        "opens_at": from_now(1_500), "closes_at": from_now(2_500) });
    server.prepare_as(&window).await;
    let (before, since) = (look_ups(&site).await, Instant::now());
    let pages = read_until(&server, "closed").await;
    let (seen, most) = (look_ups(&site).await - before, most_look_ups(since.elapsed()));
    assert!(seen <= most, "{seen} look-ups, and not {most}");
    let mut times = BTreeSet::new();
    for page in &pages {
        let at = instant(page, "server_time");
        let state = match at {
            at if at < instant(page, "opens_at") => "scheduled",
            at if at < instant(page, "closes_at") => "open",
            _ => "closed",
        };
        assert_eq!(page["state"], state, "{page}");
        times.insert(at.0);
    }
    assert!(times.len() as u128 > 2 * seen, "the time goes on between {seen} look-ups: {times:?}");
    assert!(pages.iter().any(|page| page["state"] == "open"));
}

#[tokio::test]
async fn no_balance_is_shown_for_longer_than_its_life() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 1).await;
    assert_eq!(server.get(PAGE).await.json()["remaining"], 1);
    let ticket = server.issue("summer", "ada").await.json()["ticket"].clone();
    let issued_at = instant(&ticket, "issued_at");
    eventually_holds("the page without stock", async || {
        let since = Instant::now();
        let page = server.get(PAGE).await.json();
        let late = LIFE + since.elapsed() + Duration::from_millis(1);
        let late = issued_at.plus_ms(late.as_millis() as u64);
        let is_new = page["remaining"] == 0 && page["state"] == "sold_out";
        assert!(is_new || instant(&page, "server_time") <= late, "{page}, issued at {issued_at}");
        is_new
    })
    .await;
}

#[tokio::test]
async fn a_page_says_when_redis_has_gone_and_is_there_again_with_it() {
    let mut site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 1).await;
    assert_eq!(server.get(PAGE).await.status, 200);
    site.redis.crash().await;
    eventually_holds("the page is gone", async || {
        server.get(PAGE).await.code() == "redis_unavailable"
    })
    .await;
    site.redis.restart().await;
    eventually_holds("the page is back", async || server.get(PAGE).await.status == 200).await;
}

#[tokio::test]
async fn an_escaped_path_is_the_same_page() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 1).await;
    let draft = json!({ "id": "winter", "name": "W", "total": 1 });
    server.send_as_admin(Method::POST, "/admin/coupons", &draft).await;
    for [plain, escaped] in [
        [PAGE, "/coupons/%73ummer"],
        ["/coupons/summer?a=%zz", "/coupons/%73ummer?a=%zz"],
        ["/coupons/winter", "/coupons/%77inter"],
        ["/coupons/nothing", "/coupons/%6Eothing"],
        ["/coupons/mal.formed", "/coupons/mal%2Eformed"],
    ] {
        let mut told = Vec::new();
        for path in [plain, escaped] {
            let mut answer = raw::get(&server.public, path, b"X-Request-Id: one\r\n").await;
            assert!(answer.headers.remove("date").is_some());
            let mut body = answer.json();
            body.as_object_mut().unwrap().remove("server_time");
            told.push((answer.status, answer.headers, body));
        }
        assert_eq!(told[0], told[1], "{plain}");
    }
}
