//! What of the time outlives the daemon: a file in the data directory.
//!
//! The stopwatch begins anew with the machine, so an anchor counts only in the life it was made in. A file that cannot be read is none: the
//! journal's own times are still there, and a person can set the clock again.

use super::kept::{Anchor, Compared, Kept};
use gateway_core::UtcSeconds;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// Tells one life of the machine from another. The unit names it, because `/proc` is closed to the service.
const BOOT_NAMED: &str = "PREPAID_GATEWAY_BOOT";
const BOOT: &str = "/proc/sys/kernel/random/boot_id";
/// The file is a tenth of it.
const LARGEST: u64 = 4_096;

#[derive(Serialize, Deserialize)]
struct Memory {
    latest: UtcSeconds,
    #[serde(default)]
    boot: Option<String>,
    #[serde(default)]
    anchor: Option<Anchor>,
    #[serde(default)]
    battery: Option<Compared>,
}

/// Which life of the machine this is, if that can be known.
pub(super) fn boot() -> Option<String> {
    let named = std::env::var(BOOT_NAMED).ok();
    let named = named.or_else(|| fs::read_to_string(BOOT).ok());
    // The unit writes it without hyphens.
    let plain = named.map(|boot| boot.trim().replace('-', ""));
    plain.filter(|boot| !boot.is_empty())
}

/// What was written, as far as it counts in this life of the machine; its stopwatch shows `boot_ms`.
pub(super) fn read(path: &Path, boot: Option<&str>, boot_ms: u64) -> Kept {
    let usable = || -> Option<Memory> {
        (fs::metadata(path).ok()?.len() <= LARGEST).then_some(())?;
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    };
    let Some(memory) = usable() else {
        return Kept::default();
    };
    let same_life = boot.is_some() && memory.boot.as_deref() == boot;
    Kept {
        anchor: memory
            .anchor
            .filter(|anchor| same_life && anchor.boot_ms <= boot_ms),
        battery: memory.battery,
        latest: memory.latest,
    }
}

/// Writes it in one go. `safely`: on the card before this returns, as what a person did has to be; else whenever the system likes.
pub(super) fn write(path: &Path, boot: Option<&str>, kept: &Kept, safely: bool) -> io::Result<()> {
    let memory = Memory {
        latest: kept.latest,
        boot: boot.map(str::to_owned),
        anchor: kept.anchor,
        battery: kept.battery,
    };
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(&serde_json::to_vec(&memory).map_err(io::Error::from)?)?;
    if safely {
        file.sync_all()?;
    }
    fs::rename(&part, path)?;
    match path.parent() {
        Some(folder) if safely => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_counts_in_one_life_of_the_machine_and_the_latest_time_in_all() {
        let path = std::env::temp_dir().join(format!("pg-clock-{}", std::process::id()));
        assert_eq!(read(&path, Some("a"), 9), Kept::default(), "no file");
        let anchor = Anchor::by_hand(UtcSeconds(1_800_000_000), 9_000);
        let kept = Kept {
            anchor: Some(anchor),
            latest: UtcSeconds(1_800_000_000),
            battery: None,
        };
        write(&path, Some("a"), &kept, true).unwrap();
        assert_eq!(read(&path, Some("a"), 9_000), kept);
        let without = Kept {
            anchor: None,
            ..kept
        };
        assert_eq!(read(&path, Some("b"), 10_000), without);
        assert_eq!(read(&path, None, 10_000), without);
        assert_eq!(read(&path, Some("a"), 8_999), without, "another stopwatch");
        write(&path, None, &kept, false).unwrap();
        assert_eq!(
            read(&path, None, 10_000),
            without,
            "nobody knows which life"
        );
        fs::write(&path, "{\"latest\":").unwrap();
        assert_eq!(read(&path, Some("a"), 9_000), Kept::default());
        fs::remove_file(&path).unwrap();
    }
}
