//! Every bound of the system. The relations between them are checked at compile time.
//!
//! If an operator may change a bound, it is a flag whose default is the constant here. The other
//! bounds are part of a contract (a script, a table, a wire format) and change only with it.

use std::time::Duration;

/// Tickets of one coupon: 1..=10^9. Serials stay far below 2^53, so Lua numbers are exact.
pub const TOTAL_MAX: u64 = 1_000_000_000;
/// Tickets of one coupon that one user may hold.
pub const PER_USER_LIMIT_MAX: u8 = 100;
/// Length of a coupon id.
pub const COUPON_ID_MAX_BYTES: usize = 64;
/// Length of a user id.
pub const USER_ID_MAX_BYTES: usize = 128;
/// Length of a coupon's name.
pub const NAME_MAX_BYTES: usize = 200;
/// Length of an `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_MAX_BYTES: usize = 255;
/// Longest `valid_for`: ten years.
pub const VALID_FOR_MAX_MS: u64 = 10 * 366 * 24 * 3_600 * 1_000;
/// Latest instant of a window: the end of the year 9999, the last one of RFC 3339.
pub const INSTANT_MAX_MS: i64 = 253_402_300_799_999;

/// Fixed parts of the key space; part of the key format.
pub const SHARDS: u8 = 16;
/// Users answered by one call of `issue.lua`. Lua's `unpack` fails at about 8,000 values, and
/// beyond 512 a call costs more per ticket and blocks Redis for milliseconds.
pub const GROUP_MAX_REQUESTS: usize = 512;
/// Script calls of one round, which is one turn of the batcher: one call per coupon. The users of
/// further coupons gather for the next round, and share a call then: with 48 coupons at 256
/// connections that gives 1.4 times as many tickets as a round for all of them.
pub const ROUND_MAX_GROUPS: usize = 16;
/// Script calls of one round for strangers, while requests for known coupons wait. Strangers are
/// ids of which this process does not know whether they are coupons: anybody can invent ids.
pub const ROUND_MAX_STRANGERS: usize = 8;
/// Strangers may have 1 / `STRANGERS_PART` of a round and of a queue.
pub const STRANGERS_PART: usize = 8;
/// Different strangers that may wait in one queue.
pub const STRANGERS_MAX: usize = 256;
/// Known coupons that a queue remembers.
pub const KNOWN_COUPONS_MAX: usize = 4_096;
/// The least limit of requests per round, however slow Redis is: otherwise no request would be
/// served.
pub const ROUND_MIN_REQUESTS: usize = 16;
/// Requests that may wait in the queue of one actix worker; beyond it the answer is `overloaded`.
pub const QUEUE_MAX_REQUESTS: usize = 8_192;
/// Tickets of one shard that may wait for the database; beyond it the answer is `backlog_full`.
pub const BACKLOG_MAX_TICKETS: u64 = 5_000_000;
/// How long stock that returns to a sold-out coupon is under an embargo (P1 step 2, I8).
pub const EMBARGO_MS: u64 = 150;
/// How long a server may repeat a verdict from a reply at most (P1 step 4).
pub const LEASE_MAX_MS: u64 = 100;
/// Verdicts that a process remembers; each is kept as long as its coupon is requested.
pub const VERDICTS_MAX: usize = 4_096;
/// Memory for the filters of holders of a process. Requests for a coupon whose filter does not fit
/// go to Redis.
pub const FILTERS_MAX_BYTES: usize = 64 << 20;
/// After a page of holders the server that reads them pauses for this many times the time that the
/// page took, so that all servers together use a tenth of Redis's time.
pub const PAGE_PAUSE_FACTOR: u32 = 9;
/// The shortest pause after a page of holders.
pub const PAGE_PAUSE_MIN: Duration = Duration::from_millis(1);
/// The longest pause after a page of holders: if a page took long, most of that was waiting.
pub const PAGE_PAUSE_MAX: Duration = Duration::from_millis(25);
/// How long one server reads holders before the next one has the turn.
pub const TURN: Duration = Duration::from_secs(1);
/// A server that wants to read holders and is silent for this long is dropped.
pub const TURN_LEASE: Duration = Duration::from_secs(3);
/// How long a server waits before it asks for its turn again, for each server in front of it.
pub const TURN_ASK_AGAIN: Duration = Duration::from_millis(50);
/// How long it waits at most.
pub const TURN_ASK_AGAIN_MAX: Duration = Duration::from_secs(1);

