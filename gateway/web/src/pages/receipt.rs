//! `/receipt/{number}`: a payment or token on paper.

use super::find;
use super::paper::attachment;
use crate::app::App;
use crate::committed::{JournalQuery, Span, StatementQuery};
use crate::failure::{Failure, PageFailure};
use crate::paper::{Format, Letterhead, ReceiptPage, ReceiptPaper, present_rate};
use crate::view::ReceiptView;
use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use gateway_core::person::author::is_same;
use gateway_core::{Decision, Record, UsagePointId};
use serde::Deserialize;

/// Columns of a till's printers: paper of 58 and of 80 mm.
const WIDTHS: [usize; 2] = [32, 48];

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct ReceiptQuery {
    /// The first print, right after the payment; else it says DUPLICATE.
    original: Option<String>,
    /// As plain text of 32 or 48 columns instead of a page.
    columns: Option<usize>,
    /// As PDF: `58`, `80` or `a4`.
    pdf: Option<String>,
}

/// Any receipt.
pub(crate) async fn receipt(
    State(app): State<App>,
    Path(number): Path<String>,
    query: Result<Query<ReceiptQuery>, QueryRejection>,
) -> Result<Response, PageFailure> {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    Ok(receipt_of(&app, &number, &query, Holder::Site).await?)
}

/// Who holds the receipt in hand.
#[derive(Clone, Copy)]
pub(super) enum Holder<'a> {
    /// Somebody who sees every usage point.
    Site,
    /// A resident of this one; others' receipts do not exist.
    Resident(UsagePointId),
    /// Whoever made the vend, by their author; others' receipts do not exist.
    Agent(&'a str),
}

impl Holder<'_> {
    fn may_see(self, record: &Record) -> bool {
        match (self, &record.decision) {
            (Self::Site, _) => true,
            (Self::Resident(own), decision) => decision.usage_point() == Some(own),
            (Self::Agent(own), Decision::Vended { by, .. }) => is_same(own, by),
            (Self::Agent(_), _) => false,
        }
    }
}

/// The receipt of a number, if its holder may see it.
pub(super) async fn receipt_of(
    app: &App,
    number: &str,
    query: &ReceiptQuery,
    holder: Holder<'_>,
) -> Result<Response, Failure> {
    let none = || Failure::not_found("No payment and no token has this number.");
    let number: u64 = number.parse().map_err(|_| none())?;
    let journal = JournalQuery {
        from: Some(number),
        limit: 1,
        usage_point: None,
    };
    let found = app.read(move |rows| rows.journal(&journal)).await?.pop();
    let record = found.filter(|record| record.number == number && holder.may_see(record));
    let record = record.ok_or_else(none)?;
    let id = record.decision.usage_point().ok_or_else(none)?;
    let rows = find(app, &id.to_string()).await?;
    let (from, to) = ReceiptPaper::span(record.at);
    let statement = StatementQuery {
        usage_point: id,
        span: Span { from, to },
    };
    let statement = app
        .read(move |rows| rows.account_statement(&statement))
        .await?;
    let site = &app.0.site;
    let letterhead = Letterhead {
        site: site.name.clone(),
        calendar: site.rules.calendar,
        made_at: app.0.desk.now().at,
    };
    let rate = rows
        .tariff
        .as_ref()
        .map(|tariff| present_rate(&rows.point, tariff));
    let asked = (number, query.original.is_some());
    let statement = statement.ok_or_else(none)?;
    let paper = ReceiptPaper::new(&letterhead, &statement, asked, rate).ok_or_else(none)?;
    if let Some(columns) = query.columns {
        let columns = WIDTHS
            .into_iter()
            .find(|width| *width == columns)
            .unwrap_or(48);
        let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
        return Ok(([kind], paper.text(columns)).into_response());
    }
    if let Some(page) = &query.pdf {
        let page = page.parse::<ReceiptPage>().map_err(|_| {
            let words = "A receipt's paper is 58, 80 or a4.";
            Failure::unusable("paper-unusable", words)
        })?;
        let stem = format!("receipt-{number}");
        return Ok(attachment(Format::Pdf, &stem, paper.pdf(page)));
    }
    let back = match holder {
        Holder::Site => format!("/usage-point/{id}"),
        Holder::Resident(own) => format!("/my/{own}"),
        Holder::Agent(_) => "/agent".to_owned(),
    };
    let page = ReceiptView::new(&paper, back, query.original.is_some())
        .render()
        .unwrap_or_default();
    Ok(Html(page).into_response())
}
