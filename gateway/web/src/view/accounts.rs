//! Money besides recharges: what is owed, what waits for a second person, and the forms to set something right.

use super::money::{act_words, terms_words};
use crate::committed::{Neighbourhood, UsagePointRows};
use crate::correction_form::CorrectionForm;
use crate::format::{self, Money};
use askama::Template;
use gateway_core::correction::{CorrectionAct, Proposal};
use gateway_core::debt::{DebtChange, DebtKind};
use gateway_core::question::open;
use gateway_core::{Micro, Rules, UtcSeconds};
use gateway_store::day_end::AgentView;

/// A debt.
pub(crate) struct DebtLine {
    pub kind: &'static str,
    pub words: &'static str,
    pub owed: Money,
    pub terms: String,
}

/// A correction that waits.
pub(crate) struct WaitingLine {
    pub number: u64,
    pub id: String,
    pub label: String,
    pub words: String,
    pub reason: String,
    pub by: String,
    pub at: String,
}

fn debts(rows: &UsagePointRows, currency: &str) -> Vec<DebtLine> {
    let owed = rows.point.debts.registers.iter();
    let owed = owed.filter(|debt| debt.remaining > Micro::ZERO);
    let line = |debt: &gateway_core::debt::Debt| DebtLine {
        kind: debt.kind.name(),
        words: debt.kind.words(),
        owed: Money::new(debt.remaining, currency),
        terms: terms_words(&debt.terms, &|amount| Money::new(amount, currency).text()),
    };
    owed.map(line).collect()
}

pub(crate) fn waiting_line(
    rows: &UsagePointRows,
    waits: &Proposal,
    currency: &str,
    rules: &Rules,
) -> WaitingLine {
    WaitingLine {
        number: waits.number,
        id: rows.point.id.to_string(),
        label: rows.point.label.clone(),
        words: act_words(&waits.act, &|amount| Money::new(amount, currency).text()),
        reason: waits.reason.clone(),
        by: waits.by.clone(),
        at: format::date_time(rules.calendar, waits.at),
    }
}

/// Debts and corrections of a usage point.
#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountView {
    pub id: String,
    pub label: String,
    pub available: Money,
    pub debts: Vec<DebtLine>,
    pub owed: Money,
    pub waiting: Vec<WaitingLine>,
    /// Kinds that could be opened.
    pub kinds: Vec<(&'static str, &'static str)>,
    pub may_correct: bool,
    /// Up to this one person is enough.
    pub alone_up_to: Money,
    pub typed: CorrectionForm,
    pub error: Option<String>,
    pub notice: Option<String>,
}

impl AccountView {
    pub(crate) fn new(
        rows: &UsagePointRows,
        rules: &Rules,
        may_correct: bool,
        (typed, error, notice): (CorrectionForm, Option<String>, Option<String>),
    ) -> Self {
        let currency = rows.tariff.as_ref().map_or("", |t| t.currency.as_str());
        let register = super::facts::register(rows);
        let tariff = rows.tariff.as_ref();
        let point = &rows.point;
        let available = tariff.map_or(point.account.balance, |t| point.available(t, register));
        let owes = |kind: &DebtKind| point.debts.of(*kind).is_some_and(|d| d.remaining.0 > 0);
        let kinds = DebtKind::ALL.into_iter().filter(|kind| !owes(kind));
        let waits = point.proposals.iter();
        Self {
            id: point.id.to_string(),
            label: point.label.clone(),
            available: Money::new(available, currency),
            debts: debts(rows, currency),
            owed: Money::new(point.debts.remaining(), currency),
            waiting: waits
                .map(|waits| waiting_line(rows, waits, currency, rules))
                .collect(),
            kinds: kinds.map(|kind| (kind.name(), kind.words())).collect(),
            may_correct,
            alone_up_to: Money::new(rules.prepay_of(tariff).correction.alone_up_to, currency),
            typed,
            error,
            notice,
        }
    }
}

/// An agent in the list.
pub(crate) struct AgentLine {
    pub number: String,
    pub name: String,
    pub float: Money,
    pub is_closed: bool,
    pub people: String,
}

impl AgentLine {
    pub(crate) fn new(view: &AgentView, currency: &str) -> Self {
        let people: Vec<_> = view.agent.people.iter().map(|who| who.name()).collect();
        Self {
            number: view.agent.id.to_string(),
            name: view.agent.name.clone(),
            float: Money::new(view.float_micro, currency),
            is_closed: view.agent.closed,
            people: people.join(", "),
        }
    }
}

