//! Every bound of the system, with the relations between them checked at compile time.
//!
//! A bound that an operator may change is a flag with one of these as its default; the others are
//! part of a contract (a script, a table, a wire format) and change only with it.

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
/// Latest instant that a window may name: the year 9999, where RFC 3339 ends.
pub const INSTANT_MAX_MS: i64 = 253_402_300_799_999;

/// Fixed parts of the key space; part of the key format.
pub const SHARDS: u8 = 16;
/// Users answered by one call of `issue.lua`. Lua's `unpack` fails at about 8,000 values, and
/// beyond 512 a call costs more per ticket and blocks Redis for milliseconds.
pub const GROUP_MAX_REQUESTS: usize = 512;
/// Calls of one round: coupons served in one turn of the batcher.
pub const ROUND_MAX_GROUPS: usize = 64;
/// Calls of one round for ids of which nobody knows whether they are coupons, while known coupons
/// wait: anybody can make up ids.
pub const ROUND_MAX_STRANGERS: usize = 8;
/// The part of a round and of a queue, one in so many, that such ids may have.
pub const STRANGERS_PART: usize = 8;
/// Such ids that may wait in one queue.
pub const STRANGERS_MAX: usize = 256;
/// Coupons that a queue knows.
pub const KNOWN_COUPONS_MAX: usize = 4_096;
/// Requests that a round carries however slow Redis is: else nobody would get through.
pub const ROUND_MIN_REQUESTS: usize = 16;
/// Requests that may wait in the queue of one actix worker; beyond it the answer is `overloaded`.
pub const QUEUE_MAX_REQUESTS: usize = 8_192;
/// Tickets of one shard that may wait for the database; beyond it the answer is `backlog_full`.
pub const BACKLOG_MAX_TICKETS: u64 = 5_000_000;
/// Stock that comes back to a sold-out coupon is held for this long (P1 step 2, I8).
pub const EMBARGO_MS: u64 = 150;
/// A verdict from a reply may be trusted for at most this long (P1 step 4).
pub const LEASE_MAX_MS: u64 = 100;
/// Verdicts that a process remembers; one lives as long as its coupon is asked for.
pub const VERDICTS_MAX: usize = 4_096;
/// Filters of holders that a process keeps. A coupon whose filter does not fit is asked about in
/// Redis.
pub const FILTERS_MAX_BYTES: usize = 64 << 20;
/// After a page of holders the server that reads them pauses for so many times what the page took,
/// so that all of them together take a tenth of Redis's time.
pub const PAGE_PAUSE_FACTOR: u32 = 9;
/// The pause after a page of holders, however little the page took.
pub const PAGE_PAUSE_MIN: Duration = Duration::from_millis(1);
/// The pause after a page of holders, however long the page took: most of a long one is waiting.
pub const PAGE_PAUSE_MAX: Duration = Duration::from_millis(25);
/// One server reads holders for this long before it is another's turn.
pub const TURN: Duration = Duration::from_secs(1);
/// A server that wants to read holders, and is silent for this long, has gone.
pub const TURN_LEASE: Duration = Duration::from_secs(3);
/// How often a server asks for its turn: after this long for each one that comes before it.
pub const TURN_ASK_AGAIN: Duration = Duration::from_millis(50);
/// The longest pause between two of these questions.
pub const TURN_ASK_AGAIN_MAX: Duration = Duration::from_secs(1);

/// Tickets that the persister writes in one transaction.
pub const BATCH_MAX_TICKETS: usize = 8_192;
/// Records of each shard that the persister asks for first: at most two batches over all shards,
/// and 2 MiB, whatever waits there.
pub const READ_FIRST_RECORDS: usize = 2;
/// Records that one further read of the persister asks for, over all shards: at most 36 MiB.
pub const READ_MAX_RECORDS: usize = 512;
/// Refused records that a persister remembers: about 10 MB.
pub const POISON_MAX_RECORDS: usize = 100_000;
/// Contested tickets that a persister remembers.
pub const CONTESTED_MAX: usize = 1_000;
/// Returns of tickets that one act may carry.
pub const RETURNS_PER_ACT: usize = 500;
/// Cancels of one coupon that may wait for their act; beyond it the answer is `act_in_progress`.
pub const CANCELS_WAITING_MAX: usize = 5_000;
/// An act that was intended within this many milliseconds is still in its own caller's hands.
pub const YOUNG_MS: i64 = 500;

/// A JSON body on the admin listener.
pub const ADMIN_BODY_MAX_BYTES: usize = 64 * 1024;
/// A body on the public listener; the issue path takes none.
pub const PUBLIC_BODY_MAX_BYTES: usize = 1024;
/// Rows of one page of a list.
pub const PAGE_MAX_ROWS: u32 = 1_000;
/// Rows that one statement counts: a tenth of a second on a small machine.
pub const COUNT_PAGE_ROWS: u32 = 100_000;
/// The rows of a coupon are counted for this long; ten million take a fifth of it.
pub const COUNT_WAIT: Duration = Duration::from_secs(60);
/// Rows of one page of a list when nothing is asked for.
pub const PAGE_DEFAULT_ROWS: u32 = 100;
/// Unknown coupon ids whose absence from the database is remembered.
pub const UNKNOWN_IDS_MAX: usize = 4_096;
/// Coupons remembered of which the database lost acts.
pub const DIVERGED_MAX: usize = 1_000;
/// Coupons whose public page, and the row behind it, are remembered.
pub const DEFINITIONS_MAX: usize = 1_024;

