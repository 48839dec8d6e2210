//! The last reading of each node survives a restart, from wherever it is: the readings since the last copy, the copy, or a
//! database of schema 1.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

mod site;

use gateway_core::event::IntervalEnd;
use gateway_core::metering::LastReading;
use gateway_core::supply::Relay;
use gateway_core::{Event, NodeId, PhaseReading, Reading, UtcSeconds, WattHours};
use gateway_store::{Reader, SCHEMA, verify};
use rusqlite::{Connection, params};
use site::{START, Site, accepted};

/// Node, seconds after the start, register. Frame counter and cut-off follow from the register.
type Read = (u32, i64, u64);

fn observe(site: &mut Site, (node, at, register): Read) {
    let mut last = accepted(node, START + at, register, &[]);
    last.reading.boot_count = Some(node + 7);
    last.reading.uptime_s = Some(u32::try_from(at).unwrap());
    site.state.observe(last.clone());
    site.batch.readings.push(last);
}

/// How many last readings lie in the copy.
fn copied(site: &Site) -> i64 {
    let conn = Connection::open(site.directory.database()).unwrap();
    let sql = "SELECT count(*) FROM last_reading";
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// After the readings, in commits of some size, everything old is pruned and the gateway restarted: it knows what it knew, and so
/// does a reader.
fn check(name: &str, reads: &[Read], commit_every: usize, expect_copied: i64) {
    let mut site = Site::empty();
    for reads in reads.chunks(commit_every) {
        reads.iter().for_each(|read| observe(&mut site, *read));
        site.commit().unwrap();
    }
    assert_eq!(copied(&site), expect_copied, "{name}: copied");
    let future = UtcSeconds(START + 1_000_000_000);
    while site.store.prune_readings(future).unwrap() > 0 {}
    let before = site.state.clone();
    assert_eq!(site.store.load().unwrap(), before, "{name}: read again");
    let site = site.restart();
    assert_eq!(site.state, before, "{name}: after a restart");
    let reader = Reader::open(&site.directory.database()).unwrap();
    assert_eq!(reader.state().unwrap(), before, "{name}: a reader");
    // Twice: the writer's memory after a restart is the one before it.
    assert_eq!(site.restart().state, before, "{name}: after two restarts");
}

/// Nodes 1 to 3, read in turn each second.
fn in_turn(count: u32) -> Vec<Read> {
    let read = |n: u32| (1 + n % 3, i64::from(n), 1_000 + u64::from(n));
    (0..count).map(read).collect()
}

#[test]
fn the_last_readings_are_there_after_a_restart() {
    let without_3 = (200..450).map(|n| (1 + u32::try_from(n % 2).unwrap(), n, 9_000));
    let without_3: Vec<Read> = without_3.collect();
    let silent = || [vec![(9, 0, 77)], in_turn(600)].concat();
    let cases: &[(&str, Vec<Read>, usize, i64)] = &[
        ("nothing was ever read", vec![], 1, 0),
        ("none copied yet", in_turn(50), 7, 0),
        ("all copied, nothing after", in_turn(192), 192, 3),
        ("copied, and more after", in_turn(200), 4, 3),
        ("copied often", in_turn(2_000), 5, 3),
        ("a node silent since before the copy", silent(), 10, 4),
        (
            "two readings in one second, one batch",
            vec![(1, 5, 100), (2, 5, 9), (1, 5, 101)],
            9,
            0,
        ),
        (
            "two readings in one second, two batches",
            vec![(2, 5, 9), (1, 5, 100), (1, 5, 101)],
            1,
            0,
        ),
        (
            "a second reading in the second of the copy",
            [in_turn(192), vec![(3, 191, 5_000)]].concat(),
            1,
            3,
        ),
        (
            "a second reading in the second of the copy, then silence and the next copy",
            [in_turn(192), vec![(3, 191, 5_000)], without_3].concat(),
            1,
            3,
        ),
    ];
    for (name, reads, commit_every, copied) in cases {
        check(name, reads, *commit_every, *copied);
    }
}

#[test]
fn pruning_leaves_what_a_restart_needs() {
    let mut site = Site::empty();
    in_turn(100)
        .into_iter()
        .for_each(|read| observe(&mut site, read));
    site.commit().unwrap();
    let future = UtcSeconds(i64::MAX);
    assert_eq!(site.store.prune_readings(future).unwrap(), 0);
    in_turn(200)
        .into_iter()
        .skip(100)
        .for_each(|read| observe(&mut site, read));
    site.commit().unwrap();
    // All but the batch in which the second of the copy is.
    assert_eq!(site.store.prune_readings(future).unwrap(), 100);
    let before = site.state.clone();
    assert_eq!(site.restart().state, before);
}

#[test]
fn phases_survive_a_restart() {
    let mut site = Site::with_usage_points(1);
    let phase = PhaseReading {
        voltage_dv: Some(2_301),
        current_ma: None,
        power_w: Some(-40),
        import: Some(WattHours(77)),
    };
    let phases = Some([phase, PhaseReading::default(), phase]);
    site.event(&Event::Reading(Reading {
        phases,
        ..site::reading(1, 1_300)
    }))
    .unwrap();
    site.commit().unwrap();
    let last = &site.restart().state.readings[&NodeId(1)];
    assert_eq!(last.reading.phases, phases);
}

/// Takes a database back to schema 1, with the same content.
const BACK_TO_1: &str = "
CREATE TABLE reading_1 (
    at INTEGER NOT NULL, node INTEGER NOT NULL,
    register INTEGER NOT NULL, export INTEGER NOT NULL, power_w INTEGER,
    voltage_dv INTEGER, voltage_out_dv INTEGER, current_ma INTEGER, neutral_ma INTEGER,
    frequency_chz INTEGER, relay INTEGER, tamper INTEGER NOT NULL,
    PRIMARY KEY (at, node)
) STRICT, WITHOUT ROWID;
REPLACE INTO reading_1 SELECT slot >> 20, node, register, export, power_w, voltage_dv, voltage_out_dv,
    current_ma, neutral_ma, frequency_chz, relay, tamper FROM reading ORDER BY slot;
ALTER TABLE last_reading DROP COLUMN phases;
REPLACE INTO last_reading SELECT node, slot >> 20, register, export, power_w, voltage_dv,
    voltage_out_dv, current_ma, neutral_ma, frequency_chz, relay, lease_id, cutoff,
    uptime_s, boot_count, tamper, frame_counter, coalesce(intervals, x'') FROM reading ORDER BY slot;
DROP TABLE reading;
DROP TABLE reading_batch;
DROP TABLE reading_run;
DROP TABLE reading_block;
ALTER TABLE reading_1 RENAME TO reading;
DELETE FROM meta WHERE key = 'readings_copied_at';
CREATE TABLE posting_1 (
    number INTEGER NOT NULL, line INTEGER NOT NULL,
    from_account TEXT NOT NULL, to_account TEXT NOT NULL, amount INTEGER NOT NULL,
    at INTEGER NOT NULL, usage_point INTEGER,
    PRIMARY KEY (number, line)
) STRICT, WITHOUT ROWID;
INSERT INTO posting_1 SELECT * FROM posting;
DROP TABLE posting;
ALTER TABLE posting_1 RENAME TO posting;
CREATE INDEX posting_by_usage_point ON posting (usage_point, at) WHERE usage_point IS NOT NULL;
CREATE TABLE vend_1 (key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO vend_1 SELECT key, body FROM vend;
DROP TABLE vend;
ALTER TABLE vend_1 RENAME TO vend;
DROP TABLE token_state;
DROP TABLE cloud;
DROP TABLE order_taken;
DROP TABLE loss_case;
DROP TABLE loss_round;
DROP TABLE agent;
DROP TABLE person;
DROP TABLE person_secret;
DROP INDEX profile_by_written;
ALTER TABLE profile DROP COLUMN written;
PRAGMA user_version = 1;
";

/// Writes readings as versions before schema 9 did.
fn to_rows(conn: &Connection, readings: &[LastReading]) {
    let sql = "INSERT INTO reading VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, NULL)";
    let (mut insert, mut slot) = (conn.prepare(sql).unwrap(), 0);
    for last in readings {
        let reading = &last.reading;
        slot = (last.at.0 << 20).max(slot + 1);
        let bytes = |interval: &IntervalEnd| {
            [
                interval.end.0.to_le_bytes(),
                interval.register.0.to_le_bytes(),
            ]
            .concat()
        };
        insert
            .execute(params![
                slot,
                reading.node.0,
                reading.register.0.cast_signed(),
                reading.export.0.cast_signed(),
                reading.power_w,
                reading.voltage_dv,
                reading.voltage_out_dv,
                reading.current_ma,
                reading.neutral_ma,
                reading.frequency_chz,
                reading.relay.map(|relay| relay == Relay::Closed),
                reading.lease_id,
                reading.cutoff.map(|register| register.0.cast_signed()),
                reading.uptime_s,
                reading.boot_count,
                reading.tamper,
                reading.frame_counter.map(u64::cast_signed),
                reading
                    .intervals
                    .iter()
                    .flat_map(bytes)
                    .collect::<Vec<u8>>(),
            ])
            .unwrap();
    }
}

#[test]
fn a_database_of_schema_1_keeps_everything() {
    let mut site = Site::with_usage_points(3);
    for round in 0..100_u64 {
        site.now += 700;
        site.vend(1, 50, &format!("key {round}")).unwrap();
        for node in 1..=3 {
            site.read(node, 1_000 + round * 90).unwrap();
        }
        site.commit().unwrap();
    }
    let (before, node) = (site.state.clone(), NodeId(2));
    let all = UtcSeconds(i64::MAX);
    let seen = |site: &Site| {
        let reader = Reader::open(&site.directory.database()).unwrap();
        let statement = reader.statement(gateway_core::UsagePointId(1), UtcSeconds(0), all);
        let readings = reader.readings(node, UtcSeconds(0), all).unwrap();
        let profile = reader.profile(node, UtcSeconds(START), all).unwrap();
        (statement.unwrap(), readings, profile)
    };
    let rows = seen(&site);
    let path = site.directory.database();
    let mut stored = Vec::new();
    let reader = Reader::open(&path).unwrap();
    let take = |last| stored.push(last);
    reader
        .each_reading((UtcSeconds(0), all), None, take)
        .unwrap();
    drop(reader);
    let conn = Connection::open(&path).unwrap();
    to_rows(&conn, &stored);
    conn.execute_batch(BACK_TO_1).unwrap();
    drop(conn);
    let mut site = site.restart();
    assert_eq!(site.state, before);
    assert_eq!(seen(&site), rows);
    let conn = Connection::open(&path).unwrap();
    let version: u32 = conn
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, SCHEMA);
    let report = verify(&path).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    // It goes on, also within the second of the last reading.
    site.read(2, 20_000).unwrap();
    site.commit().unwrap();
    let before = site.state.clone();
    assert_eq!(site.restart().state, before);
}
