//! `meter add|test|replace|move|retire|list|show`

mod link;
mod show;
mod test;
mod work;

use super::args::Target;
use super::said::Result;
use crate::bill::Units;
use clap::Subcommand;
use gateway_core::NodeId;
use link::LinkArgs;
pub use link::word_order;
use work::{AddArgs, MoveArgs, ReplaceArgs};

/// `meter …`
#[derive(Debug, Subcommand)]
pub enum MeterAction {
    /// List every meter in use
    List {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Show one meter
    Show {
        /// Its number, for example N-00000007 or 7
        node: NodeId,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Show what a meter says now, before it is saved
    Test {
        /// How it is reached.
        #[command(flatten)]
        link: LinkArgs,
        /// Print every new message until it is stopped
        #[arg(long)]
        watch: bool,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Install a meter where there is none; it is tested first
    Add(AddArgs),
    /// Put another meter in the place of one: the old one's last energy is charged, the account stays
    Replace(ReplaceArgs),
    /// The same meter is reached another way
    Move(MoveArgs),
    /// Take a meter away for good
    Retire {
        /// Its number, for example N-00000007 or 7
        node: NodeId,
        /// Its last register in kWh, as read off its display; its last reading if absent
        #[arg(long)]
        final_kwh: Option<Units>,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// Does it.
pub fn carry_out(action: &MeterAction, as_json: bool) -> Result {
    match action {
        MeterAction::List { target } => show::list(target),
        MeterAction::Show { node, target } => show::show(target, *node),
        MeterAction::Test {
            link,
            watch,
            target,
        } => {
            const DOING: &str = "test the meter";
            let link = link::meter_link(DOING, link)?;
            match watch {
                true => test::watch(target, &link, as_json),
                false => test::test(target, DOING, &link),
            }
        }
        MeterAction::Add(args) => work::add(args),
        MeterAction::Replace(args) => work::replace(args),
        MeterAction::Move(args) => work::relink(args),
        MeterAction::Retire {
            node,
            final_kwh,
            target,
        } => work::retire(target, *node, *final_kwh),
    }
}
