//! Credit leases: up to which register value a credit lasts.
//!
//! A lease inverts the tariff exactly: it is the largest register value whose cost the account can still pay. The
//! node cuts when its register reaches it, gateway alive or dead. The lease is a pure function of the last
//! settlement, so it changes only when money, the tariff or the day does, not with every reading.
//!
//! Time of day: a lease is reckoned at the adder of the account's band, as if all of the advance were used in it: no more than the
//! credit pays for in the current band, and not a watt-hour less. When another band begins the account is settled and the lease reckoned
//! anew at once, so the adder of a later band never cuts early. A node that cannot be told goes on with the lease it has: until it is
//! heard again the credit can be overdrawn by at most (lease − register at the change) times (new adder − old adder), with duty.
//!
//! *Below zero*: how far the credit may fall ([`crate::prepay::PrepayState::below_zero`]): emergency credit that is lent, and what was taken
//! off provisionally, which must not shorten a lease.
//!
//! Invariant: at the lease the account can pay; one watt-hour further it cannot (unless the lease is at its cap).

use crate::account::Account;
use crate::tariff::{Connection, Tariff};
use crate::{Micro, WattHours};

/// Longest lease beyond the last settlement: 100 MWh, decades of a household; it bounds the search and what a free tariff grants.
pub const LONGEST: WattHours = WattHours(100_000_000);

/// The largest usage-point register at which the credit is no further below zero than allowed; the settled register itself if it
/// cannot afford more.
#[must_use]
pub fn affordable_register(
    account: &Account,
    tariff: &Tariff,
    connection: Connection,
    below_zero: Micro,
) -> WattHours {
    let can_pay = |advance: u64| {
        let register = account.settled_to.saturating_add(WattHours(advance));
        account.available(tariff, connection, register) >= -below_zero
    };
    if !can_pay(0) {
        return account.settled_to;
    }
    // Cost never falls as energy grows, so the affordable advances are 0..=n for one n: bisect.
    let (mut affordable, mut too_much) = (0, LONGEST.0 + 1);
    while too_much - affordable > 1 {
        let middle = affordable + (too_much - affordable) / 2;
        if can_pay(middle) {
            affordable = middle;
        } else {
            too_much = middle;
        }
    }
    account.settled_to.saturating_add(WattHours(affordable))
}

/// Whether the credit is used up at a register: it pays for not a watt-hour beyond it. The same as "the register has reached
/// [`affordable_register`]" without the search.
#[must_use]
pub fn is_used_up(
    account: &Account,
    tariff: &Tariff,
    connection: Connection,
    register: WattHours,
    below_zero: Micro,
) -> bool {
    let next = register.saturating_add(WattHours(1));
    let beyond = next.since(account.settled_to).unwrap_or_default() > LONGEST;
    beyond || account.available(tariff, connection, next) < -below_zero
}
