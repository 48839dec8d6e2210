//! An agent's day-end report: for print, as PDF, CSV and JSON.

use super::Letterhead;
use super::money::{Amounts, currency_word};
use super::sheet::{Align, Row, Sheet, Table, Weight};
use crate::format::{csv_field, date_time};
use gateway_core::Micro;
use gateway_core::calendar::{Calendar, LocalDay};
use gateway_store::day_end::{DayEnd, DayLine};
use serde::{Deserialize, Serialize};

/// A day-end report with its letterhead. As JSON it is the report for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayEndPaper {
    /// The site's name.
    pub site: String,
    /// The local day, or the first and the last of several.
    pub day: String,
    /// When it was made, in local time.
    pub made: String,
    /// Seconds of local time ahead of UTC.
    pub utc_offset_s: i32,
    /// Currency code.
    pub currency: String,
    /// The report.
    pub report: DayEnd,
}

impl DayEndPaper {
    /// The report of days, both included.
    #[must_use]
    pub fn new(
        letterhead: &Letterhead,
        (first, last): (LocalDay, LocalDay),
        currency: &str,
        report: DayEnd,
    ) -> Self {
        let day = if first == last {
            first.to_string()
        } else {
            format!("{first} to {last}")
        };
        Self {
            site: letterhead.site.clone(),
            day,
            made: date_time(letterhead.calendar, letterhead.made_at),
            utc_offset_s: letterhead.calendar.utc_offset_s,
            currency: currency.to_owned(),
            report,
        }
    }

    /// A name for its file, without the ending.
    #[must_use]
    pub fn file_stem(&self) -> String {
        let day = self.day.replace(' ', "-");
        format!("day-end-agent-{}-{day}", self.report.agent.id)
    }

    fn calendar(&self) -> Calendar {
        Calendar {
            utc_offset_s: self.utc_offset_s,
            period_start_day: 1,
        }
    }

    fn amounts(&self) -> Amounts {
        let of_line = |line: &DayLine| {
            [
                line.cash_micro,
                line.commission_micro,
                line.float_micro,
                line.after_micro,
            ]
        };
        let lines = self.report.lines.iter().flat_map(of_line);
        let ends = [self.report.opening_micro, self.report.closing_micro];
        Amounts::exact(ends.into_iter().chain(lines), &self.currency)
    }

    /// As a paper.
    #[must_use]
    pub fn sheet(&self) -> Sheet {
        let (report, amounts) = (&self.report, self.amounts());
        let show = |amount| amounts.show(amount);
        let agent = &report.agent;
        let word = currency_word(&self.currency);
        let sum = format!("{} {}", show(report.opening_micro), Shown(report, amounts));
        let checks = match report.re_adds {
            true => format!(
                "{sum} = {word} {}: the float re-adds to the micro-unit from its postings.",
                show(report.closing_micro)
            ),
            false => format!("{sum}: DOES NOT ADD UP. Run `prepaid-gateway verify`."),
        };
        Sheet {
            site: self.site.clone(),
            title: "Day-end report of an agent".into(),
            facts: vec![
                ("Agent", format!("{} {}", agent.id, agent.name)),
                ("Day", self.day.clone()),
                (
                    "Cash expected",
                    format!("{word} {}", show(report.cash_micro)),
                ),
            ],
            tables: vec![self.summary(amounts, word), self.movements(amounts, word)],
            checks: vec![checks],
            is_good: report.re_adds && !report.too_long,
            made: format!(
                "Made {} local time. Cash expected is what residents paid, less what was paid back for recharges taken back.",
                self.made
            ),
        }
    }

    fn summary(&self, amounts: Amounts, word: &str) -> Table {
        let report = &self.report;
        let line = |weight, words: &str, count: &str, amount: Micro| Row {
            weight,
            cells: vec![words.to_owned(), count.to_owned(), amounts.show(amount)],
        };
        let (vends, reversals) = (report.vends, report.reversals);
        let count = |number: u64| number.to_string();
        Table {
            heading: "Summary".into(),
            columns: columns(&["", "Number", word]),
            rows: vec![
                line(Weight::Plain, "Recharges", &count(vends.0), vends.1),
                line(
                    Weight::Plain,
                    "Recharges taken back",
                    &count(reversals.0),
                    -reversals.1,
                ),
                line(Weight::Strong, "Cash expected", "", report.cash_micro),
                line(Weight::Plain, "Float before", "", report.opening_micro),
                line(
                    Weight::Part,
                    "Moved by the supplier",
                    "",
                    report.moved_micro,
                ),
                line(
                    Weight::Part,
                    "Sold, less taken back",
                    "",
                    -report.cash_micro,
                ),
                line(Weight::Part, "Commission", "", report.commission_micro),
                line(Weight::Strong, "Float after", "", report.closing_micro),
            ],
            empty: "",
        }
    }