/// Connections that one worker serves at once; more wait to be accepted. Fewer where the open files
/// are scarce.
pub const WORKER_CONNECTIONS_MAX: usize = 25_000;
/// Connections of admins at once; more wait to be accepted.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Connections to Redis that are kept for the loops that keep the service alive, one each: prover,
/// persister, gauges, sweep.
pub const RESERVED_REDIS_CONNECTIONS: usize = 4;

/// Coupons that requests did not find, until the sweep has looked.
pub const SUSPECTS_MAX: usize = 64;
/// Coupons with lost keys that are remembered, to be looked at again every second.
pub const LOST_COUPONS_MAX: usize = 1_000;

/// A connection to the database, new or from the pool, is waited for this long.
pub const CONNECTION_WAIT: Duration = Duration::from_secs(3);
/// What failed only because of its connection is called again this often. Behind a pooler each time
/// cleans one of its connections to the server.
pub const CONNECTION_RETRIES: u32 = 3;
/// A pause or close waits this long for its row, then it goes to Redis first (P9 step 7).
pub const ROW_WAIT: Duration = Duration::from_millis(500);
/// An act gives way to others of its coupon for this long.
pub const GIVE_WAY: Duration = Duration::from_secs(5);
/// SQLite waits this long for the lock of another process.
pub const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Servers that start at once wait this long for the one that creates the SQLite file.
pub const CREATION_WAIT: Duration = Duration::from_secs(30);
/// A server that starts waits this long for another one that migrates.
pub const MIGRATION_WAIT: Duration = Duration::from_secs(30);
/// How often it is looked at whether a migration still runs on its server.
pub const MIGRATION_LOOK: Duration = Duration::from_secs(2);
/// A migration may take this long.
pub const MIGRATION_MAX: Duration = Duration::from_secs(60 * 60);
/// A statement of the database may take this long.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// A transaction that hears nothing for this long is ended by the database: a host that vanished in
/// the middle of one holds its rows about as long as its records.
pub const TRANSACTION_IDLE: Duration = Duration::from_secs(10);
/// Entries of a consumer that was silent for this long are taken over. A living one is seen every
/// half second, also while it waits for the database, and at the latest when its blocking read ends
/// (P5 step 1).
pub const TAKE_OVER_IDLE: Duration = Duration::from_secs(2);
/// How often a persister is seen, and looks for silent ones.
pub const TAKE_OVER_EVERY: Duration = Duration::from_millis(500);
/// A consumer that was silent for this long and holds nothing is taken out of the groups.
pub const CONSUMER_GONE: Duration = Duration::from_secs(60);
/// The persister's blocking read waits this long for new records.
pub const READ_BLOCK: Duration = Duration::from_secs(1);
/// A batch of the persister that is less than half full gathers for this long.
pub const BATCH_MAX_AGE: Duration = Duration::from_millis(10);
/// A gauge waits this long for the answer of a server, before it looks at what it knows.
pub const ANSWER_WAIT: Duration = Duration::from_millis(500);
/// A server that answered before and is silent for longer than this counts as hung.
pub const SILENCE_MAX: Duration = Duration::from_secs(2);
/// A record that is older than this and has no row is a warning.
pub const ROWS_LATE: Duration = Duration::from_secs(10);
/// A generation that was proven within this time may have gained its first replica (P2 step 5).
pub const BENIGN_PROBE_MAX_AGE: Duration = Duration::from_secs(30 * 60);
/// The clocks of two servers may differ by this much.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(2);
/// A file of the data directory is waited for this long before it is told that the disk hangs.
pub const DISK_WAIT: Duration = Duration::from_secs(5);
/// The lock of the data directory is waited for this long; then the next count tries again.
pub const DIRECTORY_LOCK_WAIT: Duration = Duration::from_secs(2);
/// What hangs in the operating system keeps a process that has stopped for this long.
pub const HUNG_WAIT: Duration = Duration::from_secs(1);

const _: () =
    assert!(READ_BLOCK.as_millis() + TAKE_OVER_EVERY.as_millis() < TAKE_OVER_IDLE.as_millis());
const _: () = assert!(
    READ_FIRST_RECORDS * SHARDS as usize * GROUP_MAX_REQUESTS <= 2 * BATCH_MAX_TICKETS,
    "a first read is at most two batches"
);
const _: () = assert!(READ_MAX_RECORDS <= 512, "Lua unpacks the ids that are taken over");
const _: () = assert!(LEASE_MAX_MS < EMBARGO_MS);
const _: () = assert!(TURN.as_millis() + TURN_ASK_AGAIN_MAX.as_millis() < TURN_LEASE.as_millis());
const _: () = assert!(GROUP_MAX_REQUESTS <= BATCH_MAX_TICKETS);
const _: () = assert!(TOTAL_MAX < 1 << 40, "a serial must fit in the 40 bits of a code");
const _: () = assert!(PAGE_DEFAULT_ROWS <= PAGE_MAX_ROWS);
/// Rows of a sheet, its header included: more than any spreadsheet can show are refused by it.
pub const SHEET_MAX_ROWS: u32 = 1_048_576;
/// A workbook is sent in pieces of this size.
pub const EXPORT_PIECE_BYTES: u64 = 64 * 1_024;
/// Workbooks that are written at one time, because each needs room on disk.
pub const WORKBOOKS_MAX: usize = 2;
