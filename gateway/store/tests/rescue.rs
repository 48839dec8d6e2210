//! The safe copy, what it notices, and the database that is made of it and of a damaged one.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

mod site;

use gateway_core::{NodeId, State};
use gateway_store::rescue::{Cause, Rescued, rescue};
use gateway_store::{Batch, Store, StoreError, safe, verify};
use site::{Directory, Site};
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Bytes of a page of a new database.
const PAGE: u64 = 1_024;

struct Files {
    directory: Directory,
    /// As of the last commit.
    state: State,
    /// Records in the copy.
    copied: u64,
}

impl Files {
    fn database(&self) -> PathBuf {
        self.directory.database()
    }

    fn copy(&self) -> PathBuf {
        self.directory.path().join("safe.db")
    }

    /// Three accounts, read and recharged; the copy was made before the last recharges. Closed.
    fn new() -> Self {
        let mut site = Site::with_usage_points(3);
        site.vend(1, 100, "before").unwrap();
        let keys = vec![(NodeId(1), [7; 16])];
        site.batch.node_keys = keys;
        site.commit().unwrap();
        let copy = site.directory.path().join("safe.db");
        let followed = safe::follow(&site.directory.database(), &copy).unwrap();
        assert!(followed.rows_fit, "{followed:?}");
        for number in 0..40 {
            site.now += 1_800;
            site.vend(2, 250, &format!("after-{number}")).unwrap();
            site.read(1, 1_100 + number * 100).unwrap();
        }
        site.commit().unwrap();
        let Site {
            directory,
            store,
            state,
            ..
        } = site;
        drop(store);
        Self {
            directory,
            state,
            copied: followed.head.number,
        }
    }

    fn rescued(&self) -> Result<(Rescued, PathBuf), StoreError> {
        let to = self.directory.path().join("rescued.db");
        let (database, copy) = (self.database(), self.copy());
        Ok((rescue(&database, &copy, &to, Cause::Damage)?, to))
    }
}

/// Writes nonsense over a part of a file.
fn tear(path: &Path, at: u64, bytes: usize) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(&vec![0xa5; bytes], at).unwrap();
}

/// The page on which a text stands, of all its places the one three quarters on.
fn page_of(path: &Path, text: &str) -> u64 {
    let bytes = fs::read(path).unwrap();
    let is_here = |at: &usize| bytes[*at..].starts_with(text.as_bytes());
    let places: Vec<usize> = (0..bytes.len()).filter(is_here).collect();
    places[places.len() * 3 / 4] as u64 / PAGE * PAGE
}

#[test]
fn the_copy_continues_and_costs_only_what_is_new() {
    let files = Files::new();
    let followed = safe::follow(&files.database(), &files.copy()).unwrap();
    assert_eq!(followed.head.number, files.state.number);
    assert_eq!(followed.added, files.state.number - files.copied);
    assert!(followed.rows_fit);
    assert_eq!(
        safe::follow(&files.database(), &files.copy())
            .unwrap()
            .added,
        0
    );
    assert!(verify(&files.copy()).unwrap().is_clean());
    safe::check(&files.database()).unwrap();
}

#[test]
fn a_whole_file_is_rescued_whole_and_without_a_copy_from_its_first_record() {
    for with_copy in [true, false] {
        let files = Files::new();
        if !with_copy {
            fs::remove_file(files.copy()).unwrap();
        }
        let (rescued, to) = files.rescued().unwrap();
        assert!(rescued.is_complete, "{rescued:?}");
        assert_eq!(rescued.copied > 0, with_copy);
        let (store, state) = Store::open(&to).unwrap();
        assert_eq!(state, files.state);
        assert_eq!(store.node_keys().unwrap(), [(NodeId(1), [7; 16])]);
    }
}

#[test]
fn a_torn_page_costs_no_confirmed_vend_where_the_journal_can_be_read() {
    let files = Files::new();
    // The row of an account, not the journal.
    let database = files.database();
    let page = page_of(&database, "\"label\":\"Flat 2\"");
    tear(&database, page, 512);
    let error = Store::open(&database).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(safe::check(&database).is_err());
    let (rescued, to) = files.rescued().unwrap();
    assert!(rescued.is_complete, "{rescued:?}");
    assert_eq!(Store::open(&to).unwrap().1, files.state);
}

#[test]
fn a_torn_journal_ends_before_the_gap_and_says_that_it_is_not_all() {
    let files = Files::new();
    let database = files.database();
    let page = page_of(&database, "\"decision\":\"vended\"");
    tear(&database, page, 1_024);
    assert!(safe::check(&database).is_err());
    let (rescued, to) = files.rescued().unwrap();
    assert!(!rescued.is_complete, "{rescued:?}");
    let (store, state) = Store::open(&to).unwrap();
    assert_eq!(store.head().number, rescued.copied + rescued.salvaged);
    assert!(rescued.copied == files.copied && rescued.salvaged < files.state.number);
    // Node 1 was read far beyond what the saved part has settled: nothing is charged twice, nothing is forgotten.
    assert_eq!(
        state.readings[&NodeId(1)].reading.register,
        files.state.readings[&NodeId(1)].reading.register
    );
}

