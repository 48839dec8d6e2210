//! Both sides at the end, row by row: journal, profile, orders, money.

use crate::world::{World, id};
use gateway_sim::head_end::OrderKept;
use std::collections::BTreeSet;

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, ours: T, theirs: T) -> Result<(), String> {
    if ours == theirs {
        return Ok(());
    }
    Err(format!("{what}: {ours:?} here, {theirs:?} there"))
}

/// What differs, if anything does.
pub fn compare(world: &World) -> Result<(), String> {
    let (card, site) = (&world.gateway.card, &world.head_end.stored.sites[&id()]);
    equal("journal rows", card.journal.len(), site.journal.len())?;
    for (ours, theirs) in card.journal.iter().zip(&site.journal) {
        equal("number", ours.number, theirs.number)?;
        equal("time", ours.at.0, theirs.at)?;
        equal("body", &ours.body, &theirs.body)?;
        equal("hash", ours.hash.to_string(), theirs.hash.clone())?;
    }
    equal("profile rows", card.profile.len(), site.profile.len())?;
    for row in &card.profile {
        let kept = site.profile.get(&format!("{} {}", row.end.0, row.node.0));
        let ours = (row.register.0, row.exact);
        // An estimate may have come before another one; only exact rows are final.
        if row.exact {
            equal("profile row", Some(&ours), kept)?;
        }
    }
    let keys = card.vend_keys();
    let distinct: BTreeSet<&String> = keys.iter().collect();
    equal("payments", keys.len(), distinct.len())?;
    equal(
        "tokens taken and issued",
        card.tokens_taken(),
        world.tokens as usize,
    )?;
    for order in site.orders.values() {
        obeyed(order, &distinct)?;
    }
    match &card.state.cloud.held {
        Some(held) => Err(format!("money held without a reason: {held:?}")),
        None => Ok(()),
    }
}

/// An order has its receipt, and what the receipt says is in the journal.
fn obeyed(order: &OrderKept, vends: &BTreeSet<&String>) -> Result<(), String> {
    let Some(receipt) = &order.receipt else {
        return Err(format!("{order:?} has no receipt"));
    };
    let (outcome, refusal) = (receipt["outcome"].as_str(), receipt["refusal"].as_str());
    let command = order.act["command"].as_str().unwrap_or_default();
    let may_be_refused = match command {
        "order-supply" => refusal == Some("order-superseded"),
        "enter-token" => refusal == Some("used"),
        _ => false,
    };
    if outcome != Some("done") && !may_be_refused {
        return Err(format!("{order:?} was not obeyed"));
    }
    let key = order.act["key"].as_str().unwrap_or_default().to_owned();
    if command == "vend" && !vends.contains(&key) {
        return Err(format!("the payment {key} never came"));
    }
    Ok(())
}
