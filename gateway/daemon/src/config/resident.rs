//! `[loss.resident]`: what residents are told about cases.

use super::keys::{key, required, whole};
use super::{Key, Kind, Mistake, Values};
use gateway_core::case::{News, ResidentRules, Tell, Texts};
use std::collections::BTreeMap;

/// Bytes of a node's two lines.
const DISPLAY: usize = 32;

/// Its keys.
pub(super) const KEYS: &[Key] = &[
    key(
        "tell",
        Kind::OneOf(&["suspicion", "confirmed", "never"]),
        "\"suspicion\"",
        "When the resident concerned is told of missing energy, on the node's display and the resident's page. \"suspicion\": as soon as a case\n\
         names their premises first; if it was something else, they are told that, too. \"confirmed\": held back until a person has confirmed it.",
    ),
    key(
        "least_sure_percent",
        whole(1, 100),
        "67",
        "How sure a case has to be of its first suspect before a suspicion is told; 67: two to one.",
    ),
    key(
        "display_suspicion",
        Kind::Text { max: DISPLAY },
        "\"ENERGY MISSING  ASK THE OFFICE\"",
        "The node's two lines of 16 characters for two weeks after a suspicion.",
    ),
    key(
        "display_confirmed",
        Kind::Text { max: DISPLAY },
        "\"METER TAMPERING ASK THE OFFICE\"",
        "The same after it was confirmed.",
    ),
    key(
        "display_settled",
        Kind::Text { max: DISPLAY },
        "\"METER IS FINE   THANK YOU\"",
        "The same for three days after a suspicion that was something else.",
    ),
];

/// Those of a text for the page.
pub(super) const TEXT: &[Key] = &[
    required(
        "when",
        Kind::OneOf(&["suspicion", "confirmed", "settled"]),
        "What it is said of.",
    ),
    required(
        "language",
        Kind::OneOf(&["en", "hi", "mr"]),
        "Of the resident's page.",
    ),
    required(
        "text",
        Kind::Text { max: 200 },
        "The words, in place of those of the page.",
    ),
];

pub(super) fn resident(values: &Values, mistakes: &mut Vec<Mistake>) -> ResidentRules {
    let mut texts = BTreeMap::new();
    for news in [News::Suspicion, News::Confirmed, News::Settled] {
        let key = format!("loss.resident.display_{}", news.name());
        let display = values.text(&key);
        if !display.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            let what = "a node's display has ASCII letters only";
            mistakes.push(Mistake::at(values.line(&key), &key, what));
        }
        let page = BTreeMap::new();
        texts.insert(news, Texts { display, page });
    }
    for of in values.many("loss.resident.text") {
        let when = of.text("loss.resident.text.when");
        let language = of.text("loss.resident.text.language");
        let found = texts.iter_mut().find(|(news, _)| news.name() == when);
        let Some((_, of_news)) = found else { continue };
        let text = of.text("loss.resident.text.text");
        if of_news.page.insert(language, text).is_some() {
            let key = "loss.resident.text.language";
            let what = "there are two texts of this language";
            mistakes.push(Mistake::at(of.line(key), key, what));
        }
    }
    let percent: u16 = values.whole("loss.resident.least_sure_percent");
    ResidentRules {
        tell: match values.text("loss.resident.tell").as_str() {
            "confirmed" => Tell::Confirmed,
            "never" => Tell::Never,
            _ => Tell::Suspicion,
        },
        least_sure_permille: percent * 10,
        texts,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn a_site_says_when_and_in_which_words() {
        let empty = Config::parse("").expect("a configuration").rules().resident;
        let default = ResidentRules::default();
        assert_eq!((empty.tell, &empty.texts), (default.tell, &default.texts));
        let text = "[loss.resident]\ntell = \"confirmed\"\nleast_sure_percent = 90\n\
                    [[loss.resident.text]]\nwhen = \"confirmed\"\nlanguage = \"mr\"\ntext = \"कार्यालयात या\"\n";
        let rules = Config::parse(text)
            .expect("a configuration")
            .rules()
            .resident;
        assert_eq!(
            (rules.tell, rules.least_sure_permille),
            (Tell::Confirmed, 900)
        );
        assert_eq!(rules.texts[&News::Confirmed].page["mr"], "कार्यालयात या");
        for wrong in [
            text.replace("mr", "fr"),
            text.replace(
                "[loss.resident]",
                "[loss.resident]\ndisplay_settled = \"ठीक\"",
            ),
            format!(
                "{text}[[loss.resident.text]]\nwhen = \"confirmed\"\nlanguage = \"mr\"\ntext = \"x\"\n"
            ),
        ] {
            assert!(Config::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
