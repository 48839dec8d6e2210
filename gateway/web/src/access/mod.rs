//! Who may use the page.
//!
//! Decided here: everything needs a session except what `guard::is_public` names; a new route is protected by default.
//! One person, the operator, has one password; finer roles are not decided here.
//!
//! Terms: *session secret*: 256 random bits in a cookie, known to the server as their SHA-256 only; *source*: the
//! client's address (IPv6: its /64), for limits.
//!
//! Invariants: no state changes by GET; a POST from another site never reaches a handler; sessions and limits live in
//! memory, bounded, so a restart logs everybody out.

mod guard;
mod limiter;
mod password;
mod session;

pub(crate) use guard::{Operator, Peer, guard, peer_address, session_cookie, session_secret};
pub(crate) use limiter::Limiter;
pub(crate) use password::{PasswordCheck, Verdict};
pub use password::{PasswordHashError, hash_password};
pub(crate) use session::{Sessions, random_hex};

/// How the page is protected.
#[derive(Clone, PartialEq, Eq)]
pub enum Access {
    /// Not at all: everybody who can reach it is the operator. Only for a loopback listener; requests that name
    /// another host are refused, so that a web site cannot reach it through a name of its own (DNS rebinding).
    Open,
    /// By one password.
    Password {
        /// Argon2id, as a PHC string (see [`hash_password`]).
        hash: String,
    },
}

impl std::fmt::Debug for Access {
    /// Without the hash: it must not end in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Password { .. } => "Password",
        })
    }
}
