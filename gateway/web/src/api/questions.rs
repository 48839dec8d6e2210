//! Questions of residents and their answers, for programs.

use super::sent::{Answered, Asked, done};
use crate::app::App;
use crate::failure::{ApiFailure, Failure};
use crate::pages::find;
use crate::routes::{Needs, Routes};
use axum::Json;
use axum::extract::{Path, State};
use gateway_core::person::Deed;
use gateway_core::question::{Question, QuestionCommand, QuestionRefusal};
use gateway_core::{Command, Refusal};
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Routes {
    let see = Needs::May(Deed::SeeSite);
    let decide = Needs::May(Deed::DecideDisputes);
    Routes::under("/api/v1")
        .get("/questions", see, questions)
        .post("/usage-points/{id}/questions", decide, ask)
        .post("/usage-points/{id}/questions/{number}/reply", decide, reply)
}

#[derive(Serialize)]
struct QuestionOf {
    usage_point: String,
    question: Question,
}

#[derive(Serialize)]
struct AllAsked {
    questions: Vec<QuestionOf>,
}

async fn questions(State(app): State<App>) -> Result<Json<AllAsked>, ApiFailure> {
    let rows = app.read(|rows| rows.neighbourhood()).await?;
    let of_point = |rows: crate::committed::UsagePointRows| {
        let usage_point = rows.point.id.to_string();
        let questions = rows.point.questions.into_iter();
        questions.map(move |question| QuestionOf {
            usage_point: usage_point.clone(),
            question,
        })
    };
    let questions = rows.usage_points.into_iter().flat_map(of_point).collect();
    Ok(Json(AllAsked { questions }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskBody {
    text: String,
    #[serde(default)]
    about: Option<u64>,
}

async fn ask(
    State(app): State<App>,
    Path(id): Path<String>,
    Asked {
        body: AskBody { text, about },
        by,
    }: Asked<AskBody>,
) -> Answered {
    let command = QuestionCommand::Ask {
        usage_point: find(&app, &id).await?.point.id,
        about,
        text,
        by,
    };
    done(&app, Command::Question(command)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyBody {
    text: String,
}

async fn reply(
    State(app): State<App>,
    Path((id, number)): Path<(String, String)>,
    Asked {
        body: ReplyBody { text },
        by,
    }: Asked<ReplyBody>,
) -> Answered {
    let none = |_| Failure::from(Refusal::from(QuestionRefusal::NoSuchQuestion));
    let command = QuestionCommand::Reply {
        usage_point: find(&app, &id).await?.point.id,
        number: number.parse().map_err(none)?,
        text,
        by,
    };
    done(&app, Command::Question(command)).await
}
