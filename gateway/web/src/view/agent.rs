//! A vending agent's pages.

use super::confirm::VendPreview;
use crate::committed::UsagePointRows;
use crate::format::{self, Money};
use askama::Template;
use gateway_core::calendar::Calendar;
use gateway_core::person::author::is_same;
use gateway_core::tariff::Tariff;
use gateway_core::{Decision, Micro, Record, UsagePointId};

/// Sales shown.
const SALES: usize = 20;

/// What was typed.
#[derive(Default)]
pub(crate) struct AgentEntry {
    pub usage_point: String,
    pub amount: String,
    pub key: String,
    pub error: Option<String>,
}

/// One sale.
pub(crate) struct Sale {
    pub number: u64,
    pub at: String,
    pub usage_point: UsagePointId,
    pub amount: Money,
}

#[derive(Template)]
#[template(path = "agent.html")]
pub(crate) struct AgentView {
    pub entry: AgentEntry,
    pub sales: Vec<Sale>,
    /// The sale just made.
    pub vended: Option<Sale>,
}

impl AgentView {
    pub(crate) fn new(
        entry: AgentEntry,
        (records, currency): (&[Record], &str),
        by: &str,
        calendar: Calendar,
        vended: Option<u64>,
    ) -> Self {
        let sale = |record: &Record| match &record.decision {
            Decision::Vended {
                usage_point,
                amount,
                by: author,
                ..
            } if is_same(author, by) => Some(Sale {
                number: record.number,
                at: format::date_time(calendar, record.at),
                usage_point: *usage_point,
                amount: Money::new(*amount, currency),
            }),
            _ => None,
        };
        let mut sales = records.iter().rev().filter_map(sale);
        let done = |number| records.iter().filter(|r| r.number == number).find_map(sale);
        Self {
            entry,
            vended: vended.and_then(done),
            sales: sales.by_ref().take(SALES).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "agent_vend.html")]
pub(crate) struct AgentVendView<'a> {
    pub id: UsagePointId,
    pub label: &'a str,
    pub amount: Money,
    pub amount_exact: String,
    pub key: &'a str,
    /// What pays back debts; empty: nothing.
    pub to_debts: String,
    pub units_added: String,
    pub reconnects: bool,
    pub still_off: String,
}

impl<'a> AgentVendView<'a> {
    pub(crate) fn new(
        rows: &'a UsagePointRows,
        tariff: &Tariff,
        (amount, to_debts, key): (Micro, Micro, &'a str),
    ) -> Self {
        let preview = VendPreview::new(rows, tariff, (amount, to_debts));
        let added = preview.units_after.since(preview.units_before);
        Self {
            id: rows.point.id,
            label: &rows.point.label,
            amount: Money::new(amount, &tariff.currency),
            amount_exact: amount.to_string(),
            key,
            to_debts: super::confirm::shown_debts(to_debts, &tariff.currency),
            units_added: format::units(added.unwrap_or_default()),
            reconnects: preview.reconnects,
            still_off: preview.still_off.to_string(),
        }
    }
}
