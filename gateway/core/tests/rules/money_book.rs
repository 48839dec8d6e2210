//! An independent book of one account's money: payments, agents, corrections, debts. It says what each command has to bring before it is
//! given, and keeps sums, nothing else. In micro-units.

use crate::debt_book::{DebtBook, part};
use crate::site::*;
use gateway_core::agent::AgentId;
use gateway_core::correction::CorrectionAct;
use gateway_core::debt::{DebtChange, DebtKind};
use gateway_core::ledger::LedgerAccount;
use gateway_core::prepay::{MoneyRefusal as No, PrepayRules};
use gateway_core::{Micro, Refusal};
use std::collections::BTreeMap;

/// Two agents: overdraft and commission, in hundredths of a percent; who sells for them.
pub const AGENTS: [(&str, i64, u16, &str); 2] = [
    ("corner shop", 20_000_000, 250, "ravi"),
    ("kiosk", 0, 0, "meena"),
];

/// A vend that was made.
#[derive(Debug, Clone)]
pub struct Sold {
    pub key: String,
    pub receipt: u64,
    pub amount: i64,
    pub takes: Vec<(DebtKind, i64)>,
    pub agent: Option<usize>,
    pub reversed: bool,
}

/// A correction that waits.
#[derive(Debug, Clone)]
pub struct Waits {
    pub number: u64,
    pub at: i64,
    pub act: CorrectionAct,
    pub amount: i64,
}

pub struct MoneyBook {
    /// Everything that went to the credit and out of it, but for charges.
    pub credit: i64,
    pub received: i64,
    pub corrected: i64,
    pub floats: [i64; 2],
    pub commission: i64,
    pub debts: DebtBook,
    pub sold: Vec<Sold>,
    pub waiting: Vec<Waits>,
    /// Kinds that were opened again, with the day.
    reopened: Vec<DebtKind>,
}

/// The local day of a moment, from 1970-01-01.
pub fn day_of(at: i64) -> i32 {
    i32::try_from((at + 19_800).div_euclid(DAY)).expect("a day")
}

impl MoneyBook {
    pub fn new(at: i64) -> Self {
        Self {
            credit: 0,
            received: 0,
            corrected: 0,
            floats: [0; 2],
            commission: 0,
            debts: DebtBook::new(day_of(at)),
            sold: Vec::new(),
            waiting: Vec::new(),
            reopened: Vec::new(),
        }
    }

    /// Why a vend is refused, if it is.
    pub fn refuses(
        &self,
        rules: &PrepayRules,
        amount: i64,
        agent: Option<usize>,
    ) -> Option<Refusal> {
        let (smallest, multiple) = (rules.vend.smallest, rules.vend.multiple);
        if amount > rules.largest_vend.0 {
            let largest = rules.largest_vend;
            return Some(No::VendAboveLargest { largest }.into());
        }
        if amount < smallest.0 {
            return Some(No::VendBelowSmallest { smallest }.into());
        }
        if amount % multiple.0 != 0 {
            return Some(No::VendNoMultiple { multiple }.into());
        }
        let agent = agent?;
        let left = Micro(self.floats[agent] + AGENTS[agent].1);
        (amount > left.0).then(|| No::FloatUsedUp { left }.into())
    }

    /// Days through one are taken from the credit.
    pub fn collect(&mut self, rules: &PrepayRules, at: i64) {
        self.credit -= self.debts.collect(&rules.debt.order, day_of(at));
    }

    /// A vend is made; gives back what its debts take.
    pub fn sell(&mut self, rules: &PrepayRules, at: i64, sold: Sold) -> Vec<(DebtKind, i64)> {
        self.collect(rules, at);
        let split = (&rules.debt.order[..], rules.debt.most_of_payment);
        let (amount, receipt) = (sold.amount, sold.receipt);
        let takes = self.debts.pay(split, (amount, day_of(at), receipt));
        let to_debts: i64 = takes.iter().map(|(_, amount)| amount).sum();
        self.credit += amount - to_debts;
        self.move_sale(amount, sold.agent);
        let kept = takes.clone();
        self.sold.push(Sold { takes, ..sold });
        kept
    }

    fn move_sale(&mut self, amount: i64, agent: Option<usize>) {
        match agent {
            None => self.received += amount,
            Some(agent) => {
                let sign = amount.signum();
                let commission = sign * part(amount * sign, AGENTS[agent].2);
                self.floats[agent] += commission - amount;
                self.commission += commission;
            }
        }
    }

