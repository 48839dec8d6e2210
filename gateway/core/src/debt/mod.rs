//! Debt: what a resident owes besides the credit, in a register per kind, and how it is paid back.
//!
//! Decided here: how much of a payment and of a day goes to which debt. Not decided here: when days are collected, who may open, change
//! or write off a debt ([`crate::decide`]).
//!
//! Terms: a debt's *remaining* amount is owed; *percent* of each payment goes to it, and an amount *per day*, every day, also while the
//! supply is off or nothing is used; a *cap* is the most that goes to it in a day, a week (Monday to Sunday) or a calendar month, payments and days
//! together. *Through*: the last day that was collected. Under terms with a cap of another period what went to the debt in the period before
//! counts as far as that began in the new one: from a day to its week or month, not from a week to its days.
//!
//! Order, of a payment: the kinds in the order the site states, each its percent of the whole payment; then the accumulated debt, which
//! takes what its percent allows of what is left; the rest is credit, and pays back first what the credit is below zero.
//! Percentages are rounded down to the micro-unit: nobody pays more than was said.
//!
//! Invariants: a debt never falls below zero; minus its remaining amount is the balance of its ledger account; days are collected once,
//! and one by one, so that it does not matter when.

mod kind;

pub use kind::{CapPeriod, DebtKind, NotADebt};

use crate::Micro;
use crate::calendar::LocalDay;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The whole of a payment, in hundredths of a percent.
pub const WHOLE: u16 = 10_000;
/// Days collected at once: ten years, longer than a gateway lies in a drawer. What is before them is not collected.
const MOST_DAYS: i32 = 3_660;

/// The most that goes to a debt in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// The most.
    pub amount: Micro,
    /// In each of these.
    pub per: CapPeriod,
}

/// How a debt is paid back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Terms {
    /// Part of each payment, in hundredths of a percent: 1000 is 10 %.
    #[serde(default)]
    pub percent_hundredths: u16,
    /// Amount of each day.
    #[serde(default)]
    pub per_day: Micro,
    /// The most in a period; nothing: no cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Cap>,
}

impl Terms {
    /// Whether they make sense: at most the whole of a payment, nothing negative.
    #[must_use]
    pub fn are_sound(&self) -> bool {
        let cap = self.cap.is_none_or(|cap| cap.amount >= Micro::ZERO);
        self.percent_hundredths <= WHOLE && self.per_day >= Micro::ZERO && cap
    }
}

/// A debt register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// Its kind.
    pub kind: DebtKind,
    /// What is owed.
    pub remaining: Micro,
    /// How it is paid back.
    pub terms: Terms,
    /// What went to it since `since`: what counts against the cap while that day is in the cap's period.
    #[serde(default)]
    pub taken: Micro,
    /// First day of the cap's period in which it took last; without a cap that day.
    pub since: LocalDay,
}

/// An amount that goes to a debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Take {
    /// Which.
    pub debt: DebtKind,
    /// How much.
    pub amount: Micro,
    /// See [`Debt::taken`], with this.
    #[serde(default)]
    pub taken: Micro,
    /// See [`Debt::since`].
    pub since: LocalDay,
}

/// What a site states about debts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebtRules {
    /// The order in which the kinds take of a payment and of a day; the accumulated debt comes after all.
    pub order: Vec<DebtKind>,
    /// Most of a payment that goes to debts other than the accumulated one, in hundredths of a percent.
    pub most_of_payment: u16,
}

impl Default for DebtRules {
    /// Arrears, then appliance, then fraud; no limit to their part of a payment.
    fn default() -> Self {
        Self {
            order: DebtKind::ORDERED.to_vec(),
            most_of_payment: WHOLE,
        }
    }
}

/// The debts of a usage point; none owed: empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debts {
    /// Registers by kind; one that is paid back stays, with nothing remaining.
    #[serde(default)]
    pub registers: Vec<Debt>,
    /// The last day that was collected.
    pub through: LocalDay,
}

impl Default for Debts {
    fn default() -> Self {
        Self {
            registers: Vec::new(),
            through: LocalDay(0),
        }
    }
}

/// A share of an amount, rounded down to the micro-unit.
#[must_use]
pub fn share(amount: Micro, hundredths: u16) -> Micro {
    let part = i128::from(amount.0.max(0)) * i128::from(hundredths) / i128::from(WHOLE);
    Micro(i64::try_from(part).unwrap_or(i64::MAX))
}

