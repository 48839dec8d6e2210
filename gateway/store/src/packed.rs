//! Readings in few bytes: the body of a batch and of a block. Format 1; docs/storage.md describes it.
//!
//! A byte 1, then a zlib stream (its checksum tells a damaged body), in it the number of readings and the columns ([`crate::columns`]) in the order
//! of [`FIELDS`]. What hardly ever differs from something else stands as the difference to it: the voltage behind the relay to the one before it,
//! the neutral's current to the phase's, the uptime to the time. Last come the intervals: how many each reading has, then all ends (seconds before
//! their reading) and all registers (watt-hours below their reading's).
//!
//! Invariants: what is packed comes back as it was, but for what is never stored; foreign bytes are an error, and take no more memory than
//! [`MOST_READINGS`] and [`MOST_BYTES`] allow.

use crate::columns::{self, Column};
use crate::error::{Result, StoreError};
use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};
use gateway_core::event::IntervalEnd;
use gateway_core::metering::LastReading;
use gateway_core::supply::Relay;
use gateway_core::{NodeId, PhaseReading, Reading, UtcSeconds, WattHours};
use std::io::Read as _;

/// The format these bodies have.
const FORMAT: u8 = 1;
/// Readings in one body: what 300 nodes report in half a day, and more than one node can.
pub(crate) const MOST_READINGS: usize = 1 << 18;
/// Bytes of a body before it is squeezed: some 60 for each reading.
const MOST_BYTES: u64 = 16 << 20;

/// What a reading is made of, by number, in the order of the columns.
type Field = fn(&LastReading) -> Option<i64>;

/// Columns of a reading itself. Those of the three phases follow: four for each.
const FIELDS: [Field; 18] = [
    |last| Some(last.at.0),
    |last| Some(last.reading.node.0.into()),
    |last| Some(last.reading.register.0.cast_signed()),
    |last| Some(last.reading.export.0.cast_signed()),
    |last| last.reading.power_w.map(i64::from),
    |last| last.reading.voltage_dv.map(i64::from),
    |last| beside(last.reading.voltage_out_dv, last.reading.voltage_dv),
    |last| last.reading.current_ma.map(i64::from),
    |last| beside(last.reading.neutral_ma, last.reading.current_ma),
    |last| last.reading.frequency_chz.map(i64::from),
    |last| {
        last.reading
            .relay
            .map(|relay| i64::from(relay == Relay::Closed))
    },
    |last| last.reading.lease_id.map(i64::from),
    |last| last.reading.cutoff.map(|register| register.0.cast_signed()),
    |last| {
        last.reading
            .uptime_s
            .map(|uptime| i64::from(uptime).wrapping_sub(last.at.0))
    },
    |last| last.reading.boot_count.map(i64::from),
    |last| Some(last.reading.tamper.into()),
    |last| last.reading.frame_counter.map(u64::cast_signed),
    |last| last.reading.phases.map(|_| 1),
];

/// What one phase is made of.
const PHASE_FIELDS: [fn(&PhaseReading) -> Option<i64>; 4] = [
    |phase| phase.voltage_dv.map(i64::from),
    |phase| phase.current_ma.map(i64::from),
    |phase| phase.power_w.map(i64::from),
    |phase| phase.import.map(|import| import.0.cast_signed()),
];

/// A value as the difference to one that is nearly the same, where there is one.
fn beside<T: Into<i64>>(value: Option<T>, like: Option<T>) -> Option<i64> {
    value.map(|value| value.into() - like.map_or(0, Into::into))
}

