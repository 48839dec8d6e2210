//! Who hangs on which feeder: what a watch is built from.
//!
//! Decided here: which feeders can be balanced. With one feeder meter everything hangs on it; with several a feeder is balanced only if
//! every metered usage point was assigned to one, because a forgotten one would look like a theft. Deliberately not: on which phase
//! something really hangs ([`crate::loss`] finds out).

use super::Lesson;
use crate::event::Role;
use crate::meter_link::FeederPhase;
use crate::tariff::Phases;
use crate::{FeederId, NodeId, State, UsagePointId};
use alloc::vec::Vec;

/// A usage point with its meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metered {
    /// The meter in place.
    pub node: NodeId,
    /// Whose.
    pub usage_point: UsagePointId,
    /// The feeder somebody assigned it to.
    pub feeder: Option<FeederId>,
    /// The phase somebody noted.
    pub phase: Option<FeederPhase>,
    /// Single or three phase.
    pub connection: Phases,
}

/// Who hangs where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    /// Feeders and the nodes that measure them, by number.
    pub feeders: Vec<(FeederId, NodeId)>,
    /// Metered usage points, by number, so that a replaced meter keeps its place.
    pub meters: Vec<Metered>,
    /// What closed cases taught, oldest first.
    pub lessons: Vec<Lesson>,
}

impl Layout {
    /// As the state has it.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let mut layout = Self::default();
        for node in state.nodes.values() {
            match node.role {
                Some(Role::Feeder(feeder)) => layout.feeders.push((feeder, node.id)),
                Some(Role::UsagePoint(id)) => {
                    let point = state.usage_points.get(&id);
                    layout.meters.push(Metered {
                        node: node.id,
                        usage_point: id,
                        feeder: point.and_then(|point| point.feeder),
                        phase: point.and_then(|point| point.feeder_phase),
                        connection: point.map_or(Phases::Single, |point| point.phases),
                    });
                }
                None => {}
            }
        }
        layout.lessons = state.cases.values().filter_map(Lesson::of).collect();
        layout.lessons.sort_by_key(|lesson| lesson.at);
        layout.feeders.sort_unstable();
        layout.meters.sort_by_key(|meter| meter.usage_point);
        layout
    }

    /// The metered usage points on a feeder.
    #[must_use]
    pub fn on(&self, feeder: FeederId) -> Vec<Metered> {
        let alone = self.feeders.len() == 1;
        let here = |meter: &&Metered| meter.feeder.map_or(alone, |assigned| assigned == feeder);
        self.meters.iter().filter(here).copied().collect()
    }

    /// Metered usage points that keep several feeders from being balanced, because nobody has said on which one they hang.
    #[must_use]
    pub fn unassigned(&self) -> Vec<UsagePointId> {
        if self.feeders.len() < 2 {
            return Vec::new();
        }
        let lost = |meter: &&Metered| {
            let known = |feeder: FeederId| self.feeders.iter().any(|(id, _)| *id == feeder);
            !meter.feeder.is_some_and(known)
        };
        let lost = self.meters.iter().filter(lost);
        lost.map(|meter| meter.usage_point).collect()
    }

    /// The feeders that can be balanced.
    #[must_use]
    pub fn watchable(&self) -> Vec<(FeederId, NodeId)> {
        if self.unassigned().is_empty() {
            self.feeders.clone()
        } else {
            Vec::new()
        }
    }
}
