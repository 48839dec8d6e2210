//! `[prepay.emergency]`, `[prepay.stages]` and `[prepay.stale]`: what is lent, at how little credit somebody is told, and what missing
//! readings lead to.

use super::keys::{LARGEST, key, money, whole};
use super::{Key, Kind, Mistake, Values};
use gateway_core::Micro;
use gateway_core::prepay::{EmergencyRules, Stage, StaleRules};

pub(super) const EMERGENCY: &[Key] = &[
    key(
        "limit",
        money(Micro::ZERO),
        "\"0.00\"",
        "How much is lent: the credit may become negative by this, to the watt-hour, gateway alive or dead. \"0.00\": no amount is lent.",
    ),
    key(
        "days",
        whole(0, 31),
        "0",
        "Days that are lent instead: the supply stays on for so many, whatever is used. 0: none.",
    ),
    key(
        "threshold",
        money(Micro::ZERO),
        "\"0.00\"",
        "It is offered when the credit is at or below this, or used up. What was used is repaid by the next payments before it is offered again.",
    ),
    key(
        "activation",
        Kind::OneOf(&["press", "automatic"]),
        "\"press\"",
        "\"press\": by the resident, at the node's button, or by anybody on the page, the API or with `emergency activate`.\n\
         \"automatic\": an amount as soon as it is offered, days as soon as the credit is used up.",
    ),
];

pub(super) const STAGES: &[Key] = &[
    key(
        "days",
        Kind::Wholes { min: 1, max: 90 },
        "[]",
        "Days left at the recent rate, the mean of up to seven whole days. Example: [7, 3, 1].",
    ),
    key(
        "percent",
        Kind::Wholes { min: 0, max: 99 },
        "[]",
        "Percent left of what the last recharge brought the credit to. Example: [30, 10, 0].",
    ),
    key(
        "amounts",
        Kind::Amounts {
            min: Micro::ZERO,
            max: LARGEST,
        },
        "[]",
        "Credit left. Example: [\"200.00\"]. The alarm of prepay.low_credit is beside them.",
    ),
];

pub(super) const STALE: &[Key] = &[
    key(
        "provisional_h",
        whole(0, 168),
        "0",
        "A provisional charge for each full span of so many hours without a reading, from the mean of up to seven whole days; it is posted\n\
         back when readings return, and never cuts anybody. 0: none.",
    ),
    key(
        "provisional_days",
        whole(1, 365),
        "7",
        "Days for which that goes on.",
    ),
    key(
        "alarm_days",
        whole(0, 365),
        "3",
        "After so many days without a reading an alarm asks for a person to read the meter. 0: never.",
    ),
];

pub(super) fn emergency(values: &Values, mistakes: &mut Vec<Mistake>) -> EmergencyRules {
    let rules = EmergencyRules {
        limit: values.amount("prepay.emergency.limit"),
        days: values.whole("prepay.emergency.days"),
        threshold: values.amount("prepay.emergency.threshold"),
        automatic: values.text("prepay.emergency.activation") == "automatic",
    };
    if rules.limit > Micro::ZERO && rules.days > 0 {
        const DAYS: &str = "prepay.emergency.days";
        let line = values.line(DAYS).or(values.line("prepay.emergency.limit"));
        let what = "lend an amount or days, not both; set one of them to 0";
        let mistake = Mistake::at(line, DAYS, what);
        // A class inherits the site's mistake too.
        if !mistakes.contains(&mistake) {
            mistakes.push(mistake);
        }
    }
    rules
}

pub(super) fn stages(values: &Values) -> Vec<Stage> {
    let numbers = |key: &str| {
        let texts = values.texts(key).into_iter();
        texts.filter_map(|text| text.parse().ok())
    };
    let amounts = values.texts("prepay.stages.amounts").into_iter();
    let amounts = amounts.filter_map(|text| text.parse().ok());
    let mut stages: Vec<_> = numbers("prepay.stages.days").map(Stage::Days).collect();
    stages.extend(numbers("prepay.stages.percent").map(Stage::Percent));
    stages.extend(amounts.map(Stage::Amount));
    stages
}

pub(super) fn stale(values: &Values) -> StaleRules {
    StaleRules {
        provisional_h: values.whole("prepay.stale.provisional_h"),
        provisional_days: values.whole("prepay.stale.provisional_days"),
        alarm_days: values.whole("prepay.stale.alarm_days"),
    }
}
