//! What goes wrong, one thing after another.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use firstcome::domain::coupon::CouponId;
use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection};

use super::COUPON;
use super::part::{Fault, Part};
use super::random::Random;
use super::wires::Wires;
use crate::support::eventually::{eventually_holds, let_pass};
use crate::support::postgres::OwnPostgres;
use crate::support::processes;
use crate::support::proxy::Mode;
use crate::support::redis::PrivateRedis;
use crate::support::server::Server;

const SERVERS: usize = 3;
/// A connection of a user is cut before so many bytes: an answer has about 600.
const USERS_CUT_BYTES: u64 = 2_000;
/// Longer, so that a server can also begin connections and use them.
const SERVERS_CUT_BYTES: u64 = 6_000;

/// Where the servers listen right now: (users, admins).
#[derive(Clone, Default)]
pub struct Addresses(Arc<Mutex<Vec<(String, String)>>>);

impl Addresses {
    /// Where users may ask.
    pub fn any(&self, random: &mut Random) -> String {
        let known = self.0.lock().unwrap();
        known[random.below(known.len() as u64) as usize].0.clone()
    }

    /// Where admins may ask.
    pub fn any_admin(&self, random: &mut Random) -> String {
        let known = self.0.lock().unwrap();
        known[random.below(known.len() as u64) as usize].1.clone()
    }
}

/// The servers, and what they stand on.
pub struct Faults {
    redis: PrivateRedis,
    postgres: OwnPostgres,
    wires: Wires,
    servers: Vec<Server>,
    dirs: Vec<tempfile::TempDir>,
    addresses: Addresses,
    part: Part,
    random: Random,
    done: BTreeMap<Fault, u64>,
}

impl Faults {
    /// Starts everything.
    pub async fn start(part: Part, random: Random) -> Self {
        let (redis, postgres) = (PrivateRedis::start().await, OwnPostgres::start().await);
        let mut faults = Self {
            wires: Wires::before(&redis, &postgres),
            redis,
            postgres,
            servers: Vec::new(),
            dirs: (0..SERVERS).map(|_| tempfile::tempdir().unwrap()).collect(),
            addresses: Addresses::default(),
            part,
            random,
            done: BTreeMap::new(),
        };
        for number in 0..SERVERS {
            let server = faults.new_server(number).await;
            faults.wires.lead_to(number, &server);
            faults.servers.push(server);
        }
        faults.tell_addresses();
        for server in &faults.servers {
            ready(server).await;
        }
        faults
    }

    /// Where the servers listen, also after they were started again.
    pub fn addresses(&self) -> Addresses {
        self.addresses.clone()
    }

    /// One of the servers.
    pub fn any_server(&self) -> &Server {
        &self.servers[0]
    }

    /// The Redis of all servers.
    pub fn redis(&self) -> &PrivateRedis {
        &self.redis
    }

    /// What is between users, servers, Redis and the database.
    pub fn wires(&self) -> &Wires {
        &self.wires
    }

    /// How often each fault was done.
    pub fn done(&self) -> &BTreeMap<Fault, u64> {
        &self.done
    }

    /// One fault after another for this long.
    pub async fn run(&mut self, lasts: Duration) {
        let end = Instant::now() + lasts;
        while Instant::now() < end {
            let fault = self.part.choose(&mut self.random);
            self.step(fault).await;
            let calm_ms = 100 + self.random.below(900);
            let_pass(Duration::from_millis(calm_ms)).await;
        }
    }

    /// Each fault of the part once.
    pub async fn run_each(&mut self) {
        for (fault, _) in self.part.faults() {
            self.step(fault).await;
            let_pass(Duration::from_millis(500)).await;
        }
    }

    /// Waits until all servers are ready again; none of them ended by itself.
    pub async fn all_well(&mut self) {
        for server in &mut self.servers {
            assert!(server.is_alive(), "a server ended by itself");
            ready(server).await;
        }
    }

