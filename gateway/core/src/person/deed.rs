//! What each role may do: one table.
//!
//! | deed | what it covers |
//! |---|---|
//! | `see-site` | every usage point, alarms, cases, meters, journal, status, statements of all |
//! | `see-own` | a resident's own usage points |
//! | `recharge-own` | tokens, emergency credit, reconnecting and questions at one's own usage points |
//! | `vend` | recharging against money taken at the counter or by a program |
//! | `sell` | recharging as an agent, on the agent's own page |
//! | `enter-token` | transfer tokens at any usage point |
//! | `order-supply` | supplies on, off, automatic; emergency credit for a resident at the counter |
//! | `tend-alarms` | acknowledging alarms |
//! | `work-on-cases` | notes, visits and closing of cases |
//! | `work-on-meters` | meters and nodes: adding, replacing, testing, phases, shadow mode, labels with keys |
//! | `set-up-points` | usage points, tariffs, sanctioned loads |
//! | `decide-disputes` | energy in dispute, billing holds, residents' questions |
//! | `correct-accounts` | corrections, debts, agents' accounts |
//! | `make-tokens` | 20-digit tokens of the site's own supply group |
//! | `set-clock` | the gateway's clock, where no time server is reached |
//! | `set-resident-pins` | residents: adding them, their PINs |
//! | `see-people` | who there is and what their roles are |
//! | `manage-people` | everybody else |
//! | `manage-site` | the head-end, holds on money, other settings of the site |

use super::Role;
use crate::case::CaseCommand;
use crate::event::Command;
use crate::prepay::PrepayCommand;
use Role::{Agent, Auditor, Installer, Operator, Program, Resident, Supplier};
use serde::{Deserialize, Serialize};

/// A kind of thing that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// See every usage point and everything about the site.
    SeeSite,
    /// See one's own usage points.
    SeeOwn,
    /// Recharge one's own usage points.
    RechargeOwn,
    /// Recharge against money taken.
    Vend,
    /// Enter a transfer token anywhere.
    EnterToken,
    /// Order a supply.
    OrderSupply,
    /// Acknowledge alarms.
    TendAlarms,
    /// Advance cases of missing energy.
    WorkOnCases,
    /// Meters and nodes, and whether supplies are armed.
    WorkOnMeters,
    /// Usage points and tariffs.
    SetUpPoints,
    /// Decide about energy in dispute.
    DecideDisputes,
    /// Correct accounts, set debts, keep agents' accounts.
    CorrectAccounts,
    /// Make tokens of the site's own supply group.
    MakeTokens,
    /// Set the clock.
    SetClock,
    /// Add residents and set their PINs.
    SetResidentPins,
    /// See who there is.
    SeePeople,
    /// Add, change and remove people of every role.
    ManagePeople,
    /// The head-end and what concerns the whole site.
    ManageSite,
    /// Recharge as an agent, and see the agent's own account.
    Sell,
}

/// Who may do what.
const MAY: [(Deed, &[Role]); 19] = [
    (
        Deed::SeeSite,
        &[Supplier, Operator, Auditor, Installer, Program],
    ),
    (Deed::SeeOwn, &[Resident]),
    (Deed::RechargeOwn, &[Resident]),
    (Deed::Vend, &[Supplier, Operator, Program]),
    (Deed::EnterToken, &[Supplier, Operator, Program]),
    (Deed::OrderSupply, &[Supplier, Operator, Program]),
    (Deed::TendAlarms, &[Supplier, Operator, Installer]),
    (Deed::WorkOnCases, &[Supplier, Operator, Installer]),
    (Deed::WorkOnMeters, &[Supplier, Installer]),
    (Deed::SetUpPoints, &[Supplier, Installer]),
    (Deed::DecideDisputes, &[Supplier, Operator]),
    (Deed::CorrectAccounts, &[Supplier, Operator]),
    (Deed::MakeTokens, &[Supplier]),
    (Deed::SetClock, &[Supplier, Operator]),
    (Deed::SetResidentPins, &[Supplier, Operator]),
    (Deed::SeePeople, &[Supplier, Operator, Auditor]),
    (Deed::ManagePeople, &[Supplier]),
    (Deed::ManageSite, &[Supplier]),
    (Deed::Sell, &[Agent]),
];

