//! Bodies of answers.

use crate::desk::Problem;
use crate::view::PointFacts;
use gateway_core::alarm::Alarm;
use gateway_core::debt::Take;
use gateway_core::supply::{ControlState, Reason, Relay, SupplyOrder};
use gateway_core::{Answer, Record};
use serde::Serialize;

/// A usage point now.
#[derive(Serialize)]
pub(super) struct Point {
    id: String,
    label: String,
    currency: String,
    available: String,
    units_left_wh: Option<u64>,
    register_wh: u64,
    supply: SupplyState,
    power_w: Option<i32>,
    node: Option<String>,
    last_heard_at: Option<i64>,
    is_silent: bool,
    is_low: bool,
    prepay: super::prepay::Prepay,
}

#[derive(Serialize)]
struct SupplyState {
    order: SupplyOrder,
    desired: Relay,
    reported: Option<Relay>,
    /// What is carried out.
    reasons: Vec<Reason>,
    /// In shadow: automatic cuts are not carried out.
    shadow: bool,
    /// In shadow: why it would be off if it were armed.
    would_cut: Vec<Reason>,
    control_state: ControlState,
}

impl From<&PointFacts> for Point {
    fn from(facts: &PointFacts) -> Self {
        Self {
            id: facts.id.to_string(),
            label: facts.label.clone(),
            currency: facts.currency.clone(),
            available: facts.available.to_string(),
            units_left_wh: facts.units_left.map(|units| units.0),
            register_wh: facts.register.0,
            supply: SupplyState {
                order: facts.order,
                desired: if facts.reasons.is_empty() {
                    Relay::Closed
                } else {
                    Relay::Open
                },
                reported: facts.reported,
                reasons: facts.reasons.iter().collect(),
                shadow: facts.is_shadow,
                would_cut: facts.would_cut.iter().collect(),
                control_state: facts.control_state,
            },
            power_w: facts.power_w,
            node: facts.node.map(|node| node.to_string()),
            last_heard_at: facts.heard.map(|at| at.0),
            is_silent: facts.is_silent,
            is_low: facts.is_low,
            prepay: (&facts.prepay).into(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Points {
    pub usage_points: Vec<Point>,
}

#[derive(Serialize)]
pub(super) struct Alarms {
    pub alarms: Vec<Alarm>,
}

#[derive(Serialize)]
pub(super) struct Records {
    pub records: Vec<Record>,
}

/// How the gateway is doing.
#[derive(Serialize)]
pub(super) struct Status {
    pub is_working: bool,
    pub problems: Vec<ProblemBody>,
    pub at: i64,
    pub clock_trusted: bool,
    pub journal_number: u64,
    pub usage_points: usize,
    pub alarms: usize,
    pub rejections: std::collections::BTreeMap<String, u64>,
}

#[derive(Serialize)]
pub(super) struct ProblemBody {
    serious: bool,
    words: String,
}

impl From<Problem> for ProblemBody {
    fn from(problem: Problem) -> Self {
        Self {
            serious: problem.serious,
            words: problem.words,
        }
    }
}

/// What a command achieved. Amounts are decimal strings here, unlike in the journal.
#[derive(Serialize)]
#[serde(tag = "done", rename_all = "kebab-case")]
#[expect(
    clippy::enum_variant_names,
    reason = "the variant is the word of the API"
)]
pub(super) enum Done {
    Done,
    MeterInstalled {
        node: String,
    },
    Vended {
        receipt: u64,
        usage_point: String,
        amount: String,
        available: String,
        repeated: bool,
        debts: Vec<ToDebt>,
    },
    Quoted {
        usage_point: String,
        amount: String,
        debts: Vec<ToDebt>,
        credit: String,
        available: String,
    },
    ClockQuoted(super::clock::Quote),
    Corrected {
        number: u64,
    },
    Proposed {
        proposal: u64,
    },
    Agent {
        agent: u16,
        float: String,
    },
    TokenTaken {
        receipt: u64,
        usage_point: String,
        result: String,
        units_wh: u64,
        amount: String,
        available: String,
    },
}

/// What of a payment goes to a debt.
#[derive(Serialize)]
pub(super) struct ToDebt {
    debt: &'static str,
    amount: String,
}

fn to_debts(takes: &[Take]) -> Vec<ToDebt> {
    let part = |take: &Take| ToDebt {
        debt: take.debt.name(),
        amount: take.amount.to_string(),
    };
    takes.iter().map(part).collect()
}

impl From<Answer> for Done {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Vended {
                receipt,
                usage_point,
                amount,
                available,
                repeated,
                debts,
            } => Self::Vended {
                debts: to_debts(&debts),
                receipt,
                usage_point: usage_point.to_string(),
                amount: amount.to_string(),
                available: available.to_string(),
                repeated,
            },
            Answer::TokenTaken {
                receipt,
                usage_point,
                words,
                units_100wh,
                amount,
                available,
            } => Self::TokenTaken {
                receipt,
                usage_point: usage_point.to_string(),
                result: words,
                units_wh: u64::from(units_100wh) * 100,
                amount: amount.to_string(),
                available: available.to_string(),
            },
            Answer::NodeAdded { node } => Self::MeterInstalled {
                node: node.to_string(),
            },
            Answer::Quoted {
                usage_point,
                amount,
                debts,
                credit,
                available,
            } => Self::Quoted {
                usage_point: usage_point.to_string(),
                amount: amount.to_string(),
                debts: to_debts(&debts),
                credit: credit.to_string(),
                available: available.to_string(),
            },
            Answer::ClockQuoted(quote) => Self::ClockQuoted(quote.into()),
            Answer::Corrected { number } => Self::Corrected { number },
            Answer::Proposed { proposal } => Self::Proposed { proposal },
            Answer::Agent { agent, float } => Self::Agent {
                agent: agent.0,
                float: float.to_string(),
            },
            _ => Self::Done,
        }
    }
}
