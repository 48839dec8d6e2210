//! Wear of the memory card: how much was written to it, how much that is a day, and how many years of its rating are left.
//!
//! Counted is what the kernel counts for the whole device the data directory lies on, whoever writes. A card does not tell how often it was
//! written; what was written before this gateway first looked, in an earlier life of the card, is not known.
//!
//! Terms: *powered seconds*: the machine's uptimes added up; a machine that is off wears nothing out. *Mark*: total and powered seconds of a
//! moment a week or more ago, from which bytes a day are reckoned.
//!
//! Invariants: no wall clock is read; a count that cannot be read changes nothing; the file is written once an hour at most.

use gateway_web::CardState;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the counter is read.
pub const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Powered seconds between two writes of the file.
const KEEP_EVERY_S: u64 = 3_600;
/// Less than this says nothing about a day.
const LEAST_SPAN_S: u64 = 3_600;
/// Age of a mark: each day of the week counts once.
const WEEK_S: u64 = 7 * 86_400;
/// Bytes of a sector in `/sys/…/stat`, whatever the device's own are (Linux, Documentation/block/stat.rst).
const SECTOR: u64 = 512;
/// The kept file is some hundred bytes.
const LARGEST: u64 = 4_096;
/// Days of a year.
const YEAR_DAYS: u64 = 365;
const FILE: &str = "card.json";

/// Bytes written and powered seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    bytes: u64,
    seconds: u64,
}

/// One look at the kernel's counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Differs after each boot, and for each device.
    pub counter: String,
    /// Bytes since the boot.
    pub bytes: u64,
    /// Seconds since the boot.
    pub uptime_s: u64,
}

/// What is known of the card, over all starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wear {
    counter: String,
    last: Mark,
    total: Mark,
    marks: [Mark; 2],
}

impl Wear {
    /// Adds what was written since the last look.
    pub fn saw(&mut self, look: &Look) {
        let now = Mark {
            bytes: look.bytes,
            seconds: look.uptime_s,
        };
        // After a boot the counter begins at zero: all of it is new.
        let before = match look.counter == self.counter {
            true => self.last,
            false => Mark::default(),
        };
        let is_first = self.counter.is_empty();
        self.total.bytes += now.bytes.saturating_sub(before.bytes);
        self.total.seconds += now.seconds.saturating_sub(before.seconds);
        (self.counter, self.last) = (look.counter.clone(), now);
        if is_first {
            self.marks = [self.total; 2];
        }
        if self.total.seconds.saturating_sub(self.marks[1].seconds) >= WEEK_S {
            self.marks = [self.marks[1], self.total];
        }
    }

    /// Bytes a day, of the last one or two weeks; `None` within the first hour.
    fn a_day(&self) -> Option<u64> {
        let seconds = self.total.seconds.saturating_sub(self.marks[0].seconds);
        let bytes = self.total.bytes.saturating_sub(self.marks[0].bytes);
        (seconds >= LEAST_SPAN_S).then(|| {
            let a_day = u128::from(bytes) * 86_400 / u128::from(seconds);
            u64::try_from(a_day).unwrap_or(u64::MAX)
        })
    }

    /// For people and metrics; `endurance` is the card's rating in bytes.
    pub fn state(&self, endurance: u64) -> CardState {
        let left = endurance.saturating_sub(self.total.bytes);
        let a_day = self.a_day();
        let tenths = |a_day: u64| {
            let a_year = u128::from(a_day.max(1)) * u128::from(YEAR_DAYS);
            u64::try_from(u128::from(left) * 10 / a_year).unwrap_or(u64::MAX)
        };
        CardState {
            written: self.total.bytes,
            a_day,
            endurance,
            years_left_tenths: a_day.map(tenths),
        }
    }
}

/// Watches the card below a folder, and keeps what it has seen there.
pub struct Card {
    stat: PathBuf,
    folder: PathBuf,
    endurance: u64,
    wear: Wear,
    kept_at: u64,
}

impl Card {
    /// `None` where the kernel counts nothing for the folder (a memory or network file system).
    pub fn new(folder: &Path, endurance: u64) -> Option<Self> {
        let device = std::fs::metadata(folder).ok()?.dev();
        let name = format!("{}:{}", major(device), minor(device));
        let entry = std::fs::canonicalize(Path::new("/sys/dev/block").join(name)).ok()?;
        // A partition wears out the whole card.
        let whole = match entry.join("partition").exists() {
            true => entry.parent()?.to_owned(),
            false => entry,
        };
        let wear = read(&folder.join(FILE)).unwrap_or_default();
        Some(Self {
            stat: whole.join("stat"),
            folder: folder.to_owned(),
            endurance,
            kept_at: wear.total.seconds,
            wear,
        })
    }