impl Debt {
    /// What counts against the cap on a day, and since when. Where the cap was of another period until now, what went to the debt since
    /// that began counts, if it began in the period of the day.
    fn counted(&self, day: LocalDay) -> (Micro, LocalDay) {
        let first = self.terms.cap.map_or(day, |cap| cap.per.first_day(day));
        if self.since >= first {
            (self.taken, self.since)
        } else {
            (Micro::ZERO, first)
        }
    }

    /// What may go to it on a day at most.
    fn room(&self, day: LocalDay) -> Micro {
        let left = |cap: Cap| (cap.amount - self.counted(day).0).max(Micro::ZERO);
        let left = self.terms.cap.map_or(self.remaining, left);
        self.remaining.min(left)
    }

    fn take(&mut self, amount: Micro, day: LocalDay) -> Take {
        let (before, since) = self.counted(day);
        let take = Take {
            debt: self.kind,
            amount,
            taken: before + amount,
            since,
        };
        self.apply(&take);
        take
    }

    fn apply(&mut self, take: &Take) {
        self.remaining -= take.amount;
        (self.taken, self.since) = (take.taken, take.since);
    }
}

impl Debts {
    /// Whether there was never a debt.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.registers.is_empty()
    }

    /// The register of a kind.
    #[must_use]
    pub fn of(&self, kind: DebtKind) -> Option<&Debt> {
        self.registers.iter().find(|debt| debt.kind == kind)
    }

    /// Everything that is owed.
    #[must_use]
    pub fn remaining(&self) -> Micro {
        self.registers.iter().map(|debt| debt.remaining).sum()
    }

    fn register(&mut self, kind: DebtKind) -> Option<&mut Debt> {
        self.registers.iter_mut().find(|debt| debt.kind == kind)
    }

    /// What of a payment goes to which debt on a day.
    #[must_use]
    pub fn of_payment(&self, rules: &DebtRules, payment: Micro, day: LocalDay) -> Vec<Take> {
        let mut after = self.clone();
        let mut takes = Vec::new();
        let mut room = share(payment, rules.most_of_payment);
        let mut left = payment.max(Micro::ZERO);
        let last = [DebtKind::Accumulated];
        for kind in rules.order.iter().chain(&last) {
            let is_last = *kind == DebtKind::Accumulated;
            let Some(debt) = after.register(*kind) else {
                continue;
            };
            let wanted = share(payment, debt.terms.percent_hundredths).min(debt.room(day));
            let amount = wanted.min(if is_last { left } else { room.min(left) });
            if amount > Micro::ZERO {
                takes.push(debt.take(amount, day));
                left -= amount;
                room -= amount;
            }
        }
        takes
    }

    /// What of the days after the last one collected goes to which debt, through a day; a debt with nothing taken is left out.
    #[must_use]
    pub fn of_days(&self, rules: &DebtRules, through: LocalDay) -> Vec<Take> {
        let mut after = self.clone();
        let mut takes: Vec<Take> = Vec::new();
        let earliest = through.0.saturating_sub(MOST_DAYS);
        let last = [DebtKind::Accumulated];
        for day in self.through.0.max(earliest).saturating_add(1)..=through.0 {
            for kind in rules.order.iter().chain(&last) {
                let Some(debt) = after.register(*kind) else {
                    continue;
                };
                let day = LocalDay(day);
                let amount = debt.terms.per_day.min(debt.room(day));
                if amount <= Micro::ZERO {
                    continue;
                }
                let take = debt.take(amount, day);
                match takes.iter_mut().find(|known| known.debt == *kind) {
                    None => takes.push(take),
                    Some(known) => {
                        known.amount += take.amount;
                        (known.taken, known.since) = (take.taken, take.since);
                    }
                }
            }
        }
        takes
    }

    /// Carries out what goes to debts.
    pub fn take(&mut self, takes: &[Take]) {
        for take in takes {
            if let Some(debt) = self.register(take.debt) {
                debt.apply(take);
            }
        }
    }

    /// What giving takes back would leave: the amounts negative, each cap's count less by them if they are in it.
    #[must_use]
    pub fn give_back(&self, takes: &[Take]) -> Vec<Take> {
        let back = |take: &Take| {
            let debt = self.of(take.debt)?;
            let counts = take.since == debt.since;
            let counted = if counts { take.amount } else { Micro::ZERO };
            Some(Take {
                debt: take.debt,
                amount: -take.amount,
                taken: (debt.taken - counted).max(Micro::ZERO),
                since: debt.since,
            })
        };
        takes.iter().filter_map(back).collect()
    }

    /// Makes a decision about debts true.
    pub fn apply(&mut self, what: &DebtDecision) {
        match what {
            DebtDecision::Opened {
                kind,
                amount,
                terms,
                day,
                ..
            } => {
                self.registers.retain(|debt| debt.kind != *kind);
                let since = terms.cap.map_or(*day, |cap| cap.per.first_day(*day));
                self.registers.push(Debt {
                    kind: *kind,
                    remaining: *amount,
                    terms: *terms,
                    taken: Micro::ZERO,
                    since,
                });
                self.registers.sort_by_key(|debt| debt.kind);
                self.through = *day;
            }
            DebtDecision::Changed {
                kind,
                added,
                terms,
                day,
                ..
            } => {
                if let Some(debt) = self.register(*kind) {
                    debt.remaining += *added;
                    debt.terms = terms.unwrap_or(debt.terms);
                }
                self.through = *day;
            }
            DebtDecision::WrittenOff {
                kind, amount, day, ..
            } => {
                if let Some(debt) = self.register(*kind) {
                    debt.remaining -= *amount;
                }
                self.through = *day;
            }
            DebtDecision::Collected { through, takes } => {
                self.take(takes);
                self.through = *through;
            }
        }
    }
}

