//! What a Redis server reports about itself: its identity, and how it keeps its data.

use ::redis::{Cmd, FromRedisValue, cmd};

use super::{Error, Redis, Result};
use crate::domain::doubt::Doubt;
use crate::domain::generation::{Durability, Generation};

/// The first version in which a script's first line can set flags (`allow-oom`, `no-writes`).
const VERSION_MIN: u64 = 7;
/// From here on the use of memory is a warning.
const MEMORY_NEAR_PERCENT: u64 = 90;

/// What a server reports at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its name and version.
    pub version: String,
    /// The major version of Redis with which it is compatible; Valkey reports one too.
    pub major_version: u64,
    /// `redis_mode`, or `server_mode` of Valkey: `standalone`, `cluster` or `sentinel`.
    pub mode: String,
    /// `run_id`: a new one for every process.
    pub run_id: String,
    /// `master_replid`: a new one for every start and promotion.
    pub replid: String,
    /// `master_replid2`: whose data it had before; all zero when it was never another master's.
    pub replid2: String,
    /// How long this process has been running, in whole seconds.
    pub uptime_s: u64,
    pub connected_replicas: u64,
    /// Whether it refuses writes while too few replicas follow (`min-replicas-…`).
    pub waits_for_replicas: bool,
    pub is_master: bool,
    pub is_loading: bool,
    /// How it is set to write its append-only file; [`Facts::level_after`] says what is in force.
    pub durability: Durability,
    /// Whether it is rewriting the append-only file now, or the last rewrite failed.
    pub is_rewriting: bool,
    /// Whether this process ever had a complete append-only file, by a rewrite or by loading one.
    pub has_whole_file: bool,
    /// Whether the durability could be read. Managed Redis often refuses CONFIG; then the weaker
    /// level is assumed.
    pub durability_is_read: bool,
    pub last_write_ok: bool,
    pub last_snapshot_ok: bool,
    /// Memory in use, in percent of `maxmemory`; 0 without `maxmemory`.
    pub memory_percent: u64,
    /// `maxmemory-policy`.
    pub eviction_policy: String,
    /// Whether `no-appendfsync-on-rewrite yes` silently disables the level during a rewrite; `None`
    /// when CONFIG is refused.
    pub skips_fsync_on_rewrite: Option<bool>,
}

impl Facts {
    /// Whether it is the process of this generation, with the same data.
    pub fn is_life(&self, generation: &Generation) -> bool {
        (&self.run_id, &self.replid) == (&generation.run_id, &generation.replid)
    }

    /// Whether the data was never another master's.
    pub fn replid2_is_zero(&self) -> bool {
        self.replid2.bytes().all(|byte| byte == b'0')
    }

    /// The durability level in force. `before` is the level that was in force in the same life;
    /// `None` for a new life. After `CONFIG SET appendonly yes` nothing is on disk until the first
    /// rewrite has ended, and INFO shows that rewrite like any other one.
    pub fn level_after(&self, before: Option<Durability>) -> Durability {
        match before {
            _ if !self.is_rewriting => self.durability,
            Some(before) => self.durability.max(before),
            None if self.has_whole_file => self.durability,
            None => Durability::None,
        }
    }

    /// Why no ticket may be issued from a server that is operated like this. `is_replicated` means
    /// that a failover may replace it by another server.
    pub fn unfit(&self, is_replicated: bool) -> Option<Doubt> {
        if self.mode == "sentinel" {
            return Some(Doubt::Sentinel);
        }
        if self.mode != "standalone" {
            return Some(Doubt::ClusterNode);
        }
        if self.major_version < VERSION_MIN {
            return Some(Doubt::TooOld(self.version.clone()));
        }
        if !self.is_master {
            return Some(Doubt::Replica);
        }
        // Our keys never expire, so the volatile policies evict none of them.
        if self.eviction_policy.starts_with("allkeys") {
            return Some(Doubt::Evicts(self.eviction_policy.clone()));
        }
        (is_replicated && !self.waits_for_replicas).then_some(Doubt::WritesAlone)
    }

    /// The sentence about replicas that the settings do not expect: a failover to one of them would
    /// not always be noticed.
    pub fn unforeseen_replicas(&self, is_replicated: bool) -> Option<String> {
        let has_some = self.connected_replicas > 0 && !is_replicated;
        has_some.then(|| {
            format!(
                "Redis has {} replica{}, and FIRSTCOME_REDIS_TOPOLOGY is single: a failover could \
                 lose issued tickets unnoticed; set it to replicated, or detach them",
                self.connected_replicas,
                if self.connected_replicas == 1 { "" } else { "s" },
            )
        })
    }

    /// What must be fixed before tickets can be issued, each in a sentence.
    pub fn faults(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if !self.last_write_ok {
            sentences.push("Redis cannot write its append-only file; is its disk full?".to_owned());
        }
        sentences
    }

    /// Settings with which a crash could lose a ticket, each in a sentence.
    pub fn unsafe_settings(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if self.durability == Durability::None {
            let sentence = "appendonly is off, or appendfsync is no: a crash loses issued tickets";
            sentences.push(sentence.to_owned());
        }
        if self.skips_fsync_on_rewrite == Some(true) {
            sentences.push("no-appendfsync-on-rewrite yes voids appendfsync silently".to_owned());
        }
        if self.eviction_policy.starts_with("volatile") {
            sentences.push(format!(
                "maxmemory-policy is {}: it evicts none of our keys, which never expire, but those \
                 of others; set it to noeviction",
                self.eviction_policy
            ));
        }
        sentences
    }

