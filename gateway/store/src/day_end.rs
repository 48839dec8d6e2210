//! An agent's day: what it vended, what was taken back, how its float moved, and the cash it should hold.
//!
//! Decided here: which records are an agent's, and the sums. Any record that posts to or from the agent's float is a line, so a kind that is
//! not known here is there too. Not decided here: what a day is, and how the report looks.
//!
//! Terms: *cash* is what residents paid the agent, less what it paid back for vends taken back in the same span, whenever they were made.
//!
//! Invariant: the float at the beginning and the lines add up to the float at the end, and both follow from the postings.

use crate::error::Result;
use crate::read::Reader;
use crate::rows::{self, Table};
use gateway_core::agent::{Agent, AgentDecision, AgentId};
use gateway_core::correction::CorrectionDecision;
use gateway_core::ledger::LedgerAccount;
use gateway_core::{Decision, Micro, Record, UsagePointId, UtcSeconds};
use rusqlite::params;
use serde::{Deserialize, Serialize};

/// Most lines of a report: a vend every nine seconds of a day.
pub const MOST_LINES: usize = 10_000;

/// An agent with what its float holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentView {
    /// The agent.
    pub agent: Agent,
    /// Its float.
    pub float_micro: Micro,
}

/// A record that moved an agent's float.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayLine {
    /// Its number; of a vend, the receipt number.
    pub number: u64,
    /// When.
    pub at: UtcSeconds,
    /// `vend`, `reversal`, `float`, or a decision's name.
    pub kind: String,
    /// The usage point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_point: Option<UsagePointId>,
    /// Of a reversal, the receipt it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<u64>,
    /// Cash the agent took, below zero: gave back.
    pub cash_micro: Micro,
    /// Commission that went to the float.
    pub commission_micro: Micro,
    /// Change of the float, commission included.
    pub float_micro: Micro,
    /// The float after it.
    pub after_micro: Micro,
    /// Who.
    pub by: String,
    /// Why, if it says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
}

/// What an agent did in a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayEnd {
    /// The agent.
    pub agent: Agent,
    /// First moment.
    pub from: UtcSeconds,
    /// First moment after it.
    pub to: UtcSeconds,
    /// The float before.
    pub opening_micro: Micro,
    /// What moved it, oldest first.
    pub lines: Vec<DayLine>,
    /// The float after.
    pub closing_micro: Micro,
    /// Vends, and what they were together.
    pub vends: (u64, Micro),
    /// Vends taken back, and what they were together.
    pub reversals: (u64, Micro),
    /// What the supplier moved to the float, less what it took.
    pub moved_micro: Micro,
    /// Commission, less what was taken back.
    pub commission_micro: Micro,
    /// Cash the agent should hold of this span: vends less reversals.
    pub cash_micro: Micro,
    /// Whether opening and lines come to what the postings say at the end.
    pub re_adds: bool,
    /// Whether there are more than [`MOST_LINES`]; the report is of no use then.
    pub too_long: bool,
}

fn line(record: &Record, agent: AgentId) -> DayLine {
    let float = LedgerAccount::Float(agent);
    let (mut moved, mut commission) = (Micro::ZERO, Micro::ZERO);
    for posting in record.decision.postings() {
        let (amount, other) = if posting.to == float {
            (posting.amount, posting.from)
        } else if posting.from == float {
            (-posting.amount, posting.to)
        } else {
            continue;
        };
        moved += amount;
        if other == LedgerAccount::Commission {
            commission += amount;
        }
    }
    let mut line = DayLine {
        number: record.number,
        at: record.at,
        kind: "other".into(),
        usage_point: record.decision.usage_point(),
        receipt: None,
        cash_micro: Micro::ZERO,
        commission_micro: commission,
        float_micro: moved,
        after_micro: Micro::ZERO,
        by: String::new(),
        words: String::new(),
    };
    match &record.decision {
        Decision::Vended { amount, by, .. } => {
            line.kind = "vend".into();
            line.cash_micro = *amount;
            line.by.clone_from(by);
        }
        Decision::Correction { what, .. } => {
            if let CorrectionDecision::Reversed {
                receipt,
                amount,
                reason,
                by,
                ..
            } = what.as_ref()
            {
                line.kind = "reversal".into();
                (line.receipt, line.cash_micro) = (Some(*receipt), -*amount);
                line.by.clone_from(by);
                line.words.clone_from(reason);
            }
        }
        Decision::Agent(AgentDecision::FloatMoved { reason, by, .. }) => {
            line.kind = "float".into();
            line.by.clone_from(by);
            line.words.clone_from(reason);
        }
        _ => {}
    }
    line
}