/// Every deed.
pub const ALL_DEEDS: [Deed; 19] = {
    let mut deeds = [Deed::SeeSite; 19];
    let mut i = 0;
    while i < MAY.len() {
        deeds[i] = MAY[i].0;
        i += 1;
    }
    deeds
};

impl Role {
    /// Whether this role may do something. The only place that says so.
    #[must_use]
    pub fn may(self, deed: Deed) -> bool {
        MAY.iter()
            .any(|(of, roles)| *of == deed && roles.contains(&self))
    }
}

impl Deed {
    /// What a command asks for; `None` for what only the gateway itself or a signature may bring in.
    #[must_use]
    pub fn of(command: &Command) -> Option<Self> {
        Some(match command {
            Command::AdoptTariff { .. }
            | Command::AddUsagePoint { .. }
            | Command::SetSanctionedLoad { .. } => Self::SetUpPoints,
            Command::AddNode { .. } | Command::WorkOnMeter { .. } | Command::SetPoint { .. } => {
                Self::WorkOnMeters
            }
            Command::Vend { .. } | Command::QuoteVend { .. } => Self::Vend,
            Command::Correct(_) => Self::CorrectAccounts,
            Command::Agent(_) => Self::ManageSite,
            Command::EnterToken { .. } => Self::EnterToken,
            Command::MakeToken(_) => Self::MakeTokens,
            Command::OrderSupply { .. }
            | Command::Guard(_)
            | Command::Prepay(
                PrepayCommand::ActivateEmergency { .. } | PrepayCommand::WithdrawEmergency { .. },
            ) => Self::OrderSupply,
            Command::AcknowledgeAlarm { .. } => Self::TendAlarms,
            Command::ResolveDispute { .. } | Command::Prepay(PrepayCommand::ClearHold { .. }) => {
                Self::DecideDisputes
            }
            Command::ReleaseMoney { .. } => Self::ManageSite,
            Command::SetClock(_) | Command::QuoteClock(_) => Self::SetClock,
            Command::Case(CaseCommand::Report { .. } | CaseCommand::Found { .. }) => return None,
            Command::Case(CaseCommand::Try { .. } | CaseCommand::TakeBack { .. }) => {
                Self::OrderSupply
            }
            Command::Case(CaseCommand::Assess { .. }) => Self::CorrectAccounts,
            Command::Case(_) => Self::WorkOnCases,
            Command::Question(_) => Self::DecideDisputes,
            Command::Person(_) => Self::ManagePeople,
            Command::ChangeUsagePoint(_) => Self::SetUpPoints,
            Command::UndoSettings { .. } => Self::ManageSite,
            Command::Report { .. }
            | Command::ReportEnd { .. }
            | Command::HoldMoney { .. }
            | Command::TakeOrder { .. }
            | Command::EnrolCloud { .. } => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::ALL_ROLES;

    #[track_caller]
    fn check(role: Role, deeds: &[Deed]) {
        for deed in ALL_DEEDS {
            assert_eq!(role.may(deed), deeds.contains(&deed), "{role}: {deed:?}");
        }
    }

    #[test]
    fn each_role_has_its_deeds_and_no_others() {
        check(Agent, &[Deed::Sell]);
        check(Auditor, &[Deed::SeeSite, Deed::SeePeople]);
        check(Resident, &[Deed::SeeOwn, Deed::RechargeOwn]);
        let installer = [
            Deed::SeeSite,
            Deed::TendAlarms,
            Deed::WorkOnCases,
            Deed::WorkOnMeters,
            Deed::SetUpPoints,
        ];
        check(Installer, &installer);
        let program = [
            Deed::SeeSite,
            Deed::Vend,
            Deed::EnterToken,
            Deed::OrderSupply,
        ];
        check(Program, &program);
        for deed in ALL_DEEDS {
            let is_personal = [Deed::SeeOwn, Deed::RechargeOwn, Deed::Sell].contains(&deed);
            assert_eq!(Supplier.may(deed), !is_personal, "{deed:?}");
            assert!(ALL_ROLES.iter().any(|role| role.may(deed)), "{deed:?}");
        }
        for deed in [Deed::ManagePeople, Deed::ManageSite, Deed::MakeTokens] {
            assert!(!Operator.may(deed), "{deed:?}");
        }
    }
}
