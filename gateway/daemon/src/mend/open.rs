//! Opening the database of a site, whatever the disk, or an update that went back, has made of it.
//!
//! The way of a damaged one: a new database is made in `rescue-in-progress`, which becomes `rescue-ready` in one step when it is whole and on
//! the disk. From then on it is only carried into place, and a start that finds `rescue-ready` goes on with that. So a power cut at any moment
//! is followed by the same end.

use super::{damage_in, failed, mended_in, returned_in, safe_copy_in, write_through};
use crate::backup::{note_in, now};
use crate::clock::{Clock, Trust};
use crate::config::database_in;
use gateway_core::State;
use gateway_store::rescue::{Cause, rescue};
use gateway_store::{Finding, Store, StoreError, safe, verify};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Damaged databases kept.
const QUARANTINES: usize = 3;
/// As many within this time are a card that should not be written to any more.
const TOO_OFTEN_S: i64 = 24 * 60 * 60;
/// Letters of a finding that are repeated: an alarm holds 200.
const LONGEST_FINDING: usize = 80;

/// A database to work with.
pub struct Opened {
    pub store: Store,
    pub state: State,
    /// Number of this start.
    pub epoch: u32,
}

/// Opens the database and counts the start; puts it together again if it is damaged. `insists`: also if it could not be read several times.
///
/// # Errors
/// There is none to work with: the disk is full, read-only or failing, another process has it, nothing can be saved.
pub fn open(data: &Path, insists: bool) -> Result<Opened, StoreError> {
    fs::create_dir_all(data).map_err(|error| failed(data, &error))?;
    let copy = safe_copy_in(data);
    in_place(data)?;
    let opened = match fs::read_to_string(damage_in(data)) {
        Ok(what) => Err(StoreError::Damaged { what }),
        Err(_) => whole(data),
    };
    match opened {
        Err(StoreError::Damaged { what }) => again(data, &what, Cause::Damage),
        Err(error @ StoreError::NotOurs { .. }) if copy.exists() => {
            again(data, &error.to_string(), Cause::Damage)
        }
        Err(StoreError::Io { detail }) if insists && copy.exists() => {
            again(data, &detail, Cause::Damage)
        }
        Err(error @ StoreError::NewerSchema { .. }) if returned_in(data).exists() => {
            again(data, &error.to_string(), Cause::LaterVersion)
        }
        opened => opened,
    }
}

fn whole(data: &Path) -> Result<Opened, StoreError> {
    let (database, copy) = (database_in(data), safe_copy_in(data));
    let (mut store, state) = Store::open(&database)?;
    let note = note_in(data);
    if !note.exists() {
        safe::is_continued(&database, &copy)?;
        if store.has_lost_log() {
            let report = verify(&database)?;
            if let Some(finding) = report.findings.iter().find(|finding| !harmless(finding)) {
                return Err(StoreError::Damaged {
                    what: format!("its log is gone, {finding}"),
                });
            }
            let words = format!(
                "the database's log was gone after a crash ({}): what was confirmed after record {} is missing",
                now(),
                report.records
            );
            write_through(&note, &words)?;
        }
    }
    let epoch = store.begin_epoch()?;
    Ok(Opened {
        store,
        state,
        epoch,
    })
}

/// What a missing log explains and a later reading mends.
fn harmless(finding: &Finding) -> bool {
    matches!(
        finding,
        Finding::LastReadingMissing { .. } | Finding::LastReadingBehind { .. }
    )
}