/// Readings as bytes. `level` is how hard to squeeze.
pub(crate) fn pack(readings: &[LastReading], level: Compression) -> Result<Vec<u8>> {
    let mut flat = Vec::with_capacity(readings.len() * 32);
    columns::put_length(&mut flat, readings.len() as u64);
    let mut put = |values: Vec<Option<i64>>| columns::put(&mut flat, &values);
    for field in FIELDS {
        put(readings.iter().map(field).collect());
    }
    for phase in 0..3 {
        for field in PHASE_FIELDS {
            let of = |last: &LastReading| {
                last.reading
                    .phases
                    .as_ref()
                    .and_then(|all| field(&all[phase]))
            };
            put(readings.iter().map(of).collect());
        }
    }
    let count = |last: &LastReading| i64::try_from(last.reading.intervals.len()).ok();
    put(readings.iter().map(count).collect());
    let each = readings.iter().flat_map(|last| {
        last.reading
            .intervals
            .iter()
            .map(move |interval| (last, interval))
    });
    let ends = each
        .clone()
        .map(|(last, interval)| Some(last.at.0.wrapping_sub(interval.end.0)));
    put(ends.collect());
    let below = |(last, interval): (&LastReading, &IntervalEnd)| {
        Some(
            last.reading
                .register
                .0
                .wrapping_sub(interval.register.0)
                .cast_signed(),
        )
    };
    put(each.map(below).collect());
    let mut body = vec![FORMAT];
    ZlibEncoder::new(&flat[..], level)
        .read_to_end(&mut body)
        .map_err(|error| StoreError::damaged(format!("readings cannot be packed: {error}")))?;
    Ok(body)
}

/// The readings of a body.
///
/// # Errors
/// It is damaged, or of a later format.
pub(crate) fn unpack(body: &[u8]) -> Result<Unpacked> {
    let (format, squeezed) = body.split_first().ok_or_else(damaged)?;
    if *format != FORMAT {
        return Err(StoreError::damaged(format!(
            "packed readings have the unknown format {format}"
        )));
    }
    let mut flat = Vec::new();
    let mut stream = ZlibDecoder::new(squeezed).take(MOST_BYTES + 1);
    stream.read_to_end(&mut flat).map_err(|_| damaged())?;
    // The checksum is looked at only at the end of the stream.
    let is_whole =
        flat.len() as u64 <= MOST_BYTES && stream.into_inner().total_in() == squeezed.len() as u64;
    is_whole
        .then(|| columns_of(&flat))
        .flatten()
        .ok_or_else(damaged)
}

fn damaged() -> StoreError {
    StoreError::damaged("packed readings cannot be read")
}

fn columns_of(mut rest: &[u8]) -> Option<Unpacked> {
    let rows = usize::try_from(columns::take_length(&mut rest)?).ok()?;
    if rows > MOST_READINGS {
        return None;
    }
    let mut fields = Vec::new();
    for _ in 0..FIELDS.len() + 3 * PHASE_FIELDS.len() {
        fields.push(columns::take(&mut rest, rows)?);
    }
    let counts = columns::take(&mut rest, rows)?;
    let mut first = Vec::with_capacity(rows + 1);
    let mut intervals = 0_usize;
    for row in 0..rows {
        first.push(intervals);
        let count = usize::try_from(counts.at(row)?).ok()?;
        intervals = intervals
            .checked_add(count)
            .filter(|all| *all <= MOST_READINGS)?;
    }
    first.push(intervals);
    let ends = columns::take(&mut rest, intervals)?;
    let registers = columns::take(&mut rest, intervals)?;
    rest.is_empty().then_some(Unpacked {
        rows,
        fields,
        first,
        ends,
        registers,
    })
}

/// A body that was read.
#[derive(Debug)]
pub(crate) struct Unpacked {
    rows: usize,
    fields: Vec<Column>,
    /// Where each reading's intervals begin, and where the last one's end.
    first: Vec<usize>,
    ends: Column,
    registers: Column,
}

impl Unpacked {
    /// How many readings there are.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// A reading's node; `None`: there is no such reading, or it is none of ours.
    pub(crate) fn node(&self, row: usize) -> Option<NodeId> {
        whole(self.fields.get(1)?.at(row)).flatten().map(NodeId)
    }

    /// A reading.
    ///
    /// # Errors
    /// A number in it is none that could have been packed.
    pub(crate) fn reading(&self, row: usize) -> Result<LastReading> {
        self.read(row).ok_or_else(damaged)
    }

