//! The monthly loss report: for print, as PDF, CSV and JSON.

use super::Letterhead;
use super::money::{Amounts, currency_word};
use super::sheet::{Align, Row, Sheet, Table, Weight};
use crate::format::{csv_field, date_time};
use gateway_core::case::{Balance, CircuitMonth, NoPhases};
use gateway_store::losses::{FeederLoss, LossMonth, Source};
use serde::{Deserialize, Serialize};

/// A loss report with its letterhead. As JSON it is the report for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossPaper {
    /// The site's name.
    pub site: String,
    /// The month, for example `2026-11`.
    pub month: String,
    /// When it was made, in local time.
    pub made: String,
    /// Currency code.
    pub currency: String,
    /// The report.
    pub report: LossMonth,
}

impl LossPaper {
    /// The report of a month.
    #[must_use]
    pub fn new(letterhead: &Letterhead, currency: &str, report: LossMonth) -> Self {
        let first = report.first.to_string();
        Self {
            site: letterhead.site.clone(),
            month: first.get(..7).unwrap_or(&first).to_owned(),
            made: date_time(letterhead.calendar, letterhead.made_at),
            currency: currency.to_owned(),
            report,
        }
    }

    /// A name for its file, without the ending.
    #[must_use]
    pub fn file_stem(&self) -> String {
        format!("losses-{}", self.month)
    }

    /// As a paper.
    #[must_use]
    pub fn sheet(&self) -> Sheet {
        let feeders = &self.report.feeders;
        let money = feeders.iter().map(|of| of.billed_micro);
        let amounts = Amounts::exact(money, &self.currency);
        let word = currency_word(&self.currency);
        let billed = |of: &FeederLoss| format!("{word} {}", amounts.show(of.billed_micro));
        let tables = feeders.iter().map(|of| table(of, &billed(of)));
        let mut checks: Vec<String> = feeders.iter().flat_map(unknown).collect();
        if !self.report.unassigned.is_empty() {
            let ids = self.report.unassigned.iter().map(ToString::to_string);
            let ids = ids.collect::<Vec<_>>().join(", ");
            checks.push(format!("On none of the feeders, so in no balance: {ids}."));
        }
        checks.push(
            "Delivered = metered + declared loads + non-technical + technical, in the known time. Non-technical is what open and confirmed cases \
             say; technical is the rest: lines, joints, meters' errors. Billed is what was settled in the month, whenever it was used."
                .to_owned(),
        );
        let source = match self.report.source {
            Source::QuarterHours => "registers at quarter-hours",
            Source::HalfHours => "registers at half hours: imports only, no phases",
        };
        Sheet {
            site: self.site.clone(),
            title: "Losses of a month".into(),
            facts: vec![
                ("Month", self.month.clone()),
                (
                    "Days",
                    format!("{} to {}", self.report.first, self.report.last),
                ),
                ("Made of", source.to_owned()),
            ],
            tables: tables.collect(),
            checks,
            is_good: feeders.iter().all(|of| of.month.whole.balance.known_s > 0),
            made: format!("Made {} local time.", self.made),
        }
    }

    /// As CSV (RFC 4180): a line for each feeder and phase.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut csv = String::new();
        let mut record = |fields: &[String]| {
            let fields: Vec<_> = fields.iter().map(|field| csv_field(field)).collect();
            csv.push_str(&fields.join(","));
            csv.push_str("\r\n");
        };
        let head = [
            "month",
            "feeder",
            "phase",
            "meters",
            "delivered_wh",
            "metered_wh",
            "unmetered_wh",
            "non_technical_wh",
            "technical_wh",
            "known_s",
            "unknown_s",
            "billed_wh",
            "billed",
            "cases",
            "missing",
        ];
        record(&head.map(str::to_owned));
        for of in &self.report.feeders {
            let circuits = std::iter::once(&of.month.whole).chain(&of.month.phases);
            for circuit in circuits {
                let balance = &circuit.balance;
                let whole = circuit.phase.is_none();
                let only = |text: String| if whole { text } else { String::new() };
                let cases: Vec<_> = of.month.cases.iter().map(u64::to_string).collect();
                let missing = circuit
                    .missing
                    .iter()
                    .map(|(id, times)| format!("{id} {times}"));
                record(&[
                    self.month.clone(),
                    of.month.feeder.to_string(),
                    circuit
                        .phase
                        .map_or_else(String::new, |phase| phase.to_string()),
                    circuit.meters.to_string(),
                    balance.delivered_wh.to_string(),
                    balance.metered_wh.to_string(),
                    balance.unmetered_wh.to_string(),
                    balance.non_technical_wh.to_string(),
                    balance.technical_wh.to_string(),
                    balance.known_s.to_string(),
                    balance.unknown_s.to_string(),
                    only(of.billed_wh.to_string()),
                    only(of.billed_micro.to_string()),
                    only(cases.join(" ")),
                    missing.collect::<Vec<_>>().join("; "),
                ]);
            }
        }
        csv
    }
}

