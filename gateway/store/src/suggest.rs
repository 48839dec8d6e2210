//! Which phase a usage point hangs on, as the stored rounds of the last days suggest.

use crate::error::Result;
use crate::read::Reader;
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
            let mut set = BTreeMap::new();
            for view in reader.usage_points()? {
                let point = view.usage_point;
                if point.id == id && point.phases == Phases::Three {
                    return Ok(None);
                }
                let phase = match point.feeder_phase {
                    Some(FeederPhase::A) => Phase::A,
                    Some(FeederPhase::B) => Phase::B,
                    Some(FeederPhase::C) => Phase::C,
                    Some(FeederPhase::Three) | None => continue,
                };
                set.insert(point.id, phase);
            }
            let mut meter = None;
            let mut references = Vec::new();
            for view in reader.nodes()? {
                let Some(Role::UsagePoint(of)) = view.node.role else {
                    continue;
                };
                if of == id {
                    meter = Some(view.node.id);
                }
                references.extend(set.get(&of).map(|phase| (view.node.id, *phase)));
            }
            let Some(meter) = meter else {
                return Ok(None);
            };
            let rounds = reader.rounds(UtcSeconds(now.0 - DAYS * 86_400), now)?;
            Ok(Some(suggest(&rounds, meter, &references)))
        })
    }
}
