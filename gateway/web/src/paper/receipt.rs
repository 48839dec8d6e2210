//! A receipt: what a payment or token brought, for a till's printer.
//!
//! Decided here: its lines, and that only a print asked for as the original within [`ORIGINAL_WITHIN_S`] of the decision is one;
//! every other is marked as a duplicate. Not decided here: what was credited (the journal).

use super::Letterhead;
use super::money::{Amounts, currency_word};
use super::statement::{account_words, is_paid, kind_words};
use crate::format::{date_time, units};
use gateway_core::tariff::Tariff;
use gateway_core::{Micro, UsagePoint, UtcSeconds, WattHours};
use gateway_store::AccountStatement;
use gateway_store::statement::Line;
use serde::{Deserialize, Serialize};

/// How long after the decision a print may be the original, in seconds: the time a resident stands at the counter.
pub const ORIGINAL_WITHIN_S: u64 = 900;

/// A receipt with its letterhead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptPaper {
    /// The site's name.
    pub site: String,
    /// The usage point's number, for example `UP-0007`.
    pub usage_point: String,
    /// What people call it.
    pub label: String,
    /// Currency code.
    pub currency: String,
    /// When, in local time.
    pub at_local: String,
    /// Whether this print is a repetition.
    pub is_duplicate: bool,
    /// What the next unit costs now, in micro-units per kWh; nothing if the tariff is unknown.
    pub rate_micro: Option<Micro>,
    /// The decision.
    pub line: Line,
}

/// What one more kWh costs at a usage point now, without fixed charges.
#[must_use]
pub fn present_rate(point: &UsagePoint, tariff: &Tariff) -> Micro {
    let here = point.account.settled_to;
    let further = here.saturating_add(WattHours(1_000));
    point.available(tariff, here) - point.available(tariff, further)
}

impl ReceiptPaper {
    /// The receipt of a decision on a statement that holds it; `None` if it holds none of this number, or a mere charge.
    #[must_use]
    pub fn new(
        letterhead: &Letterhead,
        statement: &AccountStatement,
        (number, is_original): (u64, bool),
        rate_micro: Option<Micro>,
    ) -> Option<Self> {
        let mut lines = statement.lines.iter();
        let line = lines.find(|line| line.number == number && is_paid(line))?;
        let age = letterhead.made_at.seconds_since(line.at);
        Some(Self {
            site: letterhead.site.clone(),
            usage_point: statement.usage_point.to_string(),
            label: statement.label.clone(),
            currency: statement.currency.clone(),
            at_local: date_time(letterhead.calendar, line.at),
            is_duplicate: !is_original || age > ORIGINAL_WITHIN_S,
            rate_micro: rate_micro.filter(|rate| *rate > Micro::ZERO),
            line: line.clone(),
        })
    }

    /// The span of a statement that holds a decision made at a moment.
    #[must_use]
    pub fn span(at: UtcSeconds) -> (UtcSeconds, UtcSeconds) {
        (at, UtcSeconds(at.0.saturating_add(1)))
    }

