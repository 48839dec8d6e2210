//! What stands on a statement.

use super::Letterhead;
use super::money::{Amounts, currency_word};
use super::sheet::{Align, Row, Sheet, Table, Weight};
use crate::format::{csv_field, date_time, units_exact};
use crate::view::component_words;
use gateway_core::calendar::{Calendar, LocalDay};
use gateway_core::ledger::LedgerAccount;
use gateway_core::rating::Component;
use gateway_core::{Micro, WattHours};
use gateway_store::AccountStatement;
use gateway_store::statement::{BlockItem, Line};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A statement with its letterhead. As JSON it is the statement for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementPaper {
    /// The site's name.
    pub site: String,
    /// The usage point's number as people write it, for example `UP-0007`.
    pub number: String,
    /// First local day.
    pub first_day: String,
    /// Last local day.
    pub last_day: String,
    /// When it was made, in local time.
    pub made: String,
    /// Seconds of local time ahead of UTC.
    pub utc_offset_s: i32,
    /// The statement.
    pub statement: AccountStatement,
}

impl StatementPaper {
    /// A statement of some days, both included.
    #[must_use]
    pub fn new(
        letterhead: &Letterhead,
        (first, last): (LocalDay, LocalDay),
        statement: AccountStatement,
    ) -> Self {
        Self {
            site: letterhead.site.clone(),
            number: statement.usage_point.to_string(),
            first_day: first.to_string(),
            last_day: last.to_string(),
            made: date_time(letterhead.calendar, letterhead.made_at),
            utc_offset_s: letterhead.calendar.utc_offset_s,
            statement,
        }
    }

    /// A name for its file, without the ending.
    #[must_use]
    pub fn file_stem(&self) -> String {
        let (number, first, last) = (&self.number, &self.first_day, &self.last_day);
        format!("statement-{number}-{first}-{last}")
    }

    fn calendar(&self) -> Calendar {
        Calendar {
            utc_offset_s: self.utc_offset_s,
            period_start_day: 1,
        }
    }

    fn amounts(&self) -> Amounts {
        let statement = &self.statement;
        let of_line = |line: &Line| {
            let items = line.items.iter().map(|item| item.amount_micro);
            let blocks = line.blocks.iter().map(|block| block.amount_micro);
            let beside = line.beside.iter().map(|beside| beside.amount_micro);
            let all: Vec<_> = items
                .chain(blocks)
                .chain(beside)
                .chain([line.credit_micro])
                .collect();
            all
        };
        let lines = statement.lines.iter().flat_map(of_line);
        let ends = [statement.opening_micro, statement.closing_micro];
        Amounts::exact(ends.into_iter().chain(lines), &statement.currency)
    }

    /// As a paper.
    #[must_use]
    pub fn sheet(&self) -> Sheet {
        let statement = &self.statement;
        let amounts = self.amounts();
        let word = currency_word(&statement.currency);
        Sheet {
            site: self.site.clone(),
            title: "Statement of account".into(),
            facts: vec![
                ("Usage point", self.number.clone()),
                ("Name", statement.label.clone()),
                ("From", self.first_day.clone()),
                ("To", self.last_day.clone()),
                ("Tariff", statement.tariff_name.clone()),
                (
                    "Energy",
                    format!("{} kWh", units_exact(statement.energy_wh)),
                ),
            ],
            tables: vec![
                self.summary(amounts, word),
                self.payments(amounts, word),
                self.movements(amounts, word),
            ],
            checks: self.checks(amounts, word),
            is_good: statement.check.is_good(),
            made: format!(
                "Made {} local time. Settled use only; what was used since the last settlement follows with the next one.",
                self.made
            ),
        }
    }