fn table(of: &FeederLoss, billed: &str) -> Table {
    let month = &of.month;
    let head = [
        ("kWh", Align::Left),
        ("Delivered", Align::Right),
        ("Metered", Align::Right),
        ("Declared", Align::Right),
        ("Non-technical", Align::Right),
        ("Technical", Align::Right),
        ("Lost", Align::Right),
        ("Known", Align::Right),
    ];
    let mut rows = vec![row(Weight::Strong, "Whole feeder".into(), &month.whole)];
    for circuit in &month.phases {
        let name = circuit
            .phase
            .map_or_else(String::new, |phase| format!("Phase {phase}"));
        rows.push(row(Weight::Part, name, circuit));
    }
    Table {
        heading: format!(
            "{}, {} meters; billed {} kWh, {billed}",
            month.feeder,
            month.whole.meters,
            kwh(i64::try_from(of.billed_wh).unwrap_or(i64::MAX))
        ),
        columns: head.map(|(name, align)| (name.into(), align)).to_vec(),
        rows,
        empty: "",
    }
}

fn row(weight: Weight, name: String, circuit: &CircuitMonth) -> Row {
    let balance = &circuit.balance;
    let lost = balance.technical_wh + balance.non_technical_wh;
    let percent = match balance.delivered_wh {
        ..=0 => "–".to_owned(),
        all => {
            let tenths = i128::from(lost) * 1_000 / i128::from(all);
            let sign = if tenths < 0 { "-" } else { "" };
            format!("{sign}{}.{} %", tenths.abs() / 10, tenths.abs() % 10)
        }
    };
    Row {
        weight,
        cells: vec![
            name,
            kwh(balance.delivered_wh),
            kwh(balance.metered_wh),
            kwh(balance.unmetered_wh),
            kwh(balance.non_technical_wh),
            kwh(balance.technical_wh),
            percent,
            known(balance),
        ],
    }
}

/// Hours that are known, of all.
fn known(balance: &Balance) -> String {
    let hours = |seconds: i64| (seconds + 1_800) / 3_600;
    let all = balance.known_s + balance.unknown_s;
    format!("{} of {} h", hours(balance.known_s), hours(all))
}

fn kwh(wh: i64) -> String {
    let sign = if wh < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", wh.abs() / 1_000, wh.abs() % 1_000 / 10)
}

/// What is not known, and why.
fn unknown(of: &FeederLoss) -> Vec<String> {
    let (month, mut said) = (&of.month, Vec::new());
    let whole = &month.whole;
    if whole.balance.unknown_s > 0 {
        let hours = (whole.balance.unknown_s + 1_800) / 3_600;
        let mut words = format!("{}: {hours} h are not known and in no sum", month.feeder);
        if whole.feeder_missing > 0 {
            let times = whole.feeder_missing;
            words.push_str(&format!(
                "; the feeder's register was missing {times} times"
            ));
        }
        let missing = whole
            .missing
            .iter()
            .map(|(id, times)| format!("{id} {times} times"));
        let missing: Vec<_> = missing.collect();
        if !missing.is_empty() {
            words.push_str(&format!("; not heard: {}", missing.join(", ")));
        }
        said.push(format!("{words}."));
    }
    match &month.no_phases {
        None => {}
        Some(NoPhases::FeederMeter) => said.push(format!(
            "{}: no phases; its meter does not count them apart in what is kept of that time.",
            month.feeder
        )),
        Some(NoPhases::Meters { usage_points }) => {
            let ids = usage_points.iter().take(10).map(ToString::to_string);
            said.push(format!(
                "{}: no phases; nobody has noted those of {}.",
                month.feeder,
                ids.collect::<Vec<_>>().join(", ")
            ));
        }
    }
    if !month.cases.is_empty() {
        let cases: Vec<_> = month.cases.iter().map(u64::to_string).collect();
        said.push(format!("{}: cases {}.", month.feeder, cases.join(", ")));
    }
    said
}
