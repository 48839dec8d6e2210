//! The rules, driven like the daemon drives them.

mod extremes;
mod money;
mod site;
mod supply;
mod tokens;