    fn summary(&self, amounts: Amounts, word: &str) -> Table {
        let statement = &self.statement;
        let mut rows = vec![row(
            Weight::Strong,
            ["Opening credit", "", &amounts.show(statement.opening_micro)],
        )];
        let mut paid: BTreeMap<String, (u32, Micro)> = BTreeMap::new();
        for line in statement.lines.iter().filter(|line| line.kind != "settled") {
            for item in &line.items {
                let words = kind_words(&line.kind, &item.account);
                let sum = paid.entry(words).or_default();
                (sum.0, sum.1) = (sum.0 + 1, sum.1 + item.amount_micro);
            }
        }
        for (words, (count, amount)) in paid {
            rows.push(row(
                Weight::Plain,
                [&format!("{words} ({count})"), "", &amounts.show(amount)],
            ));
        }
        let settled = || statement.lines.iter().filter(|line| line.kind == "settled");
        let mut charges: BTreeMap<usize, (&str, Micro)> = BTreeMap::new();
        for item in settled().flat_map(|line| &line.items) {
            let sum = charges
                .entry(place(&item.account))
                .or_insert((&item.account, Micro::ZERO));
            sum.1 += item.amount_micro;
        }
        for (account, amount) in charges.into_values() {
            let units = if account == "revenue:energy" {
                units_exact(statement.energy_wh)
            } else {
                String::new()
            };
            let words = account_words(account);
            rows.push(row(Weight::Plain, [&words, &units, &amounts.show(amount)]));
            if account == "revenue:energy" {
                rows.extend(blocks(settled().flat_map(|line| &line.blocks), amounts));
            }
        }
        rows.push(row(
            Weight::Strong,
            ["Closing credit", "", &amounts.show(statement.closing_micro)],
        ));
        Table {
            heading: "Summary".into(),
            columns: columns(&["", "kWh", word]),
            rows,
            empty: "",
        }
    }

    fn payments(&self, amounts: Amounts, word: &str) -> Table {
        let calendar = self.calendar();
        let mut rows = Vec::new();
        for line in self.statement.lines.iter().filter(|l| !is_charge(l)) {
            let account = line.items.first().map_or("", |item| item.account.as_str());
            let number = if is_paid(line) { "receipt" } else { "no." };
            let words = kind_words(&line.kind, account);
            let mut what = format!("{words}, {number} {}", line.number);
            if !line.words.is_empty() {
                let _ = write!(what, ": {}", line.words);
            }
            let when = date_time(calendar, line.at);
            let by = line.by.as_str();
            let first = line.items.first().map_or(Micro::ZERO, |i| i.amount_micro);
            rows.push(row(Weight::Plain, [&when, &what, by, &amounts.show(first)]));
            for item in line.items.iter().skip(1) {
                let words = kind_words(&line.kind, &item.account);
                let amount = amounts.show(item.amount_micro);
                rows.push(row(Weight::Part, ["", &words, "", &amount]));
            }
            rows.extend(beside(line, amounts, 1));
        }
        Table {
            heading: "Payments, tokens and corrections".into(),
            columns: vec![
                ("When".into(), Align::Left),
                ("What".into(), Align::Left),
                ("By".into(), Align::Left),
                (word.into(), Align::Right),
            ],
            rows,
            empty: "None in these days.",
        }
    }

    fn movements(&self, amounts: Amounts, word: &str) -> Table {
        let calendar = self.calendar();
        let mut rows = Vec::new();
        for line in &self.statement.lines {
            let account = line.items.first().map_or("", |item| item.account.as_str());
            let is_use = line.kind == "settled";
            let what = match (is_use, line.energy_wh.0) {
                (true, 0) => "Charges".into(),
                (true, _) => "Use".into(),
                (false, _) => kind_words(&line.kind, account),
            };
            let units = if line.energy_wh.0 > 0 {
                units_exact(line.energy_wh)
            } else {
                String::new()
            };
            let title = format!(
                "{} {what}, no. {}",
                date_time(calendar, line.at),
                line.number
            );
            let (amount, credit) = (
                amounts.show(line.amount_micro),
                amounts.show(line.credit_micro),
            );
            rows.push(row(Weight::Plain, [&title, &units, &amount, &credit]));
            if is_use || line.items.len() > 1 {
                for item in &line.items {
                    let words = if is_use {
                        account_words(&item.account)
                    } else {
                        kind_words(&line.kind, &item.account)
                    };
                    let amount = amounts.show(item.amount_micro);
                    rows.push(row(Weight::Part, [&words, "", &amount, ""]));
                    if item.account == "revenue:energy" {
                        rows.extend(blocks(&line.blocks, amounts).into_iter().map(widened));
                    }
                }
            }
            rows.extend(beside(line, amounts, 0));
            if line.uncertain_wh.0 > 0 {
                let words = format!(
                    "At most {} kWh of it may belong to another time of day or tariff version; the total is exact.",
                    units_exact(line.uncertain_wh)
                );
                rows.push(row(Weight::Part, [&words, "", "", ""]));
            }
        }
        Table {
            heading: "Every movement".into(),
            columns: columns(&["", "kWh", word, "Credit"]),
            rows,
            empty: "Nothing came in and nothing was settled in these days.",
        }
    }

