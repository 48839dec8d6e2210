//! `[prepay]` and `[[prepay.class]]`: prepayment rules of the site and of classes of accounts.

use super::keys::{key, money, required, whole};
use super::money as of_money;
use super::{Key, Kind, Mistake, Values, credit, friendly, guard};
use gateway_core::Micro;
use gateway_core::prepay::PrepayRules;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[prepay]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepay {
    /// Rules of the site.
    pub rules: PrepayRules,
    /// Rules of the classes that have their own, by tariff category.
    pub classes: BTreeMap<String, PrepayRules>,
    /// File of the site's holidays.
    pub holidays: Option<PathBuf>,
    /// Files of holidays of the classes.
    pub class_holidays: BTreeMap<String, PathBuf>,
    /// Seconds after which a node is silent.
    pub silent_after_s: u32,
    /// Whether cuts are carried out where nobody set otherwise.
    pub armed: bool,
}

/// Keys of the site.
pub(super) const KEYS: &[Key] = &[
    key(
        "low_credit",
        money(Micro::ZERO),
        "\"50.00\"",
        "Credit at or below which \"low credit\" is raised.",
    ),
    key(
        "largest_vend",
        money(Micro::ONE),
        "\"25000.00\"",
        "Largest single vend: a slip of the keyboard must not become a fortune.",
    ),
    key(
        "largest_balance",
        money(Micro::ONE),
        "\"1000000.00\"",
        "Largest credit an account may hold.",
    ),
    key(
        "silent_after_s",
        whole(10, 31 * 86_400),
        "900",
        "A node not heard for so many seconds is silent.",
    ),
    key(
        "mode",
        Kind::OneOf(&["armed", "shadow"]),
        "\"armed\"",
        "\"armed\": cuts are carried out.\n\
         \"shadow\": everything runs and shows what it would cut; only a person's order off is obeyed.\n\
         `shadow arm UP` arms single usage points.",
    ),
];

/// Keys of a class besides those it inherits.
pub(super) const CLASS: &[Key] = &[required(
    "category",
    Kind::Text { max: 64 },
    "The `category` of the tariffs it is for.",
)];

/// Keys that only the site has.
const OF_THE_SITE: [&str; 2] = ["prepay.silent_after_s", "prepay.mode"];

pub(super) fn prepay(values: &Values, mistakes: &mut Vec<Mistake>) -> Prepay {
    let (mut classes, mut class_holidays) = (BTreeMap::new(), BTreeMap::new());
    for class in values.many("prepay.class") {
        let category = class.text("prepay.class.category");
        let line = class.line("prepay.class.category");
        for key in OF_THE_SITE {
            let here = key.replacen("prepay", "prepay.class", 1);
            if let Some(line) = class.line(&here) {
                let what = "is for the whole site; write it under [prepay]";
                mistakes.push(Mistake::at(Some(line), &here, what));
            }
        }
        let own = class.over(values, "prepay.class", "prepay");
        if let Some(path) = holidays(&own) {
            class_holidays.insert(category.clone(), path);
        }
        if classes
            .insert(category.clone(), rules(&own, mistakes))
            .is_some()
        {
            let what = format!("\"{category}\" is there twice");
            mistakes.push(Mistake::at(line, "prepay.class.category", what));
        }
    }
    Prepay {
        rules: rules(values, mistakes),
        classes,
        holidays: holidays(values),
        class_holidays,
        silent_after_s: values.whole("prepay.silent_after_s"),
        armed: values.text("prepay.mode") == "armed",
    }
}

fn holidays(values: &Values) -> Option<PathBuf> {
    let path = values.optional_text("prepay.friendly.holidays");
    path.map(PathBuf::from)
}

/// The rules of a site, or of a class with what it inherits.
fn rules(values: &Values, mistakes: &mut Vec<Mistake>) -> PrepayRules {
    let rules = PrepayRules {
        low_credit: values.amount("prepay.low_credit"),
        largest_vend: values.amount("prepay.largest_vend"),
        largest_balance: values.amount("prepay.largest_balance"),
        friendly: friendly::friendly(values, mistakes),
        vend: of_money::vend(values, values.amount("prepay.largest_vend"), mistakes),
        debt: of_money::debt(values),
        correction: of_money::correction(values),
        load_limit: guard::load_limit(values),
        reconnect: guard::reconnect(values),
        emergency: credit::emergency(values, mistakes),
        stages: credit::stages(values),
        stale: credit::stale(values),
    };
    for (key, amount) in [
        ("prepay.largest_vend", rules.largest_vend),
        ("prepay.low_credit", rules.low_credit),
    ] {
        if amount > rules.largest_balance {
            let line = values.line(key).or(values.line("prepay.largest_balance"));
            let most = rules.largest_balance;
            let what =
                format!("{amount} is above prepay.largest_balance, {most}; lower it or raise that");
            mistakes.push(Mistake::at(line, key, what));
        }
    }
    rules
}