    /// Looks again; the state after it.
    pub fn look(&mut self) -> Option<CardState> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let stat = std::fs::read_to_string(&self.stat).ok()?;
        let sectors: u64 = stat.split_whitespace().nth(6)?.parse().ok()?;
        let look = Look {
            counter: format!("{} {}", boot.trim(), self.stat.display()),
            bytes: sectors.saturating_mul(SECTOR),
            uptime_s: uptime.split('.').next()?.parse().ok()?,
        };
        let is_first = self.wear.counter != look.counter;
        self.wear.saw(&look);
        let since = self.wear.total.seconds.saturating_sub(self.kept_at);
        if is_first || since >= KEEP_EVERY_S {
            self.kept_at = self.wear.total.seconds;
            if let Err(error) = self.keep() {
                log::warn!("failed to keep the card's count: {error}");
            }
        }
        Some(self.wear.state(self.endurance))
    }

    /// Beside itself and renamed. A cut may leave the count of an hour ago, or none: it is a forecast, and not worth a flush.
    fn keep(&self) -> std::io::Result<()> {
        let (beside, path) = (self.folder.join("card.new"), self.folder.join(FILE));
        std::fs::write(&beside, serde_json::to_vec(&self.wear)?)?;
        std::fs::rename(beside, path)
    }
}

fn read(path: &Path) -> Option<Wear> {
    let length = std::fs::metadata(path).ok()?.len();
    if length > LARGEST {
        return None;
    }
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// As glibc's `major`.
fn major(device: u64) -> u64 {
    (device >> 8) & 0xfff | (device >> 32) & !0xfff
}

/// As glibc's `minor`.
fn minor(device: u64) -> u64 {
    device & 0xff | (device >> 12) & !0xff
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;
    const DAY_S: u64 = 86_400;

    fn look(boot: &str, gigabytes: u64, days: u64) -> Look {
        Look {
            counter: boot.into(),
            bytes: gigabytes * GB,
            uptime_s: days * DAY_S,
        }
    }

    /// Looks one after the other; then gigabytes in all, gigabytes a day, and tenths of years left of 1,000 GB.
    fn check(name: &str, looks: &[Look], expected: (u64, Option<u64>, Option<u64>)) {
        let mut wear = Wear::default();
        for look in looks {
            wear.saw(look);
            let kept = serde_json::to_vec(&wear).expect("text");
            wear = serde_json::from_slice(&kept).expect("the same");
        }
        let state = wear.state(1_000 * GB);
        let a_day = state.a_day.map(|bytes| bytes / GB);
        let found = (state.written / GB, a_day, state.years_left_tenths);
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn years_are_reckoned_from_what_was_written_lately() {
        check("one look is no rate", &[look("a", 3, 1)], (3, None, None));
        let two = [look("a", 0, 0), look("a", 2, 1)];
        check("a day", &two, (2, Some(2), Some(13)));
        let again = [look("a", 0, 0), look("a", 2, 1), look("a", 2, 1)];
        check("nothing new", &again, (2, Some(2), Some(13)));
        let boot = [look("a", 0, 0), look("a", 2, 1), look("b", 1, 1)];
        check("a boot begins anew", &boot, (3, Some(1), Some(18)));
        let weeks: Vec<_> = (0..=60)
            .map(|day| look("a", day.min(30) * 2 + day.max(30) - 30, day))
            .collect();
        check("half as much by now", &weeks, (90, Some(1), Some(24)));
        let used_up = [look("a", 0, 0), look("a", 2_000, 10)];
        check("rating used up", &used_up, (2_000, Some(200), Some(0)));
        let idle = [look("a", 0, 0), look("a", 0, 9)];
        check("nothing written", &idle, (0, Some(0), Some(27_397_260_273)));
    }

    #[test]
    fn device_numbers_are_taken_apart_as_the_c_library_does() {
        assert_eq!((major(0xb302), minor(0xb302)), (179, 2));
        assert_eq!((major(0x10_0000), minor(0x10_0000)), (0, 256));
    }
}
