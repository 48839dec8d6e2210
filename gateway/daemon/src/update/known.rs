//! What the page says of updates: how the last one ended, and a package that waits on a stick. It only reads: the daemon's user can install nothing.

use super::examine::{self, Here};
use super::place::{Phase, Place, Progress};
use super::version::Version;
use super::{PACKAGE, keys, letter};
use crate::cycle::Status;
use gateway_web::update::{LastUpdate, UpdateFacts, WaitingUpdate};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Between two looks: a person who puts a stick in reloads the page.
const EVERY: Duration = Duration::from_secs(60);
/// What dpkg knows. The daemon may run no other program, so dpkg itself is not asked.
const DPKG: &str = "/var/lib/dpkg/status";

/// Looks until the gateway stops.
pub async fn keep(status: Arc<Status>, mut stopped: watch::Receiver<bool>) {
    loop {
        // A stick may be slow.
        if let Ok(seen) = tokio::task::spawn_blocking(look).await {
            status.saw_update(seen);
        }
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = sleep(EVERY) => {}
        }
    }
}

fn look() -> Option<UpdateFacts> {
    let place = Place::installed();
    if !Path::new(super::place::PLACE).is_dir() {
        return None;
    }
    let last = place.progress().ok().flatten();
    Some(UpdateFacts {
        version: env!("CARGO_PKG_VERSION").into(),
        waiting: waiting(&place),
        last: last.map(|last| told(&last)),
    })
}

fn told(last: &Progress) -> LastUpdate {
    LastUpdate {
        words: last.words.clone(),
        at: last.at.clone(),
        is_well: last.phase == Phase::Works || last.is_under_way(),
    }
}

fn waiting(place: &Place) -> Option<WaitingUpdate> {
    let found = examine::with_letters(&examine::STICKS.map(Path::new));
    if found.is_empty() {
        return None;
    }
    let keys = keys::all(Path::new(keys::DIRECTORY)).ok()?;
    let here = Here {
        architecture: examine::architecture(),
        installed: installed(&fs::read_to_string(DPKG).ok()?)?,
        floor: place.floor().ok()?,
    };
    let file = examine::newest(found, &keys, here.architecture)?;
    let (letter, _) = letter::read(&file, &keys).ok()?;
    examine::suits(&letter, &here).ok()?;
    Some(WaitingUpdate {
        version: letter.version.to_string(),
        file: file.display().to_string(),
    })
}

/// The installed version, by dpkg's file of stanzas.
fn installed(text: &str) -> Option<Version> {
    let mut stanzas = text.split("\n\n");
    let mut lines = stanzas
        .find(|stanza| stanza.lines().next() == Some(&format!("Package: {PACKAGE}")))?
        .lines();
    let version = lines.find_map(|line| line.strip_prefix("Version: "));
    version?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installed_version_is_read_from_dpkgs_file() {
        let text = "Package: prepaid-gateway-tools\nVersion: 9.0-1\n\nPackage: prepaid-gateway\nStatus: install ok installed\nVersion: 1.2-1\n\nPackage: z\n";
        assert_eq!(installed(text), "1.2-1".parse().ok());
        assert_eq!(installed("Package: z\nVersion: 1\n"), None);
    }
}
