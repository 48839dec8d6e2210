//! `/my`: what a resident sees and does, at their own usage points only.
//!
//! Invariant: every address names a usage point, and [`own`] is the only way from that name to rows. Somebody else's usage point answers
//! exactly like one that does not exist.

use super::filled::Filled;
use super::paper::{Asked, Place, file_of};
use super::receipt::{Holder, ReceiptQuery, receipt_of};
use super::{find, submit};
use crate::access::Operator;
use crate::app::App;
use crate::committed::{JournalQuery, ProfileRow, Span, UsagePointRows};
use crate::failure::{Failure, PageFailure};
use crate::view::{MyDone, MyInputs, MyView, Page, PointsView, Shell, Tab, TokenEntry};
use crate::words::{self, Words};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use gateway_core::guard::GuardCommand;
use gateway_core::prepay::PrepayCommand;
use gateway_core::question::QuestionCommand;
use gateway_core::{Answer, Command, Record, Refusal, UsagePointId, UtcSeconds};
use serde::Deserialize;

/// Records looked through for recharges and messages: some months of a household's.
const RECORDS: usize = 600;
/// Days of the chart.
const DAYS: i64 = 2;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Wanted {
    /// Receipt of what was just done, or a word for it.
    done: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenForm {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LanguageForm {
    code: String,
}

/// One's own usage point of a number.
async fn own(app: &App, operator: &Operator, id: &str) -> Result<UsagePointRows, Failure> {
    let none = || Failure::from(Refusal::NoSuchUsagePoint);
    let id: UsagePointId = id.parse().map_err(|_| none())?;
    if !operator.person.lives_at(id) {
        return Err(none());
    }
    find(app, &id.to_string()).await
}

/// The one usage point, or the list of several.
pub(crate) async fn my_home(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    if let [only] = operator.person.usage_points.as_slice() {
        return Ok(Redirect::to(&format!("/my/{only}")).into_response());
    }
    let mut points = Vec::new();
    for id in &operator.person.usage_points {
        let rows = own(&app, &operator, &id.to_string()).await?;
        points.push((id.to_string(), rows.point.label));
    }
    let words = Words::of(&headers);
    let view = PointsView { words, points };
    let page = Page {
        title: words.get("points"),
        tab: Tab::None,
        is_live: false,
        reload_s: None,
    };
    Ok(Shell::answer(&app, Some(&operator), &headers, &page, &view))
}

/// Everything about one usage point.
pub(crate) async fn my_point(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let done = wanted.ok().and_then(|Query(wanted)| wanted.done);
    let done = done.and_then(|word| match word.as_str() {
        "emergency" => Some(MyDone::Emergency),
        "reconnect" => Some(MyDone::Reconnect),
        "asked" => Some(MyDone::Asked),
        number => number.parse().ok().map(MyDone::Receipt),
    });
    let rows = own(&app, &operator, &id).await?;
    Ok(show(
        &app,
        (&operator, &headers),
        rows,
        Said {
            done,
            ..Said::default()
        },
    )
    .await?)
}

/// What the page says about what was just asked for.
#[derive(Default)]
struct Said {
    token: TokenEntry,
    done: Option<MyDone>,
    error: Option<String>,
}

async fn show(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    rows: UsagePointRows,
    said: Said,
) -> Result<Response, Failure> {
    let now = app.0.desk.now();
    let (records, profile) = read(app, &rows, now.at).await?;
    let words = Words::of(headers);
    let title = rows.point.label.clone();
    let is_error = said.token.error.is_some() || said.error.is_some();
    let inputs = MyInputs {
        words,
        rows: &rows,
        records: &records,
        profile: &profile,
        token: Some(said.token).filter(|_| app.0.site.takes_tokens),
        done: said.done,
        error: said.error,
        hours: DAYS * 24,
    };
    let view = MyView::new(inputs, &app.0.site.rules, now.at);
    let page = Page {
        title: &title,
        tab: Tab::None,
        is_live: !is_error,
        reload_s: None,
    };
    Ok(Shell::answer(app, Some(operator), headers, &page, &view))
}

async fn read(
    app: &App,
    rows: &UsagePointRows,
    now: UtcSeconds,
) -> Result<(Vec<Record>, Vec<ProfileRow>), Failure> {
    let (id, node) = (rows.point.id, rows.node);
    let query = JournalQuery {
        from: None,
        limit: RECORDS,
        usage_point: Some(id),
    };
    let span = Span {
        // A half hour more, so that the first bar has the boundary before it.
        from: UtcSeconds(now.0 - DAYS * 86_400 - 1_800),
        to: now,
    };
    let read = app.read(move |rows| {
        let profile = node.map_or(Ok(Vec::new()), |node| rows.profile(node, span))?;
        Ok((rows.journal(&query)?, profile))
    });
    Ok(read.await?)
}

/// Enters a token.
pub(crate) async fn my_token(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Result<Filled<TokenForm>, PageFailure>,
) -> Result<Response, PageFailure> {
    let rows = own(&app, &operator, &id).await?;
    let Filled(form) = form?;
    let usage_point = rows.point.id;
    let command = Command::EnterToken {
        usage_point,
        token: form.token.clone(),
        by: operator.by.clone(),
    };
    let failure = match submit(&app, command).await {
        Ok(Answer::TokenTaken { receipt, .. }) => {
            let target = format!("/my/{usage_point}?done={receipt}");
            return Ok(Redirect::to(&target).into_response());
        }
        Ok(_) => return Ok(Redirect::to(&format!("/my/{usage_point}")).into_response()),
        Err(failure) => failure,
    };
    let token = TokenEntry {
        digits: form.token,
        error: Some(failure.message),
    };
    let said = Said {
        token,
        ..Said::default()
    };
    let mut page = show(&app, (&operator, &headers), rows, said).await?;
    *page.status_mut() = failure.status;
    Ok(page)
}

/// Activates emergency credit that is offered.
pub(crate) async fn my_emergency(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let rows = own(&app, &operator, &id).await?;
    let (usage_point, by) = (rows.point.id, operator.by.clone());
    let command = Command::Prepay(PrepayCommand::ActivateEmergency { usage_point, by });
    done_or_said(&app, (&operator, &headers), rows, (command, "emergency")).await
}

/// In place of a press at the meter, when the supply is ready for it.
pub(crate) async fn my_reconnect(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let rows = own(&app, &operator, &id).await?;
    let (usage_point, by) = (rows.point.id, operator.by.clone());
    let command = Command::Guard(GuardCommand::Close { usage_point, by });
    done_or_said(&app, (&operator, &headers), rows, (command, "reconnect")).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuestionForm {
    text: String,
    #[serde(default)]
    about: String,
}

/// Asks about a bill or a reading; the office answers. The same question sent twice is one.
pub(crate) async fn my_question(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Result<Filled<QuestionForm>, PageFailure>,
) -> Result<Response, PageFailure> {
    let rows = own(&app, &operator, &id).await?;
    let Filled(form) = form?;
    let command = Command::Question(QuestionCommand::Ask {
        usage_point: rows.point.id,
        about: form.about.trim().parse().ok(),
        // Browsers send line ends as two characters.
        text: form.text.replace("\r\n", "\n"),
        by: operator.by.clone(),
    });
    done_or_said(&app, (&operator, &headers), rows, (command, "asked")).await
}

/// Puts a command to the desk; back on the page it is said what came of it. Pressed twice, the second finds nothing to do and says so.
async fn done_or_said(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    rows: UsagePointRows,
    (command, word): (Command, &str),
) -> Result<Response, PageFailure> {
    let id = rows.point.id;
    let Err(failure) = submit(app, command).await else {
        return Ok(Redirect::to(&format!("/my/{id}?done={word}")).into_response());
    };
    let key = match failure.name.as_ref() {
        "too-many-questions" => "ask-full",
        _ => "not-done",
    };
    let said = Said {
        error: Some(Words::of(headers).get(key).to_owned()),
        ..Said::default()
    };
    let mut page = show(app, (operator, headers), rows, said).await?;
    *page.status_mut() = failure.status;
    Ok(page)
}

/// The receipt of one's own payment or token.
pub(crate) async fn my_receipt(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path((id, number)): Path<(String, String)>,
    query: Result<Query<ReceiptQuery>, QueryRejection>,
) -> Result<Response, PageFailure> {
    let point = own(&app, &operator, &id).await?.point.id;
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let holder = Holder::Resident(point);
    Ok(receipt_of(&app, &number, &query, holder).await?)
}

/// One's own statement, as the page or a file. The file's name may be that of any usage point; it counts only if it is this one.
pub(crate) async fn my_statement(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path((id, file)): Path<(String, String)>,
    wanted: Asked,
) -> Result<Response, PageFailure> {
    let point = own(&app, &operator, &id).await?.point.id;
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
    file_of(&app, &format!("{point}.{ending}"), wanted, Place::Own).await
}

/// Another language from now on, in this browser.
pub(crate) async fn choose_language(
    Extension(operator): Extension<Operator>,
    form: Result<Form<LanguageForm>, FormRejection>,
) -> Response {
    let code = form.ok().and_then(|Form(form)| Words::named(&form.code));
    let Some(words) = code else {
        return Failure::unusable("no-such-language", "There is no such language.").into_page();
    };
    let (name, code) = (words::COOKIE, words.code);
    let cookie = format!("{name}={code}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000");
    let home = Redirect::to(operator.home());
    (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie)], home).into_response()
}