impl DayEnd {
    /// The report of a span in which nothing has happened yet.
    #[must_use]
    pub fn begin(agent: Agent, (from, to): (UtcSeconds, UtcSeconds), opening_micro: Micro) -> Self {
        Self {
            agent,
            from,
            to,
            opening_micro,
            lines: Vec::new(),
            closing_micro: opening_micro,
            vends: (0, Micro::ZERO),
            reversals: (0, Micro::ZERO),
            moved_micro: Micro::ZERO,
            commission_micro: Micro::ZERO,
            cash_micro: Micro::ZERO,
            re_adds: false,
            too_long: false,
        }
    }

    /// Takes a record that moved the agent's float; they come in the order of their numbers.
    pub fn take(&mut self, record: &Record) {
        self.add(line(record, self.agent.id));
    }

    fn add(&mut self, mut line: DayLine) {
        self.closing_micro += line.float_micro;
        line.after_micro = self.closing_micro;
        self.commission_micro += line.commission_micro;
        self.cash_micro += line.cash_micro;
        match line.kind.as_str() {
            "vend" => self.vends = (self.vends.0 + 1, self.vends.1 + line.cash_micro),
            "reversal" => {
                self.reversals = (self.reversals.0 + 1, self.reversals.1 - line.cash_micro);
            }
            _ => self.moved_micro += line.float_micro,
        }
        if self.lines.len() < MOST_LINES {
            self.lines.push(line);
        } else {
            self.too_long = true;
        }
    }
}

impl Reader {
    /// Every agent with its float, by number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn agents(&self) -> Result<Vec<AgentView>> {
        self.together(|reader| {
            let agents: Vec<Agent> = rows::entities(&reader.conn, Table::Agent)?;
            let sql = "SELECT coalesce(sum(balance), 0) FROM ledger WHERE account = ?1";
            let mut query = reader.conn.prepare_cached(sql)?;
            let mut views = Vec::new();
            for agent in agents {
                let account = LedgerAccount::Float(agent.id).to_string();
                let float_micro = Micro(query.query_row([account], |row| row.get(0))?);
                views.push(AgentView { agent, float_micro });
            }
            Ok(views)
        })
    }

    /// What an agent did in `from ≤ at < to`; `None` if there is no such agent. Looks through every posting: for a report, not for a page
    /// that renews itself.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn day_end(
        &self,
        agent: AgentId,
        from: UtcSeconds,
        to: UtcSeconds,
    ) -> Result<Option<DayEnd>> {
        self.together(|reader| {
            let mut agents = reader.agents()?.into_iter();
            let Some(view) = agents.find(|view| view.agent.id == agent) else {
                return Ok(None);
            };
            let opening_micro = reader.float_at(agent, from)?;
            let mut day = DayEnd::begin(view.agent, (from, to), opening_micro);
            let account = LedgerAccount::Float(agent).to_string();
            let mut query = reader.conn.prepare_cached(
                "SELECT DISTINCT number FROM posting \
                 WHERE at >= ?1 AND at < ?2 AND (from_account = ?3 OR to_account = ?3) ORDER BY number",
            )?;
            let numbers = query.query_map(params![from.0, to.0, account], |row| {
                Ok(row.get::<_, i64>(0)?.cast_unsigned())
            })?;
            for number in numbers {
                if let Some(record) = reader.record(number?)? {
                    day.take(&record);
                }
            }
            day.re_adds = reader.float_at(agent, to)? == day.closing_micro;
            Ok(Some(day))
        })
    }

    /// What the postings before a moment leave in an agent's float.
    fn float_at(&self, agent: AgentId, at: UtcSeconds) -> Result<Micro> {
        let account = LedgerAccount::Float(agent).to_string();
        let mut query = self.conn.prepare_cached(
            "SELECT coalesce(sum(CASE ?1 WHEN to_account THEN amount \
             WHEN from_account THEN -amount ELSE 0 END), 0) FROM posting WHERE at < ?2",
        )?;
        Ok(Micro(
            query.query_row(params![account, at.0], |row| row.get(0))?,
        ))
    }
}
