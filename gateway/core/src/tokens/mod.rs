//! Transfer tokens as IEC 62055-41: 20 digits that carry credit, settings and keys without any connection.
//!
//! | module | decides |
//! |---|---|
//! | `number` | 20 digits, 66 bits, where the class sits |
//! | `block` | checksum, opened or not |
//! | `message`, `key_change` | what a token says |
//! | `amount`, `tid`, `pan` | codings of amounts, times and meter numbers |
//! | `key`, `misty1`, `ea07` | keys and ciphers |
//! | `made` | tokens a site makes itself |
//! | `provision` | which keys and which worth a site has given its usage points |
//! | `acceptance`, `effect`, `memory`, `lockout`, `rejection` | whether a usage point takes a token |
//!
//! Not decided here: what a credit moves in the ledger, where keys are kept, who may vend. The project makes no claim to be certified
//! by the STS Association; supply groups and vending keys are the site's.
//!
//! Terms: *class*: 0 credit, 1 test, 2 management; *vend*: write a token; *accept*: take it.
//!
//! Invariants: no key is printed or serialised; no rejection uses a token up; a token takes effect at most once for each
//! usage point, in whatever order tokens come; no input panics.

mod acceptance;
mod amount;
mod block;
mod ea07;
mod effect;
mod key;
mod key_change;
mod lockout;
mod made;
mod memory;
mod message;
mod misty1;
mod misty1_tables;
mod number;
mod pan;
mod provision;
mod rejection;
mod tid;

pub use acceptance::Acceptance;
pub use amount::{LARGEST_AMOUNT, amount_of, code_for};
pub use block::{Block, NotOpened};
pub use ea07::{Ea07Tables, TablesFaulty};
pub use effect::{Effect, Entry, Keys};
pub use key::{Algorithm, DecoderKey, KeyCheck, KeyTerms, KeyType, NotAKey, VendingKey};
pub use key_change::{KeyPart, NewKey};
pub use lockout::Lockout;
pub use made::{MOST_MADE, Made, MakeToken};
pub use memory::{Memory, REMEMBERED};
pub use message::{Commodity, Issue, Message, Register};
pub use number::TokenNumber;
pub use pan::{MeterPan, NotAMeterPan};
pub use provision::{MeterKey, PointTokens, TokenCredit, TokenRules};
pub use rejection::Rejection;
pub use tid::{BaseDate, NotATid, NotAVendingTime, Tid, VendingTime};
