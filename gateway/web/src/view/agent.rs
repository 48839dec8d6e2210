//! A vending agent's pages.

use super::confirm::{Quote, VendPreview};
use crate::committed::UsagePointRows;
use crate::format::{self, Money};
use askama::Template;
use gateway_core::calendar::{Calendar, LocalDay};
use gateway_core::person::author::is_same;
use gateway_core::tariff::Tariff;
use gateway_core::{Decision, Micro, Record, UsagePointId};
use gateway_store::day_end::AgentView as AgentRows;

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

/// What an agent's own page says of its account.
pub(crate) struct OwnAgent {
    pub name: String,
    pub float: Money,
    /// What it may still sell, with its overdraft.
    pub left: Money,
    pub has_overdraft: bool,
    pub is_closed: bool,
    /// Days with reports close at hand.
    pub days: Vec<(&'static str, String)>,
}

impl OwnAgent {
    pub(crate) fn new(rows: &AgentRows, currency: &str, today: LocalDay) -> Self {
        let agent = &rows.agent;
        let left = rows.float_micro.0.saturating_add(agent.overdraft.0).max(0);
        let before = LocalDay(today.0.saturating_sub(1));
        Self {
            name: agent.name.clone(),
            float: Money::new(rows.float_micro, currency),
            left: Money::new(Micro(left), currency),
            has_overdraft: agent.overdraft > Micro::ZERO,
            is_closed: agent.closed,
            days: vec![
                ("Today so far", today.to_string()),
                ("Yesterday", before.to_string()),
            ],
        }
    }
}

#[derive(Template)]
#[template(path = "agent.html")]
pub(crate) struct AgentView {
    pub entry: AgentEntry,
    pub sales: Vec<Sale>,
    /// The agent whose person this is; nothing if the supplier has not assigned them.
    pub own: Option<OwnAgent>,
    /// The sale just made.
    pub vended: Option<Sale>,
}

impl AgentView {
    pub(crate) fn new(
        entry: AgentEntry,
        (records, currency): (&[Record], &str),
        (by, own): (&str, Option<OwnAgent>),
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
            own,
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
    /// What pays back debts.
    pub to_debts: Vec<(&'static str, Money)>,
    pub units_added: String,
    pub reconnects: bool,
    pub still_off: String,
}

impl<'a> AgentVendView<'a> {
    pub(crate) fn new(
        rows: &'a UsagePointRows,
        tariff: &Tariff,
        (quote, key): (&Quote, &'a str),
    ) -> Self {
        let (preview, amount) = (VendPreview::new(rows, tariff, quote), quote.amount);
        let added = preview.units_after.since(preview.units_before);
        Self {
            id: rows.point.id,
            label: &rows.point.label,
            amount: Money::new(amount, &tariff.currency),
            amount_exact: amount.to_string(),
            key,
            to_debts: super::confirm::shown_debts(&quote.debts, &tariff.currency),
            units_added: format::units(added.unwrap_or_default()),
            reconnects: preview.reconnects,
            still_off: preview.still_off.to_string(),
        }
    }
}
