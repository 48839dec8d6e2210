//! The step between wanting something and doing it.

use super::facts::{self, SupplyLook};
use crate::committed::UsagePointRows;
use crate::format::{self, Money};
use askama::Template;
use gateway_core::debt::Take;
use gateway_core::supply::{Reasons, Supply, SupplyOrder};
use gateway_core::tariff::Tariff;
use gateway_core::{Micro, UsagePointId, WattHours};

/// What the rules say a vend would do.
pub(crate) struct Quote {
    pub amount: Micro,
    /// What goes to which debt.
    pub debts: Vec<Take>,
    /// Credit available after it, with the days of debts that are collected by then.
    pub available: Micro,
}

/// What a vend would do.
pub(crate) struct VendPreview {
    pub available_before: Micro,
    pub available_after: Micro,
    pub units_before: WattHours,
    pub units_after: WattHours,
    /// Whether the supply is off now and would come on.
    pub reconnects: bool,
    /// Reasons that would keep it off.
    pub still_off: Reasons,
}

impl VendPreview {
    /// On a copy with the credit that the quote says.
    pub(crate) fn new(rows: &UsagePointRows, tariff: &Tariff, quote: &Quote) -> Self {
        let point = &rows.point;
        let register = facts::register(rows);
        let mut after = point.clone();
        let before = point.available(tariff, register);
        let more = quote.available.0.saturating_sub(before.0);
        after.account.balance = Micro(after.account.balance.0.saturating_add(more));
        let units = |point: &gateway_core::UsagePoint| {
            let affordable = point.affordable(tariff);
            affordable.since(register).unwrap_or_default()
        };
        let units_after = units(&after);
        let exhausted = units_after == WattHours(0);
        let reasons = Supply::reasons_for(point.supply.order, exhausted);
        let supply = Supply {
            reasons,
            ..point.supply
        };
        let still_off = supply.in_force();
        Self {
            available_before: before,
            available_after: quote.available,
            units_before: units(point),
            units_after,
            reconnects: !point.supply.in_force().is_empty() && still_off.is_empty(),
            still_off,
        }
    }
}

/// What goes to each debt, for people.
pub(crate) fn shown_debts(debts: &[Take], currency: &str) -> Vec<(&'static str, Money)> {
    let shown = |take: &Take| (take.debt.words(), Money::new(take.amount, currency));
    debts.iter().map(shown).collect()
}

#[derive(Template)]
#[template(path = "confirm_vend.html")]
pub(crate) struct ConfirmVend<'a> {
    pub id: UsagePointId,
    pub label: &'a str,
    pub amount: Money,
    pub amount_exact: String,
    pub key: &'a str,
    pub before: Money,
    pub after: Money,
    /// What pays back debts.
    pub to_debts: Vec<(&'static str, Money)>,
    pub units_added: String,
    pub units_after: String,
    pub reconnects: bool,
    pub still_off: String,
    pub by: &'a str,
}

impl<'a> ConfirmVend<'a> {
    pub(crate) fn new(
        rows: &'a UsagePointRows,
        tariff: &Tariff,
        (quote, key): (&Quote, &'a str),
        by: &'a str,
    ) -> Self {
        let (preview, amount) = (VendPreview::new(rows, tariff, quote), quote.amount);
        let added = preview.units_after.since(preview.units_before);
        let currency = &tariff.currency;
        Self {
            id: rows.point.id,
            label: &rows.point.label,
            amount: Money::new(amount, currency),
            amount_exact: amount.to_string(),
            key,
            before: Money::new(preview.available_before, currency),
            after: Money::new(preview.available_after, currency),
            to_debts: shown_debts(&quote.debts, currency),
            units_added: format::units(added.unwrap_or_default()),
            units_after: format::units(preview.units_after),
            reconnects: preview.reconnects,
            still_off: preview.still_off.to_string(),
            by,
        }
    }
}

#[derive(Template)]
#[template(path = "confirm_supply.html")]
pub(crate) struct ConfirmSupply<'a> {
    pub id: UsagePointId,
    pub label: &'a str,
    pub order: &'static str,
    pub question: &'static str,
    pub means: String,
    pub look: SupplyLook,
    pub is_dangerous: bool,
    pub by: &'a str,
}

impl<'a> ConfirmSupply<'a> {
    pub(crate) fn new(
        (id, label): (UsagePointId, &'a str),
        look: SupplyLook,
        is_exhausted: bool,
        (order, by): (SupplyOrder, &'a str),
    ) -> Self {
        let (question, means) = match order {
            SupplyOrder::Off => (
                "Switch the supply off?",
                "It stays off, whatever the credit, until somebody orders otherwise.".to_owned(),
            ),
            SupplyOrder::On => (
                "Keep the supply on?",
                "It stays on even when the credit is used up. Consumption is charged all the same and becomes a debt."
                    .to_owned(),
            ),
            SupplyOrder::Auto if is_exhausted => (
                "Back to automatic?",
                "The credit is used up, so the supply is off until the next recharge.".to_owned(),
            ),
            SupplyOrder::Auto => (
                "Back to automatic?",
                "The supply is on while there is credit.".to_owned(),
            ),
        };
        Self {
            id,
            label,
            order: order_name(order),
            question,
            means,
            look,
            is_dangerous: order == SupplyOrder::Off,
            by,
        }
    }
}

/// The order's name in forms and the API.
pub(crate) fn order_name(order: SupplyOrder) -> &'static str {
    match order {
        SupplyOrder::Auto => "auto",
        SupplyOrder::On => "on",
        SupplyOrder::Off => "off",
    }
}
