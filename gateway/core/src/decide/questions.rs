//! Questions of residents, and their answers.

use super::Draft;
use super::cases::check_text;
use crate::decision::Decision;
use crate::event::Answer;
use crate::question::{
    MOST_OPEN, Question, QuestionCommand, QuestionDecision, QuestionRefusal, open,
};
use crate::refusal::Refusal;

pub(super) fn ask(draft: &mut Draft<'_>, command: &QuestionCommand) -> Result<Answer, Refusal> {
    let (usage_point, what) = match command {
        QuestionCommand::Ask {
            usage_point,
            about,
            text,
            by,
        } => {
            check_text(by, text, false)?;
            draft.take(*usage_point)?;
            let is_same = |asked: &Question| asked.text == *text && asked.about == *about;
            if open(asked(draft)).any(is_same) {
                return Ok(Answer::Done);
            }
            if open(asked(draft)).count() >= MOST_OPEN {
                return Err(QuestionRefusal::TooManyQuestions.into());
            }
            let what = QuestionDecision::Asked {
                about: *about,
                text: text.clone(),
                by: by.clone(),
            };
            (*usage_point, what)
        }
        QuestionCommand::Reply {
            usage_point,
            number,
            text,
            by,
        } => {
            check_text(by, text, false)?;
            draft.take(*usage_point)?;
            if !open(asked(draft)).any(|asked| asked.number == *number) {
                return Err(QuestionRefusal::NoSuchQuestion.into());
            }
            let what = QuestionDecision::Answered {
                asked: *number,
                text: text.clone(),
                by: by.clone(),
            };
            (*usage_point, what)
        }
    };
    draft.push(Decision::Question { usage_point, what });
    Ok(Answer::Done)
}

/// The questions of the usage point in hand.
fn asked<'a>(draft: &'a Draft<'_>) -> &'a [Question] {
    let point = draft.point.as_ref();
    point.map_or(&[], |point| &point.questions)
}
