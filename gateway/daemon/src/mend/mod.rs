//! A database that the disk has damaged, or a later version has written before an update went back: noticed, put aside, put together again; and what is said while there is none.
//!
//! | module | decides |
//! |---|---|
//! | [`open`] | whether the database may be started with; if not, what takes its place |
//! | [`keeper`] | when the safe copy is brought up and the file is looked through |
//! | [`closed`] | what the page says while nothing can be opened, and when it is tried again |
//!
//! Decided elsewhere: what can be saved ([`gateway_store::rescue`]); that no money is taken ([`crate::backup::take_note`]).
//!
//! Invariants: a damaged file is never written over and never thrown away while it is one of the last three; if a confirmed record may be
//! missing, no money is taken until a person has looked; nobody's supply changes because of it.

pub mod closed;
pub mod keeper;
pub mod open;

use crate::desk::DaemonDesk;
use gateway_core::Command;
use gateway_core::alarm::AlarmKind;
use gateway_store::StoreError;
use gateway_web::{Desk as _, DeskError};
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Letters of a note that are recorded: a line of the page.
const LONGEST_DETAILS: usize = 300;

/// The safe copy of journal and state.
pub fn safe_copy_in(data: &Path) -> PathBuf {
    data.join("safe").join("gateway.db")
}

/// Where a running gateway leaves word that its database is damaged.
fn damage_in(data: &Path) -> PathBuf {
    data.join("damaged")
}

/// Word that a database was put together again and lacks nothing.
fn mended_in(data: &Path) -> PathBuf {
    data.join("mended")
}

/// Word of an update that an older version is back, and why. Until it is recorded, a database of a later version is one to be taken over.
pub fn returned_in(data: &Path) -> PathBuf {
    data.join("update-returned")
}

/// Leaves word that the database is damaged: the next start puts it together again.
pub fn note_damage(data: &Path, what: &str) -> bool {
    let noted = write_through(&damage_in(data), what);
    if let Err(error) = &noted {
        log::error!("failed to leave word of it: {error}");
    }
    noted.is_ok()
}

/// Writes a small file that is on the disk afterwards.
fn write_through(path: &Path, text: &str) -> Result<(), StoreError> {
    let write = || {
        let mut file = fs::File::create(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| failed(path, &error))
}

/// What a failing file means.
fn failed(path: &Path, error: &std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::DiskFull,
        ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly,
        _ if error.raw_os_error() == Some(libc::EIO) => StoreError::Io {
            detail: format!("{}: {error}", path.display()),
        },
        _ => StoreError::CannotOpen {
            path: path.to_owned(),
            reason: error.to_string(),
        },
    }
}

/// Raises an alarm if the database was put together again since the last start and lacks nothing, and one if an update has brought this version
/// back. Before anybody is served.
///
/// # Errors
/// It cannot be recorded; the word stays for the next start.
pub async fn take_note(data: &Path, desk: &DaemonDesk) -> Result<(), DeskError> {
    told(&mended_in(data), AlarmKind::DatabaseMended, desk).await?;
    told(&returned_in(data), AlarmKind::UpdateReturned, desk).await
}

async fn told(note: &Path, kind: AlarmKind, desk: &DaemonDesk) -> Result<(), DeskError> {
    let Ok(details) = fs::read_to_string(note) else {
        return Ok(());
    };
    let details = details.trim().chars().take(LONGEST_DETAILS).collect();
    let report = Command::Report {
        kind,
        node: None,
        details,
    };
    desk.submit(report).await?;
    if let Err(error) = fs::remove_file(note) {
        log::error!("failed to remove {}: {error}; remove it", note.display());
    }
    Ok(())
}
