//! A resident's page: facts in plain words, in their language.

use super::chart::Chart;
use super::facts::{PointFacts, SupplyLook};
use super::my_notices::{MyNotices, MyQuestion, questions};
use super::usage_point::{Costs, TokenEntry, costs};
use crate::committed::{ProfileRow, UsagePointRows};
use crate::failure::sentence;
use crate::format::{self, Money};
use crate::words::Words;
use askama::Template;
use gateway_core::supply::Reason;
use gateway_core::tokens::Effect;
use gateway_core::{Decision, Micro, Record, Rules, UtcSeconds};

/// Recharges shown.
const RECHARGES: usize = 12;

/// Why the power is off, and what to do about it.
pub(crate) struct Why {
    pub reason: String,
    pub what_to_do: &'static str,
}

/// One recharge.
pub(crate) struct Recharge {
    pub number: u64,
    pub at: String,
    pub how: &'static str,
    pub amount: Money,
}

#[derive(Template)]
#[template(path = "my.html")]
pub(crate) struct MyView {
    pub w: Words,
    pub languages: Vec<(&'static str, &'static str)>,
    pub id: String,
    pub label: String,
    pub units_left: Option<String>,
    pub money: String,
    pub is_low: bool,
    pub look: &'static str,
    pub look_class: &'static str,
    pub whys: Vec<Why>,
    pub silent: Option<String>,
    pub notice: Option<String>,
    pub messages: Vec<String>,
    pub token: Option<TokenEntry>,
    pub costs: Option<Costs>,
    pub chart: Option<Chart>,
    pub recharges: Vec<Recharge>,
    pub notices: MyNotices,
    pub questions: Vec<MyQuestion>,
    /// What the office tells, as it wrote it.
    pub told: Option<String>,
    /// What went wrong with what was just asked for.
    pub error: Option<String>,
    /// First and last day of the form for any days.
    pub days: (String, String),
}

/// What was just done on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MyDone {
    /// A receipt was made.
    Receipt(u64),
    /// Emergency credit was activated.
    Emergency,
    /// The supply is coming on.
    Reconnect,
    /// A question was sent.
    Asked,
}

/// What the page is made of.
pub(crate) struct MyInputs<'a> {
    pub words: Words,
    pub rows: &'a UsagePointRows,
    /// The usage point's newest records, oldest first.
    pub records: &'a [Record],
    pub profile: &'a [ProfileRow],
    /// What was typed; nothing if the site takes no tokens.
    pub token: Option<TokenEntry>,
    /// What was just done.
    pub done: Option<MyDone>,
    pub error: Option<String>,
    pub hours: i64,
}

impl MyView {
    pub(crate) fn new(inputs: MyInputs<'_>, rules: &Rules, now: UtcSeconds) -> Self {
        let (w, rows) = (inputs.words, inputs.rows);
        let facts = PointFacts::of(rows, rows.tariff.as_ref(), rules, now);
        let calendar = rules.calendar;
        let money = |amount| Money::new(amount, &facts.currency).text();
        let is_debt = facts.available < Micro::ZERO;
        let look = facts.look();
        let heard = facts.heard.map(|at| format::date_time(calendar, at));
        Self {
            w,
            languages: Words::all(),
            id: facts.id.to_string(),
            label: facts.label.clone(),
            units_left: facts.units_left.map(format::units),
            money: if is_debt {
                w.with("debt", &money(-facts.available))
            } else {
                w.with("money-left", &money(facts.available))
            },
            is_low: facts.is_low,
            look: look_words(w, look),
            look_class: look.class(),
            whys: whys(w, &facts),
            silent: heard
                .filter(|_| facts.is_silent)
                .map(|at| w.with("silent", &at)),
            notice: inputs.done.and_then(|done| match done {
                MyDone::Receipt(number) => notice(w, inputs.records, number, &facts.currency),
                MyDone::Emergency => Some(w.get("emergency-done").to_owned()),
                MyDone::Reconnect => Some(w.get("reconnect-done").to_owned()),
                MyDone::Asked => Some(w.get("ask-sent").to_owned()),
            }),
            messages: messages(w, inputs.records, now),
            token: inputs.token,
            costs: costs(rows, &facts, inputs.profile, rules, now),
            chart: Chart::new(inputs.profile, now, inputs.hours, calendar),
            recharges: recharges(w, inputs.records, rules, &facts.currency),
            notices: MyNotices::new(w, rows, rules, (&facts.currency, facts.available, now)),
            questions: questions(w, rows, rules),
            told: told(rows, now),
            error: inputs.error,
            days: (
                rows.point.account.period.period.first.to_string(),
                calendar.day_of(now).to_string(),
            ),
        }
    }
}

