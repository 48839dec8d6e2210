//! What the fuzz targets do with their bytes.
//!
//! Each target is a function over bytes: it gives them to a parser or makes a script of them, and asserts what must hold whatever
//! they are. A fuzzer (`fuzz/`) looks for bytes that break it; `tests/replay.rs` gives it the kept ones without a
//! fuzzer. Development only: nothing that is shipped depends on this crate.

mod bytes;
mod decide;
mod frame;
mod journal;
mod links;
mod money;
mod node;
mod rating;
mod text;
mod tokens;

pub use decide::decide;
pub use frame::frame;
pub use journal::journal;
pub use links::links;
pub use node::node;
pub use rating::rating;
pub use text::{api, config, control, tariff};
pub use tokens::tokens;

/// A target: its name, which is also that of its corpus, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("api", api),
    ("config", config),
    ("control", control),
    ("decide", decide),
    ("frame", frame),
    ("journal", journal),
    ("links", links),
    ("node", node),
    ("rating", rating),
    ("tariff", tariff),
    ("tokens", tokens),
];
