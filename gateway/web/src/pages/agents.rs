//! `/agents/{number}`: vending agents as the site sees them; and an agent's own day.
//!
//! Each change is shown before it is done, with a key made where it is shown.

use super::accounts::show_accounts;
use super::day_end::{DayEndQuery, day_end_file, find_agent};
use super::filled::{Filled, Linked};
use super::usage_point::new_key;
use super::{form_unusable, submit};
use crate::access::Operator;
use crate::api::parse_amount;
use crate::app::App;
use crate::correction_form::parse_percent;
use crate::failure::{Failure, PageFailure};
use crate::format::Money;
use crate::routes::{Needs, Routes};
use crate::view::{AgentAccountView, ConfirmChange, Page, Shell, Tab, percent};
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use gateway_core::agent::AgentCommand;
use gateway_core::person::{Deed, Who};
use gateway_core::prepay::MoneyRefusal;
use gateway_core::{Answer, Command, Micro, Refusal};
use gateway_store::day_end::AgentView;
use serde::Deserialize;

/// Addresses of agents and their day-end reports.
pub(crate) fn routes() -> Routes {
    let see = Needs::May(Deed::SeeSite);
    let manage = Needs::May(Deed::ManageSite);
    Routes::under("")
        .get("/agents/{number}", see, agent)
        .get("/agents/{number}/check", manage, check)
        .post("/agents/{number}", manage, change)
        .get("/agents/{number}/day-end", see, choose_days)
        .get("/agents/{number}/day-end/{file}", see, day_end)
        .get("/agent/day-end/{file}", Needs::May(Deed::Sell), own_day_end)
}

const fn page(title: &str) -> Page<'_> {
    Page {
        title,
        tab: Tab::Money,
        is_live: false,
        reload_s: None,
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Wanted {
    /// Whether something was just done.
    done: Option<String>,
}

async fn agent(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(number): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let done = wanted.ok().and_then(|Query(wanted)| wanted.done);
    let notice = done.map(|_| "Done.".to_owned());
    let rows = find_agent(&app, &number).await?;
    Ok(show(&app, (&operator, &headers), &rows, (notice, None)).await?)
}

async fn show(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    rows: &AgentView,
    said: (Option<String>, Option<String>),
) -> Result<Response, Failure> {
    let currency = app.read(|rows| rows.currency()).await?;
    let today = app.0.site.rules.calendar.day_of(app.0.desk.now().at);
    let may_manage = operator.may(Deed::ManageSite);
    let view = AgentAccountView::new(rows, (&currency, today), may_manage, said);
    let page = page(&rows.agent.name);
    Ok(Shell::answer(app, Some(operator), headers, &page, &view))
}

/// What is asked for, as texts.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AgentForm {
    /// `float`, `terms`, `assign`, `end`; of a new agent nothing.
    change: String,
    key: String,
    name: String,
    amount: String,
    reason: String,
    percent: String,
    overdraft: String,
    /// `open` or `closed`.
    state: String,
    person: String,
}

impl AgentForm {
    fn overdraft(&self) -> Result<Micro, Failure> {
        match self.overdraft.trim() {
            "" => Ok(Micro::ZERO),
            text => Ok(parse_amount(text)?),
        }
    }

    /// The command; `agent` is `None` for a new one.
    fn command(&self, agent: Option<&AgentView>, by: &str) -> Result<AgentCommand, Failure> {
        let by = by.to_owned();
        let Some(known) = agent else {
            return Ok(AgentCommand::Add {
                name: self.name.trim().to_owned(),
                overdraft: self.overdraft()?,
                commission_hundredths: parse_percent(&self.percent)?,
                by,
            });
        };
        let agent = known.agent.name.clone();
        Ok(match self.change.as_str() {
            "float" => AgentCommand::MoveFloat {
                key: Some(self.key.clone()),
                agent,
                amount: parse_amount(&self.amount)?,
                reason: self.reason.clone(),
                by,
            },
            "terms" => AgentCommand::Change {
                agent,
                overdraft: Some(self.overdraft()?),
                commission_hundredths: Some(parse_percent(&self.percent)?),
                closed: Some(self.state == "closed"),
                by,
            },
            "assign" | "end" => AgentCommand::Assign {
                agent,
                person: self.person.trim().to_owned(),
                assigned: self.change == "assign",
                by,
            },
            _ => return Err(form_unusable()),
        })
    }

    fn hidden(self, key: String) -> Vec<(&'static str, String)> {
        let fields = [
            ("key", key),
            ("change", self.change),
            ("name", self.name),
            ("amount", self.amount),
            ("reason", self.reason),
            ("percent", self.percent),
            ("overdraft", self.overdraft),
            ("state", self.state),
            ("person", self.person),
        ];
        let said = fields.into_iter().filter(|(_, value)| !value.is_empty());
        said.collect()
    }
}

/// The agent of an address; `None` for `new`.
async fn find_or_new(app: &App, number: &str) -> Result<Option<AgentView>, Failure> {
    match number {
        "new" => Ok(None),
        number => Ok(Some(find_agent(app, number).await?)),
    }
}

fn terms(overdraft: String, commission_hundredths: u16) -> Vec<(&'static str, String)> {
    let commission = format!("{} %", percent(commission_hundredths));
    vec![
        ("Float may fall below zero by", overdraft),
        ("Commission", commission),
    ]
}

