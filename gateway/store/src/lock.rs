//! Who uses a database, and what has to lie there: `site.db.lock` beside `site.db`.
//!
//! The file is locked while a store is open: SQLite's own locks come and go with each transaction. What stands in it says what must be found
//! at the next opening; SQLite by itself takes an empty file for a new database, and a missing log for one that was not needed.
//!
//! Invariant: a database that has been used is never begun anew, and the loss of its log is noticed.

use crate::error::{Result, StoreError};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What stands in the file. Both are of one length, so that one takes the other's place in a single write.
const IN_USE: &[u8; 7] = b"in use\n";
const CLOSED: &[u8; 7] = b"closed\n";

/// Held while the store is open. Given back by name: a child that is being started by another thread has a copy of the file for a
/// moment, and would keep the lock past our closing it.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    name: PathBuf,
    /// The log of a database in use is not there.
    lost_log: bool,
    /// The database could be opened.
    opened: bool,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file gives it back too.
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock, and looks whether database and log are there as they were left.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let name = beside(path, ".lock");
        let mut options = private();
        let file = options.truncate(false).create(true).open(&name);
        let file = file.map_err(|error| cannot_open(&name, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.to_owned();
                return Err(StoreError::InUse { path });
            }
            Err(TryLockError::Error(error)) => return Err(cannot_open(&name, &error)),
        }
        let mut said = [0; IN_USE.len()];
        let was_used = file.read_exact_at(&mut said, 0).is_ok();
        let was_open = was_used && said == *IN_USE;
        if was_used && is_empty(path) {
            let what = format!("{} is empty or gone", path.display());
            return Err(StoreError::damaged(what));
        }
        Ok(Self {
            file,
            lost_log: was_open && is_empty(&beside(path, "-wal")),
            name,
            opened: false,
        })
    }

    pub(crate) fn opened(&mut self) {
        self.opened = true;
    }

    /// From now on the log has to be there.
    pub(crate) fn in_use(&mut self) -> Result<()> {
        self.lost_log = false;
        self.write(IN_USE)
            .map_err(|error| cannot_open(&self.name, &error))
    }

    /// Writes zeros behind the log until it has a length, and waits for the disk: what is written into it later then needs no new blocks, and the
    /// file system has next to nothing to note. SQLite ends its log at the first frame whose checksum does not fit.
    ///
    /// Only a saving: a disk that has no room for it says so when there is something to write.
    pub(crate) fn lengthen_log(database: &Path, to_bytes: u64) -> std::io::Result<()> {
        let log = OpenOptions::new()
            .write(true)
            .open(beside(database, "-wal"))?;
        let mut at = log.metadata()?.len();
        let zeros = vec![0; 1 << 16];
        while at < to_bytes {
            log.write_all_at(&zeros, at)?;
            at += zeros.len() as u64;
        }
        log.sync_all()
    }

    /// What is in the log is about to go into the database.
    pub(crate) fn closing(&self) {
        if self.opened && !self.lost_log {
            // A disk that takes nothing leaves the stricter word.
            let _ = self.write(CLOSED);
        }
    }

    pub(crate) fn has_lost_log(&self) -> bool {
        self.lost_log
    }

    fn write(&self, word: &[u8; 7]) -> std::io::Result<()> {
        self.file.write_all_at(word, 0)?;
        self.file.sync_all()
    }
}

/// Whether a database that nobody has open lacks the log it was left with.
pub(crate) fn lacks_log(path: &Path) -> bool {
    let said = std::fs::read(beside(path, ".lock"));
    said.is_ok_and(|said| said == IN_USE) && is_empty(&beside(path, "-wal"))
}

/// A file whose name goes on after the database's.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn is_empty(path: &Path) -> bool {
    match std::fs::metadata(path) {
        Ok(about) => about.len() == 0,
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

/// Creates a missing database file. An existing one is not touched: closing it here would release SQLite's locks of another
/// connection in this process.
pub(crate) fn create_private(path: &Path) -> Result<()> {
    match private().create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot_open(path, &error)),
    }
}

/// Only its owner may read: the database holds the nodes' keys. SQLite gives its log the same mode.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn cannot_open(path: &Path, error: &std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::DiskFull,
        _ if error.raw_os_error() == Some(EIO) => StoreError::Io {
            detail: format!("{}: {error}", path.display()),
        },
        _ => StoreError::CannotOpen {
            path: path.to_owned(),
            reason: error.to_string(),
        },
    }
}

/// The system's number of "input/output error", the same on every Linux.
const EIO: i32 = 5;
