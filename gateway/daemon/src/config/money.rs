//! `[prepay.vend]`, `[prepay.debt]`, `[prepay.correction]`: what a recharge may be, how debts are paid back, and what needs a second
//! person.

use super::keys::{key, money, whole};
use super::{Key, Kind, Mistake, Values};
use gateway_core::Micro;
use gateway_core::correction::CorrectionRules;
use gateway_core::debt::{DebtKind, DebtRules};
use gateway_core::prepay::VendRules;

/// `[prepay.vend]`
pub(super) const VEND: &[Key] = &[
    key(
        "smallest",
        money(Micro::ZERO),
        "\"0\"",
        "Smallest recharge. Tokens are not asked: they were paid for where they were sold.",
    ),
    key(
        "multiple_of",
        money(Micro::ZERO),
        "\"0\"",
        "Recharges are multiples of this; \"0\": any amount.",
    ),
];

/// `[prepay.debt]`
pub(super) const DEBT: &[Key] = &[
    key(
        "order",
        Kind::SomeOf(&["arrears", "appliance", "fraud"]),
        "[\"arrears\", \"appliance\", \"fraud\"]",
        "The order in which debts take their part of a recharge and of a day; accumulated debt comes after all.\n\
         A kind that is left out comes after those that are named.",
    ),
    key(
        "most_percent",
        whole(0, 100),
        "100",
        "Most of a recharge that goes to these debts, in percent, whatever each of them asks. 50 is usual.",
    ),
];

/// `[prepay.correction]`
pub(super) const CORRECTION: &[Key] = &[
    key(
        "alone_up_to",
        money(Micro::ZERO),
        "\"500.00\"",
        "Largest correction (of a credit, a mistaken recharge, a debt) that one person makes alone;\n\
         above it another person approves it.",
    ),
    key(
        "expires_days",
        whole(1, 365),
        "14",
        "Days after which a correction that nobody approved is dropped.",
    ),
];

pub(super) fn vend(values: &Values, largest: Micro, mistakes: &mut Vec<Mistake>) -> VendRules {
    let rules = VendRules {
        smallest: values.amount("prepay.vend.smallest"),
        multiple: values.amount("prepay.vend.multiple_of"),
    };
    for (key, amount) in [
        ("prepay.vend.smallest", rules.smallest),
        ("prepay.vend.multiple_of", rules.multiple),
    ] {
        if amount > largest {
            let line = values.line(key).or(values.line("prepay.largest_vend"));
            let what = format!(
                "{amount} is above prepay.largest_vend, {largest}, so nothing could be sold; lower it or raise that"
            );
            mistakes.push(Mistake::at(line, key, what));
        }
    }
    rules
}

pub(super) fn debt(values: &Values) -> DebtRules {
    let named = values.texts("prepay.debt.order");
    let named = named.iter().filter_map(|name| name.parse().ok());
    let mut order: Vec<DebtKind> = Vec::new();
    for kind in named.chain(DebtKind::ORDERED) {
        if !order.contains(&kind) {
            order.push(kind);
        }
    }
    let percent: u16 = values.whole("prepay.debt.most_percent");
    DebtRules {
        order,
        most_of_payment: percent * 100,
    }
}

pub(super) fn correction(values: &Values) -> CorrectionRules {
    CorrectionRules {
        alone_up_to: values.amount("prepay.correction.alone_up_to"),
        expires_days: values.whole("prepay.correction.expires_days"),
    }
}
