//! How backups are, in facts.

use gateway_core::UtcSeconds;
use std::path::PathBuf;

/// The last backup, at a site that wants some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupFacts {
    /// When it was made; nothing: none was yet.
    pub at: Option<UtcSeconds>,
    /// Where it went.
    pub place: Option<String>,
    /// Its file, if it lies here or on a stick that is in.
    pub file: Option<PathBuf>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Seconds since, or since one was first wanted.
    pub age_s: u64,
    /// Whether that is longer than the site allows.
    pub is_overdue: bool,
}
