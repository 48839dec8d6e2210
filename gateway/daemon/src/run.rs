//! `run`: the daemon of a site.

use crate::armed::Armed;
use crate::config::Config;
use crate::gateway::{Gateway, StartError};
use crate::mend::{self, closed};
use crate::ordered::{Ordered, WORKS_AFTER};
use crate::sockets::Sockets;
use gateway_core::{Command, Decision, Record, State};
use gateway_web::Desk as _;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{interval, sleep};

/// How often systemd's watchdog is fed when it is not configured: then nobody listens.
const UNWATCHED: Duration = Duration::from_secs(60);
/// How often it is looked whether supply enforcement is armed: whoever hangs on that waits so long.
const LOOK: Duration = Duration::from_secs(2);
/// The receipt of an order that changes settings goes before the connection ends; if not, it is asked for again.
const RECEIPT_TIME: Duration = Duration::from_secs(2);

/// Runs until told to stop, or until it has to start again with other settings: true.
///
/// # Errors
/// The gateway cannot be started.
pub async fn run(
    config: &Config,
    ordered: &Arc<Ordered>,
    sockets: &Sockets,
) -> Result<bool, StartError> {
    let following = ordered.clone();
    let listener = move |record: &Record, state: &State| {
        log_record(record);
        following.follow(&state.cloud.configured);
    };
    let Some(opened) = closed::opened(config, sockets).await? else {
        return Ok(false);
    };
    let gateway = Gateway::start(
        config,
        opened,
        Some(ordered.clone()),
        Box::new(listener),
        sockets,
    )
    .await?;
    undo(&gateway, ordered).await;
    let nodes = match &config.field.broker {
        Some(broker) => format!("through the broker {broker}"),
        None => format!("on {}", gateway.broker),
    };
    let page = gateway.page;
    log::info!("serving the page on http://{page}/ and nodes {nodes}");
    notify(&[NotifyState::Ready]);
    // Twice as often as systemd asks, so that one late turn is no restart.
    let every = sd_notify::watchdog_enabled().map_or(UNWATCHED, |limit| limit / 2);
    let mut feed = interval(every.max(Duration::from_millis(100)));
    let (mut armed, mut looks) = (Armed::new(config.prepay.armed), interval(LOOK));
    let told = crate::signals::told_to_stop();
    let works = sleep(WORKS_AFTER);
    tokio::pin!(told, works);
    let mut is_seen_to_work = false;
    let again = loop {
        tokio::select! {
            () = &mut told => break false,
            () = ordered.again.notified() => {
                log::info!("starting again with the settings that were ordered");
                sleep(RECEIPT_TIME).await;
                break true;
            }
            what = gateway.desk.status.when_damaged() => {
                if mend::note_damage(&config.store.data_dir, &what) {
                    log::error!("starting again to put the database together");
                    break true;
                }
            }
            () = &mut works, if !is_seen_to_work => {
                is_seen_to_work = true;
                if gateway.desk.is_deciding() {
                    ordered.works();
                }
            }
            _ = looks.tick() => armed.look(&gateway),
            _ = feed.tick() => {
                if gateway.desk.is_deciding() {
                    notify(&[NotifyState::Watchdog]);
                }
            }
        }
    };
    armed.end();
    notify(&[if again {
        NotifyState::Reloading
    } else {
        NotifyState::Stopping
    }]);
    gateway.stop().await;
    log::info!("stopped; nodes go on to the end of their leases");
    Ok(again)
}

/// Writes down that the last change of settings did not work.
async fn undo(gateway: &Gateway, ordered: &Ordered) {
    if let Some((change, why)) = ordered.undo.clone() {
        log::error!("failed to start with the settings that were ordered: {why}");
        let undo = Command::UndoSettings { change, why };
        if let Err(error) = gateway.desk.submit(undo).await {
            log::error!("failed to write down that they are undone: {error}");
        }
    }
}

pub(crate) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("failed to notify systemd: {error}");
    }
}

fn log_record(record: &Record) {
    let body = match &record.decision {
        // Its whole content is in the journal.
        Decision::TariffAdopted { tariff } => format!("tariff {} adopted", tariff.id),
        decision => serde_json::to_string(decision).unwrap_or_default(),
    };
    let point = record
        .decision
        .usage_point()
        .map(|id| id.to_string())
        .unwrap_or_default();
    log::info!(RECORD = record.number, USAGE_POINT = point.as_str(); "{body}");
}
