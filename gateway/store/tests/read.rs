//! What others see of the database, and what they are told when it is not there or not theirs.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

mod site;

use gateway_core::alarm::AlarmKind;
use gateway_core::event::Role;
use gateway_core::ledger::LedgerAccount;
use gateway_core::{Command, FeederId, Micro, NodeId, State, UsagePointId, UtcSeconds, WattHours};
use gateway_store::{Reader, SCHEMA, Store, StoreError, verify};
use rusqlite::Connection;
use site::{Directory, START, Site, tariff};
use std::path::Path;

fn reader(site: &Site) -> Reader {
    Reader::open(&site.directory.database()).unwrap()
}

#[test]
fn a_statement_carries_the_balance_from_line_to_line() {
    let mut site = Site::with_usage_points(2);
    let id = UsagePointId(1);
    for (day, amount, register) in [(0, 500, 1_000), (1, 0, 9_000), (2, 70, 12_000)] {
        site.now = START + day * 86_400;
        if amount > 0 {
            site.vend(1, amount, &format!("day {day}")).unwrap();
        }
        site.vend(2, 1, &format!("other {day}")).unwrap();
        site.read(1, register).unwrap();
    }
    site.commit().unwrap();
    let reader = reader(&site);
    let day = |day: i64| UtcSeconds(START + day * 86_400);
    let whole = reader.statement(id, UtcSeconds(0), day(9)).unwrap();
    let balance = site.state.usage_points[&id].account.balance;
    assert_eq!(
        (whole.opening, whole.closing, whole.more),
        (Micro::ZERO, balance, false)
    );
    let vends = whole
        .lines
        .iter()
        .filter(|line| line.counterpart == LedgerAccount::Payments);
    let vends: Vec<_> = vends.map(|line| line.amount).collect();
    assert_eq!(vends, [Micro(500_000_000), Micro(70_000_000)]);
    assert!(whole.lines.len() > 6, "{:?}", whole.lines);
    let mut running = Micro::ZERO;
    for line in &whole.lines {
        running += line.amount;
        assert_eq!(line.balance, running);
    }
    // Any cut in two continues.
    for cut in [day(0), day(1), UtcSeconds(day(1).0 + 1), day(2)] {
        let (first, second) = (
            reader.statement(id, UtcSeconds(0), cut).unwrap(),
            reader.statement(id, cut, day(9)).unwrap(),
        );
        assert_eq!(first.closing, second.opening);
        assert_eq!([first.lines, second.lines].concat(), whole.lines);
    }
    let nobody = reader
        .statement(UsagePointId(99), UtcSeconds(0), day(9))
        .unwrap();
    assert!(nobody.lines.is_empty());
}

#[test]
fn the_journal_is_read_in_pages_both_ways() {
    let mut site = Site::with_usage_points(2);
    for number in 0..20 {
        site.vend(1 + number % 2, 5, &format!("key {number}"))
            .unwrap();
    }
    site.commit().unwrap();
    let reader = reader(&site);
    let last = site.state.number;
    let numbers = |records: Vec<gateway_core::Record>| {
        records
            .iter()
            .map(|record| record.number)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        numbers(reader.journal_after(0, 1_000, None).unwrap()),
        (1..=last).collect::<Vec<_>>()
    );
    assert_eq!(numbers(reader.journal_after(3, 2, None).unwrap()), [4, 5]);
    assert_eq!(
        numbers(reader.journal_before(u64::MAX, 2, None).unwrap()),
        [last, last - 1]
    );
    assert_eq!(numbers(reader.journal_before(3, 9, None).unwrap()), [2, 1]);
    let of_one = reader
        .journal_after(0, 1_000, Some(UsagePointId(1)))
        .unwrap();
    assert!(
        of_one
            .iter()
            .all(|record| record.decision.usage_point() == Some(UsagePointId(1)))
    );
    assert!(of_one.len() > 10);
    assert_eq!(reader.record(7).unwrap().unwrap().number, 7);
    assert_eq!(reader.record(last + 1).unwrap(), None);
    assert_eq!(reader.head().unwrap(), site.store.head());
}

#[test]
fn views_agree_with_the_state() {
    let mut site = Site::with_usage_points(3);
    site.add_usage_point(4);
    let role = Role::Feeder(FeederId(1));
    site.command(Command::AddNode { node: None, role }).unwrap();
    site.vend(1, 100, "key").unwrap();
    site.now += 60;
    site.read(1, 1_100).unwrap();
    site.commit().unwrap();
    let reader = reader(&site);
    let state = &site.state;
    assert_eq!(&reader.state().unwrap(), state);
    let views = reader.usage_points().unwrap();
    assert_eq!(views.len(), 4);
    for view in &views {
        let point = &state.usage_points[&view.usage_point.id];
        assert_eq!(&view.usage_point, point);
        assert_eq!(view.available, state.available(point));
        assert_eq!(view.register, point.register_for(state.raw_register(point)));
        assert_eq!(view.affordable, Some(point.affordable(&tariff())));
        let fitted = point.meter.and_then(|fit| state.readings.get(&fit.node));
        assert_eq!(view.last.as_ref(), fitted);
        let alone = reader.usage_point(view.usage_point.id).unwrap();
        assert_eq!(alone.as_ref(), Some(view));
    }
    assert_eq!(views[0].register, WattHours(100));
    assert_eq!(reader.usage_point(UsagePointId(99)).unwrap(), None);
    let nodes = reader.nodes().unwrap();
    assert!(
        nodes
            .iter()
            .map(|view| view.node.clone())
            .eq(state.nodes.values().cloned())
    );
    assert!(
        nodes
            .iter()
            .all(|view| view.last.as_ref() == state.readings.get(&view.node.id))
    );
    assert_eq!(reader.tariffs().unwrap(), [tariff()]);
    let totals = reader.totals().unwrap();
    assert_eq!((totals.records, totals.readings), (state.number, 4));
    assert!(totals.postings > 1);
    assert_eq!(
        (totals.postings_sum, totals.ledger_sum),
        (Micro::ZERO, Micro::ZERO)
    );
}

