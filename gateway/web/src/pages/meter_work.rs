//! `/meters/new/add` and `/meters/{number}/{replace, move, retire}`: a form, a look at what the meter says, then it is done.
//!
//! Nothing is saved that was not looked at, unless the installer says so on the page that shows what is wrong.

use super::filled::{Filled, Linked};
use super::{find_meter, form_unusable, submit};
use crate::access::Operator;
use crate::app::App;
use crate::committed::MeterRows;
use crate::desk::MeterShown;
use crate::failure::{Failure, PageFailure};
use crate::meter_form::MeterForm;
use crate::view::{CheckInputs, FormInputs, MeterCheckView, MeterFormView, Page, Shell, Tab, Work};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use gateway_core::meter_link::{MeterLink, MeterOrder};
use gateway_core::{Answer, Command, NodeId};

const PAGE: Page<'static> = Page {
    title: "Meter",
    tab: Tab::Meters,
    is_live: false,
    reload_s: None,
};

/// What is done to which meter.
struct Job {
    work: Work,
    /// The meter it is done to; none when one is added.
    rows: Option<MeterRows>,
}

impl Job {
    async fn find(app: &App, place: &str, work: &str) -> Result<Self, Failure> {
        let work = match work {
            "add" if place == "new" => Work::Add,
            "replace" => Work::Replace,
            "move" => Work::Move,
            "retire" => Work::Retire,
            _ => {
                let words = "A meter is added, replaced, moved or retired.";
                return Err(Failure::not_found(words));
            }
        };
        let rows = match work {
            Work::Add => None,
            _ => Some(find_meter(app, place).await?),
        };
        Ok(Self { work, rows })
    }

    fn node(&self) -> NodeId {
        self.rows.as_ref().map_or(NodeId(0), |rows| rows.node.id)
    }

    /// The order the form stands for.
    fn order(&self, form: &MeterForm) -> Result<MeterOrder, Failure> {
        let node = self.node();
        Ok(match self.work {
            Work::Add => MeterOrder::Add {
                node: None,
                role: form.role()?,
                install: form.install()?,
            },
            Work::Replace => MeterOrder::Replace {
                node,
                final_register: form.final_register()?,
                install: form.install()?,
            },
            Work::Move => {
                let link = form.link()?;
                let switch = match link.is_sealed() {
                    true => None,
                    false => form.switch(&link)?,
                };
                MeterOrder::Move { node, link, switch }
            }
            Work::Retire => MeterOrder::Retire {
                node,
                final_register: form.final_register()?,
            },
        })
    }
}

/// The meter an order leads to, if it can be looked at before.
pub(crate) fn to_test(order: &MeterOrder) -> Option<&MeterLink> {
    let link = match order {
        MeterOrder::Add { install, .. } | MeterOrder::Replace { install, .. } => &install.link,
        MeterOrder::Move { link, .. } => link,
        MeterOrder::Retire { .. } => return None,
    };
    Some(link).filter(|link| !link.is_sealed())
}

/// The form.
pub(crate) async fn work_form(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path((place, work)): Path<(String, String)>,
    Linked(mut typed): Linked<MeterForm>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let job = Job::find(&app, &place, &work).await?;
    if let (Work::Move, Some(rows)) = (job.work, &job.rows)
        && typed == MeterForm::default()
    {
        typed = MeterForm::of(&rows.node);
    }
    let page = show_form(&app, (&operator, &headers), &job, (typed, None)).await?;
    Ok(page)
}

async fn show_form(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    job: &Job,
    (typed, error): (MeterForm, Option<Failure>),
) -> Result<Response, Failure> {
    let read = |rows: &dyn crate::Committed| rows.neighbourhood();
    let neighbourhood = app.read(read).await?;
    let status = error.as_ref().map_or(StatusCode::OK, |error| error.status);
    let kinds = app.0.desk.kinds();
    let view = MeterFormView::new(FormInputs {
        work: job.work,
        rows: job.rows.as_ref(),
        neighbourhood: &neighbourhood,
        kinds: &kinds,
        typed,
        error: error.map(|error| error.message),
    });
    let mut page = Shell::answer(app, Some(operator), headers, &PAGE, &view);
    *page.status_mut() = status;
    Ok(page)
}