/// A question that waits for an answer.
pub(crate) struct QuestionLine {
    pub id: String,
    pub label: String,
    pub number: u64,
    pub text: String,
    /// The receipt or record it is about, if any.
    pub about: Option<u64>,
    pub by: String,
    pub at: String,
}

/// The open questions of a usage point.
pub(crate) fn questions(rows: &UsagePointRows, rules: &Rules) -> Vec<QuestionLine> {
    let line = |asked: &gateway_core::question::Question| QuestionLine {
        id: rows.point.id.to_string(),
        label: rows.point.label.clone(),
        number: asked.number,
        text: asked.text.clone(),
        about: asked.about,
        by: asked.by.clone(),
        at: format::date_time(rules.calendar, asked.at),
    };
    open(&rows.point.questions).map(line).collect()
}

/// What a usage point owes, in the list.
pub(crate) struct OwedLine {
    pub id: String,
    pub label: String,
    pub owed: Money,
    pub kinds: String,
}

/// What whoever looks may do.
#[derive(Clone, Copy)]
pub(crate) struct May {
    pub answer: bool,
    pub manage: bool,
}

/// Everything about money that is not a recharge.
#[derive(Template)]
#[template(path = "accounts.html")]
pub(crate) struct AccountsView {
    pub waiting: Vec<WaitingLine>,
    pub agents: Vec<AgentLine>,
    pub owed: Vec<OwedLine>,
    pub total: Money,
    pub questions: Vec<QuestionLine>,
    pub may_answer: bool,
    pub may_manage: bool,
    pub error: Option<String>,
    pub today: String,
}

impl AccountsView {
    pub(crate) fn new(
        rows: &Neighbourhood,
        (agents, currency): (&[AgentView], &str),
        rules: &Rules,
        (now, may, error): (UtcSeconds, May, Option<String>),
    ) -> Self {
        let points = &rows.usage_points;
        let owes = |rows: &&UsagePointRows| rows.point.debts.remaining() > Micro::ZERO;
        let owed = |rows: &UsagePointRows| {
            let kinds: Vec<_> = debts(rows, currency).iter().map(|d| d.words).collect();
            OwedLine {
                id: rows.point.id.to_string(),
                label: rows.point.label.clone(),
                owed: Money::new(rows.point.debts.remaining(), currency),
                kinds: kinds.join(", "),
            }
        };
        let waiting = |rows: &UsagePointRows| -> Vec<WaitingLine> {
            let waits = rows.point.proposals.iter();
            waits
                .map(|waits| waiting_line(rows, waits, currency, rules))
                .collect()
        };
        let total = points.iter().map(|rows| rows.point.debts.remaining()).sum();
        Self {
            waiting: points.iter().flat_map(waiting).collect(),
            agents: agents.iter().map(|a| AgentLine::new(a, currency)).collect(),
            owed: points.iter().filter(owes).map(owed).collect(),
            total: Money::new(total, currency),
            questions: points
                .iter()
                .flat_map(|rows| questions(rows, rules))
                .collect(),
            may_answer: may.answer,
            may_manage: may.manage,
            error,
            today: rules.calendar.day_of(now).to_string(),
        }
    }
}

/// A correction that waits, with the two answers.
#[derive(Template)]
#[template(path = "proposal.html")]
pub(crate) struct ProposalView {
    pub waits: WaitingLine,
    pub amount: Money,
    pub may_correct: bool,
    /// Whether whoever looks proposed it.
    pub is_own: bool,
    pub by: String,
    pub error: Option<String>,
}

/// What a correction asks, as a question, and whether it takes something away.
pub(crate) fn question(act: &CorrectionAct, currency: &str) -> (String, bool) {
    let words = act_words(act, &|amount| Money::new(amount, currency).text());
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let takes = match act {
        CorrectionAct::Credit { amount, .. } => *amount < Micro::ZERO,
        CorrectionAct::Reverse { .. } => true,
        CorrectionAct::Debt(change) => matches!(change, DebtChange::Open { .. }),
    };
    (
        format!("{}{}?", first.unwrap_or_default(), letters.as_str()),
        takes,
    )
}
