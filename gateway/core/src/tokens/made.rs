//! Tokens made here, for a site that runs its own vending.
//!
//! Decided here: which identifier a token gets, and that a key stands for one token. Not decided here: who may make one
//! ([`crate::person::Deed::MakeTokens`]), and who paid for it: a token moves no money before it is entered.
//!
//! Invariants: two tokens made here for a usage point never share an identifier; digits are nowhere but in the answer, and are worked out again from
//! the key and what is kept, so the same key gives the same token.

use super::{BaseDate, Commodity, DecoderKey, Issue, Message, PointTokens, Tid, TokenNumber};
use super::{VendingTime, amount_of};
use crate::UsagePointId;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Tokens made that are remembered at a usage point; one is printed again within the hour.
pub const MOST_MADE: usize = 50;
/// Identifiers tried for one that is free: more than are remembered as used.
const MOST_TRIES: u32 = 500;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeToken {
    /// Idempotency key, unique at the usage point: the same key and energy again is the same token.
    pub key: String,
    /// The usage point that is to take it.
    pub usage_point: UsagePointId,
    /// Energy in 100 Wh, more than zero; one between two codes takes the higher one.
    pub amount_100wh: u32,
    /// Random number of the vending system, 0 to 15.
    pub random: u8,
    /// Who.
    pub by: String,
}

/// A token that was made, without its digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The key it was asked with.
    pub key: String,
    /// Its identifier.
    pub tid: Tid,
    /// What identifiers were counted from.
    pub base_date: BaseDate,
    /// Its random number.
    pub random: u8,
    /// Its energy, coded.
    pub code: u16,
}

impl Made {
    /// Energy in 100 Wh.
    #[must_use]
    pub fn amount_100wh(&self) -> u32 {
        amount_of(self.code)
    }

    /// The digits, under a key.
    #[must_use]
    pub fn token(&self, key: &DecoderKey) -> Option<TokenNumber> {
        let issue = Issue {
            random: self.random,
            tid: self.tid,
            value: self.code,
        };
        let commodity = Commodity::Electricity;
        Message::Credit { commodity, issue }.seal(Some(key))
    }
}

impl PointTokens {
    /// The identifier of the next token made here: that of the moment, or the first free one after the last; `None` where identifiers end.
    #[must_use]
    pub fn next_tid(&self, at: VendingTime) -> Option<Tid> {
        let base = self.acceptance.terms().base_date;
        let made = self.made.iter().filter(|made| made.base_date == base);
        let last = made.map(|made| made.tid).max();
        let after = |tid| base.tid_at(VendingTime(base.issued_at(tid).0 + 60));
        let mut tid = base.tid_at(at)?;
        if let Some(last) = last.filter(|last| *last >= tid) {
            tid = after(last)?;
        }
        for _ in 0..MOST_TRIES {
            if self.acceptance.fresh(tid).is_ok() {
                return Some(tid);
            }
            tid = after(tid)?;
        }
        None
    }

    /// Remembers a token that was made.
    pub(crate) fn made(&mut self, made: &Made) {
        let gone = (self.made.len() + 1).saturating_sub(MOST_MADE);
        self.made.drain(..gone);
        self.made.push(made.clone());
    }
}
