-- Text compares bytewise, the default here. Types are checked (STRICT). Every table is stored as
-- its primary key (WITHOUT ROWID), so that a ticket is in two trees, not three. Instants are
-- milliseconds since 1970.
--
-- Some words of the CHECKs are for later releases: SQLite cannot alter a CHECK without rebuilding
-- its table. A release does not read words that it does not know (`store::words`).

CREATE TABLE coupons (
    id             TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    total          INTEGER NOT NULL,
    per_user_limit INTEGER NOT NULL,
    opens_at_ms    INTEGER,
    closes_at_ms   INTEGER,
    valid_for_ms   INTEGER,
    kind           TEXT    NOT NULL,
    supply         TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    shard          INTEGER NOT NULL,
    key_id         TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    act_no         INTEGER NOT NULL,
    persisted      INTEGER NOT NULL,
    created_at_ms  INTEGER NOT NULL,
    CONSTRAINT coupons_pk PRIMARY KEY (id),
    CONSTRAINT coupons_id_form CHECK (
        length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9_-]*'
    ),
    CONSTRAINT coupons_total_bounds CHECK (total BETWEEN 0 AND 1000000000),
    CONSTRAINT coupons_per_user_limit_bounds CHECK (per_user_limit BETWEEN 1 AND 100),
    CONSTRAINT coupons_window_ordered CHECK (opens_at_ms < closes_at_ms),
    CONSTRAINT coupons_state_word CHECK (
        state IN ('draft', 'loading', 'open', 'paused', 'recovering', 'closed', 'archived')
    ),
    CONSTRAINT coupons_persisted_bounds CHECK (persisted >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE acts (
    coupon_id       TEXT    NOT NULL,
    act_no          INTEGER NOT NULL,
    kind            TEXT    NOT NULL,
    arguments       TEXT    NOT NULL,
    idempotency_key TEXT,
    state           TEXT    NOT NULL DEFAULT 'intended',
    result          TEXT,
    who             TEXT    NOT NULL,
    intended_at_ms  INTEGER NOT NULL,
    recorded_at_ms   INTEGER,
    CONSTRAINT acts_pk PRIMARY KEY (coupon_id, act_no),
    CONSTRAINT acts_coupon FOREIGN KEY (coupon_id) REFERENCES coupons (id),
    CONSTRAINT acts_idempotency_key_once UNIQUE (coupon_id, idempotency_key),
    CONSTRAINT acts_state_word CHECK (state IN ('intended', 'applied', 'refused')),
    CONSTRAINT acts_recorded_whole CHECK (
        (state = 'intended') = (result IS NULL) AND (result IS NULL) = (recorded_at_ms IS NULL)
    )
) STRICT, WITHOUT ROWID;

-- At most one intended act per coupon (P9 step 1); through this index the relay finds what a crash
-- left.
CREATE UNIQUE INDEX acts_one_intended ON acts (coupon_id) WHERE state = 'intended';

-- No foreign key: an issued ticket is written whatever happened to its coupon (I3). No further
-- index: each one slows every batch down.
CREATE TABLE tickets (
    serial          INTEGER NOT NULL,
    issued_at_ms    INTEGER NOT NULL,
    epoch           INTEGER NOT NULL,
    claim           INTEGER NOT NULL,
    coupon_id       TEXT    NOT NULL,
    user_id         TEXT    NOT NULL,
    source          TEXT    NOT NULL,
    status          TEXT    NOT NULL DEFAULT 'accepted',
    cancelled_at_ms INTEGER,
    CONSTRAINT tickets_pk PRIMARY KEY (coupon_id, serial),
    CONSTRAINT tickets_claim_once UNIQUE (user_id, coupon_id, claim),
    CONSTRAINT tickets_serial_bounds CHECK (serial BETWEEN 1 AND 1099511627775),
    CONSTRAINT tickets_claim_bounds CHECK (claim BETWEEN 1 AND 100),
    CONSTRAINT tickets_status_word CHECK (status IN ('accepted', 'redeemed', 'cancelled')),
    CONSTRAINT tickets_cancelled_whole CHECK (
        (status = 'cancelled') = (cancelled_at_ms IS NOT NULL)
    )
) STRICT, WITHOUT ROWID;

-- One row per stream record, written with its tickets; sha256 is empty until it is sealed (P4).
CREATE TABLE records (
    coupon_id    TEXT    NOT NULL,
    epoch        INTEGER NOT NULL,
    first_serial INTEGER NOT NULL,
    n            INTEGER NOT NULL,
    issued_at_ms INTEGER NOT NULL,
    source       TEXT    NOT NULL,
    sha256       BLOB,
    CONSTRAINT records_pk PRIMARY KEY (coupon_id, epoch, first_serial),
    CONSTRAINT records_n_bounds CHECK (n >= 1),
    CONSTRAINT records_sha256_length CHECK (length(sha256) = 32)
) STRICT, WITHOUT ROWID;

-- Tickets that conflict with a different row where only one may be (I9). The issue path never
-- reads them.
CREATE TABLE contested (
    coupon_id    TEXT    NOT NULL,
    epoch        INTEGER NOT NULL,
    serial       INTEGER NOT NULL,
    user_id      TEXT    NOT NULL,
    claim        INTEGER NOT NULL,
    issued_at_ms INTEGER NOT NULL,
    source       TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    seen_at_ms   INTEGER NOT NULL,
    CONSTRAINT contested_pk PRIMARY KEY (coupon_id, epoch, serial, user_id, claim)
) STRICT, WITHOUT ROWID;

-- Tickets that the database refused, each as a record of its own, and records that cannot be
-- decoded, whole; a whole record has no coupon_id, serial, user_id and claim here.
CREATE TABLE dead_letters (
    id              TEXT NOT NULL,
    coupon_id       TEXT,
    serial          INTEGER,
    user_id         TEXT,
    claim           INTEGER,
    raw             BLOB NOT NULL,
    class           TEXT NOT NULL,
    reason          TEXT NOT NULL,
    parked_at_ms    INTEGER NOT NULL,
    decision        TEXT,
    decided_because TEXT,
    decided_by      TEXT,
    decided_at_ms   INTEGER,
    CONSTRAINT dead_letters_pk PRIMARY KEY (id),
    CONSTRAINT dead_letters_decision_word CHECK (decision IN ('replayed', 'dropped')),
    CONSTRAINT dead_letters_decided_whole CHECK (
        (decision IS NULL) = (decided_at_ms IS NULL) AND (decision IS NULL) = (decided_by IS NULL)
    )
) STRICT, WITHOUT ROWID;

CREATE INDEX dead_letters_holder ON dead_letters (coupon_id, user_id, claim);

CREATE TABLE generations (
    generation_no      INTEGER NOT NULL,
    epoch              INTEGER NOT NULL,
    run_id             TEXT    NOT NULL,
    replid             TEXT    NOT NULL,
    durability         TEXT    NOT NULL,
    reason             TEXT    NOT NULL,
    accepted_heartbeat INTEGER NOT NULL,
    heartbeat          INTEGER NOT NULL,
    seen_at_ms         INTEGER NOT NULL,
    refused_run_id     TEXT,
    CONSTRAINT generations_pk PRIMARY KEY (generation_no),
    CONSTRAINT generations_durability_word CHECK (
        durability IN ('acknowledged', 'always', 'everysec', 'none')
    )
) STRICT, WITHOUT ROWID;

-- How each epoch of a recovered coupon began; the first epoch of a coupon has no row. rows_before
-- is how many rows of `tickets` earlier epochs have.
CREATE TABLE epochs (
    coupon_id    TEXT    NOT NULL,
    epoch        INTEGER NOT NULL,
    first_serial INTEGER NOT NULL,
    stock        INTEGER NOT NULL,
    withheld     INTEGER NOT NULL,
    act_no       INTEGER NOT NULL,
    rows_before  INTEGER NOT NULL,
    CONSTRAINT epochs_pk PRIMARY KEY (coupon_id, epoch)
) STRICT, WITHOUT ROWID;

-- The process that recovers, one at a time; there is one row at most.
CREATE TABLE recoverers (
    recoverer_no INTEGER NOT NULL,
    recoverer    TEXT    NOT NULL,
    until_ms     INTEGER NOT NULL,
    CONSTRAINT recoverers_pk PRIMARY KEY (recoverer_no),
    CONSTRAINT recoverers_one CHECK (recoverer_no = 1)
) STRICT, WITHOUT ROWID;

-- The servers that issue, as far as what they told may be in no row.
CREATE TABLE processes (
    process       TEXT NOT NULL,
    generation_no INTEGER NOT NULL,
    seen_at_ms    INTEGER NOT NULL,
    goodbye_at_ms INTEGER,
    CONSTRAINT processes_pk PRIMARY KEY (process)
) STRICT, WITHOUT ROWID;

-- The greatest serial of each coupon that a process told.
CREATE TABLE marks (
    process     TEXT NOT NULL,
    coupon_id   TEXT NOT NULL,
    last_serial INTEGER NOT NULL,
    CONSTRAINT marks_pk PRIMARY KEY (process, coupon_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE installation (
    installation_no INTEGER NOT NULL,
    installation_id TEXT NOT NULL,
    CONSTRAINT installation_pk PRIMARY KEY (installation_no),
    CONSTRAINT installation_one CHECK (installation_no = 1)
) STRICT, WITHOUT ROWID;

-- The closed coupons that left Redis. sha256 is over all of their tickets; left_at_ms is empty while
-- Redis may still have their keys.
CREATE TABLE archives (
    coupon_id      TEXT NOT NULL,
    tickets        INTEGER NOT NULL,
    cancelled      INTEGER NOT NULL,
    last_serial    INTEGER NOT NULL,
    sha256         TEXT NOT NULL,
    archived_at_ms INTEGER NOT NULL,
    left_at_ms     INTEGER,
    CONSTRAINT archives_pk PRIMARY KEY (coupon_id),
    CONSTRAINT archives_coupon FOREIGN KEY (coupon_id) REFERENCES coupons (id),
    CONSTRAINT archives_sha256_length CHECK (length(sha256) = 64)
) STRICT, WITHOUT ROWID;

-- What the archiver looks for.
CREATE INDEX coupons_closed ON coupons (id) WHERE state = 'closed';
CREATE INDEX archives_leaving ON archives (coupon_id) WHERE left_at_ms IS NULL;