/// Tickets that a server remembers as a witness, of those that it issued and of those that it
/// replayed: about 15 MB each.
pub const WITNESSES_MAX_TICKETS: usize = 100_000;
/// A server that is silent for this long is not waited for, when a recovery counts the tickets. A
/// server says once per second that it lives.
pub const WITNESS_WAIT: Duration = Duration::from_millis(2_500);
/// How long a living server has to write down what it told, before a recovery counts the tickets.
pub const WITNESS_WAIT_MAX: Duration = Duration::from_secs(15);
/// A server that ended, or was silent, for this long is forgotten when all that it told is in rows.
pub const PROCESS_GONE: Duration = Duration::from_secs(5);
/// Marks that a server writes in one transaction.
pub const MARKS_MAX: usize = 500;
/// If the accepted generation is not counted for this long, no server uses its Redis any more. A
/// server counts once per second.
pub const COUNT_SILENCE: Duration = Duration::from_millis(2_500);
/// Where another Redis may take the place of this one, a server issues only for this long after the
/// database confirmed the generation.
pub const GENERATION_VALID: Duration = Duration::from_secs(2);
/// A recoverer that is silent for this long is replaced.
pub const RECOVERER_LEASE: Duration = Duration::from_secs(5);

/// Tickets that the persister writes in one transaction.
pub const BATCH_MAX_TICKETS: usize = 8_192;
/// Records of each shard that the persister reads first. Over all shards this is at most two
/// batches and 2 MiB, whatever the streams contain.
pub const READ_FIRST_RECORDS: usize = 2;
/// Records of one further read of the persister, over all shards: at most 36 MiB.
pub const READ_MAX_RECORDS: usize = 512;
/// A record that so many persisters did not survive is read and written alone.
pub const SUSPECT_DEATHS: u64 = 2;
/// A record that so many persisters did not survive is parked.
pub const DEADLY_DEATHS: u64 = 3;
/// Characters of a reason that a dead letter keeps.
pub const REASON_MAX_CHARS: usize = 500;
/// Returns of tickets that one act may carry.
pub const RETURNS_PER_ACT: usize = 500;
/// Cancelled tickets of one coupon that may wait for their act; beyond it the answer is
/// `act_in_progress`.
pub const CANCELS_WAITING_MAX: usize = 5_000;
/// The relay leaves an act alone for this many milliseconds after it was intended, because the
/// server that received it is still applying it.
pub const YOUNG_MS: i64 = 500;

/// The longest JSON body on the admin listener.
pub const ADMIN_BODY_MAX_BYTES: usize = 64 * 1024;
/// The longest body on the public listener; the issue path takes none.
pub const PUBLIC_BODY_MAX_BYTES: usize = 1024;
/// Rows of one page of a list.
pub const PAGE_MAX_ROWS: u32 = 1_000;
/// Rows that one statement counts, which takes a tenth of a second on a small machine.
pub const COUNT_PAGE_ROWS: u32 = 100_000;
/// How many days after its close a coupon leaves Redis: long enough for complaints, and for acts on
/// its tickets.
pub const ARCHIVE_AFTER_DAYS: u32 = 30;
/// Rows that the look at one ticket counts for its rank, and only if its epoch lost tickets.
pub const RANK_MAX_ROWS: u64 = 50_000;
/// How long counting the rows of a coupon may take; ten million rows take a fifth of it.
pub const COUNT_WAIT: Duration = Duration::from_secs(60);
/// Rows of one page of a list when the request names no number.
pub const PAGE_DEFAULT_ROWS: u32 = 100;
/// Unknown coupon ids whose absence from the database is remembered.
pub const UNKNOWN_IDS_MAX: usize = 4_096;
/// Coupons whose acts the database lost, as far as a process remembers them.
pub const DIVERGED_MAX: usize = 1_000;
/// Coupons whose public page, and the row behind it, are remembered.
pub const DEFINITIONS_MAX: usize = 1_024;

/// Connections that one worker serves at once; more wait to be accepted. Fewer if the limit of open
/// files is low.
pub const WORKER_CONNECTIONS_MAX: usize = 25_000;
/// Connections of admins at once; more wait to be accepted.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Connections to Redis that are reserved for the vital loops, one each: prover, persister, gauges,
/// sweep.
pub const RESERVED_REDIS_CONNECTIONS: usize = 4;

/// Coupons that requests did not find in Redis, and that the sweep has not checked yet.
pub const SUSPECTS_MAX: usize = 64;
/// Coupons with lost keys that are remembered and checked again every second.
pub const LOST_COUPONS_MAX: usize = 1_000;

