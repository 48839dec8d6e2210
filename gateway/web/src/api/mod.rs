//! The same for programs: JSON under `/api/v1`.
//!
//! | method and path | body | answer |
//! |---|---|---|
//! | GET `usage-points` | | every usage point now |
//! | GET `usage-points/{id}` | | one of them |
//! | GET `usage-points/{id}/statement?from=2026-11-01&to=2026-11-30` | | every movement with what it is made of; `period=this` or `last` instead of days |
//! | POST `usage-points/{id}/vend` | `{"key": "…", "amount": "12.50"}` | receipt |
//! | POST `usage-points/{id}/token` | `{"token": "20 digits"}` | receipt, what it did in words, units and worth |
//! | POST `usage-points/{id}/supply` | `{"order": "on" \| "off" \| "auto"}` | `{"done": "done"}` |
//! | POST `usage-points/{id}/switch` | `{"ask": "close" \| "reset"}`, `{"ask": "clear-tamper", "note": "…"}` or `{"ask": "limit", "watts": 500}` | `{"done": "done"}` |
//! | POST `usage-points/{id}/emergency` | `{}` | emergency credit that is offered is activated: `{"done": "done"}` |
//! | POST `usage-points/{id}/hold` | `{"note": "…", "charge": true}` | a billing hold is cleared: `{"done": "done"}` |
//! | POST `usage-points/{id}/quote` | `{"amount": "12.50"}` | what a recharge would do, debts with it |
//! | GET `debts`, `usage-points/{id}/debts` | | what is owed, and how it is paid back |
//! | POST `usage-points/{id}/debts` | `{"key": "…", "change": "open" \| "change" \| "write-off", "kind": "arrears", "amount": "900", "percent": "10", "reason": "…"}` | `corrected` or `proposed` |
//! | POST `usage-points/{id}/corrections` | `{"key": "…", "credit": "-1.25", "reason": "…"}` or `{"key": "…", "reverse": 1180, "reason": "…"}` | the same |
//! | GET `corrections` | | what waits for a second person |
//! | POST `corrections/{number}/{answer}` | `approve`: `{}`; `refuse`: `{"reason": "…"}` | `corrected`, or `{"done": "done"}` |
//! | GET `agents`, `agents/{number}` | | vending agents with their floats |
//! | POST `agents`, `agents/{number}/{change}` | see `docs/api.md` | `{"done": "agent", "agent": 1, "float": "500"}` |
//! | GET `agents/{number}/day-end?day=2026-11-27` | | the day-end report |
//! | GET `questions`; POST `usage-points/{id}/questions`, `usage-points/{id}/questions/{number}/reply` | `{"text": "…"}` | questions of residents, and the answer |
//! | GET `alarms` | | open alarms |
//! | POST `alarms/{number}/acknowledge` | `{}` | `{"done": "done"}` |
//! | GET `cases?all=true` | | open cases of missing energy, or all |
//! | GET `cases/{number}` | | one of them |
//! | POST `cases/{number}/note` | `{"text": "…"}` | `{"done": "done"}` |
//! | POST `cases/{number}/check` | `{"found": "tampering" \| "fault" \| "nothing" \| "no-access", "usage_point": "UP-0001", "text": "…"}`; without the last two: the line itself | `{"done": "done"}` |
//! | POST `cases/{number}/close` | `{"outcome": "confirmed" \| "false" \| "technical", "usage_point": …, "text": …}` | `{"done": "done"}` |
//! | GET `meters`, `meters/{number}` | | meters in use, with how well each is heard |
//! | GET `pins` | | what hangs on the machine's pins, and how it is now |
//! | GET `buses` | | Modbus buses: line, addresses in use, the job under way |
//! | POST `buses/{name}/work` | `{"task": "scan", "from": 1, "to": 30}`, `{"task": "read", "model": "sdm120", "address": 7}` or `{"task": "probe", …}` | the job; the bus goes on being polled |
//! | GET `bus-work/{number}` | | how the job stands, and its result; asking keeps it going |
//! | POST `bus-work/{number}/cancel` | `{}` | the job is ended |
//! | POST `meters/test` | `{"link": {"via": "mqtt", "dialect": "tasmota", "device": "plug7", "credential": "plug-7"}}` | what it shows now |
//! | POST `meters` | `{"usage_point": "UP-0007"` or `"feeder": "F-01", "link": …, "switch": "own", "initial_kwh": "6.294", "untested": false}`; without a link: our node | `{"done": "meter-installed", "node": "N-00000009"}` |
//! | POST `meters/{number}/replace` | as above, with `"final_kwh"` instead of what it meters | the same |
//! | POST `meters/{number}/move` | `{"link": …, "switch": …, "untested": false}` | `{"done": "done"}` |
//! | POST `meters/{number}/retire` | `{"final_kwh": "123.4"}` or `{}` | `{"done": "done"}` |
//! | GET `usage-points/{id}/phase` | | the phase set, and what the voltages suggest |
//! | POST `usage-points/{id}/phase` | `{"phase": "a" \| "b" \| "c" \| "three" \| "unknown"}` | `{"done": "done"}` |
//! | POST `usage-points/{id}/arming`, `arming` (all) | `{"arming": "site" \| "armed" \| "shadow"}` | `{"done": "done"}` |
//! | GET `journal?from=1&limit=100` | | records, oldest first; without `from` the newest |
//! | GET `clock` | | how the time is known |
//! | POST `clock`, `clock/quote` | `{"to": 1795415400, "far": false}` | `{"done": "done"}`, or what would become due |
//! | GET `status` | | counts and problems |
//!
//! Access: a program's bearer secret, or as on the page (`docs/api.md` describes every address with its roles). Amounts are exact decimal strings in the currency, energy is in Wh,
//! power in W, times are UTC seconds. Every error is `{"error": "kebab-name", "message": "words"}`. A POST needs
//! `Content-Type: application/json`; an unknown field is an error.

mod accounts;
mod agents;
mod answers;
mod buses;
mod cases;
mod clock;
mod meters;
mod parse;
mod prepay;
mod questions;
mod routes;
mod sent;
mod switch;

pub use parse::{
    ParseError, SupplyRequest, VendRequest, parse_amount, parse_empty, parse_order, parse_supply,
    parse_token, parse_vend,
};
pub use switch::SwitchRequest;
pub(crate) use switch::switch_command;

/// Everything under `/api/v1`.
pub(crate) fn routes() -> crate::routes::Routes {
    routes::routes().and(clock::routes())
}