    async fn step(&mut self, fault: Fault) {
        let number = self.random.below(SERVERS as u64) as usize;
        let short_ms = 300 + self.random.below(3_000);
        let long_ms = 300 + self.random.below(8_000);
        let [short, long] = [short_ms, long_ms].map(Duration::from_millis);
        match fault {
            Fault::RedisStopped => self.stop_redis(short_ms).await,
            Fault::RedisKilled => self.redis.crash_and_restart().await,
            Fault::ScriptsFlushed => self.flush_scripts().await,
            Fault::FileRewritten => self.tell_redis(&["BGREWRITEAOF"]).await,
            Fault::ServerStopped => self.stop_server(number, long_ms).await,
            Fault::ServerKilled => self.kill_server(number).await,
            Fault::ServerEnded => self.end_server(number).await,
            Fault::DatabaseKilled => self.kill_postgres().await,
            Fault::DatabaseStopped => self.hang_postgres(long_ms).await,
            Fault::RedisConnectionsCut => {
                self.tell_redis(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
            }
            Fault::DatabaseConnectionsCut => self.cut_from_postgres().await,
            Fault::RepliesCut => self.wires.of_users(Mode::Cut(USERS_CUT_BYTES), long).await,
            Fault::RedisRepliesCut => {
                self.wires.to_redis(Mode::Cut(SERVERS_CUT_BYTES), short).await;
            }
            Fault::DatabaseRepliesCut => {
                self.wires.to_database(Mode::Cut(SERVERS_CUT_BYTES), short).await;
            }
            Fault::RepliesDelayed => {
                let later = Mode::Delayed(Duration::from_millis(self.random.below(300)));
                self.wires.of_any(later, short, &mut self.random).await;
            }
            Fault::HalfOpen => self.wires.of_any(Mode::HalfOpen, short, &mut self.random).await,
            Fault::BlackHole => self.wires.of_any(Mode::BlackHole, short, &mut self.random).await,
            Fault::RedisFlushed => self.lose(Self::flush).await,
            Fault::RedisEmptied => self.lose(Self::empty).await,
            Fault::CouponDeleted => self.lose(Self::delete_coupon).await,
        }
        *self.done.entry(fault).or_default() += 1;
    }

    async fn stop_redis(&mut self, ms: u64) {
        let id = self.redis.info("process_id").await.parse().unwrap();
        processes::signal(id, Signal::STOP);
        let_pass(Duration::from_millis(ms)).await;
        processes::signal(id, Signal::CONT);
    }

    async fn stop_server(&mut self, number: usize, ms: u64) {
        self.servers[number].signal(Signal::STOP);
        let_pass(Duration::from_millis(ms)).await;
        self.servers[number].signal(Signal::CONT);
    }

    async fn kill_server(&mut self, number: usize) {
        self.servers[number].kill();
        self.replace(number).await;
    }

    async fn end_server(&mut self, number: usize) {
        self.servers[number].terminate();
        let status = self.servers[number].ended().await;
        assert!(status.success(), "{status}");
        self.replace(number).await;
    }

    async fn kill_postgres(&mut self) {
        tokio::task::block_in_place(|| self.postgres.crash_and_restart());
    }

    async fn hang_postgres(&mut self, ms: u64) {
        self.postgres.hang();
        let_pass(Duration::from_millis(ms)).await;
        self.postgres.go_on();
    }

    async fn cut_from_postgres(&self) {
        let mut connection = PgConnection::connect(&self.postgres.url()).await.unwrap();
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }

    /// Loses data, and waits until the servers issue again: those that die together with Redis may
    /// have told tickets that nobody else knows.
    async fn lose(&mut self, how: impl AsyncFnOnce(&mut Self)) {
        how(self).await;
        for server in &self.servers {
            eventually_holds("the coupon is recovered", async || {
                let page = server.get(&format!("/coupons/{COUPON}")).await;
                page.status == 200 && page.json()["state"] != "recovering"
            })
            .await;
            ready(server).await;
        }
    }

    async fn flush(&mut self) {
        self.tell_redis(&["FLUSHALL"]).await;
    }

    async fn empty(&mut self) {
        let forget = |dir: &Path| std::fs::remove_dir_all(dir).unwrap();
        self.redis.crash_and_restart_with(forget).await;
    }

    async fn delete_coupon(&mut self) {
        let id = CouponId::parse(COUPON).unwrap();
        let keys = self.redis.redis.keys();
        self.tell_redis(&["DEL", &keys.coupon(&id), &keys.holders(&id)]).await;
    }

    async fn flush_scripts(&mut self) {
        for _ in 0..20 {
            self.tell_redis(&["SCRIPT", "FLUSH"]).await;
            let_pass(Duration::from_millis(20)).await;
        }
    }

    async fn tell_redis(&self, words: &[&str]) {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let _: redis::Value = self.redis.ask(&command).await;
    }

    async fn replace(&mut self, number: usize) {
        let server = self.new_server(number).await;
        self.wires.lead_to(number, &server);
        self.servers[number] = server;
        self.tell_addresses();
    }

    async fn new_server(&self, number: usize) -> Server {
        let url = self.wires.database_url();
        let variables = [
            ("REDIS_URL", self.wires.redis_url()),
            ("DATABASE_URL", url.as_str()),
            ("FIRSTCOME_RECOVERY", "auto"),
        ];
        let dir = self.dirs[number].path();
        // It waits for the first words of the server with its whole thread.
        tokio::task::block_in_place(|| Server::start_now(dir, &variables))
    }

    fn tell_addresses(&self) {
        let admins = self.servers.iter().map(|server| server.admin.clone());
        let told = self.wires.addresses().zip(admins);
        *self.addresses.0.lock().unwrap() = told.collect();
    }
}

async fn ready(server: &Server) {
    eventually_holds("readiness", async || server.get("/readyz").await.status == 200).await;
}
