//! Every metric, named once. Labels come from closed sets; a coupon or user id is never a label.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge};
use metrics::{describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use strum::VariantArray as _;

use crate::domain::outcome::OutcomeWord;

/// Requests of the issue path, by `outcome`.
const ISSUE_REQUESTS: &str = "firstcome_issue_requests_total";
/// Refusals by a verdict in force.
const ISSUE_VERDICT_REFUSALS: &str = "firstcome_issue_verdict_refusals_total";
/// Verdicts and filters that were left out because their bound was reached, by `bound`.
const ISSUE_VERDICTS_LEFT_OUT: &str = "firstcome_issue_verdicts_left_out_total";
/// Time from the arrival of a group's first request, usually its oldest, to the sending of its
/// call.
const ISSUE_WAIT: &str = "firstcome_issue_wait_seconds";
/// Time from the sending of a call to its reply.
const ISSUE_CALL: &str = "firstcome_issue_call_seconds";
/// Requests that wait in the queues.
const ISSUE_QUEUE: &str = "firstcome_issue_queue_requests";
/// Requests that one call answers.
const ISSUE_GROUP: &str = "firstcome_issue_group_requests";
/// Commit time minus `issued_at`.
const PERSIST_LAG: &str = "firstcome_persist_lag_seconds";
/// Tickets of one transaction.
const PERSIST_BATCH: &str = "firstcome_persist_batch_rows";
/// Duration of one transaction.
const PERSIST: &str = "firstcome_persist_seconds";
/// Failed transactions, by `reason`.
const PERSIST_FAILURES: &str = "firstcome_persist_failures_total";
/// Tickets that conflict with a different ticket: same serial, or same user and claim.
const PERSIST_CONTESTED: &str = "firstcome_persist_contested_total";
/// Dead letters that nobody has decided.
const DEAD_LETTERS: &str = "firstcome_dead_letters";
/// Records in all streams.
const STREAM_ENTRIES: &str = "firstcome_stream_entries";
/// Records that a persister has read and not acknowledged.
const STREAM_PENDING: &str = "firstcome_stream_pending_entries";
/// Tickets in all streams.
const STREAM_UNPERSISTED: &str = "firstcome_stream_unpersisted_tickets";
/// Age of the oldest record.
const STREAM_OLDEST: &str = "firstcome_stream_oldest_seconds";
/// Reasons why `/readyz` is 503.
const READINESS_REASONS: &str = "firstcome_readiness_reasons";
/// Warnings of `/readyz`.
const READINESS_WARNINGS: &str = "firstcome_readiness_warnings";
/// Coupons of which Redis lost keys.
const COUPONS_LOST: &str = "firstcome_lost_coupons";
/// Coupons of which the database lost acts.
const COUPONS_DIVERGED: &str = "firstcome_diverged_coupons";
/// Idle connections of users and admins that were closed to make room for new ones.
const HTTP_IDLE_CLOSED: &str = "firstcome_http_idle_closed_total";
/// Connections, by `pool` and `state`.
const POOL_CONNECTIONS: &str = "firstcome_pool_connections";
/// Time of waiting for a pooled connection, by `pool`.
const POOL_WAIT: &str = "firstcome_pool_wait_seconds";

const SECONDS: [f64; 20] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.231, 0.4,
    0.8, 1.6, 3.2, 10.0, 60.0, 600.0, 3_600.0,
];
const SIZES: [f64; 14] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 2_048.0, 4_096.0, 8_192.0];

/// Installs the recorder of this process and returns the handle that renders `/metrics`.
///
/// # Errors
/// When a recorder is installed already.
pub fn install() -> Result<PrometheusHandle, String> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_requests".to_owned()), &SIZES)
        })
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_rows".to_owned()), &SIZES)
        })
        .map_err(|error| error.to_string())?
        .install_recorder()
        .map_err(|error| error.to_string())?;
    describe();
    super::loops::describe();
    Ok(handle)
}

fn describe() {
    describe_counter!(ISSUE_REQUESTS, "Requests of the issue path, by outcome.");
    describe_counter!(ISSUE_VERDICT_REFUSALS, "Refusals without asking Redis.");
    describe_counter!(ISSUE_VERDICTS_LEFT_OUT, "Verdicts and filters left out at their bound.");
    describe_histogram!(ISSUE_WAIT, Unit::Seconds, "From a group's first arrival to its call.");
    describe_histogram!(ISSUE_CALL, Unit::Seconds, "From the sending of a call to its reply.");
    describe_gauge!(ISSUE_QUEUE, "Requests that wait in the queues of this process.");
    describe_histogram!(ISSUE_GROUP, "Requests that one call answers.");
    describe_histogram!(PERSIST_LAG, Unit::Seconds, "Commit time minus issued_at, per ticket.");
    describe_histogram!(PERSIST_BATCH, "Tickets of one transaction of the persister.");
    describe_histogram!(PERSIST, Unit::Seconds, "Duration of one transaction of the persister.");
    describe_counter!(PERSIST_FAILURES, "Failed transactions of the persister, by reason.");
    describe_counter!(PERSIST_CONTESTED, "Tickets that conflict with a different ticket.");
    describe_gauge!(DEAD_LETTERS, "Dead letters that nobody has replayed or dropped.");
    describe_gauge!(STREAM_ENTRIES, "Records in the streams of all shards.");
    describe_gauge!(STREAM_PENDING, "Records that a persister has read and not acknowledged.");
    describe_gauge!(STREAM_UNPERSISTED, "Tickets that wait for the database.");
    describe_gauge!(STREAM_OLDEST, Unit::Seconds, "Age of the oldest record in the streams.");
    describe_counter!(HTTP_IDLE_CLOSED, "Idle connections closed to make room for new ones.");
    describe_gauge!(READINESS_REASONS, "Reasons why /readyz is 503.");
    describe_gauge!(READINESS_WARNINGS, "Warnings of /readyz.");
    describe_gauge!(COUPONS_LOST, "Coupons of which Redis lost keys.");
    describe_gauge!(COUPONS_DIVERGED, "Coupons of which the database lost acts.");
    describe_gauge!(POOL_CONNECTIONS, "Pooled connections, by pool and state.");
    describe_histogram!(POOL_WAIT, Unit::Seconds, "Waiting for a pooled connection, by pool.");
}

