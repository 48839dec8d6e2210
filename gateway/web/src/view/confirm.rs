//! The step between wanting something and doing it.

use super::facts::{self, SupplyLook};
use crate::committed::UsagePointRows;
use crate::format::{self, Money};
use askama::Template;
use gateway_core::supply::{Reasons, Supply, SupplyOrder};
use gateway_core::tariff::Tariff;
use gateway_core::{Micro, Rules, UsagePointId, UtcSeconds, WattHours};

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
    /// Computed like the real thing, on a copy: what pays back debts is not credit.
    pub(crate) fn new(
        rows: &UsagePointRows,
        tariff: &Tariff,
        (amount, to_debts): (Micro, Micro),
    ) -> Self {
        let point = &rows.point;
        let register = facts::register(rows);
        let mut after = point.clone();
        let credited = amount.0.saturating_sub(to_debts.0);
        let balance = after.account.balance.0.saturating_add(credited);
        after.account.balance = Micro(balance);
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
            available_before: point.available(tariff, register),
            available_after: after.available(tariff, register),
            units_before: units(point),
            units_after,
            reconnects: !point.supply.in_force().is_empty() && still_off.is_empty(),
            still_off,
        }
    }
}

/// The same for people; empty if it is nothing.
pub(crate) fn shown_debts(to_debts: Micro, currency: &str) -> String {
    match to_debts {
        Micro::ZERO => String::new(),
        amount => Money::new(amount, currency).to_string(),
    }
}

/// What of a payment made now would pay back debts.
pub(crate) fn to_debts(
    rows: &UsagePointRows,
    rules: &Rules,
    now: UtcSeconds,
    amount: Micro,
) -> Micro {
    let debt = &rules.prepay_of(rows.tariff.as_ref()).debt;
    let today = rules.calendar.day_of(now);
    let takes = rows.point.debts.of_payment(debt, amount, today);
    takes.iter().map(|take| take.amount).sum()
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
    /// What pays back debts; empty: nothing.
    pub to_debts: String,
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
        (amount, to_debts, key): (Micro, Micro, &'a str),
        by: &'a str,
    ) -> Self {
        let preview = VendPreview::new(rows, tariff, (amount, to_debts));
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
            to_debts: shown_debts(to_debts, currency),
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