    fn checks(&self, amounts: Amounts, word: &str) -> Vec<String> {
        let (statement, check) = (&self.statement, &self.statement.check);
        let items = statement.lines.iter().flat_map(|line| &line.items);
        let (mut brought, mut taken) = (Micro::ZERO, Micro::ZERO);
        for item in items {
            if item.amount_micro < Micro::ZERO {
                taken += -item.amount_micro;
            } else {
                brought += item.amount_micro;
            }
        }
        let show = |amount| amounts.show(amount);
        let sum = format!(
            "{} + {} - {} = {word} {}, from {} postings",
            show(statement.opening_micro),
            show(brought),
            show(taken),
            show(statement.closing_micro),
            check.postings,
        );
        let mut words = vec![match check.re_adds {
            true => format!("{sum}: re-adds to the micro-unit (a millionth of the currency)."),
            false => format!("{sum}: DOES NOT ADD UP. Run `prepaid-gateway verify`."),
        }];
        words.push(match check.blocks_agree {
            true => "The blocks of every line add up to its energy charge.".into(),
            false => "Some energy charges are shown without blocks: the tariff in use prices them otherwise than the journal.".into(),
        });
        words.push(match check.stored_agrees {
            true => format!(
                "At record {} the journal gives a credit of {word} {}; the ledger and the account hold the same.",
                check.head,
                check.journal_micro
            ),
            false => format!(
                "At record {} the journal gives {word} {}, the ledger holds {}, the account {}: NOT THE SAME. Run `prepaid-gateway verify`.",
                check.head,
                check.journal_micro,
                check.ledger_micro.unwrap_or_default(),
                check.account_micro
            ),
        });
        words
    }

    /// As CSV (RFC 4180), oldest first: one line for each posting, amounts exact, so that the column `amount` adds up from
    /// opening to closing. The blocks of an energy charge stand after it, in columns of their own.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut csv = Csv::default();
        csv.record(CSV_COLUMNS.map(str::to_owned));
        let calendar = self.calendar();
        let statement = &self.statement;
        let of_point = |number: String, when: String, kind: &str| {
            let mut fields: [String; COLUMNS] = Default::default();
            (fields[0], fields[1], fields[4]) = (number, when, kind.to_owned());
            (fields[2], fields[3]) = (self.number.clone(), statement.label.clone());
            fields
        };
        let end = |day: &String, kind, credit: Micro| {
            let mut fields = of_point(String::new(), day.clone(), kind);
            fields[12] = credit.to_string();
            fields
        };
        let mut credit = statement.opening_micro;
        csv.record(end(&self.first_day, "opening", credit));
        for line in &statement.lines {
            let at = date_time(calendar, line.at);
            let head = of_point(line.number.to_string(), at, &line.kind);
            // A settlement's energy stands once, so that the column adds up.
            let mut energy = Some(line.energy_wh).filter(|energy| energy.0 > 0);
            for item in &line.items {
                credit += item.amount_micro;
                let mut fields = head.clone();
                fields[5].clone_from(&item.account);
                fields[6] = energy.take().map_or(String::new(), |e| e.to_string());
                (fields[11], fields[12]) = (item.amount_micro.to_string(), credit.to_string());
                (fields[13], fields[14]) = (line.by.clone(), line.words.clone());
                csv.record(fields);
                let blocks = line.blocks.iter();
                for block in blocks.filter(|_| item.account == "revenue:energy") {
                    let mut fields = head.clone();
                    fields[5] = "block".into();
                    fields[7] = format!("{} block {}", block.tariff, block.block);
                    fields[8] = kwh_exact(block.energy_wh);
                    fields[9] = block.rate_micro.to_string();
                    fields[10] = block.amount_micro.to_string();
                    csv.record(fields);
                }
            }
            for beside in &line.beside {
                let mut fields = head.clone();
                fields[5] = "beside".into();
                fields[14] = format!("{} to {}: {}", beside.from, beside.to, beside.amount_micro);
                csv.record(fields);
            }
        }
        csv.record(end(&self.last_day, "closing", statement.closing_micro));
        csv.0
    }
}

