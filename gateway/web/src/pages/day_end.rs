//! Day-end reports of agents: `/agents/3/day-end/2026-11-27.pdf`, for people of the site, and `/agent/day-end/…` for the agent.

use super::paper::attachment;
use crate::app::App;
use crate::committed::Span;
use crate::failure::{Failure, PageFailure};
use crate::paper::{DayEndPaper, Format, Letterhead, Link, span};
use axum::response::{Html, IntoResponse, Response};
use gateway_core::Refusal;
use gateway_core::agent::AgentId;
use gateway_core::calendar::LocalDay;
use gateway_core::prepay::MoneyRefusal;
use gateway_store::day_end::AgentView;
use serde::Deserialize;

/// Which days.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct DayEndQuery {
    /// One day; today if nothing is said.
    pub day: String,
    /// Several days instead, both included.
    pub from: String,
    pub to: String,
}

impl DayEndQuery {
    pub(super) fn days(&self, today: LocalDay) -> Result<(LocalDay, LocalDay), Failure> {
        let day = |text: &str, otherwise| match text {
            "" => Ok(otherwise),
            text => text.parse().map_err(|_| {
                let words = "A day is written like 2026-11-23.";
                Failure::unusable("range-unusable", words)
            }),
        };
        let one = day(&self.day, today)?;
        let to = day(&self.to, one)?;
        let from = day(&self.from, to.min(one))?;
        if from > to {
            let words = "The first day comes after the last.";
            return Err(Failure::unusable("range-unusable", words));
        }
        Ok((from, to))
    }
}

/// The agent an address names.
pub(crate) async fn find_agent(app: &App, number: &str) -> Result<AgentView, Failure> {
    let none = || Failure::from(Refusal::from(MoneyRefusal::NoSuchAgent));
    let id: u16 = number.parse().map_err(|_| none())?;
    let agents = app.read(|rows| rows.agents()).await?;
    let mut agents = agents.into_iter();
    agents
        .find(|view| view.agent.id == AgentId(id))
        .ok_or_else(none)
}

/// The report of some days.
pub(crate) async fn day_end_paper(
    app: &App,
    agent: AgentId,
    query: &DayEndQuery,
) -> Result<DayEndPaper, Failure> {
    let site = &app.0.site;
    let letterhead = Letterhead {
        site: site.name.clone(),
        calendar: site.rules.calendar,
        made_at: app.0.desk.now().at,
    };
    let days = query.days(letterhead.calendar.day_of(letterhead.made_at))?;
    let (from, to) = span(days, letterhead.calendar);
    let read = move |rows: &dyn crate::Committed| {
        Ok((rows.day_end(agent, Span { from, to })?, rows.currency()?))
    };
    let (report, currency) = app.read(read).await?;
    let report = report.ok_or(Refusal::from(MoneyRefusal::NoSuchAgent))?;
    if report.too_long {
        let words = "The days have more movements than a report takes; choose fewer.";
        return Err(Failure::unusable("range-too-long", words));
    }
    Ok(DayEndPaper::new(&letterhead, days, &currency, report))
}

/// The report as a page made for print, or as a file; `file` is a day and how it ends.
pub(super) async fn day_end_file(
    app: &App,
    agent: AgentId,
    file: &str,
    (folder, back): (&str, String),
) -> Result<Response, PageFailure> {
    let named = file.rsplit_once('.');
    let named = named.and_then(|(day, ending)| Some((day, ending.parse::<Format>().ok()?)));
    let Some((day, format)) = named else {
        let words = "A report's address ends in .html, .pdf, .csv or .json.";
        return Err(Failure::not_found(words).into());
    };
    let query = match day.split_once('_') {
        Some((from, to)) => DayEndQuery {
            from: from.to_owned(),
            to: to.to_owned(),
            ..DayEndQuery::default()
        },
        None => DayEndQuery {
            day: day.to_owned(),
            ..DayEndQuery::default()
        },
    };
    let paper = day_end_paper(app, agent, &query).await?;
    let content = match format {
        Format::Html => {
            let form = |words, ending| Link {
                words,
                href: format!("{folder}{day}.{ending}"),
            };
            let way_back = Link {
                words: "Back",
                href: back,
            };
            let links = [
                way_back,
                form("PDF", "pdf"),
                form("CSV", "csv"),
                form("JSON", "json"),
            ];
            return Ok(Html(paper.sheet().page(&links)).into_response());
        }
        Format::Pdf => paper.sheet().pdf(),
        Format::Csv => paper.csv().into_bytes(),
        Format::Json => serde_json::to_vec(&paper).unwrap_or_default(),
    };
    Ok(attachment(format, &paper.file_stem(), content))
}
