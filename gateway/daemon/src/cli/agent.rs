//! `agent list|add|change|assign|float`, `report day-end`

use super::args::Target;
use super::ask::{ask, command, to_json, unexpected};
use super::debt::hundredths;
use super::paper::deliver;
use super::said::{Result, Said};
use super::table::{Align, Table};
use crate::control::{Request, Response};
use clap::{Args, Subcommand};
use gateway_core::agent::AgentCommand;
use gateway_core::calendar::LocalDay;
use gateway_core::{Answer, Command, Micro};
use gateway_web::paper::Format;
use serde_json::json;
use std::path::PathBuf;

/// `agent …`
#[derive(Debug, Subcommand)]
pub enum AgentAction {
    /// List agents with their floats and people
    List {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Add a vending agent
    Add {
        /// Its name
        name: String,
        /// How far its float may fall below zero
        #[arg(long, default_value = "0")]
        overdraft: Micro,
        /// Commission on each recharge, in percent
        #[arg(long, default_value = "0", value_parser = hundredths)]
        commission: u16,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Change an agent's overdraft or commission, close it or open it again
    Change {
        /// Its name or number
        agent: String,
        /// How far its float may fall below zero
        #[arg(long)]
        overdraft: Option<Micro>,
        /// Commission on each recharge, in percent
        #[arg(long, value_parser = hundredths)]
        commission: Option<u16>,
        /// true: it vends no more; false: it does again
        #[arg(long)]
        closed: Option<bool>,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Make a person's recharges the agent's
    Assign {
        /// The agent's name or number
        agent: String,
        /// The person's name, as they log in
        person: String,
        /// The person's recharges are the agent's no more
        #[arg(long)]
        end: bool,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Top an agent's float up, or take from it
    Float {
        /// The agent's name or number
        agent: String,
        /// How much; below zero: take
        #[arg(allow_negative_numbers = true)]
        amount: Micro,
        /// Why, or the paper it was paid with
        #[arg(long)]
        reason: String,
        /// Key of this very movement: the same key again does nothing more
        #[arg(long)]
        key: Option<String>,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// `report …`
#[derive(Debug, Subcommand)]
pub enum ReportAction {
    /// What an agent sold on a day, how its float moved, and the cash it should hold
    DayEnd(DayEndArgs),
    /// A month's losses: delivered, metered, billed, technical and non-technical, by feeder and phase
    Loss(super::losses::LossArgs),
}

/// `report day-end`
#[derive(Debug, Args)]
pub struct DayEndArgs {
    /// The agent's name or number
    #[arg(long)]
    pub agent: String,
    /// The local day, for example 2026-11-27; today if absent
    #[arg(long)]
    pub date: Option<LocalDay>,
    /// html, pdf, csv or json; html is made for print
    #[arg(long, default_value = "html")]
    pub format: Format,
    /// File to write; standard output if absent
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// Does it.
pub fn carry_out(action: &AgentAction) -> Result {
    let by = String::new();
    match action {
        AgentAction::List { target } => list(target),
        AgentAction::Add {
            name,
            overdraft,
            commission,
            target,
        } => {
            let asked = AgentCommand::Add {
                name: name.clone(),
                overdraft: *overdraft,
                commission_hundredths: *commission,
                by,
            };
            give(target, "add the agent", asked)
        }
        AgentAction::Change {
            agent,
            overdraft,
            commission,
            closed,
            target,
        } => {
            let asked = AgentCommand::Change {
                agent: agent.clone(),
                overdraft: *overdraft,
                commission_hundredths: *commission,
                closed: *closed,
                by,
            };
            give(target, "change the agent", asked)
        }
        AgentAction::Assign {
            agent,
            person,
            end,
            target,
        } => {
            let asked = AgentCommand::Assign {
                agent: agent.clone(),
                person: person.clone(),
                assigned: !end,
                by,
            };
            give(target, "assign the person", asked)
        }
        AgentAction::Float {
            agent,
            amount,
            reason,
            key,
            target,
        } => {
            let asked = AgentCommand::MoveFloat {
                key: key.clone(),
                agent: agent.clone(),
                amount: *amount,
                reason: reason.clone(),
                by,
            };
            give(target, "move the float", asked)
        }
    }
}

fn give(target: &Target, doing: &'static str, asked: AgentCommand) -> Result {
    match command(target, doing, Command::Agent(asked))? {
        Answer::Agent { agent, float } => Ok(Said::done(
            format!("agent {agent}, float {float}"),
            json!({ "agent": agent, "float_micro": float }),
        )),
        answer => Err(unexpected(doing, &Response::Done { answer })),
    }
}

fn list(target: &Target) -> Result {
    const DOING: &str = "list the agents";
    let agents = match ask(target, DOING, &Request::Agents {})? {
        Response::Agents { agents } => agents,
        other => return Err(unexpected(DOING, &other)),
    };
    let mut table = Table::new(&[
        ("agent", Align::Right),
        ("name", Align::Left),
        ("float", Align::Right),
        ("overdraft", Align::Right),
        ("commission", Align::Right),
        ("state", Align::Left),
        ("people", Align::Left),
    ]);
    for view in &agents {
        let agent = &view.agent;
        let people: Vec<_> = agent.people.iter().map(|person| person.name()).collect();
        let percent = Micro(i64::from(agent.commission_hundredths) * 10_000);
        table.row(vec![
            agent.id.to_string(),
            agent.name.clone(),
            view.float_micro.to_string(),
            agent.overdraft.to_string(),
            format!("{percent} %"),
            if agent.closed { "closed" } else { "vends" }.into(),
            people.join(", "),
        ]);
    }
    let text = if agents.is_empty() {
        "no agents".into()
    } else {
        table.render()
    };
    Ok(Said::done(text, json!({ "agents": agents })))
}

/// `report …`
pub fn report(action: &ReportAction) -> Result {
    const DOING: &str = "make the report";
    let args = match action {
        ReportAction::DayEnd(args) => args,
        ReportAction::Loss(args) => return super::losses::report(args),
    };
    let request = Request::DayEnd {
        agent: args.agent.clone(),
        day: args.date,
    };
    let paper = match ask(&args.target, DOING, &request)? {
        Response::DayEnd { paper } => paper,
        other => return Err(unexpected(DOING, &other)),
    };
    let file = match args.format {
        Format::Html => paper.sheet().html().into_bytes(),
        Format::Pdf => paper.sheet().pdf(),
        Format::Csv => paper.csv().into_bytes(),
        Format::Json => to_json(&paper).to_string().into_bytes(),
    };
    deliver(DOING, file, args.out.as_ref(), to_json(&paper))
}