    fn read(&self, row: usize) -> Option<LastReading> {
        let field = |number: usize| self.fields.get(number)?.at(row);
        let (at, node) = (field(0)?, self.node(row)?);
        let register = WattHours(field(2)?.cast_unsigned());
        let (voltage, current) = (field(5), field(7));
        let near = |value: Option<i64>, like: Option<i64>| match value {
            Some(value) => value.checked_add(like.unwrap_or(0)).map(Some),
            None => Some(None),
        };
        let uptime = field(13).map(|uptime| uptime.wrapping_add(at));
        let interval = |place: usize| {
            Some(IntervalEnd {
                end: UtcSeconds(at.wrapping_sub(self.ends.at(place)?)),
                register: WattHours(
                    register
                        .0
                        .wrapping_sub(self.registers.at(place)?.cast_unsigned()),
                ),
            })
        };
        let intervals = *self.first.get(row)?..*self.first.get(row + 1)?;
        Some(LastReading {
            at: UtcSeconds(at),
            over: None,
            dark_since: None,
            reading: Reading {
                node,
                register,
                export: WattHours(field(3)?.cast_unsigned()),
                power_w: whole(field(4))?,
                voltage_dv: whole(voltage)?,
                voltage_out_dv: whole(near(field(6), voltage)?)?,
                current_ma: whole(current)?,
                neutral_ma: whole(near(field(8), current)?)?,
                frequency_chz: whole(field(9))?,
                relay: field(10).map(|closed| {
                    if closed == 0 {
                        Relay::Open
                    } else {
                        Relay::Closed
                    }
                }),
                lease_id: whole(field(11))?,
                cutoff: field(12).map(|register| WattHours(register.cast_unsigned())),
                uptime_s: whole(uptime)?,
                boot_count: whole(field(14))?,
                tamper: whole(field(15))??,
                frame_counter: field(16).map(i64::cast_unsigned),
                intervals: intervals.map(interval).collect::<Option<_>>()?,
                phases: match field(17) {
                    Some(_) => Some([
                        self.phase(row, 0)?,
                        self.phase(row, 1)?,
                        self.phase(row, 2)?,
                    ]),
                    None => None,
                },
                status: None,
                wraps_at: None,
            },
        })
    }

    fn phase(&self, row: usize, phase: usize) -> Option<PhaseReading> {
        let begin = FIELDS.len() + phase * PHASE_FIELDS.len();
        let field = |number: usize| self.fields.get(begin + number)?.at(row);
        Some(PhaseReading {
            voltage_dv: whole(field(0))?,
            current_ma: whole(field(1))?,
            power_w: whole(field(2))?,
            import: field(3).map(|import| WattHours(import.cast_unsigned())),
        })
    }
}