#[test]
fn a_file_that_tells_nothing_leaves_the_copy() {
    for (what, spoil) in [
        (
            "nonsense",
            (|path: &Path| tear(path, 0, 4_096)) as fn(&Path),
        ),
        ("empty", |path| fs::write(path, "").unwrap()),
        ("gone", |path| fs::remove_file(path).unwrap()),
    ] {
        let files = Files::new();
        spoil(&files.database());
        let error = Store::open(&files.database()).map(drop).unwrap_err();
        assert!(
            matches!(error, StoreError::Damaged { .. }),
            "{what}: {error}"
        );
        let (rescued, to) = files.rescued().unwrap();
        let expected = Rescued {
            copied: files.copied,
            salvaged: 0,
            is_complete: false,
        };
        assert_eq!(rescued, expected, "{what}");
        let (store, state) = Store::open(&to).unwrap();
        assert!(
            state.vends.contains_key("before") && state.vends.len() == 1,
            "{what}"
        );
        assert_eq!(store.node_keys().unwrap(), [(NodeId(1), [7; 16])]);
        drop(store);
        fs::remove_file(files.copy()).unwrap();
        fs::remove_file(&to).unwrap();
        let error = files.rescued().unwrap_err();
        assert!(
            matches!(error, StoreError::Damaged { .. }),
            "{what}: {error}"
        );
    }
}

#[test]
fn a_database_that_went_back_is_noticed() {
    let files = Files::new();
    let before = files.directory.path().join("before.db");
    fs::copy(files.database(), &before).unwrap();
    let (mut store, mut state) = Store::open(&files.database()).unwrap();
    let batch = Batch {
        records: vec![gateway_core::Record {
            number: state.number + 1,
            at: state.at,
            decision: gateway_core::Decision::MoneyReleased {
                note: "later".into(),
                by: "test".into(),
            },
        }],
        ..Batch::default()
    };
    state.apply(&batch.records[0]);
    store.commit(&batch, &state).unwrap();
    drop(store);
    safe::follow(&files.database(), &files.copy()).unwrap();
    safe::is_continued(&files.database(), &files.copy()).unwrap();
    fs::copy(&before, files.database()).unwrap();
    for result in [
        safe::is_continued(&files.database(), &files.copy()),
        safe::follow(&files.database(), &files.copy()).map(drop),
    ] {
        let error = result.unwrap_err();
        assert!(error.to_string().contains("safe copy knows"), "{error}");
    }
}

#[test]
fn a_log_that_is_gone_after_a_crash_is_noticed_until_it_is_dealt_with() {
    let files = Files::new();
    let log = files.directory.path().join("site.db-wal");
    let stays = files.directory.path().join("crashed");
    fs::create_dir(&stays).unwrap();
    let (mut store, _) = Store::open(&files.database()).unwrap();
    assert!(!store.has_lost_log());
    store.begin_epoch().unwrap();
    // As a power cut leaves it: files are copied while they are in use.
    for name in ["site.db", "site.db-wal", "site.db.lock"] {
        fs::copy(files.directory.path().join(name), stays.join(name)).unwrap();
    }
    drop(store);
    assert!(!log.exists());
    let database = stays.join("site.db");
    assert!(!Store::open(&database).unwrap().0.has_lost_log());
    for name in ["site.db", "site.db.lock"] {
        fs::copy(files.directory.path().join(name), stays.join(name)).unwrap();
    }
    tear_word(&stays);
    for _ in 0..2 {
        assert!(Store::open(&database).unwrap().0.has_lost_log());
    }
    let (mut store, _) = Store::open(&database).unwrap();
    store.begin_epoch().unwrap();
    assert!(!store.has_lost_log());
    drop(store);
    assert!(!Store::open(&database).unwrap().0.has_lost_log());
}

fn tear_word(directory: &Path) {
    fs::write(directory.join("site.db.lock"), "in use\n").unwrap();
}

#[test]
fn what_a_later_version_wrote_is_taken_over_up_to_the_record_this_one_does_not_know() {
    let files = Files::new();
    let later = rusqlite::Connection::open(files.database()).unwrap();
    later
        .execute_batch("PRAGMA user_version = 99; CREATE TABLE of_later (id INTEGER); ALTER TABLE usage_point ADD COLUMN more TEXT;")
        .unwrap();
    let error = Store::open(&files.database()).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { .. }), "{error}");
    let to = files.directory.path().join("returned.db");
    let taken = |to: &Path| rescue(&files.database(), &files.copy(), to, Cause::LaterVersion);
    assert!(taken(&to).unwrap().is_complete);
    assert_eq!(Store::open(&to).unwrap().1, files.state);
    let body = r#"{"number":1000,"at":1,"decision":"of-later"}"#;
    let sql = "INSERT INTO journal SELECT number + 1, at, NULL, 'of-later', ?1, hash FROM head";
    later.execute(sql, [body]).unwrap();
    let to = files.directory.path().join("in-part.db");
    assert!(!taken(&to).unwrap().is_complete);
    assert_eq!(Store::open(&to).unwrap().1, files.state);
}
