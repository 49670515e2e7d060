//! Why nothing may be issued from this life of Redis (P2 step 7). A doubt carries the facts that
//! its sentence needs, and the sentence is made here and nowhere else. It is for operators:
//! `/readyz` says it, and `docs/operate.md` tells what to do.

/// What is added where the count of this process's data directory cannot be used.
pub const OLDER_MAY_PASS: &str =
    "without it older data of Redis may look like a restart after an outage of the database";

/// A reason why this life of Redis is not proven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The prover has not looked yet.
    #[error("Redis was not checked yet")]
    NotLookedAt,
    /// Redis does not answer.
    #[error("Redis is not reachable: {0}")]
    Unreachable(String),
    /// Redis answers with an error.
    #[error("{0}")]
    RefusedByRedis(String),
    /// The database does not answer, or does not suit.
    #[error("this life of Redis cannot be proven without the database: {0}")]
    DatabaseAway(String),
    /// Redis has not read all of its data.
    #[error("Redis is still loading its data")]
    Loading,

    /// Another server appended its generation first.
    #[error("another server is proving this life of Redis")]
    Overtaken,
    /// The generation that was proven here is no longer the last one in the database.
    #[error("another server accepted another life of Redis")]
    NoLongerLast,
    /// Redis counts fewer heartbeats than were counted before.
    #[error("the heartbeat of Redis fell while it was counted")]
    HeartbeatFell,
    /// Redis told another replid than a moment before.
    #[error("Redis changed while it was looked at")]
    Changed,

    /// The URL leads to a Sentinel.
    #[error(
        "REDIS_URL leads to a Redis Sentinel: it must lead to the Redis server itself; Sentinel \
         is not supported"
    )]
    Sentinel,
    /// The URL leads to a node of a cluster.
    #[error(
        "Redis is a node of a Redis Cluster, which is not supported: use a Redis with \
         cluster-enabled no"
    )]
    ClusterNode,
    /// The server, by its name and version, lacks commands that are needed.
    #[error("{0} is too old: 7.0 or later is needed")]
    TooOld(String),
    /// The server follows a master.
    #[error("Redis is a replica: REDIS_URL must lead to its master")]
    Replica,
    /// With this `maxmemory-policy` keys of ours can be evicted.
    #[error("maxmemory-policy is {0}: an evicted key is lost stock; set it to noeviction")]
    Evicts(String),
    /// A failover is expected, and Redis writes while no replica follows.
    #[error(
        "the topology is replicated, and Redis writes without a replica: set \
         min-replicas-to-write to 1 or more, and min-replicas-max-lag below the time of a failover"
    )]
    WritesAlone,

    /// Redis lacks commands, or knows them under other names; this is the first one.
    #[error("Redis does not have the command {0}, or it was renamed")]
    LacksCommand(String),
    /// The user of Redis may not use our keys.
    #[error("Redis user {user} may not use the keys of this service: grant ~{prefix}:*")]
    KeysDenied {
        /// The name of the user.
        user: String,
        /// What all keys begin with.
        prefix: String,
    },
    /// The user of Redis may not run these commands.
    #[error("Redis user {user} may not run {}: grant {}", names(.commands), rules(.commands))]
    CommandsDenied {
        /// The name of the user.
        user: String,
        /// As the rules of Redis write them, `time` or `xgroup|create`.
        commands: Vec<String>,
    },
    /// A command or script ends with this error.
    #[error("Redis cannot run {name}: {error}")]
    CannotRun {
        /// The command, or the script with its ending.
        name: String,
        /// What Redis says.
        error: String,
    },

    /// Redis holds coupons, and the database knows no generation.
    #[error("Redis holds coupons that this database does not know")]
    UnknownCoupons,
    /// The data of Redis is behind what was counted.
    #[error("Redis came back with older data: its heartbeat is behind what was counted")]
    Older,
    /// As [`Doubt::Older`], but a server accepted it meanwhile.
    #[error(
        "Redis came back with older data, and a server accepted it that had not counted as much \
         as this one"
    )]
    OlderAccepted,
    /// The data was deleted under the same process of Redis.
    #[error("Redis was flushed while it ran: its heartbeat is behind what was counted")]
    Flushed,
    /// The data was exchanged under the same process of Redis.
    #[error("the data of Redis was replaced while it ran")]
    Replaced,
    /// Tickets are missing in Redis.
    #[error("Redis lacks tickets that the database has")]
    LacksTickets,
    /// Another process is there, and may be another server.
    #[error("Redis restarted or failed over, and its topology is replicated")]
    FailedOver,
    /// The data was another master's, or an RDB file's.
    #[error(
        "a replica may have been promoted, or Redis loaded an RDB file only: its master_replid2 \
         is set; put the old primary back, with its append-only file"
    )]
    Promoted,
    /// The process ran already when the last one was counted.
    #[error(
        "a replica may have been promoted: this Redis already ran when the previous one was \
         last counted; if it is the right one, a clock was wrong: restart it"
    )]
    RanBefore,
    /// Redis restarted, and may have forgotten its last tickets.
    #[error("Redis restarted, and appendfsync was or is not always")]
    Restarted,
    /// A server refused this process of Redis for what can no longer be seen.
    #[error(
        "this process of Redis was refused before: it may be a replica that was promoted, or have \
         older data; the log of that server says why"
    )]
    RefusedBefore,
    /// What this process's data directory keeps is not known.
    #[error("cannot read {file}: {error}; {}", OLDER_MAY_PASS)]
    CountUnread {
        /// The file.
        file: String,
        /// What the operating system says.
        error: String,
    },
    /// A process that comes and goes may not accept a new life of Redis.
    #[error(
        "a server must accept this life of Redis first ({reason}); a running server does so \
         within a second, or says why not"
    )]
    NotAccepted {
        /// Why it would be accepted.
        reason: &'static str,
    },
}

fn names(commands: &[String]) -> String {
    commands.join(", ").to_uppercase().replace('|', " ")
}

fn rules(commands: &[String]) -> String {
    commands.iter().map(|command| format!("+{command}")).collect::<Vec<_>>().join(" ")
}
