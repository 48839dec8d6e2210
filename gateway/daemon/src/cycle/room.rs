//! Room on the card: telemetry is given up before the card is full.
//!
//! Decided here: when it is too little. Not decided here: what goes first ([`gateway_store::Shed`]).
//!
//! Terms: *limit*: what the configuration lets the database take; *kept free*: what it leaves to others on the same disk. A file that does not
//! become smaller cannot free a disk: when that is short the database only stops to grow, by keeping [`SPARE`] to use again.

use super::Cycle;
use gateway_core::Moment;
use gateway_store::{Room, Shed, StoreError};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Portions given up in one turn, so that nobody's relay waits for it: each takes some milliseconds.
const PORTIONS: u32 = 4;
/// Pages to use again where the disk is short: a quarter of an hour of the largest site.
const SPARE: u64 = 4 << 20;

/// How much room there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Where the database lies.
    pub folder: PathBuf,
    /// Most bytes of the database; 0: any.
    pub largest: u64,
    /// Bytes of the disk left free.
    pub keep_free: u64,
}

impl Limits {
    /// Whether something has to go. `free` is what the disk has, if that is known.
    fn is_exceeded(&self, room: Room, free: Option<u64>) -> bool {
        let is_large = self.largest > 0 && room.used > self.largest;
        let is_short = free.is_some_and(|free| free < self.keep_free);
        is_large || is_short && room.spare < SPARE
    }
}

/// Bytes that a program without rights may still write where a folder lies.
#[expect(unsafe_code, reason = "no safe binding of statvfs in the crates used")]
fn free_bytes(folder: &Path) -> Option<u64> {
    let path = CString::new(folder.as_os_str().as_bytes()).ok()?;
    // SAFETY: statvfs is plain data for which zeros are valid; the call writes it and reads the path, and both outlive it.
    let (result, stat) = unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &raw mut stat), stat)
    };
    // Both are 32 bits wide on a 32-bit machine.
    let bytes = u128::from(stat.f_bavail) * u128::from(stat.f_frsize);
    (result == 0).then(|| u64::try_from(bytes).unwrap_or(u64::MAX))
}

impl Cycle {
    /// Gives up telemetry while there is too little room.
    pub(super) fn keep_room(&mut self, now: Moment) {
        if let Err(error) = self.give_up(now) {
            log::warn!("failed to look after the room on the card: {error}");
        }
    }

    fn give_up(&mut self, now: Moment) -> Result<(), StoreError> {
        let free = free_bytes(&self.settings.room.folder);
        for _ in 0..PORTIONS {
            if !self.settings.room.is_exceeded(self.store.room()?, free) {
                return Ok(());
            }
            let shed = self.store.shed(now.at)?;
            log::debug!("gave up {shed:?} for want of room");
            if shed == Shed::Nothing {
                return Ok(());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn room_is_judged_by_size_and_by_what_the_disk_has() {
        let check = |largest: u64, (used, spare): (u64, u64), free: Option<u64>, expected: bool| {
            let limits = Limits {
                folder: "/".into(),
                largest: largest * MIB,
                keep_free: 256 * MIB,
            };
            let room = Room {
                used: used * MIB,
                spare: spare * MIB,
            };
            let free = free.map(|mib| mib * MIB);
            assert_eq!(
                limits.is_exceeded(room, free),
                expected,
                "{limits:?} {room:?} {free:?}"
            );
        };
        check(0, (9_000, 0), Some(300), false);
        check(100, (100, 0), Some(300), false);
        check(100, (101, 50), Some(300), true);
        check(0, (10, 0), Some(255), true);
        check(0, (10, 4), Some(255), false);
        check(0, (10, 0), None, false);
    }

    #[test]
    fn the_disk_of_the_root_has_a_size() {
        assert!(free_bytes(Path::new("/")).is_some());
        assert_eq!(free_bytes(Path::new("/nowhere")), None);
    }
}