    /// Name and value of each line.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let line = &self.line;
        let beside = line.beside.iter().map(|beside| beside.amount_micro);
        let shown = [line.amount_micro, line.credit_micro].into_iter();
        let shown = shown.chain(line.items.iter().map(|item| item.amount_micro));
        let amounts = Amounts::exact(shown.chain(beside), &self.currency);
        let word = currency_word(&self.currency);
        let money = |amount| format!("{word} {}", amounts.show(amount));
        let mut pairs = vec![
            ("Receipt".to_owned(), line.number.to_string()),
            ("Date".into(), self.at_local.clone()),
            ("Usage point".into(), self.usage_point.clone()),
            ("Name".into(), self.label.clone()),
        ];
        for item in &line.items {
            let words = kind_words(&line.kind, &item.account);
            pairs.push((words, money(item.amount_micro)));
        }
        if line.items.len() > 1 {
            pairs.push(("To credit".into(), money(line.amount_micro)));
        }
        let of_agent = |account: &String| account == "commission";
        let others = line.beside.iter().filter(|b| !of_agent(&b.from));
        for beside in others {
            let to = account_words(&beside.to);
            pairs.push((format!("To {to}"), money(beside.amount_micro)));
        }
        if let Some(rate) = self.rate_micro {
            let wh = i128::from(line.amount_micro.0.max(0)) * 1_000 / i128::from(rate.0);
            let wh = WattHours(u64::try_from(wh).unwrap_or(0));
            pairs.push((
                "About, at the present rate".into(),
                format!("{} kWh", units(wh)),
            ));
        }
        pairs.push(("Credit after, as settled".into(), money(line.credit_micro)));
        if !line.words.is_empty() {
            pairs.push(("Note".into(), line.words.clone()));
        }
        if !line.by.is_empty() {
            pairs.push(("By".into(), line.by.clone()));
        }
        pairs
    }

    /// As text for a printer of so many columns, at least 24.
    #[must_use]
    pub fn text(&self, columns: usize) -> String {
        let columns = columns.max(24);
        let rule = "-".repeat(columns);
        let centred = |words: &str| {
            let lines = wrapped(words, columns);
            let line = |line: &String| {
                let space = columns.saturating_sub(line.chars().count()) / 2;
                format!("{}{line}\n", " ".repeat(space))
            };
            lines.iter().map(line).collect::<String>()
        };
        let mut text = centred(&self.site);
        text.push_str(&centred(if self.is_duplicate {
            "RECEIPT - DUPLICATE"
        } else {
            "RECEIPT"
        }));
        text.push_str(&format!("{rule}\n"));
        for (name, value) in self.pairs() {
            let (left, right) = (name.chars().count(), value.chars().count());
            if left + right < columns {
                let space = " ".repeat(columns - left - right);
                text.push_str(&format!("{name}{space}{value}\n"));
                continue;
            }
            text.push_str(&format!("{name}\n"));
            for line in wrapped(&value, columns) {
                let space = " ".repeat(columns.saturating_sub(line.chars().count()));
                text.push_str(&format!("{space}{line}\n"));
            }
        }
        text.push_str(&format!("{rule}\n"));
        text
    }

    /// For a till's printer: reset, the text in ASCII, four lines of paper, cut. A line with other letters says so instead.
    #[must_use]
    pub fn escpos(&self, columns: usize) -> Vec<u8> {
        let mut bytes = b"\x1b@".to_vec();
        for line in self.text(columns).lines() {
            let printable = if line.is_ascii() {
                line
            } else {
                "(shown in the HTML only)"
            };
            bytes.extend(printable.bytes().filter(|byte| !byte.is_ascii_control()));
            bytes.push(b'\n');
        }
        bytes.extend(b"\x1bd\x04\x1dV\x42\x00");
        bytes
    }
}

fn wrapped(words: &str, columns: usize) -> Vec<String> {
    let letters: Vec<char> = words.chars().filter(|c| !c.is_control()).collect();
    let lines = letters.chunks(columns.max(1));
    lines.map(|line| line.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_store::statement::Item;

    fn receipt(label: &str, is_duplicate: bool) -> ReceiptPaper {
        ReceiptPaper {
            site: "Ward 4".into(),
            usage_point: "UP-0001".into(),
            label: label.into(),
            currency: "INR".into(),
            at_local: "2026-11-23 12:00".into(),
            is_duplicate,
            rate_micro: Some(Micro(5_000_000)),
            line: Line {
                number: 12,
                at: UtcSeconds(0),
                kind: "vended".into(),
                by: "agent".into(),
                words: String::new(),
                energy_wh: WattHours(0),
                uncertain_wh: WattHours(0),
                amount_micro: Micro(500_000_000),
                credit_micro: Micro(412_500_000),
                items: vec![Item {
                    account: "payments".into(),
                    amount_micro: Micro(500_000_000),
                }],
                blocks: Vec::new(),
                beside: Vec::new(),
            },
        }
    }

    #[test]
    fn a_receipt_fits_its_paper_and_a_reprint_says_so() {
        for columns in [32, 48] {
            let text =
                receipt("A very long name that no till can print on one line", false).text(columns);
            assert!(
                text.lines().all(|line| line.chars().count() <= columns),
                "{text}"
            );
            for words in ["Rs 500.00", "Rs 412.50", "100.00 kWh", "UP-0001", "agent"] {
                assert!(text.contains(words), "{words}: {text}");
            }
            assert!(!text.contains("DUPLICATE"));
            assert!(receipt("A", true).text(columns).contains("DUPLICATE"));
        }
        let bytes = receipt("गली", false).escpos(32);
        assert!(
            bytes.is_ascii() && bytes.starts_with(b"\x1b@") && bytes.ends_with(b"\x1dV\x42\x00")
        );
    }
}
