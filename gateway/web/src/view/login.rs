//! The login form, and the one for another password.

use askama::Template;

#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginView<'a> {
    /// Page to go to afterwards.
    pub next: &'a str,
    /// Who, if that is known already.
    pub name: &'a str,
    /// What went wrong with the last try.
    pub error: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "password.html")]
pub(crate) struct PasswordView<'a> {
    /// Whose.
    pub name: &'a str,
    /// Whether it is a resident's PIN.
    pub is_pin: bool,
    /// Whether there is no way around it.
    pub must_change: bool,
    /// What went wrong with the last try.
    pub error: Option<&'a str>,
}
