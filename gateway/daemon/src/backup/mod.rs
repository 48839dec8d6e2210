//! Encrypted copies of the gateway's memory, and the way back.
//!
//! A backup is a tar archive, compressed and encrypted by `age` or `gpg`, so that it opens without this program too: `gateway.db` (a consistent
//! copy), `cloud.json` (the gateway's key towards its head-end), `config/` (the configuration's directory) and `manifest.json`.
//!
//! | module | decides |
//! |---|---|
//! | [`make`] | what goes in, where it goes, which old ones go |
//! | [`restore`] | whether a backup may take the place of the present database, and what that undoes |
//! | [`last`] | when the last one was made, and whether it is overdue |
//! | [`lock`] | the programs that encrypt and pack |
//! | [`far`] | how one is sent to another machine |
//!
//! Invariants: nothing leaves the machine unencrypted; a backup appears under its name when it is whole; a restored gateway takes no
//! money until a person has looked, and takes no token issued before.

pub mod far;
pub mod last;
pub mod lock;
pub mod make;
pub mod restore;

pub use make::now;

use crate::desk::DaemonDesk;
use gateway_core::Command;
use gateway_core::cloud::HoldCause;
use gateway_web::{Desk as _, DeskError};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of the archive: 1.
    pub format: u32,
    /// The version that made it.
    pub version: String,
    /// Whose it is: the number of the site's journal, in hexadecimal digits.
    pub site: String,
    /// When, RFC 3339.
    pub at: String,
    /// Its last record.
    pub records: u64,
}

/// Why there is no backup or no restore.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Used wrongly.
    #[error("{0}")]
    Unfit(String),
    /// A program this needs is not there.
    #[error("{0} is missing: apt-get install {1}")]
    NoProgram(&'static str, &'static str),
    /// A program failed.
    #[error("{program} says: {said}")]
    Program {
        /// Which.
        program: &'static str,
        /// Its last words.
        said: String,
    },
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] gateway_store::StoreError),
}

impl BackupError {
    /// Names the file an error is about.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::File {
            path: path.to_owned(),
            error,
        }
    }
}

/// Shorthand of the module.
pub type Result<T> = std::result::Result<T, BackupError>;

/// Where a restore leaves word for the daemon's next start.
pub fn note_in(data: &Path) -> PathBuf {
    data.join("restored")
}

/// A directory of its own for the owner only; what an earlier attempt left goes first.
fn scratch(data: &Path, name: &str) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let path = data.join(name);
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(BackupError::file(&path)(error));
        }
        _ => {}
    }
    let made = fs::DirBuilder::new().mode(0o700).create(&path);
    made.map_err(BackupError::file(&path))?;
    Ok(path)
}

/// Holds money if a backup was restored since the last start. Before anybody is served.
///
/// # Errors
/// It cannot be recorded; the word stays for the next start.
pub async fn take_note(data: &Path, desk: &DaemonDesk) -> std::result::Result<(), DeskError> {
    let note = note_in(data);
    let evidence = match fs::read_to_string(&note) {
        Ok(evidence) => evidence.trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // A note that cannot be read is still one.
        Err(error) => format!("a backup was restored ({}: {error})", note.display()),
    };
    log::warn!("{evidence}");
    let cause = HoldCause::Restored;
    desk.submit(Command::HoldMoney { cause, evidence }).await?;
    if let Err(error) = fs::remove_file(&note) {
        log::error!("failed to remove {}: {error}; remove it", note.display());
    }
    Ok(())
}
