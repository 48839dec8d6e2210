//! Decisions of the office in words: changes at a usage point, settings, questions and answers.

use gateway_core::Decision;
use gateway_core::configured::{Changes, Setting, SettingsDecision};
use gateway_core::point_change::{PointChange, What};
use gateway_core::question::QuestionDecision;

/// A decision's mark and its words; `None` if the office did not make it.
pub(super) fn describe(decision: &Decision) -> Option<(&'static str, String)> {
    Some(match decision {
        Decision::UsagePointChanged(change) => ("admin", change_words(change)),
        Decision::Settings(SettingsDecision::Ordered { values, by }) => (
            "admin",
            format!("Settings ordered by {by}: {}", settings_words(values)),
        ),
        Decision::Settings(SettingsDecision::Undone { why, .. }) => (
            "alarm",
            format!("The settings ordered last are not in force any more: {why}"),
        ),
        Decision::TokenMade { made, by, .. } => {
            let (whole, tenth) = (made.amount_100wh() / 10, made.amount_100wh() % 10);
            (
                "admin",
                format!("Token of {whole}.{tenth} kWh made by {by}"),
            )
        }
        Decision::Question { what, .. } => ("admin", question_words(what)),
        _ => return None,
    })
}

fn question_words(what: &QuestionDecision) -> String {
    match what {
        QuestionDecision::Asked { about, text, by } => {
            let about = about.map_or_else(String::new, |number| format!(" about no. {number}"));
            format!("Question of {by}{about}: {text}")
        }
        QuestionDecision::Answered { asked, text, by } => {
            format!("Question {asked} answered by {by}: {text}")
        }
    }
}

fn change_words(change: &PointChange) -> String {
    let by = &change.by;
    match &change.what {
        What::Label { label } => format!("Called “{label}” from now on, by {by}"),
        What::MaxPower { max_power_w } => {
            format!("Largest power of the connection set to {max_power_w} W by {by}")
        }
        What::Tariff { tariff, from } => {
            let from = from.map_or("soon".into(), |day| format!("from {day} on"));
            format!("Tariff {tariff} {from}, by {by}")
        }
        What::Message { text, .. } if text.is_empty() => "The message is shown no more".into(),
        What::Message { text, .. } => format!("Message to the resident by {by}: {text}"),
    }
}

fn settings_words(changes: &Changes) -> String {
    let words = changes.iter().map(|(key, value)| match value {
        None => format!("{key} as in the file"),
        Some(Setting::Whole(number)) => format!("{key} {number}"),
        Some(Setting::Text(text)) => format!("{key} “{text}”"),
    });
    words.collect::<Vec<_>>().join(", ")
}
