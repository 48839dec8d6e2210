//! What the readings around an opening say.

use super::{EDGE_S, Reckoned, Says};
use crate::UtcSeconds;
use alloc::vec::Vec;

/// What is missing of a voltage behind an open relay counts from here on, tenths of a volt, as at the node.
const ALIVE_DV: u16 = 500;

/// And a current, milliamperes.
pub(super) const ALIVE_MA: u32 = 100;

/// Readings that at least have to say the same: nothing is said on a single sample.
const LEAST_SAMPLES: usize = 2;

/// A load below this says nothing, watts: the meters' own class is as large.
const LEAST_LOAD_W: i64 = 60;

/// Readings of another meter older than this are not taken for what it takes now, seconds.
const FRESH_S: i64 = 90;

/// A power that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: UtcSeconds,
    /// Watts, negative when exporting.
    pub watts: i32,
}

/// Readings around an opening, each list oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Around {
    /// The feeder's.
    pub feeder: Vec<Sample>,
    /// Those of the meter whose supply opened.
    pub own: Vec<Sample>,
    /// Those of the other meters on the feeder.
    pub others: Vec<Vec<Sample>>,
    /// Voltages behind the relay while it was open, tenths of a volt.
    pub voltage_out_dv: Vec<u16>,
    /// Currents while it was open, milliamperes.
    pub current_ma: Vec<u32>,
}

/// Mean and variance of some values; all in milliwatts and their squares.
struct Mean {
    count: i64,
    mean: i64,
    variance: i128,
}

fn mean(values: &[i64]) -> Option<Mean> {
    let count = i64::try_from(values.len()).ok().filter(|n| *n > 0)?;
    let mean = values.iter().sum::<i64>() / count;
    let squares = values.iter().map(|v| i128::from(v - mean).pow(2));
    let variance = squares.sum::<i128>() / i128::from((count - 1).max(1));
    Some(Mean {
        count,
        mean,
        variance,
    })
}

/// Whether something is behind the open relay that cannot be there.
fn is_bridged(around: &Around) -> bool {
    let volts = around.voltage_out_dv.iter();
    let amps = around.current_ma.iter();
    volts.filter(|dv| **dv >= ALIVE_DV).count() >= LEAST_SAMPLES
        || amps.filter(|ma| **ma >= ALIVE_MA).count() >= LEAST_SAMPLES
}

/// What the readings say of an opening between `opened` and `closed`.
#[must_use]
pub fn reckon(opened: UtcSeconds, closed: UtcSeconds, around: &Around) -> Reckoned {
    let is_open = |at: UtcSeconds| at.0 >= opened.0 + EDGE_S && at.0 < closed.0;
    let is_beside = |at: UtcSeconds| at.0 < opened.0 - EDGE_S || at.0 > closed.0 + EDGE_S;
    let alone = |sample: &Sample| {
        let others = others(sample.at, &around.others);
        (sample.at, i64::from(sample.watts) * 1_000 - others)
    };
    let rest: Vec<(UtcSeconds, i64)> = around.feeder.iter().map(alone).collect();
    let part = |values: &[(UtcSeconds, i64)], which: &dyn Fn(UtcSeconds) -> bool| {
        let chosen: Vec<i64> = values
            .iter()
            .filter(|(at, _)| which(*at))
            .map(|(_, v)| *v)
            .collect();
        mean(&chosen).filter(|m| m.count >= 2)
    };
    let own: Vec<(UtcSeconds, i64)> = around
        .own
        .iter()
        .map(|s| (s.at, i64::from(s.watts) * 1_000))
        .collect();
    let bridged = is_bridged(around);
    let mut found = Reckoned {
        says: if bridged {
            Says::Bridged
        } else {
            Says::TooFewReadings
        },
        fell_w: 0,
        within_w: 0,
        metered_w: 0,
        voltage_out_dv: around.voltage_out_dv.iter().max().copied(),
        current_ma: around.current_ma.iter().max().copied(),
    };
    let parts = (
        part(&rest, &is_beside),
        part(&rest, &is_open),
        part(&own, &is_beside),
        part(&own, &is_open),
    );
    let (Some(beside), Some(open), Some(own_beside), Some(own_open)) = parts else {
        return found;
    };
    let fell = (beside.mean - open.mean) / 1_000;
    let metered = (own_beside.mean - own_open.mean) / 1_000;
    let of_mean = |m: &Mean| m.variance / i128::from(m.count);
    // The meters' class: one percent of what changes, and a watt or two of rounding.
    let class = i128::from(fell.abs().max(metered.abs())) * 10 + 2_000;
    let square = of_mean(&beside) + of_mean(&open) + class * class;
    let error = u128::try_from(square).unwrap_or_default().isqrt();
    let within = i64::try_from(error * 2 / 1_000).unwrap_or(i64::MAX);
    (found.fell_w, found.metered_w) = (watts(fell), watts(metered));
    found.within_w = u32::try_from(within).unwrap_or(u32::MAX);
    if !bridged {
        found.says = says(fell, metered, within);
    }
    found
}

fn watts(watts: i64) -> i32 {
    i32::try_from(watts).unwrap_or(i32::MAX)
}

fn says(fell: i64, metered: i64, within: i64) -> Says {
    let differs = fell - metered;
    // A twentieth is what no meter of class 2 is off, with its transformer.
    let alike = within.max(metered.abs() / 20);
    if metered.max(fell) < LEAST_LOAD_W {
        Says::TooLittleLoad
    } else if within > metered.max(fell) / 2 {
        Says::Restless
    } else if differs > alike {
        Says::CountsPart
    } else if fell <= within {
        Says::NotHere
    } else if differs < -alike {
        Says::CountsTooMuch
    } else {
        Says::CountsAll
    }
}

/// What the others took at a moment, as far as it was read, milliwatts.
fn others(at: UtcSeconds, others: &[Vec<Sample>]) -> i64 {
    let latest = |samples: &Vec<Sample>| {
        let sample = samples.iter().rev().find(|sample| sample.at <= at)?;
        (at.0 - sample.at.0 <= FRESH_S).then_some(i64::from(sample.watts) * 1_000)
    };
    others.iter().filter_map(latest).sum()
}
