//! The step before a correction or a change at an agent: what it means, and by whom.

use askama::Template;

/// What is asked, what it means, and the form that does it.
#[derive(Template)]
#[template(path = "confirm_change.html")]
pub(crate) struct ConfirmChange {
    /// Where one came from.
    pub back: (String, String),
    pub question: String,
    /// Name and value of what it means.
    pub pairs: Vec<(&'static str, String)>,
    /// What to know before.
    pub warning: Option<String>,
    pub by: String,
    pub action: String,
    pub hidden: Vec<(&'static str, String)>,
    pub button: &'static str,
    pub is_dangerous: bool,
}
