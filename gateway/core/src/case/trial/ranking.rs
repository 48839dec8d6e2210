//! What findings change in the ranking of suspects.
//!
//! Decided here: a proof lifts whom it is about, also somebody the watch did not name; who was shown to count everything while energy
//! was missing falls; the verdict and how sure it is follow. Deliberately not: guilt, money, and how the watch itself ranks
//! ([`crate::loss`]): its next report is weighed by the same findings again.
//!
//! Invariants: a finding that shows nothing changes nothing; a supply that opened at an hour at which the loss is not there clears nobody, nor
//! does one whose readings are coarser than the loss; papers and equipment are not ranked anew.

use super::{Finding, Says};
use crate::UtcSeconds;
use crate::calendar::Calendar;
use crate::case::{Accused, LossReport, MOST_SUSPECTS, Verdict};
use crate::loss::Evidence;
use alloc::vec::Vec;

/// Voltage or current behind an open relay can come from nothing else, so odds of a thousand to one.
const BRIDGED: u64 = 1_000;
/// A part that is missing beyond twice its error and the meters' class: a hundred to one.
const COUNTS_PART: u64 = 100;
/// A meter that was seen to count all: twenty to one against, as a bypass can be opened for the test.
const CLEARED: u64 = 20;
/// What somebody is taken for whom the watch did not name, permille: one house of fifty.
const UNNAMED: u64 = 20;
const ALL: u64 = 1_000;

/// By how much a finding changes the odds of its premises, and the evidence it is.
enum Odds {
    Up(u64, Evidence),
    Down(u64, Evidence),
}

/// Ranks the suspects of `report` anew by `findings`, each of which counts once. True if anything changed.
pub fn reweigh(report: &mut LossReport, findings: &[Finding], calendar: Calendar) -> bool {
    let mut changed = false;
    for finding in findings {
        if let Some(odds) = odds(report, finding, calendar) {
            changed |= weigh(report, finding, &odds);
        }
    }
    changed
}

fn odds(report: &LossReport, finding: &Finding, calendar: Calendar) -> Option<Odds> {
    let reckoned = &finding.reckoned;
    // Behind a relay whose voltage is not measured, what does not fall can be fed by a bridge.
    let measured = reckoned.voltage_out_dv.is_some();
    let was_there =
        report.going && finding.at >= report.since && falls_in(report, finding.at, calendar);
    let visible = report.watts > reckoned.within_w.saturating_mul(2);
    match reckoned.says {
        _ if report.verdict.is_technical() => None,
        Says::Bridged => Some(Odds::Up(BRIDGED, Evidence::BridgedInTest)),
        Says::CountsPart => Some(Odds::Up(COUNTS_PART, Evidence::CountsPartInTest)),
        Says::CountsAll if was_there && visible => {
            Some(Odds::Down(CLEARED, Evidence::CountsAllInTest))
        }
        Says::NotHere if measured => Some(Odds::Down(CLEARED, Evidence::NotHereInTest)),
        _ => None,
    }
}

/// Whether the loss is there at that hour of the day, as far as it keeps to one.
fn falls_in(report: &LossReport, at: UtcSeconds, calendar: Calendar) -> bool {
    let hour = calendar.minute_of(at) / 60;
    let has = |evidence| report.evidence.contains(&evidence);
    if has(Evidence::LossAtNight) || has(Evidence::RecursAtNight) {
        !(6..23).contains(&hour)
    } else if has(Evidence::LossInTheEvening) || has(Evidence::RecursInTheEvening) {
        (17..23).contains(&hour)
    } else {
        true
    }
}

fn weigh(report: &mut LossReport, finding: &Finding, odds: &Odds) -> bool {
    let whose = finding.usage_point;
    let suspects = &mut report.suspects;
    let named = suspects.iter().position(|s| s.usage_point == whose);
    let at = match (named, odds) {
        (Some(at), _) => at,
        (None, Odds::Down(..)) => return false,
        (None, Odds::Up(..)) => {
            suspects.push(Accused {
                usage_point: whose,
                confidence_permille: 0,
                evidence: Vec::new(),
            });
            suspects.len() - 1
        }
    };
    let mut weights: Vec<u64> = suspects
        .iter()
        .map(|s| u64::from(s.confidence_permille))
        .collect();
    let named: u64 = weights.iter().sum();
    // What is left is nobody's tap, and whom the watch did not name.
    let rest = ALL.saturating_sub(named).max(1);
    let (shown, nobody) = match odds {
        Odds::Up(factor, evidence) => {
            weights[at] = weights[at].max(UNNAMED) * factor;
            (*evidence, rest)
        }
        Odds::Down(factor, evidence) => {
            // In parts of what it is divided by, so that little stays little and not nothing.
            let mut others = weights.iter_mut().enumerate().filter(|(i, _)| *i != at);
            others.by_ref().for_each(|(_, weight)| *weight *= factor);
            (*evidence, rest * factor)
        }
    };
    let total = weights.iter().sum::<u64>() + nobody;
    let share = |weight: u64| u16::try_from(weight * ALL / total).unwrap_or(1_000);
    for (suspect, weight) in suspects.iter_mut().zip(&weights) {
        suspect.confidence_permille = share(*weight);
    }
    if !suspects[at].evidence.contains(&shown) {
        suspects[at].evidence.insert(0, shown);
    }
    suspects.sort_by_key(|suspect| core::cmp::Reverse(suspect.confidence_permille));
    suspects.truncate(MOST_SUSPECTS);
    conclude(report, share(nobody));
    true
}

/// The verdict that follows: the first suspect's, if nobody is less likely.
fn conclude(report: &mut LossReport, nobody_permille: u16) {
    let first = report.suspects.first();
    let first = first.filter(|first| first.confidence_permille > nobody_permille);
    let Some(first) = first else {
        report.verdict = Verdict::Tap;
        report.confidence_permille = nobody_permille;
        return;
    };
    report.confidence_permille = first.confidence_permille;
    let has = |evidence| first.evidence.contains(&evidence);
    report.verdict = if has(Evidence::BridgedInTest) {
        Verdict::Bypassed
    } else if has(Evidence::CountsPartInTest) || has(Evidence::LossFollowsRegister) {
        Verdict::PartlyRegistered
    } else {
        Verdict::Bypassed
    };
}