/// What the meter says now, and what saving it means. Changes nothing.
pub(crate) async fn check_work(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path((place, work)): Path<(String, String)>,
    Linked(typed): Linked<MeterForm>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let job = Job::find(&app, &place, &work).await?;
    let asking = (&operator, &headers);
    let order = match job.order(&typed) {
        Ok(order) => order,
        Err(failure) => {
            return Ok(show_form(&app, asking, &job, (typed, Some(failure))).await?);
        }
    };
    let shown = look(&app, &order).await;
    Ok(show_check(&app, asking, &job, (&typed, &order, shown)))
}

/// What a meter shows; nothing if there is nothing to look at.
async fn look(app: &App, order: &MeterOrder) -> Option<Result<MeterShown, String>> {
    let link = to_test(order)?;
    Some(app.0.desk.test_meter(link.clone()).await)
}

fn show_check(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    job: &Job,
    (typed, order, shown): (&MeterForm, &MeterOrder, Option<Result<MeterShown, String>>),
) -> Response {
    let failed = matches!(shown, Some(Err(_)));
    let view = MeterCheckView::new(CheckInputs {
        work: job.work,
        rows: job.rows.as_ref(),
        typed,
        order,
        shown,
        by: &operator.by,
    });
    let mut page = Shell::answer(app, Some(operator), headers, &PAGE, &view);
    if failed {
        *page.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    page
}

/// Does it.
pub(crate) async fn do_work(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path((place, work)): Path<(String, String)>,
    headers: HeaderMap,
    Filled(typed): Filled<MeterForm>,
) -> Result<Response, PageFailure> {
    let job = Job::find(&app, &place, &work).await?;
    let asking = (&operator, &headers);
    let order = match job.order(&typed) {
        Ok(order) => order,
        Err(failure) => {
            return Ok(show_form(&app, asking, &job, (typed, Some(failure))).await?);
        }
    };
    let mut order = order;
    if typed.untested != "yes" {
        match (look(&app, &order).await, &mut order) {
            (Some(Err(words)), order) => {
                let shown = (&typed, &*order, Some(Err(words)));
                return Ok(show_check(&app, asking, &job, shown));
            }
            (Some(Ok(shown)), MeterOrder::Move { link, .. }) => *link = shown.bound(link.clone()),
            _ => {}
        }
    }
    let command = Command::WorkOnMeter {
        work: Box::new(order),
        by: operator.by.clone(),
    };
    let target = match submit(&app, command).await {
        Ok(Answer::NodeAdded { node }) => format!("/meters/{node}?done={work}"),
        Ok(_) if job.work == Work::Retire => "/meters?done=retire".to_owned(),
        Ok(_) => moved_target(&job),
        Err(failure) => {
            return Ok(show_form(&app, asking, &job, (typed, Some(failure))).await?);
        }
    };
    Ok(Redirect::to(&target).into_response())
}

/// The moved meter's page, with the way back.
fn moved_target(job: &Job) -> String {
    let node = job.node();
    let was = job.rows.as_ref().and_then(|rows| {
        let was = (&rows.node.link, &rows.node.switch);
        serde_json::to_string(&was).ok()
    });
    let was = was.map_or_else(String::new, |was| format!("&was={}", escaped(&was)));
    format!("/meters/{node}?done=move{was}")
}

/// A value for an address.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoForm {
    was: String,
}

/// Moves a meter back to where it was.
pub(crate) async fn undo_move(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(place): Path<String>,
    Filled(form): Filled<UndoForm>,
) -> Result<Response, PageFailure> {
    let rows = find_meter(&app, &place).await?;
    let node = rows.node.id;
    let (link, switch) = serde_json::from_str(&form.was).map_err(|_| form_unusable())?;
    let command = Command::WorkOnMeter {
        work: Box::new(MeterOrder::Move { node, link, switch }),
        by: operator.by,
    };
    submit(&app, command).await?;
    Ok(Redirect::to(&format!("/meters/{node}?done=undone")).into_response())
}