const COLUMNS: usize = 15;
const CSV_COLUMNS: [&str; COLUMNS] = [
    "number",
    "local time",
    "usage point",
    "label",
    "kind",
    "item",
    "energy kWh",
    "block",
    "block kWh",
    "rate",
    "block amount",
    "amount",
    "credit",
    "by",
    "words",
];

#[derive(Default)]
struct Csv(String);

impl Csv {
    fn record<const N: usize>(&mut self, fields: [String; N]) {
        let fields = fields.map(|field| csv_field(&field));
        self.0.push_str(&fields.join(","));
        self.0.push_str("\r\n");
    }
}

fn kwh_exact(energy_wh: i64) -> String {
    let sign = if energy_wh < 0 { "-" } else { "" };
    format!("{sign}{}", WattHours(energy_wh.unsigned_abs()))
}

fn row<const N: usize>(weight: Weight, cells: [&str; N]) -> Row {
    Row {
        weight,
        cells: cells.map(str::to_owned).to_vec(),
    }
}

/// A row of the summary in the table of movements, which has one column more.
fn widened(mut row: Row) -> Row {
    row.cells.push(String::new());
    row
}

fn columns(names: &[&str]) -> Vec<(String, Align)> {
    let align = |i| if i == 0 { Align::Left } else { Align::Right };
    let named = names.iter().enumerate();
    named
        .map(|(i, name)| ((*name).to_owned(), align(i)))
        .collect()
}

/// The blocks, each version's together: `Block 1 at 3.96 per kWh`.
fn blocks<'a>(items: impl IntoIterator<Item = &'a BlockItem>, amounts: Amounts) -> Vec<Row> {
    let mut sums: BTreeMap<(&str, u16), (Micro, i64, Micro)> = BTreeMap::new();
    for item in items {
        let key = (item.tariff.as_str(), item.block);
        let sum = sums.entry(key).or_insert((item.rate_micro, 0, Micro::ZERO));
        sum.1 += item.energy_wh;
        sum.2 += item.amount_micro;
    }
    let mut versions: Vec<_> = sums.keys().map(|(tariff, _)| *tariff).collect();
    versions.dedup();
    let is_one = versions.len() < 2;
    let line = |((tariff, block), (rate, energy, amount)): ((&str, u16), (Micro, i64, Micro))| {
        let of = if is_one {
            String::new()
        } else {
            format!(" of {tariff}")
        };
        let words = format!("Block {block}{of} at {rate} per kWh");
        row(Weight::Part, [&words, &kwh(energy), &amounts.show(amount)])
    };
    sums.into_iter().map(line).collect()
}

