//! `correct list|credit|reverse|approve|refuse`

use super::args::Target;
use super::ask::{ask, command, unexpected};
use super::said::{Result, Said};
use super::table::{Align, Table};
use crate::control::{Request, Response};
use clap::{Args, Subcommand};
use gateway_core::correction::{CorrectionAct, CorrectionCommand};
use gateway_core::{Answer, Command, Micro, UsagePointId};
use serde_json::json;

/// `correct …`
#[derive(Debug, Subcommand)]
pub enum CorrectAction {
    /// List corrections that wait for a second person
    List {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Add to a credit, or take from it
    Credit {
        /// The usage point, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// How much; below zero: take
        #[arg(allow_negative_numbers = true)]
        amount: Micro,
        /// The receipt or record it is about
        #[arg(long)]
        receipt: Option<u64>,
        /// Why, and which gateway.
        #[command(flatten)]
        why: Why,
    },
    /// Take a mistaken recharge back
    Reverse {
        /// The usage point, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// Its receipt number
        receipt: u64,
        /// Why, and which gateway.
        #[command(flatten)]
        why: Why,
    },
    /// Agree with a correction of somebody else
    Approve {
        /// Its number, from `correct list`
        proposal: u64,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Do not agree, or take one's own proposal back
    Refuse {
        /// Its number, from `correct list`
        proposal: u64,
        /// Why, and which gateway.
        #[command(flatten)]
        why: Why,
    },
}

/// Why, and which gateway.
#[derive(Debug, Args)]
pub struct Why {
    /// Why, up to 200 bytes; it stands on the statement
    #[arg(long)]
    pub reason: String,
    /// Key of this very correction: the same key again does nothing more
    #[arg(long)]
    pub key: Option<String>,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// Does it.
pub fn carry_out(action: &CorrectAction) -> Result {
    let by = String::new();
    match action {
        CorrectAction::List { target } => list(target),
        CorrectAction::Credit {
            usage_point,
            amount,
            receipt,
            why,
        } => {
            let (amount, receipt) = (*amount, *receipt);
            let what = CorrectionAct::Credit { amount, receipt };
            make("correct the credit", *usage_point, what, why)
        }
        CorrectAction::Reverse {
            usage_point,
            receipt,
            why,
        } => {
            let receipt = *receipt;
            let what = CorrectionAct::Reverse { receipt };
            make("take the recharge back", *usage_point, what, why)
        }
        CorrectAction::Approve { proposal, target } => {
            let proposal = *proposal;
            give(
                target,
                "approve the correction",
                CorrectionCommand::Approve { proposal, by },
            )
        }
        CorrectAction::Refuse { proposal, why } => {
            let (proposal, reason) = (*proposal, why.reason.clone());
            let asked = CorrectionCommand::Refuse {
                proposal,
                reason,
                by,
            };
            give(&why.target, "refuse the correction", asked)
        }
    }
}

/// Makes a correction, or proposes it.
pub fn make(
    doing: &'static str,
    usage_point: UsagePointId,
    what: CorrectionAct,
    why: &Why,
) -> Result {
    let asked = CorrectionCommand::Make {
        key: why.key.clone(),
        usage_point,
        what,
        reason: why.reason.clone(),
        // The daemon writes down the user behind the connection.
        by: String::new(),
    };
    give(&why.target, doing, asked)
}

fn give(target: &Target, doing: &'static str, asked: CorrectionCommand) -> Result {
    told(command(target, doing, Command::Correct(asked))?, doing)
}

/// What became of a correction.
pub fn told(answer: Answer, doing: &'static str) -> Result {
    let (text, json) = match answer {
        Answer::Corrected { number } => (
            format!("done, record {number}"),
            json!({ "number": number }),
        ),
        Answer::Proposed { proposal } => (
            format!("above the limit: it waits for another person; `correct approve {proposal}`"),
            json!({ "proposal": proposal }),
        ),
        Answer::Done => ("done".into(), json!({ "done": "done" })),
        answer => return Err(unexpected(doing, &Response::Done { answer })),
    };
    Ok(Said::done(text, json))
}

fn list(target: &Target) -> Result {
    const DOING: &str = "list the corrections";
    let points = match ask(target, DOING, &Request::Owed { id: None })? {
        Response::Owed { points } => points,
        other => return Err(unexpected(DOING, &other)),
    };
    let mut table = Table::new(&[
        ("number", Align::Right),
        ("usage point", Align::Left),
        ("amount", Align::Right),
        ("what", Align::Left),
        ("proposed by", Align::Left),
        ("why", Align::Left),
    ]);
    let mut waiting = Vec::new();
    for point in &points {
        for proposal in &point.proposals {
            let what = match &proposal.act {
                CorrectionAct::Credit { amount, .. } if *amount < Micro::ZERO => {
                    "take from the credit".to_owned()
                }
                CorrectionAct::Credit { .. } => "add to the credit".into(),
                CorrectionAct::Reverse { receipt } => format!("take receipt {receipt} back"),
                CorrectionAct::Debt(change) => format!("debt: {}", change.kind()),
            };
            table.row(vec![
                proposal.number.to_string(),
                point.usage_point.to_string(),
                proposal.amount.to_string(),
                what,
                proposal.by.clone(),
                proposal.reason.clone(),
            ]);
            waiting.push(
                json!({ "usage_point": point.usage_point.to_string(), "proposal": proposal }),
            );
        }
    }
    let text = if waiting.is_empty() {
        "nothing waits for a second person".into()
    } else {
        table.render()
    };
    Ok(Said::done(text, json!({ "proposals": waiting })))
}
