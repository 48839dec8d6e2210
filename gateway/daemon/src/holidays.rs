//! Files of holidays: `[prepay.friendly] holidays`; and lists of them, `holiday_list`.
//!
//! Decided here: what such a file may say, and the rules of the core with its days in them. A day is one line: `2026-11-08`, or
//! `*-01-26` for every year; what follows it is for people. Not decided here: what a holiday does ([`gateway_core::prepay::friendly`]).

use crate::config::{self, Config, Mistake};
use crate::gateway::StartError;
use gateway_core::Rules;
use gateway_core::calendar::LocalDay;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Years a day of every year stands for: those of the calendar.
const YEARS: std::ops::Range<u16> = 1970..2200;
/// 29 February has to be a day too.
const A_LEAP_YEAR: u16 = 2024;

/// The days of a file.
///
/// # Errors
/// Every mistake, with its line.
pub fn load(path: &Path) -> Result<BTreeSet<LocalDay>, Vec<Mistake>> {
    parse(&config::read_text(path)?)
}

/// The days of a text.
///
/// # Errors
/// Every mistake, with its line.
pub fn parse(text: &str) -> Result<BTreeSet<LocalDay>, Vec<Mistake>> {
    let mut days = BTreeSet::new();
    let mut mistakes = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let word = line.split_whitespace().next().unwrap_or_default();
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        let found = match word.strip_prefix("*-") {
            None => word.parse().ok().into_iter().collect(),
            Some(day) => every_year(day),
        };
        if found.is_empty() {
            let shown: String = word.chars().take(40).collect();
            let what = format!("\"{shown}\" is not a day; write it like 2026-11-08 or *-01-26");
            mistakes.push(Mistake::at(Some(number), "", what));
        }
        days.extend(found);
    }
    if mistakes.is_empty() {
        Ok(days)
    } else {
        Err(mistakes)
    }
}

/// A month and day in every year that has it; none if no year has.
fn every_year(day: &str) -> Vec<LocalDay> {
    let of = |year: u16| format!("{year}-{day}").parse().ok();
    let exists: Option<LocalDay> = of(A_LEAP_YEAR);
    exists.map_or_else(Vec::new, |_| YEARS.filter_map(of).collect())
}

/// The settings the core decides by, with the holidays of the files the configuration names.
///
/// # Errors
/// A file is unusable.
pub fn rules(config: &Config) -> Result<Rules, StartError> {
    let mut rules = config.rules();
    let days = |path: &PathBuf| {
        load(path).map_err(|mistakes| StartError::Holidays {
            path: path.clone(),
            mistake: mistakes
                .first()
                .map_or_else(String::new, ToString::to_string),
        })
    };
    if let Some(path) = &config.prepay.holidays {
        rules.prepay.friendly.holidays.extend(days(path)?);
    }
    for (class, path) in &config.prepay.class_holidays {
        if let Some(class) = rules.classes.get_mut(class) {
            class.friendly.holidays.extend(days(path)?);
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_days_of_one_year_and_of_every_year() {
        let text = "# Official holidays\n2026-11-08 Diwali\n\n  *-01-26 Republic Day\n*-02-29\n";
        let days = parse(text).expect("no mistakes");
        let is = |day: &str| days.contains(&day.parse().expect("a day"));
        assert!(is("2026-11-08") && !is("2027-11-08"));
        assert!(is("2026-01-26") && is("2031-01-26") && is("1970-01-26"));
        assert!(is("2028-02-29") && !is("2027-02-28") && !is("2027-03-01"));
    }

    #[test]
    fn what_is_no_day_is_named_with_its_line() {
        let text = "2026-11-08\n8.11.2026\n*-02-30\n*-1-26\n2026-02-29\n*\n";
        let mistakes = parse(text).expect_err("mistakes");
        let lines: Vec<_> = mistakes.iter().filter_map(|mistake| mistake.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6]);
    }
}
