//! What is said of one circuit: the loss, and where to look first.
//!
//! Decided here: how sure a statement is and what stands in it. Deliberately not: which explanation is best ([`super::rank`]).

use super::circuit::Circuit;
use super::phases::Found;
use super::rank::Suspect;
use super::sequential::Change;
use super::site::{Evidence, Finding, Kind, Phase, Site};
use crate::UtcSeconds;
use alloc::vec;
use alloc::vec::Vec;

/// What a meter's confidence is worth if the loss is certainly a tap: every fourth tap belongs to
/// the nearest premises.
const NEAREST: f64 = 0.25;
/// Suspects named.
const NAMED: usize = 3;

/// What the findings of one circuit are made of.
pub struct Report<'a> {
    pub site: &'a Site,
    pub circuit: &'a Circuit,
    pub best: Change,
    pub now: i64,
    /// What else is known of the loss.
    pub besides: Vec<Evidence>,
}

impl Report<'_> {
    pub fn findings(
        &self,
        suspects: &[Suspect],
        found: &[Found],
        phase: Option<Phase>,
    ) -> Vec<Finding> {
        // In a week a change has been seen on every kind of day; before, only the shape so far is
        // known.
        let hours = (self.now / 3600 - self.best.since_hour) as f64;
        let seen = 0.5 + 0.5 * (hours / 168.0).min(1.0);
        let finding = |kind, share: f64, evidence| Finding {
            at: UtcSeconds(self.now),
            kind,
            phase,
            confidence_permille: permille(share * seen),
            since: UtcSeconds(self.best.since_hour * 3600),
            watts: self.watts(),
            evidence,
        };
        let nobody = suspects.iter().find(|suspect| suspect.member.is_none());
        let mut evidence = nobody.map_or_else(Vec::new, |suspect| suspect.evidence.clone());
        evidence.extend(self.besides.iter().copied());
        let share = nobody.map_or(0.0, |suspect| suspect.share);
        let mut findings = vec![finding(Kind::FeederLoss, share.max(0.3), evidence)];
        // Nobody's house is pointed at for what follows all of them.
        if self.besides.contains(&Evidence::FollowsEverything) {
            return findings;
        }
        // Of the meters among themselves; if nobody's tap explains it better, they are only where
        // it hangs nearest.
        let meters = (1.0 - share).max(1e-12);
        let nearest = NEAREST + (1.0 - NEAREST) * meters;
        for suspect in suspects
            .iter()
            .filter(|suspect| suspect.member.is_some())
            .take(NAMED)
        {
            let Some(place) = suspect
                .member
                .and_then(|at| self.circuit.columns.members.get(at))
            else {
                continue;
            };
            let Some(meter) = self.site.meters.get(*place) else {
                continue;
            };
            let mut evidence = suspect.evidence.clone();
            if found.get(*place).is_some_and(|found| found.contradicts) {
                evidence.push(Evidence::PhaseLabelContradicted);
            }
            let among = (suspect.share / meters).min(1.0);
            findings.push(finding(
                Kind::Meter { meter: meter.id },
                among * nearest,
                evidence,
            ));
        }
        findings
    }

    pub fn watts(&self) -> u32 {
        let mean = self.circuit.mean_wh(&self.best);
        let watts = mean * 3600.0 / f64::from(self.site.settings.interval_s.max(1));
        u32::try_from(rounded(watts)).unwrap_or(0)
    }
}

pub fn permille(share: f64) -> u16 {
    u16::try_from(rounded(share * 1000.0))
        .unwrap_or(1000)
        .min(1000)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "saturates, and the values are small"
)]
pub fn rounded(value: f64) -> i64 {
    libm::round(value) as i64
}
