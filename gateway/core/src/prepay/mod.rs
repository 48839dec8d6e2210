//! Prepayment rules: what a site, or a class of accounts, grants and asks for.
//!
//! Each noun has a module here with its rules (configuration) and its pure reckoning. Not decided here: when a rule is looked at
//! ([`crate::decide`]) and which class an account belongs to ([`crate::Rules::prepay_of`]).

pub mod allowance;
pub mod friendly;
mod load_limit;
mod reconnect;

pub use friendly::Friendly;
mod refusal;
mod vend;

pub use load_limit::LoadLimit;
pub use reconnect::Reconnect;
pub use refusal::MoneyRefusal;
pub use vend::{VendParts, VendRules};

use crate::Micro;
use crate::correction::CorrectionRules;
use crate::debt::DebtRules;

/// Rules of a site or of a class of accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrepayRules {
    /// Credit at or below which "low credit" is raised.
    pub low_credit: Micro,
    /// Largest single vend: a slip of the keyboard must not become a fortune.
    pub largest_vend: Micro,
    /// Largest balance an account may hold.
    pub largest_balance: Micro,
    /// When nobody is off because credit is used up.
    pub friendly: Friendly,
    /// What a single vend may be besides that.
    pub vend: VendRules,
    /// How debts are paid back.
    pub debt: DebtRules,
    /// What needs a second person.
    pub correction: CorrectionRules,
    /// Largest power, and what follows beyond it.
    pub load_limit: LoadLimit,
    /// How supplies come back.
    pub reconnect: Reconnect,
}

impl Default for PrepayRules {
    /// 50.00 low credit, 25,000.00 largest vend (MePDCL's three-phase limit), 1,000,000.00 largest balance.
    fn default() -> Self {
        Self {
            low_credit: Micro(50_000_000),
            largest_vend: Micro(25_000_000_000),
            largest_balance: Micro(1_000_000_000_000),
            friendly: Friendly::default(),
            vend: VendRules::default(),
            debt: DebtRules::default(),
            correction: CorrectionRules::default(),
            load_limit: LoadLimit::default(),
            reconnect: Reconnect::default(),
        }
    }
}
