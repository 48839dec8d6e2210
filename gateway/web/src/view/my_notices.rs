//! What the prepayment rules have made of an account, for the resident, in their language: friendly hours, emergency credit, days left, debts.

use crate::committed::UsagePointRows;
use crate::format::{self, Money};
use crate::words::Words;
use gateway_core::case::trial::Stage as TestStage;
use gateway_core::debt::{CapPeriod, DebtKind, Terms};
use gateway_core::prepay::{CreditStatus, Stage};
use gateway_core::supply::Reason;
use gateway_core::{Micro, Rules, UtcSeconds};

/// A debt, and how it is paid back.
pub(crate) struct MyDebt {
    pub words: &'static str,
    pub owed: Money,
    pub terms: String,
}

/// A question, and what the office answered.
pub(crate) struct MyQuestion {
    pub text: String,
    pub at: String,
    /// Who answered and when, and what; nothing while it is open.
    pub reply: Option<(String, String)>,
}

/// The questions of a usage point, newest first.
pub(crate) fn questions(w: Words, rows: &UsagePointRows, rules: &Rules) -> Vec<MyQuestion> {
    let time = |at| format::date_time(rules.calendar, at);
    let line = |asked: &gateway_core::question::Question| MyQuestion {
        text: asked.text.clone(),
        at: time(asked.at),
        reply: asked
            .reply
            .as_ref()
            .map(|reply| (w.with("ask-answered", &time(reply.at)), reply.text.clone())),
    };
    rows.point.questions.iter().rev().map(line).collect()
}

/// What the page says and offers besides the credit.
pub(crate) struct MyNotices {
    /// Something to do soon.
    pub warnings: Vec<String>,
    /// Good to know.
    pub notes: Vec<String>,
    /// Emergency credit that can be activated, in words.
    pub emergency: Option<String>,
    /// Whether the supply waits for a press.
    pub may_reconnect: bool,
    pub debts: Vec<MyDebt>,
    /// What of a recharge of an even sum would pay back debts, in words.
    pub example: Option<String>,
}

/// The recharge that is taken as the example.
const EXAMPLE: Micro = Micro(100_000_000);

impl MyNotices {
    pub(crate) fn new(
        w: Words,
        rows: &UsagePointRows,
        rules: &Rules,
        (currency, available, now): (&str, Micro, UtcSeconds),
    ) -> Self {
        let (point, tariff) = (&rows.point, rows.tariff.as_ref());
        let prepay = &point.prepay;
        let money = |amount| Money::new(amount, currency).text();
        let time = |at| format::date_time(rules.calendar, at);
        let (mut notes, mut warnings) = (Vec::new(), Vec::new());
        if let Some(trial) = point.guard.trial
            && let TestStage::Announced { starts } = trial.stage
        {
            let seconds = trial.seconds.to_string();
            warnings.push(w.with_two("supply-test", &time(starts), &seconds));
        }
        if let Some(held) = prepay.friendly {
            warnings.push(w.with("friendly-held", &time(held.until)));
        } else if let Some(window) = rules.friendly_window(tariff, now)
            && window.holds(now)
        {
            notes.push(w.with("friendly-now", &time(window.until)));
        }
        let emergency = prepay.emergency;
        let lent = match emergency.until {
            Some(until) => w.with("until", &time(until)),
            None => money(emergency.granted),
        };
        match emergency.status {
            CreditStatus::Enabled | CreditStatus::Selectable => {}
            CreditStatus::Selected => notes.push(w.with("emergency-ready", &lent)),
            CreditStatus::InUse => {
                let used = Micro(available.0.min(0).saturating_neg());
                warnings.push(w.with_two("emergency-in-use", &lent, &money(used)));
            }
            CreditStatus::Exhausted => warnings.push(w.get("emergency-used-up").to_owned()),
        }
        let offer = &rules.prepay_of(tariff).emergency;
        let offered = (emergency.status == CreditStatus::Selectable).then(|| match offer.days {
            0 => w.with("emergency-offer", &money(offer.limit)),
            days => w.with("emergency-offer-days", &days.to_string()),
        });
        if let Some(days) = days_left(rows, available) {
            notes.push(w.with("days-left", &days.to_string()));
        } else if let Some(state) = prepay.stages.current() {
            notes.push(match state.stage {
                Stage::Days(days) => w.with("stage-days", &days.to_string()),
                Stage::Percent(percent) => w.with("stage-percent", &percent.to_string()),
                Stage::Amount(amount) => w.with("stage-amount", &money(amount)),
            });
        }
        if let Some(provisional) = prepay.provisional {
            notes.push(w.with("provisional", &money(provisional.amount)));
        }
        if prepay.hold.is_some() {
            notes.push(w.get("held").to_owned());
        }
        Self {
            warnings,
            notes,
            emergency: offered,
            may_reconnect: point.supply.reasons.has(Reason::AwaitsPress),
            debts: debts(w, rows, currency),
            example: example(w, rows, rules, (currency, now)),
        }
    }
}