    /// What will stop it from writing unless it is fixed, each in a sentence.
    pub fn strains(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if self.memory_percent >= MEMORY_NEAR_PERCENT {
            sentences.push(format!(
                "Redis uses {} % of its maxmemory; at 100 % it refuses every ticket",
                self.memory_percent
            ));
        }
        if !self.last_snapshot_ok {
            sentences.push("the last snapshot of Redis failed; is its disk full?".to_owned());
        }
        sentences
    }
}

/// Reads the facts.
///
/// # Errors
/// Those of any call; [`Error::Malformed`] when INFO lacks a line.
pub async fn read(redis: &Redis) -> Result<Facts> {
    let mut connection = redis.pooled().await?;
    let info: String = ask(&mut connection, &cmd("INFO")).await?;
    let line = |name: &'static str| -> Result<&str> {
        let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.map(str::trim).ok_or(Error::Malformed(name))
    };
    // Valkey has another name for it.
    let mode = line("redis_mode").or_else(|_| line("server_mode"))?;
    // A Sentinel has no data, so it lacks these lines.
    let of_data = |name| if mode == "sentinel" { Ok("") } else { line(name) };
    let appendfsync = config(&mut connection, "appendfsync").await?;
    let skips_fsync_on_rewrite = config(&mut connection, "no-appendfsync-on-rewrite").await?;
    let skips_fsync_on_rewrite = skips_fsync_on_rewrite.map(|value| value == "yes");
    let durability = match (of_data("aof_enabled")?, appendfsync.as_deref()) {
        // A rewrite would silently disable the level.
        ("1", Some("always")) if skips_fsync_on_rewrite == Some(true) => Durability::Everysec,
        ("1", Some("always")) => Durability::Always,
        ("1", Some("everysec") | None) => Durability::Everysec,
        _ => Durability::None,
    };
    let uptime_s = line("uptime_in_seconds")?.parse();
    // Not every server of this protocol reports these numbers.
    let number = |name| line(name).ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    // The same computation as in Redis, before it refuses a write.
    let in_use = number("used_memory").saturating_sub(number("mem_not_counted_for_evict"));
    // Without an append-only file INFO has no line of its size.
    let whole_file_bytes = line("aof_base_size").unwrap_or("0");
    Ok(Facts {
        version: match line("valkey_version") {
            Ok(version) => format!("Valkey {version}"),
            Err(_) => format!("Redis {}", line("redis_version")?),
        },
        major_version: major_of(line("redis_version")?),
        mode: mode.to_owned(),
        run_id: line("run_id")?.to_owned(),
        replid: of_data("master_replid")?.to_owned(),
        uptime_s: uptime_s.map_err(|_| Error::Malformed("uptime_in_seconds"))?,
        replid2: of_data("master_replid2")?.to_owned(),
        // This line exists only if `min-replicas-to-write` and `min-replicas-max-lag` are set.
        waits_for_replicas: line("min_slaves_good_slaves").is_ok(),
        is_master: of_data("role")? == "master",
        is_loading: of_data("loading")? != "0",
        durability,
        is_rewriting: of_data("aof_rewrite_in_progress")? != "0"
            || of_data("aof_rewrite_scheduled")? != "0"
            || of_data("aof_last_bgrewrite_status")? != "ok",
        has_whole_file: whole_file_bytes != "0",
        connected_replicas: number("connected_slaves"),
        durability_is_read: appendfsync.is_some(),
        last_write_ok: of_data("aof_last_write_status")? == "ok",
        last_snapshot_ok: line("rdb_last_bgsave_status").is_ok_and(|status| status == "ok"),
        memory_percent: (in_use * 100).checked_div(number("maxmemory")).unwrap_or(0),
        eviction_policy: of_data("maxmemory_policy")?.to_owned(),
        skips_fsync_on_rewrite,
    })
}

/// The heartbeat count in Redis; 0 when there is none.
///
/// # Errors
/// Those of any call.
pub async fn heartbeat(redis: &Redis) -> Result<u64> {
    let mut connection = redis.pooled().await?;
    let count: Option<u64> = ask(&mut connection, cmd("GET").arg(redis.keys().heartbeat())).await?;
    Ok(count.unwrap_or(0))
}

/// The installation to which this Redis belongs, if it was ever used.
///
/// # Errors
/// Those of any call.
pub async fn installation_id(redis: &Redis) -> Result<Option<String>> {
    let mut connection = redis.pooled().await?;
    ask(&mut connection, cmd("GET").arg(redis.keys().installation())).await
}

/// The first number of a version; 0 when the text is not a version.
fn major_of(version: &str) -> u64 {
    version.split('.').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// A setting; `None` where CONFIG is not allowed or unknown. Every other failure is an error: a
/// Redis that hangs must not look like one with a weaker level.
async fn config(connection: &mut deadpool_redis::Connection, name: &str) -> Result<Option<String>> {
    let pair: Result<Vec<String>> = ask(connection, cmd("CONFIG").arg("GET").arg(name)).await;
    match pair {
        Ok(pair) => Ok(pair.into_iter().nth(1)),
        Err(Error::Refused(error)) if matches!(error.code(), Some("NOPERM" | "ERR")) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn ask<T: FromRedisValue>(
    connection: &mut deadpool_redis::Connection,
    question: &Cmd,
) -> Result<T> {
    question.query_async(connection).await.map_err(Error::of_call)
}
