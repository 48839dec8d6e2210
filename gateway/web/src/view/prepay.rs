//! What the prepayment rules have made of an account, in words: on its page and in its journal.

use crate::committed::UsagePointRows;
use crate::format::{self, Money};
use askama::Template;
use gateway_core::prepay::{CreditStatus, PrepayDecision};
use gateway_core::{Micro, Rules, UtcSeconds};

/// What an account's page says about friendly hours, emergency credit, stages, missing readings and holds.
#[derive(Template)]
#[template(path = "prepay.html")]
pub(crate) struct PrepayView {
    id: String,
    /// Good to know.
    notes: Vec<String>,
    /// What somebody should do something about.
    warnings: Vec<String>,
    /// Whether emergency credit waits to be activated.
    is_offered: bool,
    /// Whether a hold waits to be cleared.
    is_held: bool,
}

impl PrepayView {
    pub(crate) fn new(
        rows: &UsagePointRows,
        rules: &Rules,
        currency: &str,
        now: UtcSeconds,
    ) -> Self {
        let (point, tariff) = (&rows.point, rows.tariff.as_ref());
        let prepay = &point.prepay;
        let money = |amount| Money::new(amount, currency).text();
        let time = |at| format::date_time(rules.calendar, at);
        let (mut notes, mut warnings) = (Vec::new(), Vec::new());
        if let Some(held) = prepay.friendly {
            warnings.push(format!(
                "Credit is used up. Friendly hours keep the supply on until {}.",
                time(held.until)
            ));
        }
        let emergency = prepay.emergency;
        let days = emergency
            .until
            .map(|until| format!(" until {}", time(until)));
        let lent = days.unwrap_or_else(|| format!(" of {}", money(emergency.granted)));
        match emergency.status {
            CreditStatus::Enabled => {}
            CreditStatus::Exhausted => warnings.push("Emergency credit is used up.".into()),
            status => notes.push(format!("Emergency credit{lent}: {}.", status.words())),
        }
        if let Some(state) = prepay.stages.current() {
            notes.push(format!("Low credit: {} left.", state.stage.words()));
        }
        if let Some(provisional) = prepay.provisional {
            notes.push(format!(
                "{} taken off provisionally for {} hours without a reading; it is posted back when the meter is heard.",
                money(provisional.amount),
                provisional.hours
            ));
        }
        if let Some(hold) = prepay.hold {
            warnings.push(format!(
                "No energy is charged since {}: the register went backwards.",
                time(hold.at)
            ));
        }
        let window = rules.friendly_window(tariff, now);
        if let Some(window) = window.filter(|window| window.holds(now)) {
            notes.push(format!("Friendly hours until {}.", time(window.until)));
        }
        Self {
            id: point.id.to_string(),
            notes,
            warnings,
            is_offered: emergency.status == CreditStatus::Selectable,
            is_held: prepay.hold.is_some(),
        }
    }
}

/// A decision's mark and its words.
pub(crate) fn describe(what: &PrepayDecision, currency: &str) -> (&'static str, String) {
    let money = |amount| Money::new(amount, currency).text();
    match what {
        PrepayDecision::FriendlyHeld { .. } => (
            "supply",
            "Credit used up; on until friendly hours end".to_owned(),
        ),
        PrepayDecision::FriendlyNotice { cut_at, .. } => (
            "alarm",
            format!("To be cut at {cut_at}: friendly hours end"),
        ),
        PrepayDecision::FriendlyOver => ("supply", "No longer on by friendly hours".to_owned()),
        PrepayDecision::StagesArmed { .. } => ("calm", "Above its low-credit stages".to_owned()),
        PrepayDecision::StageCrossed { words, .. } => ("alarm", format!("Low credit: {words}")),
        PrepayDecision::ProvisionalCharged { hours, amount, .. } => (
            "charge",
            format!(
                "Provisional charge of {} for {hours} hours without a reading",
                money(*amount)
            ),
        ),
        PrepayDecision::ProvisionalReversed { amount } => (
            "calm",
            format!("Provisional charges of {} posted back", money(*amount)),
        ),
        PrepayDecision::HoldPlaced { .. } => (
            "alarm",
            "No energy is charged from now on: the register went backwards".to_owned(),
        ),
        PrepayDecision::HoldCleared {
            note, charged, by, ..
        } => {
            let what = if *charged { "charged" } else { "let go" };
            let words =
                format!("Energy is charged again, what was counted {what}, by {by}: {note}");
            ("calm", words)
        }
        _ => describe_emergency(what, &money),
    }
}

fn describe_emergency(
    what: &PrepayDecision,
    money: &dyn Fn(Micro) -> String,
) -> (&'static str, String) {
    match what {
        PrepayDecision::EmergencyOffered { .. } => {
            ("supply", "Emergency credit offered".to_owned())
        }
        PrepayDecision::EmergencyActivated { limit, until, by } => {
            let lent = match until {
                Some(_) => "in days".to_owned(),
                None => format!("of {}", money(*limit)),
            };
            ("on", format!("Emergency credit {lent} activated by {by}"))
        }
        PrepayDecision::EmergencyInUse { .. } => ("supply", "Emergency credit in use".to_owned()),
        PrepayDecision::EmergencyRevoked { by, .. } => {
            ("off", format!("Emergency credit taken back by {by}"))
        }
        PrepayDecision::EmergencyExhausted => ("off", "Emergency credit used up".to_owned()),
        PrepayDecision::EmergencyRepaid {
            amount,
            left: Micro::ZERO,
        } => (
            "calm",
            format!("Emergency credit repaid with {}", money(*amount)),
        ),
        PrepayDecision::EmergencyRepaid { amount, left } => (
            "supply",
            format!(
                "{} of emergency credit repaid, {} still owed",
                money(*amount),
                money(*left)
            ),
        ),
        _ => ("calm", "Emergency credit not needed any more".to_owned()),
    }
}
