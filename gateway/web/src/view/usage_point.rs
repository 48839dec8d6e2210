//! One usage point: credit, supply, use and cost, profile, statement, and the forms to change something.

use super::chart::Chart;
use super::confirm::order_name;
use super::facts::{self, PointFacts, SupplyLook, UseAndCost};
use super::guard::{self, GuardButton};
use super::journal::{JournalLine, break_words, lines};
use super::prepay::PrepayView;
use super::statement::{StatementView, component_words};
use crate::committed::{ProfileRow, UsagePointRows};
use crate::format::{self, Money};
use askama::Template;
use gateway_core::supply::{Relay, SupplyOrder};
use gateway_core::tariff::Phases;
use gateway_core::{Micro, Moment, Record, Rules, UtcSeconds, WattHours};

/// What was typed into the vend form, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct VendEntry {
    /// As typed.
    pub amount: String,
    /// Made by the server; the same through confirming, a double click and a reload.
    pub key: String,
    pub error: Option<String>,
}

/// What was typed into the token form, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TokenEntry {
    /// As typed.
    pub digits: String,
    pub error: Option<String>,
}

/// What was typed into the forms of the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Typed {
    pub vend: VendEntry,
    pub token: TokenEntry,
}

/// Good news on top of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice(pub String);

/// A line of use and cost.
pub(crate) struct CostLine {
    pub words: &'static str,
    pub today: Option<Money>,
    pub period: Money,
}

/// Use and cost of today and of the billing period.
pub(crate) struct Costs {
    pub today_units: Option<String>,
    pub period_units: String,
    pub lines: Vec<CostLine>,
    pub today_total: Option<Money>,
    pub period_total: Money,
    pub period_from: String,
    pub period_to: String,
}

/// Energy somebody has to decide on.
pub(crate) struct DisputeLine {
    pub number: u64,
    pub at: String,
    pub words: &'static str,
    pub energy: String,
}

/// A measured value with its name.
pub(crate) struct Measured {
    pub name: &'static str,
    pub value: String,
}

/// A choice of the supply order.
pub(crate) struct OrderChoice {
    pub name: &'static str,
    pub words: &'static str,
    pub is_current: bool,
}

#[derive(Template)]
#[template(path = "usage_point.html")]
pub(crate) struct UsagePointView {
    pub id: String,
    pub label: String,
    pub tariff: String,
    pub phases: &'static str,
    pub available: Money,
    pub is_low: bool,
    pub is_debt: bool,
    pub units_left: Option<String>,
    pub settled: Money,
    pub look: SupplyLook,
    pub why: String,
    pub choices: Vec<OrderChoice>,
    pub guards: Vec<GuardButton>,
    pub power: Option<String>,
    pub heard: Option<String>,
    pub heard_at: Option<String>,
    pub is_silent: bool,
    pub node: Option<String>,
    pub measured: Vec<Measured>,
    pub costs: Option<Costs>,
    pub chart: Option<Chart>,
    pub days: i64,
    /// What its resident is told, and until when.
    pub message: Option<(String, Option<String>)>,
    /// The tariff the account goes over to, and its first day.
    pub next_tariff: Option<(String, String)>,
    pub disputes: Vec<DisputeLine>,
    pub vend: VendEntry,
    /// The token form, if the site takes tokens.
    pub token: Option<TokenEntry>,
    pub notice: Option<Notice>,
    pub prepay: PrepayView,
    pub statement: StatementView,
    pub events: Vec<JournalLine>,
}

/// What the page is made of.
pub(crate) struct PointInputs<'a> {
    pub rows: &'a UsagePointRows,
    pub profile: &'a [ProfileRow],
    pub events: &'a [Record],
    pub statement: StatementView,
    pub typed: Typed,
    pub takes_tokens: bool,
    pub notice: Option<Notice>,
    /// Days the load profile shows: 1, 2 or 7.
    pub days: i64,
}

impl UsagePointView {
    pub(crate) fn new(inputs: PointInputs<'_>, rules: &Rules, now: Moment) -> Self {
        let rows = inputs.rows;
        let facts = PointFacts::of(rows, rows.tariff.as_ref(), rules, now.at);
        let calendar = rules.calendar;
        let choice = |order| OrderChoice {
            name: order_name(order),
            words: order_words(order),
            is_current: order == facts.order,
        };
        let orders = [SupplyOrder::Auto, SupplyOrder::On, SupplyOrder::Off];
        let dispute = |dispute: &gateway_core::usage_point::Dispute| DisputeLine {
            number: dispute.number,
            at: format::date_time(calendar, dispute.at),
            words: break_words(dispute.cause),
            energy: format::units_exact(dispute.energy),
        };
        Self {
            id: facts.id.to_string(),
            label: facts.label.clone(),
            tariff: rows
                .tariff
                .as_ref()
                .map_or_else(|| rows.point.account.tariff.clone(), |t| t.name.clone()),
            phases: match rows.point.phases {
                Phases::Single => "single phase",
                Phases::Three => "three phase",
            },
            available: Money::new(facts.available, &facts.currency),
            is_low: facts.is_low,
            is_debt: facts.available < Micro::ZERO,
            units_left: facts.units_left.map(format::units),
            settled: Money::new(rows.point.account.balance, &facts.currency),
            look: facts.look(),
            why: facts.why(),
            choices: orders.into_iter().map(choice).collect(),
            guards: guard::buttons(rows),
            power: facts.power_w.map(|w| format::power(i64::from(w))),
            heard: facts.heard.map(|at| format::ago(at, now.at)),
            heard_at: facts.heard.map(|at| format::date_time(calendar, at)),
            is_silent: facts.is_silent,
            node: facts.node.map(|node| node.to_string()),
            measured: measured(rows, facts.register)
                .into_iter()
                .chain(guard::measured(rows, rules, (facts.register, now.at)))
                .collect(),
            costs: costs(rows, &facts, inputs.profile, rules, now.at),
            chart: Chart::new(inputs.profile, now.at, inputs.days * 24, calendar),
            days: inputs.days,
            message: rows.point.message.as_ref().map(|message| {
                let until = message.until;
                let until = until.map(|at| format::date_time(calendar, at));
                (message.text.clone(), until)
            }),
            next_tariff: rows
                .point
                .next_tariff
                .as_ref()
                .map(|next| (next.id.clone(), next.from.to_string())),
            disputes: rows.point.disputes.iter().map(dispute).collect(),
            vend: inputs.typed.vend,
            token: Some(inputs.typed.token).filter(|_| inputs.takes_tokens),
            notice: inputs.notice,
            prepay: PrepayView::new(rows, rules, &facts.currency, now.at),
            statement: inputs.statement,
            events: own_lines(inputs.events, rules, &facts.currency),
        }
    }
}

