//! Why no ticket may be issued from this life of Redis (P2 step 7). A doubt carries the facts for
//! its sentence, and only this file makes the sentence. It is for operators: `/readyz` shows it,
//! and `docs/operate.md` says what to do.

/// Added where the heartbeat count in the data directory of this process cannot be used.
pub const OLDER_MAY_PASS: &str =
    "without it older data of Redis may look like a restart after an outage of the database";

/// A reason why this life of Redis is not proven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The prover has not looked at Redis yet.
    #[error("Redis was not checked yet")]
    NotLookedAt,
    #[error("Redis is not reachable: {0}")]
    Unreachable(String),
    #[error("{0}")]
    RefusedByRedis(String),
    /// The database does not answer, or cannot be used.
    #[error("this life of Redis cannot be proven without the database: {0}")]
    DatabaseAway(String),
    /// The database has not confirmed the generation for too long.
    #[error(
        "the database does not answer, and another Redis may have taken the place of this one: \
         its topology is replicated"
    )]
    Unconfirmed,
    #[error("Redis is still loading its data")]
    Loading,

    /// Its data came from the accepted one; every server first says what it told.
    #[error("it is checked whether this Redis has all that users were told")]
    Judging,
    /// Another server appended its generation first.
    #[error("another server is proving this life of Redis")]
    Overtaken,
    /// The generation that was proven here is no longer the last one in the database.
    #[error("another server accepted another life of Redis")]
    NoLongerLast,
    /// The count of heartbeats in Redis is lower than it was before.
    #[error("the heartbeat of Redis fell while it was counted")]
    HeartbeatFell,
    /// Redis reported another replid than a moment before.
    #[error("Redis changed while it was looked at")]
    Changed,

    /// The URL leads to a Sentinel.
    #[error(
        "REDIS_URL leads to a Redis Sentinel: it must be redis+sentinel://host,host/name, or lead \
         to the Redis server itself"
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
    #[error("Redis is a replica: REDIS_URL must lead to its master")]
    Replica,
    /// With this `maxmemory-policy` Redis can evict keys of this service.
    #[error("maxmemory-policy is {0}: an evicted key is lost stock; set it to noeviction")]
    Evicts(String),
    /// A failover is possible, and Redis accepts writes while it has no replica.
    #[error(
        "the topology is replicated, and Redis writes without a replica: set \
         min-replicas-to-write to 1 or more, and min-replicas-max-lag below the time of a failover"
    )]
    WritesAlone,

    /// Redis lacks commands, or has renamed them; this is the first one.
    #[error("Redis does not have the command {0}, or it was renamed")]
    LacksCommand(String),
    /// The ACL of the Redis user does not allow the keys of this service.
    #[error("Redis user {user} may not use the keys of this service: grant ~{prefix}:*")]
    KeysDenied {
        user: String,
        /// The prefix of all keys.
        prefix: String,
    },
    /// The ACL of the Redis user does not allow these commands.
    #[error("Redis user {user} may not run {}: grant {}", names(.commands), rules(.commands))]
    CommandsDenied {
        user: String,
        /// In the form of Redis's ACL rules, such as `time` or `xgroup|create`.
        commands: Vec<String>,
    },
    /// A command or script fails with this error.
    #[error("Redis cannot run {name}: {error}")]
    CannotRun {
        /// The command, or the file name of the script.
        name: String,
        error: String,
    },

    /// Redis has coupons, and the database has no generation.
    #[error("Redis holds coupons that this database does not know")]
    UnknownCoupons,
    /// Redis has the id of another installation.
    #[error("this Redis belongs to another installation")]
    OtherInstallation,
    #[error("Redis came back with older data: its heartbeat is behind what was counted")]
    Older,
    /// As [`Doubt::Older`], but another server has accepted this life meanwhile.
    #[error(
        "Redis came back with older data, and a server accepted it that had not counted as much \
         as this one"
    )]
    OlderAccepted,
    #[error("Redis was flushed while it ran: its heartbeat is behind what was counted")]
    Flushed,
    #[error("the data of Redis was replaced while it ran")]
    Replaced,
    #[error("Redis lacks tickets that the database has, or that this server told")]
    LacksTickets,
    /// Another Redis process answers, and it may be another server.
    #[error("Redis restarted or failed over, and its topology is replicated")]
    FailedOver,
    /// The data came from another master, or from an RDB file.
    #[error(
        "a replica may have been promoted, or Redis loaded an RDB file only: its master_replid2 \
         is set; put the old primary back, with its append-only file"
    )]
    Promoted,
    /// A promoted replica that was judged.
    #[error("a replica was promoted, and it may lack tickets that users were told of")]
    LacksPrefix,
    /// The process of Redis is new, and its data came from another process by a file.
    #[error(
        "a replica may have been promoted, or Redis loaded an RDB file only: it is a new process, \
         and its master_replid2 is set"
    )]
    Snapshot,
    /// This Redis process was already running when the previous one was last counted.
    #[error(
        "a replica may have been promoted: this Redis already ran when the previous one was \
         last counted; if it is the right one, a clock was wrong: restart it"
    )]
    RanBefore,
    /// Redis restarted, and may have lost its last tickets.
    #[error("Redis restarted, and appendfsync was or is not always")]
    Restarted,
    /// A server refused this process of Redis before, for a reason that can no longer be seen.
    #[error(
        "this process of Redis was refused before: it may be a replica that was promoted, or have \
         older data; the log of that server says why"
    )]
    RefusedBefore,
    /// The count in the data directory of this process cannot be read.
    #[error("cannot read {file}: {error}; {}", OLDER_MAY_PASS)]
    CountUnread { file: String, error: String },
    /// A short-lived process, such as a command, may not accept a new life of Redis.
    #[error(
        "a server must accept this life of Redis first ({reason}); a running server does so \
         within a second, or says why not"
    )]
    NotAccepted {
        /// Why a server would accept it.
        reason: &'static str,
    },
}

impl Doubt {
    /// Whether a recovery ends it: Redis may have forgotten something, and no other Redis can have
    /// taken its place that other servers still use. In a replicated topology a server that does
    /// not hear of the recovery stops issuing by itself ([`Doubt::Unconfirmed`]).
    pub fn may_be_recovered(&self) -> bool {
        matches!(
            self,
            Self::Older
                | Self::OlderAccepted
                | Self::Flushed
                | Self::LacksTickets
                | Self::LacksPrefix
                | Self::Snapshot
                | Self::Restarted
                | Self::FailedOver
        )
    }

    /// Whether an operator may take over this Redis in spite of the doubt. A Redis of another
    /// database is never taken over.
    pub fn may_be_accepted(&self) -> bool {
        let is_another =
            matches!(self, Self::Replaced | Self::Promoted | Self::RanBefore | Self::RefusedBefore);
        is_another || self.may_be_recovered()
    }
}

fn names(commands: &[String]) -> String {
    commands.join(", ").to_uppercase().replace('|', " ")
}

fn rules(commands: &[String]) -> String {
    commands.iter().map(|command| format!("+{command}")).collect::<Vec<_>>().join(" ")
}
