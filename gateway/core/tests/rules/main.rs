//! The rules, driven like the daemon drives them.

mod cases;
mod changes;
mod extremes;
mod journal;
mod meters;
mod money;
mod office;
mod orders;
mod reference;
mod site;
mod supply;
mod tariffs;
mod tokens;
mod worksheets;
