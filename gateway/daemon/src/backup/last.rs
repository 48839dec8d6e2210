//! When the last backup was made: a note in the data directory, for whoever has to know that there is none.
//!
//! The note's time and the time it is compared with are both the machine's own, as those of the backups' names.

use super::{BackupError, Result};
use crate::clock;
use gateway_core::UtcSeconds;
use gateway_web::backup::BackupFacts;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, Serialize, Deserialize)]
struct Last {
    at: UtcSeconds,
    /// Where it is; nothing: none was made yet, and the time is when one was first expected.
    place: Option<String>,
    bytes: u64,
}

fn note_in(data: &Path) -> PathBuf {
    data.join("backup.json")
}

fn write(data: &Path, last: &Last) -> Result<()> {
    let (path, part) = (note_in(data), data.join("backup.json.part"));
    let text = serde_json::to_vec(last).map_err(std::io::Error::from);
    let written = text.and_then(|text| fs::write(&part, text));
    let named = written.and_then(|()| fs::rename(&part, &path));
    named.map_err(BackupError::file(&path))
}

/// Notes that one was made just now.
pub(super) fn made(data: &Path, place: &str, bytes: u64) -> Result<()> {
    let last = Last {
        at: clock::machine(),
        place: Some(place.to_owned()),
        bytes,
    };
    write(data, &last)
}

/// Backups as the daemon sees them.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The data directory.
    pub data: PathBuf,
    /// Whether a place for them is configured.
    pub is_wanted: bool,
    /// How old the last one may be, in seconds.
    pub alarm_after_s: u64,
}

impl Watched {
    /// How the backups are; nothing if none are wanted. The first time it is asked the waiting for one begins.
    pub fn facts(&self) -> Option<BackupFacts> {
        if !self.is_wanted {
            return None;
        }
        let now = clock::machine();
        let read = fs::read(note_in(&self.data)).ok();
        let last = read.and_then(|text| serde_json::from_slice::<Last>(&text).ok());
        let last = last.unwrap_or_else(|| {
            let first = Last {
                at: now,
                place: None,
                bytes: 0,
            };
            if let Err(error) = write(&self.data, &first) {
                log::warn!("failed to note that no backup was made yet: {error}");
            }
            first
        });
        let age_s = u64::try_from(now.0 - last.at.0).unwrap_or(0);
        Some(BackupFacts {
            at: last.place.is_some().then_some(last.at),
            file: last.place.as_deref().and_then(here),
            place: last.place,
            bytes: last.bytes,
            age_s,
            is_overdue: age_s > self.alarm_after_s,
        })
    }
}

/// The backup's file, if it lies on this machine or a stick in it.
fn here(place: &str) -> Option<PathBuf> {
    let path = PathBuf::from(place);
    let is_file = || fs::metadata(&path).is_ok_and(|about| about.is_file());
    (path.is_absolute() && is_file()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_waited_for_from_the_first_time_one_is_wanted() {
        let data = std::env::temp_dir().join(format!("pg-backup-{}", std::process::id()));
        fs::create_dir_all(&data).unwrap();
        let watched = |is_wanted, alarm_after_s| Watched {
            data: data.clone(),
            is_wanted,
            alarm_after_s,
        };
        assert_eq!(watched(false, 0).facts(), None);
        assert!(!note_in(&data).exists(), "nobody waits");
        let facts = watched(true, 3).facts().unwrap();
        assert_eq!((facts.at, facts.is_overdue), (None, false));
        let early = Last {
            at: UtcSeconds(clock::machine().0 - 100),
            place: None,
            bytes: 0,
        };
        write(&data, &early).unwrap();
        let facts = watched(true, 50).facts().unwrap();
        assert!(facts.is_overdue && facts.at.is_none(), "{facts:?}");
        let file = data.join("one.age");
        fs::write(&file, "x").unwrap();
        made(&data, &file.to_string_lossy(), 1).unwrap();
        let facts = watched(true, 50).facts().unwrap();
        assert!(!facts.is_overdue && facts.at.is_some(), "{facts:?}");
        assert_eq!(facts.file.as_ref(), Some(&file));
        made(&data, "sftp://keeper@host/one.age", 1).unwrap();
        assert_eq!(watched(true, 50).facts().unwrap().file, None);
        fs::write(note_in(&data), "{").unwrap();
        assert_eq!(watched(true, 50).facts().unwrap().at, None, "torn");
        fs::remove_dir_all(&data).unwrap();
    }
}
