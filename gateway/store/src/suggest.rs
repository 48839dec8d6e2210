//! Which phase a usage point hangs on, as the stored rounds of the last days suggest.

use crate::error::Result;
use crate::read::Reader;
use gateway_core::UsagePoint;
use gateway_core::event::Role;
use gateway_core::loss::Phase;
use gateway_core::loss::suggest::{PhaseSuggestion, suggest};
use gateway_core::meter_link::FeederPhase;
use gateway_core::tariff::Phases;
use gateway_core::{UsagePointId, UtcSeconds};
use std::collections::BTreeMap;

/// Days looked at: a week has every household's habits in it, and its rounds are read in some tens of milliseconds.
const DAYS: i64 = 7;

impl Reader {
    /// Compares the voltages of a usage point's meter with those of meters whose phase is set; `None` if it has no meter, is connected to
    /// three phases, or does not exist.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn phase_suggestion(
        &self,
        id: UsagePointId,
        now: UtcSeconds,
    ) -> Result<Option<PhaseSuggestion>> {
        self.together(|reader| {
            let points = reader.usage_points()?;
            let points = points.into_iter().map(|view| view.usage_point);
            let points: BTreeMap<_, _> = points.map(|point| (point.id, point)).collect();
            let Some(own) = points.get(&id).filter(|own| own.phases != Phases::Three) else {
                return Ok(None);
            };
            let mut meter = None;
            let mut references = Vec::new();
            let mut feeders = Vec::new();
            for view in reader.nodes()? {
                let node = view.node.id;
                match view.node.role {
                    Some(Role::UsagePoint(of)) => {
                        if of == id {
                            meter = Some(node);
                        }
                        let other = points.get(&of).filter(|other| together(own, other));
                        let phase = other.and_then(|other| single(other.feeder_phase));
                        references.extend(phase.map(|phase| (node, phase)));
                    }
                    Some(Role::Feeder(of)) => feeders.push((of, node)),
                    None => {}
                }
            }
            let Some(meter) = meter else {
                return Ok(None);
            };
            let feeder = match (own.feeder, feeders.as_slice()) {
                (None, [(_, only)]) => Some(*only),
                (None, _) => None,
                (Some(set), all) => all.iter().find(|(of, _)| *of == set).map(|(_, node)| *node),
            };
            let rounds = reader.rounds(UtcSeconds(now.0 - DAYS * 86_400), now)?;
            Ok(Some(suggest(&rounds, meter, &references, feeder)))
        })
    }
}

/// Whether two usage points may hang on the same feeder: a phase A of another transformer says nothing.
fn together(one: &UsagePoint, other: &UsagePoint) -> bool {
    match (one.feeder, other.feeder) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

/// The phase of a connection that has one.
fn single(phase: Option<FeederPhase>) -> Option<Phase> {
    match phase? {
        FeederPhase::A => Some(Phase::A),
        FeederPhase::B => Some(Phase::B),
        FeederPhase::C => Some(Phase::C),
        FeederPhase::Three => None,
    }
}
