//! Vends, debts, corrections and agents in words.

use gateway_core::agent::{Agent, AgentDecision};
use gateway_core::correction::{CorrectionAct, CorrectionDecision};
use gateway_core::debt::{DebtChange, DebtDecision, Take, Terms};
use gateway_core::{Decision, Micro};

type Shown<'a> = &'a dyn Fn(Micro) -> String;

/// A decision's mark and its words.
pub(super) fn describe(decision: &Decision, money: Shown<'_>) -> (&'static str, String) {
    match decision {
        Decision::Vended {
            amount, by, parts, ..
        } => {
            let to_debts = to_debts(&parts.debts, money);
            let words = format!("Recharged with {} by {by}{to_debts}", money(*amount));
            ("vend", words)
        }
        Decision::Debt { what, .. } => describe_debt(what, money),
        Decision::Correction { what, .. } => describe_correction(what, money),
        Decision::Agent(what) => ("admin", describe_agent(what, money)),
        _ => ("admin", String::new()),
    }
}

fn to_debts(takes: &[Take], money: Shown<'_>) -> String {
    let part = |take: &Take| format!("; {} to {}", money(take.amount), low(take.debt.words()));
    takes.iter().map(part).collect()
}

fn low(words: &str) -> String {
    words.to_lowercase()
}

/// How a debt is paid back.
pub(crate) fn terms_words(terms: &Terms, money: Shown<'_>) -> String {
    let mut parts = Vec::new();
    let (whole, part) = (
        terms.percent_hundredths / 100,
        terms.percent_hundredths % 100,
    );
    match (whole, part) {
        (0, 0) => {}
        (whole, 0) => parts.push(format!("{whole} % of each payment")),
        (whole, part) => parts.push(format!("{whole}.{part:02} % of each payment")),
    }
    if terms.per_day > Micro::ZERO {
        parts.push(format!("{} a day", money(terms.per_day)));
    }
    if parts.is_empty() {
        parts.push("not collected".into());
    }
    if let Some(cap) = terms.cap {
        parts.push(format!(
            "at most {} a {}",
            money(cap.amount),
            cap.per.name()
        ));
    }
    parts.join(", ")
}

fn second(approved_by: &Option<String>) -> String {
    let by = approved_by.as_ref();
    by.map_or_else(String::new, |by| format!(", approved by {by}"))
}

fn describe_debt(what: &DebtDecision, money: Shown<'_>) -> (&'static str, String) {
    match what {
        DebtDecision::Opened {
            kind,
            amount,
            terms,
            reason,
            by,
            approved_by,
            ..
        } => {
            let (kind, how) = (kind.words(), terms_words(terms, money));
            let who = second(approved_by);
            let amount = money(*amount);
            (
                "charge",
                format!("Debt opened: {kind}, {amount}, {how}, by {by}{who}: {reason}"),
            )
        }
        DebtDecision::Changed {
            kind,
            added,
            terms,
            reason,
            by,
            approved_by,
            ..
        } => {
            let (kind, who) = (kind.words(), second(approved_by));
            let more = if *added > Micro::ZERO {
                format!(", {} more", money(*added))
            } else {
                String::new()
            };
            let how = terms.map_or_else(String::new, |terms| {
                format!(", from now on {}", terms_words(&terms, money))
            });
            (
                "charge",
                format!("Debt changed: {kind}{more}{how}, by {by}{who}: {reason}"),
            )
        }
        DebtDecision::WrittenOff {
            kind,
            amount,
            reason,
            by,
            approved_by,
            ..
        } => {
            let (kind, who) = (kind.words(), second(approved_by));
            let amount = money(*amount);
            (
                "admin",
                format!("Debt written off: {kind}, {amount}, by {by}{who}: {reason}"),
            )
        }
        DebtDecision::Collected { takes, .. } if takes.is_empty() => {
            ("charge", "Instalment of the day: none".into())
        }
        DebtDecision::Collected { takes, .. } => {
            let words = to_debts(takes, money);
            ("charge", format!("Instalment of the day{words}"))
        }
    }
}

/// What a correction is to do, in words.
pub(crate) fn act_words(act: &CorrectionAct, money: Shown<'_>) -> String {
    match act {
        CorrectionAct::Credit { amount, receipt } => {
            let about = receipt.map_or_else(String::new, |r| format!(", about no. {r}"));
            if *amount < Micro::ZERO {
                format!("take {} from the credit{about}", money(-*amount))
            } else {
                format!("add {} to the credit{about}", money(*amount))
            }
        }
        CorrectionAct::Reverse { receipt } => {
            format!("take back the recharge of receipt {receipt}")
        }
        CorrectionAct::Debt(DebtChange::Open {
            kind,
            amount,
            terms,
        }) => {
            let how = terms_words(terms, money);
            format!("open {} of {}, {how}", low(kind.words()), money(*amount))
        }
        CorrectionAct::Debt(DebtChange::Change { kind, add, .. }) => {
            format!("raise {} by {}", low(kind.words()), money(*add))
        }
        CorrectionAct::Debt(DebtChange::WriteOff { kind, amount }) => {
            let amount = amount.map_or_else(|| "all".to_owned(), money);
            format!("write off {amount} of {}", low(kind.words()))
        }
    }
}

fn describe_correction(what: &CorrectionDecision, money: Shown<'_>) -> (&'static str, String) {
    match what {
        CorrectionDecision::Proposed {
            what, reason, by, ..
        } => {
            let act = act_words(what, money);
            let words = format!("Waits for a second person: {act}, proposed by {by}: {reason}");
            ("alarm", words)
        }
        CorrectionDecision::Approved { proposal, by } => {
            ("admin", format!("Correction {proposal} approved by {by}"))
        }
        CorrectionDecision::Refused {
            proposal,
            reason,
            by,
        } => (
            "admin",
            format!("Correction {proposal} refused by {by}: {reason}"),
        ),
        CorrectionDecision::Expired { proposal } => {
            let words = format!("Correction {proposal} expired: nobody approved it");
            ("admin", words)
        }
        CorrectionDecision::Keyed(asked) => (
            "admin",
            format!(
                "Record {} was asked for with the key {}",
                asked.made, asked.key
            ),
        ),
        CorrectionDecision::Posted {
            amount,
            receipt,
            reason,
            by,
            approved_by,
        } => {
            let act = CorrectionAct::Credit {
                amount: *amount,
                receipt: *receipt,
            };
            let (act, who) = (act_words(&act, money), second(approved_by));
            (
                "charge",
                format!("Correction: {act}, by {by}{who}: {reason}"),
            )
        }
        CorrectionDecision::Reversed {
            receipt,
            amount,
            reason,
            by,
            approved_by,
            ..
        } => {
            let (amount, who) = (money(*amount), second(approved_by));
            (
                "charge",
                format!("Recharge {receipt} of {amount} taken back by {by}{who}: {reason}"),
            )
        }
    }
}

fn describe_agent(what: &AgentDecision, money: Shown<'_>) -> String {
    match what {
        AgentDecision::Set { set, by } => {
            let Agent {
                id, name, people, ..
            } = set;
            let people: Vec<_> = people.iter().map(|person| person.name()).collect();
            let people = people.join(", ");
            let state = if set.closed { "closed" } else { "vends" };
            format!("Agent {id} “{name}” {state}, people: {people}; set by {by}")
        }
        AgentDecision::FloatMoved {
            id,
            amount,
            reason,
            by,
            ..
        } => {
            let amount = money(*amount);
            format!("Float of agent {id} moved by {amount}, by {by}: {reason}")
        }
    }
}
