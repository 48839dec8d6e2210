//! The rules, driven like the daemon drives them.

mod agents;
mod allowance;
mod cases;
mod changes;
mod corrections;
mod credit;
mod debts;
mod extremes;
mod guard;
mod journal;
mod kept;
mod meters;
mod money;
mod office;
mod orders;
mod people;
mod prepay_sheet;
mod reference;
mod site;
mod supply;
mod tariffs;
mod tokens;
mod worksheets;