/// A number in the width of its field; outer `None`: it does not fit.
fn whole<T: TryFrom<i64>>(value: Option<i64>) -> Option<Option<T>> {
    value.map(T::try_from).transpose().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn phase() -> impl Strategy<Value = PhaseReading> {
        any::<(Option<u16>, Option<u32>, Option<i32>, Option<u64>)>().prop_map(
            |(voltage_dv, current_ma, power_w, import)| PhaseReading {
                voltage_dv,
                current_ma,
                power_w,
                import: import.map(WattHours),
            },
        )
    }

    fn reading() -> impl Strategy<Value = LastReading> {
        let meter = any::<(
            u32,
            u64,
            u64,
            Option<i32>,
            Option<u16>,
            Option<u16>,
            Option<u32>,
            Option<u32>,
            Option<u16>,
        )>();
        let node = any::<(
            Option<bool>,
            Option<u32>,
            Option<u64>,
            Option<u32>,
            Option<u32>,
            u32,
            Option<u64>,
        )>();
        let intervals = prop::collection::vec(any::<(i64, u64)>(), 0..4);
        let phases = prop::option::of([phase(), phase(), phase()]);
        (any::<i64>(), meter, node, intervals, phases).prop_map(
            |(at, meter, node, intervals, phases)| LastReading {
                at: UtcSeconds(at),
                over: None,
                dark_since: None,
                reading: Reading {
                    export: WattHours(meter.2),
                    power_w: meter.3,
                    voltage_dv: meter.4,
                    voltage_out_dv: meter.5,
                    current_ma: meter.6,
                    neutral_ma: meter.7,
                    frequency_chz: meter.8,
                    relay: node
                        .0
                        .map(|closed| if closed { Relay::Closed } else { Relay::Open }),
                    lease_id: node.1,
                    cutoff: node.2.map(WattHours),
                    uptime_s: node.3,
                    boot_count: node.4,
                    tamper: node.5,
                    frame_counter: node.6,
                    intervals: intervals
                        .iter()
                        .map(|(end, register)| IntervalEnd {
                            end: UtcSeconds(*end),
                            register: WattHours(*register),
                        })
                        .collect(),
                    phases,
                    ..Reading::of(NodeId(meter.0), WattHours(meter.1))
                },
            },
        )
    }

    fn back(body: &[u8]) -> Result<Vec<LastReading>> {
        let unpacked = unpack(body)?;
        (0..unpacked.len())
            .map(|row| unpacked.reading(row))
            .collect()
    }

    /// What one of our nodes says twice.
    fn two() -> Vec<LastReading> {
        let reading = Reading {
            power_w: Some(-40),
            voltage_dv: Some(2_301),
            voltage_out_dv: Some(2_299),
            relay: Some(Relay::Closed),
            intervals: vec![IntervalEnd {
                end: UtcSeconds(1_800_000_000),
                register: WattHours(990),
            }],
            ..Reading::of(NodeId(7), WattHours(1_000))
        };
        let at = |at| LastReading {
            at: UtcSeconds(at),
            over: None,
            dark_since: None,
            reading: reading.clone(),
        };
        vec![at(1_800_000_060), at(1_800_000_120)]
    }

    /// Bodies of format 1 lie on cards: do not change this test.
    #[test]
    fn a_body_of_format_1_is_read() {
        let hex = "0178da55c43111c0201444c17b973a4983030461e70b430415831c868aa1648bb567ebf50d3ec68f28accc2309ebac1b760469031f3d073c";
        let nibble = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let body: Vec<u8> = (0..hex.len()).step_by(2).map(nibble).collect();
        assert_eq!(back(&body).unwrap(), two());
    }

    #[test]
    fn a_changed_body_is_one_error() {
        let body = pack(&two(), Compression::best()).unwrap();
        for at in 0..body.len() {
            assert!(back(&body[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut changed = body.clone();
                changed[at] ^= 1 << bit;
                // Some bits of zlib's header and behind its last code mean nothing.
                let read = back(&changed);
                assert!(
                    read.is_err() || read.unwrap() == two(),
                    "bit {bit} of byte {at}"
                );
            }
        }
        let more = [&body[..], &[0]].concat();
        assert!(back(&more).is_err());
        let later = [&[2], &body[1..]].concat();
        assert!(
            back(&later)
                .unwrap_err()
                .to_string()
                .contains("unknown format 2")
        );
    }

    proptest! {
        #[test]
        fn readings_come_back_as_they_were(readings in prop::collection::vec(reading(), 0..12)) {
            let body = pack(&readings, Compression::default()).unwrap();
            prop_assert_eq!(back(&body).unwrap(), readings);
        }

        /// The checksum is right, and what it covers is not.
        #[test]
        fn hostile_columns_are_an_error_or_readings(flat in prop::collection::vec(any::<u8>(), 0..90)) {
            let mut body = vec![FORMAT];
            ZlibEncoder::new(&flat[..], Compression::fast()).read_to_end(&mut body).unwrap();
            let _ = back(&body);
        }

        #[test]
        fn a_body_that_grows_without_end_is_refused(rows in MOST_READINGS as u64 + 1..) {
            let mut flat = Vec::new();
            columns::put_length(&mut flat, rows);
            flat.extend([0; 40]);
            let mut body = vec![FORMAT];
            ZlibEncoder::new(&flat[..], Compression::fast()).read_to_end(&mut body).unwrap();
            prop_assert!(back(&body).is_err());
        }
    }
}
