//! What an installer sets about a usage point: its phase, and whether its cuts are carried out.

use super::meter_work::{Choice, choice};
use crate::committed::UsagePointRows;
use crate::failure::sentence;
use askama::Template;
use gateway_core::loss::suggest::PhaseSuggestion;
use gateway_core::meter_link::{Arming, FeederPhase};
use gateway_core::tariff::Phases;

/// The way back of a change.
pub(crate) struct UndoSetting {
    /// `phase` or `arming`.
    pub setting: &'static str,
    pub value: &'static str,
    pub words: String,
}

/// What the voltages say.
pub(crate) struct Suggested {
    pub words: String,
    pub phase: &'static str,
    /// The word to accept it, if it is news.
    pub accept: Option<&'static str>,
}

impl Suggested {
    fn new(suggestion: &PhaseSuggestion, set: Option<FeederPhase>) -> Self {
        let phase = suggestion.phase();
        Self {
            words: sentence(&suggestion.words()),
            phase: phase.map_or("", FeederPhase::words),
            accept: phase.filter(|_| phase != set).map(|_| phase_name(phase)),
        }
    }
}

#[derive(Template)]
#[template(path = "settings.html")]
pub(crate) struct SettingsView {
    pub id: String,
    pub label: String,
    pub notice: Option<&'static str>,
    pub undo: Option<UndoSetting>,
    pub node: Option<String>,
    pub arming_words: &'static str,
    pub would_cut: String,
    pub armings: Vec<Choice>,
    pub phases: Vec<Choice>,
    pub suggestion: Option<Suggested>,
}

/// The phases a usage point can hang on, with their words in forms and the API.
pub(crate) const PHASES: [(&str, Option<FeederPhase>); 5] = [
    ("unknown", None),
    ("a", Some(FeederPhase::A)),
    ("b", Some(FeederPhase::B)),
    ("c", Some(FeederPhase::C)),
    ("three", Some(FeederPhase::Three)),
];

/// A phase's word in forms and the API.
pub(crate) fn phase_name(phase: Option<FeederPhase>) -> &'static str {
    let known = PHASES.iter().find(|(_, known)| *known == phase);
    known.map_or("unknown", |(name, _)| name)
}

/// An arming's word in forms and the API.
pub(crate) fn arming_name(arming: Arming) -> &'static str {
    match arming {
        Arming::Site => "site",
        Arming::Armed => "armed",
        Arming::Shadow => "shadow",
    }
}

impl SettingsView {
    /// `was`: what was set before, as `phase=a` or `arming=site`, right after a change.
    pub(crate) fn new(
        rows: &UsagePointRows,
        was: &str,
        suggestion: Option<&PhaseSuggestion>,
    ) -> Self {
        let point = &rows.point;
        let supply = &point.supply;
        let phase = phase_name(point.feeder_phase);
        let undo = undo(was);
        let arming = arming_name(supply.arming);
        let fits = |phase: Option<FeederPhase>| {
            let three = phase == Some(FeederPhase::Three);
            phase.is_none() || three == (point.phases == Phases::Three)
        };
        let phases = PHASES
            .iter()
            .filter(|(name, of)| fits(*of) || *name == phase);
        let suggested = |found| Suggested::new(found, point.feeder_phase);
        Self {
            suggestion: suggestion.map(suggested),
            id: point.id.to_string(),
            label: point.label.clone(),
            notice: undo.is_some().then_some("Saved."),
            undo,
            node: rows.node.map(|node| node.to_string()),
            arming_words: match (supply.arming, supply.shadow) {
                (Arming::Site, false) => "Armed, as the site is.",
                (Arming::Site, true) => "In shadow, as the site is.",
                (_, false) => "Armed.",
                (_, true) => "In shadow.",
            },
            would_cut: match supply.would_cut() {
                true => supply.reasons.to_string(),
                false => String::new(),
            },
            armings: vec![
                choice("site", "As the site", arming),
                choice("armed", "Armed", arming),
                choice("shadow", "Shadow", arming),
            ],
            phases: phases
                .map(|(name, of)| choice(*name, of.map_or("Unknown", short), phase))
                .collect(),
        }
    }
}

fn short(phase: FeederPhase) -> &'static str {
    match phase {
        FeederPhase::A => "A",
        FeederPhase::B => "B",
        FeederPhase::C => "C",
        FeederPhase::Three => "All three",
    }
}

fn undo(was: &str) -> Option<UndoSetting> {
    let (setting, value) = was.split_once('=')?;
    match setting {
        "phase" => {
            let (value, phase) = PHASES.iter().find(|(name, _)| *name == value)?;
            let words = phase.map_or("phase unknown", FeederPhase::words);
            let words = match phase {
                Some(_) => format!("phase {words}"),
                None => words.to_owned(),
            };
            Some(UndoSetting {
                setting: "phase",
                value,
                words,
            })
        }
        "arming" => {
            let all = [Arming::Site, Arming::Armed, Arming::Shadow];
            let value = all
                .into_iter()
                .map(arming_name)
                .find(|name| *name == value)?;
            Some(UndoSetting {
                setting: "arming",
                value,
                words: match value {
                    "site" => "as the site".to_owned(),
                    "shadow" => "in shadow".to_owned(),
                    other => other.to_owned(),
                },
            })
        }
        _ => None,
    }
}