    /// Why a correction cannot be made now, if so, and the amount a second person is asked for.
    pub fn judges(&self, act: &CorrectionAct) -> Result<i64, Refusal> {
        match act {
            CorrectionAct::Credit { amount, .. } => Ok(amount.0.abs()),
            CorrectionAct::Reverse { receipt } => {
                let sold = self.sold.iter().find(|sold| sold.receipt == *receipt);
                let sold = sold.ok_or(No::NoSuchReceipt)?;
                if sold.reversed {
                    return Err(No::ReversedBefore.into());
                }
                Ok(sold.amount)
            }
            CorrectionAct::Debt(change) => {
                let owed = self.debts.remaining(change.kind());
                match change {
                    DebtChange::Open { .. } if owed > 0 => Err(No::DebtExists.into()),
                    DebtChange::Open { amount, .. } => Ok(amount.0),
                    _ if owed <= 0 => Err(No::NoSuchDebt.into()),
                    DebtChange::Change { kind, add, terms } => {
                        let same = terms.is_none() || *terms == self.debts.terms(*kind);
                        if add.0 == 0 && same {
                            return Err(No::NothingToDo.into());
                        }
                        Ok(add.0)
                    }
                    DebtChange::WriteOff { amount, .. } => match amount {
                        Some(amount) if amount.0 > owed => Err(No::MoreThanOwed.into()),
                        Some(amount) => Ok(amount.0),
                        None => Ok(owed),
                    },
                }
            }
        }
    }

    /// Whether the instalments of a receipt went to a debt that was paid back and opened again since: its cap began anew then.
    pub fn is_of_an_older_debt(&self, receipt: u64) -> bool {
        let sold = self.sold.iter().find(|sold| sold.receipt == receipt);
        let takes = sold.map_or(&[][..], |sold| &sold.takes[..]);
        takes.iter().any(|(kind, _)| self.reopened.contains(kind))
    }

    /// A correction is made; `proposed` is what a second person agreed to.
    pub fn correct(
        &mut self,
        rules: &PrepayRules,
        at: i64,
        act: &CorrectionAct,
        proposed: Option<i64>,
    ) {
        let day = day_of(at);
        match act {
            CorrectionAct::Credit { amount, .. } => {
                self.credit += amount.0;
                self.corrected += amount.0;
            }
            CorrectionAct::Reverse { receipt } => {
                self.collect(rules, at);
                let place = self.sold.iter().position(|sold| sold.receipt == *receipt);
                let place = place.expect("it was judged");
                self.sold[place].reversed = true;
                let sold = self.sold[place].clone();
                self.credit += self.debts.strike(*receipt, &sold.takes) - sold.amount;
                self.move_sale(-sold.amount, sold.agent);
            }
            CorrectionAct::Debt(change) => {
                self.collect(rules, at);
                match *change {
                    DebtChange::Open {
                        kind,
                        amount,
                        terms,
                    } => {
                        if self.debts.terms(kind).is_some() {
                            self.reopened.push(kind);
                        }
                        self.debts.open(kind, amount.0, terms, day);
                    }
                    DebtChange::Change { kind, add, terms } => {
                        self.debts.change(kind, add.0, terms)
                    }
                    DebtChange::WriteOff { kind, amount } => {
                        let owed = self.debts.remaining(kind);
                        let most = amount.map_or(proposed.unwrap_or(owed), |amount| amount.0);
                        self.debts.write_off(kind, most.min(owed));
                    }
                }
            }
        }
    }

    /// Why a float is not moved, if it is not.
    pub fn refuses_float(&self, agent: usize, amount: i64) -> Option<Refusal> {
        let left = Micro(self.floats[agent] + AGENTS[agent].1);
        (amount < 0 && left.0 + amount < 0).then(|| No::FloatUsedUp { left }.into())
    }

    pub fn move_float(&mut self, agent: usize, amount: i64) {
        self.floats[agent] += amount;
        self.received += amount;
    }

    /// Every ledger account but charges, as it has to stand; charges and what is provisional go out of the credit.
    pub fn ledger(&self, charged: i64, provisional: i64) -> BTreeMap<LedgerAccount, i64> {
        let mut all = BTreeMap::from([
            (LedgerAccount::Payments, -self.received),
            (LedgerAccount::Corrections, -self.corrected),
            (LedgerAccount::Commission, -self.commission),
            (
                LedgerAccount::Credit(POINT),
                self.credit - charged - provisional,
            ),
            (LedgerAccount::Provisional(POINT), provisional),
        ]);
        for (id, float) in (1..).zip(self.floats) {
            all.insert(LedgerAccount::Float(AgentId(id)), float);
        }
        for (at, kind) in DebtKind::ALL.into_iter().enumerate() {
            all.insert(
                LedgerAccount::Debt(POINT, kind),
                -self.debts.remaining(kind),
            );
            all.insert(LedgerAccount::Claims(kind), self.debts.claims[at]);
            all.insert(LedgerAccount::WrittenOff(kind), -self.debts.written_off[at]);
        }
        all
    }
}
