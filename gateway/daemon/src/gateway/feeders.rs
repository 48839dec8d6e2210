//! How the feeders of a site are watched.

use super::StartError;
use crate::config::Config;
use crate::cycle::Input;
use crate::watch::{self, News};
use gateway_core::State;
use gateway_core::loss::live::Rounds;
use std::sync::mpsc::SyncSender;
use tokio::sync::mpsc;

/// What makes rounds out of readings, and where rounds go.
pub fn watch(
    config: &Config,
    state: &State,
    inputs: &mpsc::Sender<Input>,
) -> Result<(Rounds, SyncSender<News>), StartError> {
    let ground = config.loss.clone();
    let rounds = Rounds::new(&ground.settings, late_s(config));
    let first = News::of(state, None);
    let news = watch::start(config.database(), ground, first, inputs.clone());
    Ok((rounds, news.map_err(StartError::Thread)?))
}

/// How long a quarter-hour waits for readings taken after it, seconds: two reports of a node, and half of that for gathering and
/// sending again.
fn late_s(config: &Config) -> u32 {
    3 * u32::from(config.cycle.report_interval_s)
}