fn again(data: &Path, what: &str, cause: Cause) -> Result<Opened, StoreError> {
    if cause == Cause::Damage {
        thin(data)?;
    }
    log::error!("the database cannot be used ({what}); it is put together again");
    let work = data.join("rescue-in-progress");
    cleared(&work)?;
    let made = fs::DirBuilder::new().mode(0o700).create(&work);
    made.map_err(|error| failed(&work, &error))?;
    let file = work.join("gateway.db");
    let rescued = rescue(&database_in(data), &safe_copy_in(data), &file, cause)?;
    let records = rescued.copied + rescued.salvaged;
    let what: String = what.chars().take(LONGEST_FINDING).collect();
    let (now, is_complete) = (now(), rescued.is_complete);
    let words = match (cause, is_complete) {
        (Cause::Damage, true) => {
            format!("{now}: damaged by the disk ({what}); all {records} records were saved")
        }
        (Cause::Damage, false) => format!(
            "{now}: the disk damaged the database ({what}); put together up to record {records}, later ones are missing"
        ),
        (Cause::LaterVersion, true) => {
            format!(
                "{now}: a later version wrote the database; all {records} records were taken over"
            )
        }
        (Cause::LaterVersion, false) => format!(
            "{now}: a later version wrote records this one does not know; taken over up to record {records}, later ones are in the quarantine"
        ),
    };
    log::warn!("{words}");
    match (cause, is_complete) {
        // The update's own word says that it went back.
        (Cause::LaterVersion, true) => {}
        (Cause::Damage, true) => write_through(&work.join("mended"), &words)?,
        (_, false) => write_through(&work.join("restored"), &words)?,
    }
    let synced = fs::File::open(&file).and_then(|file| file.sync_all());
    synced.map_err(|error| failed(&file, &error))?;
    let ready = ready_in(data);
    cleared(&ready)?;
    fs::rename(&work, &ready).map_err(|error| failed(&ready, &error))?;
    synchronised(data)?;
    in_place(data)?;
    let (mut store, state) = Store::open(&database_in(data))?;
    let epoch = store.begin_epoch()?;
    Ok(Opened {
        store,
        state,
        epoch,
    })
}

fn ready_in(data: &Path) -> PathBuf {
    data.join("rescue-ready")
}

/// Carries a database that is ready into place, and the damaged one into a quarantine. Nothing to do is no error.
fn in_place(data: &Path) -> Result<(), StoreError> {
    let (ready, database) = (ready_in(data), database_in(data));
    let file = ready.join("gateway.db");
    if file.exists() {
        let aside = quarantine(data)?;
        moved(&ready.join("restored"), &note_in(data))?;
        moved(&ready.join("mended"), &mended_in(data))?;
        // It keeps its name until the other takes that over.
        match fs::hard_link(&database, aside.join("gateway.db")) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(failed(&aside, &error));
            }
            _ => {}
        }
        for name in ["gateway.db-wal", "gateway.db-shm"] {
            moved(&data.join(name), &aside.join(name))?;
        }
        moved(&file, &database)?;
        synchronised(data)?;
    }
    if ready.exists() {
        moved(&damage_in(data), &ready.join("damaged"))?;
        cleared(&ready)?;
    }
    Ok(())
}

/// A new place for what is damaged, named by the time.
fn quarantine(data: &Path) -> Result<PathBuf, StoreError> {
    let name = format!("quarantine-{}", now().replace(['-', ':'], ""));
    let mut aside = data.join(&name);
    for again in 'b'..='z' {
        match fs::create_dir(&aside) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                aside = data.join(format!("{name}{again}"));
            }
            made => {
                made.map_err(|error| failed(&aside, &error))?;
                break;
            }
        }
    }
    Ok(aside)
}

/// Keeps the newest quarantines.
///
/// # Errors
/// There are too many new ones.
fn thin(data: &Path) -> Result<(), StoreError> {
    let entries = fs::read_dir(data).map_err(|error| failed(data, &error))?;
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("quarantine-")
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut all: Vec<PathBuf> = paths.filter(is_one).collect();
    // The names sort by time.
    all.sort_unstable();
    let now = Clock::new(Trust::Always).now().at.0;
    let is_new = |path: &&PathBuf| {
        fs::metadata(path).is_ok_and(|about| now.saturating_sub(about.mtime()) < TOO_OFTEN_S)
    };
    if all.iter().filter(is_new).count() >= QUARANTINES {
        let detail = format!("it has damaged the database {QUARANTINES} times within a day");
        return Err(StoreError::Io { detail });
    }
    let old = all.len().saturating_sub(QUARANTINES - 1);
    all.iter().take(old).try_for_each(|path| cleared(path))
}

fn cleared(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(path, &error)),
        _ => Ok(()),
    }
}

fn moved(from: &Path, to: &Path) -> Result<(), StoreError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(to, &error)),
        _ => Ok(()),
    }
}

fn synchronised(directory: &Path) -> Result<(), StoreError> {
    let synced = fs::File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| failed(directory, &error))
}
