//! Corrections in a walk: made, proposed, approved and refused.

use super::{ALONE, EXPIRES_S, Outcome, Walk};
use crate::money_book::Waits;
use gateway_core::correction::{CorrectionAct, CorrectionCommand};
use gateway_core::event::{Answer, Command};
use gateway_core::prepay::MoneyRefusal as No;
use gateway_core::*;
use proptest::prelude::*;

impl Walk {
    /// The lease is the largest register also where the credit ends exactly at one.
    pub fn even(&mut self, wh: u64) -> Outcome {
        let more = self.energy.held.unwrap_or_default() + wh;
        let lent = self.site.point().prepay.emergency.lent();
        let amount = Micro(self.energy.cost(more) - self.money.credit - lent.0);
        if amount.0 == 0 || amount.0.abs() > ALONE {
            self.reviewed = false;
            return Ok(());
        }
        let receipt = None;
        self.correct(&CorrectionAct::Credit { amount, receipt })?;
        self.lease()
    }

    pub fn correct(&mut self, act: &CorrectionAct) -> Outcome {
        let made = self.site.correct(act.clone(), "asha");
        match self.money.judges(act) {
            Err(refusal) => {
                prop_assert_eq!(made, Err(refusal));
                self.reviewed = false;
            }
            Ok(amount) if amount > ALONE => {
                let Ok(Answer::Proposed { proposal }) = made else {
                    return Err(TestCaseError::fail(format!("not proposed: {made:?}")));
                };
                self.money.waiting.push(Waits {
                    number: proposal,
                    at: self.site.now,
                    act: act.clone(),
                    amount,
                });
                self.reviewed = false;
            }
            Ok(_) => {
                prop_assert!(matches!(made, Ok(Answer::Corrected { .. })), "{:?}", made);
                let (rules, at) = (self.rules(), self.site.now);
                self.money.correct(&rules, at, act, None);
            }
        }
        Ok(())
    }

    pub fn approve(&mut self, nth: usize, by: usize) -> Outcome {
        let by = *["asha at 10.0.0.7", "ravi"].get(by).unwrap_or(&"mala");
        let waiting = &self.money.waiting;
        let waits = waiting.get(nth % waiting.len().max(1)).cloned();
        let proposal = waits.as_ref().map_or(u64::MAX, |waits| waits.number);
        if let Some(CorrectionAct::Reverse { receipt }) = waits.as_ref().map(|waits| &waits.act)
            && self.money.is_of_an_older_debt(*receipt)
        {
            self.reviewed = false;
            return Ok(());
        }
        let approved = self
            .site
            .command(Command::Correct(CorrectionCommand::Approve {
                proposal,
                by: by.into(),
            }));
        let now = self.site.now;
        let refusal = match &waits {
            _ if by == "ravi" => Some(No::NotForAgents.into()),
            None => Some(No::NoSuchProposal.into()),
            Some(_) if by.starts_with("asha") => Some(No::SamePerson.into()),
            Some(waits) if now > waits.at + EXPIRES_S => Some(No::NoSuchProposal.into()),
            Some(waits) => self.money.judges(&waits.act).err(),
        };
        if let Some(refusal) = refusal {
            prop_assert_eq!(approved, Err(refusal));
            self.reviewed = false;
            return Ok(());
        }
        prop_assert!(
            matches!(approved, Ok(Answer::Corrected { .. })),
            "{:?}",
            approved
        );
        let waits = waits.expect("not refused");
        let rules = self.rules();
        self.money
            .correct(&rules, now, &waits.act, Some(waits.amount));
        self.money
            .waiting
            .retain(|other| other.number != waits.number);
        Ok(())
    }

    pub fn refuse(&mut self, nth: usize) -> Outcome {
        self.reviewed = false;
        let waiting = &self.money.waiting;
        let Some(waits) = waiting.get(nth % waiting.len().max(1)).cloned() else {
            return Ok(());
        };
        let refused = self
            .site
            .command(Command::Correct(CorrectionCommand::Refuse {
                proposal: waits.number,
                reason: "no proof".into(),
                by: "mala".into(),
            }));
        prop_assert_eq!(refused, Ok(Answer::Done));
        self.money
            .waiting
            .retain(|other| other.number != waits.number);
        Ok(())
    }
}
