//! Papers: what a resident takes home and an auditor keeps. Values in, files out; nothing here reads rows or the clock.
//!
//! | module | decides |
//! |---|---|
//! | `sheet` | what any paper is made of, and how it looks as HTML |
//! | `pdf` | how it looks as PDF |
//! | `receipt` | receipts for a till's printer |
//! | `roll` | receipts as PDF |
//! | `day_end` | an agent's day |
//! | `losses` | a month's losses |
//! | `statement` | what stands on a statement; its CSV |
//! | `money` | how exact amounts look |
//!
//! Not decided here: what a statement is made of ([`gateway_store::statement`]).
//!
//! Invariant: every amount on a paper is exact, with as many decimals as the paper's most precise one.

mod day_end;
mod losses;
mod money;
mod pdf;
mod receipt;
mod roll;
mod sheet;
mod statement;

pub use day_end::DayEndPaper;
pub use losses::LossPaper;
pub use receipt::{ORIGINAL_WITHIN_S, ReceiptPaper, present_rate};
pub use roll::{NotAPage, ReceiptPage};
pub(crate) use sheet::Link;
pub use sheet::{Align, Row, Sheet, Table, Weight};
pub use statement::StatementPaper;

use gateway_core::calendar::{Calendar, LocalDay};
use gateway_core::{UsagePoint, UtcSeconds};
use std::fmt;
use std::str::FromStr;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A page made for print.
    Html,
    /// A4.
    Pdf,
    /// RFC 4180.
    Csv,
    /// For programs.
    Json,
}

impl Format {
    /// How the file's name ends.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Pdf => "pdf",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Pdf => "application/pdf",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

/// The text names no kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAFormat;

impl fmt::Display for NotAFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a format; take html, pdf, csv or json")
    }
}

impl std::error::Error for NotAFormat {}

impl FromStr for Format {
    type Err = NotAFormat;
    fn from_str(text: &str) -> Result<Self, NotAFormat> {
        [Self::Html, Self::Pdf, Self::Csv, Self::Json]
            .into_iter()
            .find(|format| format.extension() == text)
            .ok_or(NotAFormat)
    }
}

/// Whose paper it is and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letterhead {
    /// The site's name.
    pub site: String,
    /// Its local time.
    pub calendar: Calendar,
    /// When the paper is made.
    pub made_at: UtcSeconds,
}

/// Which days a statement is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    /// First local day; with neither, the billing period so far.
    pub from: Option<LocalDay>,
    /// Last local day.
    pub to: Option<LocalDay>,
    /// The billing period before, if no day is named.
    pub is_last: bool,
}

/// The first day comes after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the first day comes after the last")]
pub struct WrongOrder;

impl Range {
    /// The days, both included. A day that is not named is the first of the billing period in progress, or today.
    ///
    /// # Errors
    /// The first day comes after the last.
    pub fn days(
        self,
        point: &UsagePoint,
        calendar: Calendar,
        now: UtcSeconds,
    ) -> Result<(LocalDay, LocalDay), WrongOrder> {
        let today = calendar.day_of(now);
        let first = point.account.period.period.first.min(today);
        let days = match (self.from, self.to) {
            (None, None) if self.is_last => {
                let last = LocalDay(first.0.saturating_sub(1));
                (calendar.period_of(last).first, last)
            }
            (from, to) => (from.unwrap_or(first), to.unwrap_or(today)),
        };
        if days.0 <= days.1 {
            Ok(days)
        } else {
            Err(WrongOrder)
        }
    }
}

/// The first moment of a range of days and the first after it.
#[must_use]
pub fn span((from, to): (LocalDay, LocalDay), calendar: Calendar) -> (UtcSeconds, UtcSeconds) {
    let after = LocalDay(to.0.saturating_add(1));
    (calendar.start_of(from), calendar.start_of(after))
}
