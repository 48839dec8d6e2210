//! The rows of a real database are the rows of the gateway in memory that was written into it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use fixture::{Inner, Memory, NOON, reading};
use gateway_core::event::IntervalEnd;
use gateway_core::supply::Relay;
use gateway_core::tariff::Phases;
use gateway_core::{UsagePointId, UtcSeconds, WattHours};
use gateway_store::{Batch, Rejection, Store};
use gateway_web::committed::{JournalQuery, Span, StatementQuery};
use gateway_web::{Committed, Database};
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

/// A database file that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("gateway.db")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn store(inner: &Inner, batch: &mut Batch, store: &mut Store) {
    batch.records = inner.records[usize::try_from(store.head().number).unwrap()..].to_vec();
    store.commit(batch, &inner.state).unwrap();
    batch.clear();
}

/// Three days with a vend in between, in memory and in the file.
fn live(file: &std::path::Path) -> Arc<Memory> {
    let memory = Memory::new(UtcSeconds(NOON.0 - 3 * 86_400));
    let (mut writer, _) = Store::open(file).unwrap();
    let mut batch = Batch::default();
    let mut inner = memory.lock();
    let feeder = inner.add_feeder();
    let (point, node) = inner.add("Flat 1", Phases::Single);
    inner.add("Flat 2", Phases::Three);
    inner.vend(point, "500", "first");
    for half_hour in 0..=144_i64 {
        let at = NOON.0 - (144 - half_hour) * 1_800;
        inner.now.at = UtcSeconds(at);
        let register = 7_000 + half_hour.unsigned_abs() * 90;
        let mut reading_of = reading(node, register, 180, Relay::Closed);
        let register = WattHours(register);
        let end = UtcSeconds(at);
        reading_of.intervals.push(IntervalEnd { end, register });
        inner.read(reading_of);
        inner.read(reading(feeder, 0, 200, Relay::Closed));
        if half_hour == 60 {
            inner.vend(point, "250.25", "second");
        }
        let nodes = [node, feeder];
        let last = nodes
            .iter()
            .filter_map(|node| inner.state.readings.get(node));
        batch.readings = last.cloned().collect();
        store(&inner, &mut batch, &mut writer);
    }
    batch.rejections.push(Rejection {
        node: Some(node),
        reason: "replayed".to_owned(),
        count: 3,
        last_at: NOON,
    });
    inner.rejections.insert("replayed".to_owned(), 3);
    store(&inner, &mut batch, &mut writer);
    drop(inner);
    memory
}

#[track_caller]
fn same<T: Debug>(database: &T, memory: &T) {
    assert_eq!(format!("{database:#?}"), format!("{memory:#?}"));
}

#[test]
fn the_database_says_what_was_decided() {
    let directory = Directory::new("web-database");
    let memory = live(&directory.file());
    let database = Database::new(directory.file());
    let mut found = database.neighbourhood().unwrap();
    for rows in &mut found.usage_points {
        rows.tariff = found.tariffs.get(&rows.point.account.tariff).cloned();
    }
    let expected = memory.neighbourhood().unwrap();
    assert!(!expected.alarms.is_empty() && !expected.feeders.is_empty());
    same(&found, &expected);
    for id in [1, 2, 3].map(UsagePointId) {
        same(
            &database.usage_point(id).unwrap(),
            &memory.usage_point(id).unwrap(),
        );
    }
    same(&database.alarms().unwrap(), &memory.alarms().unwrap());
    assert_eq!(database.currency().unwrap(), "INR");
}

#[test]
fn statements_journal_and_profile_are_the_same_page_by_page() {
    let directory = Directory::new("web-statements");
    let memory = live(&directory.file());
    let database = Database::new(directory.file());
    let day = |ago: i64| UtcSeconds(NOON.0 - ago * 86_400);
    let usage_point = UsagePointId(1);
    for (from, to) in [
        (day(9), day(-1)),
        (day(2), day(1)),
        (day(1), day(1)),
        (day(9), day(8)),
    ] {
        let query = StatementQuery {
            usage_point,
            span: Span { from, to },
        };
        let expected = memory.statement(&query).unwrap();
        same(&database.statement(&query).unwrap(), &expected);
    }
    let whole = Span {
        from: day(9),
        to: day(-1),
    };
    let whole = memory
        .statement(&StatementQuery {
            usage_point,
            span: whole,
        })
        .unwrap();
    assert!(
        whole.lines.iter().any(|line| line.energy.0 > 0),
        "settlements carry their energy"
    );
    for (from, limit, usage_point) in [
        (None, 5, None),
        (Some(1), 4, None),
        (Some(6), 100, Some(usage_point)),
    ] {
        let query = JournalQuery {
            from,
            limit,
            usage_point,
        };
        same(
            &database.journal(&query).unwrap(),
            &memory.journal(&query).unwrap(),
        );
    }
    let node = memory
        .usage_point(UsagePointId(1))
        .unwrap()
        .unwrap()
        .node
        .unwrap();
    let span = Span {
        from: day(2),
        to: day(0),
    };
    let profile = database.profile(node, span).unwrap();
    assert_eq!(profile.len(), 97);
    same(&profile, &memory.profile(node, span).unwrap());
}

#[test]
fn a_missing_database_is_said_in_words_and_found_when_it_appears() {
    let directory = Directory::new("web-missing");
    let database = Database::new(directory.file());
    let error = database.neighbourhood().unwrap_err();
    assert!(error.0.starts_with("There is no database at"), "{error}");
    drop(Store::open(&directory.file()).unwrap());
    assert!(database.neighbourhood().unwrap().usage_points.is_empty());
}
