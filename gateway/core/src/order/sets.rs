//! What an order sets: a later order, by sequence, that has set the same makes an earlier one void.
//!
//! Written in words: the first says what, the others of whom or which parts: `label UP-0007`, `config log.level site.name`. Two orders
//! set the same if the first word is the same and they share another one. An order is obeyed as a whole or not at all: settings were
//! looked at together, and half of them is something that nobody has asked for.
//!
//! Not here: what adds up (a vend, a correction, a float moved), and what is an act of a moment (a meter replaced, a latch reset).

use super::Act;
use crate::Command;
use crate::agent::{AgentCommand, Agents, agent_named};
use crate::correction::{CorrectionAct, CorrectionCommand};
use crate::debt::DebtChange;
use crate::guard::GuardCommand;
use crate::meter_link::MeterOrder;
use crate::prepay::PrepayCommand;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

/// Of every usage point: the same as that of each.
const ALL: &str = "all";

/// Whether two orders set the same, wholly or in part.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split(' '), other.split(' '));
    if one.next() != other.next() {
        return false;
    }
    let (one, other): (Vec<_>, Vec<_>) = (one.collect(), other.collect());
    let of_all = one.contains(&ALL) || other.contains(&ALL);
    of_all || one.iter().any(|word| other.contains(word))
}

impl Act {
    /// What it sets: `label UP-0007`. Nothing for what adds up and for an act of a moment. An agent is known by name and by number.
    #[must_use]
    pub fn sets(&self, agents: &Agents) -> Option<String> {
        let (what, of) = match self {
            Self::Configure { changes, .. } => {
                let keys: Vec<_> = changes.keys().map(String::as_str).collect();
                return Some(format!("config {}", keys.join(" ")));
            }
            Self::Command(command) => match command.as_ref() {
                Command::SetSanctionedLoad { usage_point, .. } => ("load", Some(*usage_point)),
                Command::ChangeUsagePoint(change) => (change.what.name(), Some(change.usage_point)),
                Command::AdoptTariff { tariff } => return Some(format!("adopted {}", tariff.id)),
                Command::SetPoint {
                    usage_point,
                    setting,
                    ..
                } => (setting.name(), *usage_point),
                Command::Guard(GuardCommand::LimitLoad { usage_point, .. }) => {
                    ("load-limit", Some(*usage_point))
                }
                Command::Prepay(
                    PrepayCommand::ActivateEmergency { usage_point, .. }
                    | PrepayCommand::WithdrawEmergency { usage_point, .. },
                ) => ("emergency", Some(*usage_point)),
                Command::WorkOnMeter { work, .. } => match work.as_ref() {
                    MeterOrder::Move { node, .. } => return Some(format!("link {node}")),
                    _ => return None,
                },
                Command::Agent(asked) => return of_agent(asked, agents),
                Command::Correct(asked) => return terms(asked),
                _ => return None,
            },
            _ => return None,
        };
        let of = of.map_or_else(|| ALL.into(), |usage_point| usage_point.to_string());
        Some(format!("{what} {of}"))
    }
}

/// An agent's terms one by one, and whose person somebody is.
fn of_agent(asked: &AgentCommand, agents: &Agents) -> Option<String> {
    match asked {
        AgentCommand::Change {
            agent,
            overdraft,
            commission_hundredths,
            closed,
            ..
        } => {
            let id = agent_named(agents, agent)?.id;
            let parts = [
                (overdraft.is_some(), "overdraft"),
                (commission_hundredths.is_some(), "commission"),
                (closed.is_some(), "closed"),
            ];
            let given: Vec<_> = parts.iter().filter(|(is_given, _)| *is_given).collect();
            let given: Vec<_> = given.iter().map(|(_, name)| *name).collect();
            Some(format!("agent-{id} {}", given.join(" ")))
        }
        AgentCommand::Assign { person, .. } => {
            Some(format!("agent-of {}", person.replace(' ', "_")))
        }
        AgentCommand::Add { .. } | AgentCommand::MoveFloat { .. } => None,
    }
}

/// How a debt is paid back, if nothing is added to it.
fn terms(asked: &CorrectionCommand) -> Option<String> {
    match asked {
        CorrectionCommand::Make {
            usage_point,
            what:
                CorrectionAct::Debt(DebtChange::Change {
                    kind,
                    add,
                    terms: Some(_),
                }),
            ..
        } if add.0 == 0 => Some(format!("terms-{kind} {usage_point}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_the_same() {
        for (one, other, same) in [
            ("label UP-0007", "label UP-0007", true),
            ("label UP-0007", "label UP-0008", false),
            ("label UP-0007", "load UP-0007", false),
            ("arming all", "arming UP-0007", true),
            ("arming UP-0007", "arming all", true),
            ("config log.level site.name", "config site.name", true),
            ("config site.name", "config cycle.batch log.level", false),
            ("config ", "config site.name", false),
            ("agent-1 overdraft", "agent-1 closed overdraft", true),
            ("agent-1 overdraft", "agent-2 overdraft", false),
        ] {
            assert_eq!(is_same(one, other), same, "{one}, {other}");
        }
    }
}
