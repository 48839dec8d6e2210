//! Debts, proposals, agents and their day, for the subcommands.

use super::server::{Office, failed, read_rows};
use super::{Request, Response};
use gateway_core::agent::agent_named;
use gateway_core::calendar::LocalDay;
use gateway_core::correction::Proposal;
use gateway_core::debt::Debts;
use gateway_core::prepay::MoneyRefusal;
use gateway_core::{Micro, Refusal, UsagePoint, UsagePointId};
use gateway_web::paper::{DayEndPaper, LossPaper, span};
use serde::{Deserialize, Serialize};

/// What a usage point owes, and what waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedFacts {
    /// Its number.
    pub usage_point: UsagePointId,
    /// What people call it.
    pub label: String,
    /// Its debts.
    pub debts: Debts,
    /// Corrections that wait.
    pub proposals: Vec<Proposal>,
}

/// Answers what is asked about debts and agents.
pub(super) async fn answer(request: Request, office: &Office) -> Response {
    match request {
        Request::Owed { id } => owed(office, id).await,
        Request::Agents {} => agents(office).await,
        Request::DayEnd { agent, day } => day_end(office, agent, day).await,
        Request::LossMonth { day } => loss_month(office, day).await,
        _ => failed("the request is not understood".into()),
    }
}

/// Usage points that owe something or have something waiting; of one, whatever it has.
async fn owed(office: &Office, id: Option<UsagePointId>) -> Response {
    read_rows(office, move |reader| {
        let points = reader.usage_points()?.into_iter();
        let points: Vec<UsagePoint> = points.map(|view| view.usage_point).collect();
        if id.is_some_and(|id| points.iter().all(|point| point.id != id)) {
            let refusal = Refusal::NoSuchUsagePoint;
            return Ok(Response::Refused { refusal });
        }
        let wanted = |point: &UsagePoint| match id {
            Some(id) => point.id == id,
            None => point.debts.remaining() > Micro::ZERO || !point.proposals.is_empty(),
        };
        let points = points.into_iter().filter(|point| wanted(point));
        let facts = |point: UsagePoint| OwedFacts {
            usage_point: point.id,
            label: point.label,
            debts: point.debts,
            proposals: point.proposals,
        };
        Ok(Response::Owed {
            points: points.map(facts).collect(),
        })
    })
    .await
}

/// Every agent.
async fn agents(office: &Office) -> Response {
    read_rows(office, |reader| {
        let agents = reader.agents()?;
        Ok(Response::Agents { agents })
    })
    .await
}

/// A month's losses; those of the month in progress if no day is named.
async fn loss_month(office: &Office, day: Option<LocalDay>) -> Response {
    let letterhead = super::paper::letterhead(office);
    let ground = office.ground.clone();
    read_rows(office, move |reader| {
        reader.together(|reader| {
            let (calendar, now) = (letterhead.calendar, letterhead.made_at);
            let day = day.unwrap_or_else(|| calendar.day_of(now));
            let report = reader.loss_month(day, (calendar, now), &ground)?;
            let currency = reader.tariffs()?.into_iter().next();
            let currency = currency.map(|tariff| tariff.currency).unwrap_or_default();
            let paper = Box::new(LossPaper::new(&letterhead, &currency, report));
            Ok(Response::LossMonth { paper })
        })
    })
    .await
}

/// An agent's day; today if none is named.
async fn day_end(office: &Office, name: String, day: Option<LocalDay>) -> Response {
    let letterhead = super::paper::letterhead(office);
    read_rows(office, move |reader| {
        reader.together(|reader| {
            let agents = reader.agents()?.into_iter();
            let agents = agents.map(|view| (view.agent.id, view.agent)).collect();
            let calendar = letterhead.calendar;
            let day = day.unwrap_or_else(|| calendar.day_of(letterhead.made_at));
            let (from, to) = span((day, day), calendar);
            let report = match agent_named(&agents, &name) {
                Some(agent) => reader.day_end(agent.id, from, to)?,
                None => None,
            };
            let Some(report) = report else {
                let refusal = MoneyRefusal::NoSuchAgent.into();
                return Ok(Response::Refused { refusal });
            };
            if report.too_long {
                return Ok(failed("the day has more than 10,000 movements".into()));
            }
            let currency = reader.tariffs()?.into_iter().next();
            let currency = currency.map(|tariff| tariff.currency).unwrap_or_default();
            let paper = DayEndPaper::new(&letterhead, (day, day), &currency, report);
            Ok(Response::DayEnd {
                paper: Box::new(paper),
            })
        })
    })
    .await
}