/// What the same decision moved between other accounts, in the column of words. What an agent earns is no business of the resident's; the
/// CSV and the JSON have it.
fn beside(line: &Line, amounts: Amounts, place: usize) -> Vec<Row> {
    let others = line
        .beside
        .iter()
        .filter(|moved| moved.from != "commission");
    let words = |moved: &gateway_store::statement::Beside| {
        let mut cells = vec![String::new(); 4];
        cells[place] = beside_words(moved, amounts);
        Row {
            weight: Weight::Part,
            cells,
        }
    };
    others.map(words).collect()
}

fn beside_words(moved: &gateway_store::statement::Beside, amounts: Amounts) -> String {
    use LedgerAccount as A;
    let amount = amounts.show(moved.amount_micro);
    match (moved.from.parse(), moved.to.parse()) {
        (Ok(A::Debt(_, kind)), Ok(A::Claims(_))) => {
            format!("{}: {amount} more is owed", kind.words())
        }
        (Ok(A::WrittenOff(_)), Ok(A::Debt(_, kind))) => {
            format!("{}: {amount} less is owed, written off", kind.words())
        }
        _ => {
            let (from, to) = (account_words(&moved.from), account_words(&moved.to));
            format!("{from} to {to}: {amount}")
        }
    }
}

fn kwh(energy_wh: i64) -> String {
    let sign = if energy_wh < 0 { "-" } else { "" };
    format!("{sign}{}", units_exact(WattHours(energy_wh.unsigned_abs())))
}

/// A ledger account for people; one that is not known by its name in the ledger.
pub(super) fn account_words(account: &str) -> String {
    let other = |text: &str| sentence_case(&text.replace([':', '-'], " "));
    match account.parse() {
        Ok(LedgerAccount::Revenue(component)) => sentence_case(component_words(component)),
        Ok(LedgerAccount::Debt(_, kind)) => kind.words().into(),
        Ok(LedgerAccount::Claims(kind)) => format!("{}, claimed", kind.words()),
        Ok(LedgerAccount::WrittenOff(kind)) => format!("{}, written off", kind.words()),
        Ok(LedgerAccount::Float(agent)) => format!("Float of agent {agent}"),
        _ => other(account),
    }
}

/// Whether money came in and a receipt was due.
pub(super) fn is_paid(line: &Line) -> bool {
    matches!(line.kind.as_str(), "vended" | "token-entered")
}

/// Whether time or use took it from the credit, not a person.
fn is_charge(line: &Line) -> bool {
    line.kind == "settled" || line.kind == "debt" && !line.items.is_empty()
}

/// Components in the order of the bill, others after them.
fn place(account: &str) -> usize {
    let name = account.strip_prefix("revenue:").unwrap_or(account);
    let mut components = Component::ALL.iter();
    components
        .position(|component| component.name() == name)
        .unwrap_or_else(|| Component::ALL.len() + usize::from(account.bytes().next().unwrap_or(0)))
}

/// A decision for people; one that is not known by its name in the journal, with the account on the other side.
pub(super) fn kind_words(kind: &str, account: &str) -> String {
    use LedgerAccount as A;
    let other = account.parse().ok();
    match (kind, other) {
        ("vended", Some(A::Payments | A::Float(_))) => "Recharge".into(),
        ("token-entered", Some(A::Tokens)) => "Token".into(),
        ("vended", Some(A::Debt(_, debt))) => format!("Instalment: {}", debt.words()),
        ("debt", Some(A::Debt(_, debt))) => format!("Instalment of the day: {}", debt.words()),
        ("correction", Some(A::Corrections)) => "Correction".into(),
        ("correction", Some(A::Payments | A::Float(_))) => "Recharge taken back".into(),
        ("correction", Some(A::Debt(_, debt))) => {
            format!("Instalment given back: {}", debt.words())
        }
        ("provisional-charged", _) => "Provisional charge, no readings".into(),
        ("provisional-reversed", _) => "Provisional charges posted back".into(),
        (kind, None) => sentence_case(&kind.replace('-', " ")),
        (kind, Some(_)) => {
            let words = sentence_case(&kind.replace('-', " "));
            format!("{words} ({})", account_words(account).to_lowercase())
        }
    }
}

fn sentence_case(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}