#[test]
fn alarms_come_oldest_first_and_go_when_cleared_and_seen() {
    let mut site = Site::with_usage_points(0);
    for (kind, node) in [
        (AlarmKind::Tamper, Some(NodeId(9))),
        (AlarmKind::LowCredit, None),
    ] {
        let details = "as told".to_owned();
        site.command(Command::Report {
            kind,
            node,
            details,
        })
        .unwrap();
    }
    site.commit().unwrap();
    let reader = reader(&site);
    let alarms = reader.alarms().unwrap();
    let kinds: Vec<_> = alarms.iter().map(|alarm| alarm.kind).collect();
    assert_eq!(kinds, [AlarmKind::Tamper, AlarmKind::LowCredit]);
    let (number, by) = (alarms[0].number, "operator".to_owned());
    site.command(Command::AcknowledgeAlarm { number, by })
        .unwrap();
    let (kind, subject) = (alarms[0].kind, alarms[0].subject);
    let cleared = gateway_core::Record {
        number: site.state.number + 1,
        at: site.state.at,
        decision: gateway_core::Decision::AlarmCleared { kind, subject },
    };
    site.state.apply(&cleared);
    site.batch.records.push(cleared);
    site.commit().unwrap();
    let left: Vec<_> = reader
        .alarms()
        .unwrap()
        .iter()
        .map(|alarm| alarm.kind)
        .collect();
    assert_eq!(left, [AlarmKind::LowCredit]);
    assert!(verify(&site.directory.database()).unwrap().is_clean());
}

#[test]
fn an_empty_file_is_brought_to_the_newest_schema() {
    let directory = Directory::new();
    let path = directory.database();
    drop(Connection::open(&path).unwrap());
    std::fs::write(&path, []).unwrap();
    assert!(matches!(
        Reader::open(&path),
        Err(StoreError::OlderSchema { found: 0, .. })
    ));
    let (store, state) = Store::open(&path).unwrap();
    assert_eq!((state, store.head().number), (State::default(), 0));
    assert!(verify(&path).unwrap().is_clean());
    let reader = Reader::open(&path).unwrap();
    let other = Directory::new();
    let _other = Store::open(&other.database()).unwrap();
    let other = Reader::open(&other.database()).unwrap();
    assert_ne!(reader.site_id().unwrap(), other.site_id().unwrap());
    assert_ne!(reader.head().unwrap().hash, other.head().unwrap().hash);
}

#[test]
fn only_the_owner_may_read_the_keys() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::with_usage_points(1);
    let files = std::fs::read_dir(site.directory.path()).unwrap();
    let modes: Vec<_> = files
        .map(|file| file.unwrap())
        .map(|file| {
            (
                file.file_name(),
                file.metadata().unwrap().permissions().mode() & 0o777,
            )
        })
        .collect();
    assert!(modes.len() >= 3, "{modes:?}");
    assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
}

/// What both sides say to a file that is not a database of ours.
fn check_refused(name: &str, make: impl Fn(&Path), words: &str) {
    let directory = Directory::new();
    let path = directory.database();
    make(&path);
    let before = std::fs::read(&path).ok();
    let opened = Store::open(&path).map(|_| ()).unwrap_err();
    let read = Reader::open(&path).map(|_| ()).unwrap_err();
    assert!(opened.to_string().contains(words), "{name}: {opened}");
    assert!(read.to_string().contains(words), "{name}: {read}");
    let after = std::fs::read(&path).ok();
    assert!(before == after, "{name}: it was changed");
}

#[test]
fn files_that_are_not_ours_are_refused_and_left_alone() {
    let rubbish = |path: &Path| std::fs::write(path, "rubbish ".repeat(2_000)).unwrap();
    check_refused("rubbish", rubbish, "is damaged");
    let foreign = |path: &Path| {
        let conn = Connection::open(path).unwrap();
        conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
    };
    check_refused(
        "another program's",
        foreign,
        "is not a database of this gateway",
    );
    let newer = |path: &Path| {
        drop(Store::open(path).unwrap());
        let conn = Connection::open(path).unwrap();
        conn.pragma_update(None, "user_version", SCHEMA + 1)
            .unwrap();
        drop(conn);
    };
    check_refused("newer", newer, "install the version that wrote it");
}

#[test]
fn a_missing_database_or_directory_is_named() {
    let directory = Directory::new();
    let missing = Reader::open(&directory.database()).unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }));
    assert!(matches!(
        verify(&directory.database()),
        Err(StoreError::Missing { .. })
    ));
    let nowhere = directory.path().join("no/such/directory/site.db");
    let error = Store::open(&nowhere).map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::CannotOpen { .. }), "{error}");
}
