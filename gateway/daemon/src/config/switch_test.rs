//! `[loss.switch_test]`: whether a supply may be opened for a moment as an experiment.

use super::keys::{key, whole};
use super::{Key, Kind, Mistake, Values};
use gateway_core::case::TrialRules;
use gateway_core::tariff::TimeOfDay;

/// Its keys.
pub(super) const KEYS: &[Key] = &[
    key(
        "allowed",
        Kind::OneOf(&["no", "yes"]),
        "\"no\"",
        "Whether a suspect's supply may be opened for a moment to see by how much the feeder falls (docs/loss.md). A person plans each, with consent.",
    ),
    key(
        "seconds",
        whole(20, 300),
        "60",
        "How long one lasts, and at most. The node closes by itself, also if this gateway dies meanwhile.",
    ),
    key(
        "notice_s",
        whole(0, 86_400),
        "300",
        "The resident is told so many seconds before, on the node's display and the own page.",
    ),
    key(
        "from",
        Kind::Time,
        "\"09:00\"",
        "Local time from which on one may be planned.",
    ),
    key(
        "until",
        Kind::Time,
        "\"17:00\"",
        "Local time until which one may be planned.",
    ),
    key(
        "most_in_30_days",
        whole(1, 100),
        "3",
        "So many at one usage point within thirty days; each that opened its supply counts, whether it found something or not.",
    ),
    key(
        "by_terms",
        Kind::OneOf(&["no", "yes"]),
        "\"no\"",
        "\"yes\": the terms of supply allow them, and nobody is asked each time. Else whoever plans one says who agreed, and how.",
    ),
    key(
        "never",
        Kind::Texts,
        "[]",
        "Usage points that are never interrupted for a test, for example [\"UP-0007\"]: life support, a vaccine refrigerator.",
    ),
];

pub(super) fn switch_test(values: &Values, mistakes: &mut Vec<Mistake>) -> TrialRules {
    let mut minute = |key: &'static str| {
        let time = values.text(key).parse::<TimeOfDay>();
        time.map(|time| time.0).unwrap_or_else(|_| {
            let what = "write a time as 09:00";
            mistakes.push(Mistake::at(values.line(key), key, what));
            0
        })
    };
    let hours = (
        minute("loss.switch_test.from"),
        minute("loss.switch_test.until"),
    );
    if hours.0 >= hours.1 {
        let key = "loss.switch_test.until";
        let what = "it has to be later on the same day than from";
        mistakes.push(Mistake::at(values.line(key), key, what));
    }
    let mut never = std::collections::BTreeSet::new();
    for name in values.texts("loss.switch_test.never") {
        match name.parse() {
            Ok(id) => {
                never.insert(id);
            }
            Err(_) => {
                let key = "loss.switch_test.never";
                let what = "write usage points as UP-0007";
                mistakes.push(Mistake::at(values.line(key), key, what));
            }
        }
    }
    TrialRules {
        allowed: values.text("loss.switch_test.allowed") == "yes",
        seconds: values.whole("loss.switch_test.seconds"),
        notice_s: values.whole("loss.switch_test.notice_s"),
        hours,
        most_in_30_days: values.whole("loss.switch_test.most_in_30_days"),
        by_terms: values.text("loss.switch_test.by_terms") == "yes",
        never,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    #[test]
    fn tests_are_off_until_they_are_allowed_and_mistakes_are_named() {
        let rules = |text: &str| Config::parse(text).map(|config| config.switch_test);
        assert!(!rules("").expect("a configuration").allowed);
        let text = "[loss.switch_test]\nallowed = \"yes\"\nseconds = 30\nnotice_s = 0\nfrom = \"00:00\"\nuntil = \"24:00\"\nnever = [\"UP-0003\"]\n";
        let read = rules(text).expect("a configuration");
        assert_eq!(
            (read.allowed, read.seconds, read.hours),
            (true, 30, (0, 1_440))
        );
        assert!(read.never.contains(&gateway_core::UsagePointId(3)));
        for (right, wrong) in [
            ("seconds = 30", "seconds = 19"),
            ("UP-0003", "flat three"),
            ("until = \"24:00\"", "until = \"00:00\""),
        ] {
            assert!(rules(&text.replace(right, wrong)).is_err(), "{wrong}");
        }
    }
}
