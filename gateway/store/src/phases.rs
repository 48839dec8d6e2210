//! The phases of a three-phase reading in few bytes.
//!
//! One after the other: a byte that says which of the four values follow (bit 0 voltage, 1 current, 2 power, 3 import), then those,
//! little-endian: 2, 4, 4 and 8 bytes. At most 57 bytes; half of what columns would take.

use gateway_core::{PhaseReading, WattHours};

/// Three phases as bytes.
pub(crate) fn pack(phases: &[PhaseReading; 3]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(57);
    for phase in phases {
        let there = [
            phase.voltage_dv.is_some(),
            phase.current_ma.is_some(),
            phase.power_w.is_some(),
            phase.import.is_some(),
        ];
        let bit = |(number, there): (usize, &bool)| u8::from(*there) << number;
        bytes.push(there.iter().enumerate().map(bit).sum());
        bytes.extend(phase.voltage_dv.iter().flat_map(|v| v.to_le_bytes()));
        bytes.extend(phase.current_ma.iter().flat_map(|v| v.to_le_bytes()));
        bytes.extend(phase.power_w.iter().flat_map(|v| v.to_le_bytes()));
        bytes.extend(phase.import.iter().flat_map(|v| v.0.to_le_bytes()));
    }
    bytes
}

/// Three phases from bytes; `None` if they are not what [`pack`] makes.
pub(crate) fn unpack(bytes: &[u8]) -> Option<[PhaseReading; 3]> {
    let mut rest = bytes;
    let mut phases = [PhaseReading::default(); 3];
    for phase in &mut phases {
        let there = *take::<1>(&mut rest)?.first()?;
        if there & 1 != 0 {
            phase.voltage_dv = Some(u16::from_le_bytes(take(&mut rest)?));
        }
        if there & 2 != 0 {
            phase.current_ma = Some(u32::from_le_bytes(take(&mut rest)?));
        }
        if there & 4 != 0 {
            phase.power_w = Some(i32::from_le_bytes(take(&mut rest)?));
        }
        if there & 8 != 0 {
            phase.import = Some(WattHours(u64::from_le_bytes(take(&mut rest)?)));
        }
    }
    rest.is_empty().then_some(phases)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_come_back_as_they_went() {
        let full = PhaseReading {
            voltage_dv: Some(2_301),
            current_ma: Some(12_500),
            power_w: Some(-2_875),
            import: Some(WattHours(u64::MAX)),
        };
        let volts = PhaseReading {
            voltage_dv: Some(0),
            ..PhaseReading::default()
        };
        let none = PhaseReading::default();
        for (phases, length) in [
            ([full; 3], 57),
            ([full, volts, none], 19 + 3 + 1),
            ([none; 3], 3),
        ] {
            let bytes = pack(&phases);
            assert_eq!(bytes.len(), length);
            assert_eq!(unpack(&bytes), Some(phases));
            assert_eq!(unpack(bytes.get(1..).unwrap()), None);
        }
    }
}
