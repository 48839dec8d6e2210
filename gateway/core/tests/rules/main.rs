//! The rules, driven like the daemon drives them.

mod money;
mod site;
mod supply;