    fn movements(&self, amounts: Amounts, word: &str) -> Table {
        let calendar = self.calendar();
        let row = |line: &DayLine| Row {
            weight: Weight::Plain,
            cells: vec![
                date_time(calendar, line.at),
                line.number.to_string(),
                words(line),
                amounts.show(line.cash_micro),
                amounts.show(line.float_micro),
                amounts.show(line.after_micro),
            ],
        };
        let head = [
            ("When", Align::Left),
            ("No.", Align::Right),
            ("What", Align::Left),
            ("Cash", Align::Right),
            ("Float", Align::Right),
            ("Float after", Align::Right),
        ];
        Table {
            heading: format!("Every movement, {word}"),
            columns: head.map(|(name, align)| (name.into(), align)).to_vec(),
            rows: self.report.lines.iter().map(row).collect(),
            empty: "Nothing was sold and the float was not moved.",
        }
    }

    /// As CSV (RFC 4180), oldest first, amounts exact.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut csv = String::new();
        let mut record = |fields: [String; 12]| {
            let fields = fields.map(|field| csv_field(&field));
            csv.push_str(&fields.join(","));
            csv.push_str("\r\n");
        };
        record(
            [
                "number",
                "local time",
                "agent",
                "kind",
                "usage point",
                "receipt taken back",
                "cash",
                "commission",
                "float",
                "float after",
                "by",
                "words",
            ]
            .map(str::to_owned),
        );
        let (calendar, agent) = (self.calendar(), &self.report.agent);
        let end = |kind: &str, float: Micro| {
            let mut fields: [String; 12] = Default::default();
            (fields[1], fields[2]) = (self.day.clone(), agent.name.clone());
            (fields[3], fields[9]) = (kind.to_owned(), float.to_string());
            fields
        };
        record(end("opening", self.report.opening_micro));
        for line in &self.report.lines {
            record([
                line.number.to_string(),
                date_time(calendar, line.at),
                agent.name.clone(),
                line.kind.clone(),
                line.usage_point
                    .map_or_else(String::new, |id| id.to_string()),
                line.receipt.map_or_else(String::new, |n| n.to_string()),
                line.cash_micro.to_string(),
                line.commission_micro.to_string(),
                line.float_micro.to_string(),
                line.after_micro.to_string(),
                line.by.clone(),
                line.words.clone(),
            ]);
        }
        record(end("closing", self.report.closing_micro));
        csv
    }
}

/// The movements of the float as a sum.
struct Shown<'a>(&'a DayEnd, Amounts);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(report, amounts) = self;
        let parts = [
            report.moved_micro,
            -report.cash_micro,
            report.commission_micro,
        ];
        let signed = parts.map(|amount| {
            let sign = if amount < Micro::ZERO { "-" } else { "+" };
            let magnitude = amounts.show(Micro(amount.0.saturating_abs()));
            format!("{sign} {magnitude}")
        });
        f.write_str(&signed.join(" "))
    }
}

fn words(line: &DayLine) -> String {
    let place = line
        .usage_point
        .map_or_else(String::new, |id| format!(" {id}"));
    let mut words = match (line.kind.as_str(), line.receipt) {
        ("vend", _) => format!("Recharge{place}"),
        ("reversal", Some(receipt)) => format!("Recharge {receipt} taken back{place}"),
        ("float", _) if line.float_micro < Micro::ZERO => "Float taken back".into(),
        ("float", _) => "Float topped up".into(),
        (other, _) => format!("{other}{place}"),
    };
    words.push_str(&format!(", by {}", line.by));
    if !line.words.is_empty() {
        words.push_str(&format!(": {}", line.words));
    }
    words
}

fn columns(names: &[&str]) -> Vec<(String, Align)> {
    let align = |i| if i == 0 { Align::Left } else { Align::Right };
    let named = names.iter().enumerate();
    named
        .map(|(i, name)| ((*name).to_owned(), align(i)))
        .collect()
}