const OUTCOMES: &[OutcomeWord] = OutcomeWord::VARIANTS;

/// The metrics of the issue path, looked up once per worker: on this path a look-up by name would
/// cost more than the count.
pub struct IssueMetrics {
    /// In the order of the variants.
    outcomes: [Counter; OUTCOMES.len()],
    verdict_refusals: Counter,
    wait: Histogram,
    call: Histogram,
    group: Histogram,
    queue: Gauge,
}

impl IssueMetrics {
    /// Registers the metrics.
    pub fn new() -> Self {
        Self {
            outcomes: std::array::from_fn(
                |at| counter!(ISSUE_REQUESTS, "outcome" => OUTCOMES[at].word()),
            ),
            verdict_refusals: counter!(ISSUE_VERDICT_REFUSALS),
            wait: histogram!(ISSUE_WAIT),
            call: histogram!(ISSUE_CALL),
            group: histogram!(ISSUE_GROUP),
            queue: gauge!(ISSUE_QUEUE),
        }
    }

    /// Counts one request by its outcome.
    pub fn ended(&self, outcome: OutcomeWord) {
        self.outcomes[outcome as usize].increment(1);
    }

    /// Counts one request that a verdict in force refused.
    pub fn refused_by_verdict(&self) {
        self.verdict_refusals.increment(1);
    }

    /// The first request of a group waited this long in the queue.
    pub fn waited(&self, duration: Duration) {
        self.wait.record(duration);
    }

    /// One call for this many requests took this long.
    pub fn called(&self, requests: usize, duration: Duration) {
        self.group.record(requests as f64);
        self.call.record(duration);
    }

    /// The queue grew or shrank by this many requests.
    pub fn queued(&self, difference: i64) {
        self.queue.increment(difference as f64);
    }
}

impl Default for IssueMetrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Counts a verdict or a filter that was left out; the bound is `verdicts` or `filters`.
pub fn verdict_left_out(bound: &'static str) {
    counter!(ISSUE_VERDICTS_LEFT_OUT, "bound" => bound).increment(1);
}

/// One transaction of the persister.
pub fn persisted(tickets: usize, duration: Duration) {
    histogram!(PERSIST_BATCH).record(tickets as f64);
    histogram!(PERSIST).record(duration);
}

/// This many tickets became rows this long after they were issued.
pub fn persist_lag(lag: Duration, tickets: usize) {
    histogram!(PERSIST_LAG).record_many(lag.as_secs_f64(), tickets);
}

/// One failed transaction; the reason is `unavailable` or `data`.
pub fn persist_failed(reason: &'static str) {
    counter!(PERSIST_FAILURES, "reason" => reason).increment(1);
}

/// Counts contested tickets.
pub fn contested(tickets: usize) {
    counter!(PERSIST_CONTESTED).increment(tickets as u64);
}

/// Counts idle connections that were closed to make room for new ones.
pub fn idle_closed(connections: usize) {
    counter!(HTTP_IDLE_CLOSED).increment(connections as u64);
}

/// Dead letters that nobody has decided.
pub fn dead_letters(letters: u64) {
    gauge!(DEAD_LETTERS).set(letters as f64);
}

/// What waits in the streams of all shards.
pub fn streams(entries: u64, pending: u64, unpersisted: u64, oldest_age: Duration) {
    gauge!(STREAM_ENTRIES).set(entries as f64);
    gauge!(STREAM_PENDING).set(pending as f64);
    gauge!(STREAM_UNPERSISTED).set(unpersisted as f64);
    gauge!(STREAM_OLDEST).set(oldest_age.as_secs_f64());
}

/// How many reasons and warnings `/readyz` has.
pub fn readiness(reasons: usize, warnings: usize) {
    gauge!(READINESS_REASONS).set(reasons as f64);
    gauge!(READINESS_WARNINGS).set(warnings as f64);
}

/// Coupons of which Redis lost keys.
pub fn lost_coupons(coupons: usize) {
    gauge!(COUPONS_LOST).set(coupons as f64);
}

/// Coupons of which the database lost acts.
pub fn diverged_coupons(coupons: usize) {
    gauge!(COUPONS_DIVERGED).set(coupons as f64);
}

/// Connections of a pool.
pub fn pool(name: &'static str, used: usize, idle: usize) {
    gauge!(POOL_CONNECTIONS, "pool" => name, "state" => "used").set(used as f64);
    gauge!(POOL_CONNECTIONS, "pool" => name, "state" => "idle").set(idle as f64);
}

/// How long a caller waited for a connection of a pool.
pub fn pool_wait(name: &'static str, duration: Duration) {
    histogram!(POOL_WAIT, "pool" => name).record(duration);
}

/// The metrics of this piece of work, in the text format of `/metrics`.
#[cfg(test)]
pub(crate) fn counted_by(work: impl FnOnce()) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, work);
    recorder.handle().render()
}
