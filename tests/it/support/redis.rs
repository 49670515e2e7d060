//! A private Redis for one test: the same child that the embedded set-up starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firstcome::domain::generation::Durability;
use firstcome::embedded::LocalRedis;
use firstcome::redis::facts;
use firstcome::redis::generation::{Accepted, Life};
use firstcome::redis::{Redis, Settings};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue};
use rustix::process::Signal;

use super::processes::RedisEnd;

/// A private Redis and the product's handle to it.
pub struct PrivateRedis {
    /// The handle; its generation is published as accepted.
    pub redis: Redis,
    // They are dropped in this order.
    local: LocalRedis,
    _end: RedisEnd,
    _dir: tempfile::TempDir,
}

impl PrivateRedis {
    /// Starts an empty one, and accepts its generation as epoch 1.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let local = LocalRedis::start(dir.path(), None).await.unwrap();
        let redis = handle(local.url());
        let private = Self { redis, local, _end: RedisEnd::of(dir.path()), _dir: dir };
        private.accept().await;
        private
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        self.local.url()
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        self._dir.path()
    }

    /// Its current generation, as a prover would accept it.
    pub async fn accepted(&self) -> Accepted {
        let facts = facts::read(&self.redis).await.unwrap();
        Accepted {
            generation_no: 1,
            epoch: 1,
            run_id: facts.run_id,
            replid: facts.replid,
            durability: Durability::Always,
            installation_id: "a".repeat(32),
        }
    }

    /// Publishes its current generation.
    pub async fn accept(&self) {
        self.redis.generation().publish(Life::Proven(Arc::new(self.accepted().await)));
    }

    /// The folder of its append-only file.
    pub fn files(&self) -> PathBuf {
        self.dir().join("redis/appendonlydir")
    }

    /// Kills Redis with SIGKILL.
    pub async fn crash(&mut self) {
        let pid: u32 = self.info("process_id").await.parse().unwrap();
        super::processes::signal(pid, Signal::KILL);
        self.local.wait().await.unwrap();
    }

    /// Kills Redis with SIGKILL and starts it again on its data; a new generation.
    pub async fn crash_and_restart(&mut self) {
        self.crash_and_restart_with(|_| ()).await;
    }

    /// As [`PrivateRedis::crash_and_restart`], with something done to its files in between.
    pub async fn crash_and_restart_with(&mut self, meanwhile: impl FnOnce(&Path)) {
        self.crash().await;
        meanwhile(&self.files());
        self.restart().await;
    }

    /// Starts Redis again on its data, after [`PrivateRedis::crash`].
    pub async fn restart(&mut self) {
        self.local.restart().await.unwrap();
    }

    /// One line of INFO.
    pub async fn info(&self, name: &str) -> String {
        info_of(self.url(), name).await
    }

    /// Any command, over a connection of its own.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> T {
        command.query_async(&mut connect(self.url()).await).await.unwrap()
    }

    /// Everything in it: every key with its serialised value, in the order of the keys. If two of
    /// these are equal, nothing changed (I4).
    pub async fn world(&self) -> Vec<(String, Vec<u8>)> {
        let mut connection = connect(self.url()).await;
        let mut keys: Vec<String> =
            redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
        keys.sort();
        let mut world = Vec::new();
        for key in keys {
            let value = serialised(&key).query_async(&mut connection).await.unwrap();
            world.push((key, value));
        }
        world
    }
}

/// The file of this folder to which Redis appends: `appendonly.aof.<number>.incr.aof`.
pub fn newest_file(files: &Path) -> PathBuf {
    let number = |path: &PathBuf| -> Option<u64> {
        path.to_str()?.strip_suffix(".incr.aof")?.rsplit('.').next()?.parse().ok()
    };
    let paths = std::fs::read_dir(files).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| number(path).is_some()).max_by_key(number).unwrap()
}

/// A key's value as Redis serialises it; for a hash its sorted fields, because reading a hash can
/// move them.
pub fn serialised(key: &str) -> Cmd {
    const SCRIPT: &str = "
        if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return redis.call('DUMP', KEYS[1]) end
        local pairs, fields = redis.call('HGETALL', KEYS[1]), {}
        for i = 1, #pairs, 2 do fields[#fields + 1] = pairs[i] .. '\\0' .. pairs[i + 1] end
        table.sort(fields)
        return table.concat(fields, '\\0')";
    let mut eval = redis::cmd("EVAL");
    eval.arg(SCRIPT).arg(1).arg(key);
    eval
}

/// One line of the INFO of any Redis.
pub async fn info_of(url: &str, name: &str) -> String {
    let mut connection = connect(url).await;
    let text: String =
        redis::cmd("INFO").arg("everything").query_async(&mut connection).await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap().trim().to_owned()
}

/// The name and version of the server that the tests run, as the product shows it: `Redis 7.0.15`.
pub fn server_version() -> String {
    let told = std::process::Command::new("redis-server").arg("--version").output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let (name, rest) = told.split_once(" server v=").unwrap();
    format!("{name} {}", rest.split_whitespace().next().unwrap())
}

/// The product's handle to a Redis.
pub fn handle(url: &str) -> Redis {
    Redis::new(&Settings {
        url: url.to_owned(),
        authorities_pem: None,
        key_prefix: "fc".to_owned(),
        response_timeout: Duration::from_secs(5),
        pool_max_connections: 16,
    })
    .unwrap()
}

/// A connection of the test's own.
pub async fn connect(url: &str) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(10)))
        .set_response_timeout(Some(Duration::from_secs(10)));
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}
