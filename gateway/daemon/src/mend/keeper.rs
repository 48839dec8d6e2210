//! Keeps the safe copy up and looks through the file, beside everything else.

use super::safe_copy_in;
use crate::config::{Config, database_in};
use crate::cycle::Status;
use gateway_store::{StoreError, safe};
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How often the copy is brought up. The records since then are in the database alone, where they can mostly be read all the same; a minute
/// instead would write each changed account sixty times as often.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// How many turns lie between two readings of the whole file: a card that is never read does not say that it forgets.
const TURNS_A_CHECK: u32 = 24;
/// Before a finding is believed, it has to be found again: a look beside a checkpoint under memory pressure is not worth a restart.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Works until the gateway stops; begins at once.
pub async fn keep(data: PathBuf, status: Arc<Status>, mut stopped: watch::Receiver<bool>) {
    let mut turn = 0;
    loop {
        let looks = turn % TURNS_A_CHECK == 0;
        let mut result = take_turn(&data, looks).await;
        if matches!(result, Err(StoreError::Damaged { .. })) {
            sleep(SECOND_LOOK).await;
            result = take_turn(&data, looks).await;
        }
        tell(result, &status);
        turn += 1;
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = sleep(EVERY) => {}
        }
    }
}

/// The data directory of a configuration.
pub fn of(config: &Config) -> PathBuf {
    config.store.data_dir.clone()
}

/// On a thread of its own: a large file takes a minute to read.
async fn take_turn(data: &Path, looks: bool) -> Result<bool, StoreError> {
    let data = data.to_owned();
    let ended = tokio::task::spawn_blocking(move || looked(&data, looks)).await;
    ended.unwrap_or_else(|error| {
        let detail = error.to_string();
        Err(StoreError::Io { detail })
    })
}

fn tell(result: Result<bool, StoreError>, status: &Status) {
    match result {
        Ok(true) => status.kept(None),
        Ok(false) => status.kept(Some(
            "The accounts are not what the journal says. Make a backup, run `verify`, and report what it says.".into(),
        )),
        Err(StoreError::Damaged { what }) => {
            log::error!("the database is damaged: {what}");
            status.damaged(&what);
        }
        Err(error) => {
            log::warn!("failed to bring up the safe copy: {error}");
            status.kept(Some(format!(
                "The safe copy of the journal is not brought up: {error}."
            )));
        }
    }
}

/// Whether the rows fit the journal.
fn looked(data: &Path, looks: bool) -> Result<bool, StoreError> {
    let (database, copy) = (database_in(data), safe_copy_in(data));
    if let Some(directory) = copy.parent() {
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(directory);
        made.map_err(|error| super::failed(directory, &error))?;
    }
    let followed = safe::follow(&database, &copy)?;
    log::debug!("the safe copy has taken {} records more", followed.added);
    if looks {
        safe::check(&database)?;
    }
    Ok(followed.rows_fit)
}
