//! A statement: what came in, what was charged, and the balance after each.

use crate::committed::{Statement, StatementLine};
use crate::format::{self, Money};
use askama::Template;
use gateway_core::ledger::LedgerAccount;
use gateway_core::rating::Component;
use gateway_core::{Micro, Rules, UsagePointId, WattHours};

/// One decision of the statement: the postings of a settlement together.
pub(crate) struct Entry {
    pub at: String,
    pub what: String,
    /// Charges by component, in words.
    pub parts: Vec<(&'static str, Money)>,
    pub amount: Money,
    pub balance: Money,
    pub is_vend: bool,
}

#[derive(Template)]
#[template(path = "statement.html")]
pub(crate) struct StatementView {
    pub id: UsagePointId,
    pub from: String,
    pub to: String,
    pub opening: Money,
    pub closing: Money,
    pub recharged: Money,
    pub charged: Money,
    pub energy: String,
    pub entries: Vec<Entry>,
    pub is_truncated: bool,
    pub error: Option<&'static str>,
}

impl StatementView {
    /// From oldest-first postings; the entries come newest first.
    pub(crate) fn new(
        id: UsagePointId,
        (from, to): (String, String),
        statement: &Statement,
        rules: &Rules,
        currency: &str,
    ) -> Self {
        let lines = &statement.lines;
        let vends: Micro = lines
            .iter()
            .filter(|l| l.component().is_none())
            .map(|l| l.amount)
            .sum();
        let charges: Micro = lines
            .iter()
            .filter(|l| l.component().is_some())
            .map(|l| l.amount)
            .sum();
        let closing = lines.last().map_or(statement.opening, |line| line.balance);
        let groups: Vec<_> = lines.chunk_by(|a, b| a.number == b.number).collect();
        let energy = groups
            .iter()
            .map(|group| group[0].energy)
            .fold(WattHours(0), WattHours::saturating_add);
        let entry = |group: &&[StatementLine]| entry(group, rules, currency);
        Self {
            id,
            from,
            to,
            opening: Money::new(statement.opening, currency),
            closing: Money::new(closing, currency),
            recharged: Money::new(vends, currency),
            charged: Money::new(-charges, currency),
            energy: format::units_exact(energy),
            entries: groups.iter().rev().map(entry).collect(),
            is_truncated: statement.truncated,
            error: None,
        }
    }
}

fn entry(group: &[StatementLine], rules: &Rules, currency: &str) -> Entry {
    let (first, last) = (&group[0], &group[group.len() - 1]);
    let total: Micro = group.iter().map(|line| line.amount).sum();
    let is_vend = first.component().is_none();
    let number = first.number;
    let what = match (first.other, first.energy) {
        (LedgerAccount::Tokens, _) if total < Micro::ZERO => {
            format!("Credit cleared by a token, receipt {number}")
        }
        (LedgerAccount::Tokens, _) => format!("Token, receipt {number}"),
        (LedgerAccount::Provisional(_), _) if total < Micro::ZERO => {
            "Provisional charge, no readings".to_owned()
        }
        (LedgerAccount::Provisional(_), _) => "Provisional charges posted back".to_owned(),
        (LedgerAccount::Debt(..), _) => "Instalment of the day".to_owned(),
        (LedgerAccount::Corrections, _) => format!("Correction, no. {number}"),
        (LedgerAccount::Revenue(_), WattHours(0)) => "Daily charge".to_owned(),
        (LedgerAccount::Revenue(_), energy) => format!("{} kWh", format::units_exact(energy)),
        _ if first.amount < Micro::ZERO => format!("Recharge taken back, no. {number}"),
        _ => format!("Recharge, receipt {number}"),
    };
    let parts = group.iter().filter_map(|line| {
        let words = match line.other {
            LedgerAccount::Debt(_, kind) => kind.words(),
            _ => component_words(line.component()?),
        };
        Some((words, Money::new(-line.amount, currency)))
    });
    Entry {
        at: format::date_time(rules.calendar, first.at),
        what,
        parts: parts.collect(),
        amount: Money::signed(total, currency),
        balance: Money::new(last.balance, currency),
        is_vend: is_vend && !matches!(first.other, LedgerAccount::Provisional(_)),
    }
}

/// A component for people.
pub(crate) fn component_words(component: Component) -> &'static str {
    match component {
        Component::Energy => "energy",
        Component::Wheeling => "wheeling",
        Component::Fixed => "fixed",
        Component::FuelAdjustment => "fuel adjustment",
        Component::TimeOfDay => "time of day",
        Component::Rebate => "rebate",
        Component::Minimum => "minimum charge",
        Component::Duty => "duty",
    }
}
