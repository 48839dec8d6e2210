//! Around a switch test: nodes report more often, and its readings are handed over once they are there.

use super::Cycle;
use crate::watch::{Due, News};
use gateway_core::case::Layout;
use gateway_core::case::trial::Stage;
use gateway_core::{FeederId, NodeId, UtcSeconds};
use prepaid_common::wire;
use std::collections::BTreeSet;

/// Seconds between two reports of a node on a feeder where a test is ahead or runs.
const HASTE_S: u16 = 5;
/// What is told again after so long, milliseconds: a frame may be lost.
const AGAIN_MS: u64 = 30_000;
/// How often nodes are told that it is over.
const TIMES_CALM: u8 = 3;

/// Who was asked for haste, and which readings were handed over.
#[derive(Debug, Default)]
pub struct Haste {
    hasty: BTreeSet<NodeId>,
    calm_left: u8,
    told_at: u64,
    handed: Option<(u64, u64)>,
}

impl Cycle {
    /// At each tick.
    pub(super) fn look_at_trials(&mut self) {
        let now = self.clock.monotonic_ms();
        let (mut feeders, mut due) = (BTreeSet::new(), None);
        for point in self.state.usage_points.values() {
            let Some(trial) = point.guard.trial else {
                continue;
            };
            let Some(case) = self.state.cases.get(&trial.case) else {
                continue;
            };
            let feeder = case.report.feeder;
            if !trial.natural {
                feeders.insert(feeder);
            }
            if let Stage::Weighed {
                opened,
                closed,
                due: at,
            } = trial.stage
                && self.state.moment(self.clock.now()).at >= at
            {
                due = Some(Due {
                    case: trial.case,
                    number: trial.number,
                    usage_point: point.id,
                    feeder,
                    natural: trial.natural,
                    opened,
                    closed,
                    around: UtcSeconds(i64::from(trial.seconds)),
                });
            }
        }
        if !feeders.is_empty() || !self.told.haste.hasty.is_empty() {
            self.ask_for_haste(&feeders, now);
        }
        if let (Some(due), Some(watch)) = (due, &self.watch) {
            let handed = self.told.haste.handed;
            let lately = |(number, at): (u64, u64)| {
                number == due.number && now.saturating_sub(at) < AGAIN_MS
            };
            if !handed.is_some_and(lately) {
                self.told.haste.handed = Some((due.number, now));
                let _ = watch.try_send(News::weigh(&self.state, due));
            }
        }
    }

    fn ask_for_haste(&mut self, feeders: &BTreeSet<FeederId>, now: u64) {
        let layout = Layout::of(&self.state);
        let mut hasty = BTreeSet::new();
        for feeder in feeders {
            hasty.extend(layout.on(*feeder).iter().map(|meter| meter.node));
            hasty.extend(
                layout
                    .feeders
                    .iter()
                    .filter(|(id, _)| id == feeder)
                    .map(|(_, node)| *node),
            );
        }
        let before = &self.told.haste;
        let changed = !hasty.is_empty() && hasty != before.hasty;
        let over = hasty.is_empty() && before.calm_left == 0;
        if !changed && now.saturating_sub(before.told_at) < AGAIN_MS {
            return;
        }
        let (seconds, nodes) = match hasty.is_empty() {
            false => (HASTE_S.min(self.settings.report_interval_s), hasty.clone()),
            true => (self.settings.report_interval_s, before.hasty.clone()),
        };
        for node in nodes {
            let command = wire::Command {
                report_interval_s: Some(seconds),
                ..wire::Command::default()
            };
            // A node without a session learns its interval with the welcome.
            if let Ok(frame) = self.links.command(node, &command) {
                let _ = self.send(node, frame);
            }
        }
        let haste = &mut self.told.haste;
        haste.told_at = now;
        if hasty.is_empty() {
            haste.calm_left = haste.calm_left.saturating_sub(1);
            if over || haste.calm_left == 0 {
                haste.hasty.clear();
            }
        } else {
            (haste.hasty, haste.calm_left) = (hasty, TIMES_CALM);
        }
    }
}
