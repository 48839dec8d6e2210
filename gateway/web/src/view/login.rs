//! The login form.

use askama::Template;

#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginView<'a> {
    /// Page to go to afterwards.
    pub next: &'a str,
    /// What went wrong with the last try.
    pub error: Option<&'a str>,
}
