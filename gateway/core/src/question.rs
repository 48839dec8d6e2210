//! Questions of residents about a bill or a reading, and the answers of the office.
//!
//! Decided here: what a question is and how many are kept. Not decided here: who may ask and who answers ([`crate::person::Deed`]), and what
//! becomes of the money: that is a correction or a dispute, an act of its own.
//!
//! Terms: an *open* question has no answer yet.
//!
//! Invariants: an answer is never changed; an open question is never forgotten.

use crate::decision::Record;
use crate::refusal::Refusal;
use crate::usage_point::UsagePoint;
use crate::{UsagePointId, UtcSeconds};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Open questions of a usage point: a household with more of them comes to the office.
pub const MOST_OPEN: usize = 5;
/// Questions kept at a usage point, answered ones with them; all of them are in the journal.
pub const MOST_KEPT: usize = 10;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// When.
    pub at: UtcSeconds,
    /// What, up to 500 bytes.
    pub text: String,
    /// Who.
    pub by: String,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Journal number of the record that asked it.
    pub number: u64,
    /// When.
    pub at: UtcSeconds,
    /// The receipt or record it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<u64>,
    /// What, up to 500 bytes.
    pub text: String,
    /// Who.
    pub by: String,
    /// The answer, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
}

/// What people ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum QuestionCommand {
    /// Something seems not right. The same question again, while it is open, is the same one.
    Ask {
        /// The usage point.
        usage_point: UsagePointId,
        /// The receipt or record it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<u64>,
        /// What, up to 500 bytes.
        text: String,
        /// Who.
        by: String,
    },
    /// The answer to an open question.
    Reply {
        /// The usage point.
        usage_point: UsagePointId,
        /// The question's number.
        number: u64,
        /// What, up to 500 bytes.
        text: String,
        /// Who.
        by: String,
    },
}

impl QuestionCommand {
    /// The same in the name of somebody.
    #[must_use]
    pub fn in_the_name_of(mut self, who: &str) -> Self {
        match &mut self {
            Self::Ask { by, .. } | Self::Reply { by, .. } => *by = who.into(),
        }
        self
    }
}

/// What is decided about questions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "question", rename_all = "kebab-case")]
pub enum QuestionDecision {
    /// One was asked.
    Asked {
        /// The receipt or record it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<u64>,
        /// What.
        text: String,
        /// Who.
        by: String,
    },
    /// One was answered.
    Answered {
        /// Its number.
        asked: u64,
        /// What.
        text: String,
        /// Who.
        by: String,
    },
}

/// Why a question or an answer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuestionRefusal {
    /// No open question has this number.
    NoSuchQuestion,
    /// As many questions wait for an answer as may.
    TooManyQuestions,
}

impl QuestionRefusal {
    /// Stable name for metrics and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSuchQuestion => "no-such-question",
            Self::TooManyQuestions => "too-many-questions",
        }
    }
}

impl fmt::Display for QuestionRefusal {
    /// What is wrong and what to do next, to stand after "failed to …:".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchQuestion => {
                "no open question has this number; perhaps it is answered already"
            }
            Self::TooManyQuestions => "five questions wait for an answer here; answer them first",
        })
    }
}

impl core::error::Error for QuestionRefusal {}

impl From<QuestionRefusal> for Refusal {
    fn from(refusal: QuestionRefusal) -> Self {
        Self::Question(refusal)
    }
}

/// Questions that wait for an answer.
pub fn open(questions: &[Question]) -> impl Iterator<Item = &Question> {
    questions.iter().filter(|question| question.reply.is_none())
}

impl UsagePoint {
    /// Makes a decision about questions true.
    pub(crate) fn question(&mut self, record: &Record, what: &QuestionDecision) {
        match what {
            QuestionDecision::Asked { about, text, by } => {
                self.questions.push(Question {
                    number: record.number,
                    at: record.at,
                    about: *about,
                    text: text.clone(),
                    by: by.clone(),
                    reply: None,
                });
                forget(&mut self.questions);
            }
            QuestionDecision::Answered { asked, text, by } => {
                let mut questions = self.questions.iter_mut();
                if let Some(question) = questions.find(|question| question.number == *asked) {
                    question.reply = Some(Reply {
                        at: record.at,
                        text: text.clone(),
                        by: by.clone(),
                    });
                }
            }
        }
    }
}

/// Lets the oldest answered ones go.
fn forget(questions: &mut Vec<Question>) {
    while questions.len() > MOST_KEPT {
        match questions.iter().position(|asked| asked.reply.is_some()) {
            Some(oldest) => questions.remove(oldest),
            None => return,
        };
    }
}
