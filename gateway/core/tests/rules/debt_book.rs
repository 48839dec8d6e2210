//! An independent book of debts: every instalment is a line with its day, and everything else is added up from the lines.

use gateway_core::calendar::LocalDay;
use gateway_core::debt::{CapPeriod, DebtKind, Terms};

/// An instalment.
#[derive(Debug, Clone)]
struct Line {
    amount: i64,
    /// The receipt it was taken out of; nothing: a day.
    receipt: Option<u64>,
    /// Which span of the cap it counts in.
    span: u32,
}

/// One debt.
#[derive(Debug, Clone)]
struct Owed {
    kind: DebtKind,
    /// What was opened and added, less what was written off.
    claimed: i64,
    terms: Terms,
    lines: Vec<Line>,
    /// The span the cap counts in now, and the day it began.
    span: u32,
    since: i32,
}

/// The debts of one usage point, in micro-units.
#[derive(Debug, Clone, Default)]
pub struct DebtBook {
    debts: Vec<Owed>,
    /// Days are taken through this one.
    through: i32,
    /// Spans are numbered through the life of the book.
    spans: u32,
    pub claims: [i64; 4],
    pub written_off: [i64; 4],
}

/// Local days from 1970-01-01 to a Monday are 3 modulo 7 off.
fn first_of(per: CapPeriod, day: i32) -> i32 {
    match per {
        CapPeriod::Day => day,
        CapPeriod::Week => day - (day + 3) % 7,
        // By the calendar's own words: no reckoning of months here.
        CapPeriod::Month => {
            let month = LocalDay(day).to_string()[..7].to_owned();
            let is_in = |other: i32| LocalDay(other).to_string().starts_with(&month);
            (0..31)
                .map(|back| day - back)
                .filter(|d| is_in(*d))
                .min()
                .expect("itself")
        }
    }
}

fn place(kind: DebtKind) -> usize {
    let place = DebtKind::ALL.iter().position(|known| *known == kind);
    place.expect("one of them")
}

/// So many hundredths of a percent, rounded down.
pub fn part(amount: i64, hundredths: u16) -> i64 {
    let part = i128::from(amount) * i128::from(hundredths) / 10_000;
    i64::try_from(part).expect("smaller than the amount")
}

impl Owed {
    fn remaining(&self) -> i64 {
        self.claimed - self.lines.iter().map(|line| line.amount).sum::<i64>()
    }

    /// What the cap leaves on a day, and whether its span goes on.
    fn room(&self, day: i32) -> (i64, bool) {
        let first = self.terms.cap.map_or(day, |cap| first_of(cap.per, day));
        let goes_on = self.since >= first;
        let in_span = self.lines.iter().filter(|line| line.span == self.span);
        let taken: i64 = in_span.map(|line| line.amount).sum();
        let left = self.terms.cap.map_or(i64::MAX, |cap| {
            (cap.amount.0 - if goes_on { taken } else { 0 }).max(0)
        });
        (left.min(self.remaining()), goes_on)
    }
}

impl DebtBook {
    pub fn new(day: i32) -> Self {
        Self {
            through: day,
            ..Self::default()
        }
    }

    fn find(&mut self, kind: DebtKind) -> Option<&mut Owed> {
        self.debts.iter_mut().find(|debt| debt.kind == kind)
    }

    pub fn remaining(&self, kind: DebtKind) -> i64 {
        let debt = self.debts.iter().find(|debt| debt.kind == kind);
        debt.map_or(0, Owed::remaining)
    }

    pub fn terms(&self, kind: DebtKind) -> Option<Terms> {
        let debt = self.debts.iter().find(|debt| debt.kind == kind);
        debt.map(|debt| debt.terms)
    }

    fn take(&mut self, kind: DebtKind, day: i32, amount: i64, receipt: Option<u64>) {
        self.spans += 1;
        let next = self.spans;
        let debt = self.find(kind).expect("it takes");
        let (_, goes_on) = debt.room(day);
        if !goes_on {
            debt.span = next;
            debt.since = debt.terms.cap.map_or(day, |cap| first_of(cap.per, day));
        }
        let span = debt.span;
        debt.lines.push(Line {
            amount,
            receipt,
            span,
        });
    }

    /// Takes the days through one, each alone; gives back what they took.
    pub fn collect(&mut self, order: &[DebtKind], through: i32) -> i64 {
        let mut sum = 0;
        while self.through < through {
            self.through += 1;
            let day = self.through;
            for kind in order.iter().copied().chain([DebtKind::Accumulated]) {
                let Some(debt) = self.find(kind) else {
                    continue;
                };
                let amount = debt.terms.per_day.0.min(debt.room(day).0);
                if amount > 0 {
                    self.take(kind, day, amount, None);
                    sum += amount;
                }
            }
        }
        sum
    }

    /// Takes out of a payment; gives back what each debt took, in order.
    pub fn pay(
        &mut self,
        (order, most): (&[DebtKind], u16),
        (payment, day, receipt): (i64, i32, u64),
    ) -> Vec<(DebtKind, i64)> {
        let mut takes = Vec::new();
        let mut open = part(payment, most);
        for kind in order.iter().copied().chain([DebtKind::Accumulated]) {
            let before: i64 = takes.iter().map(|(_, amount)| amount).sum();
            let Some(debt) = self.find(kind) else {
                continue;
            };
            let wanted = part(payment, debt.terms.percent_hundredths);
            let allowed = if kind == DebtKind::Accumulated {
                payment - before
            } else {
                open
            };
            let amount = wanted.min(debt.room(day).0).min(allowed);
            if amount > 0 {
                self.take(kind, day, amount, Some(receipt));
                open -= amount;
                takes.push((kind, amount));
            }
        }
        takes
    }

    /// The instalments of a receipt are struck out; gives back their sum.
    pub fn strike(&mut self, receipt: u64, takes: &[(DebtKind, i64)]) -> i64 {
        for (kind, amount) in takes {
            let debt = self.find(*kind).expect("it took");
            let known = debt.lines.len();
            debt.lines.retain(|line| line.receipt != Some(receipt));
            if debt.lines.len() == known {
                // It was taken to a debt that was opened anew since: owed again.
                debt.claimed += amount;
            }
        }
        takes.iter().map(|(_, amount)| amount).sum()
    }

    pub fn open(&mut self, kind: DebtKind, amount: i64, terms: Terms, day: i32) {
        self.spans += 1;
        self.debts.retain(|debt| debt.kind != kind);
        self.debts.push(Owed {
            kind,
            claimed: amount,
            terms,
            lines: Vec::new(),
            span: self.spans,
            since: terms.cap.map_or(day, |cap| first_of(cap.per, day)),
        });
        self.claims[place(kind)] += amount;
    }

    pub fn change(&mut self, kind: DebtKind, add: i64, terms: Option<Terms>) {
        self.claims[place(kind)] += add;
        let debt = self.find(kind).expect("it is owed");
        debt.claimed += add;
        debt.terms = terms.unwrap_or(debt.terms);
    }

    pub fn write_off(&mut self, kind: DebtKind, amount: i64) {
        self.written_off[place(kind)] += amount;
        let debt = self.find(kind).expect("it is owed");
        debt.claimed -= amount;
    }
}
