//! Papers: `/statement/UP-0001.html`, `.pdf`, `.csv`, `.json`, with `?from=2026-11-01&to=2026-11-30` or `?period=last`

use super::find;
use crate::app::App;
use crate::committed::{Span, StatementQuery};
use crate::failure::{ApiFailure, Failure, PageFailure};
use crate::paper::{Format, Letterhead, Link, LossPaper, Range, StatementPaper, span};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use gateway_core::calendar::LocalDay;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Wanted {
    from: String,
    to: String,
    period: String,
}

pub(super) type Asked = Result<Query<Wanted>, QueryRejection>;

impl Wanted {
    fn range(&self) -> Result<Range, Failure> {
        let day = |text: &str| -> Result<Option<LocalDay>, Failure> {
            let wrong = |_| {
                let words = "A day is written like 2026-11-23.";
                Failure::unusable("range-unusable", words)
            };
            (!text.is_empty())
                .then(|| text.parse().map_err(wrong))
                .transpose()
        };
        let is_last = match self.period.as_str() {
            "" | "this" => false,
            "last" => true,
            _ => {
                let words = "A period is `this` or `last`.";
                return Err(Failure::unusable("range-unusable", words));
            }
        };
        let (from, to) = (day(&self.from)?, day(&self.to)?);
        Ok(Range { from, to, is_last })
    }
}

async fn made(app: &App, id: &str, wanted: Asked) -> Result<StatementPaper, Failure> {
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let rows = find(app, id).await?;
    let site = &app.0.site;
    let letterhead = Letterhead {
        site: site.name.clone(),
        calendar: site.rules.calendar,
        made_at: app.0.desk.now().at,
    };
    let range = wanted.range()?;
    let days = range.days(&rows.point, letterhead.calendar, letterhead.made_at);
    let days = days
        .map_err(|_| Failure::unusable("range-unusable", "The first day comes after the last."))?;
    let (from, to) = span(days, letterhead.calendar);
    let query = StatementQuery {
        usage_point: rows.point.id,
        span: Span { from, to },
    };
    let statement = app.read(move |rows| rows.account_statement(&query)).await?;
    let statement = statement.ok_or(gateway_core::Refusal::NoSuchUsagePoint)?;
    if statement.too_long {
        let words = "The range has more lines than a statement takes; choose a shorter one.";
        return Err(Failure::unusable("range-too-long", words));
    }
    Ok(StatementPaper::new(&letterhead, days, statement))
}

/// The statement as a page made for print, or as a file.
pub(crate) async fn statement(
    State(app): State<App>,
    Path(file): Path<String>,
    wanted: Asked,
) -> Result<Response, PageFailure> {
    file_of(&app, &file, wanted, Place::Site).await
}

/// Where a statement stands: the way back and the links to its other forms differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Site,
    /// A resident's own pages.
    Own,
}

/// The statement `UP-0007.pdf` or its like.
pub(super) async fn file_of(
    app: &App,
    file: &str,
    wanted: Asked,
    place: Place,
) -> Result<Response, PageFailure> {
    let named = file.rsplit_once('.');
    let named = named.and_then(|(id, ending)| Some((id, ending.parse::<Format>().ok()?)));
    let Some((id, format)) = named else {
        let words = "A statement's address ends in .html, .pdf, .csv or .json.";
        return Err(Failure::not_found(words).into());
    };
    let paper = made(app, id, wanted).await?;
    let content = match format {
        Format::Html => return Ok(Html(paper.sheet().page(&links(&paper, place))).into_response()),
        Format::Pdf => paper.sheet().pdf(),
        Format::Csv => paper.csv().into_bytes(),
        Format::Json => serde_json::to_vec(&paper).unwrap_or_default(),
    };
    Ok(attachment(format, &paper.file_stem(), content))
}

/// The statement for programs.
pub(crate) async fn statement_json(
    State(app): State<App>,
    Path(id): Path<String>,
    wanted: Asked,
) -> Result<Json<StatementPaper>, ApiFailure> {
    Ok(Json(made(&app, &id, wanted).await?))
}

/// A month's losses, `2026-11.pdf` or its like, as the page or a file.
pub(crate) async fn losses(
    State(app): State<App>,
    Path(file): Path<String>,
) -> Result<Response, PageFailure> {
    let named = file.rsplit_once('.');
    let named = named.and_then(|(month, ending)| Some((month, ending.parse::<Format>().ok()?)));
    let Some((month, format)) = named else {
        let words = "A loss report's address is a month and .html, .pdf, .csv or .json.";
        return Err(Failure::not_found(words).into());
    };
    let paper = lost(&app, month).await?;
    let content = match format {
        Format::Html => {
            let form = |words, ending: &str| Link {
                words,
                href: format!("/losses/{}.{ending}", paper.month),
            };
            let back = Link {
                words: "Back",
                href: "/cases".to_owned(),
            };
            let links = [
                back,
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

/// The same for programs.
pub(crate) async fn losses_json(
    State(app): State<App>,
    Path(month): Path<String>,
) -> Result<Json<LossPaper>, ApiFailure> {
    Ok(Json(lost(&app, &month).await?))
}

async fn lost(app: &App, month: &str) -> Result<LossPaper, Failure> {
    let first = format!("{month}-01").parse::<LocalDay>();
    let first = first
        .map_err(|_| Failure::unusable("month-unusable", "A month is written like 2026-11."))?;
    let site = &app.0.site;
    let letterhead = Letterhead {
        site: site.name.clone(),
        calendar: site.rules.calendar,
        made_at: app.0.desk.now().at,
    };
    let (ground, at) = (
        site.ground.clone(),
        (letterhead.calendar, letterhead.made_at),
    );
    let read = move |rows: &dyn crate::Committed| {
        Ok((rows.loss_month(first, at, &ground)?, rows.currency()?))
    };
    let (report, currency) = app.read(read).await?;
    Ok(LossPaper::new(&letterhead, &currency, report))
}

pub(super) fn attachment(format: Format, stem: &str, content: Vec<u8>) -> Response {
    let name = format!("{stem}.{}", format.extension());
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    (headers, content).into_response()
}

/// The way back, and the other forms of the same statement.
fn links(paper: &StatementPaper, place: Place) -> Vec<Link> {
    let (id, from, to) = (&paper.number, &paper.first_day, &paper.last_day);
    let (folder, back) = match place {
        Place::Site => ("/statement/".to_owned(), format!("/usage-point/{id}")),
        Place::Own => (format!("/my/{id}/statement/"), format!("/my/{id}")),
    };
    let form = |words, ending: &str| Link {
        words,
        href: format!("{folder}{id}.{ending}?from={from}&to={to}"),
    };
    vec![
        Link {
            words: "Back",
            href: back,
        },
        Link {
            words: "Last period",
            href: format!("{folder}{id}.html?period=last"),
        },
        form("PDF", "pdf"),
        form("CSV", "csv"),
        form("JSON", "json"),
    ]
}