/// Lines without the link to the page they stand on.
fn own_lines(events: &[Record], rules: &Rules, currency: &str) -> Vec<JournalLine> {
    let mut own = lines(events, rules, currency);
    for line in &mut own {
        (line.subject, line.href) = (None, None);
    }
    own
}

fn order_words(order: SupplyOrder) -> &'static str {
    match order {
        SupplyOrder::Auto => "Automatic",
        SupplyOrder::On => "Always on",
        SupplyOrder::Off => "Off",
    }
}

pub(super) fn costs(
    rows: &UsagePointRows,
    facts: &PointFacts,
    profile: &[ProfileRow],
    rules: &Rules,
    now: UtcSeconds,
) -> Option<Costs> {
    let tariff = rows.tariff.as_ref()?;
    let period = facts::period_so_far(&rows.point, tariff, facts.register, rules, now);
    let midnight = rules.calendar.start_of(rules.calendar.day_of(now));
    let today = register_at(rows, profile, midnight).map(|at_midnight| {
        let registers = (facts.register, at_midnight);
        facts::today_so_far(&rows.point, tariff, registers, rules, now)
    });
    let money = |amount| Money::new(amount, &tariff.currency);
    let line = |(component, amount): (gateway_core::rating::Component, Micro)| CostLine {
        words: component_words(component),
        today: today.map(|today: UseAndCost| money(today.charges[component])),
        period: money(amount),
    };
    let is_charged = |(component, amount): &(gateway_core::rating::Component, Micro)| {
        *amount != Micro::ZERO
            || today.is_some_and(|today| today.charges[*component] != Micro::ZERO)
    };
    let open = rows.point.account.period.period;
    Some(Costs {
        today_units: today.map(|today| format::units_exact(today.energy)),
        period_units: format::units_exact(period.energy),
        lines: period.charges.iter().filter(is_charged).map(line).collect(),
        today_total: today.map(|today| money(today.charges.total())),
        period_total: money(period.charges.total()),
        period_from: open.first.to_string(),
        period_to: open.last().to_string(),
    })
}

/// The usage point's register at a moment, from the newest boundary at or before it; nothing if none is known.
fn register_at(rows: &UsagePointRows, profile: &[ProfileRow], at: UtcSeconds) -> Option<WattHours> {
    let fit = rows.point.meter?;
    let known = profile.iter().rev().find(|row| row.end <= at)?;
    // A meter fitted since then began the day where its fit begins.
    Some(fit.to_point(known.register).unwrap_or(fit.point_start))
}

fn measured(rows: &UsagePointRows, register: WattHours) -> Vec<Measured> {
    let mut measured = vec![Measured {
        name: "Register",
        value: format!("{} kWh", format::units_exact(register)),
    }];
    let Some(last) = &rows.last else {
        return measured;
    };
    let reading = &last.reading;
    let mut add = |name, value: Option<String>| {
        measured.extend(value.map(|value| Measured { name, value }));
    };
    let tenths = |v: u16, unit: &str| format!("{}.{}\u{a0}{unit}", v / 10, v % 10);
    let milli = |v: u32, unit: &str| format!("{}.{:02}\u{a0}{unit}", v / 1_000, v % 1_000 / 10);
    let at_meter = format!("{} kWh", format::units_exact(reading.register));
    add(
        "At the meter",
        Some(at_meter).filter(|_| reading.register != register),
    );
    add("Voltage", reading.voltage_dv.map(|v| tenths(v, "V")));
    add(
        "Voltage after the relay",
        reading.voltage_out_dv.map(|v| tenths(v, "V")),
    );
    add("Phase current", reading.current_ma.map(|v| milli(v, "A")));
    add("Neutral current", reading.neutral_ma.map(|v| milli(v, "A")));
    let hundredths = |v: u16| format!("{}.{:02}\u{a0}Hz", v / 100, v % 100);
    add("Frequency", reading.frequency_chz.map(hundredths));
    let relay = |relay: Relay| match relay {
        Relay::Closed => "closed".to_owned(),
        Relay::Open => "open".to_owned(),
    };
    add("Relay", reading.relay.map(relay));
    add(
        "Exported",
        Some(format!("{} kWh", format::units_exact(reading.export)))
            .filter(|_| reading.export.0 > 0),
    );
    add(
        "Cuts at",
        reading
            .cutoff
            .map(|cutoff| format!("{} kWh at the meter", format::units_exact(cutoff))),
    );
    measured
}
