//! While there is no database to work with: the page says why, the nodes live on their leases, and it is tried again.

use super::open::{self, Opened};
use crate::config::Config;
use crate::gateway::StartError;
use crate::sockets::Sockets;
use gateway_store::StoreError;
use sd_notify::NotifyState;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How often it is tried again: somebody may have put the stick back in or made room.
const EVERY: Duration = Duration::from_secs(3);
/// A file that cannot be read so often in a row is given up, if there is a copy.
const PATIENCE: u32 = 5;
/// Putting a large database together again on a slow card: systemd waits for it.
const LONGEST_START: u32 = 30 * 60 * 1_000_000;

/// Opens the database as soon as that is possible. `None`: told to stop.
///
/// # Errors
/// Another gateway has it, or a later version wrote it: waiting mends nothing.
pub async fn opened(config: &Config, sockets: &Sockets) -> Result<Option<Opened>, StartError> {
    sockets.check(config)?;
    crate::run::notify(&[NotifyState::ExtendTimeoutUsec(LONGEST_START)]);
    let error = match attempt(config, false).await {
        Ok(opened) => return Ok(Some(opened)),
        Err(error) => error,
    };
    if !can_pass(&error) {
        return Err(error.into());
    }
    let (said, words) = watch::channel(in_words(&error));
    // Without a page there is the log.
    let page = sockets.page(config).await.ok();
    let page = page.map(|page| tokio::spawn(gateway_web::serve_closed(page, words)));
    log::error!(
        "failed to open the database: {error}; supplies stay as they are, and it is tried again"
    );
    crate::run::notify(&[NotifyState::Ready, NotifyState::Status("no database")]);
    let told = crate::signals::told_to_stop();
    tokio::pin!(told);
    let mut failed = 1;
    let opened = loop {
        tokio::select! {
            () = &mut told => break Ok(None),
            () = sleep(EVERY) => {}
        }
        crate::run::notify(&[NotifyState::Watchdog]);
        match attempt(config, failed >= PATIENCE).await {
            Ok(opened) => break Ok(Some(opened)),
            Err(error) if can_pass(&error) => {
                let words = in_words(&error);
                said.send_if_modified(|said| {
                    let is_new = *said != words;
                    if is_new {
                        log::error!("failed to open the database: {error}");
                        *said = words;
                    }
                    is_new
                });
            }
            Err(error) => break Err(error.into()),
        }
        failed += 1;
    };
    if let Some(page) = page {
        // The port has to be free for the page that follows.
        page.abort();
        let _ = page.await;
    }
    log::info!("the database is open");
    opened
}

async fn attempt(config: &Config, insists: bool) -> Result<Opened, StoreError> {
    let data = config.store.data_dir.clone();
    let opened = tokio::task::spawn_blocking(move || open::open(&data, insists));
    opened.await.unwrap_or_else(|error| {
        let detail = error.to_string();
        Err(StoreError::Io { detail })
    })
}

/// Whether it may end without somebody starting the gateway again.
fn can_pass(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::DiskFull
            | StoreError::ReadOnly
            | StoreError::Busy
            | StoreError::Io { .. }
            | StoreError::Damaged { .. }
            | StoreError::NotOurs { .. }
            | StoreError::Database(_)
    )
}

fn in_words(error: &StoreError) -> String {
    let next = match error {
        StoreError::Damaged { .. } | StoreError::NotOurs { .. } | StoreError::Io { .. } => {
            " If there is a backup, put it back on this machine, with `sudo prepaid-gateway restore FILE`: the gateway then goes on by itself. If there is none, docs/backup.md says what is left to do."
        }
        _ => "",
    };
    format!(
        "The gateway has no database to work with: {error}. Supplies stay as they are, each to the end of its credit, and nothing can be sold until this is mended. It is tried again every few seconds.{next}"
    )
}
