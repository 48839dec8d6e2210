//! Vending agents: set up, assigned to people, their floats moved.

use super::corrections::reasoned;
use super::{Draft, usable};
use crate::Micro;
use crate::agent::{
    Agent, AgentCommand, AgentDecision, AgentId, KeyedMove, MOST_AGENTS, MOST_PEOPLE, agent_named,
    agent_of,
};
use crate::alarm::{AlarmKind, Subject};
use crate::debt::WHOLE;
use crate::decision::Decision;
use crate::event::Answer;
use crate::ledger::LedgerAccount;
use crate::person::Who;
use crate::prepay::MoneyRefusal;
use crate::refusal::Refusal;
use alloc::format;
use alloc::vec::Vec;

pub(super) fn ask(draft: &mut Draft<'_>, command: &AgentCommand) -> Result<Answer, Refusal> {
    let by = command.by();
    usable(by)?;
    let agents = &draft.state.agents;
    if agent_of(agents, &Who::of(by)).is_some() {
        return Err(MoneyRefusal::NotForAgents.into());
    }
    match command {
        AgentCommand::Add {
            name,
            overdraft,
            commission_hundredths,
            by,
        } => {
            usable(name)?;
            let known = agents.values().any(|agent| agent.name == *name);
            if known || agents.len() >= MOST_AGENTS || name.parse::<u16>().is_ok() {
                return Err(MoneyRefusal::AgentExists.into());
            }
            let last = agents.keys().next_back().map_or(0, |last| last.0);
            let agent = Agent {
                id: AgentId(last.saturating_add(1)),
                name: name.clone(),
                overdraft: *overdraft,
                commission_hundredths: *commission_hundredths,
                closed: false,
                people: Vec::new(),
                moves: Vec::new(),
            };
            set(draft, agent, by)
        }
        AgentCommand::Change {
            agent,
            overdraft,
            commission_hundredths,
            closed,
            by,
        } => {
            let known = named(draft, agent)?;
            let changed = Agent {
                overdraft: overdraft.unwrap_or(known.overdraft),
                commission_hundredths: commission_hundredths.unwrap_or(known.commission_hundredths),
                closed: closed.unwrap_or(known.closed),
                ..known
            };
            set(draft, changed, by)
        }
        AgentCommand::Assign {
            agent,
            person,
            assigned,
            by,
        } => assign(draft, agent, (person, *assigned), by),
        AgentCommand::MoveFloat {
            key,
            agent,
            amount,
            reason,
            by,
        } => {
            let known = named(draft, agent)?;
            once(draft, &known, (key.as_deref(), *amount), (reason, by))
        }
    }
}

fn named(draft: &Draft<'_>, name: &str) -> Result<Agent, Refusal> {
    let agent = agent_named(&draft.state.agents, name);
    Ok(agent.cloned().ok_or(MoneyRefusal::NoSuchAgent)?)
}

fn assign(
    draft: &mut Draft<'_>,
    agent: &str,
    (person, assigned): (&str, bool),
    by: &str,
) -> Result<Answer, Refusal> {
    usable(person)?;
    let mut known = named(draft, agent)?;
    let person = Who::of(person);
    let other = agent_of(&draft.state.agents, &person);
    if assigned {
        if other.is_some_and(|other| other.id != known.id) || known.people.len() >= MOST_PEOPLE {
            return Err(MoneyRefusal::PersonIsAgents.into());
        }
        if !known.people.contains(&person) {
            known.people.push(person);
        }
    } else {
        known.people.retain(|other| *other != person);
    }
    set(draft, known, by)
}

fn set(draft: &mut Draft<'_>, agent: Agent, by: &str) -> Result<Answer, Refusal> {
    if agent.commission_hundredths > WHOLE {
        return Err(MoneyRefusal::PercentTooLarge.into());
    }
    if agent.overdraft < Micro::ZERO || agent.overdraft > draft.rules.prepay.largest_balance {
        return Err(Refusal::AmountNotPositive);
    }
    let id = agent.id;
    if draft.state.agents.get(&id) != Some(&agent) {
        let by = by.into();
        let moves = Vec::new();
        let set = Agent { moves, ..agent };
        draft.push(Decision::Agent(AgentDecision::Set { set, by }));
    }
    let float = float_of(draft, id);
    Ok(Answer::Agent { agent: id, float })
}

/// Moves a float, once for each key.
fn once(
    draft: &mut Draft<'_>,
    agent: &Agent,
    (key, amount): (Option<&str>, Micro),
    (reason, by): (&str, &str),
) -> Result<Answer, Refusal> {
    if let Some(key) = key {
        usable(key)?;
        if let Some(made) = agent.moves.iter().find(|made| made.key == key) {
            return again(draft, agent, made, amount);
        }
    }
    draft.state.cloud.takes_money()?;
    reasoned(reason)?;
    move_float(draft, agent, (key, amount), (reason, by))
}

/// What a key stands for, asked for once more.
fn again(
    draft: &mut Draft<'_>,
    agent: &Agent,
    made: &KeyedMove,
    amount: Micro,
) -> Result<Answer, Refusal> {
    if made.amount != amount {
        let details = format!(
            "key {} stands for {} to the float of agent {}; asked again for {amount}",
            made.key, made.amount, agent.id
        );
        draft.raise(AlarmKind::VendConflict, Subject::Site, details);
        return Err(MoneyRefusal::KeyUsedForOther.into());
    }
    Ok(Answer::Agent {
        agent: agent.id,
        float: made.float,
    })
}

fn move_float(
    draft: &mut Draft<'_>,
    agent: &Agent,
    (key, amount): (Option<&str>, Micro),
    (reason, by): (&str, &str),
) -> Result<Answer, Refusal> {
    if amount == Micro::ZERO {
        return Err(MoneyRefusal::NothingToDo.into());
    }
    let before = float_of(draft, agent.id);
    let after = before.checked_add(amount);
    let largest = draft.rules.prepay.largest_balance;
    let float = after
        .filter(|after| *after <= largest)
        .ok_or(Refusal::BalanceTooLarge)?;
    if amount < Micro::ZERO && float < -agent.overdraft {
        let left = before + agent.overdraft;
        return Err(MoneyRefusal::FloatUsedUp { left }.into());
    }
    draft.push(Decision::Agent(AgentDecision::FloatMoved {
        id: agent.id,
        amount,
        reason: reason.into(),
        by: by.into(),
        keyed: key.map(|key| KeyedMove {
            key: key.into(),
            amount,
            float,
        }),
    }));
    Ok(Answer::Agent {
        agent: agent.id,
        float,
    })
}

/// What an agent's float holds.
pub(super) fn float_of(draft: &Draft<'_>, agent: AgentId) -> Micro {
    let float = LedgerAccount::Float(agent);
    draft.state.ledger.get(&float).copied().unwrap_or_default()
}
