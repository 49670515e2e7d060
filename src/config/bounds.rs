//! The bounds that an operator may change. Each name contains its unit.

use std::time::Duration;

use clap::Args;

use crate::domain::limits::{
    ARCHIVE_AFTER_DAYS, BACKLOG_MAX_TICKETS, BATCH_MAX_AGE, BATCH_MAX_TICKETS, GROUP_MAX_REQUESTS,
    QUEUE_MAX_REQUESTS,
};

/// The bounds that an operator may change.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Bounds")]
pub struct Bounds {
    /// Threads that serve users [default: the number of cores]
    #[arg(
        long,
        env = "FIRSTCOME_WORKERS",
        value_parser = clap::value_parser!(u16).range(1..=256),
        global = true
    )]
    pub workers: Option<u16>,

    /// Requests that may wait in the queue of one worker; further ones get `overloaded`
    #[arg(
        long,
        env = "FIRSTCOME_QUEUE_MAX_REQUESTS",
        default_value_t = QUEUE_MAX_REQUESTS as u64,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000),
        global = true
    )]
    pub queue_max_requests: u64,

    /// How long a request may wait in the queue; after that it gets `overloaded` and is not sent to
    /// Redis [default: half of the Redis time-out]
    #[arg(
        long,
        env = "FIRSTCOME_QUEUE_MAX_WAIT_MS",
        value_parser = clap::value_parser!(u64).range(1..=30_000),
        global = true
    )]
    pub queue_max_wait_ms: Option<u64>,

    /// Requests that one script call answers
    #[arg(
        long,
        env = "FIRSTCOME_GROUP_MAX_REQUESTS",
        default_value_t = GROUP_MAX_REQUESTS as u64,
        value_parser = clap::value_parser!(u64).range(1..=GROUP_MAX_REQUESTS as u64),
        global = true
    )]
    pub group_max_requests: u64,

    /// Tickets of a shard that may wait for the database; beyond it requests get `backlog_full`
    #[arg(
        long,
        env = "FIRSTCOME_BACKLOG_MAX_TICKETS",
        default_value_t = BACKLOG_MAX_TICKETS,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000_000),
        global = true
    )]
    pub backlog_max_tickets: u64,

    /// How long to wait for Redis to answer a call; after that its outcome is unknown
    #[arg(
        long,
        env = "FIRSTCOME_REDIS_TIMEOUT_MS",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u64).range(10..=60_000),
        global = true
    )]
    pub redis_timeout_ms: u64,

    /// How long requests wait for Redis to come back before they get `recovering`
    #[arg(
        long,
        env = "FIRSTCOME_REOPEN_WAIT_MS",
        default_value_t = 250,
        value_parser = clap::value_parser!(u64).range(0..=10_000),
        global = true
    )]
    pub reopen_wait_ms: u64,

    /// Pooled connections to Redis, for everything but issuing; 4 more are reserved for the
    /// background loops
    #[arg(
        long,
        env = "FIRSTCOME_REDIS_POOL_MAX_CONNECTIONS",
        default_value_t = 16,
        value_parser = clap::value_parser!(u64).range(2..=1_024),
        global = true
    )]
    pub redis_pool_max_connections: u64,

    /// Connections to the database
    #[arg(
        long,
        env = "FIRSTCOME_DATABASE_POOL_MAX_CONNECTIONS",
        default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(2..=1_024),
        global = true
    )]
    pub database_pool_max_connections: u32,

    /// Tickets that the persister writes in one transaction
    #[arg(
        long,
        env = "FIRSTCOME_BATCH_MAX_TICKETS",
        default_value_t = BATCH_MAX_TICKETS as u64,
        value_parser = clap::value_parser!(u64).range(1..=BATCH_MAX_TICKETS as u64),
        global = true
    )]
    pub batch_max_tickets: u64,

    /// How long the persister collects a batch that is less than half full
    #[arg(
        long,
        env = "FIRSTCOME_BATCH_MAX_AGE_MS",
        default_value_t = BATCH_MAX_AGE.as_millis() as u64,
        value_parser = clap::value_parser!(u64).range(0..=1_000),
        global = true
    )]
    pub batch_max_age_ms: u64,

    /// How long after its close a coupon leaves Redis, when all of its tickets are in the database
    #[arg(
        long,
        env = "FIRSTCOME_ARCHIVE_AFTER_DAYS",
        default_value_t = ARCHIVE_AFTER_DAYS,
        value_parser = clap::value_parser!(u32).range(0..=36_500),
        global = true
    )]
    pub archive_after_days: u32,

    /// How long an idle HTTP connection is kept; must be longer than a load balancer in front keeps
    /// it
    #[arg(
        long,
        env = "FIRSTCOME_KEEP_ALIVE_MS",
        default_value_t = 75_000,
        value_parser = clap::value_parser!(u64).range(1_000..=3_600_000),
        global = true
    )]
    pub keep_alive_ms: u64,

    /// How long a shutdown waits for requests to end and for the stream to drain
    #[arg(
        long,
        env = "FIRSTCOME_SHUTDOWN_GRACE_MS",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(100..=600_000),
        global = true
    )]
    pub shutdown_grace_ms: u64,
}

impl Bounds {
    /// How long a request may wait in the queue: at most half of the Redis time-out, so that a
    /// request that is sent then can still be answered in time.
    pub fn queue_max_wait(&self) -> Duration {
        let half = self.redis_timeout_ms / 2;
        Duration::from_millis(self.queue_max_wait_ms.map_or(half, |ms| ms.min(half)))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        _bounds: Bounds,
    }

    /// The default of a setting, whatever the environment of the tests is.
    fn default_of(id: &str) -> u64 {
        let command = Line::command();
        let argument = command.get_arguments().find(|argument| argument.get_id() == id);
        let values = argument.expect("a bound").get_default_values();
        values[0].to_str().expect("digits").parse().expect("a number")
    }

    /// nginx keeps an idle connection to a server for 60 s (`keepalive_timeout` of an upstream),
    /// and so does AWS's Application Load Balancer (`idle_timeout.timeout_seconds`). They must
    /// close it first: if they send a request into a connection that we just closed, the user gets
    /// a 502.
    #[test]
    fn an_idle_connection_outlives_the_60_s_of_a_balancer_with_time_to_spare() {
        let balancer_ms = 60_000;
        assert!(default_of("keep_alive_ms") >= balancer_ms + 10_000);
    }
}
