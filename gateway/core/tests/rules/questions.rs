//! Questions of residents: asked once, answered once, never forgotten while they are open.

use crate::site::*;
use gateway_core::question::{MOST_KEPT, MOST_OPEN, QuestionCommand, QuestionRefusal, open};
use gateway_core::*;

impl Site {
    fn asks(&mut self, text: &str) -> Result<Answer, Refusal> {
        self.command(Command::Question(QuestionCommand::Ask {
            usage_point: POINT,
            about: Some(2),
            text: text.into(),
            by: "UP-0001 via page".into(),
        }))
    }

    fn answers(&mut self, number: u64) -> Result<Answer, Refusal> {
        self.command(Command::Question(QuestionCommand::Reply {
            usage_point: POINT,
            number,
            text: "looked into".into(),
            by: "asha via page".into(),
        }))
    }
}

#[test]
fn a_question_is_asked_once_and_answered_once() {
    let mut site = Site::with_one_point();
    site.asks("not what I paid").unwrap();
    let number = site.state.number;
    site.asks("not what I paid").unwrap();
    assert_eq!(site.state.number, number, "the same question");
    assert_eq!(site.asks(" "), Err(Refusal::NoteUnusable));
    assert_eq!(
        site.answers(number + 1),
        Err(QuestionRefusal::NoSuchQuestion.into())
    );
    site.answers(number).unwrap();
    assert_eq!(
        site.answers(number),
        Err(QuestionRefusal::NoSuchQuestion.into())
    );
    let asked = &site.point().questions[0];
    assert_eq!((asked.about, asked.number), (Some(2), number));
    let reply = asked.reply.as_ref().map(|reply| reply.by.as_str());
    assert_eq!(reply, Some("asha via page"));
    for record in &site.journal {
        let text = serde_json::to_string(record).expect("JSON");
        assert_eq!(&serde_json::from_str::<Record>(&text).expect(&text), record);
    }
}

#[test]
fn open_questions_stay_and_answered_ones_go_in_time() {
    let mut site = Site::with_one_point();
    site.asks("the first").unwrap();
    let first = site.state.number;
    for i in 0..2 * MOST_KEPT {
        site.asks(&format!("question {i}")).unwrap();
        let number = site.state.number;
        site.answers(number).unwrap();
    }
    let questions = &site.point().questions;
    assert_eq!(questions.len(), MOST_KEPT);
    assert_eq!(questions[0].number, first, "it is open");
    for i in 1..MOST_OPEN {
        site.asks(&format!("again {i}")).unwrap();
    }
    assert_eq!(
        site.asks("one more"),
        Err(QuestionRefusal::TooManyQuestions.into())
    );
    assert_eq!(open(&site.point().questions).count(), MOST_OPEN);
}