/// What a command means, in words: the question, and names with values.
fn words(
    command: &AgentCommand,
    agent: Option<&AgentView>,
    currency: &str,
) -> (String, Vec<(&'static str, String)>) {
    let money = |amount| Money::new(amount, currency).text();
    match command {
        AgentCommand::Add {
            name,
            overdraft,
            commission_hundredths,
            ..
        } => (
            format!("Add the agent {name}?"),
            terms(money(*overdraft), *commission_hundredths),
        ),
        AgentCommand::Change {
            agent,
            overdraft,
            commission_hundredths,
            closed,
            ..
        } => {
            let overdraft = money(overdraft.unwrap_or_default());
            let mut pairs = terms(overdraft, commission_hundredths.unwrap_or_default());
            let is_closed = *closed == Some(true);
            pairs.push((
                "State",
                if is_closed { "closed" } else { "sells" }.to_owned(),
            ));
            (format!("Change the terms of {agent}?"), pairs)
        }
        AgentCommand::Assign {
            agent,
            person,
            assigned,
            ..
        } => {
            let question = if *assigned {
                format!("Are {person}’s recharges {agent}’s from now on?")
            } else {
                format!("Are {person}’s recharges {agent}’s no more?")
            };
            (question, Vec::new())
        }
        AgentCommand::MoveFloat { amount, reason, .. } => {
            let before = agent.map_or(Micro::ZERO, |view| view.float_micro);
            let after = before.checked_add(*amount).unwrap_or(before);
            let question = if *amount < Micro::ZERO {
                format!("Take {} from the float?", money(-*amount))
            } else {
                format!("Top the float up by {}?", money(*amount))
            };
            let pairs = vec![
                ("Float now", money(before)),
                ("Float afterwards", money(after)),
                ("Why", reason.clone()),
            ];
            (question, pairs)
        }
    }
}

/// What a change would mean. Changes nothing.
async fn check(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(number): Path<String>,
    Linked(form): Linked<AgentForm>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let agent = find_or_new(&app, &number).await?;
    let command = match form.command(agent.as_ref(), &operator.by) {
        Ok(command) => command,
        Err(failure) => {
            return Ok(again(&app, (&operator, &headers), agent.as_ref(), failure).await?);
        }
    };
    let currency = app.read(|rows| rows.currency()).await?;
    let (question, pairs) = words(&command, agent.as_ref(), &currency);
    let back = match &agent {
        Some(view) => (
            format!("/agents/{}", view.agent.id),
            view.agent.name.clone(),
        ),
        None => ("/accounts".to_owned(), "Money".to_owned()),
    };
    let view = ConfirmChange {
        back,
        question,
        pairs,
        warning: None,
        by: operator.by.clone(),
        action: format!("/agents/{number}"),
        is_dangerous: matches!(&command, AgentCommand::MoveFloat { amount, .. } if *amount < Micro::ZERO),
        hidden: form.hidden(new_key()?),
        button: "Do it",
    };
    let page = page("Please confirm");
    Ok(Shell::answer(&app, Some(&operator), &headers, &page, &view))
}

async fn again(
    app: &App,
    asking: (&Operator, &HeaderMap),
    agent: Option<&AgentView>,
    failure: Failure,
) -> Result<Response, Failure> {
    let Some(agent) = agent else {
        return show_accounts(app, asking, Some(failure)).await;
    };
    let said = (None, Some(failure.message));
    let mut response = show(app, asking, agent, said).await?;
    *response.status_mut() = failure.status;
    Ok(response)
}

/// Changes an agent, or adds one.
async fn change(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(number): Path<String>,
    headers: HeaderMap,
    Filled(form): Filled<AgentForm>,
) -> Result<Response, PageFailure> {
    super::changes::check_key(&form.key)?;
    let agent = find_or_new(&app, &number).await?;
    let done = async {
        let command = form.command(agent.as_ref(), &operator.by)?;
        submit(&app, Command::Agent(command)).await
    };
    match done.await {
        Ok(Answer::Agent { agent, .. }) => {
            Ok(Redirect::to(&format!("/agents/{agent}?done=1")).into_response())
        }
        Ok(_) => Ok(Redirect::to("/accounts").into_response()),
        Err(failure) => Ok(again(&app, (&operator, &headers), agent.as_ref(), failure).await?),
    }
}

/// From the two fields of a form to the address of the report.
async fn choose_days(
    State(app): State<App>,
    Path(number): Path<String>,
    Linked(query): Linked<DayEndQuery>,
) -> Result<Redirect, PageFailure> {
    let today = app.0.site.rules.calendar.day_of(app.0.desk.now().at);
    let (from, to) = query.days(today)?;
    let id = find_agent(&app, &number).await?.agent.id;
    Ok(Redirect::to(&format!(
        "/agents/{id}/day-end/{from}_{to}.html"
    )))
}

async fn day_end(
    State(app): State<App>,
    Path((number, file)): Path<(String, String)>,
) -> Result<Response, PageFailure> {
    let id = find_agent(&app, &number).await?.agent.id;
    let (folder, back) = (format!("/agents/{id}/day-end/"), format!("/agents/{id}"));
    day_end_file(&app, id, &file, (&folder, back)).await
}

/// The agent whose person this is.
pub(super) async fn own_agent(app: &App, by: &str) -> Result<AgentView, Failure> {
    let person = Who::of(by);
    let agents = app.read(|rows| rows.agents()).await?;
    let mut agents = agents.into_iter();
    let own = agents.find(|view| view.agent.people.contains(&person));
    own.ok_or_else(|| Refusal::from(MoneyRefusal::NoSuchAgent).into())
}

async fn own_day_end(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(file): Path<String>,
) -> Result<Response, PageFailure> {
    let id = own_agent(&app, &operator.by).await?.agent.id;
    day_end_file(&app, id, &file, ("/agent/day-end/", "/agent".to_owned())).await
}
