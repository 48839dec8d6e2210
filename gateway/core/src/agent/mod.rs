//! Vending agents: people who sell credit out of a float they have paid for.
//!
//! An agent's float is a ledger account. The supplier tops it up, each vend of the agent draws it down, a reversed vend gives it back; a commission is
//! added to the float with the vend that earns it. A vend is the agent's if the person who makes it is assigned to the agent.
//!
//! Decided here: what an agent is, and whose vend a vend is. Not decided here: who may log in.
//!
//! Terms: the *float* is what the agent may still sell; its *overdraft* is how far it may fall below zero.
//!
//! Invariants: a person is assigned to one agent at most; a vend never takes the float below its overdraft.

use crate::Micro;
use crate::person::Who;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Agents of a site: a neighbourhood has a few shops.
pub const MOST_AGENTS: usize = 100;
/// People of an agent.
pub const MOST_PEOPLE: usize = 20;
/// Keys of float movements remembered for an agent: one is tried again within minutes, and a float is topped up once a day.
pub const MOST_MOVES: usize = 50;

/// An agent's number, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentId(pub u16);

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A vending agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its number.
    pub id: AgentId,
    /// Its name, unique at the site.
    pub name: String,
    /// How far the float may fall below zero.
    #[serde(default)]
    pub overdraft: Micro,
    /// Commission on each vend, in hundredths of a percent.
    #[serde(default)]
    pub commission_hundredths: u16,
    /// Whether it vends no more.
    #[serde(default)]
    pub closed: bool,
    /// Whose vends are its vends.
    #[serde(default)]
    pub people: Vec<Who>,
    /// Movements of the float that had a key, the last ones. In [`AgentDecision::Set`] left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<KeyedMove>,
}

/// A movement of a float that was asked for with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyedMove {
    /// The key.
    pub key: String,
    /// How much.
    pub amount: Micro,
    /// What the float held after it.
    pub float: Micro,
}

/// Agents by number.
pub type Agents = BTreeMap<AgentId, Agent>;

/// The agent of a person, if they are one's.
#[must_use]
pub fn agent_of<'a>(agents: &'a Agents, person: &Who) -> Option<&'a Agent> {
    agents.values().find(|agent| agent.people.contains(person))
}

/// The agent of a name or number.
#[must_use]
pub fn agent_named<'a>(agents: &'a Agents, name: &str) -> Option<&'a Agent> {
    let number = name.parse().ok().map(AgentId);
    let named = agents.values().find(|agent| agent.name == name);
    named.or_else(|| agents.get(&number?))
}

/// What is decided about agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "agent", rename_all = "kebab-case")]
pub enum AgentDecision {
    /// An agent exists from now on, or is another way from now on.
    Set {
        /// It.
        set: Agent,
        /// Who.
        by: String,
    },
    /// The supplier topped the float up, or took from it.
    FloatMoved {
        /// The agent.
        id: AgentId,
        /// How much; negative: taken.
        amount: Micro,
        /// Why, or the paper it was paid with.
        reason: String,
        /// Who.
        by: String,
        /// The key it was asked with, and what the float held after it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keyed: Option<KeyedMove>,
    },
}

/// Makes a decision about agents true.
pub(crate) fn apply(agents: &mut Agents, what: &AgentDecision) {
    match what {
        AgentDecision::Set { set, .. } => {
            let known = agents.remove(&set.id);
            let moves = known.map(|agent| agent.moves).unwrap_or_default();
            let set = set.clone();
            agents.insert(set.id, Agent { moves, ..set });
        }
        AgentDecision::FloatMoved { id, keyed, .. } => {
            if let (Some(agent), Some(keyed)) = (agents.get_mut(id), keyed) {
                let gone = (agent.moves.len() + 1).saturating_sub(MOST_MOVES);
                agent.moves.drain(..gone);
                agent.moves.push(keyed.clone());
            }
        }
    }
}

impl AgentDecision {
    /// The agent.
    #[must_use]
    pub fn id(&self) -> AgentId {
        match self {
            Self::Set { set, .. } => set.id,
            Self::FloatMoved { id, .. } => *id,
        }
    }
}

/// What people ask for about agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum AgentCommand {
    /// A new agent.
    Add {
        /// Its name.
        name: String,
        /// How far the float may fall below zero.
        #[serde(default)]
        overdraft: Micro,
        /// Commission on each vend, in hundredths of a percent.
        #[serde(default)]
        commission_hundredths: u16,
        /// Who adds it.
        by: String,
    },
    /// Another overdraft, commission, or whether it vends.
    Change {
        /// Its name or number.
        agent: String,
        /// How far the float may fall below zero.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        overdraft: Option<Micro>,
        /// Commission on each vend, in hundredths of a percent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commission_hundredths: Option<u16>,
        /// Whether it vends no more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closed: Option<bool>,
        /// Who changes it.
        by: String,
    },
    /// A person's vends are the agent's from now on, or no more.
    Assign {
        /// The agent's name or number.
        agent: String,
        /// The person's name, as they log in.
        person: String,
        /// False: no more.
        assigned: bool,
        /// Who assigns.
        by: String,
    },
    /// Top the float up, or take from it.
    MoveFloat {
        /// Idempotency key, unique for the agent: the same key and amount again is the same movement.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The agent's name or number.
        agent: String,
        /// How much; negative: take.
        amount: Micro,
        /// Why, or the paper it was paid with.
        reason: String,
        /// Who moves it.
        by: String,
    },
}

impl AgentCommand {
    /// The same in the name of somebody.
    #[must_use]
    pub fn in_the_name_of(mut self, who: &str) -> Self {
        match &mut self {
            Self::Add { by, .. }
            | Self::Change { by, .. }
            | Self::Assign { by, .. }
            | Self::MoveFloat { by, .. } => *by = who.into(),
        }
        self
    }

    /// Who asks.
    #[must_use]
    pub fn by(&self) -> &str {
        match self {
            Self::Add { by, .. }
            | Self::Change { by, .. }
            | Self::Assign { by, .. }
            | Self::MoveFloat { by, .. } => by,
        }
    }
}
