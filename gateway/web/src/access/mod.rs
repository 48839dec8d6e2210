//! Who may use the page and the API.
//!
//! Decided here: who is asking (`guard`, `identity`), and whether their role covers the address ([`crate::routes`] says what each
//! needs). What a role may do is not decided here ([`gateway_core::person::Role::may`]), nor who there is (rows of the store).
//!
//! Terms: *session secret*: 256 random bits in a cookie, known to the server as their SHA-256 only; *bearer secret*: the same for a
//! program, in a header; *source*: the client's address (IPv6: its /64), for limits.
//!
//! Invariants: no state changes by GET; a POST from another site never reaches a handler; sessions and limits live in memory, bounded, so a
//! restart logs everybody out; a session ends with the password it was opened by; a change of role holds from the next request on.

mod guard;
mod identity;
mod limiter;
mod password;
mod session;

pub(crate) use guard::{Peer, guard, peer_address, session_cookie};
pub(crate) use identity::{Operator, home, mark_of, session_secret};
pub(crate) use limiter::{Limiter, NameLimiter};
pub(crate) use password::{PasswordCheck, Verdict};
pub use password::{PasswordHashError, hash_for, hash_password};
pub(crate) use session::{Sessions, random_hex};

/// How the page is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Not at all: everybody who can reach it is the supplier. Only for a loopback listener; requests that name
    /// another host are refused, so that a web site cannot reach it through a name of its own (DNS rebinding).
    Open,
    /// By the names and passwords of people.
    People,
}
