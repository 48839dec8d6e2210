//! What each address does: read rows, make a view; or put a command to the desk and go on.

pub(crate) mod accounts;
mod agent;
pub(crate) mod agents;
mod alarms;
pub(crate) mod backup;
mod cases;
mod changes;
pub(crate) mod clock;
mod day_end;
mod filled;
mod journal;
mod login;
mod meter_work;
mod meters;
mod my;
mod neighbourhood;
mod paper;
mod password;
mod people;
mod prepay;
pub(crate) mod questions;
mod receipt;
mod settings;
mod status;
mod switch;
mod usage_point;

pub(crate) use agent::{agent, agent_receipt, agent_vend, confirm_agent_vend};
pub(crate) use alarms::{acknowledge, alarms};
pub(crate) use cases::{
    assess_case, case, cases, change_case, check_amount, check_found, check_outcome, check_percent,
    find_case, test_case, whose,
};
pub(crate) use changes::{confirm_supply, confirm_vend, enter_token, order_supply, vend};
pub(crate) use day_end::{DayEndQuery, day_end_paper, find_agent};
pub(crate) use journal::journal;
pub(crate) use login::{login, login_form, logout};
pub(crate) use meter_work::{check_work, do_work, to_test, undo_move, work_form};
pub(crate) use meters::{arm_all, check_arming, find_meter, meter, meters};
pub(crate) use my::{
    choose_language, my_emergency, my_home, my_point, my_question, my_receipt, my_reconnect,
    my_statement, my_token,
};
pub(crate) use neighbourhood::neighbourhood;
pub(crate) use paper::{losses, losses_json, statement, statement_json};
pub(crate) use password::{change_password, password_form};
pub(crate) use people::{add_person, change_role, new_secret, people, remove_person};
pub(crate) use prepay::{activate_emergency, clear_hold};
pub(crate) use receipt::receipt;
pub(crate) use settings::{check_phase, set_arming, set_phase, settings};
pub(crate) use status::{healthz, metrics, no_such_method, no_such_page};
pub(crate) use switch::switch;
pub(crate) use usage_point::usage_point;

use crate::app::App;
use crate::committed::UsagePointRows;
use crate::failure::Failure;
use gateway_core::{Answer, Command, Refusal, UsagePointId};
use std::time::Duration;
use tokio::time::timeout;

/// How long a page waits for a decision to be committed: far beyond the slowest card.
const PATIENCE: Duration = Duration::from_secs(10);

/// Puts a command to the desk and waits for its commit.
pub(crate) async fn submit(app: &App, command: Command) -> Result<Answer, Failure> {
    match timeout(PATIENCE, app.0.desk.submit(command)).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::new(
            axum::http::StatusCode::GATEWAY_TIMEOUT,
            "no-answer-in-time",
            "The gateway did not answer in 10 seconds. Whether it was done is not known yet: try again with this same page; \
             nothing is done twice.",
        )),
    }
}

/// A form that this page did not make.
pub(crate) fn form_unusable() -> Failure {
    Failure::unusable(
        "form-unusable",
        "The form was not understood; nothing was changed. Open its page again and begin anew.",
    )
}

/// The usage point an address names.
pub(crate) async fn find(app: &App, id: &str) -> Result<UsagePointRows, Failure> {
    let none = || Failure::from(Refusal::NoSuchUsagePoint);
    let id: UsagePointId = id.parse().map_err(|_| none())?;
    let rows = app.read(move |rows| rows.usage_point(id)).await?;
    rows.ok_or_else(none)
}
