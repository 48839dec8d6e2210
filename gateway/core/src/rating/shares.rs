//! The energy charge split into the tariff's blocks: for papers, where people want to see each rate.
//!
//! Decided here: how the rounding of the component is shared out. It is cumulative (each block gets the rounded sum up to its
//! end less the rounded sum up to its beginning), so the shares add up to the component exactly. Not decided here: what the
//! component is ([`super::cost`]).

use super::{divide_half_away, end_of_block};
use crate::rating::Usage;
use crate::tariff::Tariff;
use crate::{Micro, WattHours};
use alloc::vec::Vec;

/// A block's part of the energy charge of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockShare {
    /// Which block, from 1.
    pub block: u16,
    /// Energy charge per kWh.
    pub rate: Micro,
    /// Energy in the block.
    pub energy: WattHours,
    /// Its part of the energy charge; all parts together are the component.
    pub amount: Micro,
}

/// The energy charge of a period so far by block, lowest first; blocks without energy are left out.
#[must_use]
pub fn energy_by_block(tariff: &Tariff, usage: &Usage) -> Vec<BlockShare> {
    let (mut sum, mut before, mut below) = (0_i128, Micro::ZERO, 0_u64);
    let mut shares = Vec::new();
    for (number, block) in (1..).zip(&tariff.block) {
        let end = block
            .up_to_kwh
            .map_or(u64::MAX, |kwh| end_of_block(tariff, kwh, usage));
        let inside = usage.energy.0.min(end).saturating_sub(below);
        below = end;
        if inside == 0 {
            continue;
        }
        sum += i128::from(inside) * i128::from(block.energy_per_kwh.0);
        let through = divide_half_away(sum, 1_000);
        shares.push(BlockShare {
            block: number,
            rate: block.energy_per_kwh,
            energy: WattHours(inside),
            amount: through - before,
        });
        before = through;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rating::{Component, cost};
    use crate::tariff::Connection;

    #[test]
    fn the_shares_add_up_to_the_component_at_every_use() {
        let text = include_str!("../../../tariffs/msedcl-lt1b-2026-27.toml");
        let tariff: Tariff = toml::from_str(text).unwrap();
        for wh in [0, 1, 99_999, 100_001, 250_003, 517_777, 9_999_999] {
            let usage = Usage::whole_period(WattHours(wh), 31, Connection::default());
            let shares = energy_by_block(&tariff, &usage);
            let amount: Micro = shares.iter().map(|share| share.amount).sum();
            let energy: u64 = shares.iter().map(|share| share.energy.0).sum();
            assert_eq!(
                (amount, energy),
                (cost(&tariff, &usage)[Component::Energy], wh)
            );
        }
    }
}