/// What is decided about a usage point's debts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "debt", rename_all = "kebab-case")]
pub enum DebtDecision {
    /// A debt is owed from now on.
    Opened {
        /// Its kind.
        kind: DebtKind,
        /// How much.
        amount: Micro,
        /// How it is paid back.
        terms: Terms,
        /// The day; collected from the next one on.
        day: LocalDay,
        /// Why.
        reason: String,
        /// Who.
        by: String,
        /// The second person, where one was needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<String>,
    },
    /// More is owed, or it is paid back otherwise.
    Changed {
        /// Its kind.
        kind: DebtKind,
        /// How much more.
        #[serde(default)]
        added: Micro,
        /// How it is paid back from now on, if otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
        /// The day, collected as before.
        day: LocalDay,
        /// Why.
        reason: String,
        /// Who.
        by: String,
        /// The second person, where one was needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<String>,
    },
    /// Less is owed, and nobody has paid it.
    WrittenOff {
        /// Its kind.
        kind: DebtKind,
        /// How much.
        amount: Micro,
        /// The day.
        day: LocalDay,
        /// Why.
        reason: String,
        /// Who.
        by: String,
        /// The second person, where one was needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<String>,
    },
    /// Days were collected from the credit.
    Collected {
        /// The last one.
        through: LocalDay,
        /// What went to which debt.
        takes: Vec<Take>,
    },
}

/// What people ask for about debts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum DebtChange {
    /// A debt is owed from now on; none of its kind is.
    Open {
        /// Its kind.
        kind: DebtKind,
        /// How much.
        amount: Micro,
        /// How it is paid back.
        terms: Terms,
    },
    /// More is owed, or it is paid back otherwise.
    Change {
        /// Its kind.
        kind: DebtKind,
        /// How much more; zero if only the terms change.
        #[serde(default)]
        add: Micro,
        /// How it is paid back from now on; as before if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
    },
    /// Less is owed, and nobody has paid it.
    WriteOff {
        /// Its kind.
        kind: DebtKind,
        /// How much; all of it if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Micro>,
    },
}

impl DebtChange {
    /// The kind of debt.
    #[must_use]
    pub fn kind(&self) -> DebtKind {
        match self {
            Self::Open { kind, .. } | Self::Change { kind, .. } | Self::WriteOff { kind, .. } => {
                *kind
            }
        }
    }
}

impl DebtDecision {
    /// What it takes from the credit.
    #[must_use]
    pub fn collected(&self) -> Micro {
        match self {
            Self::Collected { takes, .. } => takes.iter().map(|take| take.amount).sum(),
            _ => Micro::ZERO,
        }
    }
}
