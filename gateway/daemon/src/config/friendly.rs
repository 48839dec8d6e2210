//! `[prepay.friendly]`: when nobody is off because credit is used up.
//!
//! Decided here: what the section means. Not decided here: what is in the holiday file ([`crate::holidays`]).

use super::keys::{key, optional, whole};
use super::{Key, Kind, Mistake, Values};
use gateway_core::prepay::Friendly;

pub(super) const KEYS: &[Key] = &[
    key(
        "hours",
        Kind::Texts,
        "[]",
        "Friendly hours: credit that is used up cuts nobody off in them. Energy is charged as ever and the credit may become negative; at their\n\
         end it is looked at again. Days are three letters, in ranges and lists; hours that end earlier than they begin end on the\n\
         next day. Example: [\"16:00-11:00\", \"sun 00:00-24:00\"]. An operator's order off is carried out all the same.",
    ),
    optional(
        "holidays",
        Kind::Path,
        "\"/etc/prepaid-gateway/holidays.txt\"",
        "File of days that are friendly from midnight to midnight, one a line: 2026-11-08 Diwali, or *-01-26 for every year.\n\
         Text after the day, and lines that begin with #, are for people.",
    ),
    optional(
        "holiday_list",
        Kind::Text { max: LONGEST_LIST },
        "\"2026-11-08 Diwali; *-01-26 Republic Day\"",
        "More such days, written like the lines of that file with semicolons between them. A head-end orders them here.",
    ),
    key(
        "notice_min",
        whole(0, 1_440),
        "60",
        "So many minutes before they end, a supply that is on because of them alone is announced to be cut: page, display, journal.",
    ),
];

/// Longest list of holidays, in characters: a hundred days with their names.
const LONGEST_LIST: usize = 4_000;

/// The section, without the days of the file.
pub(super) fn friendly(values: &Values, mistakes: &mut Vec<Mistake>) -> Friendly {
    const HOURS: &str = "prepay.friendly.hours";
    let mut hours = Vec::new();
    for text in values.texts(HOURS) {
        match text.parse() {
            Ok(found) => hours.push(found),
            Err(error) => {
                let what = format!("\"{text}\" is {error}");
                let mistake = Mistake::at(values.line(HOURS), HOURS, what);
                // A class inherits the site's mistake too.
                if !mistakes.contains(&mistake) {
                    mistakes.push(mistake);
                }
            }
        }
    }
    let list = values.optional_text("prepay.friendly.holiday_list");
    let list = list.unwrap_or_default().replace(';', "\n");
    let holidays = crate::holidays::parse(&list).unwrap_or_else(|found| {
        const LIST: &str = "prepay.friendly.holiday_list";
        let what = found.first().map(|mistake| mistake.what.clone());
        let mistake = Mistake::at(values.line(LIST), LIST, what.unwrap_or_default());
        if !mistakes.contains(&mistake) {
            mistakes.push(mistake);
        }
        Default::default()
    });
    Friendly {
        hours,
        holidays,
        notice_min: values.whole("prepay.friendly.notice_min"),
    }
}
