//! What must be true after a step of a walk.

use super::steps::Policy;
use super::{Outcome, Walk};
use crate::site::*;
use gateway_core::debt::DebtKind;
use gateway_core::ledger::LedgerAccount;
use gateway_core::supply::Reason;
use gateway_core::{Record, State};
use proptest::prelude::*;

impl Walk {
    /// What must be true after every step.
    pub fn agrees(&self) -> Outcome {
        let (ledger, point) = (&self.site.state.ledger, self.site.point());
        let of = |account| ledger.get(&account).copied().unwrap_or_default().0;
        let revenue = |account: &LedgerAccount| matches!(account, LedgerAccount::Revenue(_));
        let charged = ledger.iter().filter(|(account, _)| revenue(account));
        let charged: i64 = charged.map(|(_, amount)| amount.0).sum();
        let provisional = of(LedgerAccount::Provisional(POINT));
        prop_assert!(provisional >= 0);
        let expected = self.money.ledger(charged, provisional);
        for (account, amount) in &expected {
            prop_assert_eq!(of(*account), *amount, "{}", account);
        }
        let others = ledger.keys().filter(|account| !revenue(account));
        for account in others {
            prop_assert!(expected.contains_key(account), "{}", account);
        }
        for kind in DebtKind::ALL {
            let owed = point.debts.of(kind).map_or(0, |debt| debt.remaining.0);
            prop_assert_eq!(owed, self.money.debts.remaining(kind), "{}", kind);
        }
        let held = self.energy.held.unwrap_or_default();
        let left = self.money.credit - self.energy.cost(held) - provisional;
        prop_assert_eq!(self.site.available().0, left, "the credit");
        let numbers: Vec<_> = point.proposals.iter().map(|waits| waits.number).collect();
        let waiting: Vec<_> = self
            .money
            .waiting
            .iter()
            .map(|waits| waits.number)
            .collect();
        prop_assert_eq!(numbers, waiting, "proposals");
        Ok(())
    }

    /// The supply is off for credit just when nothing more can be paid, nothing is lent, and the hour is not friendly.
    pub fn supply(&self, policy: &Policy) -> Outcome {
        let (now, point) = (self.site.now, self.site.point());
        let local = now + 19_800;
        let (day, minute) = (local.div_euclid(DAY), local.rem_euclid(DAY) / 60);
        let weekday = (day + 3).rem_euclid(7); // Monday: 0
        let sunday = |weekday: i64| weekday == 6;
        let evening = minute >= 16 * 60 && !sunday(weekday);
        let morning = minute < 11 * 60 && !sunday((weekday + 6) % 7);
        let holiday = day == 20_766; // 2026-11-09
        let begun = point.account.settled_to.0 > 0 || self.raw > 0;
        let friendly = policy.friendly && begun && (evening || morning || weekday == 2 || holiday);
        let emergency = point.prepay.emergency;
        let lent_days = emergency.is_active() && emergency.until.is_some_and(|until| now < until.0);
        let more = self.energy.held.unwrap_or_default() + 1;
        let used_up = self.money.credit - self.energy.cost(more) < -emergency.lent().0;
        let is_off = point.supply.reasons.has(Reason::CreditExhausted);
        prop_assert_eq!(is_off, used_up && !friendly && !lent_days, "the supply");
        Ok(())
    }

    /// By search on the reference: at the lease the account can pay, a watt-hour further it cannot.
    pub fn lease(&self) -> Outcome {
        let (point, state) = (self.site.point(), &self.site.state);
        let tariff = state.tariff_of(point).expect("as written");
        let lease = point.affordable(tariff).0;
        let lent = point.prepay.emergency.lent().0;
        match self.energy.lease(self.money.credit, lent) {
            Some(expected) => prop_assert_eq!(lease, expected, "the lease"),
            None => prop_assert!(lease <= self.energy.charged()),
        }
        Ok(())
    }

    /// The state is the fold of the journal, and every record reads back as written.
    pub fn replays(&self) -> Outcome {
        let mut folded = State::default();
        for record in &self.site.journal {
            let text = serde_json::to_string(record).expect("JSON");
            let read: Record = serde_json::from_str(&text).expect("a record");
            prop_assert_eq!(&read, record);
            folded.apply(&read);
        }
        folded.readings = self.site.state.readings.clone();
        folded.observed_at = self.site.state.observed_at;
        prop_assert_eq!(&folded, &self.site.state);
        Ok(())
    }
}