/// Whole days the credit lasts at usual use; nothing if that is not known, or there is no credit.
fn days_left(rows: &UsagePointRows, available: Micro) -> Option<i64> {
    let a_day = rows.point.prepay.profile.charge_per_day()?;
    let days = available.0.checked_div(a_day.0).filter(|_| a_day.0 > 0)?;
    (available.0 > 0).then_some(days)
}

fn kind_words(w: Words, kind: DebtKind) -> &'static str {
    w.get(match kind {
        DebtKind::Arrears => "debt-arrears",
        DebtKind::Appliance => "debt-appliance",
        DebtKind::Fraud => "debt-fraud",
        DebtKind::Accumulated => "debt-accumulated",
    })
}

fn debts(w: Words, rows: &UsagePointRows, currency: &str) -> Vec<MyDebt> {
    let owed = rows.point.debts.registers.iter();
    let owed = owed.filter(|debt| debt.remaining > Micro::ZERO);
    let line = |debt: &gateway_core::debt::Debt| MyDebt {
        words: kind_words(w, debt.kind),
        owed: Money::new(debt.remaining, currency),
        terms: terms(w, &debt.terms, currency),
    };
    owed.map(line).collect()
}

fn terms(w: Words, terms: &Terms, currency: &str) -> String {
    let money = |amount| Money::new(amount, currency).text();
    let mut parts = Vec::new();
    if terms.percent_hundredths > 0 {
        let percent = super::agent_account::percent(terms.percent_hundredths);
        parts.push(w.with("debt-percent", &percent));
    }
    if terms.per_day > Micro::ZERO {
        parts.push(w.with("debt-a-day", &money(terms.per_day)));
    }
    if parts.is_empty() {
        parts.push(w.get("debt-waits").to_owned());
    }
    if let Some(cap) = terms.cap {
        let key = match cap.per {
            CapPeriod::Day => "debt-cap-day",
            CapPeriod::Week => "debt-cap-week",
            CapPeriod::Month => "debt-cap-month",
        };
        parts.push(w.with(key, &money(cap.amount)));
    }
    parts.join(", ")
}

/// What a recharge made now would pay back, after the days that are not collected yet.
fn example(
    w: Words,
    rows: &UsagePointRows,
    rules: &Rules,
    (currency, now): (&str, UtcSeconds),
) -> Option<String> {
    let rule = &rules.prepay_of(rows.tariff.as_ref()).debt;
    let today = rules.calendar.day_of(now);
    let mut after = rows.point.debts.clone();
    after.take(&after.of_days(rule, today));
    let takes = after.of_payment(rule, EXAMPLE, today);
    let paid: Micro = takes.iter().map(|take| take.amount).sum();
    let money = |amount| Money::new(amount, currency).text();
    (paid > Micro::ZERO).then(|| w.with_two("debt-example", &money(EXAMPLE), &money(paid)))
}