/// How long to wait for a connection to the database, new or from the pool.
pub const CONNECTION_WAIT: Duration = Duration::from_secs(3);
/// How often a call that failed only because of its connection is repeated. Behind a pooler each
/// attempt replaces one of the pooler's broken connections to the server.
pub const CONNECTION_RETRIES: u32 = 3;
/// A pause or close waits this long for its row; then it is applied in Redis first (P9 step 7).
pub const ROW_WAIT: Duration = Duration::from_millis(500);
/// How long an act waits while other acts of its coupon come first.
pub const GIVE_WAY: Duration = Duration::from_secs(5);
/// How long SQLite waits for the lock of another process.
pub const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How long servers that start at the same time wait for the one that creates the SQLite file.
pub const CREATION_WAIT: Duration = Duration::from_secs(30);
/// How long a server that starts waits for another one that migrates.
pub const MIGRATION_WAIT: Duration = Duration::from_secs(30);
/// How often a waiting server checks that the migration still runs.
pub const MIGRATION_LOOK: Duration = Duration::from_secs(2);
/// How long a migration may take.
pub const MIGRATION_MAX: Duration = Duration::from_secs(60 * 60);
/// How long a statement in the database may take.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// The database ends a transaction that is idle for this long. If a host disappears in the middle
/// of a transaction, its rows stay locked about as long as its records stay pending.
pub const TRANSACTION_IDLE: Duration = Duration::from_secs(10);
/// Entries of a consumer that was silent for this long are taken over. An active consumer shows
/// itself every half second, also while it waits for the database, and at the latest when its
/// blocking read ends (P5 step 1).
pub const TAKE_OVER_IDLE: Duration = Duration::from_secs(2);
/// How often a persister shows that it is active, and looks for silent ones.
pub const TAKE_OVER_EVERY: Duration = Duration::from_millis(500);
/// A consumer that was silent for this long and has no pending records is deleted from the groups.
pub const CONSUMER_GONE: Duration = Duration::from_secs(60);
/// How long the persister's blocking read waits for new records.
pub const READ_BLOCK: Duration = Duration::from_secs(1);
/// How long the persister collects a batch that is less than half full.
pub const BATCH_MAX_AGE: Duration = Duration::from_millis(10);
/// How long a gauge waits for the answer of a server before it reports what is known already.
pub const ANSWER_WAIT: Duration = Duration::from_millis(500);
/// A server (Redis or database) that answered before and is silent for longer than this counts as
/// hung.
pub const SILENCE_MAX: Duration = Duration::from_secs(2);
/// `/readyz` warns of records that are older than this and have no rows.
pub const ROWS_LATE: Duration = Duration::from_secs(10);
/// A generation that was proven within this time may have gained its first replica (P2 step 5).
pub const BENIGN_PROBE_MAX_AGE: Duration = Duration::from_secs(30 * 60);
/// The clocks of two servers may differ by this much.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(2);
/// How long to wait for a file of the data directory before reporting that the disk hangs.
pub const DISK_WAIT: Duration = Duration::from_secs(5);
/// How long to wait for the lock of the data directory; the next heartbeat tries again.
pub const DIRECTORY_LOCK_WAIT: Duration = Duration::from_secs(2);
/// How long a process that stops waits for its calls that hang in the operating system.
pub const HUNG_WAIT: Duration = Duration::from_secs(1);

const _: () =
    assert!(READ_BLOCK.as_millis() + TAKE_OVER_EVERY.as_millis() < TAKE_OVER_IDLE.as_millis());
const _: () = assert!(
    READ_FIRST_RECORDS * SHARDS as usize * GROUP_MAX_REQUESTS <= 2 * BATCH_MAX_TICKETS,
    "a first read is at most two batches"
);
const _: () = assert!(READ_MAX_RECORDS <= 512, "Lua unpacks the ids that are taken over");
const _: () = assert!(LEASE_MAX_MS < EMBARGO_MS);
const _: () = assert!(WITNESS_WAIT.as_millis() < PROCESS_GONE.as_millis());
const _: () = assert!(TURN.as_millis() + TURN_ASK_AGAIN_MAX.as_millis() < TURN_LEASE.as_millis());
const _: () = assert!(GROUP_MAX_REQUESTS <= BATCH_MAX_TICKETS);
const _: () = assert!(TOTAL_MAX < 1 << 40, "a serial must fit in the 40 bits of a code");
const _: () = assert!(PAGE_DEFAULT_ROWS <= PAGE_MAX_ROWS);
const _: () = assert!(GENERATION_VALID.as_millis() < COUNT_SILENCE.as_millis());
/// Rows of a sheet, including its header: the most that spreadsheet programs can show.
pub const SHEET_MAX_ROWS: u32 = 1_048_576;
/// A workbook is sent in pieces of this size.
pub const EXPORT_PIECE_BYTES: u64 = 64 * 1_024;
/// Workbooks that are written at one time, because each needs room on disk.
pub const WORKBOOKS_MAX: usize = 2;
