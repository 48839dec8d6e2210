//! The file of the link's memory: written beside itself and renamed, so that a power cut leaves the old one or the new one.

use gateway_cloud::Memory;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Largest file read: sixty-four instances are two kilobytes.
const LARGEST: u64 = 64 * 1024;

/// Writes it, readable by its owner only: the gateway's key is in it.
pub fn write(path: &Path, memory: &Memory) -> Result<(), String> {
    let wrong = |error: std::io::Error| format!("failed to write {}: {error}", path.display());
    let text = serde_json::to_vec(memory).map_err(|error| wrong(error.into()))?;
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&beside).map_err(wrong)?;
    file.write_all(&text).map_err(wrong)?;
    file.sync_all().map_err(wrong)?;
    std::fs::rename(&beside, path).map_err(wrong)?;
    let directory = path.parent().map(File::open);
    directory
        .map_or(Ok(()), |directory| directory?.sync_all())
        .map_err(wrong)
}

/// Reads it; `None` if there is none, or it cannot be used.
pub fn read(path: &Path) -> Option<Memory> {
    let length = std::fs::metadata(path).ok()?.len();
    if length > LARGEST {
        return None;
    }
    let text = std::fs::read(path).ok()?;
    let memory = serde_json::from_slice(&text);
    if let Err(error) = &memory {
        log::error!("failed to read {}: {error}; enrol again", path.display());
    }
    memory.ok()
}
