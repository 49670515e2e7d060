//! PostgreSQL and Redis that accept connections and answer nothing.

use std::time::{Duration, Instant};

use firstcome::domain::limits::CONNECTION_WAIT;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::eventually::{eventually, eventually_holds};
use crate::support::postgres::OwnPostgres;
use crate::support::processes;
use crate::support::redis::PrivateRedis;
use crate::support::server::{Answer, Server, command};

/// A load balancer gives a probe a second or two, and takes out whoever is later.
const READYZ_MAX: Duration = Duration::from_millis(500);

/// A server between a Redis and a PostgreSQL that can be made to hang.
struct Ground {
    server: Server,
    postgres: OwnPostgres,
    database_url: String,
    redis_id: u32,
    redis: PrivateRedis,
    dir: tempfile::TempDir,
}

impl Ground {
    async fn start() -> Self {
        let (redis, postgres) = (PrivateRedis::start().await, OwnPostgres::start().await);
        let dir = tempfile::tempdir().unwrap();
        let database_url = postgres.url();
        let variables = [("REDIS_URL", redis.url()), ("DATABASE_URL", &database_url)];
        let server = Server::start(dir.path(), &variables).await.ready().await;
        server.prepare("summer", 100).await;
        let redis_id = redis.info("process_id").await.parse().unwrap();
        Self { server, postgres, database_url, redis_id, redis, dir }
    }

    /// What the server was started with.
    fn variables(&self) -> [(&str, &str); 2] {
        [("REDIS_URL", self.redis.url()), ("DATABASE_URL", &self.database_url)]
    }

    /// `/readyz`, which answers in time whatever it says.
    async fn readyz(&self) -> Answer {
        let since = Instant::now();
        let answer = self.server.get("/readyz").await;
        assert!(since.elapsed() < READYZ_MAX, "after {:?}: {}", since.elapsed(), answer.body);
        answer
    }

    /// Asks until `/readyz` says in this list that this server has been silent for this long.
    async fn silent(&self, list: &str, who: &str, at_least_s: u64) -> Answer {
        let beginning = format!("{who} has not answered for ");
        eventually(&beginning, async || {
            let answer = self.readyz().await;
            let told = answer.json();
            let mut sentences = told[list].as_array().unwrap().iter();
            let silent_s = |told: &Value| -> Option<u64> {
                let rest = told.as_str()?.strip_prefix(&beginning)?;
                rest.split(' ').next()?.parse().ok()
            };
            sentences.any(|told| silent_s(told) >= Some(at_least_s)).then_some(answer)
        })
        .await
    }

    /// Asks until nothing is said any more.
    async fn well(&self) {
        eventually("nothing to say", async || {
            let told = self.readyz().await.json();
            let is_empty = |list: &str| told[list].as_array().unwrap().is_empty();
            (is_empty("reasons") && is_empty("warnings")).then_some(())
        })
        .await;
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        processes::signal(self.redis_id, Signal::CONT);
    }
}

#[tokio::test]
async fn a_hung_database_is_a_warning_with_its_age_and_readyz_answers_at_once() {
    let ground = Ground::start().await;
    ground.well().await;
    ground.postgres.hang();
    let answer = ground.silent("warnings", "the database", 4).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(ground.server.issue("summer", "during").await.status, 200);
    ground.postgres.go_on();
    ground.well().await;
}

#[tokio::test]
async fn a_hung_redis_is_a_reason_and_readyz_answers_at_once() {
    let ground = Ground::start().await;
    ground.well().await;
    processes::signal(ground.redis_id, Signal::STOP);
    let answer = ground.silent("reasons", "Redis", 4).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    processes::signal(ground.redis_id, Signal::CONT);
    ground.well().await;
}

#[tokio::test]
async fn both_hung_are_told_and_readyz_answers_at_once() {
    let ground = Ground::start().await;
    ground.well().await;
    processes::signal(ground.redis_id, Signal::STOP);
    ground.postgres.hang();
    ground.silent("reasons", "Redis", 3).await;
    ground.silent("warnings", "the database", 3).await;
    ground.postgres.go_on();
    processes::signal(ground.redis_id, Signal::CONT);
    ground.well().await;
}

#[tokio::test]
async fn the_public_page_comes_from_memory_while_the_database_hangs() {
    let ground = Ground::start().await;
    let page = async || ground.server.get("/coupons/summer").await;
    assert_eq!(page().await.status, 200);
    ground.postgres.hang();
    ground.silent("warnings", "the database", 3).await;
    assert_eq!(ground.server.issue("summer", "during").await.status, 200);
    let since = Instant::now();
    let answer = page().await;
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!((answer.status.as_u16(), &answer.json()["remaining"]), (200, &json!(99)));
}

#[tokio::test]
async fn a_command_stops_a_coupon_at_once_while_the_database_hangs_i8() {
    let ground = Ground::start().await;
    ground.postgres.hang();
    for (verb, code) in [("pause", "paused"), ("close", "closed")] {
        let since = Instant::now();
        let mut command = command(ground.dir.path(), &ground.variables());
        let ended = command.args(["coupon", verb, "summer", "--now"]).output().unwrap();
        let text = String::from_utf8_lossy(&ended.stderr);
        // It would wait for a connection, and once more for the proof of a life of Redis.
        assert!(ended.status.success() && since.elapsed() < 2 * CONNECTION_WAIT, "{text}");
        assert_eq!(ground.server.issue("summer", "during").await.code(), code);
    }
    ground.postgres.go_on();
    eventually_holds("the row says the same", async || {
        ground.server.stats("summer").await["ok"] == true
    })
    .await;
}

#[tokio::test]
async fn a_command_stops_a_coupon_though_the_database_refuses_it_i8() {
    let ground = Ground::start().await;
    let nobody = ground.database_url.replace("firstcome@", "nobody@");
    let variables = [("REDIS_URL", ground.redis.url()), ("DATABASE_URL", &nobody)];
    let mut command = command(ground.dir.path(), &variables);
    let ended = command.args(["coupon", "pause", "summer", "--now"]).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && told.contains("going on without the database"), "{told}");
    assert_eq!(ground.server.issue("summer", "late").await.code(), "paused");
}

#[tokio::test]
async fn health_checks_that_hang_up_before_the_answer_leave_nothing_behind() {
    let ground = Ground::start().await;
    ground.postgres.hang();
    processes::signal(ground.redis_id, Signal::STOP);
    let address = ground.server.public.strip_prefix("http://").unwrap();
    let before = ground.server.open_files();
    for path in ["/readyz", "/healthz"].into_iter().cycle().take(200) {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
    }
    eventually_holds("all are closed", async || ground.server.open_files() <= before + 20).await;
}
