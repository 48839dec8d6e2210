//! `run`: the daemon of a site.

use crate::config::Config;
use crate::gateway::{Gateway, StartError};
use gateway_core::{Decision, Record, State};
use sd_notify::NotifyState;
use std::time::Duration;
use tokio::time::interval;

/// How often systemd's watchdog is fed when it is not configured: then nobody listens.
const UNWATCHED: Duration = Duration::from_secs(60);

/// Runs until told to stop.
///
/// # Errors
/// The gateway cannot be started.
pub async fn run(config: &Config) -> Result<(), StartError> {
    let gateway = Gateway::start(config, Box::new(log_record)).await?;
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
    let told = crate::signals::told_to_stop();
    tokio::pin!(told);
    loop {
        tokio::select! {
            () = &mut told => break,
            _ = feed.tick() => {
                if gateway.desk.is_deciding() {
                    notify(&[NotifyState::Watchdog]);
                }
            }
        }
    }
    notify(&[NotifyState::Stopping]);
    gateway.stop().await;
    log::info!("stopped; nodes go on to the end of their leases");
    Ok(())
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("failed to notify systemd: {error}");
    }
}

fn log_record(record: &Record, _: &State) {
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
