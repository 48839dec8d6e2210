//! The tables, as data. A released step never changes; a new version adds a step ([`crate::migrate`]).
//!
//! Terms: *boundary*: a moment that is a multiple of 30 minutes; *entity row*: the current state of one tariff, usage point, node,
//! ledger account, vend, alarm, token state, head-end or order, always as of the journal's head.
//!
//! Units: times in seconds UTC, energy in watt-hours, money in micro-units, everything else as in
//! [`gateway_core::Reading`]. Registers are 64 unsigned bits and stored as the signed number of the same bits: SQL may compare them for
//! equality, never for order.
//!
//! Telemetry is keyed by time first: a batch of readings of many nodes then fills few pages, a twelfth of the bytes of node-first.
//! Postings are keyed by usage point first: a statement reads neighbours, and no second index has to be written. Vends are keyed by
//! receipt: they are looked up in memory, and a new one touches the last page instead of any.

/// Marks the file as a database of this gateway: "PpGw" in ASCII.
pub(crate) const APPLICATION_ID: i32 = 0x5070_4777;

/// Schema 1.
pub(crate) const STEP_1: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL, at INTEGER NOT NULL, hash BLOB NOT NULL
) STRICT;

CREATE TABLE journal (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, usage_point INTEGER,
    decision TEXT NOT NULL, body TEXT NOT NULL, hash BLOB NOT NULL
) STRICT;
CREATE INDEX journal_by_usage_point ON journal (usage_point) WHERE usage_point IS NOT NULL;
CREATE TRIGGER journal_is_never_changed BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_is_never_shortened BEFORE DELETE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE posting (
    number INTEGER NOT NULL, line INTEGER NOT NULL,
    from_account TEXT NOT NULL, to_account TEXT NOT NULL, amount INTEGER NOT NULL,
    at INTEGER NOT NULL, usage_point INTEGER,
    PRIMARY KEY (number, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX posting_by_usage_point ON posting (usage_point, at) WHERE usage_point IS NOT NULL;

CREATE TABLE tariff (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE usage_point (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE node (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE ledger (account TEXT PRIMARY KEY, balance INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE vend (key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE alarm (
    kind TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE reading (
    at INTEGER NOT NULL, node INTEGER NOT NULL,
    register INTEGER NOT NULL, export INTEGER NOT NULL, power_w INTEGER,
    voltage_dv INTEGER, voltage_out_dv INTEGER, current_ma INTEGER, neutral_ma INTEGER,
    frequency_chz INTEGER, relay INTEGER, tamper INTEGER NOT NULL,
    PRIMARY KEY (at, node)
) STRICT, WITHOUT ROWID;
CREATE TABLE last_reading (
    node INTEGER PRIMARY KEY, at INTEGER NOT NULL,
    register INTEGER NOT NULL, export INTEGER NOT NULL, power_w INTEGER,
    voltage_dv INTEGER, voltage_out_dv INTEGER, current_ma INTEGER, neutral_ma INTEGER,
    frequency_chz INTEGER, relay INTEGER, lease_id INTEGER, cutoff INTEGER,
    uptime_s INTEGER, boot_count INTEGER, tamper INTEGER NOT NULL, frame_counter INTEGER,
    intervals BLOB NOT NULL
) STRICT;
CREATE TABLE profile (
    boundary INTEGER NOT NULL, node INTEGER NOT NULL,
    register INTEGER NOT NULL, exact INTEGER NOT NULL,
    PRIMARY KEY (boundary, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE node_key (node INTEGER PRIMARY KEY, key BLOB NOT NULL) STRICT;
CREATE TABLE rejection (
    node INTEGER NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, last_at INTEGER NOT NULL,
    PRIMARY KEY (node, reason)
) STRICT, WITHOUT ROWID;
";

/// Schema 2: a reading is written once, at the end of its table. Its row holds all that a restart needs; `last_reading` is brought up to
/// date now and then, and `readings_copied_at` says up to when it is. A reading's *slot* is its second times 2^20 plus the place within
/// that second: rows lie in order of time without a second key, and SQLite only ever touches the last page.
pub(crate) const STEP_2: &str = "
CREATE TABLE reading_by_slot (
    slot INTEGER PRIMARY KEY, node INTEGER NOT NULL,
    register INTEGER NOT NULL, export INTEGER NOT NULL, power_w INTEGER,
    voltage_dv INTEGER, voltage_out_dv INTEGER, current_ma INTEGER, neutral_ma INTEGER,
    frequency_chz INTEGER, relay INTEGER, lease_id INTEGER, cutoff INTEGER,
    uptime_s INTEGER, boot_count INTEGER, tamper INTEGER NOT NULL, frame_counter INTEGER,
    intervals BLOB
) STRICT;
INSERT INTO reading_by_slot
    SELECT (reading.at << 20) + row_number() OVER (PARTITION BY reading.at ORDER BY reading.node),
        reading.node, reading.register, reading.export, reading.power_w,
        reading.voltage_dv, reading.voltage_out_dv, reading.current_ma, reading.neutral_ma,
        reading.frequency_chz, reading.relay, last.lease_id, last.cutoff,
        last.uptime_s, last.boot_count, reading.tamper, last.frame_counter,
        nullif(last.intervals, x'')
    FROM reading LEFT JOIN last_reading AS last USING (at, node) ORDER BY reading.at, reading.node;
DROP TABLE reading;
ALTER TABLE reading_by_slot RENAME TO reading;
INSERT INTO meta SELECT 'readings_copied_at', coalesce(max(at), 0) FROM last_reading;

CREATE TABLE posting_by_point (
    number INTEGER NOT NULL, line INTEGER NOT NULL,
    from_account TEXT NOT NULL, to_account TEXT NOT NULL, amount INTEGER NOT NULL,
    at INTEGER NOT NULL, usage_point INTEGER NOT NULL,
    PRIMARY KEY (usage_point, number, line)
) STRICT, WITHOUT ROWID;
INSERT INTO posting_by_point SELECT * FROM posting;
DROP TABLE posting;
ALTER TABLE posting_by_point RENAME TO posting;

CREATE TABLE vend_by_receipt (receipt INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL) STRICT;
INSERT INTO vend_by_receipt SELECT json_extract(body, '$.receipt'), key, body FROM vend ORDER BY 1;
DROP TABLE vend;
ALTER TABLE vend_by_receipt RENAME TO vend;
";

/// Schema 3: token states of usage points. Those of before have none.
pub(crate) const STEP_3: &str = "
CREATE TABLE token_state (usage_point INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
";

/// Schema 4: the head-end and the orders taken. A profile row remembers when it was written, so that a follower who was away finds
/// what came late; rows of before are in order of time.
pub(crate) const STEP_4: &str = "
CREATE TABLE cloud (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL) STRICT;
CREATE TABLE order_taken (place INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
ALTER TABLE profile ADD COLUMN written INTEGER NOT NULL DEFAULT 0;
UPDATE profile SET written = (boundary << 20) + node;
CREATE INDEX profile_by_written ON profile (written);
";

/// Schema 5: cases of missing energy, and the registers at quarter-hours from which the watch over a feeder is restored after a restart.
/// A round's body is packed ([`crate::rounds`]); a site of 55 meters writes 100 kB a day.
pub(crate) const STEP_5: &str = "
CREATE TABLE loss_case (number INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE loss_round (at INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
";

/// Schema 6: what a three-phase meter tells of each phase.
pub(crate) const STEP_6: &str = "
ALTER TABLE reading ADD COLUMN phases BLOB;
ALTER TABLE last_reading ADD COLUMN phases BLOB;
";

/// Schema 7: vending agents. A posting of a record that concerns no usage point (an agent's float) stands under usage point -1.
pub(crate) const STEP_7: &str = "
CREATE TABLE agent (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
";

/// Where postings stand whose record concerns no usage point.
pub(crate) const NO_USAGE_POINT: i64 = -1;

/// Schema 8: people, and apart from them the hashes of their passwords, which are in no journal.
pub(crate) const STEP_8: &str = "
CREATE TABLE person (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE person_secret (
    name TEXT PRIMARY KEY, hash TEXT NOT NULL, must_change INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Schema 9: readings are packed ([`crate::packed`]). A *batch* holds those of one commit. A *run* is half a day of them, or what an upgrade found, once
/// more and by node: a *block* for each, whose place is the run's number times 2^32 plus the node's. What lies at or before the slot `readings_packed_to` is
/// read from runs only. The table `reading` holds what an earlier version wrote, until it is packed too.
pub(crate) const STEP_9: &str = "
CREATE TABLE reading_batch (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, count INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE TABLE reading_run (
    run INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL
) STRICT;
CREATE TABLE reading_block (place INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
";
