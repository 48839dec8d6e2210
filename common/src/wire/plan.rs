//! What holds at a certain time: friendly hours and the daily energy allowance. A node needs a
//! trusted clock for it and keeps it until it loses power; without it the lease alone rules.

use super::FrameRejection;
use super::items::{Reader, Writer, exactly};
use crate::{UtcSeconds, WattHours};

pub(super) const PLAN_BYTES: usize = 37;

const FLAG_PRESS_IS_WANTED: u8 = 1;
const FLAG_SOUND: u8 = 2;

/// Times and energy, level like a lease: each plan takes the place of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Plan {
    /// Chosen by the gateway, reported back while in force; 0: none.
    pub plan_id: u32,
    /// From `.0` until before `.1` the cut-off of the credit does not open the relay; `None`: always
    /// it does.
    pub friendly: Option<(UtcSeconds, UtcSeconds)>,
    /// The daily energy allowance, if there is one.
    pub allowance: Option<Allowance>,
    /// A press while the credit is used up brings something (emergency credit), so the display may
    /// ask for it.
    pub press_is_wanted: bool,
    /// The node may sound: little credit, or a cut is near. A press silences it.
    pub sound: bool,
}

/// Energy a day, whatever the credit.
///
/// The lease's cut-off is the smaller of credit and allowance. From `resets_at` on, and every 24
/// hours after it, the node goes on by itself: up to `wh_per_day` beyond its register at the reset,
/// but no further than `credit_cutoff`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Allowance {
    /// The next reset.
    pub resets_at: UtcSeconds,
    /// Watt-hours a day.
    pub wh_per_day: u32,
    /// The node's register at which today's allowance ends.
    pub ends_at: WattHours,
    /// The node's register at which the credit ends.
    pub credit_cutoff: WattHours,
}

impl Plan {
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        let seconds = |at: UtcSeconds| u32::try_from(at.0).unwrap_or(u32::MAX).to_be_bytes();
        let (from, until) = self.friendly.unwrap_or_default();
        writer.put(&self.plan_id.to_be_bytes());
        writer.put(&seconds(from));
        writer.put(&seconds(until));
        let allowance = self.allowance.unwrap_or(Allowance {
            resets_at: UtcSeconds(0),
            wh_per_day: 0,
            ends_at: WattHours(0),
            credit_cutoff: WattHours(0),
        });
        writer.put(&seconds(allowance.resets_at));
        writer.put(&allowance.wh_per_day.to_be_bytes());
        writer.put(&allowance.ends_at.0.to_be_bytes());
        writer.put(&allowance.credit_cutoff.0.to_be_bytes());
        let press = u8::from(self.press_is_wanted) * FLAG_PRESS_IS_WANTED;
        let sound = u8::from(self.sound) * FLAG_SOUND;
        writer.put(&[press | sound]);
    }

    pub(super) fn read(value: &[u8]) -> Result<Self, FrameRejection> {
        let mut reader = exactly(value, PLAN_BYTES)?;
        let plan_id = reader.u32()?;
        let time = |reader: &mut Reader<'_>| reader.u32().map(|at| UtcSeconds(i64::from(at)));
        let friendly = (time(&mut reader)?, time(&mut reader)?);
        let allowance = Allowance {
            resets_at: time(&mut reader)?,
            wh_per_day: reader.u32()?,
            ends_at: WattHours(reader.u64()?),
            credit_cutoff: WattHours(reader.u64()?),
        };
        let [flags] = reader.take()?;
        if plan_id == 0 {
            return Err(FrameRejection::ValueOutOfRange);
        }
        Ok(Self {
            plan_id,
            friendly: (friendly.0 < friendly.1).then_some(friendly),
            allowance: (allowance.resets_at.0 > 0).then_some(allowance),
            press_is_wanted: flags & FLAG_PRESS_IS_WANTED != 0,
            sound: flags & FLAG_SOUND != 0,
        })
    }
}