/// The office's message, as long as it is shown.
fn told(rows: &UsagePointRows, now: UtcSeconds) -> Option<String> {
    let message = rows.point.message.as_ref()?;
    let is_over = message.until.is_some_and(|until| until <= now);
    (!is_over).then(|| message.text.clone())
}

fn look_words(w: Words, look: SupplyLook) -> &'static str {
    w.get(match look {
        SupplyLook::NoMeter => "no-meter",
        SupplyLook::Connected => "power-on",
        SupplyLook::Disconnected => "power-off",
        SupplyLook::Connecting => "power-coming",
        SupplyLook::Disconnecting => "power-going",
    })
}

fn whys(w: Words, facts: &PointFacts) -> Vec<Why> {
    let why = |reason: Reason| {
        let name = serde_json::to_value(reason).ok();
        let name = name.as_ref().and_then(|name| name.as_str()).unwrap_or("");
        // A reason without words of its own is said as the operator's page says it.
        let said = w.find(&format!("reason-{name}"));
        let other = || sentence(reason.words());
        Why {
            reason: said.map_or_else(other, str::to_owned),
            what_to_do: w.find(&format!("do-{name}")).unwrap_or(w.get("do-other")),
        }
    };
    facts.reasons.iter().map(why).collect()
}

/// Good news about what was just done; nothing if it was not done here.
fn notice(w: Words, records: &[Record], done: u64, currency: &str) -> Option<String> {
    let record = records.iter().find(|record| record.number == done)?;
    let number = done.to_string();
    let money = |amount| Money::new(amount, currency).text();
    match &record.decision {
        Decision::Vended { amount, .. } => {
            Some(w.with_two("recharged-with", &money(*amount), &number))
        }
        Decision::TokenEntered { entry, amount, .. } => match entry.outcome.as_ref().ok()? {
            Effect::Credit { .. } => Some(w.with_two("recharged-with", &money(*amount), &number)),
            effect => Some(w.with_two("token-taken", &effect.to_string(), &number)),
        },
        _ => None,
    }
}

fn recharges(w: Words, records: &[Record], rules: &Rules, currency: &str) -> Vec<Recharge> {
    let recharge = |record: &Record| {
        let (how, amount) = match &record.decision {
            Decision::Vended { amount, .. } => ("by-payment", *amount),
            Decision::TokenEntered { amount, .. } if *amount != Micro::ZERO => {
                ("by-token", *amount)
            }
            _ => return None,
        };
        Some(Recharge {
            number: record.number,
            at: format::date_time(rules.calendar, record.at),
            how: w.get(how),
            amount: Money::new(amount, currency),
        })
    };
    records
        .iter()
        .rev()
        .filter_map(recharge)
        .take(RECHARGES)
        .collect()
}

fn messages(w: Words, records: &[Record], now: UtcSeconds) -> Vec<String> {
    let told = records
        .iter()
        .rev()
        .find_map(|record| match &record.decision {
            Decision::ResidentTold { news, page, .. } => Some((record.at, *news, page)),
            _ => None,
        });
    // The newest only: what was settled takes back what was said before.
    let Some((at, news, page)) = told else {
        return Vec::new();
    };
    let days = u64::try_from(news.shown_days()).unwrap_or(0);
    if now.seconds_since(at) >= days * 86_400 {
        return Vec::new();
    }
    let ours = || {
        w.find(&format!("notice-{}", news.name()))
            .map(str::to_owned)
    };
    let said = page.get(w.code).cloned().or_else(ours);
    said.into_iter().collect()
}

/// The list of somebody with several connections.
#[derive(Template)]
#[template(path = "my_points.html")]
pub(crate) struct PointsView {
    pub words: Words,
    /// Number and label.
    pub points: Vec<(String, String)>,
}
