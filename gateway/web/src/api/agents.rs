//! Vending agents and their day-end reports, for programs.

use super::parse::{parse, parse_amount};
use super::sent::{Answered, Asked, Sent, done};
use crate::app::App;
use crate::correction_form::parse_percent;
use crate::failure::{ApiFailure, Failure};
use crate::pages::{DayEndQuery, day_end_paper, find_agent};
use crate::paper::DayEndPaper;
use crate::routes::{Needs, Routes};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use gateway_core::agent::AgentCommand;
use gateway_core::person::Deed;
use gateway_core::{Command, Micro};
use gateway_store::day_end::AgentView;
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Routes {
    let see = Needs::May(Deed::SeeSite);
    let manage = Needs::May(Deed::ManageSite);
    Routes::under("/api/v1")
        .get("/agents", see, agents)
        .post("/agents", manage, add)
        .get("/agents/{number}", see, agent)
        .post("/agents/{number}/{change}", manage, change)
        .get("/agents/{number}/day-end", see, day_end)
}

#[derive(Serialize)]
struct AgentBody {
    agent: u16,
    name: String,
    float: String,
    overdraft: String,
    commission_percent: String,
    closed: bool,
    people: Vec<String>,
}

impl From<AgentView> for AgentBody {
    fn from(AgentView { agent, float_micro }: AgentView) -> Self {
        let people = agent.people.iter();
        Self {
            agent: agent.id.0,
            float: float_micro.to_string(),
            overdraft: agent.overdraft.to_string(),
            commission_percent: Micro(i64::from(agent.commission_hundredths) * 10_000).to_string(),
            closed: agent.closed,
            people: people.map(|person| person.name().to_owned()).collect(),
            name: agent.name,
        }
    }
}

#[derive(Serialize)]
struct AllAgents {
    agents: Vec<AgentBody>,
}

async fn agents(State(app): State<App>) -> Result<Json<AllAgents>, ApiFailure> {
    let agents = app.read(|rows| rows.agents()).await?;
    let agents = agents.into_iter().map(AgentBody::from).collect();
    Ok(Json(AllAgents { agents }))
}

async fn agent(
    State(app): State<App>,
    Path(number): Path<String>,
) -> Result<Json<AgentBody>, ApiFailure> {
    Ok(Json(find_agent(&app, &number).await?.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddBody {
    name: String,
    #[serde(default)]
    overdraft: Option<String>,
    #[serde(default)]
    commission_percent: String,
}

async fn add(State(app): State<App>, Asked { body: asked, by }: Asked<AddBody>) -> Answered {
    let overdraft = asked.overdraft.map(|text| parse_amount(&text));
    let command = AgentCommand::Add {
        name: asked.name,
        overdraft: overdraft.transpose()?.unwrap_or_default(),
        commission_hundredths: parse_percent(&asked.commission_percent)?,
        by,
    };
    done(&app, Command::Agent(command)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FloatBody {
    key: String,
    amount: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TermsBody {
    #[serde(default)]
    overdraft: Option<String>,
    #[serde(default)]
    commission_percent: Option<String>,
    #[serde(default)]
    closed: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonBody {
    person: String,
    assigned: bool,
}

async fn change(
    State(app): State<App>,
    Path((number, change)): Path<(String, String)>,
    Sent { body, by }: Sent,
) -> Answered {
    let (agent, by) = (find_agent(&app, &number).await?.agent.name, by);
    let command = match change.as_str() {
        "float" => {
            let asked: FloatBody = parse(&body)?;
            AgentCommand::MoveFloat {
                key: Some(asked.key),
                agent,
                amount: parse_amount(&asked.amount)?,
                reason: asked.reason,
                by,
            }
        }
        "terms" => {
            let asked: TermsBody = parse(&body)?;
            let overdraft = asked.overdraft.map(|text| parse_amount(&text));
            let percent = asked.commission_percent.map(|text| parse_percent(&text));
            AgentCommand::Change {
                agent,
                overdraft: overdraft.transpose()?,
                commission_hundredths: percent.transpose()?,
                closed: asked.closed,
                by,
            }
        }
        "person" => {
            let PersonBody { person, assigned } = parse(&body)?;
            AgentCommand::Assign {
                agent,
                person,
                assigned,
                by,
            }
        }
        _ => return Err(Failure::not_found("An agent takes float, terms or person.").into()),
    };
    done(&app, Command::Agent(command)).await
}

async fn day_end(
    State(app): State<App>,
    Path(number): Path<String>,
    query: Result<Query<DayEndQuery>, QueryRejection>,
) -> Result<Json<DayEndPaper>, ApiFailure> {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let agent = find_agent(&app, &number).await?.agent.id;
    Ok(Json(day_end_paper(&app, agent, &query).await?))
}
