//! How far each channel has come, on disk: written beside itself and renamed, so that a power cut leaves the old file or the new one.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Largest file read: a hundred channels are ten kilobytes.
const LARGEST: u64 = 64 * 1024;

/// Where a channel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// The last record it is done with.
    pub record: u64,
    /// Notices the other side has taken.
    #[serde(default)]
    pub told: u64,
    /// Notices given up: refused for good, or too old.
    #[serde(default)]
    pub given_up: u64,
}

/// Where every channel stands.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    places: BTreeMap<String, Place>,
}

impl Memory {
    /// What the file says of the named channels; one it does not know begins at `head`, and so does one that is beyond it, because the
    /// database is older than the file. Channels that are not named are forgotten.
    pub fn open(path: PathBuf, names: impl Iterator<Item = String>, head: u64) -> Self {
        let known = read(&path);
        let place = |name: String| {
            let found = known.get(&name).copied().unwrap_or_default();
            let is_known = known.contains_key(&name) && found.record <= head;
            let record = if is_known { found.record } else { head };
            (name, Place { record, ..found })
        };
        let mut memory = Self {
            places: names.map(place).collect(),
            path,
        };
        if memory.places != known {
            memory.keep();
        }
        memory
    }

    /// Where a channel stands.
    pub fn place(&self, name: &str) -> Place {
        self.places.get(name).copied().unwrap_or_default()
    }

    /// Moves a channel; `on_disk`: what it has done must not be forgotten by a power cut.
    pub fn moved(&mut self, name: &str, place: Place, on_disk: bool) {
        self.places.insert(name.into(), place);
        if on_disk {
            self.keep();
        }
    }

    /// Writes the file. One that cannot be written costs notices said twice after a restart, and is no reason to say nothing.
    pub fn keep(&mut self) {
        if let Err(error) = write(&self.path, &self.places) {
            let path = self.path.display();
            log::error!(
                "failed to write {path}, notices may be sent again after a restart: {error}"
            );
        }
    }
}

fn read(path: &Path) -> BTreeMap<String, Place> {
    let length = std::fs::metadata(path).map_or(0, |data| data.len());
    if length == 0 || length > LARGEST {
        return BTreeMap::new();
    }
    let text = std::fs::read(path).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        let path = path.display();
        log::error!("failed to read {path}, notices go on from the end of the journal: {error}");
        BTreeMap::new()
    })
}

fn write(path: &Path, places: &BTreeMap<String, Place>) -> std::io::Result<()> {
    let text = serde_json::to_vec(places)?;
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(&text)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    path.parent()
        .map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_goes_on_where_it_was_and_a_new_one_begins_at_the_end() {
        let dir = std::env::temp_dir().join(format!("pg-notify-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("notify.json");
        let open = |names: &[&str], head| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Memory::open(path.clone(), names.into_iter(), head)
        };
        let mut memory = open(&["a"], 7);
        assert_eq!(memory.place("a").record, 7);
        let place = Place {
            record: 9,
            told: 2,
            given_up: 1,
        };
        memory.moved("a", place, true);
        memory.moved(
            "a",
            Place {
                record: 10,
                ..place
            },
            false,
        );
        let memory = open(&["a", "b"], 30);
        assert_eq!((memory.place("a"), memory.place("b").record), (place, 30));
        // A database older than the file.
        assert_eq!(open(&["a"], 5).place("a").record, 5);
        std::fs::write(&path, "{").unwrap();
        assert_eq!(open(&["a"], 40).place("a").record, 40);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
